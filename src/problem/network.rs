//! A two-layer ReLU network and its objective.

use crate::bounds::UpperBound;
use crate::error::{Error, Result};
use crate::linalg::dense::product;
use crate::linalg::sparse;
use crate::problem::features::by_rows;
use crate::problem::{Features, TrainingProblem};
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
        for (what, array) in [("hidden weights U", &hidden), ("output weights V", &output)] {
            for column in 0..array.ncols() {
                if let Some(row) = (0..array.nrows()).find(|&row| !array[(row, column)].is_finite()) {
                    return Err(Error::NotFinite { what, row, column });
                }
            }
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
        self.answer(product(features, self.hidden()))
    }

    /// (XU)₊Vᵀ, n × c, for dense or sparse X (n × d), which stays as it is.
    pub fn predict_for(&self, features: &Features) -> Mat<f64> {
        self.answer(features.times(self.hidden()))
    }

    /// (Z)₊Vᵀ.
    fn answer(&self, mut activation: Mat<f64>) -> Mat<f64> {
        for column in activation.col_iter_mut() {
            column.iter_mut().for_each(|value| *value = value.max(0.0));
        }
        product(activation.as_ref(), self.output.transpose())
    }

    /// ½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²).
    pub fn objective(&self, problem: &TrainingProblem) -> f64 {
        let residual = self.predict_for(problem.stored_features()) - problem.targets();
        0.5 * residual.squared_norm_l2()
            + 0.5 * problem.weight_decay() * (self.hidden.squared_norm_l2() + self.output.squared_norm_l2())
    }

    /// An upper bound, proved in floating point, on the objective of exactly these weights and data.
    ///
    /// With u = 2⁻⁵³ and γ_k = ku/(1 − ku), a product of inner dimension k in any order of summation (fused or not)
    /// errs by at most γ_k |A||B| + kη, η = 2⁻¹⁰⁷⁴ (Higham, Accuracy and Stability, section 3.1); for sparse features k is
    /// the number of entries stored in the fullest row. The rectifier does not expand errors. Everything after the two
    /// products is a sum of nonnegative terms in which each operation is rounded to nearest and then moved one step up.
    /// Infinite when something overflows.
    pub fn objective_upper(&self, problem: &TrainingProblem) -> UpperBound {
        let (n, m) = (problem.samples(), self.width());
        let mut loss = 0.0;
        let (hidden_size, output_size) = (magnitude(self.hidden()), magnitude(self.output()));
        let step = if problem.stored_features().is_sparse() { SPARSE_ROWS } else { ROWS };
        for from in (0..n).step_by(step) {
            let rows = step.min(n - from);
            let (mut activation, mut error, terms) = self.preactivation(problem, from, rows, &hidden_size);
            let y = problem.targets().subrows(from, rows);
            // activation a with |a − exact| ≤ error, both n × m
            for (a, e) in activation.col_iter_mut().zip(error.col_iter_mut()) {
                for (a, e) in a.iter_mut().zip(e.iter_mut()) {
                    *a = a.max(0.0) + 0.0 * *a;
                    *e = product_error(terms, *e);
                }
            }
            let prediction = product(activation.as_ref(), self.output.transpose());
            // Σ a|v| bounds the rounding of the second product, Σ error·|v| carries that of the first
            let rounding = product(activation.as_ref(), output_size.transpose());
            let carried = product(error.as_ref(), output_size.transpose());
            for j in 0..y.ncols() {
                for i in 0..rows {
                    let difference = sum_of_two(prediction[(i, j)], -y[(i, j)]);
                    let carried = sum_upper(m, carried[(i, j)]);
                    let defect = add_up(product_error(m, rounding[(i, j)]), carried);
                    let residual = add_up(difference, defect);
                    loss = add_up(loss, mul_up(residual, residual));
                }
            }
        }
        let weights = squared_norms_up([self.hidden(), self.output()]);
        let total = mul_up(0.5, add_up(loss, mul_up(problem.weight_decay(), weights)));
        UpperBound::proved(if total.is_nan() { f64::INFINITY } else { total })
    }

    /// XU and |X||U| for some of the samples, and the most products that an entry of them sums up.
    fn preactivation(
        &self,
        problem: &TrainingProblem,
        from: usize,
        rows: usize,
        hidden_size: &Mat<f64>,
    ) -> (Mat<f64>, Mat<f64>, usize) {
        match problem.stored_features() {
            Features::Dense(x) => {
                let x = x.as_ref().subrows(from, rows);
                let size = product(magnitude(x).as_ref(), hidden_size.as_ref());
                (product(x, self.hidden()), size, x.ncols())
            }
            Features::Sparse(x) => {
                let x = by_rows(x).slice_outer(from..from + rows).to_owned();
                let terms = x.outer_iterator().map(|row| row.nnz()).max().unwrap_or(0);
                let size = sparse::times(&x.map(|value| value.abs()), hidden_size.as_ref());
                (sparse::times(&x, self.hidden()), size, terms)
            }
        }
    }
}

/// |A|.
fn magnitude(a: MatRef<'_, f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)].abs())
}

/// Samples handled at once by `objective_upper`.
const ROWS: usize = 256;
/// And of sparse features, for each such lot of which the hidden weights are rearranged.
const SPARSE_ROWS: usize = 8192;

/// ‖A‖² + ‖B‖², rounded up.
pub(super) fn squared_norms_up(arrays: [MatRef<'_, f64>; 2]) -> f64 {
    let columns = arrays.into_iter().flat_map(|array| array.col_iter());
    columns.flat_map(|column| column.iter()).fold(0.0, |sum, w| add_up(sum, mul_up(w.abs(), w.abs())))
}

/// |a + b|, rounded up; a sum that comes out as zero is exact.
pub(super) fn sum_of_two(a: f64, b: f64) -> f64 {
    let sum = (a + b).abs();
    if sum == 0.0 { 0.0 } else { sum.next_up() }
}

/// a + b, rounded up, for nonnegative a and b; adding zero is exact.
pub(super) fn add_up(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { a + b } else { (a + b).next_up() }
}

/// ab, rounded up, for nonnegative a and b; a product with zero is exact.
pub(super) fn mul_up(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { a * b } else { (a * b).next_up() }
}

/// γ_k rounded up.
fn gamma_up(k: usize) -> f64 {
    // ku and 1 − ku are exact for every k that fits in memory, so one step up covers the division
    let ku = k as f64 * (0.5 * f64::EPSILON);
    if k == 0 { 0.0 } else { (ku / (1.0 - ku)).next_up() }
}

/// The exact Σ of k products of nonnegative numbers, from above, given the computed one.
pub(super) fn sum_upper(k: usize, computed: f64) -> f64 {
    // exact ≤ (computed + kη)/(1 − γ_k), and 1/(1 − γ_k) ≤ 1 + 2γ_k while γ_k ≤ ½
    let lifted = add_up(computed, underflow(k));
    mul_up(lifted, add_up(1.0, mul_up(2.0, gamma_up(k))))
}

/// A bound on the error of an inner product of k terms, given the computed Σ|a||b|.
pub(super) fn product_error(k: usize, computed: f64) -> f64 {
    add_up(mul_up(gamma_up(k), sum_upper(k, computed)), underflow(k))
}

/// kη rounded up; η is the smallest positive number and bounds the underflow of one product.
fn underflow(k: usize) -> f64 {
    if k == 0 { 0.0 } else { (k as f64 * f64::from_bits(1)).next_up() }
}
