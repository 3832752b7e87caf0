//! The best lengths of neurons of fixed directions: a convex problem, solved by projected Newton steps.

mod model;
mod quadratic;

use super::coordinates::Coordinates;
use crate::control::Control;
use crate::linalg::dense::Cholesky;
use faer::Mat;
use model::{Model, Point};

/// Newton steps at most; ten or twenty are usual.
const STEPS: usize = 40;
/// Relative progress of a step at which the value has been found.
const PROGRESS: f64 = 1e-12;
/// And how much ‖Wᵀa‖ may then exceed γ.
const EXCESS: f64 = 3e-5;
/// Part of the mean η below which one may enter.
const SMALL: f64 = 1e-6;
/// Part of the mean η that one enters with at most.
const ENTERS: f64 = 1e-2;
/// Times that the quadratic model is solved again.
const PIVOTS: usize = 12;
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
    let unit: Vec<f64> = usable
        .iter()
        .flat_map(|&j| hidden[j * k..(j + 1) * k].iter().map(move |z| (z, j)))
        .map(|(z, j)| z / norms[j])
        .collect();
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

/// A projected Newton step or, where that leads nowhere, a multiplicative one.
fn advance(model: &Model, eta: &[f64], point: &Point) -> Option<(Vec<f64>, Point)> {
    let gamma = model.weight_decay;
    let slopes = point.slopes(model);
    let mean = eta.iter().sum::<f64>() / eta.len() as f64;
    // Those that pay enter by a step that their curvature allows.
    let mut entered = eta.to_vec();
    for j in (0..eta.len()).filter(|&j| eta[j] <= SMALL * mean && slopes[j] < -PAYS * gamma) {
        entered[j] += (-slopes[j] / model.energy_of(j)).min(ENTERS * mean);
    }
    let raised = if entered == eta { None } else { model.at(&entered) };
    let raised = raised.filter(|raised| raised.value < point.value);
    let (base, from) = match &raised {
        Some(raised) => (&entered[..], raised),
        None => (eta, point),
    };
    let slopes = from.slopes(model);
    if let Some(step) = newton(model, from, base, &slopes) {
        let predicted: f64 = slopes.iter().zip(&step).map(|(slope, step)| slope * step).sum();
        let mut share = 1.0;
        for _ in 0..20 {
            let trial: Vec<f64> = base.iter().zip(&step).map(|(e, s)| (e + share * s).max(0.0)).collect();
            if let Some(found) = model.at(&trial)
                && found.value < from.value
                && found.value <= from.value + 1e-4 * share * predicted.min(0.0)
            {
                return Some((trial, found));
            }
            share *= 0.4;
        }
    }
    if let Some(raised) = raised {
        return Some((entered, raised));
    }
    // η ‖Wᵀa‖/γ is a fixed point iteration that never rises.
    let trial: Vec<f64> =
        eta.iter().zip(&slopes).map(|(e, s)| e * (1.0 - 2.0 * s / gamma).max(0.0).sqrt().min(5.0)).collect();
    model.at(&trial).filter(|found| found.value < point.value).map(|found| (trial, found))
}

/// The step to the minimum of the quadratic model over η ≥ 0, by block pivoting: those that it would make negative end at
/// zero, and the others are solved for again.
fn newton(model: &Model, point: &Point, eta: &[f64], slopes: &[f64]) -> Option<Vec<f64>> {
    let mut free: Vec<usize> = (0..eta.len()).filter(|&j| eta[j] > 0.0).collect();
    let place = free.clone();
    let mut hessian = model.resolvent(point, eta, &free);
    let targets = point.pull.ncols();
    for (b, &l) in place.iter().enumerate() {
        for (a, &k) in place.iter().enumerate().skip(b) {
            let inner = (0..targets).map(|c| point.pull[(k, c)] * point.pull[(l, c)]).sum::<f64>();
            hessian[(a, b)] *= inner / model.weight_decay;
        }
    }
    // neurons whose activations depend on each other make it singular
    let trace: f64 = (0..place.len()).map(|i| hessian[(i, i)]).sum();
    for i in 0..place.len() {
        hessian[(i, i)] = hessian[(i, i)] * (1.0 + 1e-9) + 1e-12 * trace / place.len() as f64;
    }
    let mut step = vec![0.0; eta.len()];
    let mut right: Vec<f64> = place.iter().map(|&j| -slopes[j]).collect();
    let mut kept: Vec<usize> = (0..place.len()).collect();
    for _ in 0..PIVOTS {
        let system = Mat::from_fn(kept.len(), kept.len(), |i, j| {
            hessian[(kept[i].max(kept[j]), kept[i].min(kept[j]))]
        });
        let mut factor = Cholesky::default();
        if !factor.factorize(&system, 0.0) {
            return None;
        }
        let solved = factor.solution(Mat::from_fn(kept.len(), 1, |i, _| right[kept[i]]).as_ref());
        free.clear();
        let mut left = Vec::new();
        for (i, &a) in kept.iter().enumerate() {
            step[place[a]] = solved[(i, 0)].max(-eta[place[a]]);
            if solved[(i, 0)] < -eta[place[a]] { left.push(a) } else { free.push(a) }
        }
        if left.is_empty() || free.is_empty() {
            break;
        }
        for &a in &free {
            for &b in &left {
                right[a] += hessian[(a.max(b), a.min(b))] * eta[place[b]];
            }
        }
        std::mem::swap(&mut kept, &mut free);
    }
    let gradient: Vec<f64> = place.iter().map(|&j| slopes[j]).collect();
    let mut part: Vec<f64> = place.iter().map(|&j| step[j]).collect();
    let bound: Vec<f64> = place.iter().map(|&j| -eta[j]).collect();
    for j in 0..place.len() {
        (0..j).for_each(|i| hessian[(i, j)] = hessian[(j, i)]);
    }
    // Releases what pivoting has fixed wrongly.
    if !quadratic::sweep(&hessian, &gradient, &bound, &mut part) {
        quadratic::active_set(&hessian, &gradient, &bound, &mut part);
    }
    place.iter().zip(part).for_each(|(&j, part)| step[j] = part);
    Some(step)
}
