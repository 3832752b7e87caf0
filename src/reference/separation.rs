//! Rounds of cuts: each is a solve of its own, because an interior point does not survive new constraints.

use super::{ReferenceIteration, ReferenceSettings, ReferenceSolution, solve_from};
use crate::cuts::{Asks, separate};
use crate::lifting::Lifting;
use crate::{Control, Result};

/// Most rounds.
const ROUNDS: u64 = 12;
/// A round that raises the value by less than this part ends them.
const LEAST_GAIN: f64 = 1e-4;

/// The solution with cuts, or the last one that is solved.
pub(super) fn tightened(
    lifting: &Lifting,
    settings: &ReferenceSettings,
    mut solution: ReferenceSolution,
    control: &Control,
    observer: &mut dyn FnMut(&ReferenceIteration),
) -> Result<ReferenceSolution> {
    let limit = settings.cuts.limit(lifting);
    for round in 0..ROUNDS {
        let room = limit.saturating_sub(solution.pairs.cuts().len());
        if room == 0 || !solution.status.is_solved() || control.should_stop() {
            break;
        }
        let (rows, columns) = &solution.base_rows;
        let asks = Asks { limit: room, seed: round, ..Asks::default() };
        let cuts = separate(lifting, rows, *columns, &asks);
        if cuts.is_empty() {
            break;
        }
        let mut pairs = solution.pairs.clone();
        let largest = pairs.multipliers.iter().copied().fold(0.0, f64::max);
        let keep: Vec<bool> = pairs.multipliers.iter().map(|n| *n > 1e-6 * largest).collect();
        pairs.retain(lifting, &keep);
        pairs.drop_idle_cuts(lifting);
        pairs.add_cuts(lifting, cuts);
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
