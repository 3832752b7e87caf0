//! The end of a run: one report, however the run came there.

use super::begin::Begun;
use super::{Account, Context, Stages};
use crate::certificate::{Certificate, Proof, prove_with};
use crate::certify::certified::Certified;
use crate::certify::checkpoint::Stage;
use crate::certify::report::{BranchFigures, Relaxed, Report, Status};
use crate::error::{Error, Result};
use crate::problem::Network;
use crate::training::stationarity;

/// What a run ends with.
pub(super) struct Ending {
    pub(super) network: Network,
    pub(super) proved: (Certificate, Proof),
    pub(super) relaxed: Relaxed,
    /// What branch and bound did, where it was tried.
    pub(super) search: Option<BranchFigures>,
}

impl Ending {
    pub(super) fn new(network: Network, proved: (Certificate, Proof), relaxed: Relaxed) -> Self {
        Self { network, proved, relaxed, search: None }
    }

    pub(super) fn searched(self, search: Option<BranchFigures>) -> Self {
        Self { search, ..self }
    }
}

impl Context<'_> {
    /// The end of a run that an earlier one has come to: its certificate is proved again.
    pub(super) fn done(&self, begun: Begun, account: &Account<'_>) -> Result<Stages> {
        let Begun { network, stage, writer } = begun;
        let Some(Stage::Done { certificate, relaxed, search }) = stage else {
            return Err(Error::Input("the checkpoint is not that of a run at its end".into()));
        };
        let proof =
            prove_with(self.problem, &certificate, &self.settings.proof).map_err(|error| match &writer {
                Some(writer) => writer.damaged(&error.to_string()),
                None => error,
            })?;
        let trained = (network.clone(), account.seconds.round);
        let certified = self.assemble(
            Ending::new(network, (certificate, proof), relaxed).searched(search),
            account,
            || None,
        );
        Ok(Stages { certified, solution: None, trained, polished: None })
    }

    /// The report of a run at its end: `cause` says what cost the bound where the proof did, `last` is the last phase, if
    /// that is not over.
    pub(super) fn report(
        &self,
        ending: Ending,
        account: &mut Account<'_>,
        cause: impl FnOnce() -> Option<String>,
        last: Option<&'static str>,
    ) -> Certified {
        let mut certified = self.assemble(ending, account, cause);
        if let Some(last) = last {
            account.watch.ended(last);
        }
        certified.report.overrun = account.watch.line();
        certified
    }

    fn assemble(
        &self,
        ending: Ending,
        account: &Account<'_>,
        cause: impl FnOnce() -> Option<String>,
    ) -> Certified {
        let Ending { network, proved: (certificate, proof), relaxed, search } = ending;
        let mut report =
            Report::assemble(self.problem, &network, &certificate, &proof, &relaxed, account.seconds);
        if let Some(figures) = search {
            report.searched(figures);
        }
        if report.status == Status::Unproved {
            report.cause = cause();
        }
        report.stationarity = self.stationarity(&network);
        Certified { network, certificate, proof, report }
    }

    /// The largest ratio that a search over neurons finds; none where the run has to end.
    fn stationarity(&self, network: &Network) -> Option<f64> {
        let should_stop = || self.control.should_stop();
        let found =
            (!should_stop()).then(|| stationarity(self.problem, network, self.training, self.control));
        found.filter(|_| !should_stop())
    }
}

impl Account<'_> {
    /// Tells the observer what went wrong, if anything did.
    pub(super) fn warn(&mut self, trouble: Option<String>) {
        if let Some(trouble) = trouble {
            self.observer.warning(&trouble);
        }
    }
}
