//! The relaxation by a low-rank factor: levels until the gap is closed.

use super::repairs::{self, Repairs};
use super::{ROUNDS, RelaxationRun, WarmStart, stop_status};
use crate::certify::checkpoint::{LevelCount, LevelState};
use crate::certify::report::{Road, SolverFigures, Status};
use crate::certify::settings::CertifySettings;
use crate::error::Result;
use crate::low_rank::{InnerStatus, Level, LowRankSolver, first_columns, start};
use crate::problem::Network;
use crate::progress::Progress;

/// Levels before the solver gives up (conventional).
const LEVEL_LIMIT: usize = 100;
/// Once a level's error is at most [`CLOSING`] times the tolerance, levels are solved to a gradient of [`GRADIENT_PART`]
/// times the tolerance: the repair pays for the gradient that is left, with the bound or with a longer search (conventional;
/// `docs/mathematics.md`, section 4).
const CLOSING: f64 = 1.0;
const GRADIENT_PART: f64 = 0.03;
/// A level whose own error is at most this part of the tolerance may be the last.
const LAST: f64 = 0.5;
/// Levels in a row without a better bound or a smaller error before the solver counts as stalled (conventional).
const PATIENCE: usize = 12;
/// An error counts as smaller where it is at most this part of the smallest before (conventional).
const LESS: f64 = 0.7;

/// Solves from a network, lifted, or from where an earlier run stood.
pub(super) fn solve(
    run: &mut RelaxationRun<'_>,
    network: &Network,
    settings: &CertifySettings,
    earlier: Option<Box<LevelState>>,
) -> Result<()> {
    let lifting = run.lifting;
    let mut solver_settings = settings.solver.clone();
    solver_settings.final_smoothing = solver_settings.final_smoothing.min(0.1 * run.tolerance);
    solver_settings.final_infeasibility = solver_settings.final_infeasibility.min(0.1 * run.tolerance);
    solver_settings.examined_error = LAST * run.tolerance;
    let mut count = LevelCount::default();
    let mut solver = match earlier.map(|state| *state) {
        Some(LevelState { solver, dual, relaxed, count: earlier }) => {
            count = earlier;
            run.go_on_from(dual, &relaxed);
            match LowRankSolver::resume(lifting, solver_settings, solver)? {
                Some(solver) => solver,
                None => return Err(run.damaged("the solver's state does not fit the data")),
            }
        }
        None => {
            let columns = first_columns(lifting.hidden_dimension(), lifting.outputs).min(lifting.order());
            let factor = start(lifting, network, columns, settings.seed);
            LowRankSolver::new(lifting, solver_settings, factor)?
        }
    };
    run.relaxed.solver.status = levels(run, &mut solver, count)?;
    // Cuts in rounds, as long as they raise the bound; the factor and the multipliers are where the last round left them.
    while run.relaxed.solver.status == Status::Converged && next_round(run, &mut solver, &mut count) {
        run.relaxed.solver.status = levels(run, &mut solver, count)?;
    }
    let factor = solver.factor();
    let lifted = lifting.original(factor.r(), factor.v(), factor.columns);
    run.hidden = Some(lifted.hidden.clone());
    run.warm_start = WarmStart::of(run, &solver, &lifted);
    run.factor = Some(lifted);
    Ok(())
}

/// Takes in the cuts of another round; false where the last one did not pay or there is nothing to take in.
fn next_round(run: &RelaxationRun<'_>, solver: &mut LowRankSolver<'_>, count: &mut LevelCount) -> bool {
    if count.round == ROUNDS || count.round > 0 && !run.pays(count.before) {
        return false;
    }
    let (rows, columns) = (solver.base_rows(), solver.factor().columns);
    let cuts = run.more_cuts(count.round, &rows, columns, solver.pairs().cuts());
    if cuts.is_empty() || solver.add_cuts(cuts) == 0 {
        return false;
    }
    *count = LevelCount { round: count.round + 1, before: run.best_bound, ..LevelCount::default() };
    true
}

fn levels(
    run: &mut RelaxationRun<'_>,
    solver: &mut LowRankSolver<'_>,
    mut count: LevelCount,
) -> Result<Status> {
    let mut first = count.levels == 0;
    let mut repairs = Repairs::default();
    let mut least_error = f64::INFINITY;
    while count.levels < LEVEL_LIMIT {
        let level = solver.advance(run.control);
        if level.inner.status == InnerStatus::Stopped {
            repairs.stop(run, &level)?;
            if first {
                note(run, &level);
            }
            keep(run, solver, count, true);
            return Ok(stop_status(run.control));
        }
        first = false;
        note(run, &level);
        run.relaxed.solver.value = run.lifting.unscale(level.objective);
        let value = run.relaxed.solver.value;
        let error = level.objective_error * run.lifting.scale / value;
        if error <= CLOSING * run.tolerance && repairs::is_guessed(run) {
            solver.tighten(GRADIENT_PART * run.tolerance);
        }
        let mut better = repairs.consider(run, &level, error)?;
        better |= error <= LESS * least_error;
        least_error = least_error.min(error);
        count.levels += 1;
        count.since_better = if better { 0 } else { count.since_better + 1 };
        run.observer.progress(&Progress {
            iteration: solver.newton_steps(),
            value,
            lower_bound: run.best_bound,
            upper_bound: run.upper,
            infeasibility: level.infeasibility,
            rank: level.columns,
            pairs: level.pairs,
            seconds: run.started.elapsed().as_secs_f64(),
            ..Progress::default()
        });
        // An infeasible point's value may lie below the relaxation's optimum: its error counts with the gap.
        let close = error + (value - run.best_bound) / value <= 0.9 * run.tolerance;
        let feasible = error <= 0.3 * run.tolerance;
        let complete = level.added == 0 || level.infeasibility <= 0.1 * run.tolerance;
        if close && feasible && complete {
            // An infeasible point's value may also lie below the bound, which the optimum does not.
            run.relaxed.solver.value = value.max(run.best_bound);
            return Ok(Status::Converged);
        }
        if run.network_is_close() {
            // The lifted network is a feasible point of the relaxation, and a better one than the factor.
            run.relaxed.solver.value = run.upper;
            run.relaxed.solver.infeasibility = 0.0;
            return Ok(Status::Converged);
        }
        repairs.keep(level);
        if count.since_better > PATIENCE {
            break;
        }
        keep(run, solver, count, false);
    }
    repairs.give_up(run)?;
    Ok(Status::Stalled)
}

/// Writes down where the solver stands.
fn keep(run: &mut RelaxationRun<'_>, solver: &LowRankSolver<'_>, count: LevelCount, stopped: bool) {
    run.keep(stopped, |dual, relaxed| LevelState { solver: solver.state(), dual, relaxed, count });
}

/// Takes over the figures of a level.
fn note(run: &mut RelaxationRun<'_>, level: &Level) {
    run.relaxed.road = Some(Road::LowRank);
    run.relaxed.solver = SolverFigures {
        infeasibility: level.infeasibility,
        rank: level.columns,
        pairs: level.pairs,
        active_pairs: level.active_pairs,
        ..run.relaxed.solver
    };
}
