//! How much a shift η of y costs: Schur complements of the dual slack in floating point.

use super::block::Block;
use crate::dual::{Basis, DualPoint, Slack, leverage};
use crate::error::{Error, Result};
use crate::linalg::dense::{Cholesky, product, symmetric_eigen, symmetric_eigenvalues};
use crate::problem::{HeadDecay, TrainingProblem};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, Mat, Par};

/// The dual slack of one point, ready for Schur complements on the u block.
pub(crate) struct Shifter {
    pub(crate) head: Mat<f64>,
    pub(crate) leverage: Vec<f64>,
    pub(crate) diagonal: Vec<f64>,
    uu: Mat<f64>,
    su: Mat<f64>,
    ss: Block,
    weight_decay: f64,
    /// Of the form of u alone where (u, v) has a weight decay of its own: the unit that `least` is told in, instead of γ.
    ridge: Option<Cholesky>,
    /// Part of each diagonal entry that is kept for the rounding of a proof.
    pub(crate) margin: f64,
}

/// What a shift leads to.
pub(crate) struct Outcome {
    /// Least eigenvalue of the head's Schur complement over γ (or over the form of u alone), margins subtracted.
    pub(crate) least: f64,
    /// Supergradient of the least eigenvalue (smoothed) with respect to η, n.
    pub(crate) gradient: Vec<f64>,
}

impl Shifter {
    pub(crate) fn new(
        problem: &TrainingProblem,
        dual: &DualPoint,
        head: Option<&HeadDecay>,
        margin: f64,
    ) -> Result<Self> {
        problem.dense_features()?;
        let basis = Basis::of(problem);
        let slack = Slack::unscaled(problem, dual, &basis)?;
        let leverage = leverage(slack.g.as_ref(), &basis.singular);
        let (slack, uu, su, ridge) = match head {
            None => {
                let (uu, su) = slack.hidden_blocks();
                (slack, uu, su, None)
            }
            Some(head) => {
                let priced = without_outputs(slack, head);
                let (slack, uu, su, ridge) = priced.ok_or(Error::Numerical("the slack of a priced block"))?;
                (slack, uu, su, Some(ridge))
            }
        };
        let ss = Block::new(&slack);
        let diagonal = ss.diagonal().iter().map(|d| d.abs()).collect();
        Ok(Self {
            leverage,
            diagonal,
            head: slack.g,
            uu,
            su,
            ss,
            weight_decay: slack.weight_decay,
            ridge,
            margin,
        })
    }

    /// Multiplications of one [`outcome`](Self::outcome), roughly.
    pub(crate) fn cost(&self) -> f64 {
        let (n, d) = (self.su.nrows() as f64, self.su.ncols() as f64);
        self.ss.cost() + n * d * d
    }

    /// margin·(|diagonal of s| + η): what the proof will need for its rounding.
    pub(crate) fn margin(&self, eta: &[f64]) -> Vec<f64> {
        self.diagonal.iter().zip(eta).map(|(d, e)| self.margin * (d + e)).collect()
    }

    /// λ_max(Gᵀdiag(π)G)/γ: how much of the weight decay the profile π costs at most.
    pub(crate) fn price(&self, profile: &[f64]) -> f64 {
        let d = self.uu.ncols();
        let gram = self.weighted_gram(profile);
        // The trace bounds it from above, within a factor of the rank.
        (0..d).map(|j| gram[(j, j)]).sum::<f64>() / self.weight_decay
    }

    fn weighted_gram(&self, weight: &[f64]) -> Mat<f64> {
        let (n, d) = (self.head.nrows(), self.head.ncols());
        let scaled = Mat::from_fn(n, d, |i, j| weight[i] * self.head[(i, j)]);
        let mut gram = Mat::zeros(d, d);
        matmul(gram.as_mut(), Accum::Replace, self.head.transpose(), scaled.as_ref(), 1.0, Par::Seq);
        gram
    }

    /// Eliminates s from q + Σ η_i(s_i² − g_i²); None if the s block is not positive definite.
    pub(crate) fn outcome(&self, eta: &[f64], with_gradient: bool) -> Option<Outcome> {
        let (n, d) = (self.su.nrows(), self.su.ncols());
        let factor = self.ss.factored(eta)?;
        let total: Vec<f64> = eta.iter().zip(self.margin(eta)).map(|(e, m)| e + m).collect();
        let mut head = &self.uu - self.weighted_gram(&total) - factor.form(&self.su);
        (0..d).for_each(|j| head[(j, j)] -= self.margin * self.uu[(j, j)].abs());
        if !(0..d).all(|j| (0..d).all(|i| head[(i, j)].is_finite())) {
            return None;
        }
        let unit = if self.ridge.is_some() { 1.0 } else { self.weight_decay };
        if let Some(ridge) = &self.ridge {
            head = over_ridge(&head, ridge);
        }
        let mut gradient = Vec::new();
        let least;
        if !with_gradient {
            least = symmetric_eigenvalues(head.as_ref())?[0] / unit;
        } else {
            let (values, mut vectors) = symmetric_eigen(head.as_ref())?;
            if let Some(ridge) = &self.ridge {
                solve_upper_triangular_in_place(ridge.lower().transpose(), vectors.as_mut(), Par::Seq);
            }
            least = values[0] / unit;
            gradient = vec![0.0; n];
            let mut sum = 0.0;
            for k in 0..d {
                let weight =
                    (-(values[k] - values[0]) / (0.1 * values[0].abs()).max(f64::MIN_POSITIVE)).exp();
                if weight < 1e-6 {
                    break;
                }
                sum += weight;
                let v = vectors.subcols(k, 1);
                let x = product(self.head.as_ref(), v);
                let s = factor.solution(product(self.su.as_ref(), v).as_ref());
                (0..n).for_each(|i| gradient[i] += weight * (s[(i, 0)].powi(2) - x[(i, 0)].powi(2)));
            }
            gradient.iter_mut().for_each(|value| *value /= sum);
        }
        least.is_finite().then_some(Outcome { least, gradient })
    }
}

/// The slack of a block whose (u, v) has a weight decay of its own, v eliminated: with R = H_vv⁻¹H_vu,
/// q = uᵀ(H_uu − H_uvR)u + 2αᵀWRu − αᵀWH_vv⁻¹Wᵀα + …, the blocks uu and su, and a factor of the first term.
fn without_outputs(slack: Slack, head: &HeadDecay) -> Option<(Slack, Mat<f64>, Mat<f64>, Cholesky)> {
    let w = product(slack.w.as_ref(), head.output_root()?.as_ref());
    let cross = {
        let per_input = product(head.outputs_per_input().as_ref(), slack.v.as_ref());
        product(slack.w.as_ref(), per_input.as_ref())
    };
    let slack = Slack { w, ..slack };
    let (mut uu, mut su) = slack.hidden_blocks();
    let alone = product(slack.v.transpose(), product(head.of_inputs().as_ref(), slack.v.as_ref()).as_ref());
    let gram = product(slack.v.transpose(), slack.v.as_ref());
    let coupled = product(slack.g.transpose(), cross.as_ref());
    for j in 0..uu.ncols() {
        for i in 0..uu.nrows() {
            uu[(i, j)] += 0.5 * (alone[(i, j)] + alone[(j, i)]) - slack.weight_decay * gram[(i, j)]
                + 0.5 * (coupled[(i, j)] + coupled[(j, i)]);
        }
    }
    su += 0.5 * cross;
    let mut ridge = Cholesky::default();
    ridge.factorize(&alone, 0.0).then_some((slack, uu, su, ridge))
}

/// L⁻¹ A L⁻ᵀ for the factor L.
fn over_ridge(matrix: &Mat<f64>, ridge: &Cholesky) -> Mat<f64> {
    let mut left = matrix.clone();
    solve_lower_triangular_in_place(ridge.lower(), left.as_mut(), Par::Seq);
    let mut both = left.transpose().to_owned();
    solve_lower_triangular_in_place(ridge.lower(), both.as_mut(), Par::Seq);
    both
}
