//! Branch and bound as a stage of a run: how much of it, and when.

use crate::branch::{BranchAndBound, BranchProgress, BranchSettings, BranchStatus, Branched};
use crate::certificate::Certificate;
use crate::certificate::branch::SearchSettings;
use crate::certify::report::{BranchFigures, Status};
use crate::certify::settings::{Blocks, CertifySettings, Method, Prices};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::problem::{Network, TrainingProblem};
use crate::progress::{Observer, Progress};
use crate::relaxation::cuts::Cuts;
use crate::training::TrainingSettings;
use std::time::Instant;

/// Visits of the short search that tells whether a longer one would end: half a second or so.
const SHORT: u64 = 50_000_000;
/// Visits of the search that `auto` makes where it would not end, or would within this: ten seconds or so.
pub(crate) const LONG: u64 = 1_000_000_000;
/// The same for each sample: the cells at the top of the tree see all of them, and the relaxation takes longer too.
const SHORT_EACH: u64 = 2_000;
const LONG_EACH: u64 = 10_000;
/// How much more a visit costs with several outputs.
const SEVERAL: u64 = 2;

/// The stage, which may be entered again with more to spend.
pub(crate) struct ByBranch<'a> {
    problem: &'a TrainingProblem,
    road: BranchAndBound<'a>,
    settings: &'a CertifySettings,
    unit: u64,
    started: Instant,
}

impl<'a> ByBranch<'a> {
    /// Whether there is such a stage; there is none where the settings ask for the relaxation.
    pub(crate) fn is_wanted(settings: &CertifySettings) -> bool {
        let plain =
            settings.blocks == Blocks::Auto && settings.prices == Prices::None && settings.cuts == Cuts::None;
        settings.method == Method::Branch || (settings.method == Method::Auto && plain)
    }

    pub(crate) fn new(
        problem: &'a TrainingProblem,
        network: &Network,
        settings: &'a CertifySettings,
        training: &'a TrainingSettings,
        started: Instant,
    ) -> Self {
        Self {
            problem,
            road: BranchAndBound::new(problem, network.clone(), settings.tolerance, training),
            settings,
            unit: if problem.outputs() > 1 { SEVERAL } else { 1 },
            started,
        }
    }

    /// Takes over the bound of an earlier run, once it is proved again.
    pub(crate) fn recall(
        &mut self,
        certificate: &Certificate,
        control: &Control,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let started = self.started;
        let settings = &self.settings.branch;
        let w = &certificate.dual().w;
        self.road.recall(w, settings, control, &mut |progress| observer.progress(&told(&progress, started)))
    }

    /// Searches before a relaxation is solved: as long as it takes where branch and bound was asked for by name, else a
    /// short search, and a longer one where that foretells that it ends. Shows on the way what it has come to. Whether the
    /// run ends here.
    pub(crate) fn first(
        &mut self,
        control: &Control,
        observer: &mut dyn Observer,
        keep: &mut dyn FnMut(&Branched),
    ) -> Result<bool> {
        if self.settings.method == Method::Branch {
            self.spend(u64::MAX, control, observer, keep)?;
            if self.road.best().status == BranchStatus::OutOfReach {
                let dimension = "branch and bound reaches 16 dimensions, and the samples span more";
                return Err(Error::Input(format!("{dimension}; take --method relaxation")));
            }
            return Ok(true);
        }
        // Half of the time is the relaxation's, should it come to that.
        let control = match control.remaining() {
            Some(left) => control.within(left / 2),
            None => control.clone(),
        };
        let samples = self.problem.samples() as u64;
        self.spend(SHORT + SHORT_EACH * samples, &control, observer, keep)?;
        let long = LONG + LONG_EACH * samples;
        let foretold = self.road.best().forecast.is_some_and(|f| f.visits <= (long / self.unit) as f64);
        if self.road.best().status == BranchStatus::Budget && foretold {
            self.spend(long, &control, observer, keep)?;
        }
        Ok(self.is_reached())
    }

    /// Searches on where the relaxation left a gap.
    pub(crate) fn again(&mut self, control: &Control, observer: &mut dyn Observer) -> Result<()> {
        if matches!(self.road.best().status, BranchStatus::Budget | BranchStatus::Stopped) {
            let samples = self.problem.samples() as u64;
            self.spend(LONG + LONG_EACH * samples, control, observer, &mut |_| {})?;
        }
        Ok(())
    }

    fn spend(
        &mut self,
        visits: u64,
        control: &Control,
        observer: &mut dyn Observer,
        keep: &mut dyn FnMut(&Branched),
    ) -> Result<()> {
        let most = &self.settings.branch;
        let visits = most.search.visits.min(visits / self.unit);
        let settings =
            BranchSettings { search: SearchSettings { visits, ..most.search.clone() }, ..most.clone() };
        let started = self.started;
        let mut progress = |progress| observer.progress(&told(&progress, started));
        self.road.run_keeping(&settings, control, &mut progress, keep)?;
        Ok(())
    }

    pub(crate) fn problem(&self) -> &'a TrainingProblem {
        self.problem
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.road.best().status == BranchStatus::Reached
    }

    pub(crate) fn road(&self) -> &BranchAndBound<'a> {
        &self.road
    }

    /// The best network of the stage.
    pub(crate) fn network(&self) -> &Network {
        &self.road.best().network
    }

    pub(crate) fn figures(&self) -> BranchFigures {
        let best = self.road.best();
        BranchFigures {
            dimension: best.dimension,
            cells: best.cells,
            visits: best.visits,
            epsilon: best.epsilon,
            status: best.status,
            forecast: best.forecast,
        }
    }

    /// The status of a run that ends with this stage.
    pub(crate) fn status(&self, control: &Control) -> Status {
        match self.road.best().status {
            BranchStatus::Reached => Status::Converged,
            _ if control.is_cancelled() => Status::Cancelled,
            _ if control.should_stop() => Status::TimeLimit,
            BranchStatus::Budget => Status::Budget,
            _ => Status::Stalled,
        }
    }
}

fn told(progress: &BranchProgress, started: Instant) -> Progress {
    Progress {
        value: progress.upper_bound.value(),
        lower_bound: progress.lower_bound.value(),
        upper_bound: progress.upper_bound.value(),
        seconds: started.elapsed().as_secs_f64(),
        cells: Some(progress.search.cells),
        share: Some(progress.search.share),
        ..Progress::default()
    }
}
