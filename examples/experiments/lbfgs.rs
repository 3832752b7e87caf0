//! Limited-memory BFGS on all weights of a network of fixed width: nothing is added, merged or eliminated.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::baselines::descent::objective_gradient;
use relucert::{Network, Result, TrainingProblem};
use std::collections::VecDeque;

const MEMORY: usize = 20;
/// A descent ends where fifty steps together win less than this part.
const PROGRESS: f64 = 1e-7;

/// Gaussian weights, each neuron balanced, whose predictions have half the size of the targets.
pub fn random(problem: &TrainingProblem, width: usize, seed: u64) -> Result<Network> {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut draw = |rows: usize| Mat::<f64>::from_fn(rows, width, |_, _| rng.sample(StandardNormal));
    let (mut hidden, mut output) = (draw(problem.inputs()), draw(problem.outputs()));
    for k in 0..width {
        let factor = (output.col(k).norm_l2() / hidden.col(k).norm_l2()).sqrt();
        hidden.col_mut(k).iter_mut().for_each(|u| *u *= factor);
        output.col_mut(k).iter_mut().for_each(|v| *v /= factor);
    }
    let size = Network::new(hidden.clone(), output.clone())?.predict(problem.features()).norm_l2();
    let scale = match size > 0.0 {
        true => (0.5 * problem.targets().norm_l2() / size).sqrt(),
        // Every neuron is off: small weights are as good as others.
        false => 0.1,
    };
    Network::new(scale * hidden, scale * output)
}

/// The network of the least objective met, from a start.
pub fn minimise(problem: &TrainingProblem, start: Network, iterations: usize) -> Result<Network> {
    let shape = (problem.inputs(), problem.outputs(), start.width());
    let mut at = pack(start.hidden().to_owned(), start.output().to_owned());
    let (mut value, mut gradient) = evaluate(problem, shape, &at)?;
    let mut history: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
    let mut earlier = value;
    for iteration in 1..=iterations {
        // A dead network is stationary.
        if dot(&gradient, &gradient) <= f64::EPSILON * f64::EPSILON * value {
            break;
        }
        let mut direction = two_loops(&history, &gradient);
        if dot(&direction, &gradient) >= 0.0 {
            history.clear();
            direction = gradient.iter().map(|g| -g).collect();
        }
        let first = if history.is_empty() {
            0.1 * dot(&at, &at).sqrt() / dot(&gradient, &gradient).sqrt()
        } else {
            1.0
        };
        let Some(next) = search(problem, shape, &at, value, &gradient, &direction, first)? else {
            if history.is_empty() {
                break;
            }
            history.clear();
            continue;
        };
        let step: Vec<f64> = next.0.iter().zip(&at).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = next.2.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        if dot(&step, &change) > 1e-12 * dot(&change, &change).sqrt() * dot(&step, &step).sqrt() {
            history.push_back((step, change));
            if history.len() > MEMORY {
                history.pop_front();
            }
        }
        (at, value, gradient) = next;
        if iteration % 50 == 0 {
            if earlier - value <= PROGRESS * value {
                break;
            }
            earlier = value;
        }
    }
    let (hidden, output) = unpack(shape, &at);
    Network::new(hidden, output)
}

type Shape = (usize, usize, usize);
type Point = (Vec<f64>, f64, Vec<f64>);

/// A step along the direction with enough descent, and where it can be had a flatter slope: weak Wolfe conditions by
/// bisection, which suit functions with kinks (Lewis and Overton 2013).
fn search(
    problem: &TrainingProblem,
    shape: Shape,
    at: &[f64],
    value: f64,
    gradient: &[f64],
    direction: &[f64],
    first: f64,
) -> Result<Option<Point>> {
    let slope = dot(gradient, direction);
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, first);
    let mut best = None;
    for _ in 0..40 {
        let there: Vec<f64> = at.iter().zip(direction).map(|(a, d)| a + length * d).collect();
        let (reached, slopes) = evaluate(problem, shape, &there)?;
        if reached.is_nan() || reached > value + 1e-4 * length * slope {
            high = length;
        } else {
            let flat = dot(&slopes, direction) >= 0.9 * slope;
            best = Some((there, reached, slopes));
            if flat {
                break;
            }
            low = length;
        }
        length = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
    }
    Ok(best)
}

fn evaluate(problem: &TrainingProblem, shape: Shape, at: &[f64]) -> Result<(f64, Vec<f64>)> {
    let (hidden, output) = unpack(shape, at);
    if at.iter().any(|weight| !weight.is_finite()) {
        return Ok((f64::INFINITY, vec![f64::NAN; at.len()]));
    }
    let (value, by_hidden, by_output) = objective_gradient(problem, &Network::new(hidden, output)?);
    Ok((value, pack(by_hidden, by_output)))
}

fn pack(hidden: Mat<f64>, output: Mat<f64>) -> Vec<f64> {
    let mut all = Vec::with_capacity(hidden.ncols() * (hidden.nrows() + output.nrows()));
    for part in [hidden, output] {
        part.col_iter().for_each(|column| all.extend(column.iter()));
    }
    all
}

fn unpack((inputs, outputs, width): Shape, at: &[f64]) -> (Mat<f64>, Mat<f64>) {
    let (hidden, output) = at.split_at(inputs * width);
    (
        Mat::from_fn(inputs, width, |i, j| hidden[j * inputs + i]),
        Mat::from_fn(outputs, width, |i, j| output[j * outputs + i]),
    )
}

fn two_loops(history: &VecDeque<(Vec<f64>, Vec<f64>)>, gradient: &[f64]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut factors = Vec::with_capacity(history.len());
    for (step, change) in history.iter().rev() {
        let factor = dot(step, &q) / dot(step, change);
        q.iter_mut().zip(change).for_each(|(q, y)| *q -= factor * y);
        factors.push(factor);
    }
    if let Some((step, change)) = history.back() {
        let scale = dot(step, change) / dot(change, change);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((step, change), factor) in history.iter().zip(factors.iter().rev()) {
        let correction = factor - dot(change, &q) / dot(step, change);
        q.iter_mut().zip(step).for_each(|(q, s)| *q += correction * s);
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
