//! A path of weight decays: networks, bounds and cross-validated errors from the zero network downwards.
//!
//! Each network begins where its neighbour of larger weight decay ended, on all samples and on the training part of every
//! fold alike. The optimum is a concave and rising function of γ, the least of affine ones (one for each network), so a
//! bound that is proved at some values bounds all those between them.

mod folds;
mod grid;

pub use folds::Preparing;
pub use grid::{Gammas, LeastZeroDecay, least_zero_decay};

use crate::bounds::{LowerBound, UpperBound};
use crate::certificate::Grade;
use crate::certify::run::certify_network;
use crate::certify::settings::CertifySettings;
use crate::control::Control;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::problem::{Network, TrainingProblem};
use crate::progress::Silent;
use crate::training::{Effort, TrainingSettings, follow};
use faer::{Mat, MatRef};
use folds::{Fold, deal, error, mean_and_error};
use rayon::prelude::*;

/// Settings of [`trace`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct PathSettings {
    /// The weight decays of all samples; a fold's are smaller in proportion to its samples. Default [`Gammas::Auto`].
    pub gammas: Gammas,
    /// Folds of cross-validation; 0 for none. Default 5.
    pub folds: usize,
    /// What is done to the features, anew in every fold. Default nothing.
    pub preparing: Preparing,
    /// Training of the networks on all samples; those of the folds have the effort below. Its seed is replaced by
    /// [`seed`](Self::seed).
    pub training: TrainingSettings,
    /// Weight decays at which a bound is proved, spread over the path with both ends; those between get theirs from them. 0
    /// for none. Default 5.
    pub bounds: usize,
    /// How those are proved. Default a tolerance of 0.02.
    pub certify: CertifySettings,
    /// Seed of the folds and of everything else random. Default 0.
    pub seed: u64,
}

impl Default for PathSettings {
    fn default() -> Self {
        Self {
            gammas: Gammas::Auto,
            folds: 5,
            preparing: Preparing::default(),
            training: TrainingSettings::default(),
            bounds: 5,
            certify: CertifySettings { tolerance: 2e-2, ..CertifySettings::default() },
            seed: 0,
        }
    }
}

/// One weight decay.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Point {
    /// γ.
    pub gamma: f64,
    /// The network trained on all samples.
    pub network: Network,
    /// Its objective, rounded upwards.
    pub upper_bound: UpperBound,
    /// No network has a smaller objective at this γ; none where nothing was proved.
    pub lower_bound: Option<LowerBound>,
    /// Whether a certificate was made at this γ; else the bound follows from those beside it.
    pub is_certified: bool,
    /// Error on the samples it was trained on: the part put into another class, or the mean squared error of a sample.
    pub train_error: f64,
    /// The same on the held-back part of each fold, by a network trained on the others.
    pub fold_errors: Vec<f64>,
}

impl Point {
    /// Mean of the folds' errors and its standard error; none without cross-validation.
    pub fn cross_validated(&self) -> Option<(f64, f64)> {
        (!self.fold_errors.is_empty()).then(|| mean_and_error(&self.fold_errors))
    }
}

/// A path, the largest weight decay first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Path {
    /// From which weight decay on no network is better than none.
    pub least_zero: LeastZeroDecay,
    /// The weight decays that were come to: all of them, unless the run was stopped.
    pub points: Vec<Point>,
    /// Of how many.
    pub asked: usize,
    /// n.
    pub samples: usize,
}

impl Path {
    /// The point of least cross-validated error, of several the one of largest weight decay.
    pub fn least_error(&self) -> Option<usize> {
        let errors = self.points.iter().map(|point| point.cross_validated().map(|(mean, _)| mean));
        let known = errors.enumerate().filter_map(|(k, mean)| Some((k, mean?)));
        known.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(k, _)| k)
    }

    /// The largest weight decay whose error is within one standard error of the least (Breiman, Friedman, Olshen and Stone,
    /// Classification and Regression Trees, 1984, section 3.4.3).
    pub fn one_standard_error(&self) -> Option<usize> {
        let (mean, error) = self.points[self.least_error()?].cross_validated()?;
        let within = |point: &Point| point.cross_validated().is_some_and(|(other, _)| other <= mean + error);
        self.points.iter().position(within)
    }
}

/// What an observer of a path is told, after each weight decay and each bound.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PathProgress {
    /// Weight decays whose networks are trained.
    pub trained: usize,
    /// Of these.
    pub of: usize,
    /// Weight decays at which a bound was proved.
    pub proved: usize,
    /// The last weight decay.
    pub gamma: f64,
    /// Its cross-validated error.
    pub error: Option<f64>,
}

/// One training set on its way down the path.
struct Walker {
    training: Dataset,
    test: Option<Dataset>,
    network: Network,
    /// Its samples as a part of all.
    share: f64,
}

impl Walker {
    fn step(
        &mut self,
        gamma: f64,
        directions: MatRef<'_, f64>,
        training: &TrainingSettings,
        control: &Control,
    ) -> Result<TrainingProblem> {
        let problem = self.training.problem(gamma * self.share)?;
        self.network = follow(&problem, &self.network, directions, training, control);
        Ok(problem)
    }

    /// Error on the samples held back; none where there are none.
    fn error(&self) -> Option<f64> {
        self.test.as_ref().map(|test| error(&self.network, test))
    }
}

/// Trains along a path of weight decays and tells their errors on samples that were held back.
///
/// `dataset` is as it was read: each fold is standardised by its training part. When `control` stops it, the path ends at the
/// last weight decay that was finished. Same seed, same result, for any number of threads.
pub fn trace(
    dataset: &Dataset,
    settings: &PathSettings,
    control: &Control,
    progress: &mut dyn FnMut(PathProgress),
) -> Result<Path> {
    settings.training.validate()?;
    let training = TrainingSettings { seed: settings.seed, ..settings.training.clone() };
    let folds = deal(dataset, settings.folds, settings.preparing, settings.seed)?;
    let whole = settings.preparing.prepared(dataset.clone());
    let least_zero = least_zero_decay(&whole.problem(1.0)?, &training, control)?;
    if least_zero.estimate == 0.0 {
        return Err(Error::Input(
            "every target is zero: the network without neurons fits them exactly".into(),
        ));
    }
    let gammas = settings.gammas.values(least_zero.estimate)?;
    let samples = dataset.samples();
    let start = |training: Dataset, test| Walker {
        network: Network::empty(training.features().ncols(), training.targets().ncols()),
        share: training.samples() as f64 / samples as f64,
        training,
        test,
    };
    let mut whole = start(whole, None);
    let mut parts: Vec<Walker> =
        folds.into_iter().map(|Fold { training, test }| start(training, Some(test))).collect();
    let briefly = TrainingSettings { effort: lower(training.effort), ..training.clone() };
    let mut points: Vec<Point> = Vec::new();
    for &gamma in &gammas {
        let none = Mat::zeros(whole.network.hidden().nrows(), 0);
        parts
            .par_iter_mut()
            .try_for_each(|part| part.step(gamma, none.as_ref(), &briefly, control).map(drop))?;
        // What the parts have learnt may serve the whole; the other way round would tell a part of what it is tested on.
        let known = beside(none, &parts);
        let problem = whole.step(gamma, known.as_ref(), &training, control)?;
        if control.should_stop() {
            break;
        }
        points.push(Point {
            gamma,
            upper_bound: whole.network.objective_upper(&problem),
            lower_bound: None,
            is_certified: false,
            train_error: error(&whole.network, &whole.training),
            fold_errors: parts.iter().filter_map(Walker::error).collect(),
            network: whole.network.clone(),
        });
        progress(PathProgress {
            trained: points.len(),
            of: gammas.len(),
            proved: 0,
            gamma,
            error: points.last().and_then(Point::cross_validated).map(|(mean, _)| mean),
        });
    }
    if points.is_empty() {
        return Err(Error::Input(
            "stopped before the first weight decay was done; allow it more time".into(),
        ));
    }
    let mut path = Path { least_zero, points, asked: gammas.len(), samples };
    bound(&mut path, &whole.training, settings, control, progress)?;
    Ok(path)
}

/// The effort below: an error that is averaged over folds does not need the last digits of an objective.
fn lower(effort: Effort) -> Effort {
    match effort {
        Effort::High => Effort::Normal,
        Effort::Normal | Effort::Low => Effort::Low,
    }
}

/// The hidden weights of all parts, one beside the other.
fn beside(mut all: Mat<f64>, parts: &[Walker]) -> Mat<f64> {
    for hidden in parts.iter().map(|part| part.network.hidden()) {
        let (rows, known) = all.shape();
        all.resize_with(rows, known + hidden.ncols(), |i, j| hidden[(i, j - known)]);
    }
    all
}

/// Proves bounds at some of the weight decays, and takes those between them from concavity.
fn bound(
    path: &mut Path,
    whole: &Dataset,
    settings: &PathSettings,
    control: &Control,
    progress: &mut dyn FnMut(PathProgress),
) -> Result<()> {
    let mut proved: Vec<Proved> = Vec::new();
    // Where no neuron is of use the relaxation is as hard as anywhere, and its neighbour's bound nearly as good.
    let last = path.points.len() - 1;
    let Some(first) = path.points.iter().position(|point| point.network.width() > 0) else { return Ok(()) };
    let count = settings.bounds.min(last - first + 1);
    let certify = CertifySettings { seed: settings.seed, ..settings.certify.clone() };
    // From the smallest weight decay to the largest.
    for k in (0..count).map(|k| if count == 1 { last } else { last - k * (last - first) / (count - 1) }) {
        if control.should_stop() {
            break;
        }
        let point = &mut path.points[k];
        let problem = whole.problem(point.gamma)?;
        let found = certify_network(&problem, &point.network, &certify, control, &mut Silent)?;
        if found.proof.grade() == Grade::Verified {
            point.is_certified = true;
            proved.push(Proved {
                gamma: point.gamma,
                bound: found.proof.lower_bound(),
                squared: squared_below(found.certificate.dual().w.as_ref()),
            });
        }
        progress(PathProgress {
            trained: path.points.len(),
            of: path.asked,
            proved: proved.len(),
            gamma: path.points[k].gamma,
            error: None,
        });
    }
    if !proved.is_empty() {
        spread(&mut path.points, &proved);
    }
    Ok(())
}

/// What a certificate says: the weight decay that its W was proved at, the bound, and ‖W‖² rounded downwards.
struct Proved {
    gamma: f64,
    bound: LowerBound,
    squared: f64,
}

/// ‖W‖² from below: every square and every sum is moved one step down.
fn squared_below(w: MatRef<'_, f64>) -> f64 {
    let entries = w.col_iter().flat_map(|column| column.iter().copied().collect::<Vec<_>>());
    entries.fold(0.0, |sum: f64, value| (sum + (value * value).next_down().max(0.0)).next_down().max(0.0))
}

/// The best bound at every point: that of a certificate scaled down from a larger weight decay, or one between two of those.
fn spread(points: &mut [Point], proved: &[Proved]) {
    let better = |a: LowerBound, b: LowerBound| if b > a { b } else { a };
    let at = |gamma: f64| {
        let scaled = proved.iter().map(|known| known.bound.scaled(gamma, known.gamma, known.squared));
        (gamma, scaled.fold(LowerBound::trivial(), better))
    };
    // No objective is negative, also without weight decay.
    let mut known = vec![(0.0, LowerBound::trivial())];
    known.extend(points.iter().map(|point| at(point.gamma)));
    for point in points {
        let own = at(point.gamma).1;
        let below = known.iter().filter(|(gamma, _)| *gamma < point.gamma);
        let lines = below.flat_map(|low| {
            let above = known.iter().filter(|(gamma, _)| *gamma > point.gamma);
            above.map(|high| LowerBound::between(point.gamma, *low, *high))
        });
        point.lower_bound = Some(lines.fold(own, better));
    }
}
