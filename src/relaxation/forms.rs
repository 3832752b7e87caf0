//! Linear forms in (u, δ): a dense part over u and a sparse one over δ each.

use super::{Forest, Geometry};
use crate::linalg::vector::{PARALLEL, axpy, both};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::ops::Range;

/// A list of linear forms; evaluated at the factor, form f is a row p_f ∈ R^r.
///
/// Nothing assumes what the forms mean: α_i and β_i come first, differences and any further nonnegative form
/// of u and s after them.
#[derive(Clone, Debug)]
pub struct LiftedForms {
    /// Of u.
    dimension: usize,
    /// Coefficients of u, row-major.
    dense: Vec<f64>,
    start: Vec<usize>,
    index: Vec<usize>,
    coefficient: Vec<f64>,
    /// G, where forms G…2G−1 are forms 0…G−1 with the dense part reversed (β beside α); 0 where nothing is known.
    mirrored: usize,
}

impl LiftedForms {
    /// No forms yet, over u of that dimension.
    pub fn new(dimension: usize) -> Self {
        Self {
            dimension,
            dense: Vec::new(),
            start: vec![0],
            index: Vec::new(),
            coefficient: Vec::new(),
            mirrored: 0,
        }
    }

    /// Number of forms.
    pub fn len(&self) -> usize {
        self.start.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a form and returns its index.
    pub fn push(
        &mut self,
        dense: impl IntoIterator<Item = f64>,
        sparse: impl IntoIterator<Item = (usize, f64)>,
    ) -> usize {
        self.dense.extend(dense);
        for (index, coefficient) in sparse {
            self.index.push(index);
            self.coefficient.push(coefficient);
        }
        self.start.push(self.index.len());
        self.len() - 1
    }

    /// Drops all forms from that index on.
    pub fn truncate(&mut self, len: usize) {
        debug_assert!(len >= 2 * self.mirrored, "base forms stay");
        self.dense.truncate(len * self.dimension);
        self.start.truncate(len + 1);
        let entries = self.start[len];
        self.index.truncate(entries);
        self.coefficient.truncate(entries);
    }

    /// Dimension of u.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Coefficients on u.
    pub fn dense(&self, form: usize) -> &[f64] {
        &self.dense[form * self.dimension..][..self.dimension]
    }

    /// Indices and coefficients on δ.
    pub fn tail(&self, form: usize) -> (&[usize], &[f64]) {
        let range = self.start[form]..self.start[form + 1];
        (&self.index[range.clone()], &self.coefficient[range])
    }

    /// P = F·R for the factor R ((dim u + G) × columns) into P (len × columns), both row-major.
    pub fn evaluate(&self, factor: &[f64], columns: usize, out: &mut [f64]) {
        let mirrored = self.mirrored;
        let (alpha, rest) = out.split_at_mut(mirrored * columns);
        let (beta, others) = rest.split_at_mut(mirrored * columns);
        let middle = mirrored / 2;
        let (alpha_low, alpha_high) = alpha.split_at_mut(middle * columns);
        let (beta_low, beta_high) = beta.split_at_mut(middle * columns);
        both(
            self.len() * columns >= PARALLEL,
            || self.evaluate_mirrored(0, factor, columns, alpha_low, beta_low),
            || {
                self.evaluate_mirrored(middle, factor, columns, alpha_high, beta_high);
                self.evaluate_plain(factor, columns, others);
            },
        );
    }

    /// Rows of α from that one on, and the rows of β beside them: s + z and s − z.
    fn evaluate_mirrored(
        &self,
        start: usize,
        factor: &[f64],
        columns: usize,
        alpha: &mut [f64],
        beta: &mut [f64],
    ) {
        let (hidden, tail) = factor.split_at(self.dimension * columns);
        let count = alpha.len() / columns;
        matmul(
            MatMut::from_row_major_slice_mut(alpha, count, columns),
            Accum::Replace,
            self.dense_matrix(start..start + count),
            MatRef::from_row_major_slice(hidden, self.dimension, columns),
            1.0,
            Par::Seq,
        );
        beta.fill(0.0);
        let rows = alpha.chunks_exact_mut(columns).zip(beta.chunks_exact_mut(columns));
        for (form, (alpha, beta)) in (start..).zip(rows) {
            let (index, coefficient) = self.tail(form);
            for (&i, &c) in index.iter().zip(coefficient) {
                axpy(c, &tail[i * columns..][..columns], beta);
            }
            for (a, b) in alpha.iter_mut().zip(beta) {
                let (z, s) = (*a, *b);
                (*a, *b) = (s + z, s - z);
            }
        }
    }

    /// Rows of all forms that are no mirrored ones.
    fn evaluate_plain(&self, factor: &[f64], columns: usize, out: &mut [f64]) {
        let (hidden, tail) = factor.split_at(self.dimension * columns);
        let forms = 2 * self.mirrored..self.len();
        matmul(
            MatMut::from_row_major_slice_mut(out, forms.len(), columns),
            Accum::Replace,
            self.dense_matrix(forms.clone()),
            MatRef::from_row_major_slice(hidden, self.dimension, columns),
            1.0,
            Par::Seq,
        );
        for (form, row) in forms.zip(out.chunks_exact_mut(columns)) {
            let (index, coefficient) = self.tail(form);
            for (&i, &c) in index.iter().zip(coefficient) {
                axpy(c, &tail[i * columns..][..columns], row);
            }
        }
    }

    /// out += Fᵀ·P, the adjoint of [`LiftedForms::evaluate`]; P is used up.
    pub fn accumulate_adjoint(&self, rows: &mut [f64], columns: usize, out: &mut [f64]) {
        let mirrored = self.mirrored;
        let (alpha, rest) = rows.split_at_mut(mirrored * columns);
        let (beta, _) = rest.split_at_mut(mirrored * columns);
        for (a, b) in alpha.iter_mut().zip(beta) {
            let (x, y) = (*a, *b);
            (*a, *b) = (x - y, x + y);
        }
        let rows = &*rows;
        let (hidden, tail) = out.split_at_mut(self.dimension * columns);
        let adjoint = |forms: Range<usize>, hidden: &mut [f64]| {
            matmul(
                MatMut::from_row_major_slice_mut(hidden, self.dimension, columns),
                Accum::Add,
                self.dense_matrix(forms.clone()).transpose(),
                MatRef::from_row_major_slice(
                    &rows[forms.start * columns..forms.end * columns],
                    forms.len(),
                    columns,
                ),
                1.0,
                Par::Seq,
            );
        };
        both(
            self.len() * columns >= PARALLEL,
            || {
                adjoint(0..mirrored, hidden);
                adjoint(2 * mirrored..self.len(), hidden);
            },
            || {
                for (form, row) in rows.chunks_exact(columns).enumerate().skip(mirrored) {
                    let (index, coefficient) = self.tail(form);
                    for (&i, &c) in index.iter().zip(coefficient) {
                        axpy(c, row, &mut tail[i * columns..][..columns]);
                    }
                }
            },
        );
    }

    /// Coefficients on u of some of the forms, a row each.
    fn dense_matrix(&self, forms: Range<usize>) -> MatRef<'_, f64> {
        let dense = &self.dense[forms.start * self.dimension..forms.end * self.dimension];
        MatRef::from_row_major_slice(dense, forms.len(), self.dimension)
    }
}

/// α_g = (s_g + x_gᵀu)/2 for every direction, then β_g = (s_g − x_gᵀu)/2.
pub(super) fn base_forms(geometry: &Geometry, forest: &Forest) -> LiftedForms {
    let mut forms = LiftedForms::new(geometry.rank);
    for sign in [0.5, -0.5] {
        for g in 0..geometry.groups() {
            forms.push(
                geometry.direction(g).iter().map(|x| sign * x),
                forest.path(g).into_iter().map(|(i, c)| (i, 0.5 * c)),
            );
        }
    }
    forms.mirrored = geometry.groups();
    forms
}
