//! The slack with v kept as a variable: for blocks with a head matrix of their own, and because it is sparse in s.

use super::elimination::Elimination;
use super::factorisations::{Factorisations, Limits};
use super::is_zero;
use super::positive::form_is_semidefinite;
use super::prove::{
    check_range, head_magnitude, not_proved, proved_basis, row_errors, scaled_is_semidefinite, scales,
    taking_part,
};
use super::sparse::Arrow;
use crate::dual::{DualPoint, Slack};
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

/// Whether (u, v)ᵀ(γI + M)(u, v) − 2αᵀWv − 2Σ y_i α_iβ_i − 2Σ N_k p_a p_b ≥ 0 for all (u, s, v), proved.
///
/// γ is the weight decay of the block's problem and M (order d + c) its head matrix. None where no factorisation fits.
pub(crate) fn lifted_is_semidefinite(
    problem: &TrainingProblem,
    dual: &DualPoint,
    head: MatRef<'_, f64>,
    limits: &Limits,
) -> Result<Option<()>> {
    check_range(problem, dual)?;
    check_head_range(head)?;
    // A head matrix weighs each feature by itself: sparse features have to be filled.
    problem.dense_features()?;
    if is_zero(dual) {
        return heads_add_up(&[-head], problem.weight_decay())
            .map(Some)
            .map_err(|_| Error::Refused("the head matrix leaves a negative weight decay".into()));
    }
    let part = taking_part(problem, dual)?;
    let (problem, dual) = part.as_ref().map_or((problem, dual), |(problem, dual)| (problem, dual));
    let methods = Factorisations::new(problem.inputs(), dual, problem.outputs(), limits);
    methods.try_each(
        dual,
        || form_is_semidefinite(problem, dual, Some(head)),
        |elimination| lifted_by_elimination(problem, dual, Some(head), elimination),
        || {
            let (lifted, g) = Lifted::new(problem, dual, head)?;
            let magnitude = |z: &[f64]| lifted.apply_magnitude(g.as_ref(), z);
            scaled_is_semidefinite(lifted.lower(), lifted.roundings(), magnitude)
        },
    )
}

/// Proves by a sparse factorisation what [`lifted_is_semidefinite`] proves by a dense one. Without a head matrix M = 0.
///
/// The values are in range and every sample takes part.
pub(super) fn lifted_by_elimination(
    problem: &TrainingProblem,
    dual: &DualPoint,
    head: Option<MatRef<'_, f64>>,
    elimination: &Elimination,
) -> Result<()> {
    let order = problem.inputs() + problem.outputs();
    let zero = Mat::zeros(order, order);
    let (lifted, g) = Lifted::new(problem, dual, head.unwrap_or(zero.as_ref()))?;
    let (head, side) = lifted.head_and_side();
    let kernel = (0..problem.samples()).map(|i| lifted.slack.sample_entry(i));
    let scale = scales((0..order).map(|k| head[(k, k)]).chain(kernel))?;
    let row_error = row_errors(&lifted.apply_magnitude(g.as_ref(), &scale), &scale, lifted.roundings());
    let arrow = lifted.arrow(&head, &side, &scale, &elimination.order)?;
    drop((head, side));
    let on_samples = elimination.order.iter().map(|&i| row_error[order + i]);
    let row_error: Vec<f64> = on_samples.chain(row_error[..order].iter().copied()).collect();
    if arrow.proves_semidefinite(&row_error, elimination.sparse) { Ok(()) } else { Err(not_proved()) }
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

impl<'a> Lifted<'a> {
    /// And a matrix for |G| in [`apply_magnitude`](Self::apply_magnitude).
    fn new(problem: &TrainingProblem, dual: &'a DualPoint, m: MatRef<'a, f64>) -> Result<(Self, Mat<f64>)> {
        // Without W the slack is what u and s have among themselves, but for M.
        let without = DualPoint { w: Mat::zeros(problem.samples(), problem.outputs()), ..dual.clone() };
        let slack = Slack::unscaled(problem, &without, &proved_basis(problem)?)?;
        let g = head_magnitude(problem.features(), slack.g.as_ref(), slack.v.as_ref());
        Ok((Self { slack, w: dual.w.as_ref(), m }, g))
    }

    /// Upper bound on the number of roundings any monomial of an entry goes through.
    fn roundings(&self) -> usize {
        // VᵀMV goes through two products over d, GᵀW through one over n; the 2n of the slack exceeds both with this.
        self.slack.roundings() + 2 * self.slack.inputs() + 10
    }

    /// The lower triangle of the head (u', v), order d + c, and its rows in the columns of s, transposed: n × (d + c).
    fn head_and_side(&self) -> (Mat<f64>, Mat<f64>) {
        let (d, n, c) = (self.slack.inputs(), self.slack.samples(), self.w.ncols());
        let (mut uu, su) = self.slack.hidden_blocks();
        let mut mv = Mat::zeros(d + c, d);
        let v = self.slack.basis();
        matmul(mv.as_mut(), Accum::Replace, self.m.subcols(0, d), v, 1.0, Par::Seq);
        matmul(uu.as_mut(), Accum::Add, v.transpose(), mv.subrows(0, d), 1.0, Par::Seq);
        let mut vu = mv.subrows(d, c).to_owned();
        matmul(vu.as_mut(), Accum::Add, self.w.transpose(), self.slack.g.as_ref(), -0.5, Par::Seq);
        let gamma = self.slack.weight_decay;
        let head = Mat::from_fn(d + c, d + c, |i, j| match (i < d, j < d) {
            _ if i < j => 0.0,
            (true, _) => uu[(i, j)],
            (false, true) => vu[(i - d, j)],
            (false, false) => self.m[(i, j)] + if i == j { gamma } else { 0.0 },
        });
        let side = Mat::from_fn(n, d + c, |i, j| if j < d { su[(i, j)] } else { -0.5 * self.w[(i, j - d)] });
        (head, side)
    }

    /// Order d + c + n; the lower triangle.
    fn lower(&self) -> Mat<f64> {
        let (head, side) = self.head_and_side();
        let (n, h) = (side.nrows(), side.ncols());
        let mut matrix = Mat::zeros(h + n, h + n);
        for j in 0..h {
            let column = matrix.col_as_slice_mut(j);
            column[j..h].copy_from_slice(&head.col_as_slice(j)[j..]);
            column[h..].copy_from_slice(side.col_as_slice(j));
        }
        self.slack.fill_samples(matrix.as_mut().submatrix_mut(h, h, n, n));
        matrix
    }

    /// The scaled matrix with the samples first, in the given order.
    fn arrow(&self, head: &Mat<f64>, side: &Mat<f64>, scale: &[f64], order: &[usize]) -> Result<Arrow> {
        let (n, h) = (side.nrows(), side.ncols());
        let mut place = vec![usize::MAX; n];
        order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
        if order.len() != n || place.contains(&usize::MAX) {
            return Err(Error::Numerical("the order of elimination"));
        }
        let (mut start, mut row, mut value) = (vec![0], Vec::new(), Vec::new());
        for (j, &old) in order.iter().enumerate() {
            for (other, entry) in self.slack.kernel.row(n + old).filter(|entry| entry.0 >= n) {
                let i = place[other - n];
                if i > j {
                    row.push(i as u32);
                    value.push(entry * scale[h + other - n] * scale[h + old]);
                }
            }
            start.push(row.len());
        }
        Ok(Arrow {
            start,
            row,
            value,
            diagonal: order
                .iter()
                .map(|&i| self.slack.sample_entry(i) * scale[h + i] * scale[h + i])
                .collect(),
            side: Mat::from_fn(h, n, |k, j| side[(order[j], k)] * scale[k] * scale[h + order[j]]),
            head: Mat::from_fn(h, h, |i, j| head[(i, j)] * scale[i] * scale[j]),
        })
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
