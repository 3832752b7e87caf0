//! Preconditioned conjugate gradients for the Newton system, by products alone.

use crate::linalg::vector::{axpy, dot};

/// Where negative curvature ends the iteration within so many steps, its iterate is not taken (conventional:
/// `docs/mathematics.md`, section 4).
const TRUNCATED_AFTER: usize = 3;

/// How the conjugate gradients ended.
pub(super) enum Outcome {
    /// The residual is small enough.
    Solved,
    /// A direction of that curvature (per unit length, at most zero) was met within the first [`TRUNCATED_AFTER`] steps.
    NegativeCurvature(f64),
    /// Negative curvature was met after more steps. What they found is a descent direction, and minimises the model in the
    /// space they span (Nash, SIAM J. Numer. Anal. 21, 1984).
    Truncated(f64),
    /// The limit on steps was reached; the step is a descent direction all the same.
    Slow,
}

/// Memory of the iteration, reused between calls.
#[derive(Debug, Default)]
pub(super) struct ConjugateGradients {
    residual: Vec<f64>,
    preconditioned: Vec<f64>,
    direction: Vec<f64>,
    product: Vec<f64>,
}

impl ConjugateGradients {
    /// Solves A·step = −gradient until the residual has fallen to `tolerance` in the preconditioner's norm.
    pub(super) fn solve(
        &mut self,
        gradient: &[f64],
        tolerance: f64,
        limit: usize,
        mut multiply: impl FnMut(&[f64], &mut [f64]),
        mut precondition: impl FnMut(&[f64], &mut [f64]),
        step: &mut [f64],
    ) -> Outcome {
        step.fill(0.0);
        self.residual.clear();
        self.residual.extend(gradient.iter().map(|g| -g));
        self.preconditioned.resize(gradient.len(), 0.0);
        self.product.resize(gradient.len(), 0.0);
        precondition(&self.residual, &mut self.preconditioned);
        self.direction.clone_from(&self.preconditioned);
        let mut energy = dot(&self.residual, &self.preconditioned);
        let target = tolerance * tolerance * energy;
        for step_count in 0..limit {
            multiply(&self.direction, &mut self.product);
            let curvature = dot(&self.direction, &self.product);
            // Written so that a NaN counts as negative curvature.
            if !(curvature > 0.0 && energy > 0.0) {
                let square = dot(&self.direction, &self.direction);
                let curvature = (curvature / square.max(f64::MIN_POSITIVE)).min(0.0);
                return if step_count < TRUNCATED_AFTER {
                    Outcome::NegativeCurvature(curvature)
                } else {
                    Outcome::Truncated(curvature)
                };
            }
            let length = energy / curvature;
            axpy(length, &self.direction, step);
            axpy(-length, &self.product, &mut self.residual);
            precondition(&self.residual, &mut self.preconditioned);
            let next = dot(&self.residual, &self.preconditioned);
            if next <= target {
                return Outcome::Solved;
            }
            let ratio = next / energy;
            energy = next;
            for (d, p) in self.direction.iter_mut().zip(&self.preconditioned) {
                *d = p + ratio * *d;
            }
        }
        Outcome::Slow
    }
}
