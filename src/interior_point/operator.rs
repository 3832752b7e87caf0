//! The constraint operator A, its adjoint, and the linear forms they are made of.

use crate::relaxation::{Lifting, PairSet};
use faer::{Col, Mat, MatRef};
use rayon::prelude::*;

/// One product of two forms in one row of A: coefficient · ⟨F_a, Λ F_b⟩.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub row: usize,
    pub a: usize,
    pub b: usize,
    pub coefficient: f64,
}

/// Rows of A: the loss (one for each fitted form and output), then the equalities, then the pairs.
///
/// Forms are those of the pair set, base forms first, followed by the c coordinates of v.
pub(super) struct Operator<'a> {
    lifting: &'a Lifting,
    /// Forms as sparse rows over (u, δ, v).
    start: Vec<usize>,
    index: Vec<usize>,
    value: Vec<f64>,
    /// Products, ascending by row.
    pub terms: Vec<Term>,
    /// First term of each row, and the end.
    pub first_term: Vec<usize>,
    /// Number of rows of the loss.
    pub fits: usize,
    /// Number of rows of the loss and of equalities, where the pairs begin.
    pub free: usize,
}

/// Vectors that [`Operator::evaluate`] takes side by side.
pub(super) const TILE: usize = 8;

/// y += a·x.
#[inline(always)]
fn add_scaled(a: f64, x: &[f64; TILE], y: &mut [f64; TILE]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}

impl<'a> Operator<'a> {
    /// The rows of the loss, the equalities and the pairs held.
    pub fn new(lifting: &'a Lifting, pairs: &PairSet) -> Self {
        let (hidden, outputs) = (lifting.hidden_dimension(), lifting.outputs);
        let (mut start, mut index, mut value) = (vec![0], Vec::new(), Vec::new());
        for form in 0..pairs.forms.len() {
            let (tail, coefficients) = pairs.forms.tail(form);
            index.extend((0..hidden).chain(tail.iter().map(|g| hidden + g)));
            value.extend(pairs.forms.dense(form).iter().chain(coefficients));
            start.push(index.len());
        }
        for j in 0..outputs {
            index.push(lifting.order() + j);
            value.push(1.0);
            start.push(index.len());
        }
        let mut terms = Vec::new();
        let mut first_term = vec![0];
        for fit in &lifting.fit {
            for j in 0..outputs {
                let row = first_term.len() - 1;
                terms.push(Term { row, a: fit.form, b: pairs.forms.len() + j, coefficient: fit.weight });
                first_term.push(terms.len());
            }
        }
        for constraint in pairs.equalities.iter().chain(&pairs.pairs) {
            let row = first_term.len() - 1;
            terms.extend(constraint.terms().map(|(a, b, coefficient)| Term { row, a, b, coefficient }));
            first_term.push(terms.len());
        }
        let fits = lifting.fit.len() * outputs;
        Self { lifting, start, index, value, terms, first_term, fits, free: fits + pairs.equalities.len() }
    }

    /// Number of rows m.
    pub fn rows(&self) -> usize {
        self.first_term.len() - 1
    }

    /// Number of forms.
    pub fn forms(&self) -> usize {
        self.start.len() - 1
    }

    /// Order q of Λ.
    pub fn order(&self) -> usize {
        self.lifting.order() + self.lifting.outputs
    }

    fn form(&self, form: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.start[form]..self.start[form + 1];
        self.index[range.clone()].iter().copied().zip(self.value[range].iter().copied())
    }

    /// X·Fᵀ (q × forms) for a symmetric X.
    pub fn times_forms(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        let mut out = Mat::zeros(self.order(), self.forms());
        out.par_col_iter_mut().enumerate().for_each(|(form, column)| {
            if let Some(column) = column.try_as_col_major_mut() {
                let column = column.as_slice_mut();
                for (i, coefficient) in self.form(form) {
                    if let Some(x) = x.col(i).try_as_col_major() {
                        column.iter_mut().zip(x.as_slice()).for_each(|(o, x)| *o += coefficient * x);
                    }
                }
            }
        });
        out
    }

    /// F·x for every form and [`TILE`] vectors x side by side, the base forms by one pass along the spanning forest.
    #[inline(always)]
    pub fn evaluate(
        &self,
        x: &[[f64; TILE]],
        s: &mut [[f64; TILE]],
        mut out: impl FnMut(usize, [f64; TILE]),
    ) {
        let (hidden, groups) = (self.lifting.hidden_dimension(), self.lifting.groups());
        let (u, rest) = x.split_at(hidden);
        for &g in &self.lifting.forest.order {
            s[g] = match self.lifting.forest.parent[g] {
                Some((parent, theta)) => {
                    let mut value = s[parent];
                    add_scaled(theta, &rest[g], &mut value);
                    value
                }
                None => rest[g],
            };
        }
        for (g, value) in s.iter().enumerate().take(groups) {
            let (mut alpha, mut beta) = (*value, *value);
            for (&a, u) in self.lifting.geometry.direction(g).iter().zip(u) {
                add_scaled(a, u, &mut alpha);
                add_scaled(-a, u, &mut beta);
            }
            out(g, alpha.map(|value| 0.5 * value));
            out(g + groups, beta.map(|value| 0.5 * value));
        }
        for form in 2 * groups..self.forms() {
            let mut value = [0.0; TILE];
            for (i, coefficient) in self.form(form) {
                add_scaled(coefficient, &x[i], &mut value);
            }
            out(form, value);
        }
    }

    /// ⟨F_f, Λ F_f⟩, given ΛFᵀ.
    pub fn square(&self, form: usize, times_forms: MatRef<'_, f64>) -> f64 {
        self.form(form).map(|(i, c)| c * times_forms[(i, form)]).sum()
    }

    /// A(X), given X·Fᵀ.
    pub fn apply(&self, times_forms: MatRef<'_, f64>) -> Vec<f64> {
        let mut out = vec![0.0; self.rows()];
        for term in &self.terms {
            let value: f64 = self.form(term.a).map(|(i, c)| c * times_forms[(i, term.b)]).sum();
            out[term.row] += term.coefficient * value;
        }
        out
    }

    /// Σ_k y_k A_k, a symmetric matrix of order q.
    pub fn adjoint(&self, y: &[f64]) -> Mat<f64> {
        let q = self.order();
        let mut partners = Mat::<f64>::zeros(q, self.forms());
        for term in &self.terms {
            let weight = 0.5 * term.coefficient * y[term.row];
            for (a, b) in [(term.a, term.b), (term.b, term.a)] {
                for (i, coefficient) in self.form(b) {
                    partners[(i, a)] += weight * coefficient;
                }
            }
        }
        let mut out = Mat::zeros(q, q);
        let mut column = Col::<f64>::zeros(q);
        for form in 0..self.forms() {
            column.copy_from(partners.col(form));
            for (i, coefficient) in self.form(form) {
                for (out, value) in out.col_mut(i).iter_mut().zip(column.iter()) {
                    *out += coefficient * value;
                }
            }
        }
        super::dense::symmetrize(&mut out);
        out
    }
}
