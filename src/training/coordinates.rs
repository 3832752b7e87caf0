//! Coordinates in which training is well conditioned.

use crate::linalg::{ThinSvd, product};
use crate::{Network, TrainingProblem};
use faer::{Mat, MatRef};

/// Singular values below this fraction of the largest are rounding of zero.
const RANK_TOLERANCE: f64 = 1e-12;

/// The training problem with hidden weights u = back · z, where z has the rank of X components.
///
/// With X = QΣPᵀ, back = P diag(√n / √(σ² + ε²)); the regulariser becomes (γ/2) zᵀ diag(metric) z. The floor
/// ε² = 2γ²/‖Y‖² keeps the directions too weak to ever pay (σ‖Y‖ ≤ γ) from stretching the metric.
pub(super) struct Coordinates {
    /// X · back, n × k.
    pub features: Mat<f64>,
    /// Y, n × c.
    pub targets: Mat<f64>,
    /// ‖back · z‖² = Σ metric_j z_j², k values, all positive.
    pub metric: Vec<f64>,
    /// γ.
    pub weight_decay: f64,
    back: Mat<f64>,
    forth: Mat<f64>,
}

impl Coordinates {
    /// `None` when X or Y is zero (the empty network is optimal) or the decomposition fails.
    pub fn new(problem: &TrainingProblem) -> Option<Self> {
        let x = problem.features();
        let (samples, gamma) = (problem.samples(), problem.weight_decay());
        let energy = problem.targets().squared_norm_l2();
        let ThinSvd { u: q, singular: sigma, v: p } = ThinSvd::new(x)?;
        let rank = (0..sigma.len())
            .take_while(|&j| sigma[j] > RANK_TOLERANCE * sigma[0] && sigma[j].is_finite())
            .count();
        if rank == 0 || energy == 0.0 || !energy.is_finite() {
            return None;
        }
        let floor = 2.0 * gamma * gamma / energy;
        let stretch: Vec<f64> =
            (0..rank).map(|j| (samples as f64 / (sigma[j] * sigma[j] + floor)).sqrt()).collect();
        let metric: Vec<f64> = stretch.iter().map(|s| s * s).collect();
        if !metric.iter().all(|m| m.is_finite() && *m > 0.0) {
            return None;
        }
        let features = Mat::from_fn(samples, rank, |i, j| q[(i, j)] * sigma[j] * stretch[j]);
        let back = Mat::from_fn(x.ncols(), rank, |i, j| p[(i, j)] * stretch[j]);
        let forth = Mat::from_fn(rank, x.ncols(), |i, j| p[(j, i)] / stretch[i]);
        Some(Self {
            features,
            targets: problem.targets().to_owned(),
            metric,
            weight_decay: gamma,
            back,
            forth,
        })
    }

    /// n.
    pub fn samples(&self) -> usize {
        self.features.nrows()
    }

    /// k, the rank of X.
    pub fn rank(&self) -> usize {
        self.metric.len()
    }

    /// ‖back · z‖.
    pub fn norm(&self, z: &[f64]) -> f64 {
        z.iter().zip(&self.metric).map(|(z, m)| m * z * z).sum::<f64>().sqrt()
    }

    /// ⟨back · z, back · w⟩.
    pub fn inner(&self, z: &[f64], w: &[f64]) -> f64 {
        z.iter().zip(w).zip(&self.metric).map(|((z, w), m)| m * z * w).sum()
    }

    /// The projection of hidden weights (d × m) on the row space of X, as k × m values by column.
    pub fn pull(&self, hidden: MatRef<'_, f64>) -> Vec<f64> {
        let z = product(self.forth.as_ref(), hidden);
        (0..z.ncols()).flat_map(|k| (0..z.nrows()).map(move |j| (j, k))).map(|at| z[at]).collect()
    }

    /// The gradient with respect to u (d × m) of a function whose gradient with respect to z is given (k × m).
    pub fn push_gradient(&self, gradient: &[f64]) -> Mat<f64> {
        let (rank, width) = (self.rank(), gradient.len() / self.rank());
        product(self.forth.transpose(), MatRef::from_column_major_slice(gradient, rank, width))
    }

    /// The network with hidden weights back · z (k × m by column) and the output weights given (m × c),
    /// every neuron balanced so that ‖u‖ = ‖v‖, which can only lower the objective.
    pub fn network(&self, z: &[f64], output: MatRef<'_, f64>) -> Network {
        let (inputs, outputs, rank) = (self.back.nrows(), self.targets.ncols(), self.rank());
        let width = z.len() / rank;
        let mut hidden = product(self.back.as_ref(), MatRef::from_column_major_slice(z, rank, width));
        let mut output = Mat::from_fn(outputs, width, |j, k| output[(k, j)]);
        super::balance(&mut hidden, &mut output);
        Network::new(hidden, output).unwrap_or_else(|_| Network::empty(inputs, outputs))
    }
}
