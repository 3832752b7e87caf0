//! The training problem: features, targets and weight decay.

use crate::{Error, Result};
use faer::{Mat, MatRef};

/// min over U (d × m), V (c × m) of ½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²), any width m.
///
/// Paper: arXiv 2410.22311, problem (1). A bias is a column of ones in X.
#[derive(Clone, Debug)]
pub struct TrainingProblem {
    features: Mat<f64>,
    targets: Mat<f64>,
    weight_decay: f64,
}

impl TrainingProblem {
    /// Checks and stores X (n × d), Y (n × c) and γ > 0. Every value must be finite.
    pub fn new(features: Mat<f64>, targets: Mat<f64>, weight_decay: f64) -> Result<Self> {
        if features.nrows() != targets.nrows() {
            return Err(Error::Shape {
                what: "targets",
                expected: format!("{} rows, one for each sample", features.nrows()),
                actual: format!("{} rows", targets.nrows()),
            });
        }
        for (what, array) in [("features", &features), ("targets", &targets)] {
            if array.nrows() == 0 || array.ncols() == 0 {
                return Err(Error::Shape {
                    what,
                    expected: "at least one row and one column".into(),
                    actual: format!("{} × {}", array.nrows(), array.ncols()),
                });
            }
            check_finite(what, array.as_ref())?;
        }
        if !(weight_decay.is_finite() && weight_decay > 0.0) {
            return Err(Error::Parameter {
                name: "gamma",
                value: weight_decay.to_string(),
                range: "positive and finite",
            });
        }
        Ok(Self { features, targets, weight_decay })
    }

    /// X, n × d; row i is a sample.
    pub fn features(&self) -> MatRef<'_, f64> {
        self.features.as_ref()
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
