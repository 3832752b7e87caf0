//! Products with sparse matrices. Every entry of a result is one sum in the order of the stored entries, so that no bit
//! depends on the number of threads.

use faer::{Mat, MatRef};
use rayon::prelude::*;
use sprs::CsMat;

/// Rows of a result that one thread computes at a time.
const ROWS: usize = 256;

/// AB for A in compressed rows and a dense B (as many rows as A has columns). With A in compressed columns, AᵀB.
pub(crate) fn times(a: &CsMat<f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let columns = b.ncols();
    let mut by_rows = vec![0.0; a.outer_dims() * columns];
    if columns > 0 {
        // The rows of B one after another: a stored entry of A meets a piece of memory.
        let rows_of_b = row_major(b);
        by_rows.par_chunks_mut(ROWS * columns).enumerate().for_each(|(chunk, out)| {
            for (local, out) in out.chunks_exact_mut(columns).enumerate() {
                let Some(row) = a.outer_view(chunk * ROWS + local) else { continue };
                for (j, value) in row.iter() {
                    let other = &rows_of_b[j * columns..][..columns];
                    out.iter_mut().zip(other).for_each(|(out, other)| *out += value * other);
                }
            }
        });
    }
    MatRef::from_row_major_slice(&by_rows, a.outer_dims(), columns).to_owned()
}

/// The entries of a matrix, row by row.
fn row_major(b: MatRef<'_, f64>) -> Vec<f64> {
    let columns = b.ncols();
    let mut rows = vec![0.0; b.nrows() * columns];
    rows.par_chunks_mut(ROWS * columns.max(1)).enumerate().for_each(|(chunk, rows)| {
        for (k, column) in b.col_iter().enumerate() {
            for (local, row) in rows.chunks_exact_mut(columns).enumerate() {
                row[k] = column[chunk * ROWS + local];
            }
        }
    });
    rows
}

/// Ab for one column b, in place.
pub(crate) fn times_vector(a: &CsMat<f64>, b: &[f64], out: &mut [f64]) {
    for (out, row) in out.iter_mut().zip(a.outer_iterator()) {
        *out = row.iter().map(|(j, value)| value * b[j]).sum();
    }
}
