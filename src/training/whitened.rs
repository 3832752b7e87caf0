//! Whitening by the singular value decomposition of dense features.

use crate::linalg::dense::ThinSvd;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// Singular values below this fraction of the largest are rounding of zero.
const RANK_TOLERANCE: f64 = 1e-12;

/// With X = QΣPᵀ, back = P diag(√n / √(σ² + ε²)), and the regulariser becomes (γ/2) zᵀ diag(metric) z.
pub(in crate::training) struct Whitened {
    /// X · back, n × k.
    pub features: Mat<f64>,
    /// ‖back · z‖² = Σ metric_j z_j², k values, all positive.
    pub metric: Vec<f64>,
    pub back: Mat<f64>,
    pub forth: Mat<f64>,
}

impl Whitened {
    /// ε² is the floor. `None` when X is zero or the decomposition fails.
    pub fn new(x: MatRef<'_, f64>, floor: f64) -> Option<Self> {
        let samples = x.nrows();
        let ThinSvd { u: q, singular: sigma, v: p } = ThinSvd::new(x)?;
        let rank = (0..sigma.len())
            .take_while(|&j| sigma[j] > RANK_TOLERANCE * sigma[0] && sigma[j].is_finite())
            .count();
        if rank == 0 {
            return None;
        }
        let stretch: Vec<f64> =
            (0..rank).map(|j| (samples as f64 / (sigma[j] * sigma[j] + floor)).sqrt()).collect();
        let metric: Vec<f64> = stretch.iter().map(|s| s * s).collect();
        if !metric.iter().all(|m| m.is_finite() && *m > 0.0) {
            return None;
        }
        let features = Mat::from_fn(samples, rank, |i, j| q[(i, j)] * sigma[j] * stretch[j]);
        let back = Mat::from_fn(x.ncols(), rank, |i, j| p[(i, j)] * stretch[j]);
        let forth = Mat::from_fn(rank, x.ncols(), |i, j| p[(j, i)] / stretch[i]);
        Some(Self { features, metric, back, forth })
    }

    pub fn times_into(&self, z: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        matmul(out, Accum::Replace, self.features.as_ref(), z, 1.0, Par::Seq);
    }

    pub fn transpose_times_into(&self, slope: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        matmul(out, Accum::Replace, self.features.transpose(), slope, 1.0, Par::Seq);
    }
}
