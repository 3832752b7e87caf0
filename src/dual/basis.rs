//! A basis of feature space along the right singular vectors of X.

use crate::linalg::dense::{ThinSvd, triangular_factor};
use crate::problem::TrainingProblem;
use faer::{Mat, MatRef};

/// u = Vu' with V (d × d) close to orthogonal and the singular values of X (d, zeros included).
#[derive(Clone, Debug)]
pub(crate) struct Basis {
    pub(crate) v: Mat<f64>,
    pub(crate) singular: Vec<f64>,
}

impl Basis {
    /// That of the features of a problem. Where they are a triangular factor of a Gram matrix the identity, with the norms
    /// of the columns: then G = X exactly, and nothing of the third order in d is computed.
    pub(crate) fn of(problem: &TrainingProblem) -> Self {
        let x = problem.features();
        if !problem.has_plain_basis() {
            return Self::new(x);
        }
        let d = x.ncols();
        Self { v: Mat::identity(d, d), singular: x.col_iter().map(|column| column.norm_l2()).collect() }
    }

    /// Whether V is the identity.
    pub(crate) fn is_plain(v: MatRef<'_, f64>) -> bool {
        let entry = |i, j| v[(i, j)] == if i == j { 1.0 } else { 0.0 };
        (0..v.ncols()).all(|j| (0..v.nrows()).all(|i| entry(i, j)))
    }

    /// Right singular vectors of X through its QR factor; the identity if the decomposition breaks down.
    pub(crate) fn new(x: MatRef<'_, f64>) -> Self {
        let d = x.ncols();
        Self::decompose(x).unwrap_or_else(|| Self { v: Mat::identity(d, d), singular: vec![1.0; d] })
    }

    fn decompose(x: MatRef<'_, f64>) -> Option<Self> {
        let d = x.ncols();
        let largest = x.norm_max();
        if largest == 0.0 {
            return Some(Self { v: Mat::identity(d, d), singular: vec![0.0; d] });
        }
        let scaled = Mat::from_fn(x.nrows(), d, |i, j| x[(i, j)] / largest);
        let r = triangular_factor(scaled.as_ref());
        let square = Mat::from_fn(d, d, |i, j| if i < r.nrows() && i <= j { r[(i, j)] } else { 0.0 });
        let ThinSvd { v, mut singular, .. } = ThinSvd::new(square.as_ref())?;
        singular.iter_mut().for_each(|s| *s *= largest);
        let finite = v.norm_max().is_finite() && singular.iter().all(|s| s.is_finite());
        finite.then_some(Self { v, singular })
    }
}
