//! The bound of a run: by branch and bound, in blocks, or by the relaxation in one piece.

use super::ending::Ending;
use super::{Account, Context, Stages};
use crate::branch::Branched;
use crate::certificate::{Certificate, Proof, ProofSettings, prove_with};
use crate::certify::by_branch::ByBranch;
use crate::certify::checkpoint::{BlockCheckpoint, CheckpointWriter, Stage, WholeCheckpoint};
use crate::certify::divide::{DividedRun, Division};
use crate::certify::plan::{Plan, proof_time};
use crate::certify::relax::{Relaxation, better, cause, certify_free, relax};
use crate::certify::report::{Relaxed, Seconds, Status};
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::problem::Network;
use crate::relaxation::LiftedFactor;
use crate::repair::certify_dual_with;
use crate::training::{is_exhaustive, polish};
use faer::{Mat, MatRef};
use std::sync::Mutex;
use std::time::Instant;

impl Context<'_> {
    /// Searches before a relaxation is solved, from the bound of an earlier run; whether the run ends here.
    pub(super) fn search(
        &self,
        search: &mut ByBranch<'_>,
        stage: Option<&Stage>,
        mut writer: Option<&mut CheckpointWriter>,
        account: &mut Account<'_>,
    ) -> Result<bool> {
        let searching = Instant::now();
        if let Some(Stage::Searched { certificate }) = stage {
            search.recall(certificate, self.control, account.observer).map_err(|error| {
                match (&writer, error) {
                    (Some(writer), Error::Refused(why)) => writer.damaged(&why),
                    (_, error) => error,
                }
            })?;
        }
        let before = account.seconds;
        let mut keep = |best: &Branched| {
            if let Some(writer) = writer.as_mut().filter(|writer| writer.is_due()) {
                let search = before.search + searching.elapsed().as_secs_f64();
                writer.spent(Seconds { search, ..before });
                writer.searched(self.given.unwrap_or(&best.network), bound_to_keep(best, stage));
            }
        };
        let ended = search.first(self.control, account.observer, &mut keep)?;
        account.seconds.search += searching.elapsed().as_secs_f64();
        account.watch.ended("branch and bound");
        Ok(ended)
    }

    /// The end of a run that branch and bound ends.
    pub(super) fn by_search(
        &self,
        search: &ByBranch<'_>,
        trained: Network,
        stage: Option<Stage>,
        writer: Option<CheckpointWriter>,
        account: &mut Account<'_>,
    ) -> Result<Stages> {
        let best = search.road().best();
        // Somebody else's network is judged as it came, by the bound that our own search has proved.
        let found = if self.given.is_some() { &trained } else { &best.network };
        let (certificate, proof) = match &best.bound {
            Some(bound) if search.is_reached() => bound.clone(),
            bound => better(self.free(&self.settings.making(0, 1, self.control))?, bound.clone()),
        };
        let relaxed = Relaxed::skipped(search.status(self.control));
        if let Some(mut writer) = writer {
            writer.spent(account.seconds);
            if search.is_reached() {
                let mut checkpoint = WholeCheckpoint::new(writer, stage);
                checkpoint.finish(found, &certificate, &relaxed, Some(&search.figures()));
                account.warn(checkpoint.trouble());
            } else {
                // A later run begins with this bound, and from the network that the search has improved.
                writer.searched(self.given.unwrap_or(&best.network), bound_to_keep(best, stage.as_ref()));
                account.warn(writer.trouble());
            }
        }
        let ending =
            Ending::new(found.clone(), (certificate, proof), relaxed).searched(Some(search.figures()));
        let certified = self.report(ending, account, || None, None);
        let trained = (trained, account.seconds.round);
        Ok(Stages { certified, solution: None, trained, polished: None })
    }

    /// The bounds of blocks of samples, put together.
    pub(super) fn in_blocks(
        &self,
        plan: Plan,
        network: Network,
        stage: Option<Stage>,
        writer: Option<CheckpointWriter>,
        search: Option<&mut ByBranch<'_>>,
        account: &mut Account<'_>,
    ) -> Result<Stages> {
        let Self { problem, settings, executor, control, started, .. } = *self;
        let division = Division::planned(problem, &network, settings, plan)?;
        let checkpoint =
            writer.map(|writer| BlockCheckpoint::new(writer, problem, division.partition(), stage));
        let checkpoint = checkpoint.transpose()?.map(Mutex::new);
        let run = DividedRun { division: &division, executor, control, started, checkpoint };
        let divided = run.certify(account.observer, &mut account.seconds)?;
        account.watch.ended("solving and proving the blocks");
        let ending = Ending::new(network.clone(), (divided.certificate, divided.proof), divided.relaxed);
        let ending = self.searched_on(search, ending, account)?;
        let trained = (ending.network.clone(), account.seconds.round);
        let certified = self.report(ending, account, || divided.cause, None);
        Ok(Stages { certified, solution: None, trained, polished: None })
    }

    /// The relaxation of all samples, proved, and the network trained from its solution.
    pub(super) fn in_one_piece(
        &self,
        network: Network,
        stage: Option<Stage>,
        writer: Option<CheckpointWriter>,
        search: Option<&mut ByBranch<'_>>,
        account: &mut Account<'_>,
    ) -> Result<Stages> {
        let Self { problem, settings, control, .. } = *self;
        let mut checkpoint = writer.map(|writer| WholeCheckpoint::new(writer, stage));
        let trained = (network.clone(), account.seconds.round);

        let solving = Instant::now();
        // Its proof is not interrupted.
        let until = control.reserving(proof_time(problem, settings, problem.samples()));
        let relaxation =
            relax(problem, &network, settings, &until, account.observer, self.started, checkpoint.as_mut())?;
        account.seconds.solve += solving.elapsed().as_secs_f64();
        account.watch.ended("solving the relaxation");

        // Two certificates may be made, and the better one is taken.
        let proving = settings.making(0, 2, control);
        let proved = self.prove(&relaxation, &proving, account)?;
        let polished = self.polished(&network, &relaxation, account);
        let network = match &polished {
            Some(polished) if polished.objective(problem) < network.objective(problem) => polished.clone(),
            _ => network,
        };
        let ending = Ending::new(network, proved, relaxation.relaxed);
        let ending = self.searched_on(search, ending, account)?;
        let ended = relaxation.relaxed.is_solved() && !control.should_stop();
        if let Some(checkpoint) = checkpoint.as_mut().filter(|_| ended) {
            checkpoint.spent(account.seconds);
            checkpoint.finish(&ending.network, &ending.proved.0, &ending.relaxed, ending.search.as_ref());
            account.warn(checkpoint.trouble());
        }
        let why = || Some(cause(problem, &relaxation.dual, &proving));
        let last = Some("training from the solution of the relaxation");
        let certified = self.report(ending, account, why, last);
        // Where nothing was left to solve, the network lifted is a solution.
        let optimal = relaxation.relaxed.solver.status == Status::Converged && relaxation.hidden.is_none();
        let lifted = || optimal.then(|| LiftedFactor::from_network(problem, &certified.network));
        let solution = relaxation.factor.or_else(lifted);
        Ok(Stages { certified, solution, trained, polished })
    }

    /// The certificate of the relaxation's multipliers, or of the point that takes no solver.
    fn prove(
        &self,
        relaxation: &Relaxation,
        proving: &ProofSettings,
        account: &mut Account<'_>,
    ) -> Result<(Certificate, Proof)> {
        let certifying = Instant::now();
        let mut proved = certify_dual_with(self.problem, &relaxation.dual, proving)?;
        if proved.1.lower_bound() < relaxation.free_bound {
            // A point whose proof was lost leaves the one that takes no solver.
            let free = self.settings.making(1, 2, self.control);
            proved = better(proved, certify_free(self.problem, &free, self.control.remaining())?);
        }
        account.seconds.certify += certifying.elapsed().as_secs_f64();
        account.watch.ended("proving the bound");
        Ok(proved)
    }

    /// The network trained from the solution of the relaxation and the one there was; none where that is not worth it.
    fn polished(
        &self,
        network: &Network,
        relaxation: &Relaxation,
        account: &mut Account<'_>,
    ) -> Option<Network> {
        let rounding = Instant::now();
        let worthwhile = self.given.is_none() && !self.control.should_stop() && !is_exhaustive(self.problem);
        let hidden = relaxation.hidden.as_ref().filter(|_| worthwhile);
        let polished = hidden.map(|hidden| {
            polish(self.problem, beside(network.hidden(), hidden).as_ref(), self.training, self.control)
        });
        account.seconds.round += rounding.elapsed().as_secs_f64();
        polished
    }

    /// Searches on where the bound is not within the tolerance, and takes the better network and the better bound.
    fn searched_on(
        &self,
        search: Option<&mut ByBranch<'_>>,
        ending: Ending,
        account: &mut Account<'_>,
    ) -> Result<Ending> {
        let Some(search) = search else { return Ok(ending) };
        let problem = search.problem();
        let objective = |network: &Network| network.objective(problem);
        let Ending { network, proved, relaxed, .. } = ending;
        let is_far = proved.1.lower_bound() < (1.0 - self.settings.tolerance) * objective(&network);
        if is_far && !self.control.should_stop() {
            search.again(self.control, account.observer)?;
        }
        let best = search.road().best();
        let is_better = objective(&best.network) < objective(&network);
        let network = if self.given.is_none() && is_better { best.network.clone() } else { network };
        let proved = match &best.bound {
            Some(bound) => better(proved, Some(bound.clone())),
            None => proved,
        };
        Ok(Ending::new(network, proved, relaxed).searched(Some(search.figures())))
    }

    /// The bound that takes no search, or that no objective is negative.
    fn free(&self, proving: &ProofSettings) -> Result<(Certificate, Proof)> {
        if let Some(free) = certify_free(self.problem, proving, self.control.remaining())? {
            return Ok(free);
        }
        let zero = DualPoint::zero(self.problem.samples(), self.problem.outputs());
        let certificate = Certificate::new(zero);
        let proof = prove_with(self.problem, &certificate, proving)?;
        Ok((certificate, proof))
    }
}

/// The best bound of a search; where there is none, that of an earlier run, which could not be proved again in time.
fn bound_to_keep<'a>(best: &'a Branched, stage: Option<&'a Stage>) -> Option<&'a Certificate> {
    let earlier = match stage {
        Some(Stage::Searched { certificate }) => Some(certificate),
        _ => None,
    };
    best.bound.as_ref().map(|(certificate, _)| certificate).or(earlier)
}

/// [A B].
fn beside(a: MatRef<'_, f64>, b: &Mat<f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols() + b.ncols(), |i, j| {
        if j < a.ncols() { a[(i, j)] } else { b[(i, j - a.ncols())] }
    })
}
