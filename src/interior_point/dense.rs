//! Dense factorisations at a fixed degree of parallelism, so that the bits do not depend on the machine.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::reborrow::ReborrowMut;
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// A·B.
pub(super) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>, par: Par) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    matmul(out.as_mut(), Accum::Replace, a, b, 1.0, par);
    out
}

/// Replaces A by (A + Aᵀ)/2.
pub(super) fn symmetrize(a: &mut Mat<f64>) {
    for j in 0..a.ncols() {
        for i in 0..j {
            let mean = 0.5 * (a[(i, j)] + a[(j, i)]);
            a[(i, j)] = mean;
            a[(j, i)] = mean;
        }
    }
}

/// ⟨A, B⟩.
pub(super) fn inner(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> f64 {
    a.col_iter().zip(b.col_iter()).map(|(a, b)| a.iter().zip(b.iter()).map(|(x, y)| x * y).sum::<f64>()).sum()
}

/// Lower Cholesky factor in place; the strict upper triangle is left undefined. False if not positive definite.
pub(super) fn factor_in_place(mut a: MatMut<'_, f64>, par: Par) -> bool {
    let scratch = llt::factor::cholesky_in_place_scratch::<f64>(a.nrows(), par, Default::default());
    let mut buffer = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut buffer);
    llt::factor::cholesky_in_place(a.rb_mut(), Default::default(), par, stack, Default::default()).is_ok()
}

/// Lower Cholesky factor, or none if not positive definite.
pub(super) fn factor(a: MatRef<'_, f64>, par: Par) -> Option<Mat<f64>> {
    let mut l = a.to_owned();
    if !factor_in_place(l.as_mut(), par) {
        return None;
    }
    for j in 1..l.ncols() {
        l.col_mut(j).subrows_mut(0, j).fill(0.0);
    }
    let finite = l.col_iter().all(|c| c.iter().all(|v| v.is_finite()));
    finite.then_some(l)
}

/// [`factor`] of a matrix that rounding may have left a little indefinite: the identity is added in the smallest of a few
/// multiples of the largest diagonal entry that makes it work.
pub(super) fn factor_nearly(a: MatRef<'_, f64>, par: Par) -> Option<Mat<f64>> {
    let largest = (0..a.nrows()).map(|i| a[(i, i)]).fold(0.0, f64::max);
    [0.0, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11].into_iter().find_map(|part| {
        let mut shifted = a.to_owned();
        (0..a.nrows()).for_each(|i| shifted[(i, i)] += part * largest);
        factor(shifted.as_ref(), par)
    })
}

/// Solves L·Lᵀ·x = b in place.
pub(super) fn solve_factored(l: MatRef<'_, f64>, b: MatMut<'_, f64>, par: Par) {
    let mut b = b;
    solve_lower_triangular_in_place(l, b.rb_mut(), par);
    solve_upper_triangular_in_place(l.transpose(), b, par);
}

/// L⁻¹ of a lower triangular factor.
pub(super) fn inverse_lower(l: MatRef<'_, f64>, par: Par) -> Mat<f64> {
    let mut out = Mat::zeros(l.nrows(), l.ncols());
    invert_lower_triangular(out.as_mut(), l, par);
    out
}

/// Eigenvalues, ascending; none if the iteration fails or an entry is not finite.
pub(super) fn eigenvalues(a: MatRef<'_, f64>, par: Par) -> Option<Vec<f64>> {
    if !a.is_all_finite() {
        return None;
    }
    let n = a.nrows();
    let mut values = Diag::zeros(n);
    let scratch = self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::No, par, Default::default());
    let mut buffer = MemBuffer::new(scratch);
    self_adjoint_evd(a, values.as_mut(), None, par, MemStack::new(&mut buffer), Default::default()).ok()?;
    Some(values.column_vector().iter().copied().collect())
}
