//! Rounds: search for neurons that pay, add them, choose all lengths best, and now and then let all neurons move.
//!
//! Adding and choosing lengths is the fully corrective conditional gradient method of the convex problem over measures of
//! neurons (Bach, J. Mach. Learn. Res. 18, 2017); moving them is its sliding variant (Denoyelle, Duval, Peyré and Soubies,
//! Inverse Problems 36, 2020).

use super::candidate::Candidate;
use super::coordinates::Coordinates;
use super::projection::Projection;
use super::search::{Ask, search};
use super::settings::{Effort, TrainingSettings};
use super::start::{Descent, descend};
use super::{COMPLETE, lengths, neurons, search as searching, vertex};
use crate::control::Control;
use crate::system::stream::{Purpose, derived};

/// Largest ratio ‖Wᵀ(Xu)₊‖/γ‖u‖ at which nothing is left to add.
pub(super) const STATIONARY: f64 = 1.0 + 1e-4;
/// Directions with a larger cosine are one.
const SAME: f64 = 1.0 - 1e-6;
/// Neurons move every third round, their kinks rounded off like this.
const SLIDES: usize = 3;
const STAGES: [f64; 4] = [1e-2, 1e-3, 1e-4, 0.0];
/// Neurons of larger cosine are made one before they move.
const CLUSTER: f64 = 1.0 - 1e-3;
/// Rounds without sliding after one that won nothing.
const REST: usize = 6;
/// Length, as a part of the mean η, of a new neuron.
const ENTERS: f64 = 1e-2;
/// Rounds over which progress is judged.
const WINDOW: usize = 4;
/// Multiplications of about a second.
const SECOND: f64 = 1e10;
/// Multiplications of a search, its ascents, as far as those go and at least, and the iterations of one.
const SEARCH: f64 = 4e9;
const ASCENTS: usize = 192;
const FEWEST_ASCENTS: usize = 16;
const ITERATIONS: usize = 40;

/// Multiplications of corrective steps after an insertion, what a few rounds of them have to win together, and the number of
/// their first random stream.
const CORRECTIONS: f64 = 1e10;
const SLOW: f64 = 1e-8;
const INSERTED: u64 = 1 << 33;

/// What effort means.
fn rate(effort: Effort) -> f64 {
    match effort {
        Effort::Low => 1e-2,
        Effort::Normal => 1e-3,
        Effort::High => 1e-5,
    }
}

/// Multiplications of a descent: these for a normal effort.
const SPEND: f64 = 1e10;

/// What effort multiplies them by.
pub(super) fn generosity(effort: Effort) -> f64 {
    match effort {
        Effort::Low => 0.3,
        Effort::Normal => 1.0,
        Effort::High => 4.0,
    }
}

/// How a search of this problem is done.
pub(super) fn ask(at: &Coordinates, seed: u64) -> Ask<'static> {
    let mut ask = Ask { from: &[], ascents: ASCENTS, iterations: ITERATIONS, most: 80, same: SAME, seed };
    let affordable = SEARCH / (searching::cost(at, ask) / ASCENTS as f64);
    ask.ascents = ASCENTS.min((affordable as usize).max(FEWEST_ASCENTS));
    ask
}

/// Improves hidden weights (k × m by column) of projected objective `value`; returns the largest ratio last seen.
pub(super) fn improve(
    at: &Coordinates,
    hidden: &mut Vec<f64>,
    mut value: f64,
    settings: &TrainingSettings,
    control: &Control,
) -> f64 {
    let (k, rate) = (at.rank(), rate(settings.effort));
    let mut work = 0.0;
    let mut history = vec![(value, work)];
    let mut largest = f64::INFINITY;
    let mut slides_from = 0;
    for round in 0..settings.rounds {
        if control.should_stop() {
            break;
        }
        let mut projection = Projection::new(at, hidden.len() / k, control);
        projection.value(hidden);
        work += projection.cost();
        let seed = derived(settings.seed, Purpose::Neurons, round as u64);
        let mut ask = ask(at, seed);
        let mut answer = search(at, projection.residual(), hidden, ask, control);
        work += searching::cost(at, ask);
        if answer.largest < STATIONARY && !answer.exact {
            ask.ascents *= 4;
            answer = search(at, projection.residual(), hidden, ask, control);
            work += searching::cost(at, ask);
        }
        if control.should_stop() {
            break;
        }
        largest = answer.largest;
        if largest < STATIONARY {
            break;
        }
        let slide = round % SLIDES == SLIDES - 1 && round >= slides_from;
        let mut trial = hidden.clone();
        if slide {
            neurons::condense(at, &mut trial, CLUSTER);
            let spend = SPEND * generosity(settings.effort);
            let descent = Descent { stages: &STAGES, iterations: settings.iterations, spend, progress: 1e-8 };
            let found = descend(at, &mut trial, descent, &mut work, control);
            if found < value {
                (value, *hidden) = (found, trial);
            } else {
                slides_from = round + REST;
            }
            trial = hidden.clone();
        } else {
            add(at, &mut trial, &answer.candidates);
        }
        work += lengths::optimise(at, &mut trial, control);
        let found = Projection::new(at, trial.len() / k, control).value(&trial);
        if found < value {
            (value, *hidden) = (found, trial);
        }
        history.push((value, work));
        // Judged once the neurons have moved.
        if round + 1 >= SLIDES {
            let (old, spent) = history[history.len().saturating_sub(WINDOW + 1)];
            if old - value < rate * value * (work - spent) / SECOND {
                break;
            }
        }
    }
    largest
}

/// Fully corrective steps alone, from a network near its minimum: climbs from the directions `from` (k × b by column) and from
/// random ones, adds what pays and chooses all lengths best, until two searches running find no larger ratio than `enough`,
/// or until going on wins next to nothing.
///
/// Where the maxima of the ratio lie on kinks the neurons need not move, and these steps find them one by one.
pub(super) fn correct(
    at: &Coordinates,
    hidden: &mut Vec<f64>,
    from: &[f64],
    enough: f64,
    settings: &TrainingSettings,
    control: &Control,
) {
    let k = at.rank();
    let mut left = CORRECTIONS * generosity(settings.effort);
    let mut values = Vec::new();
    let mut is_enough = false;
    for round in 0.. {
        let mut projection = Projection::new(at, hidden.len() / k, control);
        values.push(projection.value(hidden));
        let old = values[values.len().saturating_sub(WINDOW + 1)];
        let is_slow = values.len() > WINDOW && old - values[round] < SLOW * values[round];
        if is_slow || left < 0.0 || control.should_stop() {
            return;
        }
        let ask = Ask { from, ..ask(at, derived(settings.seed, Purpose::Neurons, INSERTED + round as u64)) };
        let answer = search(at, projection.residual(), hidden, ask, control);
        let was_enough = std::mem::replace(&mut is_enough, answer.largest <= enough);
        if answer.largest < COMPLETE || (was_enough && is_enough) || control.should_stop() {
            return;
        }
        let mut trial = hidden.clone();
        add(at, &mut trial, &answer.candidates);
        left -= lengths::optimise(at, &mut trial, control) + searching::cost(at, ask) + projection.cost();
        if Projection::new(at, trial.len() / k, control).value(&trial) >= values[round] {
            return;
        }
        vertex::reduce(at, &mut trial, control);
        *hidden = trial;
    }
}

/// Appends neurons of small length in the directions that were found.
pub(super) fn add(at: &Coordinates, hidden: &mut Vec<f64>, candidates: &[Candidate]) {
    let k = at.rank();
    let neurons = (hidden.len() / k).max(1) as f64;
    let mean = hidden.chunks_exact(k).map(|u| at.inner(u, u)).sum::<f64>() / neurons;
    for candidate in candidates {
        let length = (ENTERS * mean.max(strength(at, candidate))).sqrt();
        hidden.extend(candidate.direction.iter().map(|z| z * length));
    }
}

/// The product ‖u‖‖v‖ that is best for one new neuron on its own: (‖Wᵀa‖ − γ) / ‖a‖² with a = (Xu)₊, ‖u‖ = 1.
pub(super) fn strength(at: &Coordinates, candidate: &Candidate) -> f64 {
    let mut activation = vec![0.0; at.samples()];
    at.activate(&candidate.direction, &mut activation);
    let squared: f64 = activation.iter().map(|a| a.max(0.0).powi(2)).sum();
    let strength = at.weight_decay * (candidate.ratio - 1.0) / squared;
    if strength.is_finite() { strength } else { 0.0 }
}
