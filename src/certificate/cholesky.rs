//! A Cholesky factorisation that decides, with Rump's criterion, whether a matrix is positive semidefinite.

use crate::linalg::dense::degree;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Columns that meet all columns before them in one product.
const PANEL: usize = 192;
/// Columns factored one after another.
const STRIP: usize = 32;
/// Rows of a strip that one thread handles at a time; they fit in the first-level cache.
const ROWS: usize = 96;

/// Unit roundoff u = 2⁻⁵³.
pub(crate) const UNIT: f64 = 1.110_223_024_625_156_5e-16;

/// An upper bound on γ_m = mu/(1 − mu), for m u ≤ 0.001.
pub(crate) fn gamma(m: usize) -> f64 {
    1.01 * m as f64 * UNIT
}

/// Whether a Cholesky factorisation of the lower triangle runs to completion; overwrites that triangle and, within the
/// panels, what is beside it.
///
/// Each entry is one sum of products in some order, then one division or square root: what the criterion needs.
/// NaN and infinity anywhere end in a pivot that is not positive and finite.
pub(crate) fn runs_through(matrix: &mut Mat<f64>) -> bool {
    let order = matrix.nrows();
    let par = degree(order);
    for first in (0..order).step_by(PANEL) {
        let width = PANEL.min(order - first);
        let (done, rest) = matrix.as_mut().split_at_col_mut(first);
        let mut panel = rest.subcols_mut(0, width).subrows_mut(first, order - first);
        let done = done.as_ref().subrows(first, order - first);
        matmul(panel.as_mut(), Accum::Add, done, done.subrows(0, width).transpose(), -1.0, par);
        for from in (0..width).step_by(STRIP) {
            let columns = STRIP.min(width - from);
            let (before, after) = panel.as_mut().split_at_col_mut(from);
            let mut strip = after.subcols_mut(0, columns).subrows_mut(from, order - first - from);
            let before = before.as_ref().subrows(from, order - first - from);
            matmul(strip.as_mut(), Accum::Add, before, before.subrows(0, columns).transpose(), -1.0, par);
            let (mut top, below) = strip.split_at_row_mut(columns);
            if !factor_top(top.as_mut()) || !solve_below(top.as_ref(), below, par) {
                return false;
            }
        }
    }
    true
}

/// Factors a small square.
fn factor_top(mut top: MatMut<'_, f64>) -> bool {
    let size = top.ncols();
    for j in 0..size {
        let pivot = top[(j, j)];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return false;
        }
        let root = pivot.sqrt();
        top[(j, j)] = root;
        for i in j + 1..size {
            top[(i, j)] /= root;
            if !top[(i, j)].is_finite() {
                return false;
            }
        }
        for k in j + 1..size {
            let factor = top[(k, j)];
            for i in k..size {
                let value = top[(i, j)];
                top[(i, k)] -= value * factor;
            }
        }
    }
    true
}

/// The rows below a factored square: each is its own, so that their distribution changes nothing.
fn solve_below<'a>(top: MatRef<'_, f64>, mut below: MatMut<'a, f64>, par: Par) -> bool {
    let solve = |mut rows: MatMut<'_, f64>| -> bool {
        let mut finite = true;
        for j in 0..top.ncols() {
            let (done, column) = rows.as_mut().split_at_col_mut(j);
            // Columns of a matrix lie in one piece.
            let Some(column) = column.col_mut(0).try_as_col_major_mut() else { return false };
            let column = column.as_slice_mut();
            let done = done.as_ref();
            for k in 0..j {
                let factor = top[(j, k)];
                let Some(other) = done.col(k).try_as_col_major() else { return false };
                column.iter_mut().zip(other.as_slice()).for_each(|(value, other)| *value -= other * factor);
            }
            let root = top[(j, j)];
            for value in column {
                *value /= root;
                finite &= value.is_finite();
            }
        }
        finite
    };
    if below.nrows() == 0 {
        return true;
    }
    if !matches!(par, Par::Seq) {
        return below.par_row_chunks_mut(ROWS).map(solve).reduce(|| true, |a, b| a && b);
    }
    let mut finite = true;
    while below.nrows() > 0 {
        let rows = ROWS.min(below.nrows());
        let (now, rest) = below.split_at_row_mut(rows);
        finite &= solve(now);
        below = rest;
    }
    finite
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
