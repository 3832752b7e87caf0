//! The Newton system: conjugate gradients, and a dense or sparse Cholesky factorisation where they are slow.

use super::Factor;
use super::gradients::{ConjugateGradients, Outcome};
use super::hessian::HessianAssembler;
use super::lagrangian::{AugmentedLagrangian, Workspace};
use super::preconditioner::BlockPreconditioner;
use super::product::{ProductScratch, hessian_product};
use super::sparse_newton::SparseNewton;
use crate::control::Control;
use crate::linalg::dense::{Cholesky, factorisation_time};
use faer::{Mat, MatMut};

/// Orders below which a factorisation is always the cheaper way.
const ITERATIVE_ORDER: usize = 700;
/// Orders from which an old factorisation is tried as a preconditioner before a new one is made.
const OLD_FACTOR_ORDER: usize = 1500;
/// Orders above which no dense matrix is formed: two of them would take 2.6 GB.
pub(crate) const DIRECT_ORDER: usize = 13_000;
/// How many times cheaper than a dense factorisation a sparse one must be, whose blocks are small (conventional).
const SPARSER: f64 = 4.0;
/// Conjugate-gradient steps with an old factorisation after which a new one is the cheaper way.
const OLD_FACTOR_STEPS: usize = 60;
/// Multiplications of a dense factorisation in the time of one in a product with the Hessian.
const DIRECT_SPEED: usize = 8;
/// Bounds on the conjugate-gradient steps with the block preconditioner.
const STEPS: [usize; 2] = [50, 2000];
/// Those that show that a sparse factorisation is needed (conventional).
const SLOW_STEPS: usize = 100;
/// Meetings with negative curvature at one point after which an old factorisation is renewed.
const REFUSAL_LIMIT: usize = 4;
/// Relative residual that a Newton step is solved to.
const RESIDUAL: f64 = 0.05;

/// What came of a Newton system.
pub(super) enum Solution {
    /// The step is there.
    Found,
    /// The step is there, but H + λI is not positive definite: the curvature below zero of some direction.
    Truncated(f64),
    /// H + λI is not positive definite; the curvature below zero of some direction, where known.
    Indefinite(f64),
}

/// What conjugate gradients are preconditioned by.
#[derive(Clone, Copy)]
enum Preconditioner {
    /// The block-diagonal part of the Hessian.
    Blocks,
    /// The last factorisation, of a Hessian that is no more.
    OldFactor,
    /// A sparse factorisation of this one.
    Sparse,
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
    /// Whether the block preconditioner belongs to the present point.
    collected: bool,
    /// Whether the block preconditioner was too slow once: later subproblems are only stiffer.
    slow: bool,
    /// Times that negative curvature was met at the present point.
    refusals: usize,
    blocks: BlockPreconditioner,
    sparse: SparseNewton,
    /// Whether a sparse factorisation is planned for the present point, and whether the last one is of use.
    planned: Option<bool>,
    factored: bool,
    gradients: ConjugateGradients,
    scratch: ProductScratch,
}

impl NewtonSystem {
    pub(super) fn new(assembler: HessianAssembler) -> Self {
        Self {
            assembler,
            hessian: Mat::new(),
            cholesky: Cholesky::default(),
            usable: false,
            current: false,
            collected: false,
            slow: false,
            refusals: 0,
            blocks: BlockPreconditioner::default(),
            sparse: SparseNewton::default(),
            planned: None,
            factored: false,
            gradients: ConjugateGradients::default(),
            scratch: ProductScratch::default(),
        }
    }

    /// Whether the block preconditioner was too slow once.
    pub(super) fn is_slow(&self) -> bool {
        self.slow
    }

    /// Takes over what is known from an earlier run.
    pub(super) fn set_slow(&mut self, slow: bool) {
        self.slow = slow;
    }

    /// Tells that the point has moved; `size` is the number of variables. A factorisation of the same order stays of use,
    /// also from one subproblem to the next.
    pub(super) fn moved(&mut self, size: usize) {
        self.current = false;
        self.collected = false;
        self.refusals = 0;
        self.planned = None;
        self.factored = false;
        self.usable &= self.cholesky.lower().nrows() == size;
    }

    /// Whether [`NewtonSystem::correct`] has a factorisation to work with.
    pub(super) fn can_correct(&self) -> bool {
        self.usable || self.factored
    }

    /// Whether the last step came by a sparse factorisation, which is tried again at no great cost.
    pub(super) fn is_sparse(&self) -> bool {
        self.factored
    }

    /// The Newton step with regularisation λ; `control` says whether there is time for a large factorisation.
    #[expect(clippy::too_many_arguments, reason = "a point in its parts, and what is to be made of it")]
    pub(super) fn step(
        &mut self,
        lagrangian: &AugmentedLagrangian<'_>,
        factor: &Factor,
        work: &Workspace,
        gradient: &[f64],
        regularization: f64,
        step: &mut [f64],
        control: &Control,
    ) -> Solution {
        let size = gradient.len();
        let dense =
            size < ITERATIVE_ORDER || size <= DIRECT_ORDER && control.has_time_for(factorisation_time(size));
        let sparse = size >= ITERATIVE_ORDER && self.plan(lagrangian, factor.columns, work);
        if size >= ITERATIVE_ORDER && (!self.slow || !(dense || sparse)) {
            if !self.collected {
                self.scratch.neglect(lagrangian, work);
                self.blocks.collect(lagrangian, factor, work, self.scratch.live());
                self.collected = true;
            }
            self.blocks.invert(regularization);
            // As many steps as a dense factorisation would cost; where there is a sparse one, no more than show that it is
            // needed.
            let direct = size.saturating_pow(3) / (6 * DIRECT_SPEED);
            let limit = direct / product_cost(lagrangian, factor.columns).max(1);
            let limit = limit.clamp(STEPS[0], if sparse { SLOW_STEPS } else { STEPS[1] });
            let by = Preconditioner::Blocks;
            match self.iterate(by, limit, lagrangian, factor, work, gradient, regularization, step) {
                Outcome::Solved => return Solution::Found,
                Outcome::NegativeCurvature(curvature) => return Solution::Indefinite(curvature),
                Outcome::Truncated(curvature) => return Solution::Truncated(curvature),
                Outcome::Slow if !(dense || sparse) => return Solution::Found,
                Outcome::Slow => self.slow = true,
            }
        }
        if sparse {
            let live = self.scratch.live();
            self.factored = self.sparse.factorize(lagrangian, factor, work, live, regularization);
            if !self.factored {
                return Solution::Indefinite(0.0);
            }
            let (by, limit) = (Preconditioner::Sparse, OLD_FACTOR_STEPS);
            match self.iterate(by, limit, lagrangian, factor, work, gradient, regularization, step) {
                Outcome::Solved | Outcome::Slow => return Solution::Found,
                Outcome::NegativeCurvature(curvature) => return Solution::Indefinite(curvature),
                Outcome::Truncated(curvature) => return Solution::Truncated(curvature),
            }
        }
        if !self.current && self.usable && size >= OLD_FACTOR_ORDER {
            self.scratch.neglect(lagrangian, work);
            let (by, limit) = (Preconditioner::OldFactor, OLD_FACTOR_STEPS);
            match self.iterate(by, limit, lagrangian, factor, work, gradient, regularization, step) {
                Outcome::Solved => return Solution::Found,
                // A greater regularisation is cheaper to try than a new factorisation.
                Outcome::NegativeCurvature(_) | Outcome::Truncated(_) if self.refusals < REFUSAL_LIMIT => {
                    self.refusals += 1;
                    return Solution::Indefinite(0.0);
                }
                _ => {}
            }
        }
        if !self.current {
            if self.hessian.nrows() != size {
                self.hessian = Mat::zeros(size, size);
            }
            self.assembler.assemble(lagrangian, factor, work, &mut self.hessian);
            self.current = true;
        }
        self.usable = self.cholesky.factorize(&self.hessian, regularization);
        if !self.usable {
            return Solution::Indefinite(0.0);
        }
        self.correct(lagrangian, gradient, step);
        Solution::Found
    }

    /// Whether a sparse factorisation is cheaper than a dense one at this point; it is planned once.
    fn plan(&mut self, lagrangian: &AugmentedLagrangian<'_>, columns: usize, work: &Workspace) -> bool {
        if let Some(planned) = self.planned {
            return planned;
        }
        self.scratch.neglect(lagrangian, work);
        let size = (lagrangian.lifting.order() + lagrangian.lifting.outputs) * columns;
        let dense = (size as f64).powi(3) / 6.0;
        let cost = self.sparse.plan(lagrangian, columns, work, self.scratch.live());
        let planned = cost.is_some_and(|cost| SPARSER * cost <= dense);
        self.planned = Some(planned);
        planned
    }

    /// step = −(factorised matrix)⁻¹ gradient.
    pub(super) fn correct(&mut self, lagrangian: &AugmentedLagrangian<'_>, gradient: &[f64], step: &mut [f64]) {
        if self.factored {
            let lifting = lagrangian.lifting;
            self.sparse.apply(&lifting.forest, lifting.hidden_dimension(), gradient, step);
            step.iter_mut().for_each(|s| *s = -*s);
            return;
        }
        for (s, g) in step.iter_mut().zip(gradient) {
            *s = -g;
        }
        let size = step.len();
        self.cholesky.solve(MatMut::from_column_major_slice_mut(step, size, 1));
    }

    /// The step by conjugate gradients, in at most so many of their steps.
    #[expect(clippy::too_many_arguments, reason = "a Newton system, and how to solve it")]
    fn iterate(
        &mut self,
        by: Preconditioner,
        limit: usize,
        lagrangian: &AugmentedLagrangian<'_>,
        factor: &Factor,
        work: &Workspace,
        gradient: &[f64],
        regularization: f64,
        step: &mut [f64],
    ) -> Outcome {
        let (blocks, cholesky, scratch, sparse) =
            (&self.blocks, &self.cholesky, &mut self.scratch, &mut self.sparse);
        let lifting = lagrangian.lifting;
        self.gradients.solve(
            gradient,
            RESIDUAL,
            limit,
            |x, out| {
                hessian_product(lagrangian, factor, work, x, scratch, out);
                crate::linalg::vector::axpy(regularization, x, out);
            },
            |x, out| match by {
                Preconditioner::Blocks => blocks.apply(x, out),
                Preconditioner::OldFactor => {
                    out.copy_from_slice(x);
                    cholesky.solve(MatMut::from_column_major_slice_mut(out, x.len(), 1));
                }
                Preconditioner::Sparse => sparse.apply(&lifting.forest, lifting.hidden_dimension(), x, out),
            },
            step,
        )
    }
}

/// Multiplications in a product with the Hessian, roughly.
fn product_cost(lagrangian: &AugmentedLagrangian<'_>, columns: usize) -> usize {
    let (lifting, set) = (lagrangian.lifting, lagrangian.set);
    let constraints = 6 * set.pairs.len() + 12 * set.equalities.len();
    let loss = 4 * lifting.fit.len() * lifting.outputs;
    columns * (constraints + loss + 2 * set.forms.len() * (lifting.hidden_dimension() + 1))
}
