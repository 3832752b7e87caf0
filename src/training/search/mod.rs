//! Which neurons would pay: maximise ‖Wᵀ(Xu)₊‖ / ‖u‖ for the residual W.
//!
//! A ratio above γ means that adding the neuron strictly lowers the objective; if no neuron has one, the network is
//! globally optimal (the weight decay is a norm of the infinite-width measure, and this is its dual norm).

mod climb;
mod gain;
mod kinks;

use super::candidate::Candidate;
use super::coordinates::Coordinates;
use super::plane;
use crate::control::Control;
use crate::linalg::vector::dot;
use crate::system::stream::{Purpose, generator};
use climb::climb;
use faer::MatRef;
use gain::Gain;
use kinks::snap;
use rand::RngExt;
use rand_distr::StandardNormal;
use rayon::prelude::*;

/// Distinct directions with a ratio above one, best first, and the largest ratio seen.
pub(super) struct Answer {
    pub candidates: Vec<Candidate>,
    pub largest: f64,
    /// Whether `largest` is the maximum over all directions (up to rounding).
    pub exact: bool,
}

/// How a search is to be done.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    /// Directions to climb from as they are (k × b by column), beside the random ones.
    pub from: &'a [f64],
    /// Ascents.
    pub ascents: usize,
    /// Iterations of an ascent.
    pub iterations: usize,
    /// Candidates wanted at most.
    pub most: usize,
    /// Directions closer than this (cosine) count as one.
    pub same: f64,
    pub seed: u64,
}

/// Peaks in a plane may be narrow.
const SAME_IN_A_PLANE: f64 = 1.0 - 1e-7;
/// Ascents that go in step.
const BATCH: usize = 16;
/// How far a start is moved from a sample or a neuron, relative to it.
const SHAKE: f64 = 0.3;

/// Searches the whole plane, or by ascents from Gaussian directions, from samples that the network fits badly, and from
/// the neurons it has (`hidden`, k × m by column).
pub(super) fn search(
    at: &Coordinates,
    residual: MatRef<'_, f64>,
    hidden: &[f64],
    ask: Ask<'_>,
    control: &Control,
) -> Answer {
    let plane = at.whitened().filter(|_| at.is_plane());
    let exact = plane.is_some();
    let mut found = match plane {
        Some(space) => plane::sweep(at, space, residual),
        None => {
            let mut z = starts(at, residual, hidden, ask);
            ascend(at, residual, &mut z, ask.iterations, control)
        }
    };
    if !exact && !ask.from.is_empty() {
        let mut given = ask.from.to_vec();
        found.extend(ascend(at, residual, &mut given, ask.iterations, control));
    }
    found.retain(|c| c.ratio.is_finite());
    found.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    let same = if exact { SAME_IN_A_PLANE } else { ask.same };
    let largest = found.first().map_or(0.0, |c| c.ratio);
    let paying = found.into_iter().take_while(|c| c.ratio > 1.0).collect();
    Answer { candidates: distinct(at, paying, ask.most, same), largest, exact }
}

/// Multiplications of a search, roughly.
pub(super) fn cost(at: &Coordinates, ask: Ask<'_>) -> f64 {
    1.3 * (ask.ascents * ask.iterations) as f64 * Gain::cost(at)
}

/// Climbs from the directions given (k × b by column) and snaps on kinks.
fn ascend(
    at: &Coordinates,
    residual: MatRef<'_, f64>,
    z: &mut [f64],
    iterations: usize,
    control: &Control,
) -> Vec<Candidate> {
    let k = at.rank();
    z.par_chunks_mut(BATCH * k)
        .flat_map_iter(|z| {
            climb(at, residual, z, iterations, control);
            let sizes = if control.should_stop() { vec![0.0; z.len() / k] } else { snap(at, residual, z) };
            let directions = z.chunks_exact(k).map(|z| z.to_vec()).collect::<Vec<_>>();
            directions
                .into_iter()
                .zip(sizes)
                .map(|(direction, size)| Candidate { direction, ratio: size / at.weight_decay })
        })
        .collect()
}

/// The best of each cluster, best first.
fn distinct(at: &Coordinates, found: Vec<Candidate>, most: usize, same: f64) -> Vec<Candidate> {
    let mut kept: Vec<(Candidate, Vec<f64>)> = Vec::new();
    for candidate in found {
        if kept.len() == most {
            break;
        }
        let mut weighed = vec![0.0; candidate.direction.len()];
        at.weigh(&candidate.direction, &mut weighed);
        if kept.iter().all(|(_, other)| dot(&candidate.direction, other) < same) {
            kept.push((candidate, weighed));
        }
    }
    kept.into_iter().map(|(candidate, _)| candidate).collect()
}

/// A third each: Gaussian; near samples drawn by the square of what they pull, ‖w_i‖‖x_i‖; near neurons.
fn starts(at: &Coordinates, residual: MatRef<'_, f64>, hidden: &[f64], ask: Ask<'_>) -> Vec<f64> {
    let (n, k) = (at.samples(), at.rank());
    let mut rng = generator(ask.seed, Purpose::Neurons, 0);
    let mut cumulative = Vec::with_capacity(n);
    let mut sum = 0.0;
    for i in 0..n {
        sum += residual.row(i).squared_norm_l2() * at.row_energy(i);
        cumulative.push(sum);
    }
    let neurons = hidden.len() / k;
    let kinds = if neurons == 0 { 2 } else { 3 };
    let shake = SHAKE / (k as f64).sqrt();
    (0..ask.ascents)
        .flat_map(|index| {
            let mut z: Vec<f64> = (0..k).map(|_| rng.sample(StandardNormal)).collect();
            let near = match index % kinds {
                1 if sum > 0.0 && sum.is_finite() => {
                    let drawn = rng.random::<f64>() * sum;
                    let sample = cumulative.partition_point(|c| *c < drawn).min(n - 1);
                    let mut x = vec![0.0; k];
                    at.add_row(sample, at.row_energy(sample).sqrt().max(f64::MIN_POSITIVE), &mut x);
                    Some(x)
                }
                2 => {
                    let neuron = rng.random_range(0..neurons);
                    let u = &hidden[neuron * k..][..k];
                    let length = dot(u, u).sqrt().max(f64::MIN_POSITIVE);
                    Some(u.iter().map(|u| u / length).collect())
                }
                _ => None,
            };
            if let Some(near) = near {
                z.iter_mut().zip(near).for_each(|(z, near)| *z = near + shake * *z);
            }
            z
        })
        .collect()
}
