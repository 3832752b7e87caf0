//! Regression with the kernels of infinitely wide two-layer ReLU networks.
//!
//! Two-layer networks f(x) = m^(−½) Σ v_k (u_kᵀx/√d)₊ with standard normal weights, in the limit of many neurons m:
//! - NNGP (Lee et al. 2018): the covariance of f(x) and f(x′), ‖x‖‖x′‖/(2πd) · (sin θ + (π − θ) cos θ), the
//!   arc-cosine kernel of degree one (Cho and Saul 2009, equation 3) over 2d;
//! - NTK (Jacot et al. 2018): the inner product of the gradients, NNGP + xᵀx′/d · (π − θ)/(2π).
//!
//! The matrix of all pairs of samples is inherent to these methods: [`LIMIT`] says up to how many.

use crate::error::{Error, Result};
use crate::linalg::dense::{Cholesky, product, symmetric_eigen};
use faer::{Mat, MatRef};
use std::f64::consts::PI;

/// Most training samples: four matrices of this order are 0.8 GB, their eigendecomposition takes minutes.
pub const LIMIT: usize = 5_000;
/// Rows of the kernel matrix that a prediction holds at once.
const ROWS: usize = 512;
/// Ridges that leaving one out chooses from: powers of √10 from this one, relative to the kernel's mean diagonal.
const SMALLEST_RIDGE: f64 = 1e-8;
const RIDGES: i32 = 21;

/// Which infinitely wide network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Kernel {
    /// Only the output weights are learnt: neural network Gaussian process.
    Nngp,
    /// Both layers are learnt by gradient flow: neural tangent kernel.
    Ntk,
}

/// What is added to the diagonal.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Ridge {
    /// This number.
    Absolute(f64),
    /// This multiple of the mean of the diagonal, as in the experiments of arXiv 2410.22311.
    Relative(f64),
    /// The multiple of the mean of the diagonal with the least squared error when each training sample is left out.
    LeaveOneOut,
}

impl Kernel {
    /// The kernel of the samples in the rows of `left` (p × d) and `right` (q × d), p × q.
    pub fn matrix(self, left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
        let norms = |x: MatRef<'_, f64>| -> Vec<f64> { (0..x.nrows()).map(|i| x.row(i).norm_l2()).collect() };
        let (a, b) = (norms(left), norms(right));
        let mut matrix = product(left, right.transpose());
        let inputs = left.ncols().max(1) as f64;
        for (j, column) in matrix.col_iter_mut().enumerate() {
            for (i, value) in column.iter_mut().enumerate() {
                *value = self.value(*value, a[i], b[j]) / inputs;
            }
        }
        matrix
    }

    /// d times the kernel of two samples with this inner product and these norms.
    fn value(self, inner: f64, a: f64, b: f64) -> f64 {
        if a == 0.0 || b == 0.0 {
            return 0.0;
        }
        let cosine = (inner / a / b).clamp(-1.0, 1.0);
        let angle = cosine.acos();
        let sine = (1.0 - cosine * cosine).sqrt();
        let covariance = a * b * (sine + (PI - angle) * cosine) / (2.0 * PI);
        match self {
            Self::Nngp => covariance,
            Self::Ntk => covariance + inner * (PI - angle) / (2.0 * PI),
        }
    }
}

/// x ↦ k(x)ᵀ(K + λI)⁻¹Y.
#[derive(Clone, Debug)]
pub struct KernelRegression {
    kernel: Kernel,
    features: Mat<f64>,
    coefficients: Mat<f64>,
    ridge: f64,
}

impl KernelRegression {
    /// Fits X (n × d), Y (n × c) by a dense factorisation: n² memory, n³ operations.
    ///
    /// Errors: more than [`LIMIT`] samples, a negative ridge, and a kernel matrix that is singular without a ridge.
    pub fn fit(kernel: Kernel, x: MatRef<'_, f64>, y: MatRef<'_, f64>, ridge: Ridge) -> Result<Self> {
        let n = x.nrows();
        if n > LIMIT {
            return Err(Error::Input(format!(
                "{n} samples: the kernel needs a matrix of all pairs, which is made up to {LIMIT}; take a subset"
            )));
        }
        if n == 0 || y.nrows() != n {
            return Err(Error::Shape {
                what: "targets",
                expected: format!("{n} rows, one for each sample, at least one"),
                actual: format!("{} rows", y.nrows()),
            });
        }
        if let Ridge::Absolute(value) | Ridge::Relative(value) = ridge
            && !(value.is_finite() && value >= 0.0)
        {
            return Err(Error::Parameter {
                name: "ridge",
                value: format!("{value:?}"),
                range: "zero or positive, and finite",
            });
        }
        let matrix = kernel.matrix(x, x);
        let mean = (0..n).map(|i| matrix[(i, i)]).sum::<f64>() / n as f64;
        let (ridge, coefficients) = match ridge {
            Ridge::Absolute(ridge) => (ridge, solve(&matrix, ridge, y)?),
            Ridge::Relative(share) => (share * mean, solve(&matrix, share * mean, y)?),
            Ridge::LeaveOneOut => leave_one_out(&matrix, mean, y)?,
        };
        Ok(Self { kernel, features: x.to_owned(), coefficients, ridge })
    }

    /// λ.
    pub fn ridge(&self) -> f64 {
        self.ridge
    }

    /// Predictions (p × c) for X (p × d).
    pub fn predict(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        let mut prediction = Mat::zeros(x.nrows(), self.coefficients.ncols());
        for from in (0..x.nrows()).step_by(ROWS) {
            let rows = ROWS.min(x.nrows() - from);
            let kernel = self.kernel.matrix(x.subrows(from, rows), self.features.as_ref());
            let part = product(kernel.as_ref(), self.coefficients.as_ref());
            prediction.as_mut().subrows_mut(from, rows).copy_from(&part);
        }
        prediction
    }
}

fn solve(matrix: &Mat<f64>, ridge: f64, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
    let mut factor = Cholesky::default();
    if !factor.factorize(matrix, ridge) {
        return Err(Error::Input("the kernel matrix is singular; give a larger ridge".into()));
    }
    Ok(factor.solution(y))
}

/// The ridge and its coefficients: with K = QΛQᵀ and a = (K + λ)⁻¹y the error of sample i, left out, is aᵢ / ((K + λ)⁻¹)ᵢᵢ.
fn leave_one_out(matrix: &Mat<f64>, mean: f64, y: MatRef<'_, f64>) -> Result<(f64, Mat<f64>)> {
    let (values, vectors) =
        symmetric_eigen(matrix.as_ref()).ok_or(Error::Numerical("the eigenvalues of the kernel"))?;
    let rotated = product(vectors.transpose(), y);
    let n = values.len();
    let mut best: Option<(f64, f64, Mat<f64>)> = None;
    for step in 0..RIDGES {
        let ridge = SMALLEST_RIDGE * 10f64.powf(0.5 * f64::from(step)) * mean.max(f64::MIN_POSITIVE);
        let inverse: Vec<f64> = values.iter().map(|value| 1.0 / (value.max(0.0) + ridge)).collect();
        let scaled = Mat::from_fn(n, y.ncols(), |k, j| inverse[k] * rotated[(k, j)]);
        let coefficients = product(vectors.as_ref(), scaled.as_ref());
        let mut diagonal = vec![0.0; n];
        for (column, inverse) in vectors.col_iter().zip(&inverse) {
            diagonal.iter_mut().zip(column.iter()).for_each(|(d, q)| *d += q * q * inverse);
        }
        let mut error = 0.0;
        for column in coefficients.col_iter() {
            error += column.iter().zip(&diagonal).map(|(a, d)| (a / d).powi(2)).sum::<f64>();
        }
        if error.is_finite() && best.as_ref().is_none_or(|(least, _, _)| error < *least) {
            best = Some((error, ridge, coefficients));
        }
    }
    let (_, ridge, coefficients) = best.ok_or(Error::Numerical("the choice of the ridge"))?;
    Ok((ridge, coefficients))
}
