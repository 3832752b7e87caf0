//! Dense products and factorisations with a fixed degree of parallelism, so that no bit depends on the number of
//! threads: faer's own methods and operators take the degree from the pool that happens to run them.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::{factor, solve};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::qr::no_pivoting::factor as qr;
use faer::linalg::svd::{self, ComputeSvdVectors};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use std::time::Duration;

/// Orders from which a factorisation is shared between two threads; a constant, because bits depend on it.
const PARALLEL_ORDER: usize = 768;

/// Orders from which a factorisation is shared between eight threads.
const WIDE_ORDER: usize = 6144;

/// Multiplications from which a product is shared between two threads.
const PARALLEL_PRODUCT: usize = 1 << 27;

/// The degree of parallelism of a dense factorisation: it depends on the order alone.
pub(crate) fn degree(order: usize) -> Par {
    match order {
        ..PARALLEL_ORDER => Par::Seq,
        PARALLEL_ORDER..WIDE_ORDER => Par::rayon(2),
        _ => Par::rayon(8),
    }
}

/// Time of a dense factorisation of this order, cautiously: it is not interrupted, so it is not begun near a deadline.
pub(crate) fn factorisation_time(order: usize) -> Duration {
    Duration::from_secs_f64((order as f64).powi(3) / (3.0 * CAUTIOUS_RATE))
}

/// Multiplications a second that can be counted on, on a machine with other work too.
const CAUTIOUS_RATE: f64 = 5e9;

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

    /// The factor; only its lower triangle means anything.
    pub(crate) fn lower(&self) -> MatRef<'_, f64> {
        self.factor.as_ref()
    }

    /// Solves with the last factorisation.
    pub(crate) fn solution(&self, rhs: MatRef<'_, f64>) -> Mat<f64> {
        let mut solution = rhs.to_owned();
        self.solve(solution.as_mut());
        solution
    }

    /// Solves with the last factorisation, in place.
    pub(crate) fn solve(&self, rhs: MatMut<'_, f64>) {
        let scratch = solve::solve_in_place_scratch::<f64>(self.factor.nrows(), rhs.ncols(), Par::Seq);
        let mut buffer = MemBuffer::new(scratch);
        solve::solve_in_place(self.factor.as_ref(), rhs, Par::Seq, MemStack::new(&mut buffer));
    }
}

/// The inverse of a positive definite matrix, given by its lower triangle; none if it is not.
pub(crate) fn inverse(matrix: &Mat<f64>) -> Option<Mat<f64>> {
    let mut cholesky = Cholesky::default();
    let identity = Mat::<f64>::identity(matrix.nrows(), matrix.ncols());
    cholesky.factorize(matrix, 0.0).then(|| cholesky.solution(identity.as_ref()))
}

/// AB.
pub(crate) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let size = a.nrows().saturating_mul(a.ncols()).saturating_mul(b.ncols());
    let par = if size < PARALLEL_PRODUCT { Par::Seq } else { Par::rayon(2) };
    let mut product = Mat::zeros(a.nrows(), b.ncols());
    matmul(product.as_mut(), Accum::Replace, a, b, 1.0, par);
    product
}

/// Eigenvalues (ascending) and eigenvectors of a symmetric matrix, given by its lower triangle.
///
/// `None` if the iteration does not converge, as with entries that are not finite.
pub(crate) fn symmetric_eigen(a: MatRef<'_, f64>) -> Option<(Vec<f64>, Mat<f64>)> {
    let n = a.nrows();
    let mut values = Diag::zeros(n);
    let mut vectors = Mat::zeros(n, n);
    eigen(a, &mut values, Some(vectors.as_mut()))?;
    Some((values.column_vector().iter().copied().collect(), vectors))
}

/// Eigenvalues alone, ascending, as [`symmetric_eigen`].
pub(crate) fn symmetric_eigenvalues(a: MatRef<'_, f64>) -> Option<Vec<f64>> {
    let mut values = Diag::zeros(a.nrows());
    eigen(a, &mut values, None)?;
    Some(values.column_vector().iter().copied().collect())
}

fn eigen(a: MatRef<'_, f64>, values: &mut Diag<f64>, vectors: Option<MatMut<'_, f64>>) -> Option<()> {
    let n = a.nrows();
    let par = degree(n);
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let mut buffer = MemBuffer::new(self_adjoint_evd_scratch::<f64>(n, wanted, par, Default::default()));
    self_adjoint_evd(a, values.as_mut(), vectors, par, MemStack::new(&mut buffer), Default::default()).ok()
}

/// A = U diag(σ) Vᵀ with as many columns as the smaller side of A, σ descending.
#[derive(Debug)]
pub(crate) struct ThinSvd {
    pub(crate) u: Mat<f64>,
    pub(crate) singular: Vec<f64>,
    pub(crate) v: Mat<f64>,
}

impl ThinSvd {
    /// `None` if the iteration does not converge, as with entries that are not finite.
    pub(crate) fn new(a: MatRef<'_, f64>) -> Option<Self> {
        let (m, n) = (a.nrows(), a.ncols());
        let size = m.min(n);
        let (mut u, mut v) = (Mat::zeros(m, size), Mat::zeros(n, size));
        let mut singular = Diag::zeros(size);
        let par = degree(size);
        let thin = ComputeSvdVectors::Thin;
        let mut buffer = MemBuffer::new(svd::svd_scratch::<f64>(m, n, thin, thin, par, Default::default()));
        svd::svd(
            a,
            singular.as_mut(),
            Some(u.as_mut()),
            Some(v.as_mut()),
            par,
            MemStack::new(&mut buffer),
            Default::default(),
        )
        .ok()?;
        let singular = singular.column_vector().iter().copied().collect();
        Some(Self { u, singular, v })
    }
}

/// R of A = QR, as many rows as the smaller side of A; only its upper triangle means anything.
pub(crate) fn triangular_factor(a: MatRef<'_, f64>) -> Mat<f64> {
    let (m, n) = (a.nrows(), a.ncols());
    let size = m.min(n);
    let block = qr::recommended_block_size::<f64>(m, n);
    let mut factors = a.to_owned();
    let mut coefficients = Mat::zeros(block, size);
    let par = degree(size);
    let scratch = qr::qr_in_place_scratch::<f64>(m, n, block, par, Default::default());
    let mut buffer = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut buffer);
    qr::qr_in_place(factors.as_mut(), coefficients.as_mut(), par, stack, Default::default());
    factors.subrows(0, size).to_owned()
}
