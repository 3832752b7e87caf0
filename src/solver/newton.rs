//! The inner minimiser: Newton's method with Levenberg–Marquardt regularisation and a dense Cholesky.

use super::Factor;
use super::hessian::HessianAssembler;
use super::lagrangian::{AugmentedLagrangian, Workspace};
use crate::Control;
use crate::vector::dot;
use faer::linalg::solvers::Solve;
use faer::{Mat, MatMut, Side};

/// How a subproblem ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    assembler: HessianAssembler,
    regularization: f64,
    floor: f64,
    hessian: Mat<f64>,
    shifted: Mat<f64>,
    work: Workspace,
    trial_work: Workspace,
    gradient: Vec<f64>,
}

impl NewtonMinimizer {
    /// `scale` is the size of the objective; regularisation starts at a millionth of it.
    pub fn new(assembler: HessianAssembler, scale: f64) -> Self {
        Self {
            assembler,
            regularization: 1e-6 * scale,
            floor: 1e-14 * scale,
            hessian: Mat::new(),
            shifted: Mat::new(),
            work: Workspace::default(),
            trial_work: Workspace::default(),
            gradient: Vec::new(),
        }
    }

    /// The workspace at the last accepted point.
    pub fn workspace(&self) -> &Workspace {
        &self.work
    }

    /// The assembler and the workspace at the last accepted point.
    pub fn parts(&mut self) -> (&mut HessianAssembler, &Workspace) {
        (&mut self.assembler, &self.work)
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
        if self.hessian.nrows() != size {
            self.hessian = Mat::zeros(size, size);
            self.shifted = Mat::zeros(size, size);
        }
        let mut value = lagrangian.value(factor, &mut self.work);
        let mut trial = factor.clone();
        let mut step = Mat::<f64>::zeros(size, 1);
        let mut iterations = 0;
        loop {
            lagrangian.gradient(factor, &mut self.work, &mut self.gradient);
            let norm = self.gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
            let report = |status| InnerReport { status, iterations, gradient: norm };
            if norm <= tolerance {
                return report(InnerStatus::Converged);
            }
            if control.should_stop() {
                return report(InnerStatus::Stopped);
            }
            if iterations == limit || !norm.is_finite() {
                return report(InnerStatus::IterationLimit);
            }
            self.assembler.assemble(lagrangian, factor, &self.work, &mut self.hessian);
            let mut accepted = None;
            for _ in 0..60 {
                let Some(predicted) = self.step(step.as_mut()) else {
                    self.increase(4.0);
                    continue;
                };
                for ((t, x), s) in trial.values.iter_mut().zip(&factor.values).zip(step.col_as_slice(0)) {
                    *t = x + s;
                }
                let next = lagrangian.value(&trial, &mut self.trial_work);
                let ratio = (value - next) / predicted;
                if ratio > 1e-4 {
                    accepted = Some((next, ratio));
                    break;
                }
                // Below this the difference of two values is rounding: the step cannot be judged.
                if predicted < 1e-14 * value.abs() {
                    break;
                }
                self.increase(4.0);
                if control.should_stop() {
                    break;
                }
            }
            let Some((next, ratio)) = accepted else {
                let status = if control.should_stop() { InnerStatus::Stopped } else { InnerStatus::Stalled };
                return report(status);
            };
            if ratio > 0.75 {
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

    fn increase(&mut self, factor: f64) {
        self.regularization = (self.regularization * factor).max(100.0 * self.floor);
    }

    /// Solves (H + μI) step = −gradient; the predicted decrease, or none if H + μI is not positive definite.
    fn step(&mut self, mut step: MatMut<'_, f64>) -> Option<f64> {
        self.shifted.copy_from(&self.hessian);
        for i in 0..self.shifted.nrows() {
            self.shifted[(i, i)] += self.regularization;
        }
        let cholesky = self.shifted.llt(Side::Lower).ok()?;
        for (i, g) in self.gradient.iter().enumerate() {
            step[(i, 0)] = -g;
        }
        cholesky.solve_in_place(step.as_mut());
        let s: Vec<f64> = (0..step.nrows()).map(|i| step[(i, 0)]).collect();
        // −gᵀs − ½sᵀHs = ½(−gᵀs) + ½μ‖s‖², because Hs = −g − μs.
        let predicted = -0.5 * dot(&self.gradient, &s) + 0.5 * self.regularization * dot(&s, &s);
        (predicted.is_finite() && predicted > 0.0).then_some(predicted)
    }
}
