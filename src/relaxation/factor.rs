//! A low-rank solution of the relaxation in the coordinates of the training problem.

use crate::problem::{Network, TrainingProblem};
use faer::Mat;

/// Λ = λλᵀ with λ = (α, β, u, v) stacked by rows: a factor of the lifted matrix (arXiv 2410.22311, problem (8)).
///
/// Every column with α, β ≥ 0 and αᵢβᵢ = 0 would be a neuron; a factor of the relaxation has that in the mean only.
#[derive(Clone, Debug)]
pub struct LiftedFactor {
    /// α, n × r.
    pub alpha: Mat<f64>,
    /// β, n × r.
    pub beta: Mat<f64>,
    /// u, d × r.
    pub hidden: Mat<f64>,
    /// v, c × r.
    pub output: Mat<f64>,
}

impl LiftedFactor {
    /// r.
    pub fn columns(&self) -> usize {
        self.hidden.ncols()
    }

    /// A network's neurons as columns: α = (Xu)₊ and β = (−Xu)₊ exactly.
    pub fn from_network(problem: &TrainingProblem, network: &Network) -> Self {
        let z = problem.stored_features().times(network.hidden());
        Self {
            alpha: Mat::from_fn(z.nrows(), z.ncols(), |i, j| z[(i, j)].max(0.0)),
            beta: Mat::from_fn(z.nrows(), z.ncols(), |i, j| (-z[(i, j)]).max(0.0)),
            hidden: network.hidden().to_owned(),
            output: network.output().to_owned(),
        }
    }
}
