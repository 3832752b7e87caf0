//! The best lengths of neurons of fixed directions: a convex problem, solved by projected Newton steps.

mod model;

use super::coordinates::Coordinates;
use crate::Control;
use crate::linalg::Cholesky;
use faer::Mat;
use model::{Model, Point};

/// Newton steps at most; ten or twenty are usual.
const STEPS: usize = 40;
/// Relative progress of a step at which the value has been found.
const PROGRESS: f64 = 1e-12;
/// And how much ‖Wᵀa‖ may then exceed γ.
const EXCESS: f64 = 3e-5;
/// Part of the mean η below which one is about to leave, or enter.
const SMALL: f64 = 1e-6;
/// Part of the mean η that one enters with.
const ENTERS: f64 = 1e-2;
/// A neuron enters that pays by this much.
const PAYS: f64 = 1e-6;

/// Sets every neuron of `hidden` (k × m by column) to its best length for the directions they have, and drops those whose
/// length becomes zero. Stops at a numerical failure, or when told to, with what it has; never raises the objective. Returns the
/// multiplications it took, roughly.
///
/// min over η ≥ 0 of ½γ tr Yᵀ(γI + Σ η_k a_k a_kᵀ)⁻¹Y + (γ/2) Σ η_k, where a_k = (Xu_k)₊ with ‖u_k‖ = 1:
/// the group lasso over these directions with its output weights eliminated; √η_k is the length of neuron k.
pub(super) fn optimise(at: &Coordinates, hidden: &mut Vec<f64>, control: &Control) -> f64 {
    let k = at.rank();
    let norms: Vec<f64> = hidden.chunks_exact(k).map(|u| at.norm(u)).collect();
    let usable: Vec<usize> = (0..norms.len()).filter(|&j| norms[j].is_finite() && norms[j] > 0.0).collect();
    let unit: Vec<f64> =
        usable.iter().flat_map(|&j| hidden[j * k..(j + 1) * k].iter().map(move |z| (z, j))).map(|(z, j)| z / norms[j]).collect();
    let mut eta: Vec<f64> = usable.iter().map(|&j| norms[j] * norms[j]).collect();
    if eta.is_empty() || control.should_stop() {
        return 0.0;
    }
    let Some(model) = Model::new(at, &unit, control) else { return 0.0 };
    let Some(mut point) = model.at(&eta) else { return 0.0 };
    let mut work = model.cost_of_start();
    for _ in 0..STEPS {
        work += model.cost_of_step(&eta);
        if control.should_stop() {
            break;
        }
        let Some((next, found)) = advance(&model, &eta, &point) else { break };
        let progress = point.value - found.value;
        (eta, point) = (next, found);
        let excess = point.slopes(&model).iter().fold(f64::INFINITY, |least, slope| slope.min(least));
        if progress <= PROGRESS * point.value.abs() && excess >= -EXCESS * model.weight_decay {
            break;
        }
    }
    *hidden = unit
        .chunks_exact(k)
        .zip(&eta)
        .filter(|(_, eta)| **eta > 0.0)
        .flat_map(|(u, eta)| u.iter().map(move |z| z * eta.sqrt()))
        .collect();
    work
}

/// A projected Newton step (Bertsekas, SIAM J. Control Optim. 20, 1982) or, where that leads nowhere, a multiplicative one.
fn advance(model: &Model, eta: &[f64], point: &Point) -> Option<(Vec<f64>, Point)> {
    let gamma = model.weight_decay;
    let slopes = point.slopes(model);
    let mean = eta.iter().sum::<f64>() / eta.len() as f64;
    let small = SMALL * mean;
    let free: Vec<usize> = (0..eta.len()).filter(|&j| eta[j] > small).collect();
    if let Some(step) = newton(model, point, eta, &free, &slopes) {
        let mut share = 1.0;
        for _ in 0..20 {
            let mut trial = eta.to_vec();
            for j in (0..eta.len()).filter(|&j| eta[j] <= small) {
                if slopes[j] >= 0.0 {
                    trial[j] *= 1.0 - share;
                } else if slopes[j] < -PAYS * gamma {
                    trial[j] += share * ENTERS * mean;
                }
            }
            for (i, &j) in free.iter().enumerate() {
                trial[j] = (eta[j] + share * step[(i, 0)]).max(0.0);
            }
            let predicted: f64 = slopes.iter().zip(&trial).zip(eta).map(|((s, t), e)| s * (t - e)).sum();
            if let Some(found) = model.at(&trial)
                && found.value < point.value
                && found.value <= point.value + 1e-4 * predicted.min(0.0)
            {
                return Some((trial, found));
            }
            share *= 0.4;
        }
    }
    // η ‖Wᵀa‖/γ is a fixed point iteration that never rises.
    let trial: Vec<f64> =
        eta.iter().zip(&slopes).map(|(e, s)| e * (1.0 - 2.0 * s / gamma).max(0.0).sqrt().min(5.0)).collect();
    model.at(&trial).filter(|found| found.value < point.value).map(|found| (trial, found))
}

/// The Newton step on the neurons in `free`.
fn newton(model: &Model, point: &Point, eta: &[f64], free: &[usize], slopes: &[f64]) -> Option<Mat<f64>> {
    let mut hessian = model.resolvent(point, eta, free);
    let targets = point.pull.ncols();
    for (b, &l) in free.iter().enumerate() {
        for (a, &k) in free.iter().enumerate().skip(b) {
            let inner = (0..targets).map(|c| point.pull[(k, c)] * point.pull[(l, c)]).sum::<f64>();
            hessian[(a, b)] *= inner / model.weight_decay;
        }
    }
    // neurons whose activations depend on each other make it singular
    let trace: f64 = (0..free.len()).map(|i| hessian[(i, i)]).sum();
    for i in 0..free.len() {
        hessian[(i, i)] = hessian[(i, i)] * (1.0 + 1e-9) + 1e-12 * trace / free.len() as f64;
    }
    let mut factor = Cholesky::default();
    let right = Mat::from_fn(free.len(), 1, |i, _| -slopes[free[i]]);
    factor.factorize(&hessian, 0.0).then(|| factor.solution(right.as_ref()))
}
