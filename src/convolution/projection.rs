//! The objective with the output weights eliminated (variable projection).

use super::coordinates::{Coordinates, squares};
use crate::linalg::dense::{Cholesky, product};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// φ(U) = min_V ½‖AVᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²), A (n × a·m) being the pooled responses of the filters.
///
/// V = YᵀA(AᵀA + γI)⁻¹ or, with more columns than samples, W = γ(AAᵀ + γI)⁻¹Y and V = WᵀA/γ. The value is
/// ½⟨Y, W⟩ + (γ/2)‖U‖², the gradient with respect to A is −WV.
pub(super) struct Projection {
    pub value: f64,
    /// W = Y − AVᵀ, n × c.
    pub residual: Mat<f64>,
    /// Vᵀ, a·m × c.
    pub output: Mat<f64>,
}

/// A at filters (h rows of m), n rows of a·m.
pub(super) fn pooled(at: &Coordinates<'_>, filters: &[f64]) -> Vec<f64> {
    let m = filters.len() / at.weights();
    let mut sums = vec![0.0; at.responses(m)];
    at.patches.sums(at.problem.pixels(), filters, &mut sums);
    let pooled = at.patches.pooled as f64;
    sums.iter_mut().for_each(|sum| *sum /= pooled);
    sums
}

/// φ at filters (h rows of m), and its gradient where there is room for one; none where it cannot be computed.
pub(super) fn project(
    at: &Coordinates<'_>,
    filters: &[f64],
    gradient: Option<&mut [f64]>,
) -> Option<Projection> {
    let (n, gamma) = (at.problem.samples(), at.problem.weight_decay());
    let m = filters.len() / at.weights();
    let columns = at.patches.blocks * m;
    let y = at.problem.targets();
    if m == 0 {
        let value = at.problem.zero_objective();
        return Some(Projection { value, residual: y.to_owned(), output: Mat::zeros(0, y.ncols()) });
    }
    let responses = pooled(at, filters);
    let a = MatRef::from_row_major_slice(&responses, n, columns);
    let mut cholesky = Cholesky::default();
    let (residual, output) = if columns <= n {
        let gram = product(a.transpose(), a);
        cholesky.factorize(&gram, gamma).then_some(())?;
        let output = cholesky.solution(product(a.transpose(), y).as_ref());
        (y - product(a, output.as_ref()), output)
    } else {
        let gram = product(a, a.transpose());
        cholesky.factorize(&gram, gamma).then_some(())?;
        let residual = cholesky.solution(Mat::from_fn(n, y.ncols(), |i, o| gamma * y[(i, o)]).as_ref());
        let pull = product(a.transpose(), residual.as_ref());
        (residual, Mat::from_fn(columns, y.ncols(), |f, o| pull[(f, o)] / gamma))
    };
    let mut fit = 0.0;
    for (w, y) in residual.col_iter().zip(y.col_iter()) {
        fit += w.iter().zip(y.iter()).map(|(w, y)| w * y).sum::<f64>();
    }
    let value = 0.5 * fit + 0.5 * gamma * squares(filters, m).iter().sum::<f64>();
    if !value.is_finite() {
        return None;
    }
    if let Some(gradient) = gradient {
        let mut slopes = responses;
        let scale = -1.0 / at.patches.pooled as f64;
        let to = MatMut::from_column_major_slice_mut(&mut slopes, columns, n);
        matmul(to, Accum::Replace, output.as_ref(), residual.transpose(), scale, Par::Seq);
        gradient.iter_mut().zip(filters).for_each(|(gradient, u)| *gradient = gamma * u);
        at.patches.pull_back(at.problem.pixels(), filters, &slopes, gradient);
    }
    Some(Projection { value, residual, output })
}
