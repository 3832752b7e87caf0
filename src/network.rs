//! A two-layer ReLU network and its objective.

use crate::{Error, Result, TrainingProblem};
use faer::{Mat, MatRef};

/// x ↦ V (Uᵀx)₊ with hidden weights U (d × m) and output weights V (c × m).
#[derive(Clone, Debug)]
pub struct Network {
    hidden: Mat<f64>,
    output: Mat<f64>,
}

impl Network {
    /// Checks that U (d × m) and V (c × m) have the same number of columns and are finite.
    pub fn new(hidden: Mat<f64>, output: Mat<f64>) -> Result<Self> {
        if hidden.ncols() != output.ncols() {
            return Err(Error::Shape {
                what: "output weights",
                expected: format!("{} columns, one for each neuron", hidden.ncols()),
                actual: format!("{} columns", output.ncols()),
            });
        }
        Ok(Self { hidden, output })
    }

    /// The network without neurons, which predicts zero.
    pub fn empty(inputs: usize, outputs: usize) -> Self {
        Self { hidden: Mat::zeros(inputs, 0), output: Mat::zeros(outputs, 0) }
    }

    /// U, d × m.
    pub fn hidden(&self) -> MatRef<'_, f64> {
        self.hidden.as_ref()
    }

    /// V, c × m.
    pub fn output(&self) -> MatRef<'_, f64> {
        self.output.as_ref()
    }

    /// m.
    pub fn width(&self) -> usize {
        self.hidden.ncols()
    }

    /// (XU)₊Vᵀ, n × c, for X (n × d).
    pub fn predict(&self, features: MatRef<'_, f64>) -> Mat<f64> {
        let mut activation = features * &self.hidden;
        for column in activation.col_iter_mut() {
            column.iter_mut().for_each(|value| *value = value.max(0.0));
        }
        &activation * self.output.transpose()
    }

    /// ½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²).
    pub fn objective(&self, problem: &TrainingProblem) -> f64 {
        let residual = self.predict(problem.features()) - problem.targets();
        0.5 * residual.squared_norm_l2()
            + 0.5 * problem.weight_decay() * (self.hidden.squared_norm_l2() + self.output.squared_norm_l2())
    }
}
