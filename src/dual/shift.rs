//! How much a shift η of y costs: Schur complements of the dual slack in floating point.

use super::basis::Basis;
use super::block::Block;
use super::point::DualPoint;
use super::slack::{Slack, leverage};
use crate::linalg::{product, symmetric_eigen, symmetric_eigenvalues};
use crate::{Result, TrainingProblem};
use faer::linalg::matmul::matmul;
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
    /// Part of each diagonal entry kept in hand for the rounding of a proof.
    pub(crate) margin: f64,
}

/// What a shift leads to.
pub(crate) struct Outcome {
    /// Least eigenvalue of the head's Schur complement over γ, margins subtracted.
    pub(crate) least: f64,
    /// Supergradient of the least eigenvalue (smoothed) with respect to η, n.
    pub(crate) gradient: Vec<f64>,
}

impl Shifter {
    pub(crate) fn new(problem: &TrainingProblem, dual: &DualPoint, margin: f64) -> Result<Self> {
        problem.dense_features()?;
        let basis = Basis::of(problem);
        let slack = Slack::unscaled(problem, dual, &basis)?;
        let (uu, su) = slack.head_blocks();
        let ss = Block::new(&slack);
        let diagonal = ss.diagonal().iter().map(|d| d.abs()).collect();
        Ok(Self {
            leverage: leverage(slack.g.as_ref(), &basis.singular),
            diagonal,
            head: slack.g,
            uu,
            su,
            ss,
            weight_decay: slack.weight_decay,
            margin,
        })
    }

    /// Multiplications of one [`outcome`](Self::outcome), roughly.
    pub(crate) fn cost(&self) -> f64 {
        let (n, d) = (self.su.nrows() as f64, self.su.ncols() as f64);
        self.ss.cost() + n * d * d
    }

    /// margin·(|diagonal of s| + η): what the proof will want in hand for its roundings.
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
        let mut gradient = Vec::new();
        let least;
        if !with_gradient {
            least = symmetric_eigenvalues(head.as_ref())?[0] / self.weight_decay;
        } else {
            let (values, vectors) = symmetric_eigen(head.as_ref())?;
            least = values[0] / self.weight_decay;
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
