//! Gated ReLU networks over sampled activation patterns: a convex problem, and ReLU networks made from its solution.
//!
//! Every hyperplane uᵀx = 0 splits the samples in the same way as one of finitely many patterns D = diag(1[Xg ≥ 0]).
//! With the patterns of m Gaussian g (Kim and Pilanci 2024, arXiv 2402.03625, equation 4; Mishkin, Sahiner and Pilanci
//! 2022, arXiv 2202.01331, section 3, "convex gated ReLU") training is
//!
//! min over Z_i (d × c) of ½‖Σ D_i X Z_i − Y‖² + γ Σ ‖Z_i‖_*.
//!
//! The penalty of a matrix Z_i is its nuclear norm, because that is min Σ(‖u‖² + ‖v‖²)/2 over the neurons with Σ uvᵀ = Z_i
//! (Sahiner et al. 2021, arXiv 2012.13329); for one output it is the Euclidean norm and the problem a group lasso.
//!
//! With *all* patterns the value is a lower bound on the objective of every network, since a neuron (u, v) of pattern D is
//! DXuvᵀ with ‖uvᵀ‖_* ≤ (‖u‖² + ‖v‖²)/2. With a sample of them it is neither a lower nor an upper bound.
//! [`solve`] finds it, [`cone_decomposition`] and [`constrained`] make ReLU networks.

mod cones;
mod constrained;
mod lasso;
mod least_squares;
mod patterns;

pub use cones::cone_decomposition;
pub use constrained::constrained;
pub use lasso::solve;
pub use patterns::Patterns;

use crate::linalg::dense::product;
use faer::{Mat, MatRef};

/// Settings of [`solve`] and [`constrained`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct GatedSettings {
    /// Gaussian vectors g to draw; equal patterns count once. Default 100.
    pub patterns: usize,
    /// Relative duality gap to reach. Default 1e-4, in (0, 1).
    pub tolerance: f64,
    /// Seed of the g. Default 0.
    pub seed: u64,
}

impl Default for GatedSettings {
    fn default() -> Self {
        Self { patterns: 100, tolerance: 1e-4, seed: 0 }
    }
}

/// x ↦ Σ 1[gᵢᵀx ≥ 0] Z_iᵀx over the patterns with Z_i ≠ 0.
#[derive(Clone, Debug)]
pub struct GatedNetwork {
    /// g, d × a.
    pub gates: Mat<f64>,
    /// Z_1 … Z_a beside each other, d × (a·c).
    pub weights: Mat<f64>,
    /// c.
    pub outputs: usize,
    /// Indices of the patterns with Z_i ≠ 0.
    pub active: Vec<usize>,
    /// ½‖Σ D_i X Z_i − Y‖² + γ Σ ‖Z_i‖_* on the training data.
    pub value: f64,
    /// A value that the optimum over these patterns is not below, up to rounding.
    pub dual_value: f64,
    /// Whether the relative gap between the two reached the tolerance.
    pub converged: bool,
}

impl GatedNetwork {
    /// Predictions (p × c) for X (p × d).
    pub fn predict(&self, features: MatRef<'_, f64>) -> Mat<f64> {
        let gates = product(features, self.gates.as_ref());
        let parts = product(features, self.weights.as_ref());
        let mut prediction = Mat::zeros(features.nrows(), self.outputs);
        for i in 0..self.gates.ncols() {
            for k in 0..self.outputs {
                let part = parts.col(i * self.outputs + k);
                for row in 0..features.nrows() {
                    if gates[(row, i)] >= 0.0 {
                        prediction[(row, k)] += part[row];
                    }
                }
            }
        }
        prediction
    }
}
