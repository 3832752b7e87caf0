//! Where the solver of one factor stood, and how it is read from a file.

use super::figures;
use crate::certify::report::Relaxed;
use crate::dual::DualPoint;
use crate::error::Result;
use crate::io::archive::Archive;
use crate::io::files::take_forms;
use crate::low_rank::SolverState;
use crate::relaxation::Cut;
use std::io::{Read, Seek};

/// Where the solver of one factor stood at the end of a level, or where it was stopped.
pub(crate) struct LevelState {
    pub(crate) solver: SolverState,
    /// The best dual point so far.
    pub(crate) dual: DualPoint,
    /// The figures so far.
    pub(crate) relaxed: Relaxed,
    /// Levels so far.
    pub(crate) levels: usize,
    /// Levels since the bound was last improved.
    pub(crate) since_better: usize,
    /// Rounds of cuts begun so far.
    pub(crate) round: usize,
    /// The bound with which the last of them began.
    pub(crate) before: f64,
}

/// The state in a file; none where the numbers cannot be a state's. Whether they fit the problem is for the solver to say.
pub(super) fn take<R: Read + Seek>(
    archive: &mut Archive<'_, R>,
    dual: DualPoint,
    relaxed: Relaxed,
) -> Result<Option<LevelState>> {
    let (_, counts) = archive.array::<f64>("levels")?;
    let (_, numbers) = archive.array::<f64>("numbers")?;
    let (_, factor) = archive.array::<f64>("factor")?;
    let (shape, keys) = archive.array::<u32>("keys")?;
    let (_, multipliers) = archive.array::<f64>("multipliers")?;
    let (_, equality_multipliers) = archive.array::<f64>("equality_multipliers")?;
    let cuts = take_forms(archive, "cut")?;
    let cuts = (0..cuts.len()).map(|f| Cut { target: cuts.targets()[f], support: cuts.row(f).collect() });
    let &[levels, since_better, round, before] = counts.as_slice() else { return Ok(None) };
    let (Some(levels), Some(since_better), Some(round), Some(before)) = (
        figures::whole(levels),
        figures::whole(since_better),
        figures::whole(round),
        figures::measure(before),
    ) else {
        return Ok(None);
    };
    if shape.len() != 2 || shape[1] != 2 {
        return Ok(None);
    }
    let keys = keys.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let solver =
        SolverState::from_parts(&numbers, factor, keys, cuts.collect(), multipliers, equality_multipliers);
    Ok(solver.map(|solver| LevelState { solver, dual, relaxed, levels, since_better, round, before }))
}
