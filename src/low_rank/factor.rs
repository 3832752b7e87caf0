//! The low-rank factor: Λ = [R; V][R; V]ᵀ with R over (u, δ) and V over the outputs.

use crate::linalg::dense::symmetric_eigen;
use faer::Mat;

/// R (order × columns) and V (outputs × columns), one row-major array.
#[derive(Clone, Debug)]
pub struct Factor {
    /// Rows of R then rows of V.
    pub values: Vec<f64>,
    /// Columns, the rank bound r.
    pub columns: usize,
    /// Rows of R.
    pub order: usize,
}

impl Factor {
    /// Stacks R and V, both row-major.
    pub fn new(mut r: Vec<f64>, v: &[f64], columns: usize) -> Self {
        let order = r.len() / columns.max(1);
        r.extend_from_slice(v);
        Self { values: r, columns, order }
    }

    /// R, row-major.
    pub fn r(&self) -> &[f64] {
        &self.values[..self.order * self.columns]
    }

    /// V, row-major.
    pub fn v(&self) -> &[f64] {
        &self.values[self.order * self.columns..]
    }

    /// Number of rows of R and V together.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Appends a column; `column` has one value a row.
    pub fn push_column(&mut self, column: &[f64]) {
        let rows = self.rows();
        let mut values = Vec::with_capacity(rows * (self.columns + 1));
        for (row, &value) in self.values.chunks_exact(self.columns).zip(column) {
            values.extend_from_slice(row);
            values.push(value);
        }
        self.values = values;
        self.columns += 1;
    }

    /// Singular values, descending, and the right singular vectors, from the Gram matrix of the columns.
    fn spectrum(&self) -> Option<(Vec<f64>, Mat<f64>)> {
        let c = self.columns;
        let mut gram = Mat::<f64>::zeros(c, c);
        for row in self.values.chunks_exact(c) {
            for j in 0..c {
                for i in j..c {
                    gram[(i, j)] += row[i] * row[j];
                }
            }
        }
        let (values, ascending) = symmetric_eigen(gram.as_ref())?;
        let singular = (0..c).rev().map(|i| values[i].max(0.0).sqrt()).collect();
        let vectors = Mat::from_fn(c, c, |i, j| ascending[(i, c - 1 - j)]);
        Some((singular, vectors))
    }

    /// Number of singular values above `tolerance` times the largest.
    pub fn numerical_rank(&self, tolerance: f64) -> usize {
        self.spectrum().map_or(self.columns, |(s, _)| s.iter().filter(|&&v| v > tolerance * s[0]).count())
    }

    /// Rotates the columns to principal axes and keeps the first `keep`; what is dropped is the smallest part.
    pub fn compress(&mut self, keep: usize) {
        let Some((_, vectors)) = self.spectrum() else { return };
        let (c, keep) = (self.columns, keep.clamp(1, self.columns));
        let mut values = Vec::with_capacity(self.rows() * keep);
        for row in self.values.chunks_exact(c) {
            for j in 0..keep {
                values.push((0..c).map(|i| row[i] * vectors[(i, j)]).sum::<f64>());
            }
        }
        self.values = values;
        self.columns = keep;
    }
}
