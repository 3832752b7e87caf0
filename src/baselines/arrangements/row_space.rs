//! Coordinates of the row space of X, in which nothing is lost: weights outside it only cost.

use crate::error::{Error, Result};
use crate::linalg::dense::{ThinSvd, product};
use crate::problem::{Network, TrainingProblem};
use faer::{Mat, MatRef};

/// Singular values below this fraction of the largest count as zero.
const RANK_TOLERANCE: f64 = 1e-12;

/// X = QΣPᵀ as rows QΣ (n × r) in the orthonormal basis P (d × r) of the row space.
#[derive(Clone, Debug)]
pub(crate) struct RowSpace {
    /// QΣ, n × r.
    pub rows: Mat<f64>,
    basis: Mat<f64>,
}

impl RowSpace {
    /// Fails where the decomposition does not converge; r = 0 when X is zero.
    pub fn new(problem: &TrainingProblem) -> Result<Self> {
        let x = problem.dense_features()?;
        let ThinSvd { u, singular, v } =
            ThinSvd::new(x).ok_or(Error::Numerical("the singular values of the features"))?;
        let rank = singular.iter().take_while(|s| **s > RANK_TOLERANCE * singular[0]).count();
        let rows = Mat::from_fn(x.nrows(), rank, |i, j| u[(i, j)] * singular[j]);
        let basis = v.subcols(0, rank).to_owned();
        Ok(Self { rows, basis })
    }

    /// r.
    pub fn rank(&self) -> usize {
        self.rows.ncols()
    }

    /// (Xu)₊ for the columns u of `directions` (r × m) in these coordinates, n × m.
    pub fn activations(&self, directions: MatRef<'_, f64>) -> Mat<f64> {
        let mut activation = product(self.rows.as_ref(), directions);
        for column in activation.col_iter_mut() {
            column.iter_mut().for_each(|a| *a = a.max(0.0));
        }
        activation
    }

    /// The network with neurons directions_k √s_k and outputs_k √s_k: unit directions (r × m), their squared lengths s, and
    /// Vᵀ (m × c).
    pub fn network(&self, directions: MatRef<'_, f64>, hidden: &[f64], output: Mat<f64>) -> Result<Network> {
        let basis = product(self.basis.as_ref(), directions);
        let hidden = Mat::from_fn(basis.nrows(), basis.ncols(), |i, k| basis[(i, k)] * hidden[k]);
        Network::new(hidden, output)
    }
}
