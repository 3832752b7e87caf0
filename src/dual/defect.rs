//! What the equalities behind the cuts miss by, bounded in floating point, and what that costs.

use super::cuts::CutForms;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use faer::MatRef;

/// Unit roundoff u = 2⁻⁵³.
const UNIT: f64 = 0.5 * f64::EPSILON;
/// Pays for the rounding of sums of nonnegative numbers, of at most 10¹² terms.
const ROOM: f64 = 1.01;
/// More than squares and products lose to underflow, for each term.
const TINY: f64 = 1.0 / (1u128 << 100) as f64 / (1u128 << 100) as f64 / (1u128 << 100) as f64;
/// A form whose equality misses by more than this part of its size is taken for damaged.
const DAMAGED: f64 = 1e-10;

/// Upper bounds for one form ℓ = Σ|a_i|s_i − s_k on a neuron: −defect·|u| ≤ ℓ ≤ size·|u|.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// ≥ |x_k − Σ a_i x_i|.
    defect: f64,
    /// ≥ Σ |a_i||x_i|.
    size: f64,
}

/// Upper bound on the norm of a vector.
fn norm_above(entries: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for entry in entries {
        sum += entry * entry;
        count += 1.0;
    }
    ROOM * sum.sqrt() + count * TINY
}

fn sample_norm(x: MatRef<'_, f64>, i: usize) -> f64 {
    norm_above(x.row(i).iter().copied())
}

fn bounds(x: MatRef<'_, f64>, cuts: &CutForms, form: usize) -> Bounds {
    let (target, terms) = (cuts.targets()[form], cuts.row(form).count());
    // A product, the sum with the target, and this bound itself: no term meets more than terms + 2 roundings.
    let rounding = ROOM * (terms + 3) as f64 * UNIT;
    let entries = (0..x.ncols()).map(|j| {
        let (mut sum, mut magnitude) = (x[(target, j)], x[(target, j)].abs());
        for (i, coefficient) in cuts.row(form) {
            let product = coefficient * x[(i, j)];
            sum -= product;
            magnitude += product.abs();
        }
        ROOM * (sum.abs() + rounding * magnitude) + terms as f64 * TINY
    });
    let defect = norm_above(entries);
    let size = cuts.row(form).map(|(i, a)| a.abs() * sample_norm(x, i) + TINY).sum::<f64>() * ROOM;
    Bounds { defect, size }
}

/// Whether the equality of a form holds up to rounding, and what it misses by at most.
fn judged(x: MatRef<'_, f64>, cuts: &CutForms, form: usize) -> (bool, f64) {
    let Bounds { defect, size } = bounds(x, cuts, form);
    // False for a NaN.
    (defect <= DAMAGED * (size + sample_norm(x, cuts.targets()[form])), defect)
}

/// Whether the equality of a form holds up to rounding.
pub(crate) fn equality_holds(problem: &TrainingProblem, cuts: &CutForms, form: usize) -> bool {
    judged(problem.features(), cuts, form).0
}

/// Refuses a form whose equality does not hold up to rounding.
pub(super) fn check_defects(problem: &TrainingProblem, cuts: &CutForms) -> Result<()> {
    let x = problem.dense_features()?;
    for (form, target) in cuts.targets().iter().enumerate() {
        let (holds, defect) = judged(x, cuts, form);
        if !holds {
            return Err(Error::Refused(format!(
                "form {form} does not give back sample {target}, it misses by {defect:e}; compute its coefficients again"
            )));
        }
    }
    Ok(())
}

/// ρ with 2 Σ_k N_k p_{k0} p_{k1} ≥ −ρ|u|² on every neuron, although cuts may be a little negative: see
/// docs/certificate.md. The point has been checked; 0 without cuts, not finite where something overflows.
pub(super) fn payment(
    problem: &TrainingProblem,
    cuts: &CutForms,
    pairs: &[[usize; 2]],
    multipliers: &[f64],
) -> f64 {
    if cuts.is_empty() {
        return 0.0;
    }
    let (x, n) = (problem.features(), problem.samples());
    let all: Vec<Bounds> = (0..cuts.len()).map(|form| bounds(x, cuts, form)).collect();
    let mut total = 0.0;
    for (pair, multiplier) in pairs.iter().zip(multipliers).filter(|(_, multiplier)| **multiplier > 0.0) {
        // On a neuron 0 ≤ p ≤ |x_j||u| for α_j and β_j.
        let [a, b] = pair.map(|form| match form.checked_sub(2 * n) {
            Some(cut) => all[cut],
            None => Bounds { defect: 0.0, size: sample_norm(x, form % n) },
        });
        let worst = (a.defect * b.size).max(b.defect * a.size);
        if pair.iter().any(|form| *form >= 2 * n) {
            total += 2.0 * (multiplier * worst) + TINY;
        }
    }
    ROOM * total
}
