//! The repair of a point of many samples, without n² memory: shifts η by a proximal bundle, each judged by a positive
//! vector and conjugate gradients. For points without cuts; nothing here has to be believed.

mod bundle;
mod outcome;

use super::settings::RepairSettings;
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::Result;
use crate::problem::TrainingProblem;
use bundle::{Model, foresee};
use outcome::{Evaluated, Outcome, Shifts};

/// Residuals of the solutions of a point that is kept (conventional, as are those that follow).
const TOLERANCE: f64 = 1e-6;
/// Those of a search, as a part of the root of what is missing, and at most.
const LOOSE: f64 = 1e-4;
const LOOSEST: f64 = 1e-4;
/// Part of the diagonal that the first shift leaves at least.
const FLOOR: f64 = 1e-3;
/// Least uniform shift tried, as a part of the diagonal.
const FIRST: f64 = 1e-4;
/// Least eigenvalue below which even shifts are tried, and the factor between two of them.
const POOR: f64 = 1e-2;
const EVEN_STEP: f64 = 3.0;
/// A search ends where the gains of the last [`RECENT`] steps, [`AHEAD`] times over, would not bring its bound where it counts.
const RECENT: usize = 4;
const AHEAD: f64 = 5.0;
/// What a direction of negative curvature counts for, in terms of the least eigenvalue that is foreseen, and the least part of
/// the diagonal that it is taken to be negative by.
const CUT: f64 = 3.0;
const LEAST_CUT: f64 = 1e-6;
/// Size that shifts are measured by, as a part of the diagonal.
const MEASURE: f64 = 3e-2;
/// Models kept.
const KEPT: usize = 5;
/// Steps without a better shift after which the search ends.
const PATIENCE: usize = 8;
/// A step that wins this part of what was foreseen is taken; one that wins that much may be longer next.
const TAKEN: f64 = 0.1;
const GOOD: f64 = 0.6;
/// Steps of a search, at most.
const STEPS: usize = 30;
/// What is foreseen counts as little below this part of what is missing.
const LITTLE: f64 = 1e-3;
/// Steps in a row of which so little is foreseen that end the search.
const SHORT: usize = 3;

/// The best shift found, from which points with any room for rounding follow.
pub(super) struct Found {
    shifts: Shifts,
    eta: Vec<f64>,
}

impl Found {
    /// η and the least eigenvalue with this part of the diagonal added as room.
    pub(super) fn with_margin(&mut self, margin: f64) -> Option<(Vec<f64>, f64)> {
        let room = self.shifts.diagonal().iter().zip(&self.eta).map(|(a, e)| margin * (a.abs() + e.abs()));
        let total: Vec<f64> = self.eta.iter().zip(room).map(|(e, r)| e + r).collect();
        match self.shifts.evaluate(&total, TOLERANCE) {
            Evaluated::Fine(outcome) => Some((self.shifts.unscaled(&total), outcome.values[0])),
            Evaluated::Negative(_) => None,
        }
    }
}

/// Searches the shift with the greatest least eigenvalue. `worth` gives the bound of a least eigenvalue.
pub(super) fn search(
    problem: &TrainingProblem,
    dual: &DualPoint,
    settings: &RepairSettings,
    control: &Control,
    worth: impl Fn(f64) -> f64,
) -> Result<Option<Found>> {
    let mut shifts = Shifts::new(problem, dual)?;
    let size: Vec<f64> = shifts.diagonal().iter().map(|a| a.abs().max(FLOOR)).collect();
    let Some((eta, outcome)) = first(&mut shifts, &size, control) else { return Ok(None) };
    let mut least = outcome.values[0];
    // A level whose gap is closed needs no better shift.
    let enough = |least: f64| settings.promising.as_ref().is_some_and(|range| worth(least) >= range.end);
    let good = settings.tolerance.max(1e-6);
    let measure = |eta: &[f64]| -> Vec<f64> {
        size.iter().zip(eta).map(|(a, e)| (MEASURE * a + e.abs()).powi(2)).collect()
    };
    let (mut weight, mut centre) = (measure(&eta), eta.clone());
    let mut models = vec![Model::new(eta, outcome)];
    let (mut length, mut idle, mut short) = (None::<f64>, 0, 0);
    let mut bounds = Vec::with_capacity(STEPS);
    for _ in 0..STEPS {
        if least >= -good || idle > PATIENCE || control.should_stop() || enough(least) {
            break;
        }
        bounds.push(worth(least));
        if hopeless(&bounds, settings) {
            break;
        }
        let t = match length {
            Some(t) => t,
            None => {
                let Some(trial) = foresee(&models, &centre, &weight, 1.0) else { break };
                let far = trial.step.iter().zip(&weight).map(|(x, w)| x.abs() / w.sqrt()).fold(0.0, f64::max);
                2.0 / far.max(1e-12)
            }
        };
        length = Some(t);
        let Some(trial) = foresee(&models, &centre, &weight, t) else { break };
        let expected = trial.value - least;
        if !(expected > LITTLE * least.abs().min(1.0) && expected > good) {
            // Little is to be won, or the step is too long for the model to be solved well.
            if short == SHORT {
                break;
            }
            (length, short) = (Some(0.3 * t), short + 1);
            continue;
        }
        short = 0;
        let eta: Vec<f64> = centre.iter().zip(&trial.step).map(|(e, x)| e + x).collect();
        match shifts.evaluate(&eta, tolerance(least)) {
            Evaluated::Negative(direction) => {
                if let Some(p) = direction {
                    models.push(cut(&shifts, eta, p, &size, CUT * (expected + least.abs())));
                }
                length = Some(0.3 * t);
                idle += 1;
            }
            Evaluated::Fine(outcome) => {
                let gain = outcome.values[0] - least;
                if gain > TAKEN * expected {
                    least = outcome.values[0];
                    centre.clone_from(&eta);
                    weight = measure(&eta);
                    idle = 0;
                    if gain > GOOD * expected {
                        length = Some(3.0 * t);
                    }
                } else {
                    length = Some(0.4 * t);
                    idle += 1;
                }
                models.push(Model::new(eta, outcome));
            }
        }
        if models.len() > KEPT && (idle == 0 || models.len() > 2 * KEPT) {
            models.drain(..models.len() - KEPT);
        }
    }
    Ok(Some(Found { shifts, eta: centre }))
}

/// Whether the bounds of the steps so far rise too slowly to reach the range that counts.
fn hopeless(bounds: &[f64], settings: &RepairSettings) -> bool {
    let (Some(range), Some([first, .., last])) =
        (&settings.promising, bounds.len().checked_sub(RECENT + 1).map(|from| &bounds[from..]))
    else {
        return false;
    };
    last + AHEAD * (last - first) < range.start
}

/// The least shift, sample by sample, that leaves the sample block positive definite, and what it leads to.
fn first(shifts: &mut Shifts, size: &[f64], control: &Control) -> Option<(Vec<f64>, Outcome)> {
    let n = shifts.samples();
    let nothing = vec![0.0; n];
    let mut part: f64 = 0.0;
    let z = loop {
        let even: Vec<f64> = size.iter().map(|a| part * a).collect();
        match shifts.positive_vector(&even) {
            Ok(z) => break z,
            Err(_) if part < 1e6 && !control.should_stop() => part = f64::max(FIRST, 2.0 * part),
            Err(_) => return None,
        }
    };
    let mut eta = nothing.clone();
    if part > 0.0 {
        let image = shifts.times(&nothing, &z);
        for i in 0..n {
            eta[i] = (FLOOR * size[i] - image[i] / z[i]).max(0.0);
        }
    }
    let mut more = FLOOR;
    loop {
        match shifts.evaluate(&eta, LOOSEST) {
            Evaluated::Fine(outcome) => return Some(better_even((eta, outcome), part, shifts, control)),
            Evaluated::Negative(_) if more < 1e6 && !control.should_stop() => {
                eta.iter_mut().zip(size).for_each(|(e, a)| *e += more * a);
                more *= 2.0;
            }
            Evaluated::Negative(_) => return None,
        }
    }
}

/// The best of a shift and of even ones, from some multiple of the least that makes the sample block positive on.
fn better_even(
    mut best: (Vec<f64>, Outcome),
    part: f64,
    shifts: &mut Shifts,
    control: &Control,
) -> (Vec<f64>, Outcome) {
    let (mut part, mut before) = (EVEN_STEP * part.max(FIRST), f64::NEG_INFINITY);
    while best.1.values[0] < -POOR && part < 1e3 && !control.should_stop() {
        let eta = vec![part; shifts.samples()];
        part *= EVEN_STEP;
        if let Evaluated::Fine(outcome) = shifts.evaluate(&eta, LOOSEST) {
            let least = outcome.values[0];
            if least > best.1.values[0] {
                best = (eta, outcome);
            }
            // Concave: what has fallen once goes on falling.
            if least < before {
                break;
            }
            before = least;
        }
    }
    best
}

/// Residual that a search asks for where so much is missing.
fn tolerance(least: f64) -> f64 {
    (LOOSE * least.abs().sqrt()).clamp(3.0 * TOLERANCE, LOOSEST)
}

/// pᵀ(A + η)p ≥ 0 as a model, p so long that what it is below zero at η counts as `weight` of the least eigenvalue.
fn cut(shifts: &Shifts, eta: Vec<f64>, mut p: Vec<f64>, size: &[f64], weight: f64) -> Model {
    let form = |p: &[f64]| -> f64 { p.iter().zip(shifts.times(&eta, p)).map(|(p, q)| p * q).sum() };
    let square: f64 = p.iter().zip(size).map(|(p, a)| p * p * a).sum();
    let below = form(&p).abs().max(LEAST_CUT * square);
    let factor = (weight / below).sqrt();
    p.iter_mut().for_each(|p| *p *= factor);
    let value = form(&p);
    Model::cut(eta, value, p)
}
