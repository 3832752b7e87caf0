//! Conjugate gradients for many right-hand sides at once, preconditioned by the diagonal. Nothing rests on the result.

use super::z_matrix::{LANES, ROWS, ZMatrix};
use pulp::Arch;
use rayon::prelude::*;

/// What a step has met.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Some column is not yet as exact as asked.
    Going,
    /// All columns are, or nothing moves any more.
    Done,
    /// A direction p with pᵀAp ≤ 0, in this column.
    Negative(usize),
}

/// AX = B by conjugate gradients, a recurrence for each column of B with common products.
#[derive(Debug)]
pub(crate) struct Conjugate<'a> {
    matrix: &'a ZMatrix,
    diagonal: &'a [f64],
    width: usize,
    /// X so far, row by row, `width` columns.
    pub(crate) x: Vec<f64>,
    /// B − AX, by recurrence.
    pub(crate) residual: Vec<f64>,
    direction: Vec<f64>,
    image: Vec<f64>,
    /// rᵀD⁻¹r of each column, and where it began.
    square: Vec<f64>,
    first: Vec<f64>,
    /// Products with A so far.
    pub(crate) steps: usize,
}

/// Σ over the rows of a chunk, for each column; the chunks are added up one after another.
fn sum_chunks(parts: impl IndexedParallelIterator<Item = Vec<f64>>, width: usize) -> Vec<f64> {
    let mut sum = vec![0.0; width];
    let parts: Vec<Vec<f64>> = parts.collect();
    for part in &parts {
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    sum
}

impl<'a> Conjugate<'a> {
    /// Begins at X = 0. The off-diagonal part of A comes from `matrix`, its diagonal, all positive, is given.
    pub(crate) fn new(matrix: &'a ZMatrix, diagonal: &'a [f64], right: Vec<f64>, width: usize) -> Self {
        let size = right.len();
        let mut state = Self {
            matrix,
            diagonal,
            width,
            x: vec![0.0; size],
            direction: vec![0.0; size],
            image: vec![0.0; size],
            residual: right,
            square: Vec::new(),
            first: Vec::new(),
            steps: 0,
        };
        state.restart();
        state.first = state.square.clone();
        state
    }

    /// Begins again at X, knowing B: the residual is computed anew.
    pub(crate) fn resume(&mut self, right: &[f64]) {
        self.matrix.times(self.diagonal, &self.x, self.width, &mut self.residual);
        self.residual.iter_mut().zip(right).for_each(|(r, b)| *r = b - *r);
        self.restart();
    }

    fn restart(&mut self) {
        let (width, diagonal) = (self.width, self.diagonal);
        let parts = self
            .direction
            .par_chunks_mut(ROWS * width)
            .zip(self.residual.par_chunks(ROWS * width))
            .enumerate()
            .map(|(chunk, (direction, residual))| {
                let mut sum = vec![0.0; width];
                let rows = direction.chunks_exact_mut(width).zip(residual.chunks_exact(width));
                for (local, (p, r)) in rows.enumerate() {
                    let inverse = 1.0 / diagonal[chunk * ROWS + local];
                    for ((p, r), sum) in p.iter_mut().zip(r).zip(&mut sum) {
                        *p = inverse * r;
                        *sum += *p * r;
                    }
                }
                sum
            });
        self.square = sum_chunks(parts, width);
    }

    /// The direction of a column.
    pub(crate) fn direction(&self, column: usize) -> Vec<f64> {
        self.direction.iter().skip(column).step_by(self.width).copied().collect()
    }

    /// One step of every column whose residual is above this part of what it was at first.
    pub(crate) fn step(&mut self, tolerance: f64) -> Step {
        let (width, diagonal) = (self.width, self.diagonal);
        let active: Vec<bool> = self
            .square
            .iter()
            .zip(&self.first)
            .map(|(now, first)| *now > tolerance * tolerance * first && *now > 0.0)
            .collect();
        if !active.contains(&true) {
            return Step::Done;
        }
        self.matrix.times(diagonal, &self.direction, width, &mut self.image);
        self.steps += 1;
        let products =
            self.direction.par_chunks(ROWS * width).zip(self.image.par_chunks(ROWS * width)).map(|(p, q)| {
                let mut sum = vec![0.0; width];
                Arch::new().dispatch(
                    #[inline(always)]
                    || column_products(p, q, &mut sum),
                );
                sum
            });
        let curvature = sum_chunks(products, width);
        if let Some(column) =
            (0..width).find(|&k| active[k] && (curvature[k] <= 0.0 || curvature[k].is_nan()))
        {
            // A product that overflowed has no direction to show.
            return if curvature[column].is_nan() { Step::Done } else { Step::Negative(column) };
        }
        let ratio = |k: usize, a: f64, b: f64| if active[k] { a / b } else { 0.0 };
        let length: Vec<f64> = (0..width).map(|k| ratio(k, self.square[k], curvature[k])).collect();
        let parts = self
            .x
            .par_chunks_mut(ROWS * width)
            .zip(self.residual.par_chunks_mut(ROWS * width))
            .zip(self.direction.par_chunks(ROWS * width).zip(self.image.par_chunks(ROWS * width)))
            .enumerate()
            .map(|(chunk, ((x, r), (p, q)))| {
                let mut sum = vec![0.0; width];
                let diagonal = &diagonal[chunk * ROWS..];
                Arch::new().dispatch(
                    #[inline(always)]
                    || move_rows(x, r, p, q, &length, diagonal, &mut sum),
                );
                sum
            });
        let square = sum_chunks(parts, width);
        let turn: Vec<f64> = (0..width).map(|k| ratio(k, square[k], self.square[k])).collect();
        self.square = square;
        self.direction
            .par_chunks_mut(ROWS * width)
            .zip(self.residual.par_chunks(ROWS * width))
            .enumerate()
            .for_each(|(chunk, (p, r))| {
                let diagonal = &diagonal[chunk * ROWS..];
                Arch::new().dispatch(
                    #[inline(always)]
                    || turn_rows(p, r, &turn, diagonal),
                );
            });
        Step::Going
    }
}

/// Σ p·q of each column. The columns are one, or a multiple of [`LANES`].
#[inline(always)]
fn column_products(p: &[f64], q: &[f64], sum: &mut [f64]) {
    let width = sum.len();
    if width == 1 {
        sum[0] = crate::linalg::vector::dot(p, q);
        return;
    }
    for (p, q) in p.chunks_exact(width).zip(q.chunks_exact(width)) {
        for ((p, q), sum) in p.chunks_exact(LANES).zip(q.chunks_exact(LANES)).zip(sum.chunks_exact_mut(LANES))
        {
            for lane in 0..LANES {
                sum[lane] += p[lane] * q[lane];
            }
        }
    }
}

/// x += length·p, r −= length·q; the sum is that of r²/diagonal.
#[inline(always)]
fn move_rows(
    x: &mut [f64],
    r: &mut [f64],
    p: &[f64],
    q: &[f64],
    length: &[f64],
    diagonal: &[f64],
    sum: &mut [f64],
) {
    let width = length.len();
    let rows = x.chunks_exact_mut(width).zip(r.chunks_exact_mut(width));
    let others = p.chunks_exact(width).zip(q.chunks_exact(width));
    for (((x, r), (p, q)), diagonal) in rows.zip(others).zip(diagonal) {
        let inverse = 1.0 / diagonal;
        for k in 0..width {
            x[k] += length[k] * p[k];
            r[k] -= length[k] * q[k];
            sum[k] += inverse * r[k] * r[k];
        }
    }
}

/// p = r/diagonal + turn·p.
#[inline(always)]
fn turn_rows(p: &mut [f64], r: &[f64], turn: &[f64], diagonal: &[f64]) {
    let width = turn.len();
    for ((p, r), diagonal) in p.chunks_exact_mut(width).zip(r.chunks_exact(width)).zip(diagonal) {
        let inverse = 1.0 / diagonal;
        for k in 0..width {
            p[k] = inverse * r[k] + turn[k] * p[k];
        }
    }
}
