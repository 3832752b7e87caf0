//! When a level's multipliers are repaired into a bound: that costs more than the level itself, and early ones give little.

use super::RelaxationRun;
use crate::error::Result;
use crate::low_rank::Level;
use crate::repair::{RepairSettings, dual_point};
use std::ops::Range;

/// Steps of the ascent that estimates a level's bound.
const LEVEL_ASCENT: usize = 6;
/// Samples above which the shifts that estimate a level's bound are guessed from its lowest eigenvalue (conventional).
const SEARCH_LIMIT: usize = 500;
/// Where the gap is at most this many times the tolerance, shifts are searched for thoroughly (conventional).
const NEARLY: f64 = 2.5;
/// The search ends once the gap is at most this many times the tolerance: below 1, so that the run ends too.
const CLOSE: f64 = 0.9;

/// The newest level, kept for the end of the run.
#[derive(Default)]
pub(super) struct Repairs {
    newest: Option<Level>,
}

impl Repairs {
    /// Estimates the bound of a level that was examined; tells whether it is the best so far. `error` is the level's own,
    /// relative to its value.
    pub(super) fn consider(
        &mut self,
        run: &mut RelaxationRun<'_>,
        level: &Level,
        error: f64,
    ) -> Result<bool> {
        if level.slack_eigenvalue.is_none() {
            return Ok(false);
        }
        // Another level costs far more than a thorough search for the shifts of this one, where that may be the last.
        let (value, tolerance) = (run.relaxed.solver.value, run.tolerance);
        let worst = |tolerances: f64| value * (1.0 + error - tolerances * tolerance);
        consider(run, level, guess(level), worst(NEARLY)..worst(CLOSE))
    }

    /// Keeps a level for the end of the run.
    pub(super) fn keep(&mut self, level: Level) {
        self.newest = Some(level);
    }

    /// A run that was stopped has the bound of its newest whole level, and of the one under way.
    pub(super) fn stop(&mut self, run: &mut RelaxationRun<'_>, under_way: &Level) -> Result<()> {
        if let Some(level) = self.newest.take().filter(|level| level.slack_eigenvalue.is_none()) {
            consider(run, &level, guess(under_way), NEVER)?;
        }
        consider(run, under_way, guess(under_way), NEVER)?;
        Ok(())
    }

    /// A run that gives up spends a search from nothing on what it has.
    pub(super) fn give_up(&mut self, run: &mut RelaxationRun<'_>) -> Result<()> {
        match self.newest.take() {
            Some(level) if is_guessed(run) || level.slack_eigenvalue.is_none() => {
                consider(run, &level, None, NEVER).map(|_| ())
            }
            _ => Ok(()),
        }
    }
}

/// A search that is never thorough.
const NEVER: Range<f64> = 0.0..0.0;

/// The shift that would lift the slack's lowest eigenvalue to zero.
fn guess(level: &Level) -> Option<f64> {
    level.slack_eigenvalue.map(|lowest| (-lowest).max(f64::MIN_POSITIVE))
}

/// Whether a level's shifts are guessed, because to search for them costs as much as the level.
pub(super) fn is_guessed(run: &RelaxationRun<'_>) -> bool {
    run.problem.samples() > SEARCH_LIMIT
}

/// Estimates the bound of a level's multipliers and keeps them if it is the best: from the guess, if there are so many
/// samples that it counts, and thoroughly where that gives a bound in the range.
fn consider(
    run: &mut RelaxationRun<'_>,
    level: &Level,
    guess: Option<f64>,
    promising: Range<f64>,
) -> Result<bool> {
    let dual = dual_point(run.problem, run.lifting, &level.multipliers, &level.residual);
    let mut settings = RepairSettings { ascent_steps: LEVEL_ASCENT, ..RepairSettings::default() };
    if let (Some(guess), true) = (guess, is_guessed(run)) {
        settings.likely = Some(guess * run.lifting.leverage_unit());
        settings.promising = Some(promising);
    }
    run.consider(dual, &settings)
}
