//! Blocks with a head matrix of their own: the slack with v kept as a variable, and the sum of the head matrices.

use super::is_zero;
use super::prove::{check_range, head_magnitude, is_nonsingular, scaled_is_semidefinite, taking_part};
use crate::dual::{Basis, DualPoint, Slack};
use crate::{Error, Result, TrainingProblem};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

/// Whether (u, v)ᵀ(γI + M)(u, v) − 2αᵀWv − 2Σ y_i α_iβ_i − 2Σ N_k p_a p_b ≥ 0 for all (u, s, v), proved.
///
/// γ is the weight decay of the block's problem and M (order d + c) its head matrix.
pub(super) fn lifted_is_semidefinite(
    problem: &TrainingProblem,
    dual: &DualPoint,
    head: MatRef<'_, f64>,
) -> Result<()> {
    check_range(problem, dual)?;
    check_head_range(head)?;
    if is_zero(dual) {
        return heads_add_up(&[-head], problem.weight_decay())
            .map_err(|_| Error::Refused("the head matrix leaves a negative weight decay".into()));
    }
    let part = taking_part(problem, dual)?;
    let (problem, dual) = part.as_ref().map_or((problem, dual), |(problem, dual)| (problem, dual));
    let basis = Basis::new(problem.dense_features()?);
    if !is_nonsingular(basis.v.as_ref()) {
        return Err(Error::Refused("the basis of feature space is not safely nonsingular".into()));
    }
    // Without W the slack is what u and s have among themselves, but for M.
    let (n, c) = (problem.samples(), problem.outputs());
    let without = DualPoint { w: Mat::zeros(n, c), ..dual.clone() };
    let slack = Slack::unscaled(problem, &without, &basis)?;
    let lifted = Lifted { slack, w: dual.w.as_ref(), m: head };
    let (d, matrix) = (lifted.slack.inputs(), lifted.lower());
    let g = head_magnitude(problem.features(), &lifted.slack);
    // VᵀMV goes through two products over d, GᵀW through one over n; the 2n of the slack exceeds both with this.
    let roundings = lifted.slack.roundings() + 2 * d + 10;
    scaled_is_semidefinite(matrix, roundings, |z| lifted.apply_magnitude(g.as_ref(), z))
}

/// Whether slack·I − Σ_k M_k is positive semidefinite, proved.
pub(super) fn heads_add_up(heads: &[Mat<f64>], slack: f64) -> Result<()> {
    heads.iter().try_for_each(|head| check_head_range(head.as_ref()))?;
    let order = heads.first().map_or(0, Mat::nrows);
    let mut sum = Mat::from_fn(order, order, |i, j| if i == j { slack } else { 0.0 });
    let mut magnitude = sum.clone();
    for head in heads {
        for j in 0..order {
            for i in 0..order {
                sum[(i, j)] -= head[(i, j)];
                magnitude[(i, j)] += head[(i, j)].abs();
            }
        }
    }
    let apply = |z: &[f64]| {
        (0..order).map(|i| (0..order).map(|j| magnitude[(i, j)] * z[j]).sum()).collect::<Vec<f64>>()
    };
    scaled_is_semidefinite(sum, heads.len() + 2, apply)
        .map_err(|_| Error::Refused("the head matrices do not add up to at most zero".into()))
}

fn check_head_range(head: MatRef<'_, f64>) -> Result<()> {
    if head.norm_max() <= 2f64.powi(100) {
        return Ok(());
    }
    Err(Error::Refused("a head matrix has a value beyond 2^100; rescale the problem".into()))
}

/// The slack of a block in (u', v, s), u = Vu'.
struct Lifted<'a> {
    /// Of the point with W = 0.
    slack: Slack,
    w: MatRef<'a, f64>,
    m: MatRef<'a, f64>,
}

impl Lifted<'_> {
    /// Order d + c + n; the lower triangle.
    fn lower(&self) -> Mat<f64> {
        let (d, n, c) = (self.slack.inputs(), self.slack.samples(), self.w.ncols());
        let (mut uu, su) = self.slack.head_blocks();
        let mut mv = Mat::zeros(d + c, d);
        let v = self.slack.basis();
        matmul(mv.as_mut(), Accum::Replace, self.m.subcols(0, d), v, 1.0, Par::Seq);
        matmul(uu.as_mut(), Accum::Add, v.transpose(), mv.subrows(0, d), 1.0, Par::Seq);
        let mut vu = mv.subrows(d, c).to_owned();
        matmul(vu.as_mut(), Accum::Add, self.w.transpose(), self.slack.g.as_ref(), -0.5, Par::Seq);
        let gamma = self.slack.weight_decay;
        let mut matrix = Mat::zeros(d + c + n, d + c + n);
        for j in 0..d {
            let column = matrix.col_as_slice_mut(j);
            (j..d).for_each(|i| column[i] = uu[(i, j)]);
            (0..c).for_each(|k| column[d + k] = vu[(k, j)]);
            (0..n).for_each(|i| column[d + c + i] = su[(i, j)]);
        }
        for k in 0..c {
            let column = matrix.col_as_slice_mut(d + k);
            (d + k..d + c).for_each(|i| column[i] = self.m[(i, d + k)]);
            column[d + k] += gamma;
            (0..n).for_each(|i| column[d + c + i] = -0.5 * self.w[(i, k)]);
        }
        self.slack.fill_samples(matrix.as_mut().submatrix_mut(d + c, d + c, n, n));
        matrix
    }

    /// P·z for z ≥ 0, P the same sums with absolute values; `g` (n × d) stands for |G|.
    fn apply_magnitude(&self, g: MatRef<'_, f64>, z: &[f64]) -> Vec<f64> {
        let (d, n, c) = (self.slack.inputs(), self.slack.samples(), self.w.ncols());
        let (zu, zv, zs) = (&z[..d], &z[d..d + c], &z[d + c..]);
        let v = self.slack.basis();
        let mut head: Vec<f64> = (0..d).map(|i| (0..d).map(|j| v[(i, j)].abs() * zu[j]).sum()).collect();
        head.extend_from_slice(zv);
        let m: Vec<f64> =
            (0..d + c).map(|i| (0..d + c).map(|j| self.m[(i, j)].abs() * head[j]).sum()).collect();
        let gs: Vec<f64> = (0..n).map(|i| zs[i] + (0..d).map(|j| g[(i, j)] * zu[j]).sum::<f64>()).collect();
        let wv: Vec<f64> =
            (0..n).map(|i| 0.5 * (0..c).map(|k| self.w[(i, k)].abs() * zv[k]).sum::<f64>()).collect();
        let plain = self.slack.apply_magnitude(g, &[zu, zs].concat());
        let mut out = Vec::with_capacity(z.len());
        for j in 0..d {
            let prices: f64 = (0..d).map(|i| v[(i, j)].abs() * m[i]).sum();
            let data: f64 = (0..n).map(|i| g[(i, j)] * wv[i]).sum();
            out.push(plain[j] + prices + data);
        }
        for k in 0..c {
            let data: f64 = (0..n).map(|i| self.w[(i, k)].abs() * gs[i]).sum();
            out.push(self.slack.weight_decay * zv[k] + m[d + k] + 0.5 * data);
        }
        out.extend((0..n).map(|i| plain[d + i] + wv[i]));
        out
    }
}
