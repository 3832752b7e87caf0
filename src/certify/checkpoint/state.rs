//! The low-rank solver's state as arrays of an archive: in checkpoints, and in tasks and outcomes of blocks.

use crate::dual::CutForms;
use crate::error::Result;
use crate::io::archive::Archive;
use crate::io::files::{Writer, array, put_forms, take_forms};
use crate::low_rank::SolverState;
use crate::relaxation::Cut;
use std::io::{self, Read, Seek};

/// The arrays that [`put_state`] writes.
pub(crate) const STATE: &[&str] = &[
    "numbers",
    "factor",
    "keys",
    "multipliers",
    "equality_multipliers",
    "cut_target",
    "cut_indptr",
    "cut_index",
    "cut_coef",
];

pub(crate) fn put_state(out: &mut Writer<'_>, solver: &SolverState) -> io::Result<()> {
    let numbers = solver.numbers();
    array(out, "numbers", &[numbers.len() as u64], numbers.into_iter())?;
    array(out, "factor", &[solver.factor.len() as u64], solver.factor.iter().copied())?;
    let keys = solver.keys.iter().flat_map(|&(i, j)| [i, j]);
    array(out, "keys", &[solver.keys.len() as u64, 2], keys)?;
    for (name, values) in
        [("multipliers", &solver.multipliers), ("equality_multipliers", &solver.equality_multipliers)]
    {
        array(out, name, &[values.len() as u64], values.iter().copied())?;
    }
    // Over directions, not samples: the certificate has forms of its own.
    let mut cuts = CutForms::new();
    for cut in &solver.cuts {
        cuts.push(cut.target, cut.support.iter().copied());
    }
    if cuts.is_empty() { Ok(()) } else { put_forms(out, "cut", &cuts) }
}

/// What [`put_state`] wrote; none where the numbers cannot be a state's. Whether they fit the problem is for the solver to
/// say.
pub(crate) fn take_state<R: Read + Seek>(archive: &mut Archive<'_, R>) -> Result<Option<SolverState>> {
    let (_, numbers) = archive.array::<f64>("numbers")?;
    let (_, factor) = archive.array::<f64>("factor")?;
    let (shape, keys) = archive.array::<u32>("keys")?;
    let (_, multipliers) = archive.array::<f64>("multipliers")?;
    let (_, equality_multipliers) = archive.array::<f64>("equality_multipliers")?;
    let cuts = take_forms(archive, "cut")?;
    let cuts = (0..cuts.len()).map(|f| Cut { target: cuts.targets()[f], support: cuts.row(f).collect() });
    if shape.len() != 2 || shape[1] != 2 {
        return Ok(None);
    }
    let keys = keys.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    Ok(SolverState::from_parts(&numbers, factor, keys, cuts.collect(), multipliers, equality_multipliers))
}
