//! Training on from a network that is good for nearly this problem: the next weight decay of a path.

use super::coordinates::Coordinates;
use super::projection::Projection;
use super::search::search;
use super::start::{Descent, descend};
use super::{
    CLUSTERS, COPIES, Effort, NEWTON, TrainingSettings, UNKNOWNS, best, complete, finish, lengths, neurons,
    newton, planar, rounds, settle, train,
};
use crate::control::Control;
use crate::problem::{Network, TrainingProblem};
use crate::system::stream::{Purpose, derived};
use faer::MatRef;

/// Ascents of a search, and neurons that one adds, on the way to the next weight decay.
const ASCENTS: usize = 64;
const ADDED: usize = 24;
/// Rounds of search and descent, and what one has to win to be followed by another, as a part of the objective.
const ROUNDS: usize = 4;
const WORTHWHILE: f64 = 1e-3;
/// Largest ratio at which a search has found nothing: what a violation is worth goes with its square.
const FOUND: f64 = 1.01;
/// Rounding of the kinks, iterations and multiplications of a descent.
const STAGES: [f64; 2] = [1e-3, 0.0];
const ITERATIONS: usize = 40;
const SPEND: f64 = 2e9;
/// Directions beyond this many are not tried.
const MOST: usize = 400;
/// Number of the first stream of its searches: completion has those before it.
const STREAM: u64 = 1 << 33;

/// Trains from a network that is optimal, or nearly, for another weight decay or for slightly other samples, with directions
/// (d × k, any lengths; none for a matrix without columns) that may be of use too, such as the neurons of networks trained on
/// parts of the samples.
///
/// The best lengths first, then short rounds of search and descent; an effort above low goes on to high accuracy where Newton's
/// method reaches, else by the rounds of [`train`]. An empty network, or one whose shape does not fit, trains from random starts.
/// Never worse than the network given or the empty one.
pub fn follow(
    problem: &TrainingProblem,
    network: &Network,
    directions: MatRef<'_, f64>,
    settings: &TrainingSettings,
    control: &Control,
) -> Network {
    let fits = network.hidden().nrows() == problem.inputs() && network.output().nrows() == problem.outputs();
    if !fits || network.width() == 0 || settings.rounds == 0 {
        return train(problem, settings, control);
    }
    let empty = Network::empty(problem.inputs(), problem.outputs());
    let Some(at) = Coordinates::new(problem) else { return empty };
    let k = at.rank();
    let mut hidden = at.pull(network.hidden());
    if directions.nrows() == problem.inputs() && directions.ncols() <= MOST {
        append(&at, &mut hidden, directions);
    }
    lengths::optimise(&at, &mut hidden, control);
    if hidden.is_empty() {
        return best(problem, vec![train(problem, settings, control), network.clone()]);
    }
    if at.is_plane() {
        let value = Projection::new(&at, hidden.len() / k, control).value(&hidden);
        planar::improve(&at, &mut hidden, value, settings, control);
        return best(problem, vec![finish(&at, &hidden), network.clone(), empty]);
    }
    advance(&at, &mut hidden, settings, control);
    if settings.effort != Effort::Low {
        let most = NEWTON * rounds::generosity(settings.effort);
        if !newton::is_possible(&at, hidden.len() / k, UNKNOWNS) {
            let value = Projection::new(&at, hidden.len() / k, control).value(&hidden);
            rounds::improve(&at, &mut hidden, value, settings, control);
        }
        settle(&at, &mut hidden, &[CLUSTERS, COPIES], most, settings, control);
        complete(&at, &mut hidden, settings, control);
    }
    best(problem, vec![finish(&at, &hidden), network.clone(), empty])
}

/// Adds directions as neurons of the mean length.
fn append(at: &Coordinates, hidden: &mut Vec<f64>, directions: MatRef<'_, f64>) {
    let k = at.rank();
    let sum: f64 = hidden.chunks_exact(k).map(|u| at.norm(u)).sum();
    let mean = sum / (hidden.len() / k) as f64;
    for u in at.pull(directions).chunks_exact(k) {
        let norm = at.norm(u);
        if norm.is_finite() && norm > 0.0 {
            hidden.extend(u.iter().map(|z| z / norm * mean));
        }
    }
}

/// Short rounds: search, best lengths, all neurons move.
fn advance(at: &Coordinates, hidden: &mut Vec<f64>, settings: &TrainingSettings, control: &Control) {
    let k = at.rank();
    let mut value = Projection::new(at, hidden.len() / k, control).value(hidden);
    for round in 0..ROUNDS {
        let mut trial = hidden.clone();
        let mut projection = Projection::new(at, trial.len() / k, control);
        projection.value(&trial);
        let mut ask = rounds::ask(at, derived(settings.seed, Purpose::Neurons, STREAM + round as u64));
        (ask.ascents, ask.most) = (ask.ascents.min(ASCENTS), ADDED);
        let answer = search(at, projection.residual(), &trial, ask, control);
        let is_complete = answer.largest < FOUND;
        rounds::add(at, &mut trial, &answer.candidates);
        lengths::optimise(at, &mut trial, control);
        neurons::condense(at, &mut trial, CLUSTERS);
        let descent = Descent { stages: &STAGES, iterations: ITERATIONS, spend: SPEND, progress: 1e-5 };
        descend(at, &mut trial, descent, &mut 0.0, control);
        lengths::optimise(at, &mut trial, control);
        if trial.is_empty() {
            return;
        }
        let found = Projection::new(at, trial.len() / k, control).value(&trial);
        let won = value - found;
        if won > 0.0 {
            (value, *hidden) = (found, trial);
        }
        if is_complete || won < WORTHWHILE * value || control.should_stop() {
            return;
        }
    }
}
