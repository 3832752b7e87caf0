//! Products with the scaled slack whose rounding does not grow with the samples, and bounds on its norm.

use super::cholesky::gamma;
use super::prove::head_magnitude;
use crate::dual::{Basis, DualPoint, Slack, power_of_two};
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use faer::{Mat, MatRef};
use rayon::prelude::*;

/// A symmetric operator S with what is known of it for certain.
pub trait BoundedOperator: Sync {
    /// N, the number of rows and columns.
    fn order(&self) -> usize;
    /// out = Sx up to `error`.
    fn apply(&self, x: &[f64], out: &mut [f64]);
    /// B ≥ λ_max(S), for certain.
    fn above(&self) -> f64;
    /// Bound on ‖computed Sx − Sx‖ for ‖x‖ ≤ 1.01.
    fn error(&self) -> f64;
}

/// Terms added up one after another; longer sums are halved until they are as short.
const SHORT: usize = 64;
/// Roundings that a term of a sum of at most 2^40 terms meets.
const SUM: usize = SHORT + 40;

/// D A D for the matrix A of the slack in (u', s) and powers of two D that bring its diagonal near 1.
pub(super) struct ScaledSlack {
    slack: Slack,
    scale: Vec<f64>,
    above: f64,
    error: f64,
}

impl ScaledSlack {
    pub(super) fn new(problem: &TrainingProblem, dual: &DualPoint, basis: &Basis) -> Result<Self> {
        let slack = Slack::unscaled(problem, dual, basis)?;
        let mut scale = Vec::with_capacity(slack.inputs() + slack.samples());
        for entry in slack.hidden_diagonal().into_iter().chain(slack.sample_diagonal()) {
            if !(entry > 0.0 && entry.is_finite()) {
                return Err(Error::Refused(
                    "the dual slack has a diagonal entry that is not positive".into(),
                ));
            }
            scale.push(power_of_two(1.0 / entry.sqrt()));
        }
        let head = head_magnitude(problem.features(), slack.g.as_ref(), slack.v.as_ref());
        let norm = norm_above(&slack, head.as_ref(), &scale)?;
        // Without W the slack is greater, and its magnitudes are smaller.
        let without = Slack { w: Mat::zeros(slack.samples(), problem.outputs()), ..slack.clone() };
        let above = norm_above(&without, head.as_ref(), &scale)?;
        let (d, c) = (slack.inputs(), problem.outputs());
        // Two long sums, the three short ones over features, a row of the kernel and its making, the outputs, two heads.
        let roundings = 2 * SUM + 3 * d + c + slack.kernel.longest_row() + slack.kernel.contributions + 40;
        let error = 1.05 * gamma(roundings) * norm + 2f64.powi(-100);
        Ok(Self { slack, scale, above, error })
    }
}

/// ‖DPD‖ from above: a nonnegative symmetric matrix has its norm below the greatest ratio (Pz)_i/z_i, for any z > 0.
fn norm_above(slack: &Slack, head: MatRef<'_, f64>, scale: &[f64]) -> Result<f64> {
    let mut z = vec![1.0; scale.len()];
    let mut best = f64::INFINITY;
    for _ in 0..12 {
        let scaled: Vec<f64> = z.iter().zip(scale).map(|(z, s)| z * s).collect();
        let image = slack.apply_magnitude(head, &scaled);
        let image: Vec<f64> = image.iter().zip(scale).map(|(value, s)| value * s).collect();
        best = image.iter().zip(&z).map(|(a, z)| a / z).fold(0.0, f64::max).min(best);
        let largest = image.iter().copied().fold(0.0, f64::max);
        // The square root of an iteration cannot oscillate, and no entry may vanish.
        z = z.iter().zip(&image).map(|(z, a)| (z * (a / largest)).sqrt().max(1e-6)).collect();
    }
    // 1.02 pays for the rounding of sums of nonnegative terms.
    let norm = 1.02 * best;
    if norm.is_finite() { Ok(norm) } else { Err(Error::Refused("the dual slack has no finite norm".into())) }
}

/// Σ f(i), every term meeting at most [`SUM`] roundings.
fn sum(from: usize, to: usize, f: &impl Fn(usize) -> f64) -> f64 {
    if to - from <= SHORT {
        return (from..to).map(f).sum();
    }
    let middle = from + (to - from) / 2;
    sum(from, middle, f) + sum(middle, to, f)
}

impl BoundedOperator for ScaledSlack {
    fn order(&self) -> usize {
        self.scale.len()
    }

    fn above(&self) -> f64 {
        self.above
    }

    fn error(&self) -> f64 {
        self.error
    }

    fn apply(&self, x: &[f64], out: &mut [f64]) {
        let slack = &self.slack;
        let (d, n, c) = (slack.inputs(), slack.samples(), slack.w.ncols());
        let z: Vec<f64> = x.iter().zip(&self.scale).map(|(x, s)| x * s).collect();
        let coefficient = 0.25 / slack.weight_decay;
        let mut gs: Vec<f64> =
            (0..n).into_par_iter().map(|i| (0..d).map(|j| slack.g[(i, j)] * z[j]).sum()).collect();
        gs.extend_from_slice(&z[d..]);
        let inner: Vec<f64> = (0..c)
            .into_par_iter()
            .map(|k| coefficient * sum(0, n, &|i| slack.w[(i, k)] * (gs[i] + gs[n + i])))
            .collect();
        let kz: Vec<f64> = (0..2 * n)
            .into_par_iter()
            .map(|i| {
                let sparse: f64 = slack.kernel.row(i).map(|(j, value)| value * gs[j]).sum();
                sparse - (0..c).map(|k| slack.w[(i % n, k)] * inner[k]).sum::<f64>()
            })
            .collect();
        let vz: Vec<f64> = (0..d).map(|i| (0..d).map(|j| slack.v[(i, j)] * z[j]).sum()).collect();
        let head: Vec<f64> = (0..d)
            .into_par_iter()
            .map(|j| {
                let ridge: f64 = (0..d).map(|i| slack.v[(i, j)] * vz[i]).sum();
                slack.ridge * ridge + sum(0, n, &|i| slack.g[(i, j)] * kz[i])
            })
            .collect();
        for (k, out) in out.iter_mut().enumerate() {
            *out = self.scale[k] * if k < d { head[k] } else { kz[n + k - d] };
        }
    }
}
