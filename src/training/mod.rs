//! Training two-layer ReLU networks: the upper bound that a certificate is measured against.
//!
//! The output weights are eliminated (variable projection), the hidden weights move by L-BFGS in whitened coordinates,
//! and between the descents the network is changed where descent alone cannot: parallel neurons are merged, idle ones
//! pruned, and the neuron that would pay most for the current residual is added. The last step is a conic Frank–Wolfe
//! step of the convex problem over measures of neurons, so nothing left to add means globally optimal; when X has rank
//! one or two the best neuron is found exactly.

mod columns;
mod coordinates;
mod lbfgs;
mod lengths;
mod neurons;
mod oracle;
mod projection;
mod whitened;
mod whitening;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::dense::product;
use crate::problem::{Network, TrainingProblem};
use crate::system::stream::{Purpose, derived, generator};
use coordinates::Coordinates;
use faer::{Mat, MatRef};
use lbfgs::{Limits, minimise};
use projection::Projection;
use rand::RngExt;
use rand_distr::StandardNormal;
use rayon::prelude::*;
#[doc(hidden)]
pub use whitening::Whitening;

/// Widths of the rounded kinks of one descent, as fractions of a neuron's typical preactivation.
const STAGES: [f64; 3] = [1e-2, 1e-3, 1e-4];

/// Pairs that L-BFGS remembers.
const MEMORY: usize = 20;
/// Weights that it remembers in all, if that leaves a few pairs: 256 MB of them.
const MOST_REMEMBERED: usize = 1 << 24;
const FEWEST_PAIRS: usize = 6;
/// Local ascents in search of a neuron that pays, and how many neurons a round adds at most.
const ASCENTS: usize = 48;
const ADDED: usize = 6;
/// Fully corrective steps between two descents, where the search for neurons is exact and cheap.
const CORRECTIONS: usize = 10;
/// Rounds without progress (this fraction of the objective) before giving up; where the search is exact the next would
/// find the same neurons.
const PATIENCE: usize = 3;
const PROGRESS: f64 = 1e-5;
const PATIENCE_IN_A_PLANE: usize = 1;
const PROGRESS_IN_A_PLANE: f64 = 1e-7;
/// Neurons of the start in a plane, which only has to begin.
const WIDTH_IN_A_PLANE: usize = 4;
/// Relative gap at which an exactly searched plane counts as solved.
const SOLVED: f64 = 1e-6;

/// Multiplications spent at most: this many, and as many again for each sample. No further round begins after that.
const WORK: f64 = 3e9;
const WORK_PER_SAMPLE: f64 = 2e6;
/// Iterations of a descent however large the problem.
const FEWEST: usize = 20;

/// How hard to try. On large data (from about a thousand samples) a limit on the work comes first.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct TrainingSettings {
    /// Neurons of a random start, at least 1; the network may grow to four times as many. Default 40.
    pub width: usize,
    /// Independent starts, at least 1; the best is improved further. Default 2.
    pub starts: usize,
    /// L-BFGS iterations of one stage of a descent, at least 1; rounds use a third. One costs O(n m² + n m d) operations.
    /// Default 500.
    pub iterations: usize,
    /// Rounds of adding neurons and training again; 0 for none. Default 30.
    pub rounds: usize,
    /// Seed of everything random. Same seed, same bits, whatever the number of threads. Default 0.
    pub seed: u64,
}

impl Default for TrainingSettings {
    fn default() -> Self {
        Self { width: 40, starts: 2, iterations: 500, rounds: 30, seed: 0 }
    }
}

impl TrainingSettings {
    /// Refuses a value out of its range.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [("width", self.width), ("starts", self.starts), ("iterations", self.iterations)]
        {
            if value == 0 {
                return Err(Error::Parameter { name, value: value.to_string(), range: "at least 1" });
            }
        }
        Ok(())
    }
}

/// Trains from random starts. The network is never worse than the empty one, also when `control` stops it early.
pub fn train(problem: &TrainingProblem, settings: &TrainingSettings, control: &Control) -> Network {
    search(problem, settings, 1.0, control, |at, start| {
        let mut rng = generator(settings.seed, Purpose::Training, start as u64);
        let width = if at.is_plane() { WIDTH_IN_A_PLANE } else { settings.width.max(1) };
        (0..at.rank() * width).map(|_| rng.sample(StandardNormal)).collect()
    })
}

/// Trains from the hidden weights given (d × r, such as the U block of the relaxation's factor) and, for the further
/// starts, from Gaussian mixtures of their columns, whose second moment is the same.
///
/// The network is never worse than the empty one. Rows of `hidden` beyond the problem's inputs are an input error and
/// train from random starts instead.
pub fn polish(
    problem: &TrainingProblem,
    hidden: MatRef<'_, f64>,
    settings: &TrainingSettings,
    control: &Control,
) -> Network {
    let usable = hidden.nrows() == problem.inputs() && hidden.ncols() > 0 && hidden.norm_l2() > 0.0;
    if !usable || !hidden.norm_l2().is_finite() {
        return train(problem, settings, control);
    }
    let width = settings.width.max(1);
    // It starts near the end of the road: a part of the work.
    search(problem, settings, 0.25, control, |at, start| {
        if start == 0 {
            return at.pull(hidden);
        }
        let mut rng = generator(settings.seed, Purpose::Polish, start as u64);
        let mixture = Mat::<f64>::from_fn(hidden.ncols(), width, |_, _| rng.sample(StandardNormal));
        at.pull(product(hidden, mixture.as_ref()).as_ref())
    })
}

/// Improves a network with new directions (d × k, any lengths), such as those that violate |Wᵀ(Xu)₊| ≤ γ‖u‖ at its residual W.
///
/// The directions enter as neurons of small length, the lengths of all neurons are chosen best, all of them move downhill,
/// those that became parallel or idle go, and the rest is brought to high accuracy. Never worse than the network given, whose
/// shape must fit (otherwise it counts as empty); directions that do not fit, or are not finite, are left out.
pub fn insert(
    problem: &TrainingProblem,
    network: &Network,
    directions: MatRef<'_, f64>,
    settings: &TrainingSettings,
    control: &Control,
) -> Network {
    let empty = Network::empty(problem.inputs(), problem.outputs());
    let fits = network.hidden().nrows() == problem.inputs() && network.output().nrows() == problem.outputs();
    let given = if fits { network.clone() } else { empty.clone() };
    let Some(at) = Coordinates::new(problem) else { return empty };
    let k = at.rank();
    let mut hidden = at.pull(given.hidden());
    if directions.nrows() == problem.inputs() {
        let lengths: f64 = hidden.chunks_exact(k).map(|u| at.norm(u)).sum();
        let typical = lengths / (hidden.len() / k).max(1) as f64;
        let small = if typical > 0.0 { 0.1 * typical } else { 1e-3 };
        for u in at.pull(directions).chunks_exact(k) {
            let norm = at.norm(u);
            if norm.is_finite() && norm > 0.0 {
                hidden.extend(u.iter().map(|z| z / norm * small));
            }
        }
    }
    lengths::optimise(&at, &mut hidden, control);
    neurons::drop_zeros(&at, &mut hidden);
    let limits = Limits { memory: memory(&hidden), iterations: settings.iterations.max(1), progress: 1e-8 };
    descend(&at, &mut hidden, &STAGES, limits, &mut (0.2 * allowance(&at)), control);
    neurons::tidy(&at, &mut hidden, control);
    best(problem, vec![finish(&at, &hidden), given, empty])
}

/// ESTIMATE of how far a network is from stationary among all networks: the largest |Wᵀ(Xu)₊| / γ‖u‖ that a search over
/// directions u finds for its residual W = Y − Z. At a global optimum it is 1; exact where X has rank one or two.
///
/// Zero where X or Y is zero or the network's shape does not fit.
pub fn stationarity(
    problem: &TrainingProblem,
    network: &Network,
    settings: &TrainingSettings,
    control: &Control,
) -> f64 {
    if network.hidden().nrows() != problem.inputs() || network.output().nrows() != problem.outputs() {
        return 0.0;
    }
    let Some(at) = Coordinates::new(problem) else { return 0.0 };
    let residual = problem.targets() - network.predict_for(problem.stored_features());
    oracle::ask(&at, residual.as_ref(), ASCENTS, 1, settings.seed, control).largest
}

/// Whether the search for neurons is exhaustive, because X has rank one or two: then [`polish`] has nothing to add.
pub fn is_exhaustive(problem: &TrainingProblem) -> bool {
    Coordinates::new(problem).is_none_or(|at| at.is_plane())
}

/// Balances, merges and prunes the neurons and refits the output weights.
///
/// Never worse than the network given, but for rounding (10⁻¹² of the objective).
pub fn tidy(problem: &TrainingProblem, network: &Network) -> Network {
    let empty = Network::empty(problem.inputs(), problem.outputs());
    let fits = network.hidden().nrows() == problem.inputs() && network.output().nrows() == problem.outputs();
    let given = if fits { network.clone() } else { empty.clone() };
    let (mut hidden, mut output) = (given.hidden().to_owned(), given.output().to_owned());
    balance(&mut hidden, &mut output);
    let balanced = Network::new(hidden, output).unwrap_or_else(|_| empty.clone());
    let choices = vec![given, balanced, empty];
    if let Some(at) = Coordinates::new(problem) {
        let mut hidden = at.pull(choices[1].hidden());
        neurons::tidy(&at, &mut hidden, &Control::new());
        let tidied = finish(&at, &hidden);
        let known = choices.iter().map(|network| network.objective(problem)).fold(f64::INFINITY, f64::min);
        if tidied.objective(problem) <= known * (1.0 + neurons::ROUNDING) {
            return tidied;
        }
    }
    best(problem, choices)
}

/// The projected objective min_V and its gradient at hidden weights U (d × m), for tests.
///
/// The gradient is with respect to U restricted to the row space of X. `None` when X or Y is zero.
#[doc(hidden)]
pub fn projected_objective(problem: &TrainingProblem, hidden: MatRef<'_, f64>) -> Option<(f64, Mat<f64>)> {
    let at = Coordinates::new(problem)?;
    let z = at.pull(hidden);
    let mut gradient = vec![0.0; z.len()];
    let value = Projection::new(&at, hidden.ncols()).value_and_gradient(&z, &mut gradient);
    Some((value, at.push_gradient(&gradient)))
}

/// One descent from a random start with a whitening of choice and no limit on the work: the objective and how often it was
/// evaluated, for measurements. `None` when X or Y is zero.
#[doc(hidden)]
pub fn descent(
    problem: &TrainingProblem,
    whitening: Whitening,
    settings: &TrainingSettings,
) -> Option<(f64, usize)> {
    let at = Coordinates::with(problem, whitening)?;
    let mut rng = generator(settings.seed, Purpose::Training, 0);
    // The same start in the features, whatever the coordinates.
    let start =
        Mat::<f64>::from_fn(problem.inputs(), settings.width.max(1), |_, _| rng.sample(StandardNormal));
    let mut hidden = at.pull(start.as_ref());
    rescale(&at, &mut hidden);
    let limits = Limits { memory: MEMORY, iterations: settings.iterations.max(1), progress: 1e-7 };
    let mut projection = Projection::new(&at, settings.width.max(1));
    let value = minimise(&mut hidden, |u, g| projection.value_and_gradient(u, g), limits, &Control::new());
    Some((value, projection.evaluations()))
}

/// Scales each neuron to ‖u‖ = ‖v‖, which leaves the prediction as it is and can only lower the weight decay.
fn balance(hidden: &mut Mat<f64>, output: &mut Mat<f64>) {
    for k in 0..hidden.ncols() {
        let (nu, nv) = (hidden.col(k).norm_l2(), output.col(k).norm_l2());
        let scale = (nv / nu).sqrt();
        if nu == 0.0 || nv == 0.0 {
            hidden.col_mut(k).fill(0.0);
            output.col_mut(k).fill(0.0);
        } else if scale.is_finite() && scale > 0.0 {
            hidden.col_mut(k).iter_mut().for_each(|u| *u *= scale);
            output.col_mut(k).iter_mut().for_each(|v| *v /= scale);
        }
    }
}

fn best(problem: &TrainingProblem, networks: Vec<Network>) -> Network {
    networks
        .into_iter()
        .map(|network| (network.objective(problem), network))
        .filter(|(value, _)| value.is_finite())
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(|| Network::empty(problem.inputs(), problem.outputs()), |(_, network)| network)
}

fn finish(at: &Coordinates, hidden: &[f64]) -> Network {
    let mut projection = Projection::new(at, hidden.len() / at.rank());
    projection.value(hidden);
    at.network(hidden, projection.output())
}

/// Trains from every start, improves the best.
fn search(
    problem: &TrainingProblem,
    settings: &TrainingSettings,
    part: f64,
    control: &Control,
    start: impl Fn(&Coordinates, usize) -> Vec<f64> + Sync,
) -> Network {
    let empty = Network::empty(problem.inputs(), problem.outputs());
    let Some(at) = Coordinates::new(problem) else { return empty };
    // A plane is searched exactly afterwards: one start is as good as many, and needs no descent.
    let plane = at.is_plane();
    let starts = if plane { 1 } else { settings.starts.max(1) };
    let trained: Vec<(f64, Vec<f64>)> = (0..starts)
        .into_par_iter()
        .map(|index| {
            let mut hidden = start(&at, index);
            rescale(&at, &mut hidden);
            let limits =
                Limits { memory: memory(&hidden), iterations: settings.iterations.max(1), progress: 1e-5 };
            if plane && settings.rounds > 0 {
                let value = Projection::new(&at, hidden.len() / at.rank()).value(&hidden);
                return (value, hidden);
            }
            let mut work = 0.25 * part * allowance(&at) / starts as f64;
            let value = descend(&at, &mut hidden, &[0.1, 0.01], limits, &mut work, control);
            (value, hidden)
        })
        .collect();
    let first = trained.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    let Some((value, hidden)) = first else { return empty };
    let hidden = improve(&at, hidden, value, settings, part * allowance(&at), control);
    best(problem, vec![finish(&at, &hidden), empty])
}

/// Lowers φ from the hidden weights given, in place; returns it. Never rises.
///
/// A minimum often sits on kinks (a sample exactly on the boundary of a neuron), where gradients of the true ReLU lead
/// nowhere: so the kinks are rounded off, less and less, before the last descent on φ itself.
fn descend(
    at: &Coordinates,
    hidden: &mut Vec<f64>,
    stages: &[f64],
    limits: Limits,
    work: &mut f64,
    control: &Control,
) -> f64 {
    let mut projection = Projection::new(at, hidden.len() / at.rank());
    let affordable = *work / (stages.len() + 1) as f64 / projection.cost();
    let limits = Limits { iterations: limits.iterations.min((affordable as usize).max(FEWEST)), ..limits };
    let mut value = projection.value(hidden);
    let mut trial = hidden.clone();
    for &stage in stages {
        projection.smooth(stage, &trial);
        minimise(&mut trial, |u, gradient| projection.value_and_gradient(u, gradient), limits, control);
        projection.smooth(0.0, &trial);
        let found = projection.value(&trial);
        if found < value {
            value = found;
            hidden.copy_from_slice(&trial);
        }
    }
    trial.copy_from_slice(hidden);
    lengths::optimise(at, &mut trial, control);
    let found =
        minimise(&mut trial, |u, gradient| projection.value_and_gradient(u, gradient), limits, control);
    *work -= projection.evaluations() as f64 * projection.cost();
    if found < value {
        value = found;
        *hidden = trial;
    }
    value
}

/// Pairs that L-BFGS remembers of so many weights.
fn memory(hidden: &[f64]) -> usize {
    (MOST_REMEMBERED / hidden.len().max(1)).clamp(FEWEST_PAIRS, MEMORY)
}

/// Multiplications that a whole training may take.
fn allowance(at: &Coordinates) -> f64 {
    WORK + WORK_PER_SAMPLE * at.samples() as f64
}

/// Multiplies the start by the factor (to within two) that is best for it, unless it is better as it is.
fn rescale(at: &Coordinates, hidden: &mut [f64]) {
    let weights = at.weights(hidden);
    let scale = (at.targets.squared_norm_l2() / (2.0 * at.weight_decay * weights)).sqrt();
    if !scale.is_finite() {
        return;
    }
    let given = hidden.to_vec();
    let unscaled = Projection::new(at, hidden.len() / at.rank()).value(hidden);
    hidden.iter_mut().for_each(|u| *u *= scale);
    let mut projection = Projection::new(at, hidden.len() / at.rank());
    let mut value = projection.value(hidden);
    for _ in 0..40 {
        hidden.iter_mut().for_each(|u| *u *= 0.5);
        let found = projection.value(hidden);
        if found > value {
            hidden.iter_mut().for_each(|u| *u *= 2.0);
            break;
        }
        value = found;
    }
    if unscaled <= value {
        hidden.copy_from_slice(&given);
    }
}

/// Adds the neurons that pay and trains again, until none pays.
fn improve(
    at: &Coordinates,
    mut hidden: Vec<f64>,
    mut value: f64,
    settings: &TrainingSettings,
    allowance: f64,
    control: &Control,
) -> Vec<f64> {
    // rounds move on early: the last descent is the thorough one
    let limits =
        Limits { memory: memory(&hidden), iterations: (settings.iterations / 3).max(1), progress: 1e-5 };
    let cap = settings.width.max(1).saturating_mul(4);
    let mut stalls = 0;
    // The last descent has a fifth of its own.
    let mut work = 0.55 * allowance;
    let mut exhausted = false;
    for round in 0..settings.rounds {
        if control.should_stop() || work <= 0.0 {
            break;
        }
        value = neurons::tidy(at, &mut hidden, control).min(value);
        let seed = derived(settings.seed, Purpose::Neurons, round as u64);
        let mut trial = hidden.clone();
        let mut answer = add(at, &mut trial, cap, seed, control);
        for _ in 1..CORRECTIONS {
            if !answer.exact || answer.gap < SOLVED || control.should_stop() {
                break;
            }
            answer = add(at, &mut trial, cap, seed, control);
        }
        // Where the directions on the kinks are found exactly there is nothing to round off.
        let stages: &[f64] = if answer.exact { &[] } else { &STAGES };
        let found = descend(at, &mut trial, stages, limits, &mut work, control);
        let progress = value - found;
        if found < value {
            hidden = trial;
            value = found;
        }
        let (least, patience) = match answer.exact {
            true => (PROGRESS_IN_A_PLANE, PATIENCE_IN_A_PLANE),
            false => (PROGRESS, PATIENCE),
        };
        stalls = if progress > least * value { 0 } else { stalls + 1 };
        if stalls == patience || answer.exact && answer.gap < SOLVED {
            exhausted = answer.exact;
            break;
        }
    }
    if exhausted {
        neurons::tidy(at, &mut hidden, control);
        return hidden;
    }
    let limits = Limits { iterations: settings.iterations, progress: 1e-8, ..limits };
    descend(at, &mut hidden, &STAGES, limits, &mut (0.2 * allowance), control);
    neurons::tidy(at, &mut hidden, control);
    hidden
}

/// What `add` found before it added anything.
struct Shortfall {
    /// Relative gap to the dual bound, a bound only if `exact`.
    gap: f64,
    /// Whether the search for neurons was exhaustive.
    exact: bool,
}

/// A fully corrective conic Frank–Wolfe step: adds the neurons that pay most (up to `cap` in all), finds the best lengths
/// of all, and drops those that became zero.
fn add(at: &Coordinates, hidden: &mut Vec<f64>, cap: usize, seed: u64, control: &Control) -> Shortfall {
    let k = at.rank();
    let mut projection = Projection::new(at, hidden.len() / k);
    let value = projection.value(hidden);
    let answer = oracle::ask(at, projection.residual(), ASCENTS, ADDED, seed, control);
    let shortfall =
        Shortfall { gap: gap(at, projection.residual(), answer.largest, value), exact: answer.exact };
    let room = cap.saturating_sub(hidden.len() / k).min(answer.candidates.len());
    for candidate in &answer.candidates[..room] {
        let scale = (strength(at, candidate) / room as f64).sqrt();
        hidden.extend(candidate.direction.iter().map(|z| z * scale));
    }
    lengths::optimise(at, hidden, control);
    neurons::drop_zeros(at, hidden);
    shortfall
}

/// The product ‖u‖‖v‖ that is best for one new neuron on its own: (‖Wᵀa‖ − γ) / ‖a‖² with a = (Xu)₊, ‖u‖ = 1.
fn strength(at: &Coordinates, candidate: &oracle::Candidate) -> f64 {
    let direction = MatRef::from_column_major_slice(&candidate.direction, at.rank(), 1);
    let activation = at.preactivation(direction);
    let squared: f64 = activation.col(0).iter().map(|a| a.max(0.0).powi(2)).sum();
    let strength = at.weight_decay * (candidate.ratio - 1.0) / squared;
    if strength.is_finite() { strength } else { 0.0 }
}

/// (value − ⟨sW, Y⟩ + ½‖sW‖²) / value with the best feasible scale s ≤ 1/ratio: how far from optimal, if the ratio is exact.
fn gap(at: &Coordinates, residual: MatRef<'_, f64>, ratio: f64, value: f64) -> f64 {
    let mut inner = 0.0;
    for (w, y) in residual.col_iter().zip(at.targets.col_iter()) {
        inner += w.iter().zip(y.iter()).map(|(w, y)| w * y).sum::<f64>();
    }
    let squared = residual.squared_norm_l2();
    let scale = (1.0 / ratio).min(inner / squared);
    (value - scale * inner + 0.5 * scale * scale * squared) / value
}
