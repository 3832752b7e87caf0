//! Sparse symmetric matrices whose off-diagonal entries are not positive, and their products with many vectors.

use pulp::Arch;
use rayon::prelude::*;

/// Columns that are computed together; vectors of more than one column are padded to a multiple of this.
pub(crate) const LANES: usize = 8;
/// Rows of a result that one thread computes at a time.
pub(crate) const ROWS: usize = 512;

/// The columns that `columns` vectors are stored in, row by row: one alone, or a multiple of [`LANES`].
pub(crate) fn width(columns: usize) -> usize {
    if columns <= 1 { columns } else { columns.next_multiple_of(LANES) }
}

/// The off-diagonal part of a symmetric Z-matrix in compressed rows, both triangles: entry (i, j) is minus a stored
/// number that is at least zero. The diagonal is kept apart, because it changes where the rest does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct ZMatrix {
    pub(crate) start: Vec<usize>,
    pub(crate) column: Vec<u32>,
    /// Minus the entries.
    pub(crate) value: Vec<f64>,
}

impl ZMatrix {
    /// The entries of row i off the diagonal, as (column, minus the value).
    pub(crate) fn row(&self, i: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.start[i]..self.start[i + 1];
        self.column[range.clone()].iter().map(|j| *j as usize).zip(self.value[range].iter().copied())
    }

    /// Most entries in a row off the diagonal.
    pub(crate) fn longest_row(&self) -> usize {
        self.start.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0)
    }

    /// out = (diagonal − stored)x for `width` vectors, one row after another; `width` is 1 or a multiple of [`LANES`].
    ///
    /// Every entry is one sum in the order of the stored entries, whatever the number of threads.
    pub(crate) fn times(&self, diagonal: &[f64], x: &[f64], width: usize, out: &mut [f64]) {
        let rows = |(chunk, out): (usize, &mut [f64])| {
            let first = chunk * ROWS;
            Arch::new().dispatch(
                #[inline(always)]
                || match width {
                    1 => self.rows_of_one(first, diagonal, x, out),
                    _ => self.rows_of_many(first, diagonal, x, width, out),
                },
            );
        };
        out.par_chunks_mut(ROWS * width.max(1)).enumerate().for_each(rows);
    }

    #[inline(always)]
    fn rows_of_one(&self, first: usize, diagonal: &[f64], x: &[f64], out: &mut [f64]) {
        for (local, out) in out.iter_mut().enumerate() {
            let i = first + local;
            let range = self.start[i]..self.start[i + 1];
            let (columns, values) = (&self.column[range.clone()], &self.value[range]);
            let mut sum = 0.0;
            for (j, value) in columns.iter().zip(values) {
                sum += value * x[*j as usize];
            }
            *out = diagonal[i] * x[i] - sum;
        }
    }

    #[inline(always)]
    fn rows_of_many(&self, first: usize, diagonal: &[f64], x: &[f64], width: usize, out: &mut [f64]) {
        for (local, out) in out.chunks_exact_mut(width).enumerate() {
            let i = first + local;
            let range = self.start[i]..self.start[i + 1];
            let (columns, values) = (&self.column[range.clone()], &self.value[range]);
            let own = &x[i * width..][..width];
            for (lanes, out) in out.chunks_exact_mut(LANES).enumerate() {
                let from = lanes * LANES;
                let mut sum = [0.0; LANES];
                for (j, value) in columns.iter().zip(values) {
                    let other = &x[*j as usize * width + from..][..LANES];
                    for lane in 0..LANES {
                        sum[lane] += value * other[lane];
                    }
                }
                let own = &own[from..][..LANES];
                for lane in 0..LANES {
                    out[lane] = diagonal[i] * own[lane] - sum[lane];
                }
            }
        }
    }
}
