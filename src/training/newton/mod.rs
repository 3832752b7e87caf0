//! High accuracy at the end: Newton's method on all weights, the kinks of the ReLU rounded off less and less.
//!
//! A minimum often has samples exactly on the boundaries of neurons. With the kinks rounded over [−ε/2, ε/2] such a sample settles
//! inside, where the slope of its activation takes the value between zero and one that stationarity asks for; the
//! objective has piecewise continuous second derivatives, so Newton's method is a semismooth one. When ε shrinks the neurons
//! follow those samples, so that each stage begins near its end. At last they are put on the kinks exactly.

mod hessian;
mod kinks;

use super::coordinates::Coordinates;
use super::projection::{Projection, Rounding};
use crate::control::Control;
use crate::linalg::dense::Cholesky;
use crate::linalg::vector::{axpy, dot};
use faer::Mat;
use hessian::{Hessian, Place, assemble, unknowns};
use kinks::follow;

/// The rounding at the end and the factor from stage to stage, as parts of the typical preactivation.
const LAST: f64 = 1e-8;
const SHRINKS: f64 = 0.1;
/// Newton steps of a stage.
const STEPS: usize = 15;
/// Steps of a stage that was easy, and stages in a row that may fail.
const EASY: usize = 4;
const FAILURES: usize = 3;
/// Half the predicted decrease, relative to the value, at which a stage and the last one end.
const CLOSE: f64 = 1e-10;
const CLOSEST: f64 = 1e-14;
/// Trials along one step.
const TRIALS: usize = 3;
/// Rounding of the value.
const NOISE: f64 = 1e-14;
/// Regularisation relative to the weight decay: least, first after a failure, most.
const LEAST: f64 = 1e-9;
const FIRST: f64 = 1e-3;
const MOST: f64 = 1e9;

/// Whether the matrix of second derivatives of so many neurons is small enough.
pub(super) fn is_possible(at: &Coordinates, width: usize, most: usize) -> bool {
    at.whitened().is_some() && width > 0 && unknowns(at, width) <= most
}

/// Multiplications of a refinement, roughly.
pub(super) fn cost(at: &Coordinates, width: usize) -> f64 {
    let (n, m) = (at.samples() as f64, width as f64);
    let evaluation = n * m * (0.5 * m + 3.0 * at.cost() + 2.0 * at.targets.ncols() as f64 + 4.0);
    let step = hessian::cost(at, width) + (unknowns(at, width) as f64).powi(3) / 6.0 + 3.0 * evaluation;
    20.0 * step
}

/// Lowers φ of hidden weights (k × m by column), beginning with this rounding of the kinks; returns it. Never rises.
pub(super) fn refine(at: &Coordinates, hidden: &mut [f64], first: f64, control: &Control) -> f64 {
    let k = at.rank();
    let mut projection = Projection::new(at, hidden.len() / k, control);
    let mut value = projection.value(hidden);
    let Some(space) = at.whitened().filter(|_| value.is_finite()) else { return value };
    let mut trial = hidden.to_vec();
    let mut fraction = first;
    projection.smooth(Rounding::Centred, fraction, &trial);
    let (mut shift, mut failures) = (LEAST, 0);
    loop {
        let last = fraction <= LAST;
        let close = if last { CLOSEST } else { CLOSE };
        let steps = stage(&mut projection, at, &mut trial, close, &mut shift, control);
        failures = if steps == STEPS { failures + 1 } else { 0 };
        let rounded = projection.rectifier().clone();
        let mut exact = trial.clone();
        follow(at, space, &rounded, 0.0, &mut exact);
        projection.smooth(Rounding::Centred, 0.0, &trial);
        let before = value;
        for candidate in [&exact, &trial] {
            let found = projection.value(candidate);
            if found < value {
                value = found;
                hidden.copy_from_slice(candidate);
            }
        }
        if last || failures == FAILURES || control.should_stop() {
            return value;
        }
        let settled = steps <= 2 && before - value <= CLOSE * value;
        let factor = match steps {
            _ if settled => LAST / fraction,
            ..=EASY => SHRINKS,
            _ => SHRINKS.sqrt(),
        };
        follow(at, space, &rounded, factor, &mut trial);
        fraction *= factor;
        projection.smooth(Rounding::Centred, fraction, &trial);
    }
}

/// Newton steps at one rounding of the kinks; returns how many.
fn stage(
    projection: &mut Projection<'_>,
    at: &Coordinates,
    hidden: &mut Vec<f64>,
    close: f64,
    shift: &mut f64,
    control: &Control,
) -> usize {
    let Some(space) = at.whitened() else { return 0 };
    let mut gradient = vec![0.0; hidden.len()];
    let mut value = projection.value_and_gradient(hidden, &mut gradient);
    let mut trial = hidden.clone();
    for done in 0..STEPS {
        let place = Place {
            at,
            space,
            hidden,
            output: projection.output(),
            residual: projection.residual(),
            rectifier: projection.rectifier(),
        };
        let Some(hessian) = assemble(&place, control) else { return done };
        let mut accepted = false;
        while *shift <= MOST && !accepted {
            let Some(step) = solve(at, &hessian, &gradient, shift) else { return done };
            let slope = dot(&gradient, &step);
            if slope.is_nan() || slope >= 0.0 || -0.5 * slope <= close * value.abs() {
                return done;
            }
            let mut share = 1.0;
            for _ in 0..TRIALS {
                trial.copy_from_slice(hidden);
                axpy(share, &step, &mut trial);
                let found = projection.value(&trial);
                if found <= value + 1e-4 * share * slope + NOISE * value.abs() {
                    accepted = true;
                    *shift = match share {
                        // As far as the model was right.
                        1.0 if found - value < 0.25 * slope => (0.01 * *shift).max(LEAST),
                        1.0 => (0.3 * *shift).max(LEAST),
                        _ => (*shift / share).max(FIRST),
                    };
                    break;
                }
                if control.should_stop() {
                    return done;
                }
                share *= 0.3;
            }
            if !accepted {
                *shift = (30.0 * *shift).max(FIRST);
            }
        }
        if !accepted {
            *shift = LEAST;
            return done;
        }
        let before = value;
        std::mem::swap(hidden, &mut trial);
        value = projection.value_and_gradient(hidden, &mut gradient);
        if !value.is_finite() || before - value <= close * value.abs() && *shift <= LEAST {
            return done;
        }
    }
    STEPS
}

/// The hidden part of the step, with as little regularisation from `shift` on as makes the matrix positive definite.
fn solve(at: &Coordinates, hessian: &Hessian, gradient: &[f64], shift: &mut f64) -> Option<Vec<f64>> {
    let (k, c) = (at.rank(), at.targets.ncols());
    let order = hessian.full.nrows();
    let metric = &at.whitened()?.metric;
    let right = Mat::from_fn(order, 1, |i, _| {
        let (neuron, part) = (i / (k + c), i % (k + c));
        if part < k { -gradient[neuron * k + part] } else { 0.0 }
    });
    let mut factor = Cholesky::default();
    while *shift <= MOST {
        for matrix in [&hessian.full, &hessian.convex] {
            let mut shifted = matrix.clone();
            for i in 0..order {
                let part = i % (k + c);
                let weight = if part < k { metric[part] } else { 1.0 };
                shifted[(i, i)] += *shift * at.weight_decay * weight;
            }
            if factor.factorize(&shifted, 0.0) {
                let solution = factor.solution(right.as_ref());
                let step = (0..order).filter(|i| i % (k + c) < k).map(|i| solution[(i, 0)]).collect();
                return Some(step);
            }
        }
        *shift = (10.0 * *shift).max(FIRST);
    }
    *shift = LEAST;
    None
}

/// The second derivative of the projected objective with rounded kinks (k × m by column) times a direction, for tests.
pub(super) fn curvature(
    at: &Coordinates,
    hidden: &[f64],
    fraction: f64,
    direction: &[f64],
) -> Option<Vec<f64>> {
    let (k, c, control) = (at.rank(), at.targets.ncols(), Control::new());
    let mut projection = Projection::new(at, hidden.len() / k, &control);
    projection.smooth(Rounding::Centred, fraction, hidden);
    projection.value(hidden);
    let place = Place {
        at,
        space: at.whitened()?,
        hidden,
        output: projection.output(),
        residual: projection.residual(),
        rectifier: projection.rectifier(),
    };
    let full = assemble(&place, &control)?.full;
    let order = full.nrows();
    let entry = |i: usize, j: usize| full[(i.max(j), i.min(j))];
    let (inner, outer): (Vec<usize>, Vec<usize>) = (0..order).partition(|i| i % (k + c) < k);
    // The output weights follow the hidden ones.
    let system = Mat::from_fn(outer.len(), outer.len(), |i, j| entry(outer[i], outer[j]));
    let pulled = Mat::from_fn(outer.len(), 1, |i, _| {
        -inner.iter().zip(direction).map(|(&j, d)| entry(outer[i], j) * d).sum::<f64>()
    });
    let mut factor = Cholesky::default();
    let followed = factor.factorize(&system, 0.0).then(|| factor.solution(pulled.as_ref()))?;
    let row = |i: usize| {
        let own: f64 = inner.iter().zip(direction).map(|(&j, d)| entry(i, j) * d).sum();
        own + outer.iter().enumerate().map(|(a, &j)| entry(i, j) * followed[(a, 0)]).sum::<f64>()
    };
    Some(inner.iter().map(|&i| row(i)).collect())
}
