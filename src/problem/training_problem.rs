//! The training problem: features, targets and weight decay.

use crate::error::{Error, Result};
use crate::problem::Features;
use crate::problem::features::{check_dense_size, densify};
use faer::{Mat, MatRef};
use std::sync::OnceLock;

/// min over U (d × m), V (c × m) of ½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²), any width m.
///
/// Paper: arXiv 2410.22311, problem (1). A bias is a column of ones in X.
#[derive(Clone, Debug)]
pub struct TrainingProblem {
    features: Features,
    /// Of sparse features, made when first asked for.
    dense: OnceLock<Mat<f64>>,
    targets: Mat<f64>,
    weight_decay: f64,
    /// Whether the columns of X are a good basis as they are.
    plain_basis: bool,
}

impl TrainingProblem {
    /// Checks and stores X (n × d, dense or sparse), Y (n × c) and γ > 0.
    ///
    /// Every value must be finite, and so must ‖X‖² and ½‖Y‖². Sparse features stay sparse, in compressed rows.
    pub fn new(features: impl Into<Features>, targets: Mat<f64>, weight_decay: f64) -> Result<Self> {
        let features = features.into();
        if features.nrows() != targets.nrows() {
            return Err(Error::Shape {
                what: "targets",
                expected: format!("{} rows, one for each sample", features.nrows()),
                actual: format!("{} rows", targets.nrows()),
            });
        }
        for (what, (rows, columns)) in
            [("features", (features.nrows(), features.ncols())), ("targets", targets.shape())]
        {
            if rows == 0 || columns == 0 {
                return Err(Error::Shape {
                    what,
                    expected: "at least one row and one column".into(),
                    actual: format!("{rows} × {columns}"),
                });
            }
        }
        if let Some((row, column)) = features.not_finite() {
            return Err(Error::NotFinite { what: "features", row, column });
        }
        check_finite("targets", targets.as_ref())?;
        if !(weight_decay.is_finite() && weight_decay > 0.0) {
            return Err(Error::Parameter {
                name: "gamma",
                value: format!("{weight_decay:?}"),
                range: "positive and finite",
            });
        }
        if !features.squared_norm().is_finite() {
            return Err(Error::Input("‖features‖² overflows; divide the features by a constant".into()));
        }
        let problem = Self { features, dense: OnceLock::new(), targets, weight_decay, plain_basis: false };
        if !problem.zero_objective().is_finite() {
            return Err(Error::Input(format!(
                "½‖targets‖² overflows (largest magnitude {:e}); divide the targets by a constant",
                problem.targets.norm_max()
            )));
        }
        Ok(problem)
    }

    /// X, n × d; row i is a sample.
    ///
    /// Sparse features are copied into a dense matrix at the first call, however large;
    /// [`dense_features`](Self::dense_features) looks at the size first.
    pub fn features(&self) -> MatRef<'_, f64> {
        match &self.features {
            Features::Dense(matrix) => matrix.as_ref(),
            Features::Sparse(matrix) => self.dense.get_or_init(|| densify(matrix)).as_ref(),
        }
    }

    /// X, n × d, as a dense matrix; fails where sparse features would need a copy of more than 2²⁸ entries.
    pub fn dense_features(&self) -> Result<MatRef<'_, f64>> {
        if let Features::Sparse(matrix) = &self.features {
            check_dense_size(matrix)?;
        }
        Ok(self.features())
    }

    /// X as it was given, dense or sparse.
    pub fn stored_features(&self) -> &Features {
        &self.features
    }

    /// Marks the features as a triangular factor, which a rotation of feature space would only fill.
    pub(crate) fn with_plain_basis(self) -> Self {
        Self { plain_basis: true, ..self }
    }

    pub(crate) fn has_plain_basis(&self) -> bool {
        self.plain_basis
    }

    /// Y, n × c.
    pub fn targets(&self) -> MatRef<'_, f64> {
        self.targets.as_ref()
    }

    /// γ.
    pub fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    /// n.
    pub fn samples(&self) -> usize {
        self.features.nrows()
    }

    /// d.
    pub fn inputs(&self) -> usize {
        self.features.ncols()
    }

    /// c.
    pub fn outputs(&self) -> usize {
        self.targets.ncols()
    }

    /// The problem of some of the samples (indices below n, in the order given) with a weight decay of its own.
    pub fn subset(&self, samples: &[usize], weight_decay: f64) -> Result<Self> {
        if let Some(outside) = samples.iter().find(|sample| **sample >= self.samples()) {
            return Err(Error::Input(format!(
                "sample {outside} was asked for and the last is {}; name samples there are",
                self.samples() - 1
            )));
        }
        let targets = Mat::from_fn(samples.len(), self.outputs(), |i, j| self.targets[(samples[i], j)]);
        Self::new(self.features.rows(samples), targets, weight_decay)
    }

    /// ½‖Y‖², the objective of the network without neurons.
    pub fn zero_objective(&self) -> f64 {
        0.5 * self.targets.squared_norm_l2()
    }
}

fn check_finite(what: &'static str, array: MatRef<'_, f64>) -> Result<()> {
    for column in 0..array.ncols() {
        for row in 0..array.nrows() {
            if !array[(row, column)].is_finite() {
                return Err(Error::NotFinite { what, row, column });
            }
        }
    }
    Ok(())
}
