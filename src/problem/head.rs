//! A weight decay of (u, v) jointly: what a block of samples pays when the blocks trade with each other.

use crate::error::{Error, Result};
use crate::linalg::dense::{inverse, product, symmetric_eigen, symmetric_eigenvalues};
use faer::{Mat, MatRef};

/// ½(u, v)ᵀH(u, v) for each neuron in the place of (γ/2)(|u|² + |v|²): H = γI + M, positive definite, of order d + c.
///
/// The matrix M is a block's price (`docs/mathematics.md`, section 6).
#[derive(Clone, Debug)]
pub struct HeadDecay {
    prices: Mat<f64>,
    form: Mat<f64>,
    weight_decay: f64,
    inputs: usize,
    /// H⁻¹.
    inverse: Mat<f64>,
    /// H_vv⁻¹, c × c.
    outputs_inverse: Mat<f64>,
    least: f64,
}

impl HeadDecay {
    /// From γ and M, symmetric of order d + c; `inputs` is d.
    ///
    /// Errors: a shape that does not fit, or γI + M that is not positive definite by a good part of γ.
    pub fn new(weight_decay: f64, prices: &Mat<f64>, inputs: usize) -> Result<Self> {
        let order = prices.nrows();
        if prices.ncols() != order || inputs >= order {
            return Err(Error::Shape {
                what: "prices",
                expected: format!("a square matrix of order above {inputs}"),
                actual: format!("{order} × {}", prices.ncols()),
            });
        }
        let form =
            Mat::from_fn(order, order, |i, j| prices[(i, j)] + if i == j { weight_decay } else { 0.0 });
        let least = symmetric_eigenvalues(form.as_ref()).map_or(f64::NAN, |values| values[0]);
        let outputs = form.submatrix(inputs, inputs, order - inputs, order - inputs).to_owned();
        let (true, Some(inverse), Some(outputs_inverse)) =
            (least > LEAST_PART * weight_decay, inverse(&form), inverse(&outputs))
        else {
            return Err(Error::Input("the prices leave a weight decay that is not positive".into()));
        };
        Ok(Self { outputs_inverse, inverse, prices: prices.clone(), form, weight_decay, inputs, least })
    }

    /// M.
    pub fn prices(&self) -> &Mat<f64> {
        &self.prices
    }

    /// d.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// c.
    pub fn outputs(&self) -> usize {
        self.form.nrows() - self.inputs
    }

    /// The least eigenvalue of H.
    pub fn least(&self) -> f64 {
        self.least
    }

    /// Σ over the neurons of ½(u, v)ᵀH(u, v); U is d × m and V is c × m.
    pub fn decay(&self, hidden: MatRef<'_, f64>, output: MatRef<'_, f64>) -> f64 {
        let both = stacked(hidden, output);
        let image = product(self.form.as_ref(), both.as_ref());
        0.5 * both.col_iter().zip(image.col_iter()).map(|(a, b)| a.transpose() * b).sum::<f64>()
    }

    /// What M adds to γI on (z, v) for u = Bz + the best part outside B's columns, which are orthonormal (d × k).
    pub(crate) fn reduced_prices(&self, basis: MatRef<'_, f64>) -> Option<Mat<f64>> {
        let mut reduced = self.reduced(basis)?;
        (0..reduced.nrows()).for_each(|i| reduced[(i, i)] -= self.weight_decay);
        Some(reduced)
    }

    /// (TᵀH⁻¹T)⁻¹ with T = diag(B, I): the least H-form of all (u, v) with Bᵀu = z.
    fn reduced(&self, basis: MatRef<'_, f64>) -> Option<Mat<f64>> {
        let lift = self.lift(basis);
        let solved = product(self.inverse.as_ref(), lift.as_ref());
        inverse(&product(lift.transpose(), solved.as_ref()))
    }

    /// The (u, v) of least H-form for coordinates (z, v): H⁻¹T(TᵀH⁻¹T)⁻¹(z, v).
    pub(crate) fn expanded(&self, basis: MatRef<'_, f64>, coordinates: MatRef<'_, f64>) -> Option<Mat<f64>> {
        let reduced = self.reduced(basis)?;
        let inner = product(reduced.as_ref(), coordinates);
        Some(product(self.inverse.as_ref(), product(self.lift(basis).as_ref(), inner.as_ref()).as_ref()))
    }

    fn lift(&self, basis: MatRef<'_, f64>) -> Mat<f64> {
        let (d, k) = (self.inputs, basis.ncols());
        Mat::from_fn(self.form.nrows(), k + self.outputs(), |i, j| match (i < d, j < k) {
            (true, true) => basis[(i, j)],
            (false, false) if i - d == j - k => 1.0,
            _ => 0.0,
        })
    }

    /// The form of u alone, H_uu − H_uv H_vv⁻¹ H_vu (d × d).
    pub(crate) fn of_inputs(&self) -> Mat<f64> {
        let d = self.inputs;
        let coupling = self.outputs_per_input();
        self.form.submatrix(0, 0, d, d)
            - product(self.form.submatrix(0, d, d, self.outputs()), coupling.as_ref())
    }

    /// H_vv⁻¹H_vu, c × d.
    pub(crate) fn outputs_per_input(&self) -> Mat<f64> {
        let d = self.inputs;
        product(self.outputs_inverse.as_ref(), self.form.submatrix(d, 0, self.outputs(), d))
    }

    /// R with RRᵀ = γH_vv⁻¹, c × c.
    pub(crate) fn output_root(&self) -> Option<Mat<f64>> {
        let (values, vectors) = symmetric_eigen(self.outputs_inverse.as_ref())?;
        Some(Mat::from_fn(vectors.nrows(), vectors.ncols(), |i, j| {
            vectors[(i, j)] * (self.weight_decay * values[j].max(0.0)).sqrt()
        }))
    }
}

/// H must keep this part of γ as its least eigenvalue.
const LEAST_PART: f64 = 1e-6;

/// [U; V].
fn stacked(hidden: MatRef<'_, f64>, output: MatRef<'_, f64>) -> Mat<f64> {
    let d = hidden.nrows();
    Mat::from_fn(
        d + output.nrows(),
        hidden.ncols(),
        |i, j| {
            if i < d { hidden[(i, j)] } else { output[(i - d, j)] }
        },
    )
}
