//! The state of a run in one piece.

use super::figures;
use super::level::{LevelCount, LevelState};
use super::state::put_state;
use super::writer::{CheckpointWriter, Stage};
use crate::certificate::Certificate;
use crate::certify::report::{BranchFigures, Relaxed, Seconds};
use crate::error::Error;
use crate::io::files::{array, put_certificate};
use crate::problem::Network;

/// Keeps the state of a run in one piece.
pub(crate) struct WholeCheckpoint {
    writer: CheckpointWriter,
    earlier: Option<Box<LevelState>>,
}

impl WholeCheckpoint {
    pub(crate) fn new(writer: CheckpointWriter, earlier: Option<Stage>) -> Self {
        let earlier = match earlier {
            Some(Stage::Level(state)) => Some(state),
            _ => None,
        };
        Self { writer, earlier }
    }

    /// Where an earlier run stood; once.
    pub(crate) fn earlier(&mut self) -> Option<Box<LevelState>> {
        self.earlier.take()
    }

    /// Whether a level that ends now is worth writing down.
    pub(crate) fn is_due(&self) -> bool {
        self.writer.is_due()
    }

    /// Writes the state down.
    pub(crate) fn record(&mut self, state: &LevelState) {
        let certificate = Certificate::new(state.dual.clone());
        let LevelCount { levels, since_better, round, before } = state.count;
        let counts = [levels as f64, since_better as f64, round as f64, before];
        self.writer.write(|out| {
            put_certificate(out, &certificate)?;
            array(out, "figures", &[figures::WHOLE as u64], figures::of_whole(&state.relaxed).into_iter())?;
            array(out, "levels", &[4], counts.into_iter())?;
            put_state(out, &state.solver)
        });
    }

    /// Writes the end of a run down.
    pub(crate) fn finish(
        &mut self,
        network: &Network,
        certificate: &Certificate,
        relaxed: &Relaxed,
        search: Option<&BranchFigures>,
    ) {
        self.writer.trained(network);
        self.writer.write(|out| {
            put_certificate(out, certificate)?;
            array(out, "figures", &[figures::WHOLE as u64], figures::of_whole(relaxed).into_iter())?;
            let Some(search) = search else { return Ok(()) };
            array(out, "search", &[figures::SEARCH as u64], figures::of_search(search).into_iter())
        });
    }

    pub(crate) fn spent(&mut self, seconds: Seconds) {
        self.writer.spent(seconds);
    }

    pub(crate) fn trouble(&mut self) -> Option<String> {
        self.writer.trouble()
    }

    /// The error for a state that does not fit the problem.
    pub(crate) fn damaged(&self, what: &str) -> Error {
        self.writer.damaged(what)
    }
}
