//! The inner minimiser: Newton's method with Levenberg–Marquardt regularisation.

use super::Factor;
use super::hessian::HessianAssembler;
use super::lagrangian::{AugmentedLagrangian, Workspace};
use super::system::{NewtonSystem, Solution};
use crate::control::Control;
use crate::linalg::vector::dot;
use std::time::{Duration, Instant};

/// Corrections with one factorisation: they follow the curved valleys of a large penalty (Maratos effect).
const CORRECTIONS: usize = 6;

/// Regularisation after a direction of negative curvature, as a multiple of that curvature.
const BEYOND: f64 = 1.5;

/// How a subproblem ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InnerStatus {
    /// The gradient is below its tolerance.
    Converged,
    /// No step decreases the function any more beyond rounding.
    Stalled,
    /// The limit on iterations was reached.
    IterationLimit,
    /// The control asked to stop.
    Stopped,
}

/// What the minimiser did.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct InnerReport {
    /// How it ended.
    pub status: InnerStatus,
    /// Newton steps taken.
    pub iterations: usize,
    /// Largest entry of the gradient at the end.
    pub gradient: f64,
}

/// Newton's method; keeps its regularisation and memory between calls.
#[derive(Debug)]
pub struct NewtonMinimizer {
    system: NewtonSystem,
    regularization: f64,
    floor: f64,
    work: Workspace,
    trial_work: Workspace,
    corrected_work: Workspace,
    gradient: Vec<f64>,
    trial_gradient: Vec<f64>,
    last_step: Duration,
}

impl NewtonMinimizer {
    /// `scale` is the size of the objective; regularisation starts at a millionth of it.
    pub fn new(assembler: HessianAssembler, scale: f64) -> Self {
        Self {
            regularization: 1e-6 * scale,
            floor: 1e-14 * scale,
            system: NewtonSystem::new(assembler),
            work: Workspace::default(),
            trial_work: Workspace::default(),
            corrected_work: Workspace::default(),
            gradient: Vec::new(),
            trial_gradient: Vec::new(),
            last_step: Duration::ZERO,
        }
    }

    /// The regularisation, and whether the block preconditioner was too slow.
    pub(super) fn memory(&self) -> (f64, bool) {
        (self.regularization, self.system.is_slow())
    }

    /// Takes over what [`memory`](Self::memory) gave.
    pub(super) fn remember(&mut self, regularization: f64, slow: bool) {
        self.regularization = regularization;
        self.system.set_slow(slow);
    }

    /// The workspace at the last accepted point.
    pub fn workspace(&self) -> &Workspace {
        &self.work
    }

    /// The assembler and the workspace at the last accepted point.
    pub fn parts(&mut self) -> (&mut HessianAssembler, &Workspace) {
        (&mut self.system.assembler, &self.work)
    }

    /// Evaluates at a factor without moving; returns the value.
    pub fn evaluate(&mut self, lagrangian: &AugmentedLagrangian<'_>, factor: &Factor) -> f64 {
        lagrangian.value(factor, &mut self.work)
    }

    /// Minimises from `factor` in place until the largest gradient entry is at most `tolerance`.
    pub fn minimize(
        &mut self,
        lagrangian: &AugmentedLagrangian<'_>,
        factor: &mut Factor,
        tolerance: f64,
        limit: usize,
        control: &Control,
    ) -> InnerReport {
        let size = factor.values.len();
        let mut value = lagrangian.value(factor, &mut self.work);
        let (mut trial, mut corrected) = (factor.clone(), factor.clone());
        let mut step = vec![0.0; size];
        let mut iterations = 0;
        loop {
            lagrangian.gradient(factor, &mut self.work, &mut self.gradient);
            let norm = self.gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
            let report = |status| InnerReport { status, iterations, gradient: norm };
            if norm <= tolerance {
                return report(InnerStatus::Converged);
            }
            if self.is_over(control) {
                return report(InnerStatus::Stopped);
            }
            if iterations == limit || !norm.is_finite() {
                return report(InnerStatus::IterationLimit);
            }
            self.system.moved(size);
            let (mut accepted, mut refused) = (None, false);
            for _ in 0..60 {
                if self.is_over(control) {
                    break;
                }
                let begun = Instant::now();
                let found = self.step(lagrangian, factor, &mut step, control);
                self.last_step = begun.elapsed();
                let (predicted, curvature) = match found {
                    Ok(found) => found,
                    Err(curvature) => {
                        refused = true;
                        self.increase(4.0);
                        self.regularization = self.regularization.max(-BEYOND * curvature);
                        continue;
                    }
                };
                add(&factor.values, &step, &mut trial.values);
                let mut next = lagrangian.value(&trial, &mut self.trial_work);
                for _ in 0..if self.system.can_correct() { CORRECTIONS } else { 0 } {
                    lagrangian.gradient(&trial, &mut self.trial_work, &mut self.trial_gradient);
                    self.system.correct(lagrangian, &self.trial_gradient, &mut step);
                    add(&trial.values, &step, &mut corrected.values);
                    let value = lagrangian.value(&corrected, &mut self.corrected_work);
                    let better = value < next;
                    if !better {
                        break;
                    }
                    let gain = next - value;
                    next = value;
                    std::mem::swap(&mut trial.values, &mut corrected.values);
                    std::mem::swap(&mut self.trial_work, &mut self.corrected_work);
                    if gain < 0.1 * predicted {
                        break;
                    }
                }
                let ratio = (value - next) / predicted;
                if ratio > 1e-4 {
                    accepted = Some((next, ratio, curvature));
                    break;
                }
                self.regularization = self.regularization.max(-BEYOND * curvature);
                // Below this the difference of two values is rounding: the step cannot be judged.
                if predicted < 1e-14 * value.abs() {
                    break;
                }
                self.increase(4.0);
            }
            let Some((next, ratio, curvature)) = accepted else {
                let status = if self.is_over(control) { InnerStatus::Stopped } else { InnerStatus::Stalled };
                return report(status);
            };
            if curvature < 0.0 {
                self.regularization = self.regularization.max(-BEYOND * curvature);
            } else if ratio > 0.75 && !(refused && self.system.is_sparse()) {
                self.regularization = (self.regularization / 6.0).max(self.floor);
            } else if ratio < 0.25 {
                self.increase(2.0);
            }
            std::mem::swap(&mut factor.values, &mut trial.values);
            std::mem::swap(&mut self.work, &mut self.trial_work);
            value = next;
            iterations += 1;
        }
    }

    /// Whether there is no time left for a step like the last one, which is not interrupted.
    fn is_over(&self, control: &Control) -> bool {
        control.should_stop() || !control.has_time_for(self.last_step)
    }

    fn increase(&mut self, factor: f64) {
        self.regularization = (self.regularization * factor).max(100.0 * self.floor);
    }

    /// The step for the present regularisation and its predicted decrease, and the negative curvature (without
    /// regularisation) that ended the search for it, or zero; where there is no step, that curvature alone.
    fn step(
        &mut self,
        lagrangian: &AugmentedLagrangian<'_>,
        factor: &Factor,
        step: &mut [f64],
        control: &Control,
    ) -> Result<(f64, f64), f64> {
        let regularization = self.regularization;
        let unregularized = |curvature: f64| (curvature - regularization).min(0.0);
        let (work, gradient) = (&self.work, &self.gradient);
        let solution = self.system.step(lagrangian, factor, work, gradient, regularization, step, control);
        let curvature = match solution {
            Solution::Indefinite(curvature) => return Err(unregularized(curvature)),
            Solution::Truncated(curvature) => unregularized(curvature),
            Solution::Found => 0.0,
        };
        // −gᵀs − ½sᵀHs = ½(−gᵀs) + ½μ‖s‖²: Hs = −g − μs − residual, which is orthogonal to s.
        let predicted = -0.5 * dot(&self.gradient, step) + 0.5 * regularization * dot(step, step);
        if predicted.is_finite() && predicted > 0.0 { Ok((predicted, curvature)) } else { Err(0.0) }
    }
}

/// out = x + step.
fn add(x: &[f64], step: &[f64], out: &mut [f64]) {
    for ((o, x), s) in out.iter_mut().zip(x).zip(step) {
        *o = x + s;
    }
}
