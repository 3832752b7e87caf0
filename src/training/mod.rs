//! Training two-layer ReLU networks: the upper bound that a certificate is measured against.
//!
//! The output weights are eliminated (variable projection) and the hidden weights move by L-BFGS in whitened coordinates from
//! a wide random start, the kinks of the ReLU rounded off less and less. Then rounds search for directions that pay, add them
//! as neurons, choose all lengths best (a fully corrective conditional gradient step of the convex problem over measures of
//! neurons, so nothing left to add means globally optimal) and let all neurons move. Where the features have rank one or two
//! the search is exact. Newton's method brings small networks to high accuracy. `docs/training.md` has the whole story.

mod candidate;
mod checks;
mod columns;
mod coordinates;
mod follow;
pub(crate) mod lbfgs;
mod lengths;
mod neurons;
mod newton;
mod planar;
mod plane;
mod projection;
mod rounds;
mod search;
mod settings;
mod start;
mod vertex;
mod whitened;
mod whitening;

use crate::control::Control;
use crate::linalg::dense::product;
use crate::problem::{Network, TrainingProblem};
use crate::system::stream::{Purpose, derived, generator};
#[doc(hidden)]
pub use checks::{curvature, descent, projected_objective, rounded_objective};
use coordinates::Coordinates;
use faer::{Mat, MatRef};
pub use follow::follow;
use projection::Projection;
use rand::RngExt;
use rand_distr::StandardNormal;
use rayon::prelude::*;
pub use settings::{Effort, TrainingSettings};
use start::{Descent, descend, rescale};
#[doc(hidden)]
pub use whitening::Whitening;

/// Rounding of the kinks at the stages of a random start, and of one from a network that is known.
const STAGES: [f64; 7] = [0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 0.0];
const CLOSER: [f64; 4] = [1e-2, 1e-3, 1e-4, 0.0];
/// A stage is over when twenty iterations together win less than this fraction.
const PROGRESS: f64 = 1e-6;
/// Multiplications of a start, and of one that is near its end.
const SPEND: f64 = 2.5e10;
const POLISH: f64 = 4e9;
/// Unknowns that Newton's method takes on, and where it begins to round off the kinks.
const UNKNOWNS: usize = 700;
const ROUNDED: f64 = 1e-3;
/// Neurons of larger cosine are tried as one, or are one.
const CLUSTERS: f64 = 1.0 - 1e-3;
const COPIES: f64 = 1.0 - 1e-6;
/// Multiplications of Newton's method after training, and of all of completion.
const NEWTON: f64 = 2e10;
const COMPLETION: f64 = 2e10;
/// Number of the first stream of completion: the rounds before it have their own.
const AFTER: u64 = 1 << 32;
/// Rounds of completion, the largest ratio at which a network is complete, and what a round has to win.
const COMPLETIONS: usize = 12;
const COMPLETE: f64 = 1.0 + 1e-6;
const WORTHWHILE: f64 = 1e-8;
/// n m³ up to which neurons are tidied one by one.
const FEW: f64 = 1e8;
/// Length of a direction that is inserted, as a part of the mean.
const ENTERS: f64 = 0.1;

/// Trains from random starts. The network is never worse than the empty one, also when `control` stops it early.
pub fn train(problem: &TrainingProblem, settings: &TrainingSettings, control: &Control) -> Network {
    begin(problem, settings, (&STAGES, SPEND), control, |at, start| {
        let width = match at.is_plane() {
            true => planar::WIDTH,
            false => settings.start_width(problem),
        };
        start::random(at, width, &mut generator(settings.seed, Purpose::Training, start as u64), control)
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
    begin(problem, settings, (&CLOSER, POLISH), control, |at, start| {
        let mut z = if start == 0 {
            at.pull(hidden)
        } else {
            let width = settings.start_width(problem);
            let mut rng = generator(settings.seed, Purpose::Polish, start as u64);
            let mixture = Mat::<f64>::from_fn(hidden.ncols(), width, |_, _| rng.sample(StandardNormal));
            at.pull(product(hidden, mixture.as_ref()).as_ref())
        };
        rescale(at, &mut z, control);
        z
    })
}

/// Improves a network with new directions (d × k, any lengths), such as those that violate |Wᵀ(Xu)₊| ≤ γ‖u‖ at its residual W.
///
/// The directions enter as neurons of small length and the lengths of all neurons are chosen best. Searches from these
/// directions and from random ones add what pays besides, until they find no larger ratio |Wᵀ(Xu)₊| / γ‖u‖ than `enough`
/// (1 for as long as it pays). Then all neurons move downhill, those that became parallel or idle go, and the rest is brought
/// to high accuracy. Never worse than the network given, whose shape must fit (otherwise it counts as empty); directions that
/// do not fit, or are not finite, are left out.
pub fn insert(
    problem: &TrainingProblem,
    network: &Network,
    directions: MatRef<'_, f64>,
    enough: f64,
    settings: &TrainingSettings,
    control: &Control,
) -> Network {
    let empty = Network::empty(problem.inputs(), problem.outputs());
    let fits = network.hidden().nrows() == problem.inputs() && network.output().nrows() == problem.outputs();
    let given = if fits { network.clone() } else { empty.clone() };
    let Some(at) = Coordinates::new(problem) else { return empty };
    let k = at.rank();
    let mut hidden = at.pull(given.hidden());
    let mut from = Vec::new();
    if directions.nrows() == problem.inputs() {
        let finite = |u: &&[f64]| u.iter().all(|z| z.is_finite());
        from = at.pull(directions).chunks_exact(k).filter(finite).flatten().copied().collect::<Vec<f64>>();
        let lengths: f64 = hidden.chunks_exact(k).map(|u| at.norm(u)).sum();
        let typical = lengths / (hidden.len() / k).max(1) as f64;
        let small = if typical > 0.0 { ENTERS * typical } else { 1e-3 };
        for u in from.chunks_exact(k) {
            let norm = at.norm(u);
            if norm.is_finite() && norm > 0.0 {
                hidden.extend(u.iter().map(|z| z / norm * small));
            }
        }
    }
    lengths::optimise(&at, &mut hidden, control);
    if settings.rounds > 0 && !at.is_plane() {
        rounds::correct(&at, &mut hidden, &from, enough, settings, control);
    }
    settle(&at, &mut hidden, &[COPIES], f64::INFINITY, settings, control);
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
    let hidden = at.pull(network.hidden());
    search::search(&at, residual.as_ref(), &hidden, rounds::ask(&at, settings.seed), control).largest
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
    // However late it is: the output weights are needed.
    let control = Control::new();
    let mut projection = Projection::new(at, hidden.len() / at.rank(), &control);
    projection.value(hidden);
    at.network(hidden, projection.output())
}

/// Trains from every start, improves the best.
fn begin(
    problem: &TrainingProblem,
    settings: &TrainingSettings,
    (stages, spend): (&[f64], f64),
    control: &Control,
    start: impl Fn(&Coordinates, usize) -> Vec<f64> + Sync,
) -> Network {
    let empty = Network::empty(problem.inputs(), problem.outputs());
    let Some(at) = Coordinates::new(problem) else { return empty };
    // A plane is searched exactly afterwards: one start is as good as many, and needs no descent.
    let plane = at.is_plane() && settings.rounds > 0;
    let starts = if plane { 1 } else { settings.starts.max(1) };
    let trained: Vec<(f64, Vec<f64>)> = (0..starts)
        .into_par_iter()
        .map(|index| {
            let mut hidden = start(&at, index);
            let stages = if plane { &[] } else { stages };
            let spend = spend * rounds::generosity(settings.effort);
            let descent =
                Descent { stages, iterations: settings.iterations.max(1), spend, progress: PROGRESS };
            let value = descend(&at, &mut hidden, descent, &mut 0.0, control);
            (value, hidden)
        })
        .collect();
    let first = trained.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    let Some((value, mut hidden)) = first else { return empty };
    if plane {
        planar::improve(&at, &mut hidden, value, settings, control);
    } else {
        if settings.rounds > 0 {
            rounds::improve(&at, &mut hidden, value, settings, control);
        }
        let most = NEWTON * rounds::generosity(settings.effort);
        settle(&at, &mut hidden, &[CLUSTERS, COPIES], most, settings, control);
        if settings.rounds > 0 {
            complete(&at, &mut hidden, settings, control);
        }
    }
    best(problem, vec![finish(&at, &hidden), empty])
}

/// Adds what still pays to a network at a minimum and settles it again, as long as that is a matter of Newton's method.
fn complete(at: &Coordinates, hidden: &mut Vec<f64>, settings: &TrainingSettings, control: &Control) {
    let k = at.rank();
    let mut left = COMPLETION * rounds::generosity(settings.effort);
    for round in 0..COMPLETIONS {
        let width = hidden.len() / k;
        left -= newton::cost(at, width) + search::cost(at, rounds::ask(at, 0));
        if !newton::is_possible(at, width, UNKNOWNS) || left < 0.0 || control.should_stop() {
            return;
        }
        let mut projection = Projection::new(at, hidden.len() / k, control);
        let value = projection.value(hidden);
        let ask = rounds::ask(at, derived(settings.seed, Purpose::Neurons, AFTER + round as u64));
        let answer = search::search(at, projection.residual(), hidden, ask, control);
        if answer.largest < COMPLETE || control.should_stop() {
            return;
        }
        let mut trial = hidden.clone();
        rounds::add(at, &mut trial, &answer.candidates);
        lengths::optimise(at, &mut trial, control);
        settle(at, &mut trial, &[COPIES], f64::INFINITY, settings, control);
        let found = Projection::new(at, trial.len() / k, control).value(&trial);
        if found >= value {
            return;
        }
        *hidden = trial;
        if value - found < WORTHWHILE * value {
            return;
        }
    }
}

/// Lets all neurons move to a minimum: of high accuracy where Newton's method takes no more than `most` multiplications.
/// Before that, neurons of a larger cosine than the first of those given are made one or, where that leads to a higher
/// objective, than the second.
fn settle(
    at: &Coordinates,
    hidden: &mut Vec<f64>,
    cosines: &[f64],
    most: f64,
    settings: &TrainingSettings,
    control: &Control,
) {
    let k = at.rank();
    let value = Projection::new(at, hidden.len() / k, control).value(hidden);
    for &cosine in cosines {
        let mut trial = hidden.clone();
        neurons::condense(at, &mut trial, cosine);
        let width = trial.len() / k;
        let found = if newton::is_possible(at, width, UNKNOWNS) && newton::cost(at, width) <= most {
            newton::refine(at, &mut trial, ROUNDED, control)
        } else {
            let spend = SPEND * rounds::generosity(settings.effort);
            let descent = Descent { stages: &CLOSER, iterations: settings.iterations, spend, progress: 1e-8 };
            descend(at, &mut trial, descent, &mut 0.0, control)
        };
        if found < value {
            *hidden = trial;
            break;
        }
    }
    lengths::optimise(at, hidden, control);
    neurons::merge_copies(at, hidden, control);
    vertex::reduce(at, hidden, control);
    if (hidden.len() / k).pow(3) as f64 * at.samples() as f64 <= FEW {
        neurons::tidy(at, hidden, control);
    }
}
