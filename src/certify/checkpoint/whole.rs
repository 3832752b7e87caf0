//! The state of a run in one piece.

use super::figures;
use super::level::LevelState;
use super::saver::{Saver, Stage};
use super::state::put_state;
use crate::certificate::Certificate;
use crate::certify::report::{BranchFigures, Relaxed, Seconds};
use crate::error::Error;
use crate::io::files::{array, put_certificate};
use crate::problem::Network;

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
        self.saver.trained(network);
        self.saver.write(|out| {
            put_certificate(out, certificate)?;
            array(out, "figures", &[figures::WHOLE as u64], figures::of_whole(relaxed).into_iter())?;
            let Some(search) = search else { return Ok(()) };
            array(out, "search", &[figures::SEARCH as u64], figures::of_search(search).into_iter())
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
