//! Limited-memory BFGS with a weak-Wolfe bisection, which also copes with the kinks of ReLU objectives.

use crate::control::Control;
use crate::linalg::vector::{axpy, dot};
use pulp::Arch;
use std::collections::VecDeque;

/// Sufficient decrease and curvature of the weak Wolfe conditions (Lewis and Overton, 2013).
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Trial steps of one line search.
const TRIALS: usize = 30;
/// Iterations over which progress is judged.
const WINDOW: usize = 20;

/// When to stop.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub memory: usize,
    pub iterations: usize,
    /// Stops when `WINDOW` iterations together lower the value by less than this fraction of it.
    pub progress: f64,
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

/// Lowers `function` (value, and gradient into its second argument) from `x` in place; returns the value there.
/// The value never rises. Where no descent is possible (a kink, or rounding) it stops.
pub(crate) fn minimise(
    x: &mut Vec<f64>,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
    limits: Limits,
    control: &Control,
) -> f64 {
    let size = x.len();
    let mut gradient = vec![0.0; size];
    let mut value = function(x, &mut gradient);
    if size == 0 || !value.is_finite() {
        return value;
    }
    let (mut trial, mut trial_gradient, mut direction) = (x.clone(), vec![0.0; size], vec![0.0; size]);
    let mut memory: VecDeque<Pair> = VecDeque::with_capacity(limits.memory);
    let mut weights = vec![0.0; limits.memory];
    let mut history = VecDeque::with_capacity(WINDOW + 1);
    for _ in 0..limits.iterations {
        if control.should_stop() {
            break;
        }
        history.push_back(value);
        if history.len() > WINDOW
            && history.pop_front().is_some_and(|old| old - value <= limits.progress * value.abs())
        {
            break;
        }
        let arch = Arch::new();
        arch.dispatch(|| descend(&gradient, &memory, &mut weights, &mut direction));
        let mut slope = dot(&gradient, &direction);
        if slope.is_nan() || slope >= 0.0 {
            memory.clear();
            descend(&gradient, &memory, &mut weights, &mut direction);
            slope = dot(&gradient, &direction);
        }
        if slope == 0.0 || !slope.is_finite() {
            break;
        }
        // without curvature information the first trial moves x by a small fraction of its length
        let first = if memory.is_empty() {
            (0.03 * dot(x, x).max(f64::MIN_POSITIVE).sqrt() / (-slope).sqrt()).min(1e6)
        } else {
            1.0
        };
        let mut evaluate = |step: f64, trial: &mut [f64], trial_gradient: &mut [f64]| {
            advance(trial, x, step, &direction);
            let found = function(trial, trial_gradient);
            (found, dot(trial_gradient, &direction))
        };
        let mut search = Search { low: 0.0, found: value, satisfied: false };
        search.run(first, value, slope, |step| evaluate(step, &mut trial, &mut trial_gradient));
        let Search { low, mut found, satisfied } = search;
        if !satisfied && low > 0.0 {
            // a kink: take the longest step known to descend
            found = evaluate(low, &mut trial, &mut trial_gradient).0;
        } else if !satisfied {
            if memory.is_empty() {
                break;
            }
            memory.clear();
            continue;
        }
        if found.is_nan() || found >= value {
            break;
        }
        remember(&mut memory, limits.memory, [&trial, x], [&trial_gradient, &gradient]);
        std::mem::swap(x, &mut trial);
        std::mem::swap(&mut gradient, &mut trial_gradient);
        value = found;
    }
    value
}

/// Takes in a step and the change of the gradient on it (each the new one and the old), in the place of the oldest pair.
fn remember(memory: &mut VecDeque<Pair>, limit: usize, point: [&[f64]; 2], gradient: [&[f64]; 2]) {
    let size = point[0].len();
    let mut pair = if memory.len() == limit { memory.pop_front() } else { None }.unwrap_or_else(|| Pair {
        step: vec![0.0; size],
        change: vec![0.0; size],
        curvature: 0.0,
    });
    for i in 0..size {
        pair.step[i] = point[0][i] - point[1][i];
        pair.change[i] = gradient[0][i] - gradient[1][i];
    }
    pair.curvature = dot(&pair.step, &pair.change);
    let scale = (dot(&pair.step, &pair.step) * dot(&pair.change, &pair.change)).sqrt();
    if pair.curvature > 1e-10 * scale {
        memory.push_back(pair);
    }
}

/// A line search by bisection for the weak Wolfe conditions.
struct Search {
    /// The longest step known to descend enough.
    low: f64,
    /// The value at the last step.
    found: f64,
    satisfied: bool,
}

impl Search {
    /// `evaluate` gives the value at a step and the slope there; `value` and `slope` are those at zero.
    fn run(&mut self, first: f64, value: f64, slope: f64, mut evaluate: impl FnMut(f64) -> (f64, f64)) {
        let (mut high, mut step) = (f64::INFINITY, first);
        for _ in 0..TRIALS {
            let (found, there) = evaluate(step);
            self.found = found;
            if found.is_nan() || found > value + DECREASE * step * slope {
                high = step;
            } else {
                self.low = step;
                self.satisfied = there >= CURVATURE * slope;
            }
            if self.satisfied || high.is_finite() && high - self.low <= 1e-14 * high {
                break;
            }
            step = if high.is_finite() { 0.5 * (self.low + high) } else { 2.0 * step };
        }
    }
}

/// to = from + step · direction.
fn advance(to: &mut [f64], from: &[f64], step: f64, direction: &[f64]) {
    for ((t, x), d) in to.iter_mut().zip(from).zip(direction) {
        *t = x + step * d;
    }
}

/// The two-loop recursion: direction = −H · gradient.
#[inline(always)]
fn descend(gradient: &[f64], memory: &VecDeque<Pair>, weights: &mut [f64], direction: &mut [f64]) {
    direction.iter_mut().zip(gradient).for_each(|(d, g)| *d = -g);
    for (pair, weight) in memory.iter().zip(weights.iter_mut()).rev() {
        *weight = dot(&pair.step, direction) / pair.curvature;
        axpy(-*weight, &pair.change, direction);
    }
    if let Some(last) = memory.back() {
        let scale = last.curvature / dot(&last.change, &last.change);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for (pair, weight) in memory.iter().zip(weights.iter()) {
        let correction = weight - dot(&pair.change, direction) / pair.curvature;
        axpy(correction, &pair.step, direction);
    }
}
