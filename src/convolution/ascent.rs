//! Filters that pay: maxima of |W̃ᵀ(Xu)₊|/(PQ·γ|u|), climbed to from many starts at once.

use super::coordinates::{Coordinates, squares};
use crate::control::Control;
use crate::linalg::dense::product;
use crate::training::lbfgs::{Limits, minimise};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};

const LIMITS: Limits = Limits { memory: 10, iterations: 40, progress: 1e-9 };

/// The squares of the ratios of filters (h rows of m), and where asked the gradient of −½ Σ log of them.
pub(super) fn ratios(
    at: &Coordinates<'_>,
    residual: MatRef<'_, f64>,
    filters: &[f64],
    gradient: Option<&mut [f64]>,
) -> Vec<f64> {
    let m = filters.len() / at.weights();
    if m == 0 {
        return Vec::new();
    }
    let (n, columns) = (at.problem.samples(), at.patches.blocks * m);
    let mut sums = vec![0.0; at.responses(m)];
    at.patches.sums(at.problem.pixels(), filters, &mut sums);
    let pull = product(MatRef::from_row_major_slice(&sums, n, columns).transpose(), residual);
    let gain: Vec<f64> =
        (0..m).map(|j| (j..columns).step_by(m).map(|f| pull.row(f).squared_norm_l2()).sum()).collect();
    let lengths = squares(filters, m);
    if let Some(gradient) = gradient {
        let share = Mat::from_fn(columns, pull.ncols(), |f, o| {
            if gain[f % m] > 0.0 { -pull[(f, o)] / gain[f % m] } else { 0.0 }
        });
        let to = MatMut::from_column_major_slice_mut(&mut sums, columns, n);
        matmul(to, Accum::Replace, share.as_ref(), residual.transpose(), 1.0, Par::Seq);
        for (gradient, row) in gradient.chunks_exact_mut(m).zip(filters.chunks_exact(m)) {
            for j in 0..m {
                gradient[j] = if gain[j] > 0.0 { row[j] / lengths[j] } else { 0.0 };
            }
        }
        at.patches.pull_back(at.problem.pixels(), filters, &sums, gradient);
    }
    let level = at.patches.pooled as f64 * at.problem.weight_decay();
    gain.iter().zip(&lengths).map(|(gain, length)| gain / (length * level * level)).collect()
}

/// Climbs from the filters given (h rows of m); returns where it came to, and the ratios there.
pub(super) fn climb(
    at: &Coordinates<'_>,
    residual: MatRef<'_, f64>,
    filters: &[f64],
    control: &Control,
) -> (Vec<f64>, Vec<f64>) {
    let mut z = at.pull(filters);
    let value = |squares: &[f64]| {
        // A start at which nothing answers stays where it is.
        squares.iter().filter(|square| **square > 0.0).map(|square| -0.5 * square.ln()).sum::<f64>()
    };
    let ask = |z: &[f64], gradient: &mut [f64]| {
        let mut slope = vec![0.0; z.len()];
        let found = ratios(at, residual, &at.filters(z), Some(&mut slope));
        gradient.copy_from_slice(&at.gradient(&slope));
        value(&found)
    };
    minimise(&mut z, ask, LIMITS, control);
    let filters = at.filters(&z);
    let found = ratios(at, residual, &filters, None);
    (filters, found.iter().map(|square| square.sqrt()).collect())
}
