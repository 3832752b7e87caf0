//! Where the low-rank solver ended, to go on from with prices.

use super::RelaxationRun;
use crate::linalg::dense::product;
use crate::low_rank::{LowRankSolver, SolverState};
use crate::problem::TrainingProblem;
use crate::relaxation::LiftedFactor;
use faer::Mat;

/// Where the low-rank solver ended on a block.
#[derive(Clone, Debug)]
pub(crate) struct WarmStart {
    pub(crate) state: SolverState,
    /// [U; V][U; V]ᵀ of the solution, order d + c: twice the derivative of the block's value by its price.
    pub(crate) moments: Mat<f64>,
}

impl WarmStart {
    /// None where cuts are held, which a state does not carry, or the moments cannot be told.
    pub(super) fn of(
        run: &RelaxationRun<'_>,
        solver: &LowRankSolver<'_>,
        lifted: &LiftedFactor,
    ) -> Option<Self> {
        let factor = solver.factor();
        let moments = match run.head {
            Some(head) => run.lifting.head_moments(head, factor.r(), factor.v(), factor.columns)?,
            None => {
                let (d, c) = (lifted.hidden.nrows(), lifted.output.nrows());
                let both = Mat::from_fn(d + c, factor.columns, |i, j| {
                    if i < d { lifted.hidden[(i, j)] } else { lifted.output[(i - d, j)] }
                });
                product(both.as_ref(), both.transpose())
            }
        };
        solver.pairs().cuts().is_empty().then(|| Self { state: solver.state(), moments })
    }

    /// Whether the moments have the order of a problem; whether the state fits is for the solver to say.
    pub(crate) fn fits(&self, problem: &TrainingProblem) -> bool {
        let order = problem.inputs() + problem.outputs();
        self.moments.shape() == (order, order) && self.moments.is_all_finite()
    }
}
