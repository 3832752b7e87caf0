//! A Cholesky factorisation that decides, with Rump's criterion, whether a matrix is positive semidefinite.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

/// Columns factored at a time.
const PANEL: usize = 48;

/// Unit roundoff u = 2⁻⁵³.
pub(crate) const UNIT: f64 = 1.110_223_024_625_156_5e-16;

/// An upper bound on γ_m = mu/(1 − mu), for m u ≤ 0.001.
pub(crate) fn gamma(m: usize) -> f64 {
    1.01 * m as f64 * UNIT
}

/// Whether a Cholesky factorisation of the lower triangle runs to completion; overwrites the matrix.
///
/// Each entry is one sum of products in some order, then one division or square root: what the criterion needs.
/// NaN and infinity anywhere end in a pivot that is not positive and finite.
pub(crate) fn runs_through(matrix: &mut Mat<f64>) -> bool {
    let order = matrix.nrows();
    for first in (0..order).step_by(PANEL) {
        let last = (first + PANEL).min(order);
        let (done, mut rest) = matrix.as_mut().split_at_col_mut(first);
        let mut panel = rest.as_mut().subcols_mut(0, last - first).subrows_mut(first, order - first);
        let done = done.as_ref().subrows(first, order - first);
        let top = done.subrows(0, last - first);
        matmul(panel.as_mut(), Accum::Add, done, top.transpose(), -1.0, Par::Seq);
        for j in 0..last - first {
            let pivot = panel[(j, j)];
            if !(pivot > 0.0 && pivot.is_finite()) {
                return false;
            }
            let root = pivot.sqrt();
            panel[(j, j)] = root;
            for i in j + 1..order - first {
                let value = panel[(i, j)] / root;
                if !value.is_finite() {
                    return false;
                }
                panel[(i, j)] = value;
            }
            for k in j + 1..last - first {
                let factor = panel[(k, j)];
                for i in k..order - first {
                    panel[(i, k)] -= panel[(i, j)] * factor;
                }
            }
        }
    }
    true
}

/// Proves that a symmetric matrix A is positive semidefinite, or gives up.
///
/// The lower triangle holds Â with |Â − A| ≤ F entrywise for some symmetric F ≥ 0, whose row sums are at most
/// `row_error`. If the floating-point Cholesky of Â − diag(row_error) − cI runs through with
/// c = 2.1 γ_{N+4} tr Â, then A ⪰ 0 (docs/certificate.md). A matrix near unit diagonal loses least.
pub(crate) fn proves_semidefinite(mut matrix: Mat<f64>, row_error: &[f64]) -> bool {
    let order = matrix.nrows();
    if order == 0 {
        return true;
    }
    if row_error.len() != order || matrix.ncols() != order || order > 1_000_000 {
        return false;
    }
    let mut trace = 0.0;
    for i in 0..order {
        let entry = matrix[(i, i)];
        if !(entry > 0.0 && entry.is_finite() && row_error[i] >= 0.0) {
            return false;
        }
        trace += entry;
    }
    // 1.01 pays for the rounding of the trace and of c itself, 2^-100 for every underflow.
    let c = 1.01 * 2.1 * gamma(order + 4) * trace + 2f64.powi(-100);
    for i in 0..order {
        matrix[(i, i)] = (matrix[(i, i)] - (c + row_error[i]).next_up()).next_down();
    }
    runs_through(&mut matrix)
}
