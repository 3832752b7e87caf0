//! The bound that takes no solver: the targets themselves as the dual variable, scaled down until they are feasible.

use crate::certificate::compact::{Compact, most_inputs};
use crate::certificate::{Certificate, Grade, Proof, ProofSettings};
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use crate::repair::{RepairSettings, certify_dual_with, proof_margin, repair};
use std::time::Duration;

/// Multiplications that the search for shifts may take, and the part of the time left that they may be worth.
const WORK: f64 = 5e10;
const PART: f64 = 0.25;
/// Multiplications of the search in a second, about.
const RATE: f64 = 1e9;
/// Multiplications however little time is left: the bound of a run that is stopped at once is this one.
const LEAST: f64 = 1e9;
/// Shifts that have to be tried however much one of them takes, and what one may take at most: with as many features as
/// samples this bound is no cheaper than that of the blocks.
const FEWEST: f64 = 10.0;
const MOST: f64 = 2e10;

/// The bound of W = tY for all samples together, proved; none where the features do not fit in memory as a
/// dense matrix, or are so many that it would take minutes.
///
/// Time and memory are linear in the samples. How thorough the search is depends on `left`, the time until the deadline,
/// and on nothing else.
pub(crate) fn certify_free(
    problem: &TrainingProblem,
    settings: &ProofSettings,
    left: Option<Duration>,
) -> Result<Option<(Certificate, Proof)>> {
    let (n, d) = (problem.samples() as f64, most_inputs(problem, problem.samples()) as f64);
    let one = n * (d * d + (problem.outputs() as f64).powi(2));
    let work = left.map_or(WORK, |left| (PART * RATE * left.as_secs_f64()).clamp(LEAST, WORK));
    if one > left.map_or(MOST, |_| (0.5 * work).max(0.25 * MOST)) {
        return Ok(None);
    }
    let dual = {
        let compact = match Compact::new(problem) {
            Err(Error::Refused(_) | Error::Numerical(_)) => return Ok(None),
            compact => compact?,
        };
        let dense = compact.problem();
        let targets =
            DualPoint { w: dense.targets().to_owned(), ..DualPoint::zero(dense.samples(), dense.outputs()) };
        let search = RepairSettings {
            margin: proof_margin(dense.inputs() + dense.samples()),
            grace: work.max(FEWEST * one),
            ..RepairSettings::default()
        };
        // A search that was told to stop goes on for its grace.
        let within = Control::new();
        within.cancel();
        repair(dense, &targets, &search, &within)?.dual
    };
    certify_dual_with(problem, &dual, &ProofSettings { time: left.or(settings.time), ..settings.clone() })
        .map(Some)
}

/// The better of a bound and that of [`certify_free`]. Two bounds that rest on chance would fail more often than one, so that
/// the second counts only where it rests on none.
pub(crate) fn better(
    solved: (Certificate, Proof),
    free: Option<(Certificate, Proof)>,
) -> (Certificate, Proof) {
    match free {
        Some(free) if free.1.grade() == Grade::Verified && free.1.lower_bound() > solved.1.lower_bound() => {
            free
        }
        _ => solved,
    }
}
