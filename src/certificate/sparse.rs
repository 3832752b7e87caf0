//! Rump's criterion by a sparse Cholesky factorisation: sparse columns first, a dense matrix of all that is left last.

use super::cholesky::{gamma, runs_through};
use super::elimination::{NONE, Pattern};
use crate::linalg::dense::degree;
use crate::linalg::vector::axpy;
use faer::linalg::matmul::triangular::{self, BlockStructure::*};
use faer::{Accum, Mat, MatMut, MatRef};

/// A symmetric matrix: n sparse rows and columns in the order of their elimination, and a dense head after them.
pub(super) struct Arrow {
    /// Below the diagonal of sparse column j: rows and values from `start[j]` to `start[j + 1]`.
    pub(super) start: Vec<usize>,
    pub(super) row: Vec<u32>,
    pub(super) value: Vec<f64>,
    /// Of the sparse columns, n.
    pub(super) diagonal: Vec<f64>,
    /// The rows of the head in the sparse columns, h × n.
    pub(super) side: Mat<f64>,
    /// The lower triangle of the head, h × h.
    pub(super) head: Mat<f64>,
}

impl Arrow {
    /// Proves it positive semidefinite, as [`proves_semidefinite`](super::cholesky::proves_semidefinite) does, or gives up.
    ///
    /// The matrix is Â with |Â − A| ≤ F entrywise for some symmetric F ≥ 0, whose row sums are at most `row_error` (n + h).
    /// The first `sparse` columns are eliminated as sparse ones. Each row pays for the rounding of its own entries.
    pub(super) fn proves_semidefinite(mut self, row_error: &[f64], sparse: usize) -> bool {
        let (n, h) = (self.diagonal.len(), self.head.nrows());
        let size = n + h;
        if row_error.len() != size || sparse > n || size > 100_000_000 || n >= NONE as usize {
            return false;
        }
        let mut diagonal = self.diagonal.clone();
        diagonal.extend((0..h).map(|k| self.head[(k, k)]));
        if !diagonal.iter().zip(row_error).all(|(a, e)| *a > 0.0 && a.is_finite() && *e >= 0.0) {
            return false;
        }
        let mut factor = Factor::new(&self, sparse);
        let rounding = factor.rounding(&diagonal);
        for (k, value) in diagonal.iter().enumerate() {
            let lowered = (value - (rounding[k] + row_error[k]).next_up()).next_down();
            *if k < n { &mut self.diagonal[k] } else { &mut self.head[(k - n, k - n)] } = lowered;
        }
        match factor.eliminate_sparse(&self) {
            Some(side) => runs_through(&mut factor.dense_rest(&self, &side)),
            None => false,
        }
    }

    fn column(&self, j: usize) -> impl Iterator<Item = (usize, f64)> + Clone + '_ {
        let range = self.start[j]..self.start[j + 1];
        self.row[range.clone()].iter().map(|i| *i as usize).zip(self.value[range].iter().copied())
    }
}

/// The sparse columns of the Cholesky factor, without their rows of the head.
struct Factor {
    start: Vec<usize>,
    row: Vec<u32>,
    value: Vec<f64>,
    /// Entries in each of the n rows, left of the diagonal and in sparse columns.
    terms: Vec<usize>,
    /// Columns whose next entry, at `next`, is in row i form a list that begins with `first[i]`.
    first: Vec<u32>,
    following: Vec<u32>,
    next: Vec<usize>,
}

impl Factor {
    /// Only where the entries are.
    fn new(matrix: &Arrow, sparse: usize) -> Self {
        let n = matrix.diagonal.len();
        let entries = (0..n).flat_map(|j| matrix.column(j).map(move |(i, _)| (i, j)));
        let pattern = Pattern::new(n, entries);
        let (mut start, mut terms) = (vec![0usize; sparse + 1], vec![0usize; n]);
        let mut marked = vec![NONE; n];
        for (i, terms) in terms.iter_mut().enumerate() {
            pattern.visit_row(i, sparse, &mut marked, |k| {
                start[k + 1] += 1;
                *terms += 1;
            });
        }
        (0..sparse).for_each(|k| start[k + 1] += start[k]);
        let mut row = vec![0u32; start[sparse]];
        let mut next = start.clone();
        marked.fill(NONE);
        for i in 0..n {
            pattern.visit_row(i, sparse, &mut marked, |k| {
                row[next[k]] = i as u32;
                next[k] += 1;
            });
        }
        next.copy_from_slice(&start);
        let value = vec![0.0; row.len()];
        Self { start, row, value, terms, first: vec![NONE; n], following: vec![NONE; sparse], next }
    }

    /// Row sums of the bound 2.1 γ_{t + 4} √(a_ii a_jj) on the entries of LLᵀ − B, t being the number of products in
    /// the sum for the entry (i, j): at most the entries of the row that is eliminated earlier.
    fn rounding(&self, diagonal: &[f64]) -> Vec<f64> {
        let (n, sparse) = (self.terms.len(), self.following.len());
        let root: Vec<f64> = diagonal.iter().map(|a| 1.01 * a.sqrt()).collect();
        let head: f64 = root[n..].iter().sum();
        let (mut sums, mut on_head) = (vec![0.0; root.len()], 0.0);
        for j in 0..sparse {
            let price = gamma(self.terms[j] + 4) * root[j];
            let mut others = root[j] + head;
            for &i in &self.row[self.start[j]..self.start[j + 1]] {
                others += root[i as usize];
                sums[i as usize] += price;
            }
            sums[j] += gamma(self.terms[j] + 4) * others;
            on_head += price;
        }
        // All the rest is dense; the rows of the head have entries in all sparse columns.
        let price = |k: usize| gamma(if k < n { self.terms[k] } else { sparse } + (k - sparse) + 4);
        let mut before = 0.0;
        for k in sparse..root.len() {
            sums[k] += before + if k < n { 0.0 } else { on_head };
            before += price(k) * root[k];
        }
        let mut others = 0.0;
        for k in (sparse..root.len()).rev() {
            others += root[k];
            sums[k] += price(k) * others;
        }
        // 1.1 pays for the rounding of these sums, 2^-100 for every underflow.
        sums.iter().zip(&root).map(|(sum, root)| 1.1 * 2.1 * sum * root + 2f64.powi(-100)).collect()
    }

    /// The entries of the sparse columns, column by column from the columns before, and the rows of the head in them
    /// (h values a column); None if a pivot is not positive or something is not finite.
    fn eliminate_sparse(&mut self, matrix: &Arrow) -> Option<Vec<f64>> {
        let (n, h) = (self.terms.len(), matrix.head.nrows());
        let mut side = vec![0.0; h * self.following.len()];
        let mut work = vec![0.0; n];
        for j in 0..self.following.len() {
            work[j] = matrix.diagonal[j];
            matrix.column(j).for_each(|(i, value)| work[i] = value);
            let (before, after) = side.split_at_mut(h * j);
            let head = &mut after[..h];
            head.copy_from_slice(matrix.side.col_as_slice(j));
            self.for_each_term(j, |k, factor, rows, values| {
                for (i, value) in rows.iter().zip(values) {
                    work[*i as usize] -= factor * value;
                }
                axpy(-factor, &before[h * k..h * (k + 1)], head);
            });
            let pivot = std::mem::take(&mut work[j]);
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            let (root, range) = (pivot.sqrt(), self.start[j]..self.start[j + 1]);
            let mut finite = true;
            for (i, value) in self.row[range.clone()].iter().zip(&mut self.value[range]) {
                *value = std::mem::take(&mut work[*i as usize]) / root;
                finite &= value.is_finite();
            }
            for value in head {
                *value /= root;
                finite &= value.is_finite();
            }
            if !finite {
                return None;
            }
            self.wait(j);
        }
        Some(side)
    }

    /// Visits the sparse columns k with an entry in row j: k, l_jk, and rows and entries of column k from row j on.
    fn for_each_term(&mut self, j: usize, mut visit: impl FnMut(usize, f64, &[u32], &[f64])) {
        let mut k = std::mem::replace(&mut self.first[j], NONE);
        while k != NONE {
            let column = k as usize;
            let range = self.next[column]..self.start[column + 1];
            visit(column, self.value[range.start], &self.row[range.clone()], &self.value[range]);
            k = self.following[column];
            self.next[column] += 1;
            self.wait(column);
        }
    }

    /// Puts column k into the list of the row of its next entry.
    fn wait(&mut self, k: usize) {
        if self.next[k] < self.start[k + 1] {
            let row = self.row[self.next[k]] as usize;
            self.following[k] = std::mem::replace(&mut self.first[row], k as u32);
        }
    }

    /// The lower triangle of what the sparse columns leave: of the other sparse rows, if any, and the head.
    fn dense_rest(&mut self, matrix: &Arrow, side: &[f64]) -> Mat<f64> {
        let (n, h, sparse) = (self.terms.len(), matrix.head.nrows(), self.following.len());
        let tail = n - sparse;
        let mut rest = Mat::zeros(tail + h, tail + h);
        for t in 0..tail {
            let (rows, head) = rest.col_as_slice_mut(t).split_at_mut(tail);
            rows[t] = matrix.diagonal[sparse + t];
            matrix.column(sparse + t).for_each(|(i, value)| rows[i - sparse] = value);
            head.copy_from_slice(matrix.side.col_as_slice(sparse + t));
            self.for_each_term(sparse + t, |k, factor, below, values| {
                for (i, value) in below.iter().zip(values) {
                    rows[*i as usize - sparse] -= factor * value;
                }
                axpy(-factor, &side[h * k..h * (k + 1)], head);
            });
        }
        let mut corner: MatMut<'_, f64> = rest.as_mut().submatrix_mut(tail, tail, h, h);
        for j in 0..h {
            (j..h).for_each(|i| corner[(i, j)] = matrix.head[(i, j)]);
        }
        let side = MatRef::from_column_major_slice(side, h, sparse);
        triangular::matmul(
            corner,
            TriangularLower,
            Accum::Add,
            side,
            Rectangular,
            side.transpose(),
            Rectangular,
            -1.0,
            degree(h),
        );
        rest
    }
}
