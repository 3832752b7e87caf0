//! The road: train, search for a filter that the network lacks, insert it, until none is left.

use super::training::{insert, largest_ratio, train};
use crate::bounds::{LowerBound, UpperBound};
use crate::branch::ladder::{Ladder, Worth};
use crate::branch::{BranchProgress, BranchSettings, BranchStatus, Forecast, distinct};
use crate::certificate::branch::SearchSettings;
use crate::certificate::{ConvolutionalClaim, Proof};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::problem::convolution::{ConvolutionalNetwork, ConvolutionalProblem, Lifted};
use crate::training::TrainingSettings;
use faer::Mat;
use std::time::Instant;

/// An insertion that wins less than this part of the objective has not made use of what was found, unless it answered it.
const LEAST_PROGRESS: f64 = 1e-9;
/// So far a violation must come down to be answered.
const ANSWERED: f64 = 0.5;
/// Part of ε that an insertion may leave before the next search.
const ENOUGH: f64 = 0.5;
/// The ladder aims at nine tenths of a gap, for what training leaves; here it aims at 0.99 of the tolerance, as no search begins
/// before it aims anew.
const AIM: f64 = 1.1;

/// Settings of [`certify`].
#[derive(Clone, Debug, Default)]
pub struct ConvolutionSettings {
    /// What the searches may cost together.
    pub branch: BranchSettings,
    /// How networks are trained.
    pub training: TrainingSettings,
}

/// What the road came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Convolved {
    /// The best network.
    pub network: ConvolutionalNetwork,
    /// Its objective, rounded upwards.
    pub upper_bound: UpperBound,
    /// The W (n × c) of the best bound, and its proof; none where nothing was proved.
    pub bound: Option<(Mat<f64>, Proof)>,
    /// Directions that are searched: the rank of the patches.
    pub dimension: usize,
    /// Cells of all searches.
    pub cells: u64,
    /// Unsettled patches, summed over the cells of all searches.
    pub visits: u64,
    /// ε of the last level that was proved.
    pub epsilon: Option<f64>,
    /// Why it ended.
    pub status: BranchStatus,
    /// What reaching the tolerance would cost; none where it is reached or nothing was measured.
    pub forecast: Option<Forecast>,
    /// Seconds of training before the first search, and of all insertions.
    pub training_seconds: f64,
}

impl Convolved {
    /// The proved lower bound, 0 where there is none.
    pub fn lower_bound(&self) -> LowerBound {
        self.bound.as_ref().map_or(LowerBound::trivial(), |(_, proof)| proof.lower_bound())
    }

    fn is_within(&self, tolerance: f64) -> bool {
        self.lower_bound() >= (1.0 - tolerance) * self.upper_bound.value()
    }
}

/// What one search led to.
enum Step {
    Proved,
    Violated(Vec<Vec<f64>>),
    Tight(Vec<Vec<f64>>),
    Ended(BranchStatus),
}

/// Trains a network, and improves it until branch and bound proves it optimal to a relative gap among all networks of this
/// shape with any number of filters, or the budget or `control` ends it.
///
/// Same result for any number of threads, unless it is stopped. Errors: more patches than fit, numbers out of range, a tolerance
/// that is not between 0 and 1.
pub fn certify(
    problem: &ConvolutionalProblem,
    tolerance: f64,
    settings: &ConvolutionSettings,
    control: &Control,
    progress: &mut dyn FnMut(BranchProgress),
) -> Result<Convolved> {
    if !(tolerance > 0.0 && tolerance < 1.0) {
        let value = tolerance.to_string();
        return Err(Error::Parameter { name: "tolerance", value, range: "between 0 and 1" });
    }
    settings.training.validate()?;
    let lifted = problem.lifted()?;
    let started = Instant::now();
    let network = train(problem, tolerance, &settings.training, control)?;
    let best = Convolved {
        upper_bound: network.objective_upper(problem),
        network,
        bound: None,
        dimension: 0,
        cells: 0,
        visits: 0,
        epsilon: None,
        status: BranchStatus::Stopped,
        forecast: None,
        training_seconds: started.elapsed().as_secs_f64(),
    };
    let mut road = Road { lifted: &lifted, tolerance, settings, best, ladder: Ladder::default() };
    road.best.status = road.walk(control, progress)?;
    road.best.forecast = match road.best.status {
        BranchStatus::Reached | BranchStatus::OutOfReach => None,
        _ => road.ladder.forecast(tolerance),
    };
    Ok(road.best)
}

struct Road<'a> {
    lifted: &'a Lifted<'a>,
    tolerance: f64,
    settings: &'a ConvolutionSettings,
    best: Convolved,
    ladder: Ladder,
}

impl Road<'_> {
    fn residual(&self) -> Mat<f64> {
        let problem = self.lifted.problem();
        problem.targets() - self.best.network.predict_for(problem)
    }

    fn walk(&mut self, control: &Control, progress: &mut dyn FnMut(BranchProgress)) -> Result<BranchStatus> {
        let rounds = self.settings.branch.rounds;
        let mut stalled = false;
        for round in 0..=rounds {
            let claim = match ConvolutionalClaim::new(self.lifted, self.residual()) {
                Ok(claim) => claim,
                Err(Error::Refused(_)) => return Ok(BranchStatus::OutOfReach),
                Err(error) => return Err(error),
            };
            self.best.dimension = claim.dimension();
            let worth = Worth::of(self.lifted.problem().targets(), claim.w());
            self.ladder.aim(&worth, self.best.upper_bound.value(), AIM * self.tolerance);
            let (violators, epsilon) = loop {
                let Some(epsilon) = self.ladder.next(self.left()) else {
                    return Ok(if stalled { BranchStatus::Stalled } else { BranchStatus::Budget });
                };
                match self.search(&claim, epsilon, control, progress)? {
                    Step::Proved if self.best.is_within(self.tolerance) => return Ok(BranchStatus::Reached),
                    Step::Proved | Step::Tight(_) if stalled => return Ok(BranchStatus::Stalled),
                    Step::Proved => {}
                    Step::Violated(violators) => break (violators, epsilon),
                    Step::Tight(directions) => {
                        self.ladder.violated(epsilon, epsilon);
                        break (directions, epsilon);
                    }
                    Step::Ended(status) => return Ok(status),
                }
            };
            if round == rounds {
                break;
            }
            stalled = !self.insert(&violators, epsilon, control)?;
            if stalled {
                self.ladder.retreat();
            }
            if control.should_stop() {
                return Ok(BranchStatus::Stopped);
            }
        }
        Ok(BranchStatus::Stalled)
    }

    /// Visits that may still be spent.
    fn left(&self) -> f64 {
        let search = &self.settings.branch.search;
        if self.best.cells >= search.cells {
            return 0.0;
        }
        search.visits.saturating_sub(self.best.visits) as f64
    }

    fn search(
        &mut self,
        claim: &ConvolutionalClaim<'_>,
        epsilon: f64,
        control: &Control,
        progress: &mut dyn FnMut(BranchProgress),
    ) -> Result<Step> {
        let level = self.lifted.patches().weight_decay();
        let (lower_bound, upper_bound) = (self.best.lower_bound(), self.best.upper_bound);
        let allowed = &self.settings.branch.search;
        let budget = SearchSettings {
            cells: allowed.cells.saturating_sub(self.best.cells),
            visits: allowed.visits.saturating_sub(self.best.visits),
        };
        let search = claim.search((1.0 + epsilon) * level, &budget, control, &mut |search| {
            progress(BranchProgress { search, epsilon, lower_bound, upper_bound });
        });
        self.best.cells += search.cells;
        self.best.visits += search.visits;
        if let Some(proved) = search.proved {
            self.ladder.proved(epsilon, search.visits);
            self.best.epsilon = Some(epsilon);
            let (w, proof) = claim.certify(proved)?;
            if proof.lower_bound() > self.best.lower_bound() || self.best.bound.is_none() {
                self.best.bound = Some((w, proof));
            }
            return Ok(Step::Proved);
        }
        if !search.violators.is_empty() {
            self.ladder.violated(epsilon, search.largest / level - 1.0);
            return Ok(Step::Violated(search.violators));
        }
        let is_spent = search.cells >= budget.cells || search.visits >= budget.visits;
        Ok(match (control.should_stop(), is_spent) {
            (true, _) => Step::Ended(BranchStatus::Stopped),
            (false, true) => Step::Ended(BranchStatus::Budget),
            (false, false) => Step::Tight(search.undecided),
        })
    }

    /// Trains with the directions as further filters; whether that made something of them.
    fn insert(&mut self, violators: &[Vec<f64>], epsilon: f64, control: &Control) -> Result<bool> {
        let started = Instant::now();
        let problem = self.lifted.problem();
        let directions = distinct(violators, problem.shape().weights());
        let before = self.best.network.objective(problem);
        let enough = 1.0 + ENOUGH * epsilon;
        let training = &self.settings.training;
        let trained = insert(
            problem,
            &self.best.network,
            directions.as_ref(),
            (enough, self.tolerance),
            training,
            control,
        )?;
        self.best.training_seconds += started.elapsed().as_secs_f64();
        let after = trained.objective(problem);
        if after < before {
            self.best.upper_bound = trained.objective_upper(problem);
            self.best.network = trained;
        }
        let left = largest_ratio(problem, self.residual().as_ref(), directions.as_ref())?;
        let is_answered = left <= 1.0 + ANSWERED * self.ladder.violation();
        Ok(after < before * (1.0 - LEAST_PROGRESS) || is_answered)
    }
}
