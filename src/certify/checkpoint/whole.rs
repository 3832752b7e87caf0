//! The state of a run in one piece.

use super::{Saver, Stage, figures};
use crate::certificate::Certificate;
use crate::certify::report::{Relaxed, Seconds};
use crate::dual::{CutForms, DualPoint};
use crate::error::{Error, Result};
use crate::io::archive::Archive;
use crate::io::files::{array, put_certificate, put_forms, take_forms};
use crate::low_rank::SolverState;
use crate::problem::Network;
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

/// Keeps the state of a run in one piece.
pub(crate) struct WholeLedger {
    saver: Saver,
    earlier: Option<Box<LevelState>>,
}

impl WholeLedger {
    pub(crate) fn new(saver: Saver, earlier: Option<Stage>) -> Self {
        let earlier = match earlier {
            Some(Stage::Level(state)) => Some(state),
            _ => None,
        };
        Self { saver, earlier }
    }

    /// Where an earlier run stood; once.
    pub(crate) fn earlier(&mut self) -> Option<Box<LevelState>> {
        self.earlier.take()
    }

    /// Whether a level that ends now is worth writing down.
    pub(crate) fn is_due(&self) -> bool {
        self.saver.is_due()
    }

    /// Writes the state down.
    pub(crate) fn record(&mut self, state: &LevelState) {
        let certificate = Certificate::new(state.dual.clone());
        let counts = [state.levels as f64, state.since_better as f64, state.round as f64, state.before];
        self.saver.write(|out| {
            put_certificate(out, &certificate)?;
            array(out, "figures", &[figures::WHOLE as u64], figures::of_whole(&state.relaxed).into_iter())?;
            array(out, "levels", &[4], counts.into_iter())?;
            let solver = &state.solver;
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
        });
    }

    /// Writes the end of a run down.
    pub(crate) fn finish(&mut self, network: &Network, certificate: &Certificate, relaxed: &Relaxed) {
        self.saver.trained(network);
        self.saver.write(|out| {
            put_certificate(out, certificate)?;
            array(out, "figures", &[figures::WHOLE as u64], figures::of_whole(relaxed).into_iter())
        });
    }

    pub(crate) fn spent(&mut self, seconds: Seconds) {
        self.saver.spent(seconds);
    }

    pub(crate) fn trouble(&mut self) -> Option<String> {
        self.saver.trouble()
    }

    /// The error for a state that does not fit the problem.
    pub(crate) fn damaged(&self, what: &str) -> Error {
        self.saver.damaged(what)
    }
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
