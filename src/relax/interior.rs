//! The relaxation by the dense interior-point method, which gives the multipliers directly.

use super::{Run, stop_status};
use crate::dual::{RepairSettings, dual_point};
use crate::reference::{
    ReferenceIteration, ReferenceSettings, ReferenceSolution, ReferenceStatus, solve_lifted,
};
use crate::report::{Relaxed, Status};
use crate::{Error, Progress, Result};

/// Accuracies tried one after the other, as parts of the tolerance: a proof may cost a little more than the first leaves.
const PARTS: [f64; 2] = [0.2, 5e-3];

/// Solves by the interior-point method; stalled is what it did not bring to the tolerance.
pub(super) fn solve(run: &mut Run<'_>) -> Result<()> {
    run.relaxed.status = Status::Stalled;
    for part in PARTS {
        let settings = ReferenceSettings {
            tolerance: part * run.tolerance,
            reduced_tolerance: run.tolerance,
            ..ReferenceSettings::default()
        };
        let solution = match attempt(run, &settings) {
            // Data so badly scaled that not one iteration could be made: the other solver may.
            Err(Error::Numerical(_)) => return Ok(()),
            outcome => outcome?,
        };
        // The multiplier of the loss is target − prediction.
        let misfit: Vec<f64> = solution.fit_residual.iter().map(|w| -w).collect();
        let dual = dual_point(run.problem, run.lifting, &solution.pairs, &misfit);
        run.consider(dual, &RepairSettings::default())?;
        note(run, &solution);
        match solution.status {
            ReferenceStatus::TimeLimit | ReferenceStatus::Cancelled => {
                run.relaxed.status = stop_status(run.control);
                return Ok(());
            }
            _ if run.is_close(solution.value) || run.network_is_close() => {
                run.relaxed.status = Status::Converged;
                return Ok(());
            }
            _ if !solution.status.is_solved() => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

fn attempt(run: &mut Run<'_>, settings: &ReferenceSettings) -> Result<ReferenceSolution> {
    let (observer, started, upper, bound) = (&mut *run.observer, run.started, run.upper, run.best_bound);
    let rank = run.lifting.order();
    solve_lifted(run.lifting, settings, run.control, &mut |line: &ReferenceIteration| {
        observer.progress(&Progress {
            iteration: line.iteration,
            value: line.value,
            lower_bound: bound,
            upper_bound: upper,
            infeasibility: line.primal_infeasibility,
            rank,
            pairs: line.pairs,
            seconds: started.elapsed().as_secs_f64(),
        });
    })
}

/// Takes over the figures of a solution.
fn note(run: &mut Run<'_>, solution: &ReferenceSolution) {
    run.relaxed = Relaxed {
        value: solution.value,
        infeasibility: solution.primal_infeasibility,
        rank: solution.rank,
        pairs: solution.pairs.len(),
        active_pairs: solution.active_pairs,
        ..run.relaxed
    };
    run.hidden = Some(run.lifting.hidden_weights(&solution.head_factor, run.lifting.head()));
}
