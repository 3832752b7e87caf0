//! Tidying: neurons that can be merged or do without, judged by the objective itself.

use super::coordinates::Coordinates;
use super::projection::Projection;
use crate::control::Control;
use crate::linalg::vector::{axpy, dot};
use faer::MatRef;

/// Neurons whose directions have a larger cosine may be merged.
const PARALLEL: f64 = 1.0 - 1e-4;

/// And those are copies.
const COPY: f64 = 1.0 - 1e-9;

/// Neurons of less strength than this part of the largest do nothing.
const IDLE: f64 = 1e-7;

/// A rise of the objective by this fraction is rounding: an exact copy must not survive for it.
pub(super) const ROUNDING: f64 = 1e-12;

/// Merges and prunes hidden weights (k × m by column) where the projected objective does not
/// rise by more than rounding in all; returns it.
pub(super) fn tidy(at: &Coordinates, hidden: &mut Vec<f64>, control: &Control) -> f64 {
    let value = drop_zeros(at, hidden, control);
    let most = value * (1.0 + 0.5 * ROUNDING);
    let value = merge(at, hidden, value, most, control);
    prune(at, hidden, value, most.max(value), control)
}

/// Makes one of all neurons of the same direction, where that does not raise the objective.
pub(super) fn merge_copies(at: &Coordinates, hidden: &mut Vec<f64>, control: &Control) {
    let mut trial = hidden.clone();
    if condense(at, &mut trial, COPY)
        && evaluate(at, &trial, control) <= evaluate(at, hidden, control) * (1.0 + ROUNDING)
    {
        *hidden = trial;
    }
}

fn evaluate(at: &Coordinates, hidden: &[f64], control: &Control) -> f64 {
    Projection::new(at, hidden.len() / at.rank(), control).value(hidden)
}

/// Drops the neurons without hidden weights; returns the projected objective.
pub(super) fn drop_zeros(at: &Coordinates, hidden: &mut Vec<f64>, control: &Control) -> f64 {
    let kept: Vec<f64> =
        hidden.chunks_exact(at.rank()).filter(|u| u.iter().any(|z| *z != 0.0)).flatten().copied().collect();
    *hidden = kept;
    evaluate(at, hidden, control)
}

/// Drops neurons (k × m by column) that do next to nothing, by their length times that of their output weights (Vᵀ, m × c).
pub(super) fn drop_idle(at: &Coordinates, hidden: &mut Vec<f64>, output: MatRef<'_, f64>) {
    let k = at.rank();
    let strength: Vec<f64> =
        hidden.chunks_exact(k).enumerate().map(|(j, u)| at.norm(u) * output.row(j).norm_l2()).collect();
    let least = IDLE * strength.iter().copied().fold(0.0, f64::max);
    *hidden = hidden
        .chunks_exact(k)
        .zip(&strength)
        .filter(|(_, strength)| **strength > least)
        .flat_map(|(u, _)| u)
        .copied()
        .collect();
}

/// Makes one neuron of each cluster of hidden weights (k × m by column) with larger cosines than this, of the cluster's
/// total strength ‖u‖²; whether there was any.
pub(super) fn condense(at: &Coordinates, hidden: &mut Vec<f64>, cosine: f64) -> bool {
    let k = at.rank();
    let count = hidden.len() / k;
    let norms: Vec<f64> = hidden.chunks_exact(k).map(|u| at.norm(u)).collect();
    let mut weighed = vec![0.0; hidden.len()];
    at.add_weights(1.0, hidden, &mut weighed);
    let mut gone = vec![false; count];
    let mut kept = Vec::with_capacity(hidden.len());
    for i in 0..count {
        if gone[i] {
            continue;
        }
        let mut sum: Vec<f64> = hidden[i * k..][..k].iter().map(|u| u * norms[i]).collect();
        let mut strength = norms[i] * norms[i];
        for j in i + 1..count {
            if !gone[j] && dot(&weighed[i * k..][..k], &hidden[j * k..][..k]) > cosine * norms[i] * norms[j] {
                gone[j] = true;
                axpy(norms[j], &hidden[j * k..][..k], &mut sum);
                strength += norms[j] * norms[j];
            }
        }
        let scale = strength.sqrt() / at.norm(&sum);
        kept.extend(sum.iter().map(|u| if scale.is_finite() { u * scale } else { 0.0 }));
    }
    let any = kept.len() < hidden.len();
    *hidden = kept;
    any
}

/// Two neurons of (nearly) one direction cost more than one of the same total.
fn merge(at: &Coordinates, hidden: &mut Vec<f64>, mut value: f64, most: f64, control: &Control) -> f64 {
    let k = at.rank();
    let mut first = 0;
    'outer: while first * k < hidden.len() {
        let mut second = first + 1;
        while second * k < hidden.len() {
            let (u, w) = (&hidden[first * k..(first + 1) * k], &hidden[second * k..(second + 1) * k]);
            let (nu, nw) = (at.norm(u), at.norm(w));
            if at.inner(u, w) > PARALLEL * nu * nw {
                if control.should_stop() {
                    return value;
                }
                // total strength ‖u‖² + ‖w‖² along the mean direction, then along either one
                let total = (nu * nu + nw * nw).sqrt();
                let mean: Vec<f64> = u.iter().zip(w).map(|(a, b)| a * nu + b * nw).collect();
                for direction in [mean, u.to_vec(), w.to_vec()] {
                    let length = at.norm(&direction);
                    let mut trial = hidden.clone();
                    for (t, d) in trial[first * k..].iter_mut().zip(&direction) {
                        *t = d * total / length;
                    }
                    trial.drain(second * k..(second + 1) * k);
                    let found = evaluate(at, &trial, control);
                    if found <= most.min(value * (1.0 + 0.5 * ROUNDING)) {
                        *hidden = trial;
                        value = found;
                        continue 'outer;
                    }
                }
            }
            second += 1;
        }
        first += 1;
    }
    value
}

/// Tries to do without each neuron, the weakest first.
fn prune(at: &Coordinates, hidden: &mut Vec<f64>, mut value: f64, most: f64, control: &Control) -> f64 {
    let k = at.rank();
    let width = hidden.len() / k;
    let mut projection = Projection::new(at, width, control);
    projection.value(hidden);
    let output = projection.output();
    let strength = |j: usize| at.norm(&hidden[j * k..(j + 1) * k]) * output.row(j).norm_l2();
    let mut order: Vec<(f64, usize)> = (0..width).map(|j| (strength(j), j)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut kept = vec![true; width];
    let gather = |kept: &[bool]| -> Vec<f64> {
        hidden.chunks_exact(k).zip(kept).filter(|(_, keep)| **keep).flat_map(|(u, _)| u).copied().collect()
    };
    let mut refused = 0;
    for (_, j) in order {
        // after several refusals in a row the stronger ones pay as well
        if refused == 8 || control.should_stop() {
            break;
        }
        kept[j] = false;
        let found = evaluate(at, &gather(&kept), control);
        if found <= most.min(value * (1.0 + 0.5 * ROUNDING)) {
            value = found;
            refused = 0;
        } else {
            kept[j] = true;
            refused += 1;
        }
    }
    *hidden = gather(&kept);
    value
}
