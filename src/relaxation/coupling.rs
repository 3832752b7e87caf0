//! A price on (u, v) in the solver's coordinates: what it adds to the weight decay, and what that does to the slack.

use super::Lifting;
use crate::error::{Error, Result};
use crate::linalg::dense::{inverse, product};
use crate::linalg::vector::{axpy, dot};
use crate::problem::HeadDecay;
use faer::Mat;

/// The price's part of the form of (u, v), beside diag(Γ, gI).
#[derive(Debug)]
pub(super) struct Coupling {
    /// Symmetric, of order dim u + c.
    form: Mat<f64>,
    /// (gI + the part on v)⁻¹, c × c.
    outputs_inverse: Mat<f64>,
}

impl Lifting {
    /// This problem with the weight decay `head` of (u, v) in the place of γ, which must be the γ that `head` was made of.
    ///
    /// Errors: shapes that do not fit, a matrix that is numerically singular.
    pub fn with_head(mut self, head: &HeadDecay) -> Result<Self> {
        let singular = || Error::Numerical("the weight decay of a priced block");
        let (k, c) = (self.hidden_dimension(), self.outputs);
        let basis = self.geometry.basis();
        if head.inputs() != basis.nrows() || head.outputs() != c {
            return Err(Error::Shape {
                what: "prices",
                expected: format!("order {} + {c}", basis.nrows()),
                actual: format!("order {} + {}", head.inputs(), head.outputs()),
            });
        }
        let reduced = head.reduced_prices(basis).ok_or_else(singular)?;
        let unit = |a: usize| self.head_unit(a);
        let form = Mat::from_fn(k + c, k + c, |a, b| {
            0.5 * (reduced[(a, b)] + reduced[(b, a)]) * unit(a) * unit(b) / self.scale
        });
        let outputs =
            Mat::from_fn(c, c, |i, j| form[(k + i, k + j)] + if i == j { self.output_decay } else { 0.0 });
        let outputs_inverse = inverse(&outputs).ok_or_else(singular)?;
        self.coupling = Some(Coupling { form, outputs_inverse });
        Ok(self)
    }

    /// One unit of row a of (u, v) in coordinates of the basis and of the training problem.
    fn head_unit(&self, a: usize) -> f64 {
        if a < self.hidden_dimension() { self.geometry.hidden_unit(a) } else { self.geometry.output_scale }
    }

    /// The moments of (u, v) of a factor, [U; V][U; V]ᵀ in the units of the training problem, order d + c.
    pub(crate) fn head_moments(
        &self,
        head: &HeadDecay,
        r: &[f64],
        v: &[f64],
        columns: usize,
    ) -> Option<Mat<f64>> {
        let rows = self.hidden_dimension() + self.outputs;
        let coordinates =
            Mat::from_fn(rows, columns, |a, j| self.head_row(r, v, columns, a)[j] * self.head_unit(a));
        let both = head.expanded(self.geometry.basis(), coordinates.as_ref())?;
        Some(product(both.as_ref(), both.transpose()))
    }

    /// Row a of (u, v) of a factor.
    #[inline]
    fn head_row<'b>(&self, r: &'b [f64], v: &'b [f64], columns: usize, a: usize) -> &'b [f64] {
        match a.checked_sub(self.hidden_dimension()) {
            None => &r[a * columns..][..columns],
            Some(j) => &v[j * columns..][..columns],
        }
    }

    /// Adds the coupling's image of (r, v) to (out_r, out_v).
    pub(crate) fn add_coupling(
        &self,
        r: &[f64],
        v: &[f64],
        columns: usize,
        out_r: &mut [f64],
        out_v: &mut [f64],
    ) {
        let Some(Coupling { form, .. }) = &self.coupling else { return };
        for a in 0..form.nrows() {
            let out = match a.checked_sub(self.hidden_dimension()) {
                None => &mut out_r[a * columns..][..columns],
                Some(j) => &mut out_v[j * columns..][..columns],
            };
            for b in 0..form.nrows() {
                axpy(form[(b, a)], self.head_row(r, v, columns, b), out);
            }
        }
    }

    /// ⟨factor, coupling · factor⟩.
    pub(crate) fn coupling_form(&self, r: &[f64], v: &[f64], columns: usize) -> f64 {
        let Some(Coupling { form, .. }) = &self.coupling else { return 0.0 };
        let row = |a| self.head_row(r, v, columns, a);
        let entries = (0..form.nrows()).flat_map(|a| (0..form.nrows()).map(move |b| (a, b)));
        entries.map(|(a, b)| form[(a, b)] * dot(row(a), row(b))).sum()
    }

    /// Whether (u, v) has a weight decay other than diag(Γ, gI).
    pub(crate) fn is_priced(&self) -> bool {
        self.coupling.is_some()
    }

    /// The price's entry for rows a and b of (u, v).
    #[inline]
    pub(crate) fn coupling_entry(&self, a: usize, b: usize) -> f64 {
        self.coupling.as_ref().map_or(0.0, |coupling| coupling.form[(a, b)])
    }

    /// From the moment of the loss (order × c) to what multiplies v: the price's coupling of u with v comes to it.
    pub(crate) fn with_coupling(&self, mut moment: Mat<f64>) -> Mat<f64> {
        if let Some(Coupling { form, .. }) = &self.coupling {
            let k = self.hidden_dimension();
            for j in 0..self.outputs {
                (0..k).for_each(|a| moment[(a, j)] += form[(a, k + j)]);
            }
        }
        moment
    }

    /// A moment (rows × c) times the inverse of the form of v.
    pub(crate) fn over_outputs(&self, moment: &Mat<f64>) -> Mat<f64> {
        match &self.coupling {
            Some(coupling) => product(moment.as_ref(), coupling.outputs_inverse.as_ref()),
            None => {
                let factor = 1.0 / self.output_decay;
                Mat::from_fn(moment.nrows(), moment.ncols(), |i, j| factor * moment[(i, j)])
            }
        }
    }
}
