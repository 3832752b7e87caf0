//! The Newton system: a dense Cholesky factorisation, kept as a preconditioner while it serves.

use super::Factor;
use super::hessian::HessianAssembler;
use super::lagrangian::{AugmentedLagrangian, Workspace};
use super::product::{ProductScratch, hessian_product};
use crate::linalg::Cholesky;
use crate::vector::{axpy, dot};
use faer::{Mat, MatMut};

/// Orders from which an old factorisation is tried as a preconditioner before a new one is made.
const REUSE_ORDER: usize = 1500;
/// Conjugate-gradient steps after which a new factorisation is the cheaper way.
const STEP_LIMIT: usize = 60;
/// Meetings with negative curvature at one point after which the factorisation is renewed.
const REFUSAL_LIMIT: usize = 4;
/// Relative residual that a Newton step is solved to.
const RESIDUAL: f64 = 0.05;

/// How the conjugate gradients ended.
enum Outcome {
    Solved,
    NegativeCurvature,
    Slow,
}

/// Solves (H + λI) step = −gradient at successive points.
#[derive(Debug)]
pub(super) struct NewtonSystem {
    pub(super) assembler: HessianAssembler,
    hessian: Mat<f64>,
    cholesky: Cholesky,
    /// Whether the factorisation is positive definite and of the present order.
    usable: bool,
    /// Whether `hessian` belongs to the present point.
    current: bool,
    /// Times that negative curvature was met at the present point.
    refusals: usize,
    scratch: ProductScratch,
    residual: Vec<f64>,
    preconditioned: Vec<f64>,
    direction: Vec<f64>,
    product: Vec<f64>,
}

impl NewtonSystem {
    pub(super) fn new(assembler: HessianAssembler) -> Self {
        Self {
            assembler,
            hessian: Mat::new(),
            cholesky: Cholesky::default(),
            usable: false,
            current: false,
            refusals: 0,
            scratch: ProductScratch::default(),
            residual: Vec::new(),
            preconditioned: Vec::new(),
            direction: Vec::new(),
            product: Vec::new(),
        }
    }

    /// Tells that the point has moved; `size` is the number of variables.
    pub(super) fn moved(&mut self, size: usize) {
        self.current = false;
        self.refusals = 0;
        if self.hessian.nrows() != size {
            self.hessian = Mat::zeros(size, size);
            self.usable = false;
        }
    }

    /// The Newton step with regularisation λ; false if H + λI is not positive definite.
    pub(super) fn step(
        &mut self,
        lagrangian: &AugmentedLagrangian<'_>,
        factor: &Factor,
        work: &Workspace,
        gradient: &[f64],
        regularization: f64,
        step: &mut [f64],
    ) -> bool {
        let size = gradient.len();
        if !self.current && self.usable && size >= REUSE_ORDER {
            match self.conjugate_gradients(lagrangian, factor, work, gradient, regularization, step) {
                Outcome::Solved => return true,
                // A greater regularisation is cheaper to try than a new factorisation.
                Outcome::NegativeCurvature if self.refusals < REFUSAL_LIMIT => {
                    self.refusals += 1;
                    return false;
                }
                _ => {}
            }
        }
        if !self.current {
            self.assembler.assemble(lagrangian, factor, work, &mut self.hessian);
            self.current = true;
        }
        self.usable = self.cholesky.factorize(&self.hessian, regularization);
        if self.usable {
            self.correct(gradient, step);
        }
        self.usable
    }

    /// step = −(factorised matrix)⁻¹ gradient.
    pub(super) fn correct(&self, gradient: &[f64], step: &mut [f64]) {
        for (s, g) in step.iter_mut().zip(gradient) {
            *s = -g;
        }
        let size = step.len();
        self.cholesky.solve(MatMut::from_column_major_slice_mut(step, size, 1));
    }

    /// Preconditioned conjugate gradients for the Newton step.
    fn conjugate_gradients(
        &mut self,
        lagrangian: &AugmentedLagrangian<'_>,
        factor: &Factor,
        work: &Workspace,
        gradient: &[f64],
        regularization: f64,
        step: &mut [f64],
    ) -> Outcome {
        let size = gradient.len();
        step.fill(0.0);
        self.residual.clear();
        self.residual.extend(gradient.iter().map(|g| -g));
        self.preconditioned.resize(size, 0.0);
        self.product.resize(size, 0.0);
        self.precondition();
        self.direction.clone_from(&self.preconditioned);
        let mut energy = dot(&self.residual, &self.preconditioned);
        let target = RESIDUAL * RESIDUAL * energy;
        for _ in 0..STEP_LIMIT {
            hessian_product(lagrangian, factor, work, &self.direction, &mut self.scratch, &mut self.product);
            axpy(regularization, &self.direction, &mut self.product);
            let curvature = dot(&self.direction, &self.product);
            // Written so that a NaN counts as negative curvature.
            if !(curvature > 0.0 && energy > 0.0) {
                return Outcome::NegativeCurvature;
            }
            let length = energy / curvature;
            axpy(length, &self.direction, step);
            axpy(-length, &self.product, &mut self.residual);
            self.precondition();
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

    fn precondition(&mut self) {
        self.preconditioned.copy_from_slice(&self.residual);
        let size = self.residual.len();
        self.cholesky.solve(MatMut::from_column_major_slice_mut(&mut self.preconditioned, size, 1));
    }
}
