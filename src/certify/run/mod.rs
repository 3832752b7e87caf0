//! A whole run: begin, search, relax, bound, prove, round, report.

mod begin;
mod bound;
mod ending;

use crate::certify::by_branch::ByBranch;
use crate::certify::certified::{Certified, check_network};
use crate::certify::divide::{BlockExecutor, RayonExecutor};
use crate::certify::overrun::Watch;
use crate::certify::report::Seconds;
use crate::certify::settings::{CertifySettings, Method};
use crate::control::Control;
use crate::error::Result;
use crate::problem::{Network, TrainingProblem};
use crate::progress::Observer;
use crate::relaxation::LiftedFactor;
use crate::training::TrainingSettings;
use begin::{Begun, begin};
use std::time::Instant;

/// Trains a network, solves the relaxation and proves a lower bound on the objective of every network.
///
/// Stops at the tolerance, when `control` says so (then with the best bound so far), or when nothing improves.
pub fn certify(
    problem: &TrainingProblem,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<Certified> {
    Ok(run(problem, None, settings, &RayonExecutor, control, observer)?.certified)
}

/// Solves the relaxation and proves how far a network that comes from elsewhere is from optimal: the report has its
/// objective, rounded upwards, as the upper bound, and the network is returned as it came.
///
/// Errors: as [`certify`], and a network whose shape (U d × m, V c × m) does not fit or whose objective is not finite.
pub fn certify_network(
    problem: &TrainingProblem,
    network: &Network,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<Certified> {
    check_network(problem, network)?;
    Ok(run(problem, Some(network), settings, &RayonExecutor, control, observer)?.certified)
}

/// [`certify`] by the low-rank solver, and the solution of the relaxation that its bound comes from, to be rounded by
/// other means.
///
/// There is none where the samples were divided into blocks or where the run was stopped before it had one; a trained
/// network that is optimal by itself is its own solution.
pub fn certify_with_solution(
    problem: &TrainingProblem,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<(Certified, Option<LiftedFactor>)> {
    // The interior-point method has no factor.
    let settings = CertifySettings { method: Method::LowRank, ..settings.clone() };
    let stages = run(problem, None, &settings, &RayonExecutor, control, observer)?;
    Ok((stages.certified, stages.solution))
}

/// What the parts of a run came to.
pub(crate) struct Stages {
    pub(crate) certified: Certified,
    /// The solution of the relaxation.
    pub(crate) solution: Option<LiftedFactor>,
    /// The network before the relaxation was solved, and the seconds it took.
    pub(crate) trained: (Network, f64),
    /// The network trained from the solution of the relaxation.
    pub(crate) polished: Option<Network>,
}

/// What every part of a run is given.
struct Context<'a> {
    problem: &'a TrainingProblem,
    /// A network that comes from elsewhere: it is judged as it came.
    given: Option<&'a Network>,
    settings: &'a CertifySettings,
    /// Those of the settings, with the seed of the run.
    training: &'a TrainingSettings,
    executor: &'a dyn BlockExecutor,
    control: &'a Control,
    started: Instant,
}

/// What a run has to say on its way: to its observer, and at its end.
struct Account<'a> {
    observer: &'a mut dyn Observer,
    seconds: Seconds,
    watch: Watch<'a>,
}

/// Trains (or takes the network given), searches, relaxes, proves and rounds.
pub(crate) fn run(
    problem: &TrainingProblem,
    given: Option<&Network>,
    settings: &CertifySettings,
    executor: &dyn BlockExecutor,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<Stages> {
    settings.validate()?;
    let watch = Watch::new(control);
    // Before the blocks of an earlier run are taken over.
    let is_searched = ByBranch::is_wanted(settings);
    let settings = &begin::in_earlier_blocks(settings, problem)?;
    let plan = begin::plan(problem, settings, control)?;
    let training = &TrainingSettings { seed: settings.seed, ..settings.training.clone() };
    let opened = begin::open_checkpoint(problem, given, settings, plan.blocks)?;
    let started = Instant::now();
    let context = Context { problem, given, settings, training, executor, control, started };
    let mut account = Account { observer, seconds: Seconds::default(), watch };

    let begun = begin(&context, opened, &mut account);
    if begun.is_done() {
        return context.done(begun, &account);
    }
    let mut search = is_searched.then(|| ByBranch::new(problem, &begun.network, settings, training, started));
    let Begun { network, stage, mut writer } = begun;
    if let Some(search) = &mut search {
        let ended = context.search(search, stage.as_ref(), writer.as_mut(), &mut account)?;
        if ended {
            return context.by_search(search, network, stage, writer, &mut account);
        }
    }
    let network = match &search {
        Some(search) if given.is_none() => search.network().clone(),
        _ => network,
    };
    match plan.blocks > 1 {
        true => context.in_blocks(plan, network, stage, writer, search.as_mut(), &mut account),
        false => context.in_one_piece(network, stage, writer, search.as_mut(), &mut account),
    }
}
