//! Where the solver of one factor stood, and how it is read from a file.

use super::figures;
use super::state::take_state;
use crate::certify::report::Relaxed;
use crate::dual::DualPoint;
use crate::error::Result;
use crate::io::archive::Archive;
use crate::low_rank::SolverState;
use std::io::{Read, Seek};

/// Where the solver of one factor stood at the end of a level, or where it was stopped.
pub(crate) struct LevelState {
    pub(crate) solver: SolverState,
    /// The best dual point so far.
    pub(crate) dual: DualPoint,
    /// The figures so far.
    pub(crate) relaxed: Relaxed,
    pub(crate) count: LevelCount,
}

/// Levels of a round of cuts so far, and those since the bound was last improved.
#[derive(Clone, Copy, Default)]
pub(crate) struct LevelCount {
    pub(crate) levels: usize,
    pub(crate) since_better: usize,
    /// Rounds of cuts begun.
    pub(crate) round: usize,
    /// The bound with which this one began.
    pub(crate) before: f64,
}

/// The state in a file; none where the numbers cannot be a state's. Whether they fit the problem is for the solver to say.
pub(super) fn take<R: Read + Seek>(
    archive: &mut Archive<'_, R>,
    dual: DualPoint,
    relaxed: Relaxed,
) -> Result<Option<LevelState>> {
    let (_, counts) = archive.array::<f64>("levels")?;
    let solver = take_state(archive)?;
    let &[levels, since_better, round, before] = counts.as_slice() else { return Ok(None) };
    let (Some(levels), Some(since_better), Some(round), Some(before)) = (
        figures::whole(levels),
        figures::whole(since_better),
        figures::whole(round),
        figures::measure(before),
    ) else {
        return Ok(None);
    };
    let count = LevelCount { levels, since_better, round, before };
    Ok(solver.map(|solver| LevelState { solver, dual, relaxed, count }))
}
