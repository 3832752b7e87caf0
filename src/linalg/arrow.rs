//! Sparse symmetric positive definite matrices of equal blocks with a dense border, and their Cholesky factorisation.

use super::dense::Cholesky;
use super::least_degree::least_degree;
use super::vector::{axpy, dot};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use pulp::Arch;

/// Which blocks the factor has: nodes that edges join, in an order that fills in little.
#[derive(Debug, Default)]
pub(crate) struct ArrowPattern {
    /// Where each node stands in the order.
    place: Vec<usize>,
    /// Places of the blocks of each column below its diagonal, ascending.
    below: Vec<Vec<u32>>,
    /// The columns that have a block in the row of each place.
    left: Vec<Vec<u32>>,
}

impl ArrowPattern {
    /// Of nodes that edges join; none where the columns would have more than `most` blocks.
    pub(crate) fn new(nodes: usize, edges: Vec<(usize, usize)>, most: usize) -> Option<Self> {
        let order = least_degree(nodes, edges.clone())?;
        let mut place = vec![0; nodes];
        order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
        let mut below = vec![Vec::<u32>::new(); nodes];
        for (i, j) in edges {
            let (i, j) = (place[i].max(place[j]), place[i].min(place[j]));
            if i != j {
                below[j].push(i as u32);
            }
        }
        let (mut left, mut count) = (vec![Vec::new(); nodes], 0);
        for j in 0..nodes {
            let mut column = std::mem::take(&mut below[j]);
            column.sort_unstable();
            column.dedup();
            count += column.len();
            if count > most {
                return None;
            }
            column.iter().for_each(|i| left[*i as usize].push(j as u32));
            // What is left of the column joins that of its first block.
            if let Some((parent, rest)) = column.split_first() {
                below[*parent as usize].extend_from_slice(rest);
            }
            below[j] = column;
        }
        Some(Self { place, below, left })
    }

    /// Multiplications of a factorisation with blocks of this size and a border of so many rows, roughly.
    pub(crate) fn work(&self, size: usize, border: usize) -> f64 {
        let (size, border) = (size as f64, border as f64);
        let column = |below: &Vec<u32>| {
            let rows = (below.len() as f64 + 1.0) * size + border;
            0.5 * size * rows * rows
        };
        self.below.iter().map(column).sum::<f64>() + border.powi(3) / 6.0
    }

    /// Numbers that the factor takes.
    pub(crate) fn entries(&self, size: usize, border: usize) -> usize {
        self.below.iter().map(|below| ((below.len() + 1) * size + border) * size).sum()
    }
}

/// The matrix, then its factor in the same place.
#[derive(Debug)]
pub(crate) struct Arrow {
    pattern: ArrowPattern,
    /// r, and rows of the border.
    size: usize,
    border: usize,
    /// Where the columns begin: each its diagonal block, the blocks below and the border, row by row of r numbers.
    start: Vec<usize>,
    values: Vec<f64>,
    /// The square of the border, its lower triangle.
    corner: Mat<f64>,
    cholesky: Cholesky,
    /// Scratch: an update, and where the blocks of a column are.
    update: Vec<f64>,
    inverse: Vec<f64>,
    position: Vec<u32>,
}

impl Default for Arrow {
    fn default() -> Self {
        Self {
            pattern: ArrowPattern::default(),
            size: 0,
            border: 0,
            start: Vec::new(),
            values: Vec::new(),
            corner: Mat::new(),
            cholesky: Cholesky::default(),
            update: Vec::new(),
            inverse: Vec::new(),
            position: Vec::new(),
        }
    }
}

impl Arrow {
    /// Zero, of this pattern.
    pub(crate) fn reset(&mut self, pattern: ArrowPattern, size: usize, border: usize) {
        (self.size, self.border) = (size, border);
        self.start.clear();
        let mut next = 0;
        for below in &pattern.below {
            self.start.push(next);
            next += ((below.len() + 1) * size + border) * size;
        }
        self.start.push(next);
        self.position.resize(pattern.below.len(), 0);
        self.pattern = pattern;
        self.clear();
    }

    /// Zero, of the same pattern.
    pub(crate) fn clear(&mut self) {
        let next = self.start.last().copied().unwrap_or(0);
        self.values.clear();
        // Neither twice as much as is needed nor a copy of what is not.
        if self.values.capacity() < next {
            self.values = Vec::with_capacity(next);
        }
        self.values.resize(next, 0.0);
        if self.corner.nrows() == self.border {
            self.corner.fill(0.0);
        } else {
            self.corner = Mat::zeros(self.border, self.border);
        }
    }

    /// The block of two nodes, row by row, and whether its rows are those of the second; none where the pattern has none.
    pub(crate) fn block(&mut self, i: usize, j: usize) -> Option<(&mut [f64], bool)> {
        let (row, column) = (self.pattern.place[i], self.pattern.place[j]);
        let (low, high) = (row.min(column), row.max(column));
        let position = match low == high {
            true => 0,
            false => 1 + self.pattern.below[low].binary_search(&(high as u32)).ok()?,
        };
        let square = self.size * self.size;
        Some((&mut self.values[self.start[low] + position * square..][..square], row < column))
    }

    /// Row by row of the border the r numbers beside a node.
    pub(crate) fn side(&mut self, node: usize) -> &mut [f64] {
        let place = self.pattern.place[node];
        let length = self.border * self.size;
        &mut self.values[self.start[place + 1] - length..self.start[place + 1]]
    }

    /// The square of the border, of which the lower triangle counts.
    pub(crate) fn corner(&mut self) -> &mut Mat<f64> {
        &mut self.corner
    }

    /// The factorisation, column after column; false where the matrix is not positive definite.
    pub(crate) fn factorize(&mut self) -> bool {
        let (size, border, nodes) = (self.size, self.border, self.pattern.below.len());
        let square = size * size;
        for j in 0..nodes {
            let (done, rest) = self.values.split_at_mut(self.start[j]);
            let column = &mut rest[..self.start[j + 1] - self.start[j]];
            let below = &self.pattern.below[j];
            self.position[j] = 0;
            below.iter().zip(1..).for_each(|(i, at)| self.position[*i as usize] = at);
            for &k in &self.pattern.left[j] {
                let k = k as usize;
                let rows = &self.pattern.below[k];
                // A column to the left has the row: it is in `left` for that.
                let Ok(first) = rows.binary_search(&(j as u32)) else { return false };
                let source = &done[self.start[k] + (first + 1) * square..self.start[k + 1]];
                let count = source.len() / size;
                self.update.resize(source.len(), 0.0);
                let own = MatRef::from_row_major_slice(&source[..square], size, size);
                let out = MatMut::from_row_major_slice_mut(&mut self.update, count, size);
                let all = MatRef::from_row_major_slice(source, count, size);
                matmul(out, Accum::Replace, all, own.transpose(), 1.0, Par::Seq);
                let (blocks, sides) = self.update.split_at((rows.len() - first) * square);
                let position = &self.position;
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        for (i, block) in rows[first..].iter().zip(blocks.chunks_exact(square)) {
                            let at = position[*i as usize] as usize * square;
                            axpy(-1.0, block, &mut column[at..][..square]);
                        }
                        let length = column.len();
                        axpy(-1.0, sides, &mut column[length - sides.len()..]);
                    },
                );
            }
            let (diagonal, others) = column.split_at_mut(square);
            if !factorize_block(diagonal, size) {
                return false;
            }
            // All rows below at once: times the transposed inverse of the factor.
            inverse_of_lower(diagonal, size, &mut self.inverse);
            self.update.clear();
            self.update.extend_from_slice(others);
            let count = others.len() / size;
            let inverse = MatRef::from_row_major_slice(&self.inverse, size, size);
            let out = MatMut::from_row_major_slice_mut(others, count, size);
            let before = MatRef::from_row_major_slice(&self.update, count, size);
            matmul(out, Accum::Replace, before, inverse.transpose(), 1.0, Par::Seq);
            let sides = &others[others.len() - border * size..];
            let sides = MatRef::from_row_major_slice(sides, border, size);
            matmul(self.corner.as_mut(), Accum::Add, sides, sides.transpose(), -1.0, Par::Seq);
        }
        self.cholesky.factorize(&self.corner, 0.0)
    }

    /// x ← A⁻¹x: `nodes` has r numbers a node, `border` those of the border.
    pub(crate) fn solve(&self, nodes: &mut [f64], border: &mut [f64], scratch: &mut Vec<f64>) {
        Arch::new().dispatch(
            #[inline(always)]
            || self.substitute(nodes, border, scratch),
        );
    }

    #[inline(always)]
    fn substitute(&self, nodes: &mut [f64], border: &mut [f64], scratch: &mut Vec<f64>) {
        let size = self.size;
        scratch.clear();
        scratch.resize(nodes.len(), 0.0);
        for (node, &place) in self.pattern.place.iter().enumerate() {
            scratch[place * size..][..size].copy_from_slice(&nodes[node * size..][..size]);
        }
        for (j, below) in self.pattern.below.iter().enumerate() {
            let (diagonal, others) = self.column(j);
            let (low, high) = scratch.split_at_mut((j + 1) * size);
            let own = &mut low[j * size..];
            forward(diagonal, own);
            let (blocks, sides) = others.split_at(below.len() * size * size);
            for (i, block) in below.iter().zip(blocks.chunks_exact(size * size)) {
                let other = &mut high[(*i as usize - j - 1) * size..][..size];
                block.chunks_exact(size).zip(other).for_each(|(row, x)| *x -= dot(row, own));
            }
            sides.chunks_exact(size).zip(border.iter_mut()).for_each(|(row, x)| *x -= dot(row, own));
        }
        let length = border.len();
        self.cholesky.solve(MatMut::from_column_major_slice_mut(border, length, 1));
        for (j, below) in self.pattern.below.iter().enumerate().rev() {
            let (diagonal, others) = self.column(j);
            let (low, high) = scratch.split_at_mut((j + 1) * size);
            let own = &mut low[j * size..];
            let (blocks, sides) = others.split_at(below.len() * size * size);
            for (i, block) in below.iter().zip(blocks.chunks_exact(size * size)) {
                let other = &high[(*i as usize - j - 1) * size..][..size];
                block.chunks_exact(size).zip(other).for_each(|(row, x)| axpy(-x, row, own));
            }
            sides.chunks_exact(size).zip(border.iter()).for_each(|(row, x)| axpy(-x, row, own));
            backward(diagonal, own);
        }
        for (node, &place) in self.pattern.place.iter().enumerate() {
            nodes[node * size..][..size].copy_from_slice(&scratch[place * size..][..size]);
        }
    }

    /// The diagonal block of a column, and all below.
    fn column(&self, j: usize) -> (&[f64], &[f64]) {
        self.values[self.start[j]..self.start[j + 1]].split_at(self.size * self.size)
    }
}

/// The lower factor of a block in its place; false where it is not positive definite.
fn factorize_block(block: &mut [f64], size: usize) -> bool {
    for i in 0..size {
        let (above, row) = block.split_at_mut(i * size);
        let row = &mut row[..size];
        for j in 0..i {
            let other = &above[j * size..][..size];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let rest = row[i] - dot(&row[..i], &row[..i]);
        if rest <= 0.0 || !rest.is_finite() {
            return false;
        }
        row[i] = rest.sqrt();
    }
    true
}

/// L⁻¹, row by row, zeros above its diagonal.
fn inverse_of_lower(lower: &[f64], size: usize, inverse: &mut Vec<f64>) {
    inverse.clear();
    inverse.resize(size * size, 0.0);
    for i in 0..size {
        let (above, row) = inverse.split_at_mut(i * size);
        let row = &mut row[..size];
        for (factor, other) in lower[i * size..][..i].iter().zip(above.chunks_exact(size)) {
            axpy(-factor, other, row);
        }
        row[i] = 1.0;
        let pivot = 1.0 / lower[i * size + i];
        row.iter_mut().for_each(|value| *value *= pivot);
    }
}

/// x ← L⁻¹x.
#[inline]
fn forward(lower: &[f64], x: &mut [f64]) {
    let size = x.len();
    for i in 0..size {
        let row = &lower[i * size..][..size];
        x[i] = (x[i] - dot(&row[..i], &x[..i])) / row[i];
    }
}

/// x ← L⁻ᵀx.
#[inline]
fn backward(lower: &[f64], x: &mut [f64]) {
    let size = x.len();
    for i in (0..size).rev() {
        let row = &lower[i * size..][..size];
        x[i] /= row[i];
        let value = x[i];
        axpy(-value, &row[..i], &mut x[..i]);
    }
}
