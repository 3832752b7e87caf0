//! The relaxation by the dense interior-point method, which gives the multipliers directly.

use super::{ROUNDS, RelaxationRun, stop_status};
use crate::certify::report::{Road, SolverFigures, Status};
use crate::certify::settings::ROWS_WITH_CUTS;
use crate::error::{Error, Result};
use crate::interior_point::{
    ReferenceIteration, ReferenceSettings, ReferenceSolution, ReferenceStatus, solve_from,
};
use crate::progress::Progress;
use crate::relaxation::PairSet;
use crate::repair::{RepairSettings, dual_point};

/// Accuracies tried one after the other, as parts of the tolerance: a proof may cost a little more than the first leaves.
const PARTS: [f64; 2] = [0.3, 5e-3];
/// How much rougher the rounds of cuts are solved as long as that raises the bound.
const ROUGH: f64 = 10.0;

/// Solves by the interior-point method and says whether that ended as it should; stalled is what it did not bring to the
/// tolerance.
pub(super) fn solve(run: &mut RelaxationRun<'_>) -> Result<bool> {
    run.relaxed.solver.status = Status::Stalled;
    for part in PARTS {
        let settings = ReferenceSettings {
            tolerance: part * run.tolerance,
            reduced_tolerance: run.tolerance,
            ..ReferenceSettings::default()
        };
        let solution = match attempt(run, &settings, PairSet::new(run.lifting, settings.neighbours)) {
            // Data so badly scaled that not one iteration could be made: the other solver may.
            Err(Error::Numerical(_)) => return Ok(false),
            outcome => outcome?,
        };
        take_over(run, &solution)?;
        match solution.status {
            ReferenceStatus::TimeLimit | ReferenceStatus::Cancelled => {
                run.relaxed.solver.status = stop_status(run.control);
                return Ok(true);
            }
            status if !status.is_solved() => {
                // The value of a point that did not converge says nothing; the network is a feasible one.
                if run.network_is_close() {
                    run.relaxed.solver.value = run.upper;
                    run.relaxed.solver.infeasibility = 0.0;
                    run.relaxed.solver.status = Status::Converged;
                    return Ok(true);
                }
                return Ok(false);
            }
            _ if run.is_close(solution.value) || run.network_is_close() => {
                run.relaxed.solver.status = Status::Converged;
                tighten(run, &settings, solution)?;
                return Ok(true);
            }
            _ => {}
        }
    }
    Ok(false)
}

/// Adds cuts in rounds, as long as they raise the bound; each round is a solve of its own, a rough one until rough ones
/// bring nothing more.
fn tighten(
    run: &mut RelaxationRun<'_>,
    settings: &ReferenceSettings,
    mut solution: ReferenceSolution,
) -> Result<()> {
    let settings = ReferenceSettings { max_rows: ROWS_WITH_CUTS, ..settings.clone() };
    // In the plane the first round has all forms that matter.
    let mut rough = run.lifting.hidden_dimension() > 2;
    for round in 0..ROUNDS {
        let (rows, columns) = solution.base_rows(run.lifting);
        let cuts = run.more_cuts(round, &rows, columns, solution.pairs.cuts());
        let last = cuts.is_empty() || round + 1 == ROUNDS;
        // Nothing more to take in: the last rough solve is done again, unless it is good enough.
        let enough = !rough || round == 0 || run.network_is_close() || run.is_close(solution.value);
        if run.control.should_stop() || cuts.is_empty() && enough {
            break;
        }
        rough &= !last;
        let accuracy = settings.tolerance * if rough { ROUGH } else { 1.0 };
        let before = run.best_bound;
        let pairs = solution.pairs_with(run.lifting, cuts);
        let next = match attempt(run, &ReferenceSettings { tolerance: accuracy, ..settings.clone() }, pairs) {
            Err(Error::Numerical(_)) => break,
            outcome => outcome?,
        };
        if !next.status.is_solved() {
            // What it did not bring to an end may still be worth something.
            consider(run, &next)?;
            break;
        }
        take_over(run, &next)?;
        if last || !rough && !run.pays(before) {
            break;
        }
        rough &= run.pays(before);
        solution = next;
    }
    if run.control.should_stop() {
        run.relaxed.solver.status = stop_status(run.control);
    }
    // A bound above the value of the last relaxation that was solved belongs to a tighter one.
    run.relaxed.solver.value = run.relaxed.solver.value.max(run.best_bound);
    Ok(())
}

/// Estimates the bound of a solution and takes over its figures.
fn take_over(run: &mut RelaxationRun<'_>, solution: &ReferenceSolution) -> Result<()> {
    consider(run, solution)?;
    note(run, solution);
    Ok(())
}

fn consider(run: &mut RelaxationRun<'_>, solution: &ReferenceSolution) -> Result<bool> {
    // The multiplier of the loss is target − prediction.
    let residual: Vec<f64> = solution.fit_residual.iter().map(|w| -w).collect();
    let dual = dual_point(run.problem, run.lifting, &solution.pairs, &residual);
    run.consider(dual, &RepairSettings::default())
}

fn attempt(
    run: &mut RelaxationRun<'_>,
    settings: &ReferenceSettings,
    pairs: PairSet,
) -> Result<ReferenceSolution> {
    let (observer, started, upper, bound) = (&mut *run.observer, run.started, run.upper, run.best_bound);
    let rank = run.lifting.order();
    solve_from(run.lifting, settings, pairs, run.control, &mut |line: &ReferenceIteration| {
        observer.progress(&Progress {
            iteration: line.iteration,
            value: line.value,
            lower_bound: bound,
            upper_bound: upper,
            infeasibility: line.primal_infeasibility,
            rank,
            pairs: line.pairs,
            seconds: started.elapsed().as_secs_f64(),
            ..Progress::default()
        });
    })
}

/// Takes over the figures of a solution.
fn note(run: &mut RelaxationRun<'_>, solution: &ReferenceSolution) {
    run.relaxed.road = Some(Road::InteriorPoint);
    run.relaxed.solver = SolverFigures {
        value: solution.value,
        infeasibility: solution.primal_infeasibility,
        rank: solution.rank,
        pairs: solution.pairs.len(),
        active_pairs: solution.active_pairs,
        ..run.relaxed.solver
    };
    let (order, hidden) = (run.lifting.order(), run.lifting.hidden_dimension());
    // The factor is triangular: its first rows have no more columns than that.
    let rows: Vec<f64> =
        (0..hidden * hidden).map(|i| solution.factor[i / hidden * order + i % hidden]).collect();
    run.hidden = Some(run.lifting.hidden_weights(&rows, hidden));
}
