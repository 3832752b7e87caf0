//! The objective with the output weights eliminated (variable projection).

mod dual;
mod primal;
mod rectifier;

pub(super) use rectifier::{Rectifier, Rounding};

use super::coordinates::Coordinates;
use crate::control::Control;
use crate::linalg::vector::dot;
use dual::Dual;
use faer::{Mat, MatRef};
use primal::Primal;

/// φ(U) = min_V ½‖AVᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²) with A = (XU)₊, and what its evaluation leaves behind.
///
/// V = YᵀA(AᵀA + γI)⁻¹ or, when there are more neurons than samples, the residual W = γ(AAᵀ + γI)⁻¹Y and
/// V = WᵀA/γ. The value is ½⟨Y, W⟩ + (γ/2)‖U‖², the gradient with respect to A is −WV.
pub(super) struct Projection<'a> {
    at: &'a Coordinates,
    control: &'a Control,
    width: usize,
    rectifier: Rectifier,
    form: Form,
    results: Results,
    evaluations: usize,
}

/// Which of the two systems is the smaller.
enum Form {
    Primal(Primal),
    Dual(Dual),
}

/// What an evaluation leaves behind.
struct Results {
    /// Vᵀ, m × c.
    output: Mat<f64>,
    /// W = Y − AVᵀ, n × c.
    residual: Mat<f64>,
    /// ⟨Y, W⟩.
    fit: f64,
}

impl<'a> Projection<'a> {
    pub fn new(at: &'a Coordinates, width: usize, control: &'a Control) -> Self {
        let (n, c) = (at.samples(), at.targets.ncols());
        let form = match width <= n {
            true => Form::Primal(Primal::new(at, width)),
            false => Form::Dual(Dual::new(at, width)),
        };
        let results = Results { output: Mat::zeros(width, c), residual: Mat::zeros(n, c), fit: 0.0 };
        Self { at, control, width, rectifier: Rectifier::sharp(width), form, results, evaluations: 0 }
    }

    /// Multiplications of one evaluation with its gradient, roughly.
    pub fn cost(&self) -> f64 {
        let (n, m, c) = (self.at.samples() as f64, self.width as f64, self.results.residual.ncols() as f64);
        let order = m.min(n);
        n * m * (0.5 * order + 3.0 * self.at.cost() + 2.0 * c + 4.0) + order.powi(3) / 6.0
    }

    /// Evaluations so far.
    pub fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// W = Y − AVᵀ of the last evaluation, n × c.
    pub fn residual(&self) -> MatRef<'_, f64> {
        self.results.residual.as_ref()
    }

    /// Vᵀ of the last evaluation, m × c.
    pub fn output(&self) -> MatRef<'_, f64> {
        self.results.output.as_ref()
    }

    /// The widths of the rounded kinks.
    pub fn rectifier(&self) -> &Rectifier {
        &self.rectifier
    }

    /// Rounds off the kink of each neuron over an interval of this fraction of the root mean square of its preactivations at U;
    /// zero for the true ReLU.
    pub fn smooth(&mut self, rounding: Rounding, fraction: f64, hidden: &[f64]) {
        self.rectifier = Rectifier::rounded(self.at, rounding, fraction, hidden);
    }

    /// φ at U (k × m by column); infinite where it cannot be computed, or no longer may be.
    pub fn value(&mut self, hidden: &[f64]) -> f64 {
        self.evaluate(hidden, None)
    }

    /// φ and its gradient at U, both k × m by column.
    pub fn value_and_gradient(&mut self, hidden: &[f64], gradient: &mut [f64]) -> f64 {
        self.evaluate(hidden, Some(gradient))
    }

    fn evaluate(&mut self, hidden: &[f64], mut gradient: Option<&mut [f64]>) -> f64 {
        self.evaluations += 1;
        if self.control.should_stop() {
            return f64::INFINITY;
        }
        let (at, rectifier, control) = (self.at, &self.rectifier, self.control);
        let solved = match &mut self.form {
            Form::Primal(form) => {
                form.evaluate(at, hidden, rectifier, control, &mut self.results, gradient.as_deref_mut())
            }
            Form::Dual(form) => {
                form.evaluate(at, hidden, rectifier, control, &mut self.results, gradient.as_deref_mut())
            }
        };
        if !solved {
            return f64::INFINITY;
        }
        if let Some(gradient) = gradient {
            at.add_weights(at.weight_decay, hidden, gradient);
        }
        let value = 0.5 * self.results.fit + 0.5 * at.weight_decay * at.weights(hidden);
        if value.is_finite() { value } else { f64::INFINITY }
    }
}

/// AᵀA, symmetric, and AᵀY at hidden weights (k × m by column). `None` where it is told to stop.
pub(super) fn normal_equations(
    at: &Coordinates,
    hidden: &[f64],
    control: &Control,
) -> Option<(Mat<f64>, Mat<f64>)> {
    let (mut gram, target) =
        Primal::new(at, hidden.len() / at.rank()).normal_equations(at, hidden, control)?;
    for j in 0..gram.ncols() {
        (0..j).for_each(|i| gram[(i, j)] = gram[(j, i)]);
    }
    Some((gram, target))
}

/// ⟨A, B⟩ of two matrices whose columns are contiguous.
fn inner(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> f64 {
    a.col_iter()
        .zip(b.col_iter())
        .map(|(a, b)| match (a.try_as_col_major(), b.try_as_col_major()) {
            (Some(a), Some(b)) => dot(a.as_slice(), b.as_slice()),
            _ => a.iter().zip(b.iter()).map(|(a, b)| a * b).sum(),
        })
        .sum()
}
