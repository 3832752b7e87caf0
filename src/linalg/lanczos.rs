//! Lanczos with full orthogonalisation for the smallest eigenpairs of a symmetric operator.

use crate::error::{Error, Result};
use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;

/// A symmetric linear operator, known by its products.
pub trait SymmetricOperator {
    /// N, the number of rows and columns.
    fn order(&self) -> usize;
    /// out = Ax; both have length N.
    fn apply(&self, x: &[f64], out: &mut [f64]);
}

/// Settings of [`smallest_eigenpairs`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct LanczosSettings {
    /// Eigenpairs wanted (default 1); fewer if the order is smaller.
    pub count: usize,
    /// Most Lanczos vectors kept (default 300); N doubles of storage each.
    pub max_steps: usize,
    /// Residual norm accepted, relative to the largest Ritz value in absolute value (default 1e-10).
    pub tolerance: f64,
    /// Seed of the random starting vectors (default 0).
    pub seed: u64,
}

impl Default for LanczosSettings {
    fn default() -> Self {
        Self { count: 1, max_steps: 300, tolerance: 1e-10, seed: 0 }
    }
}

/// Ritz values and vectors: ESTIMATES, from above, of the smallest eigenvalues. They prove nothing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EigenvalueEstimate {
    /// Ritz values, ascending. Each is at least the eigenvalue of its rank, up to rounding.
    pub values: Vec<f64>,
    /// Ritz vectors, N × count, orthonormal up to rounding.
    pub vectors: Mat<f64>,
    /// ‖Av − θv‖ of each pair, as the recurrence gives it.
    pub residuals: Vec<f64>,
    /// Whether every residual met the tolerance (or the whole space was spanned).
    pub converged: bool,
    /// Products with the operator.
    pub steps: usize,
}

/// Estimates the smallest eigenpairs; an operator that returns a value that is not finite is an error.
///
/// A breakdown (an invariant subspace: zero, identity, repeated eigenvalues) restarts with a new random
/// vector orthogonal to all before, so multiple eigenvalues are found as often as the steps allow.
pub fn smallest_eigenpairs(
    operator: &dyn SymmetricOperator,
    settings: &LanczosSettings,
) -> Result<EigenvalueEstimate> {
    let order = operator.order();
    let count = settings.count.min(order);
    if count == 0 {
        return Ok(EigenvalueEstimate {
            values: Vec::new(),
            vectors: Mat::zeros(order, 0),
            residuals: Vec::new(),
            converged: true,
            steps: 0,
        });
    }
    let limit = settings.max_steps.max(count + 1).min(order);
    let mut rng = Pcg64::seed_from_u64(settings.seed);
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(limit);
    let (mut diagonal, mut off) = (Vec::with_capacity(limit), Vec::with_capacity(limit));
    let mut product = vec![0.0; order];
    let mut norm = 0.0f64;
    let mut next = random_orthogonal(&basis, order, &mut rng)?;
    let mut blocks = 0;
    loop {
        basis.push(next);
        let last = &basis[basis.len() - 1];
        operator.apply(last, &mut product);
        if product.iter().any(|value| !value.is_finite()) {
            return Err(Error::Numerical("Lanczos (the operator gave a value that is not finite)"));
        }
        norm = norm.max(norm2(&product));
        diagonal.push(dot(last, &product));
        let mut rest = product.clone();
        orthogonalise(&mut rest, &basis);
        let length = norm2(&rest);
        let steps = basis.len();
        let breakdown = length.is_nan() || length <= 1e-13 * norm;
        blocks += usize::from(breakdown);
        let coupling = if breakdown { 0.0 } else { length };
        // Full orthogonality costs steps·N a step; the projected problem is looked at now and then only.
        if steps == limit || breakdown || (blocks == 0 && steps.is_multiple_of(10)) {
            let (values, vectors) = tridiagonal(&diagonal, &off)?;
            let have = count.min(steps);
            let residuals: Vec<f64> = (0..have).map(|k| coupling * vectors[(steps - 1, k)].abs()).collect();
            let scale = values.iter().fold(0.0f64, |a, v| a.max(v.abs()));
            let small = have == count && residuals.iter().all(|r| *r <= settings.tolerance * scale);
            // One invariant subspace holds one copy of each eigenvalue, so `count` copies need as many.
            let converged = steps == order || (small && (!breakdown || blocks >= count));
            if converged || steps == limit {
                let converged = converged || small;
                let mut ritz = Mat::zeros(order, have);
                for k in 0..have {
                    for (i, q) in basis.iter().enumerate() {
                        let weight = vectors[(i, k)];
                        q.iter().enumerate().for_each(|(row, q)| ritz[(row, k)] += weight * q);
                    }
                }
                let values = values[..have].to_vec();
                return Ok(EigenvalueEstimate { values, vectors: ritz, residuals, converged, steps });
            }
        }
        off.push(coupling);
        if breakdown {
            next = random_orthogonal(&basis, order, &mut rng)?;
        } else {
            rest.iter_mut().for_each(|value| *value /= length);
            next = rest;
        }
    }
}

/// Eigenvalues (ascending) and eigenvectors of the symmetric tridiagonal matrix.
#[cfg(not(feature = "lapack"))]
fn tridiagonal(diagonal: &[f64], off: &[f64]) -> Result<(Vec<f64>, Mat<f64>)> {
    let matrix = Mat::from_fn(diagonal.len(), diagonal.len(), |i, j| entry(diagonal, off, i, j));
    crate::linalg::dense::symmetric_eigen(matrix.as_ref())
        .ok_or(Error::Numerical("the projected eigenproblem of Lanczos"))
}

/// Eigenvalues (ascending) and eigenvectors of the symmetric tridiagonal matrix, by LAPACK.
#[cfg(feature = "lapack")]
fn tridiagonal(diagonal: &[f64], off: &[f64]) -> Result<(Vec<f64>, Mat<f64>)> {
    let m = diagonal.len();
    let matrix = nalgebra::DMatrix::from_fn(m, m, |i, j| entry(diagonal, off, i, j));
    let eigen = nalgebra_lapack::SymmetricEigen::try_new(matrix)
        .ok_or(Error::Numerical("the projected eigenproblem of Lanczos"))?;
    let mut rank: Vec<usize> = (0..m).collect();
    rank.sort_by(|a, b| eigen.eigenvalues[*a].total_cmp(&eigen.eigenvalues[*b]));
    let values = rank.iter().map(|&k| eigen.eigenvalues[k]).collect();
    Ok((values, Mat::from_fn(m, m, |i, j| eigen.eigenvectors[(i, rank[j])])))
}

fn entry(diagonal: &[f64], off: &[f64], i: usize, j: usize) -> f64 {
    match i.abs_diff(j) {
        0 => diagonal[i],
        1 => off[i.min(j)],
        _ => 0.0,
    }
}

/// A random unit vector orthogonal to an orthonormal basis of a proper subspace.
fn random_orthogonal(basis: &[Vec<f64>], order: usize, rng: &mut Pcg64) -> Result<Vec<f64>> {
    for _ in 0..20 {
        let mut vector: Vec<f64> = (0..order).map(|_| rng.sample(StandardNormal)).collect();
        let before = norm2(&vector);
        orthogonalise(&mut vector, basis);
        let length = norm2(&vector);
        if length > 1e-8 * before {
            vector.iter_mut().for_each(|value| *value /= length);
            orthogonalise(&mut vector, basis);
            let length = norm2(&vector);
            vector.iter_mut().for_each(|value| *value /= length);
            return Ok(vector);
        }
    }
    Err(Error::Numerical("Lanczos (no direction left to restart with)"))
}

/// Classical Gram–Schmidt, twice.
fn orthogonalise(vector: &mut [f64], basis: &[Vec<f64>]) {
    for _ in 0..2 {
        for q in basis {
            let inner = dot(q, vector);
            vector.iter_mut().zip(q).for_each(|(value, q)| *value -= inner * q);
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm2(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
