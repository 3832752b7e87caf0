//! Rank adaptation: columns that carry nothing go, negative directions of the dual slack come.

use super::Factor;
use super::lagrangian::{AugmentedLagrangian, Workspace};
use super::spectrum::Eigenpair;
use crate::linalg::vector::dot;
use faer::Mat;

/// Singular values below this fraction of the largest count as zero (conventional).
const RANK_TOLERANCE: f64 = 2e-3;
/// Columns kept beyond the numerical rank: a factor of exactly the rank is held up by spurious valleys.
pub(super) const SPARE_COLUMNS: usize = 3;
/// A new column must lower the function by this much of the objective at once; less counts where there are cuts, and where
/// the eigenvalue, small as it is, costs a bound more than this part of what a level may be short of.
const GROWTH_GAIN: f64 = 1e-7;
const DEAR_GAIN: f64 = 1e-11;
const DEAR: f64 = 0.2;
/// An eigenvalue counts as negative only when it exceeds what the gradient's error alone produces.
const GRADIENT_MARGIN: f64 = 10.0;

/// Adds the eigenvectors of clearly negative eigenvalues as columns, sized by a search along each. `short` is what a
/// level's value may lack.
#[expect(clippy::too_many_arguments, reason = "a point, what is known of it, and how much counts")]
pub(super) fn grow(
    lagrangian: &AugmentedLagrangian<'_>,
    factor: &mut Factor,
    lowest: &[Eigenpair],
    moment: &Mat<f64>,
    limit: usize,
    scale: f64,
    gradient: f64,
    short: f64,
) -> bool {
    let mut work = Workspace::default();
    let (cuts, square) = (!lagrangian.set.cuts().is_empty(), dot(factor.r(), factor.r()));
    let over_outputs = lagrangian.lifting.over_outputs(moment);
    let mut grown = false;
    for (value, vector) in lowest.iter().filter(|(value, _)| *value < -GRADIENT_MARGIN * gradient) {
        if factor.columns >= limit {
            break;
        }
        // The v part that minimises the full slack's form for this (u, δ): v = −G⁻¹Cᵀx, G = gI without a price.
        let outputs = (0..over_outputs.ncols())
            .map(|j| -vector.iter().enumerate().map(|(a, x)| over_outputs[(a, j)] * x).sum::<f64>());
        let column: Vec<f64> = vector.iter().copied().chain(outputs).collect();
        // The bound pays the eigenvalue times the trace of the optimum, which is about the factor's.
        let dear = cuts || -value * square > DEAR * short;
        let gain = if dear { DEAR_GAIN } else { GROWTH_GAIN };
        let current = lagrangian.value(factor, &mut work);
        let best = (0..24)
            .map(|step| 4.0 * 0.5f64.powi(step))
            .map(|size| {
                let mut trial = factor.clone();
                trial.push_column(&column.iter().map(|x| size * x).collect::<Vec<_>>());
                (lagrangian.value(&trial, &mut work), trial)
            })
            .min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((next, trial)) = best
            && current - next > gain * scale
        {
            *factor = trial;
            grown = true;
        }
    }
    grown
}

/// Drops the columns below the numerical rank, keeping a few to spare.
pub(super) fn shrink(factor: &mut Factor, spare: usize) {
    let keep = factor.numerical_rank(RANK_TOLERANCE) + spare;
    if keep < factor.columns {
        factor.compress(keep);
    }
}
