//! The probabilistic grade: Lanczos from uniformly random starts finds a negative eigenvalue unless it was very unlucky.
//!
//! The law is that of Kuczyński and Woźniakowski (SIAM J. Matrix Anal. Appl. 13, 1992), proved again in
//! docs/certificate.md in the form used here, which holds for the computed vectors.

use super::chance::Chance;
use super::cholesky::{UNIT, gamma, proves_semidefinite};
use super::operator::{BoundedOperator, ScaledSlack};
use super::prove::proved_basis;
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::linalg::vector::{axpy, dot};
use crate::problem::TrainingProblem;
use crate::system::memory;
use faer::Mat;
use rand::RngExt;
use rand_distr::StandardNormal;
use rayon::prelude::*;

/// Failure probability left to one start, roughly: small ones are reached by several starts, which multiply.
const OF_ONE_START: f64 = 1e-3;
/// Steps between looks at the Ritz values.
const LOOK: usize = 20;
/// Rounding of the start's direction and of the normal deviates it is made of.
const START_ERROR: f64 = 1e-14;
/// A new vector this short against the product it came from ends the Krylov space.
const INVARIANT: f64 = 1e-11;
/// Entries of a vector handled at once; a constant, so that sums do not depend on the number of threads.
const CHUNK: usize = 4096;

/// Whether the slack of a dual point is positive semidefinite, unless something of at most the probability given happened.
///
/// The probability is over the seed, taken as the seed of a perfect source: whoever made the point must not have known it.
/// The values are in range and every sample takes part.
pub(super) fn slack_is_probably_semidefinite(
    problem: &TrainingProblem,
    dual: &DualPoint,
    chance: &Chance,
) -> Result<()> {
    let operator = ScaledSlack::new(problem, dual, &proved_basis(problem)?)?;
    // Half of the free memory for the vectors.
    let fits = memory::available() / (16 * operator.order() as u64);
    semidefinite_leaving(&operator, chance, chance.steps(usize::try_from(fits).unwrap_or(usize::MAX)))
}

/// Ok if S ⪰ 0, except that with at most the probability given (over the seed) it says so wrongly. [`prove_with`](super::prove_with)
/// draws the same starts for the same seed, for a certificate without blocks.
///
/// Lanczos from one or several random starts of at most `max_steps` steps, each of which keeps a vector. Refuses where
/// the smallest eigenvalue is negative, or positive but too small against B for a proof in that many steps.
pub fn semidefinite_except(
    operator: &dyn BoundedOperator,
    failure_probability: f64,
    seed: u64,
    max_steps: usize,
) -> Result<()> {
    semidefinite_leaving(operator, &Chance::of(failure_probability, Some(seed), max_steps), max_steps)
}

fn semidefinite_leaving(operator: &dyn BoundedOperator, chance: &Chance, max_steps: usize) -> Result<()> {
    let starts = (chance.probability.ln() / OF_ONE_START.ln()).round().max(1.0);
    // P(|⟨start, v⟩| ≤ t) ≤ t √(2N/π) for a unit vector v.
    let density = (2.0 * operator.order() as f64 / std::f64::consts::PI).sqrt();
    let overlap = 0.999 * chance.probability.powf(1.0 / starts) / density;
    let mut rng = chance.generator()?;
    for _ in 0..starts as u64 {
        let vector: Vec<f64> = (0..operator.order()).map(|_| rng.sample(StandardNormal)).collect();
        Krylov::new(operator, vector)?.accept(overlap, max_steps)?;
    }
    Ok(())
}

/// A Lanczos recurrence S Q = Q H + F with all coefficients kept and the defects bounded.
struct Krylov<'a> {
    operator: &'a dyn BoundedOperator,
    basis: Vec<Vec<f64>>,
    diagonal: Vec<f64>,
    off: Vec<f64>,
    /// Σ‖F_j‖², ‖H‖² and ‖QᵀQ − I‖², all from above.
    defect: f64,
    coefficients: f64,
    skew: f64,
    invariant: bool,
}

impl<'a> Krylov<'a> {
    fn new(operator: &'a dyn BoundedOperator, mut start: Vec<f64>) -> Result<Self> {
        let length = dot(&start, &start).sqrt();
        if !(length > 0.0 && length.is_finite()) {
            return Err(Error::Numerical("the random start of Lanczos"));
        }
        start.iter_mut().for_each(|value| *value /= length);
        let mut krylov = Self {
            operator,
            basis: vec![],
            diagonal: vec![],
            off: vec![],
            defect: 0.0,
            coefficients: 0.0,
            skew: 0.0,
            invariant: false,
        };
        krylov.append(start);
        Ok(krylov)
    }

    /// Keeps a vector and measures how far it is from orthonormal to those before.
    fn append(&mut self, vector: Vec<f64>) {
        // Rounding of an inner product of two vectors of norm at most 1.01.
        let rounding = 1.03 * gamma(vector.len());
        for inner in self.inner_products(&vector) {
            self.skew += 2.0 * (inner.abs() + rounding).powi(2);
        }
        self.skew += ((dot(&vector, &vector) - 1.0).abs() + rounding).powi(2);
        self.basis.push(vector);
    }

    fn inner_products(&self, vector: &[f64]) -> Vec<f64> {
        self.basis.par_iter().map(|q| dot(q, vector)).collect()
    }

    fn step(&mut self) -> Result<()> {
        let order = self.operator.order();
        let mut rest = vec![0.0; order];
        let last = self.basis.len() - 1;
        self.operator.apply(&self.basis[last], &mut rest);
        let mut size = dot(&rest, &rest).sqrt();
        let mut total = vec![0.0; last + 1];
        for _ in 0..2 {
            let inner = self.inner_products(&rest);
            rest.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, rest)| {
                let range = chunk * CHUNK..chunk * CHUNK + rest.len();
                self.basis.iter().zip(&inner).for_each(|(q, h)| axpy(-h, &q[range.clone()], rest));
            });
            for (total, inner) in total.iter_mut().zip(&inner) {
                *total += inner;
                size += inner.abs();
            }
        }
        let length = dot(&rest, &rest).sqrt();
        if !(size.is_finite() && length.is_finite()) {
            return Err(Error::Refused("the dual slack is not finite".into()));
        }
        // 2(j + 1) subtractions, the sum of two coefficients and the division that normalises, each below u·size.
        let mut defect = self.operator.error() + 1.1 * UNIT * (2 * last + 8) as f64 * size;
        self.diagonal.push(total[last]);
        self.coefficients += 1.1 * total.iter().map(|h| h * h).sum::<f64>();
        self.invariant = length <= INVARIANT * size;
        if self.invariant {
            // What is left counts as an error, and the space is invariant.
            defect += 1.1 * length;
        } else {
            self.off.push(length);
            self.coefficients += 1.1 * length * length;
            rest.iter_mut().for_each(|value| *value /= length);
            self.append(rest);
        }
        self.defect += 1.1 * defect * defect;
        Ok(())
    }

    /// Ok as soon as S ⪰ 0 follows from the start's overlap with every eigenvector being above `overlap`.
    fn accept(&mut self, overlap: f64, max_steps: usize) -> Result<()> {
        let limit = max_steps.min(self.operator.order());
        let mut room = f64::INFINITY;
        let mut least = f64::NEG_INFINITY;
        while self.diagonal.len() < limit && !self.invariant {
            self.step()?;
            let steps = self.diagonal.len();
            if !(steps.is_multiple_of(LOOK) || steps == limit || self.invariant) {
                continue;
            }
            least = smallest(&self.diagonal, &self.off[..steps - 1]);
            if least <= 0.0 {
                break;
            }
            let Some(needed) = self.needed(overlap) else { continue };
            room = needed;
            if least > needed && self.ritz_values_exceed(needed) {
                return Ok(());
            }
        }
        Err(Error::Refused(format!(
            "after {} steps of Lanczos the smallest eigenvalue of the scaled slack is estimated as {least:.2e}, and a proof needs {room:.2e}",
            self.diagonal.len()
        )))
    }

    /// ‖E‖ for which S + E has these vectors as an exact Krylov basis; None if they are too far from orthogonal.
    fn backward_error(&self) -> Option<f64> {
        (self.skew <= 1e-4).then(|| 2.05 * self.defect.sqrt())
    }

    /// The least θ for which Ritz values of at least θ prove S ⪰ 0 by the overlap; None if there is none.
    fn needed(&self, overlap: f64) -> Option<f64> {
        let error = self.backward_error()?;
        let above = 1.001 * (self.operator.above() + error);
        let degree = (2 * self.diagonal.len() - 1) as f64;
        let enough = |theta: f64| {
            // Eigenvalues of B − S above B − θ/8 are told from those below B − θ.
            let growth = if self.invariant {
                f64::INFINITY
            } else {
                (degree * (0.874 * theta / (above - theta)).sqrt().asinh()).cosh()
            };
            1.01 / growth + 8.1 * error / theta + START_ERROR <= overlap
        };
        let (mut low, mut high) = (0.0, 0.999 * above);
        if !enough(high) {
            return None;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if enough(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }

    /// Whether every Ritz value of S + E is at least θ, proved.
    fn ritz_values_exceed(&self, theta: f64) -> bool {
        let steps = self.diagonal.len();
        // The triangular factor of QᵀQ turns the stored coefficients into those of the orthonormal basis.
        let shift = theta + 3.1 * (self.skew * self.coefficients).sqrt();
        let matrix = Mat::from_fn(steps, steps, |i, j| match i.abs_diff(j) {
            0 => self.diagonal[i] - shift,
            1 => self.off[i.min(j)],
            _ => 0.0,
        });
        let rounding: Vec<f64> = (0..steps).map(|i| 2.0 * UNIT * (self.diagonal[i].abs() + shift)).collect();
        proves_semidefinite(matrix, &rounding)
    }
}

/// Estimate of the smallest eigenvalue of a symmetric tridiagonal matrix, by bisection on the signs of its pivots.
fn smallest(diagonal: &[f64], off: &[f64]) -> f64 {
    let radius =
        |i: usize| (if i > 0 { off[i - 1].abs() } else { 0.0 }) + off.get(i).map_or(0.0, |value| value.abs());
    let mut low = (0..diagonal.len()).map(|i| diagonal[i] - radius(i)).fold(f64::INFINITY, f64::min);
    let mut high = diagonal.iter().copied().fold(f64::INFINITY, f64::min);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        let mut pivot = diagonal[0] - middle;
        let positive = pivot > 0.0
            && (1..diagonal.len()).all(|i| {
                pivot = diagonal[i] - middle - off[i - 1] * off[i - 1] / pivot;
                pivot > 0.0
            });
        if positive { low = middle } else { high = middle }
    }
    low
}
