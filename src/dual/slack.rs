//! The dual slack: the quadratic form q(u, s) whose positive semidefiniteness makes a dual point feasible.

use super::basis::Basis;
use super::defect::payment;
use super::kernel::Kernel;
use super::point::DualPoint;
use super::product::accurate_product;
use crate::error::Result;
use crate::linalg::dense::degree;
use crate::linalg::lanczos::SymmetricOperator;
use crate::problem::TrainingProblem;
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure::*};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// The matrix of q(u, s) in the variables (u', s'), u = V·diag(a)·u', s = diag(b)·s', order d + n.
///
/// V is a stored d × d matrix close to orthogonal, a and b are powers of two, so the scaling is exact.
/// With G = XV and K the sparse kernel of y and N over (g, s) = (Gu', s'):
/// q = γ|Vu'|² + (g, s)ᵀK(g, s) − (1/4γ)|Wᵀ(g + s)|². With cuts, γ|Vu'|² is lowered by what their defects cost.
#[derive(Clone, Debug)]
pub struct Slack {
    pub(crate) v: Mat<f64>,
    pub(crate) g: Mat<f64>,
    pub(crate) kernel: Kernel,
    pub(crate) w: Mat<f64>,
    pub(crate) weight_decay: f64,
    /// The coefficient of |Vu'|²: γ, or with cuts a lower bound on γ less their payment.
    pub(crate) ridge: f64,
    pub(crate) scale: Vec<f64>,
}

impl Slack {
    /// Scaled coordinates: columns of XV and rows of the whitened X about 1. Refuses a malformed point.
    /// Sparse features are filled, as far as [`TrainingProblem::dense_features`] goes.
    pub fn new(problem: &TrainingProblem, dual: &DualPoint) -> Result<Self> {
        problem.dense_features()?;
        let basis = Basis::of(problem);
        let mut slack = Self::unscaled(problem, dual, &basis)?;
        slack.scale = natural_scale(slack.g.as_ref(), &basis.singular);
        Ok(slack)
    }

    /// All scales 1, in a given basis.
    pub(crate) fn unscaled(problem: &TrainingProblem, dual: &DualPoint, basis: &Basis) -> Result<Self> {
        dual.check(problem)?;
        let gamma = problem.weight_decay();
        let payment = payment(problem, &dual.cuts, &dual.pairs, &dual.n);
        Ok(Self {
            v: basis.v.clone(),
            g: accurate_product(problem.features(), basis.v.as_ref()),
            kernel: Kernel::new(&dual.forms(), &dual.y, &dual.pairs, &dual.n),
            w: dual.w.clone(),
            weight_decay: gamma,
            ridge: if payment == 0.0 { gamma } else { (gamma - payment).next_down() },
            scale: vec![1.0; problem.inputs() + problem.samples()],
        })
    }

    /// d.
    pub fn inputs(&self) -> usize {
        self.v.ncols()
    }

    /// n.
    pub fn samples(&self) -> usize {
        self.g.nrows()
    }

    /// V, d × d: u = V·diag(scale of u)·u'.
    pub fn basis(&self) -> MatRef<'_, f64> {
        self.v.as_ref()
    }

    /// The powers of two a (d) followed by b (n).
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// The dense matrix, order d + n; lower triangle computed and mirrored.
    pub fn dense(&self) -> Mat<f64> {
        let lower = self.lower();
        let s = &self.scale;
        Mat::from_fn(s.len(), s.len(), |i, j| lower[(i.max(j), i.min(j))] * s[i.max(j)] * s[i.min(j)])
    }

    /// The lower triangle of the matrix without the scales, zeros above it: the only dense matrix that is formed.
    pub(crate) fn lower(&self) -> Mat<f64> {
        let (d, n) = (self.inputs(), self.samples());
        let (uu, su) = self.hidden_blocks();
        let mut matrix = Mat::zeros(d + n, d + n);
        for j in 0..d {
            let column = matrix.col_as_slice_mut(j);
            (j..d).for_each(|i| column[i] = uu[(i, j)]);
            (0..n).for_each(|i| column[d + i] = su[(i, j)]);
        }
        self.fill_samples(matrix.as_mut().submatrix_mut(d, d, n, n));
        matrix
    }

    /// The lower triangle of ss (n × n) without the scales.
    pub(crate) fn sample_block(&self) -> Mat<f64> {
        let mut ss = Mat::zeros(self.samples(), self.samples());
        self.fill_samples(ss.as_mut());
        ss
    }

    /// The lower triangle of ss, in place of zeros.
    pub(crate) fn fill_samples(&self, mut ss: MatMut<'_, f64>) {
        let (n, c) = (self.samples(), self.w.ncols());
        let coefficient = 0.25 / self.weight_decay;
        let scaled = Mat::from_fn(n, c, |i, j| coefficient * self.w[(i, j)]);
        triangular::matmul(
            ss.as_mut(),
            TriangularLower,
            Accum::Replace,
            self.w.as_ref(),
            Rectangular,
            scaled.transpose(),
            Rectangular,
            -1.0,
            degree(n),
        );
        for i in 0..n {
            for (j, value) in self.kernel.row(n + i).filter(|entry| (n..=n + i).contains(&entry.0)) {
                ss[(i, j - n)] += value;
            }
        }
    }

    /// The diagonal entry of s_i without the scales and without W.
    pub(crate) fn sample_entry(&self, i: usize) -> f64 {
        let n = self.samples();
        self.kernel.row(n + i).filter(|entry| entry.0 == n + i).map(|entry| entry.1).sum()
    }

    /// The diagonal of uu, without the scales.
    pub(crate) fn hidden_diagonal(&self) -> Vec<f64> {
        let (uu, _) = self.hidden_blocks();
        (0..uu.ncols()).map(|j| uu[(j, j)]).collect()
    }

    /// The diagonal of ss, without the scales.
    pub(crate) fn sample_diagonal(&self) -> Vec<f64> {
        let (n, c) = (self.samples(), self.w.ncols());
        let coefficient = 0.25 / self.weight_decay;
        (0..n)
            .map(|i| {
                let square: f64 = (0..c).map(|k| self.w[(i, k)] * self.w[(i, k)]).sum();
                self.sample_entry(i) - coefficient * square
            })
            .collect()
    }

    /// The blocks uu (d × d) and su (n × d) without the scales; of uu trust the lower triangle.
    pub(crate) fn hidden_blocks(&self) -> (Mat<f64>, Mat<f64>) {
        let (d, c) = (self.inputs(), self.w.ncols());
        let coefficient = 0.25 / self.weight_decay;
        let (gg, mut su) = self.kernel_times_head();
        let mut h = Mat::zeros(c, d);
        matmul(h.as_mut(), Accum::Replace, self.w.transpose(), self.g.as_ref(), 1.0, Par::Seq);
        let scaled = Mat::from_fn(c, d, |i, j| coefficient * h[(i, j)]);
        let mut uu = Mat::zeros(d, d);
        matmul(uu.as_mut(), Accum::Replace, self.v.transpose(), self.v.as_ref(), 1.0, Par::Seq);
        for column in uu.col_iter_mut() {
            column.iter_mut().for_each(|value| *value *= self.ridge);
        }
        matmul(uu.as_mut(), Accum::Add, self.g.transpose(), gg.as_ref(), 1.0, Par::Seq);
        matmul(uu.as_mut(), Accum::Add, h.transpose(), scaled.as_ref(), -1.0, Par::Seq);
        matmul(su.as_mut(), Accum::Add, self.w.as_ref(), scaled.as_ref(), -1.0, Par::Seq);
        (uu, su)
    }

    /// K_gg G and K_sg G, both n × d.
    fn kernel_times_head(&self) -> (Mat<f64>, Mat<f64>) {
        let (d, n) = (self.inputs(), self.samples());
        let columns: Vec<Vec<f64>> = (0..d)
            .into_par_iter()
            .map(|j| {
                let column = self.g.col(j);
                let dot = |i| self.kernel.row(i).filter(|e| e.0 < n).map(|(k, v)| v * column[k]).sum();
                (0..2 * n).map(dot).collect()
            })
            .collect();
        (Mat::from_fn(n, d, |i, j| columns[j][i]), Mat::from_fn(n, d, |i, j| columns[j][n + i]))
    }

    /// P·z for z ≥ 0, where P bounds entrywise the sum of the absolute values of all monomials of the matrix.
    ///
    /// `head` (n × d) stands for |G|. Scales are not applied. All terms are nonnegative, so this is accurate.
    pub(crate) fn apply_magnitude(&self, head: MatRef<'_, f64>, z: &[f64]) -> Vec<f64> {
        let (d, n, c) = (self.inputs(), self.samples(), self.w.ncols());
        let coefficient = 0.25 / self.weight_decay;
        let mut gs = vec![0.0; 2 * n];
        for i in 0..n {
            gs[i] = (0..d).map(|j| head[(i, j)] * z[j]).sum();
            gs[n + i] = z[d + i];
        }
        let mut out = vec![0.0; 2 * n];
        self.kernel.apply_magnitude(&gs, &mut out);
        for k in 0..c {
            let inner: f64 = (0..n).map(|i| self.w[(i, k)].abs() * (gs[i] + gs[n + i])).sum();
            for i in 0..n {
                let value = coefficient * self.w[(i, k)].abs() * inner;
                out[i] += value;
                out[n + i] += value;
            }
        }
        let vz: Vec<f64> = (0..d).map(|i| (0..d).map(|j| self.v[(i, j)].abs() * z[j]).sum()).collect();
        let mut result = vec![0.0; d + n];
        for j in 0..d {
            let ridge: f64 = (0..d).map(|i| self.v[(i, j)].abs() * vz[i]).sum();
            let data: f64 = (0..n).map(|i| head[(i, j)] * out[i]).sum();
            result[j] = self.ridge.abs() * ridge + data;
        }
        result[d..].copy_from_slice(&out[n..]);
        result
    }

    /// Upper bound on the number of roundings any monomial of an entry of `blocks` goes through.
    pub(crate) fn roundings(&self) -> usize {
        let (d, n, c) = (self.inputs(), self.samples(), self.w.ncols());
        2 * n + d + c + self.kernel.contributions + self.kernel.longest_row() + 20
    }
}

impl SymmetricOperator for Slack {
    fn order(&self) -> usize {
        self.scale.len()
    }

    fn apply(&self, x: &[f64], out: &mut [f64]) {
        let (d, n, c) = (self.inputs(), self.samples(), self.w.ncols());
        let scaled: Vec<f64> = x.iter().zip(&self.scale).map(|(x, s)| x * s).collect();
        let mut gs = vec![0.0; 2 * n];
        for (j, z) in scaled[..d].iter().enumerate() {
            let column = self.g.col(j);
            (0..n).for_each(|i| gs[i] += column[i] * z);
        }
        gs[n..].copy_from_slice(&scaled[d..]);
        let mut kz = vec![0.0; 2 * n];
        self.kernel.apply(&gs, &mut kz);
        let coefficient = 0.25 / self.weight_decay;
        for k in 0..c {
            let column = self.w.col(k);
            let inner: f64 = (0..n).map(|i| column[i] * (gs[i] + gs[n + i])).sum();
            for i in 0..n {
                let value = coefficient * column[i] * inner;
                kz[i] -= value;
                kz[n + i] -= value;
            }
        }
        let mut u = vec![0.0; d];
        for (j, z) in scaled[..d].iter().enumerate() {
            (0..d).for_each(|i| u[i] += self.v[(i, j)] * z);
        }
        for (j, out) in out[..d].iter_mut().enumerate() {
            let ridge: f64 = (0..d).map(|i| self.v[(i, j)] * u[i]).sum();
            let data: f64 = (0..n).map(|i| self.g[(i, j)] * kz[i]).sum();
            *out = self.scale[j] * (self.ridge * ridge + data);
        }
        (0..n).for_each(|i| out[d + i] = self.scale[d + i] * kz[n + i]);
    }
}

/// Powers of two near 1/σ_j for u and 1/√(leverage) for s; 1 where there is nothing to scale by.
fn natural_scale(g: MatRef<'_, f64>, singular: &[f64]) -> Vec<f64> {
    let leverage = leverage(g, singular);
    let largest = singular.iter().copied().fold(0.0, f64::max);
    let u = singular
        .iter()
        .map(|s| if *s > 1e-12 * largest { power_of_two(1.0 / s) } else { power_of_two(1.0 / largest) });
    u.chain(leverage.iter().map(|l| power_of_two(1.0 / l.sqrt()))).collect()
}

/// Σ_j (G_ij/σ_j)² over the numerical rank of X, for each sample.
pub(crate) fn leverage(g: MatRef<'_, f64>, singular: &[f64]) -> Vec<f64> {
    let largest = singular.iter().copied().fold(0.0, f64::max);
    let rank: Vec<usize> = (0..singular.len()).filter(|j| singular[*j] > 1e-12 * largest).collect();
    (0..g.nrows()).map(|i| rank.iter().map(|&j| (g[(i, j)] / singular[j]).powi(2)).sum()).collect()
}

/// The power of two nearest below a positive number, within 2^±200; 1 for anything else.
pub(crate) fn power_of_two(value: f64) -> f64 {
    if !(value > 0.0 && value.is_finite()) {
        return 1.0;
    }
    let exponent = value.log2().floor().clamp(-200.0, 200.0) as i64;
    // Built from its bits: a library's power function need not be exact.
    f64::from_bits(((1023 + exponent) as u64) << 52)
}
