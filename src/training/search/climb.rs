//! Local ascents of many directions in step, each by its own limited-memory BFGS.

use super::gain::Gain;
use crate::control::Control;
use crate::linalg::vector::{axpy, dot};
use crate::training::coordinates::Coordinates;
use faer::MatRef;
use pulp::Arch;
use std::collections::VecDeque;

/// Pairs that an ascent remembers, its iterations, and trials of one line search.
const MEMORY: usize = 6;
const TRIALS: usize = 12;
/// An ascent that wins less than this (of the logarithm) in a step is over.
const OVER: f64 = 1e-10;

/// The state of one ascent.
struct Ascent {
    /// Which of the directions given.
    place: usize,
    value: f64,
    z: Vec<f64>,
    gradient: Vec<f64>,
    step: Vec<f64>,
    slope: f64,
    share: f64,
    /// Steps, changes of the gradient, and their inner products.
    memory: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
}

impl Ascent {
    /// The direction of the next step: two-loop recursion.
    #[inline(always)]
    fn aim(&mut self) {
        self.step.iter_mut().zip(&self.gradient).for_each(|(s, g)| *s = -g);
        let mut weights = [0.0; MEMORY];
        for (weight, (step, change, curvature)) in weights.iter_mut().zip(&self.memory).rev() {
            *weight = dot(step, &self.step) / curvature;
            axpy(-*weight, change, &mut self.step);
        }
        if let Some((_, change, curvature)) = self.memory.back() {
            let scale = curvature / dot(change, change);
            self.step.iter_mut().for_each(|s| *s *= scale);
        }
        for (weight, (step, change, curvature)) in weights.iter().zip(&self.memory) {
            axpy(weight - dot(change, &self.step) / curvature, step, &mut self.step);
        }
        self.slope = dot(&self.gradient, &self.step);
        if self.slope.is_nan() || self.slope >= 0.0 {
            self.memory.clear();
            self.step.iter_mut().zip(&self.gradient).for_each(|(s, g)| *s = -g);
            self.slope = dot(&self.gradient, &self.step);
        }
        let (length, size) = (dot(&self.z, &self.z).sqrt(), dot(&self.step, &self.step).sqrt());
        let part = if self.memory.is_empty() { 0.1 } else { 0.5 };
        let most = part * length / size.max(f64::MIN_POSITIVE);
        self.share = if self.memory.is_empty() { most } else { most.min(1.0) };
    }

    /// Goes to a point that was accepted; whether the ascent is over.
    fn go(&mut self, z: &[f64], value: f64, gradient: &[f64]) -> bool {
        let (mut step, mut change) = if self.memory.len() == MEMORY { self.memory.pop_front() } else { None }
            .map_or_else(|| (vec![0.0; z.len()], vec![0.0; z.len()]), |(s, y, _)| (s, y));
        for i in 0..z.len() {
            step[i] = z[i] - self.z[i];
            change[i] = gradient[i] - self.gradient[i];
        }
        let curvature = dot(&step, &change);
        if curvature > 1e-12 * (dot(&step, &step) * dot(&change, &change)).sqrt() {
            self.memory.push_back((step, change, curvature));
        }
        let won = self.value - value;
        self.z.copy_from_slice(z);
        self.gradient.copy_from_slice(gradient);
        self.value = value;
        won < OVER
    }
}

/// Climbs from the directions given (k × b by column), in place; each ends with length one.
pub(super) fn climb(
    at: &Coordinates,
    residual: MatRef<'_, f64>,
    z: &mut [f64],
    iterations: usize,
    control: &Control,
) {
    let k = at.rank();
    let mut gain = Gain::new(at, residual);
    z.chunks_exact_mut(k).for_each(|z| normalise(at, z));
    let (mut values, mut gradient) = (vec![0.0; z.len() / k], vec![0.0; z.len()]);
    gain.evaluate(z, &mut values, &mut gradient);
    let mut running: Vec<Ascent> = (0..values.len())
        .filter(|&place| values[place].is_finite())
        .map(|place| Ascent {
            place,
            value: values[place],
            z: z[place * k..][..k].to_vec(),
            gradient: gradient[place * k..][..k].to_vec(),
            step: vec![0.0; k],
            slope: 0.0,
            share: 0.0,
            memory: VecDeque::with_capacity(MEMORY),
        })
        .collect();
    let mut trial = Vec::with_capacity(z.len());
    for _ in 0..iterations {
        if running.is_empty() || control.should_stop() {
            break;
        }
        Arch::new().dispatch(|| running.iter_mut().for_each(Ascent::aim));
        let mut waiting: Vec<usize> = (0..running.len()).collect();
        let mut over = vec![true; running.len()];
        for _ in 0..TRIALS {
            trial.clear();
            for &index in &waiting {
                let ascent = &running[index];
                trial.extend(ascent.z.iter().zip(&ascent.step).map(|(z, s)| z + ascent.share * s));
            }
            let (values, gradient) = (&mut values[..waiting.len()], &mut gradient[..trial.len()]);
            gain.evaluate(&trial, values, gradient);
            let mut still = Vec::new();
            for (a, &index) in waiting.iter().enumerate() {
                let ascent = &mut running[index];
                if values[a] <= ascent.value + 1e-4 * ascent.share * ascent.slope {
                    over[index] = ascent.go(&trial[a * k..][..k], values[a], &gradient[a * k..][..k]);
                } else {
                    ascent.share *= 0.3;
                    still.push(index);
                }
            }
            waiting = still;
            if waiting.is_empty() || control.should_stop() {
                break;
            }
        }
        let mut over = over.into_iter();
        running.retain(|ascent| {
            let done = over.next().unwrap_or(true);
            if done {
                z[ascent.place * k..][..k].copy_from_slice(&ascent.z);
            }
            !done
        });
    }
    running.iter().for_each(|ascent| z[ascent.place * k..][..k].copy_from_slice(&ascent.z));
    z.chunks_exact_mut(k).for_each(|z| normalise(at, z));
}

fn normalise(at: &Coordinates, z: &mut [f64]) {
    let norm = at.norm(z);
    if norm > 0.0 && norm.is_finite() {
        z.iter_mut().for_each(|z| *z /= norm);
    }
}
