//! The road by branch and bound: train, search for a neuron that the network lacks, train again, until none is left.
//!
//! The residual W = Y − Z of a network proves a lower bound by itself once |Wᵀ(Xu)₊| ≤ M|u| is proved for all u, and at a
//! globally optimal network M = γ: there is no relaxation and no gap of one. Where the claim fails, the direction at which
//! it fails is a neuron that lowers the objective (a conditional gradient step in variation norm; Bach, JMLR 18, 2017).
//! docs/branch-and-bound.md has the mathematics.

pub(crate) mod ladder;

use crate::bounds::{LowerBound, UpperBound};
use crate::certificate::branch::{NeuronClaim, SearchProgress, SearchSettings};
use crate::certificate::{Certificate, Proof};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::problem::{Network, TrainingProblem};
use crate::training::{TrainingSettings, insert};
use faer::Mat;
use ladder::{Ladder, Worth};

/// Directions that are inserted after one search, at most.
const MOST_INSERTED: usize = 64;
/// Directions with a larger cosine count as one.
const DISTINCT: f64 = 0.999;
/// A training that lowers the objective by less than this part has not made use of what was inserted, unless it has brought
/// the violation there down: what a violation is worth goes with its square.
const LEAST_PROGRESS: f64 = 1e-9;
/// So far down.
const ANSWERED: f64 = 0.5;
/// And the part of ε that training may leave elsewhere before the next search.
const ENOUGH: f64 = 0.5;

/// What the road may cost.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct BranchSettings {
    /// Most cells and visits of all searches together. A visit, a sample whose sign is open on a cell, takes some 10
    /// nanoseconds with one output and 25 with three. Default 10⁹ cells, 10¹³ visits.
    pub search: SearchSettings,
    /// Most searches that end in new neurons. Default 100.
    pub rounds: usize,
}

impl Default for BranchSettings {
    fn default() -> Self {
        Self { search: SearchSettings::default(), rounds: 100 }
    }
}

/// Why the road ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum BranchStatus {
    /// The gap is within the tolerance.
    Reached,
    /// The next search would have cost more than the budget has left.
    Budget,
    /// Stopped by the control.
    Stopped,
    /// Training made nothing of the directions that violate the claim.
    Stalled,
    /// More dimensions than a search reaches.
    OutOfReach,
}

/// What a further halving of ε would cost, by what the last ones did: an estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Forecast {
    /// Visits of the search that reaches the tolerance.
    pub visits: f64,
    /// How many times more visits a search takes when ε is halved.
    pub growth: f64,
    /// The gap that was to be reached.
    pub gap: f64,
}

/// How far the road has come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BranchProgress {
    /// The search at hand.
    pub search: SearchProgress,
    /// Its ε: the level is (1 + ε)γ.
    pub epsilon: f64,
    /// Best proved lower bound so far.
    pub lower_bound: LowerBound,
    /// Objective of the best network so far.
    pub upper_bound: UpperBound,
}

/// What the road came to.
#[derive(Clone, Debug)]
pub struct Branched {
    /// The best network.
    pub network: Network,
    /// The best bound, with the certificate that proves it; none where nothing was proved.
    pub bound: Option<(Certificate, Proof)>,
    /// Directions that are searched: the rank of the samples.
    pub dimension: usize,
    /// Cells of all searches.
    pub cells: u64,
    /// Unsettled samples, summed over the cells of all searches.
    pub visits: u64,
    /// ε of the last level that was proved.
    pub epsilon: Option<f64>,
    /// Why it ended.
    pub status: BranchStatus,
    /// What reaching the tolerance would cost; none where it is reached or nothing was measured.
    pub forecast: Option<Forecast>,
    /// Seconds spent on training within.
    pub training_seconds: f64,
}

impl Branched {
    /// The proved lower bound, 0 where there is none.
    pub fn lower_bound(&self) -> LowerBound {
        self.bound.as_ref().map_or(LowerBound::trivial(), |(_, proof)| proof.lower_bound())
    }
}

/// Improves a network until branch and bound proves it optimal to a relative gap, or the budget or `control` ends it.
///
/// Every bound met on the way is proved, and the best of them is returned.
pub fn branch_and_bound(
    problem: &TrainingProblem,
    network: Network,
    tolerance: f64,
    settings: &BranchSettings,
    training: &TrainingSettings,
    control: &Control,
    progress: &mut dyn FnMut(BranchProgress),
) -> Result<Branched> {
    let mut road = BranchAndBound::new(problem, network, tolerance, training);
    road.run(settings, control, progress)?;
    Ok(road.best)
}

/// A run that can go on where it ended, with a larger budget.
pub struct BranchAndBound<'a> {
    problem: &'a TrainingProblem,
    tolerance: f64,
    training: &'a TrainingSettings,
    best: Branched,
    ladder: Ladder,
}

/// What one search led to.
enum Step {
    Proved,
    Violated(Vec<Vec<f64>>),
    /// The claim nearly fails: cells beside its largest value, at these directions, could be neither closed nor split.
    Tight(Vec<Vec<f64>>),
    Ended(BranchStatus),
}

impl<'a> BranchAndBound<'a> {
    /// From a network, towards a relative gap between it and its bound.
    pub fn new(
        problem: &'a TrainingProblem,
        network: Network,
        tolerance: f64,
        training: &'a TrainingSettings,
    ) -> Self {
        let best = Branched {
            network,
            bound: None,
            dimension: 0,
            cells: 0,
            visits: 0,
            epsilon: None,
            status: BranchStatus::Stopped,
            forecast: None,
            training_seconds: 0.0,
        };
        Self { problem, tolerance, training, best, ladder: Ladder::default() }
    }

    /// What it has come to.
    pub fn best(&self) -> &Branched {
        &self.best
    }

    /// What it has come to.
    pub fn into_best(self) -> Branched {
        self.best
    }

    /// Goes on until the gap is reached or the budget (of this run and those before) or `control` ends it.
    pub fn run(
        &mut self,
        settings: &BranchSettings,
        control: &Control,
        progress: &mut dyn FnMut(BranchProgress),
    ) -> Result<BranchStatus> {
        self.run_keeping(settings, control, progress, &mut |_| {})
    }

    /// [`run`](Self::run), which shows what it has come to after every level that is proved and every training.
    pub(crate) fn run_keeping(
        &mut self,
        settings: &BranchSettings,
        control: &Control,
        progress: &mut dyn FnMut(BranchProgress),
        keep: &mut dyn FnMut(&Branched),
    ) -> Result<BranchStatus> {
        self.best.status = self.walk(settings, control, progress, keep)?;
        self.best.forecast = match self.best.status {
            BranchStatus::Reached | BranchStatus::OutOfReach => None,
            _ => self.ladder.forecast(self.tolerance),
        };
        Ok(self.best.status)
    }

    /// Takes over the bound of a W that an earlier run has found, if it can be proved again within the budget.
    ///
    /// Errors: a W that does not satisfy its claim ([`Error::Refused`]).
    pub(crate) fn recall(
        &mut self,
        w: &Mat<f64>,
        settings: &BranchSettings,
        control: &Control,
        progress: &mut dyn FnMut(BranchProgress),
    ) -> Result<()> {
        let claim = NeuronClaim::new(self.problem, w.clone())?;
        self.best.dimension = claim.dimension();
        match self.search(&claim, 0.0, settings, control, progress)? {
            Step::Violated(_) => Err(Error::Refused("W does not satisfy its claim".into())),
            Step::Proved | Step::Tight(_) | Step::Ended(_) => {
                // What it tells is of this W, not of the network's.
                self.ladder = Ladder::default();
                self.best.epsilon = None;
                Ok(())
            }
        }
    }

    fn walk(
        &mut self,
        settings: &BranchSettings,
        control: &Control,
        progress: &mut dyn FnMut(BranchProgress),
        keep: &mut dyn FnMut(&Branched),
    ) -> Result<BranchStatus> {
        let mut stalled = false;
        for round in 0..=settings.rounds {
            let residual = residual(self.problem, &self.best.network);
            let claim = match NeuronClaim::new(self.problem, residual) {
                Ok(claim) => claim,
                Err(Error::Refused(_)) => return Ok(BranchStatus::OutOfReach),
                Err(error) => return Err(error),
            };
            self.best.dimension = claim.dimension();
            let worth = Worth::of(self.problem.targets(), claim.w());
            self.ladder.aim(&worth, self.upper_bound().value(), self.tolerance);
            let (violators, epsilon) = loop {
                let Some(epsilon) = self.ladder.next(self.left(settings)) else {
                    return Ok(if stalled { BranchStatus::Stalled } else { BranchStatus::Budget });
                };
                match self.search(&claim, epsilon, settings, control, progress)? {
                    Step::Proved if self.is_reached() => return Ok(BranchStatus::Reached),
                    // Nothing below the last violation can be proved of this network.
                    Step::Proved | Step::Tight(_) if stalled => return Ok(BranchStatus::Stalled),
                    Step::Proved => keep(&self.best),
                    Step::Violated(violators) => break (violators, epsilon),
                    // There a neuron pays, or nearly: the centre of a cell tells only what is above the level.
                    Step::Tight(directions) => {
                        self.ladder.violated(epsilon, epsilon);
                        break (directions, epsilon);
                    }
                    Step::Ended(status) => return Ok(status),
                }
            };
            if round == settings.rounds {
                break;
            }
            stalled = !self.insert(&violators, epsilon, control);
            keep(&self.best);
            if stalled {
                self.ladder.retreat();
            }
            if control.should_stop() {
                return Ok(BranchStatus::Stopped);
            }
        }
        Ok(BranchStatus::Stalled)
    }

    fn upper_bound(&self) -> UpperBound {
        self.best.network.objective_upper(self.problem)
    }

    fn is_reached(&self) -> bool {
        self.best.lower_bound() >= (1.0 - self.tolerance) * self.upper_bound().value()
    }

    /// Visits that may still be spent.
    fn left(&self, settings: &BranchSettings) -> f64 {
        if self.best.cells >= settings.search.cells {
            return 0.0;
        }
        settings.search.visits.saturating_sub(self.best.visits) as f64
    }

    fn search(
        &mut self,
        claim: &NeuronClaim<'_>,
        epsilon: f64,
        settings: &BranchSettings,
        control: &Control,
        progress: &mut dyn FnMut(BranchProgress),
    ) -> Result<Step> {
        let level = (1.0 + epsilon) * self.problem.weight_decay();
        let (lower_bound, upper_bound) = (self.best.lower_bound(), self.upper_bound());
        let budget = SearchSettings {
            cells: settings.search.cells.saturating_sub(self.best.cells),
            visits: settings.search.visits.saturating_sub(self.best.visits),
        };
        let search = claim.search(level, &budget, control, &mut |search| {
            progress(BranchProgress { search, epsilon, lower_bound, upper_bound });
        });
        self.best.cells += search.cells;
        self.best.visits += search.visits;
        if let Some(proved) = search.proved {
            self.ladder.proved(epsilon, search.visits);
            self.best.epsilon = Some(epsilon);
            let (certificate, proof) = claim.certify(proved)?;
            if proof.lower_bound() > self.best.lower_bound() || self.best.bound.is_none() {
                self.best.bound = Some((certificate, proof));
            }
            return Ok(Step::Proved);
        }
        if !search.violators.is_empty() {
            self.ladder.violated(epsilon, search.largest / self.problem.weight_decay() - 1.0);
            return Ok(Step::Violated(search.violators));
        }
        let is_spent = search.cells >= budget.cells || search.visits >= budget.visits;
        Ok(match (control.should_stop(), is_spent) {
            (true, _) => Step::Ended(BranchStatus::Stopped),
            (false, true) => Step::Ended(BranchStatus::Budget),
            (false, false) => Step::Tight(search.undecided),
        })
    }

    /// Trains with the directions as further neurons; whether that made something of them.
    fn insert(&mut self, violators: &[Vec<f64>], epsilon: f64, control: &Control) -> bool {
        let started = std::time::Instant::now();
        let directions = distinct(violators, self.problem.inputs());
        let before = self.best.network.objective(self.problem);
        let (network, enough) = (&self.best.network, 1.0 + ENOUGH * epsilon);
        let trained = insert(self.problem, network, directions.as_ref(), enough, self.training, control);
        self.best.training_seconds += started.elapsed().as_secs_f64();
        let after = trained.objective(self.problem);
        if after < before {
            self.best.network = trained;
        }
        after < before * (1.0 - LEAST_PROGRESS) || self.is_answered(directions)
    }

    /// Whether the directions (columns of length 1) violate the claim of the present residual by much less than it was
    /// violated.
    fn is_answered(&self, directions: Mat<f64>) -> bool {
        let outputs = Mat::identity(directions.ncols(), directions.ncols());
        let Ok(neurons) = Network::new(directions, outputs) else { return false };
        let active = neurons.predict_for(self.problem.stored_features());
        let gains = residual(self.problem, &self.best.network).transpose() * active;
        let most = (1.0 + ANSWERED * self.ladder.violation()) * self.problem.weight_decay();
        gains.col_iter().all(|gain| gain.norm_l2() <= most)
    }
}

/// Y − Z.
fn residual(problem: &TrainingProblem, network: &Network) -> Mat<f64> {
    problem.targets() - network.predict_for(problem.stored_features())
}

/// The first directions of which no two are nearly parallel, as columns.
pub(crate) fn distinct(directions: &[Vec<f64>], inputs: usize) -> Mat<f64> {
    let mut kept: Vec<Vec<f64>> = Vec::new();
    for direction in directions {
        let norm = direction.iter().map(|u| u * u).sum::<f64>().sqrt();
        if kept.len() == MOST_INSERTED || norm.is_nan() || norm <= 0.0 {
            continue;
        }
        let unit: Vec<f64> = direction.iter().map(|u| u / norm).collect();
        let cosine = |other: &Vec<f64>| unit.iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
        if kept.iter().all(|other| cosine(other) < DISTINCT) {
            kept.push(unit);
        }
    }
    Mat::from_fn(inputs, kept.len(), |i, j| kept[j][i])
}
