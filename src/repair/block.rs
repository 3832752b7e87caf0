//! The s block of the dual slack: dense, or, without pairs, a diagonal minus a few columns.

use crate::dual::Slack;
use crate::linalg::dense::{Cholesky, product};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, Mat, MatRef, Par};

/// The block before any shift, order n.
pub(super) enum Block {
    Dense(Mat<f64>),
    /// diag(diagonal) − root·rootᵀ, with root = W/(2√γ).
    LowRank {
        diagonal: Vec<f64>,
        root: Mat<f64>,
    },
}

/// Block + diag(shift), factorised.
pub(super) enum Factored<'a> {
    Dense(Cholesky),
    /// Woodbury: the Cholesky factor is that of I − rootᵀ·diag(inverse)·root.
    LowRank {
        inverse: Vec<f64>,
        root: &'a Mat<f64>,
        capacitance: Cholesky,
    },
}

impl Block {
    pub(super) fn new(slack: &Slack) -> Self {
        let (n, c) = (slack.samples(), slack.w.ncols());
        let plain = (n..2 * n).all(|row| slack.kernel.row(row).all(|(column, _)| column == row));
        if !plain || 4 * c >= n {
            return Self::Dense(slack.sample_block());
        }
        let diagonal = (0..n).map(|i| slack.kernel.row(n + i).map(|(_, value)| value).sum()).collect();
        let scale = 0.5 / slack.weight_decay.sqrt();
        Self::LowRank { diagonal, root: Mat::from_fn(n, c, |i, k| scale * slack.w[(i, k)]) }
    }

    /// Diagonal entries, n.
    pub(super) fn diagonal(&self) -> Vec<f64> {
        match self {
            Self::Dense(matrix) => (0..matrix.nrows()).map(|i| matrix[(i, i)]).collect(),
            Self::LowRank { diagonal, root } => {
                let square = |i: usize| root.row(i).iter().map(|r| r * r).sum::<f64>();
                diagonal.iter().enumerate().map(|(i, d)| d - square(i)).collect()
            }
        }
    }

    /// Multiplications of one factorisation, roughly.
    pub(super) fn cost(&self) -> f64 {
        match self {
            Self::Dense(matrix) => (matrix.nrows() as f64).powi(3) / 3.0,
            Self::LowRank { root, .. } => root.nrows() as f64 * (root.ncols() as f64).powi(2),
        }
    }

    /// None if the shifted block is not positive definite.
    pub(super) fn factored(&self, shift: &[f64]) -> Option<Factored<'_>> {
        let mut cholesky = Cholesky::default();
        match self {
            Self::Dense(matrix) => {
                let mut shifted = matrix.clone();
                shift.iter().enumerate().for_each(|(i, s)| shifted[(i, i)] += s);
                cholesky.factorize(&shifted, 0.0).then_some(Factored::Dense(cholesky))
            }
            Self::LowRank { diagonal, root } => {
                let shifted: Vec<f64> = diagonal.iter().zip(shift).map(|(d, s)| d + s).collect();
                if !shifted.iter().all(|d| *d > 0.0) {
                    return None;
                }
                let inverse: Vec<f64> = shifted.iter().map(|d| 1.0 / d).collect();
                let mut matrix = Mat::identity(root.ncols(), root.ncols());
                let weighted = weigh(&inverse, root.as_ref());
                matmul(matrix.as_mut(), Accum::Add, root.transpose(), weighted.as_ref(), -1.0, Par::Seq);
                let positive = cholesky.factorize(&matrix, 0.0);
                positive.then_some(Factored::LowRank { inverse, root, capacitance: cholesky })
            }
        }
    }
}

impl Factored<'_> {
    /// (shifted block)⁻¹ B.
    pub(super) fn solution(&self, right: MatRef<'_, f64>) -> Mat<f64> {
        match self {
            Self::Dense(cholesky) => cholesky.solution(right),
            Self::LowRank { inverse, root, capacitance } => {
                let mut solution = weigh(inverse, right);
                let inner = capacitance.solution(product(root.transpose(), solution.as_ref()).as_ref());
                let rest = weigh(inverse, product(root.as_ref(), inner.as_ref()).as_ref());
                solution += rest;
                solution
            }
        }
    }

    /// Bᵀ (shifted block)⁻¹ B.
    pub(super) fn form(&self, right: &Mat<f64>) -> Mat<f64> {
        let d = right.ncols();
        let mut form = Mat::zeros(d, d);
        match self {
            Self::Dense(cholesky) => {
                let mut z = right.clone();
                solve_lower_triangular_in_place(cholesky.lower(), z.as_mut(), Par::Seq);
                matmul(form.as_mut(), Accum::Replace, z.transpose(), z.as_ref(), 1.0, Par::Seq);
            }
            Self::LowRank { .. } => {
                let solution = self.solution(right.as_ref());
                matmul(form.as_mut(), Accum::Replace, right.transpose(), solution.as_ref(), 1.0, Par::Seq);
            }
        }
        form
    }
}

/// diag(weight)·B.
fn weigh(weight: &[f64], b: MatRef<'_, f64>) -> Mat<f64> {
    Mat::from_fn(b.nrows(), b.ncols(), |i, j| weight[i] * b[(i, j)])
}
