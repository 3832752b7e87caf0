//! The relaxation of a block whose (u, v) has a weight decay of its own, from where the block was solved before.

use super::warm_start::WarmStart;
use super::{MERGED, ROUNDS, RelaxationRun, low_rank};
use crate::certify::checkpoint::{LevelCount, LevelState};
use crate::certify::report::Relaxed;
use crate::certify::settings::CertifySettings;
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::Result;
use crate::problem::{HeadDecay, Network, TrainingProblem};
use crate::progress::Silent;
use crate::relaxation::Lifting;
use std::time::Instant;

/// What solving a priced block has brought.
pub(crate) struct PricedSolution {
    /// The best dual point, repaired at the price.
    pub(crate) dual: DualPoint,
    /// The figures; the value is that of the priced relaxation.
    pub(crate) relaxed: Relaxed,
    /// None where the run was stopped before there was anything.
    pub(crate) warm_start: Option<WarmStart>,
}

/// Solves a block's relaxation at a price by the low-rank factor, from where it stood at another price if that is known.
pub(crate) fn relax_priced(
    problem: &TrainingProblem,
    head: &HeadDecay,
    network: &Network,
    settings: &CertifySettings,
    control: &Control,
    warm_start: Option<&WarmStart>,
) -> Result<PricedSolution> {
    let lifting = Lifting::merging(problem, MERGED[0] * settings.tolerance)?.with_head(head)?;
    let loss = network.objective(problem)
        - 0.5
            * problem.weight_decay()
            * (network.hidden().squared_norm_l2() + network.output().squared_norm_l2());
    let upper = loss + head.decay(network.hidden(), network.output());
    let mut silent = Silent;
    let started = Instant::now();
    let mut run = RelaxationRun::new(problem, &lifting, settings, control, &mut silent, started, upper);
    run.head = Some(head);
    run.consider_targets()?;
    if lifting.groups() > 0 && !control.should_stop() {
        let earlier = warm_start.map(|warm_start| {
            Box::new(LevelState {
                solver: warm_start.state.reopened(&settings.solver),
                dual: DualPoint::zero(problem.samples(), problem.outputs()),
                relaxed: run.relaxed,
                // No rounds of cuts.
                count: LevelCount { round: ROUNDS, ..LevelCount::default() },
            })
        });
        low_rank::solve(&mut run, network, settings, earlier)?;
    }
    run.relaxed.solver.estimated_bound = run.best_bound;
    Ok(PricedSolution { dual: run.best_dual, relaxed: run.relaxed, warm_start: run.warm_start })
}
