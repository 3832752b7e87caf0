//! The head after s' = s + Xh: H' = H − sym(Xᵀ(B + R)), what rounding may have done to it, and what R costs.

use super::super::cholesky::{gamma, proves_semidefinite};
use super::assembly::{Assembly, TINY, additions, sum_of_products, unit_scale};
use crate::linalg::z_matrix::ROWS;
use faer::Mat;
use rayon::prelude::*;

/// Greatest entry of X: 2^60.
const MOST: f64 = (1u64 << 60) as f64;
/// Least entry on the diagonal of H'.
const LEAST: f64 = 1.0 / MOST;
/// Pays for the rounding of sums and products of nonnegative numbers.
const ROOM: f64 = 1.01;

/// What can be said of the form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is positive semidefinite.
    Proved,
    /// It is not, as far as floating point can tell.
    Negative,
    /// A smaller R may tell.
    Unknown,
}

/// H' and its bounds.
pub(super) struct Reduced {
    /// Symmetric, order d + c.
    matrix: Mat<f64>,
    /// |computed H' − H'| at most, symmetric.
    error: Mat<f64>,
    /// τ_j ≥ Σ_i r_ij²/δ_i.
    tail: Vec<f64>,
}

impl Reduced {
    /// For X (rows of as many columns as the side of the assembly) and δ > 0 with A ⪰ diag(δ); none if X is out of range.
    pub(super) fn new(assembly: &Assembly, x: &[f64], delta: &[f64]) -> Option<Self> {
        let (n, k, width) = (assembly.samples(), assembly.order(), assembly.width());
        if x.len() != n * width || delta.len() != n || !x.iter().all(|value| value.abs() <= MOST) {
            return None;
        }
        let (mut sum, mut error) = (vec![0.0; n * width], vec![0.0; n * width]);
        let tails: Vec<Vec<f64>> = sum
            .par_chunks_mut(ROWS * width)
            .zip(error.par_chunks_mut(ROWS * width))
            .enumerate()
            .map(|(chunk, (sum, error))| residual_rows(assembly, x, delta, chunk * ROWS, sum, error))
            .collect();
        let mut tail = vec![0.0; k];
        for part in &tails {
            tail.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        tail.iter_mut().for_each(|value| *value *= ROOM);
        let size: Vec<f64> = x.iter().map(|value| value.abs()).collect();
        let taken = sum_of_products(n, (x, width, k), (&sum, width, k));
        let taken_error = sum_of_products(n, (&size, width, k), (&error, width, k));
        let (head, head_error) = (&assembly.head, &assembly.head_error);
        let mean = |m: &Mat<f64>, i: usize, j: usize| 0.5 * (m[(i, j)] + m[(j, i)]);
        let mean_size = |m: &Mat<f64>, i: usize, j: usize| 0.5 * (m[(i, j)].abs() + m[(j, i)].abs());
        // Of each entry of the two means that are computed once more, above the diagonal: the same operations.
        let matrix =
            Mat::from_fn(k, k, |i, j| mean(head, i.max(j), i.min(j)) - mean(&taken, i.max(j), i.min(j)));
        let error = Mat::from_fn(k, k, |i, j| {
            let joined = gamma(6) * (mean_size(head, i, j) + mean_size(&taken, i, j));
            ROOM * (mean(head_error, i, j) + ROOM * mean(&taken_error, i, j) + joined)
        });
        Some(Self { matrix, error, tail })
    }

    /// The end of the proof.
    pub(super) fn verdict(self) -> Verdict {
        let k = self.matrix.nrows();
        let (low, high) = (LEAST, 2.0);
        let diagonal = |j: usize| self.matrix[(j, j)];
        if (0..k).any(|j| diagonal(j) + self.error[(j, j)] < 0.0) {
            return Verdict::Negative;
        }
        if !(0..k).all(|j| diagonal(j) >= low && diagonal(j) <= high) {
            return Verdict::Unknown;
        }
        let scale: Vec<f64> = (0..k).map(|j| unit_scale(diagonal(j))).collect();
        let tail: f64 = scale.iter().zip(&self.tail).map(|(s, tail)| s * s * tail).sum();
        let row = |i: usize| (0..k).map(|j| self.error[(i, j)] * scale[j]).sum::<f64>() * scale[i];
        let row_error: Vec<f64> = (0..k).map(|i| ROOM * (row(i) + tail) + 2f64.powi(-100)).collect();
        let scaled = Mat::from_fn(k, k, |i, j| self.matrix[(i, j)] * scale[i] * scale[j]);
        if proves_semidefinite(scaled.clone(), &row_error) {
            return Verdict::Proved;
        }
        // The factorisation itself takes some 2γ of the trace from the diagonal.
        let doubt = DOUBT + 8.0 * gamma(k + 4) * k as f64;
        let raised =
            Mat::from_fn(k, k, |i, j| scaled[(i, j)] + if i == j { row_error[i] + doubt } else { 0.0 });
        let possible = proves_semidefinite(raised, &vec![0.0; k]);
        if possible || !row_error.iter().all(|error| error.is_finite()) {
            Verdict::Unknown
        } else {
            Verdict::Negative
        }
    }
}

/// More than what the factorisation behind a refusal may err by, on a matrix of unit diagonal.
const DOUBT: f64 = 1e-10;

/// b + r and the bounds on what XᵀB and XᵀR may be off by, for some rows; gives Σ (|r| + its error)²/δ of each column.
fn residual_rows(
    assembly: &Assembly,
    x: &[f64],
    delta: &[f64],
    first: usize,
    sum: &mut [f64],
    error: &mut [f64],
) -> Vec<f64> {
    let (n, k, width) = (assembly.samples(), assembly.order(), assembly.width());
    let factor = ROOM * gamma(assembly.joined + assembly.matrix.longest_row() + 8);
    let later = ROOM * gamma(additions(n) + 6);
    let mut tail = vec![0.0; k];
    let (mut product, mut size) = (vec![0.0; width], vec![0.0; width]);
    for (local, (sum, error)) in sum.chunks_exact_mut(width).zip(error.chunks_exact_mut(width)).enumerate() {
        let i = first + local;
        let a = assembly.diagonal[i];
        let own = &x[i * width..][..width];
        for j in 0..width {
            product[j] = a * own[j];
            size[j] = (a * own[j]).abs();
        }
        for (l, value) in assembly.matrix.row(i) {
            let other = &x[l * width..][..width];
            for j in 0..width {
                product[j] -= value * other[j];
                size[j] += (value * other[j]).abs();
            }
        }
        let side = &assembly.side[i * width..][..width];
        let side_error = &assembly.side_error[i * width..][..width];
        for j in 0..k {
            let r = side[j] - product[j];
            let r_error = side_error[j] + factor * (side[j].abs() + size[j]) + TINY;
            tail[j] += (r.abs() + r_error).powi(2) / delta[i];
            sum[j] = side[j] + r;
            error[j] = ROOM * (side_error[j] + r_error + later * (side[j].abs() + r.abs()));
        }
    }
    tail
}
