//! Dense factorisations with a fixed degree of parallelism, so that no bit depends on the number of threads.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::{factor, solve};
use faer::{Mat, MatMut, Par};

/// Orders from which a factorisation is shared between two threads; a constant, because bits depend on it.
const PARALLEL_ORDER: usize = 1024;

fn degree(order: usize) -> Par {
    if order < PARALLEL_ORDER { Par::Seq } else { Par::rayon(2) }
}

/// A Cholesky factorisation that reuses its memory.
#[derive(Debug)]
pub(crate) struct Cholesky {
    factor: Mat<f64>,
    buffer: Buffer,
}

#[derive(Default)]
struct Buffer(Option<(usize, MemBuffer)>);

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Buffer")
    }
}

impl Default for Cholesky {
    fn default() -> Self {
        Self { factor: Mat::new(), buffer: Buffer::default() }
    }
}

impl Cholesky {
    /// Factors A + shift·I from the lower triangle of A; false if that is not positive definite.
    pub(crate) fn factorize(&mut self, matrix: &Mat<f64>, shift: f64) -> bool {
        let n = matrix.nrows();
        if self.factor.nrows() != n {
            self.factor = Mat::zeros(n, n);
        }
        for j in 0..n {
            self.factor.col_as_slice_mut(j)[j..].copy_from_slice(&matrix.col_as_slice(j)[j..]);
            self.factor[(j, j)] += shift;
        }
        let par = degree(n);
        if self.buffer.0.as_ref().is_none_or(|(order, _)| *order != n) {
            let scratch = factor::cholesky_in_place_scratch::<f64>(n, par, Default::default());
            self.buffer.0 = Some((n, MemBuffer::new(scratch)));
        }
        let Some((_, buffer)) = &mut self.buffer.0 else { return false };
        factor::cholesky_in_place(
            self.factor.as_mut(),
            Default::default(),
            par,
            MemStack::new(buffer),
            Default::default(),
        )
        .is_ok()
    }

    /// Solves with the last factorisation, in place.
    pub(crate) fn solve(&self, rhs: MatMut<'_, f64>) {
        let scratch = solve::solve_in_place_scratch::<f64>(self.factor.nrows(), rhs.ncols(), Par::Seq);
        let mut buffer = MemBuffer::new(scratch);
        solve::solve_in_place(self.factor.as_ref(), rhs, Par::Seq, MemStack::new(&mut buffer));
    }
}
