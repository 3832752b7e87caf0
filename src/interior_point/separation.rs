//! Rounds of cuts: each is a solve of its own, because an interior point does not survive new constraints.

use super::{ReferenceIteration, ReferenceSettings, ReferenceSolution, solve_from};
use crate::control::Control;
use crate::error::Result;
use crate::relaxation::Lifting;
use crate::relaxation::cuts::{Cuts, propose};

/// Most rounds of cuts (conventional).
const ROUNDS: u64 = 12;
/// A round that raises the value by less than this part of it is the last (conventional).
const LEAST_GAIN: f64 = 1e-4;

/// The solution with cuts, or the last one that is solved.
pub(super) fn tightened(
    lifting: &Lifting,
    settings: &ReferenceSettings,
    mut solution: ReferenceSolution,
    control: &Control,
    observer: &mut dyn FnMut(&ReferenceIteration),
) -> Result<ReferenceSolution> {
    for round in 0..ROUNDS {
        if settings.cuts == Cuts::None || !solution.status.is_solved() || control.should_stop() {
            break;
        }
        let (rows, columns) = solution.base_rows(lifting);
        let cuts = propose(lifting, &rows, columns, solution.pairs.cuts(), settings.cuts, round);
        if cuts.is_empty() {
            break;
        }
        let pairs = solution.pairs_with(lifting, cuts);
        let mut next = solve_from(lifting, settings, pairs, control, observer)?;
        if !next.status.is_solved() || next.value < solution.value {
            break;
        }
        next.iterations += solution.iterations;
        next.seconds += solution.seconds;
        let gain = next.value - solution.value;
        solution = next;
        if gain < LEAST_GAIN * solution.value {
            break;
        }
    }
    Ok(solution)
}
