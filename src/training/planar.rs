//! Training where the features have rank one or two: the best neuron to add is found exactly.

use super::coordinates::Coordinates;
use super::projection::Projection;
use super::rounds::{ask, strength};
use super::search::search;
use super::settings::TrainingSettings;
use super::start::{Descent, descend};
use super::{lengths, neurons};
use crate::control::Control;
use faer::MatRef;

/// Neurons of the start, which only has to begin.
pub(super) const WIDTH: usize = 4;
/// Neurons that a step adds at most, and steps between two descents.
const ADDED: usize = 6;
const CORRECTIONS: usize = 10;
/// A round that lowers the objective by less than this fraction is the last: the next would find the same neurons.
const PROGRESS: f64 = 1e-7;
/// Relative gap at which the problem is solved.
const SOLVED: f64 = 1e-6;
/// Iterations of a descent between rounds.
const ITERATIONS: usize = 160;

/// Improves hidden weights (k × m by column) of projected objective `value`.
pub(super) fn improve(
    at: &Coordinates,
    hidden: &mut Vec<f64>,
    mut value: f64,
    settings: &TrainingSettings,
    control: &Control,
) {
    for _ in 0..settings.rounds {
        if control.should_stop() {
            return;
        }
        value = neurons::tidy(at, hidden, control).min(value);
        let mut trial = hidden.clone();
        let mut gap = add(at, &mut trial, settings.seed, control);
        for _ in 1..CORRECTIONS {
            if gap < SOLVED || control.should_stop() {
                break;
            }
            gap = add(at, &mut trial, settings.seed, control);
        }
        // The directions on the kinks are found exactly: there is nothing to round off.
        let descent =
            Descent { stages: &[0.0], iterations: ITERATIONS, spend: f64::INFINITY, progress: 1e-5 };
        let found = descend(at, &mut trial, descent, &mut 0.0, control);
        let progress = value - found;
        if found < value {
            *hidden = trial;
            value = found;
        }
        if progress <= PROGRESS * value || gap < SOLVED {
            neurons::tidy(at, hidden, control);
            return;
        }
    }
}

/// A fully corrective conditional gradient step: adds the neurons that pay most and finds the best lengths of all. Returns the
/// relative gap to the dual bound before it.
fn add(at: &Coordinates, hidden: &mut Vec<f64>, seed: u64, control: &Control) -> f64 {
    let k = at.rank();
    let mut projection = Projection::new(at, hidden.len() / k, control);
    let value = projection.value(hidden);
    let mut ask = ask(at, seed);
    ask.most = ADDED;
    let answer = search(at, projection.residual(), hidden, ask, control);
    let gap = gap(at, projection.residual(), answer.largest, value);
    let added = answer.candidates.len() as f64;
    for candidate in &answer.candidates {
        let scale = (strength(at, candidate) / added).sqrt();
        hidden.extend(candidate.direction.iter().map(|z| z * scale));
    }
    lengths::optimise(at, hidden, control);
    gap
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
