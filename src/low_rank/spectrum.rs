//! The lowest eigenpairs of a dense symmetric matrix that is positive semidefinite or nearly so.

use crate::linalg::dense::{Cholesky, symmetric_eigen};
use crate::linalg::lanczos::{LanczosSettings, SymmetricOperator, smallest_eigenpairs};
use faer::{Mat, MatMut};

/// Orders below which all eigenpairs are computed at once.
const DENSE_ORDER: usize = 400;
/// First shift tried, relative to the largest diagonal entry.
const FIRST_SHIFT: f64 = 1e-9;

/// An eigenvalue and its eigenvector.
pub type Eigenpair = (f64, Vec<f64>);

/// Finds lowest eigenpairs, with memory kept between calls.
#[derive(Debug, Default)]
pub(super) struct Spectrum {
    cholesky: Cholesky,
    lowest: f64,
}

impl Spectrum {
    /// Knowing the lowest eigenvalue of an earlier call.
    pub(super) fn near(lowest: f64) -> Self {
        Self { lowest, ..Self::default() }
    }

    /// The lowest eigenvalue of the last call.
    pub(super) fn lowest_value(&self) -> f64 {
        self.lowest
    }

    /// Takes note of eigenpairs that were found otherwise.
    pub(super) fn note(&mut self, found: Vec<Eigenpair>) -> Vec<Eigenpair> {
        self.lowest = found.first().map_or(0.0, |(value, _)| *value);
        found
    }

    /// Estimates of the `count` lowest eigenpairs, ascending; none if no decomposition succeeds.
    pub(super) fn lowest(&mut self, matrix: &Mat<f64>, count: usize) -> Vec<Eigenpair> {
        let inverted = if matrix.nrows() < DENSE_ORDER { None } else { self.by_inversion(matrix, count) };
        let found = inverted.or_else(|| decompose(matrix, count)).unwrap_or_default();
        self.lowest = found.first().map_or(0.0, |(value, _)| *value);
        found
    }

    /// Lanczos on (A + σI)⁻¹ with σ just beyond the lowest eigenvalue: what lies near −σ stands out.
    fn by_inversion(&mut self, matrix: &Mat<f64>, count: usize) -> Option<Vec<Eigenpair>> {
        let order = matrix.nrows();
        let scale = (0..order).map(|i| matrix[(i, i)].abs()).fold(0.0, f64::max);
        let mut shift = (FIRST_SHIFT * scale).max(-0.3 * self.lowest);
        while !self.cholesky.factorize(matrix, shift) {
            shift *= 10.0;
            if !(shift > 0.0 && shift < 1e3 * scale) {
                return None;
            }
        }
        let settings = LanczosSettings { count, max_steps: 80, tolerance: 1e-3, seed: 0 };
        let found =
            smallest_eigenpairs(&NegativeInverse { cholesky: &self.cholesky, order }, &settings).ok()?;
        let vector = |k: usize| found.vectors.col(k).iter().copied().collect();
        Some(found.values.iter().enumerate().map(|(k, v)| (-1.0 / v - shift, vector(k))).collect())
    }
}

/// −(A + σI)⁻¹: its smallest eigenvalues belong to the lowest of A.
struct NegativeInverse<'a> {
    cholesky: &'a Cholesky,
    order: usize,
}

impl SymmetricOperator for NegativeInverse<'_> {
    fn order(&self) -> usize {
        self.order
    }

    fn apply(&self, x: &[f64], out: &mut [f64]) {
        out.copy_from_slice(x);
        self.cholesky.solve(MatMut::from_column_major_slice_mut(out, self.order, 1));
        out.iter_mut().for_each(|value| *value = -*value);
    }
}

fn decompose(matrix: &Mat<f64>, count: usize) -> Option<Vec<Eigenpair>> {
    let (values, vectors) = symmetric_eigen(matrix.as_ref())?;
    let vector = |i: usize| vectors.col(i).iter().copied().collect();
    Some((0..count.min(matrix.nrows())).map(|i| (values[i], vector(i))).collect())
}
