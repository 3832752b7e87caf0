//! Whitening by the singular value decomposition of dense features.

use crate::linalg::dense::{ThinSvd, product, symmetric_eigen};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Singular values below this fraction of the largest are rounding of zero.
const RANK_TOLERANCE: f64 = 1e-12;

/// Multiplications from which the Gram matrix is worth it, its parts, and the least ratio of its eigenvalues.
const LARGE: usize = 1 << 25;
const PARTS: usize = 8;
const WELL_CONDITIONED: f64 = 1e-8;

/// With X = QΣPᵀ, back = P diag(√n / √(σ² + ε²)), and the regulariser becomes (γ/2) zᵀ diag(metric) z.
pub(in crate::training) struct Whitened {
    /// X · back, n × k.
    pub features: Mat<f64>,
    /// ‖back · z‖² = Σ metric_j z_j², k values, all positive.
    pub metric: Vec<f64>,
    /// The mean square of each column of `features`, which are orthogonal.
    pub spread: Vec<f64>,
    /// ‖x_i‖ of each sample.
    pub lengths: Vec<f64>,
    pub back: Mat<f64>,
    pub forth: Mat<f64>,
}

impl Whitened {
    /// ε² is the floor. `None` when X is zero or the decomposition fails.
    pub fn new(x: MatRef<'_, f64>, floor: f64) -> Option<Self> {
        let samples = x.nrows() as f64;
        let (sigma, p) = by_gram(x).or_else(|| {
            let svd = ThinSvd::new(x)?;
            Some((svd.singular, svd.v))
        })?;
        let rank = (0..sigma.len())
            .take_while(|&j| sigma[j] > RANK_TOLERANCE * sigma[0] && sigma[j].is_finite())
            .count();
        if rank == 0 {
            return None;
        }
        let stretch: Vec<f64> = (0..rank).map(|j| (samples / (sigma[j] * sigma[j] + floor)).sqrt()).collect();
        let metric: Vec<f64> = stretch.iter().map(|s| s * s).collect();
        if !metric.iter().all(|m| m.is_finite() && *m > 0.0) {
            return None;
        }
        let back = Mat::from_fn(x.ncols(), rank, |i, j| p[(i, j)] * stretch[j]);
        let forth = Mat::from_fn(rank, x.ncols(), |i, j| p[(j, i)] / stretch[i]);
        let features = product(x, back.as_ref());
        let spread = (0..rank).map(|j| sigma[j] * sigma[j] * metric[j] / samples).collect();
        let lengths = (0..x.nrows()).map(|i| x.row(i).norm_l2()).collect();
        Some(Self { features, metric, spread, lengths, back, forth })
    }

    pub fn transpose_times_into(&self, slope: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        matmul(out, Accum::Replace, self.features.transpose(), slope, 1.0, Par::Seq);
    }
}

/// Singular values (descending) and right singular vectors by way of XᵀX, for many samples of well conditioned features: any
/// orthogonal basis serves, and this one costs a product. `None` where the smallest singular values would be rounding.
fn by_gram(x: MatRef<'_, f64>) -> Option<(Vec<f64>, Mat<f64>)> {
    let (n, d) = x.shape();
    if n * d * d < LARGE || n < 2 * d {
        return None;
    }
    let parts: Vec<Mat<f64>> = (0..PARTS)
        .into_par_iter()
        .map(|part| {
            let (from, to) = (part * n / PARTS, (part + 1) * n / PARTS);
            let rows = x.subrows(from, to - from);
            let mut gram = Mat::zeros(d, d);
            matmul(gram.as_mut(), Accum::Replace, rows.transpose(), rows, 1.0, Par::Seq);
            gram
        })
        .collect();
    let gram = parts.into_iter().fold(Mat::zeros(d, d), |sum, part| sum + part);
    let (values, vectors) = symmetric_eigen(gram.as_ref())?;
    let largest = *values.last()?;
    let trusted =
        largest.is_finite() && values.first().is_some_and(|least| *least > WELL_CONDITIONED * largest);
    trusted.then(|| {
        let sigma = values.iter().rev().map(|value| value.sqrt()).collect();
        (sigma, Mat::from_fn(d, d, |i, j| vectors[(i, d - 1 - j)]))
    })
}
