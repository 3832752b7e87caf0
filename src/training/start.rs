//! A wide random start, and descents whose kinks are rounded off less and less.

use super::coordinates::Coordinates;
use super::lbfgs::{Limits, minimise};
use super::neurons;
use super::projection::{Projection, Rounding};
use crate::control::Control;
use rand::RngExt;
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;

/// Pairs that L-BFGS remembers.
const MEMORY: usize = 20;
/// Weights that it remembers in all, if that leaves a few pairs: 256 MB of them.
const MOST_REMEMBERED: usize = 1 << 24;
const FEWEST_PAIRS: usize = 6;

/// Iterations of a stage below which there are too many stages, and the fewest.
const SHORT: usize = 25;
const FEWEST: usize = 15;
/// How often a start is halved at most: at length zero there is no way down.
const HALVINGS: usize = 5;

/// Gaussian hidden weights, k × m by column, of the common length that is best for them.
pub(super) fn random(at: &Coordinates, width: usize, rng: &mut Pcg64, control: &Control) -> Vec<f64> {
    let mut hidden: Vec<f64> = (0..at.rank() * width).map(|_| rng.sample(StandardNormal)).collect();
    for u in hidden.chunks_exact_mut(at.rank()) {
        let norm = at.norm(u);
        u.iter_mut().for_each(|u| *u /= norm);
    }
    rescale(at, &mut hidden, control);
    hidden
}

/// Multiplies the start by the factor (to within two) that is best for it, unless it is better as it is.
pub(super) fn rescale(at: &Coordinates, hidden: &mut [f64], control: &Control) {
    let weights = at.weights(hidden);
    let scale = (at.targets.squared_norm_l2() / (2.0 * at.weight_decay * weights)).sqrt();
    if !scale.is_finite() {
        return;
    }
    let given = hidden.to_vec();
    let mut projection = Projection::new(at, hidden.len() / at.rank(), control);
    let unscaled = projection.value(hidden);
    hidden.iter_mut().for_each(|u| *u *= scale);
    let mut value = projection.value(hidden);
    for _ in 0..HALVINGS {
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

/// A descent of hidden weights: the rounding of the kinks at each stage, and how far a stage goes.
#[derive(Clone, Copy)]
pub(super) struct Descent<'a> {
    pub stages: &'a [f64],
    pub iterations: usize,
    /// Multiplications that all stages together may take, but for a few iterations each. Where that is short every second
    /// stage is left out.
    pub spend: f64,
    /// A stage ends when twenty iterations together lower the value by less than this fraction.
    pub progress: f64,
}

/// Lowers φ from the hidden weights given (k × m by column), in place; returns it. Never rises; neurons that become idle on the
/// way go.
///
/// A minimum often sits on kinks (a sample exactly on the boundary of a neuron), where gradients of the true ReLU lead
/// nowhere; rounded off widely at first, they also let a descent pass over poor minima.
pub(super) fn descend(
    at: &Coordinates,
    hidden: &mut Vec<f64>,
    descent: Descent<'_>,
    work: &mut f64,
    control: &Control,
) -> f64 {
    let k = at.rank();
    let mut trial = hidden.clone();
    let mut projection = Projection::new(at, trial.len() / k, control);
    let mut value = projection.value(hidden);
    let affordable = descent.spend / projection.cost();
    let (count, step) = match descent.stages.len() {
        count if affordable < (count * SHORT) as f64 => (count.div_ceil(2), 2),
        count => (count, 1),
    };
    let iterations =
        ((affordable / count.max(1) as f64) as usize).clamp(FEWEST, descent.iterations.max(FEWEST));
    let mut stages: Vec<f64> = descent.stages.iter().rev().step_by(step).copied().collect();
    stages.reverse();
    for stage in stages {
        if control.should_stop() {
            break;
        }
        let limits = Limits {
            memory: memory(&trial),
            iterations: iterations.min(descent.iterations),
            progress: descent.progress,
        };
        projection.smooth(Rounding::Below, stage, &trial);
        minimise(&mut trial, |u, gradient| projection.value_and_gradient(u, gradient), limits, control);
        projection.smooth(Rounding::Below, 0.0, &trial);
        let found = projection.value(&trial);
        *work += projection.evaluations() as f64 * projection.cost();
        if found < value {
            value = found;
            hidden.clone_from(&trial);
        }
        neurons::drop_idle(at, &mut trial, projection.output());
        projection = Projection::new(at, trial.len() / k, control);
    }
    value
}

/// Pairs that L-BFGS remembers of so many weights.
fn memory(hidden: &[f64]) -> usize {
    (MOST_REMEMBERED / hidden.len().max(1)).clamp(FEWEST_PAIRS, MEMORY)
}
