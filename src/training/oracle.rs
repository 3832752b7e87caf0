//! Which neuron would pay most: maximise ‖Wᵀ(Xu)₊‖ / ‖u‖ for the residual W.
//!
//! A ratio above γ means that adding the neuron strictly lowers the objective; if no neuron has one, the network is
//! globally optimal (the weight decay is a norm of the infinite-width measure, and this is its dual norm).

use super::coordinates::Coordinates;
use super::lbfgs::{Limits, minimise};
use super::whitened::Whitened;
use crate::control::Control;
use crate::linalg::vector::{axpy, dot};
use crate::system::stream::{Purpose, generator};
use faer::MatRef;
use rand::RngExt;
use rand_distr::StandardNormal;
use rayon::prelude::*;

/// A direction with ‖u‖ = 1 and its ratio ‖Wᵀ(Xu)₊‖ / γ.
pub(super) struct Candidate {
    pub direction: Vec<f64>,
    pub ratio: f64,
}

/// Distinct directions with a ratio above 1, best first, and the largest ratio seen.
pub(super) struct Answer {
    pub candidates: Vec<Candidate>,
    pub largest: f64,
    /// Whether `largest` is the maximum over all directions (up to rounding).
    pub exact: bool,
}

/// Directions closer than this (cosine) count as one; peaks in a plane may be narrow.
const SAME: f64 = 0.9995;
const SAME_IN_A_PLANE: f64 = 1.0 - 1e-7;

pub(super) fn ask(
    at: &Coordinates,
    residual: MatRef<'_, f64>,
    ascents: usize,
    most: usize,
    seed: u64,
    control: &Control,
) -> Answer {
    let plane = at.whitened().filter(|_| at.is_plane());
    let exact = plane.is_some();
    let mut found = match plane {
        Some(space) => sweep(at, space, residual),
        None => climb_from_many(at, residual, ascents, seed, control),
    };
    found.retain(|c| c.ratio.is_finite());
    found.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    let same = if exact { SAME_IN_A_PLANE } else { SAME };
    let largest = found.first().map_or(0.0, |c| c.ratio);
    let mut candidates: Vec<Candidate> = Vec::new();
    for candidate in found.into_iter().take_while(|c| c.ratio > 1.0) {
        if candidates.len() == most {
            break;
        }
        if candidates.iter().all(|c| at.inner(&c.direction, &candidate.direction) < same) {
            candidates.push(candidate);
        }
    }
    Answer { candidates, largest, exact }
}

/// Every direction of a plane (or a line): between two breakpoints the squared ratio is a quadratic form.
fn sweep(at: &Coordinates, space: &Whitened, residual: MatRef<'_, f64>) -> Vec<Candidate> {
    let (n, c, k) = (at.samples(), residual.ncols(), at.rank());
    // coordinates in which ‖u‖ is the Euclidean norm
    let scale: Vec<f64> = space.metric.iter().map(|m| m.sqrt()).collect();
    let row = |i: usize| {
        let second = if k == 2 { space.features[(i, 1)] / scale[1] } else { 0.0 };
        [space.features[(i, 0)] / scale[0], second]
    };
    let candidate = |angle: f64, squared: f64| {
        let unit = [angle.cos(), angle.sin()];
        let direction = (0..k).map(|j| unit[j] / scale[j]).collect();
        Candidate { direction, ratio: squared.max(0.0).sqrt() / at.weight_decay }
    };
    // (angle, sample, switches on)
    let mut events: Vec<(f64, usize, bool)> = Vec::with_capacity(2 * n);
    for i in 0..n {
        let [a, b] = row(i);
        if a != 0.0 || b != 0.0 {
            let centre = b.atan2(a);
            let turn = std::f64::consts::TAU;
            let quarter = std::f64::consts::FRAC_PI_2;
            events.push(((centre - quarter).rem_euclid(turn), i, true));
            events.push(((centre + quarter).rem_euclid(turn), i, false));
        }
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let Some(last) = events.last() else { return Vec::new() };
    // moments P = Xᵀ D W (2 × c) of the samples active just after the last event
    let wrap = events[0].0 + std::f64::consts::TAU;
    let start = 0.5 * (last.0 + wrap);
    let mut moments = vec![[0.0f64; 2]; c];
    let toggle = |moments: &mut Vec<[f64; 2]>, i: usize, sign: f64| {
        let [a, b] = row(i);
        for (j, p) in moments.iter_mut().enumerate() {
            let w = sign * residual[(i, j)];
            p[0] += a * w;
            p[1] += b * w;
        }
    };
    for i in 0..n {
        let [a, b] = row(i);
        if a * start.cos() + b * start.sin() > 0.0 {
            toggle(&mut moments, i, 1.0);
        }
    }
    let mut found = Vec::new();
    let mut from = last.0 - std::f64::consts::TAU;
    for &(to, sample, on) in &events {
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for p in &moments {
            xx += p[0] * p[0];
            xy += p[0] * p[1];
            yy += p[1] * p[1];
        }
        let form = |t: f64| {
            let (s, c) = t.sin_cos();
            xx * c * c + 2.0 * xy * s * c + yy * s * s
        };
        // the crest repeats every half turn
        let crest = 0.5 * (2.0 * xy).atan2(xx - yy);
        let half = std::f64::consts::PI;
        let inside = from + (crest - from).rem_euclid(half);
        for angle in [from, to, inside] {
            if angle <= to {
                found.push(candidate(angle, form(angle)));
            }
        }
        toggle(&mut moments, sample, if on { 1.0 } else { -1.0 });
        from = to;
    }
    found
}

/// Local ascents from Gaussian directions and from the samples with the largest residuals.
fn climb_from_many(
    at: &Coordinates,
    residual: MatRef<'_, f64>,
    ascents: usize,
    seed: u64,
    control: &Control,
) -> Vec<Candidate> {
    let n = at.samples();
    let mut order: Vec<(f64, usize)> =
        (0..n).map(|i| (residual.row(i).squared_norm_l2() * at.row_energy(i), i)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    (0..ascents)
        .into_par_iter()
        .map(|index| {
            let mut rng = generator(seed, Purpose::Neurons, index as u64);
            let mut z: Vec<f64> = (0..at.rank()).map(|_| rng.sample(StandardNormal)).collect();
            if index % 3 == 2 && index / 3 < n {
                let sample = order[index / 3].1;
                let length = at.row_energy(sample).sqrt().max(f64::MIN_POSITIVE);
                z.iter_mut().for_each(|z| *z *= 0.1);
                at.add_row(sample, length, &mut z);
            }
            climb(at, residual, z, control)
        })
        .collect()
}

/// Maximises log ‖Wᵀ(Xu)₊‖ − log ‖u‖ from z.
fn climb(at: &Coordinates, residual: MatRef<'_, f64>, mut z: Vec<f64>, control: &Control) -> Candidate {
    let (n, c) = (at.samples(), residual.ncols());
    let mut activation = vec![0.0; n];
    let mut mask = vec![0.0; n];
    let mut gain = vec![0.0; c];
    let mut weighed = vec![0.0; z.len()];
    let columns: Vec<Vec<f64>> = residual.col_iter().map(|w| w.iter().copied().collect()).collect();
    let mut descend = |z: &[f64], gradient: &mut [f64]| {
        at.activate(z, &mut activation);
        activation.iter_mut().zip(&mut mask).for_each(|(a, mask)| {
            *mask = f64::from(u8::from(*a > 0.0));
            *a = a.max(0.0);
        });
        for (gain, w) in gain.iter_mut().zip(&columns) {
            *gain = dot(&activation, w);
        }
        let squared: f64 = gain.iter().map(|g| g * g).sum();
        let length = at.weigh(z, &mut weighed);
        if squared == 0.0 || length == 0.0 {
            gradient.fill(0.0);
            return f64::INFINITY;
        }
        // activation becomes the mask times W · gain
        activation.fill(0.0);
        for (gain, w) in gain.iter().zip(&columns) {
            axpy(*gain, w, &mut activation);
        }
        activation.iter_mut().zip(&mask).for_each(|(a, mask)| *a *= mask);
        at.slope(&activation, gradient);
        gradient.iter_mut().zip(&weighed).for_each(|(g, w)| *g = w / length - *g / squared);
        0.5 * (length.ln() - squared.ln())
    };
    let limits = Limits { memory: 8, iterations: 60, progress: 1e-9 };
    let value = minimise(&mut z, &mut descend, limits, control);
    let length = at.norm(&z);
    z.iter_mut().for_each(|z| *z /= length);
    Candidate { direction: z, ratio: if value.is_finite() { (-value).exp() / at.weight_decay } else { 0.0 } }
}
