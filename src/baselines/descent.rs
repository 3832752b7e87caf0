//! Stochastic gradient descent with momentum and Adam on a network of fixed width: what most people would do.
//!
//! Heavy ball with momentum 0.95 as in the experiments of arXiv 2410.22311, and Adam (Kingma and Ba, 2015,
//! algorithm 1). Nothing is tuned by hand: the step size is the best of a grid in short trials on the training
//! objective, and falls to zero over the run as a half cosine (Loshchilov and Hutter, 2017, equation 5).

use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::dense::product;
use crate::problem::{Network, TrainingProblem};
use faer::{Mat, MatRef};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use rayon::prelude::*;
use std::f64::consts::PI;

/// How a gradient becomes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Rule {
    /// Momentum 0.95.
    Sgd,
    /// β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    Adam,
}

/// Settings of [`descend`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct DescentSettings {
    /// How a gradient becomes a step. Default Adam.
    pub rule: Rule,
    /// Neurons. Default 300, the widest published.
    pub width: usize,
    /// Passes over the data at most; fewer where they would cost more than 3·10¹⁰ multiplications. Default 5000.
    pub epochs: usize,
    /// Samples of one gradient, 0 for all. Default 64.
    pub batch: usize,
    /// Seed of the first weights and of the order of the samples. Default 0.
    pub seed: u64,
}

impl Default for DescentSettings {
    fn default() -> Self {
        Self { rule: Rule::Adam, width: 300, epochs: 5000, batch: 64, seed: 0 }
    }
}

const MOMENTUM: f64 = 0.95;
const BETA: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;
/// Multiplications of a whole run, and the fewest passes however large the data.
const WORK: f64 = 3e10;
const FEWEST: usize = 20;
/// Step sizes tried, each a third of the one before, and the part of the run that each trial gets.
const RATES: i32 = 7;
const TRIAL: f64 = 0.03;
/// The largest steps tried: relative to the weights (Adam), to the inverse of the curvature at the start (SGD).
const LARGEST_ADAM: f64 = 1.0;
const LARGEST_SGD: f64 = 1.0;
/// Steps of the power method for that curvature.
const POWER: usize = 12;

/// The network with the best objective after any pass, and how it came about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Descended {
    /// The network.
    pub network: Network,
    /// Passes over the data, without the trials.
    pub epochs: usize,
    /// The step size at the start.
    pub rate: f64,
    /// Objective after each pass.
    pub history: Vec<f64>,
}

/// Trains one network from random weights.
///
/// The objective is the training problem's own; the gradient of a batch is scaled to be unbiased. Errors: a width of
/// zero, and no step size with a finite objective.
pub fn descend(
    problem: &TrainingProblem,
    settings: &DescentSettings,
    control: &Control,
) -> Result<Descended> {
    if settings.width == 0 {
        return Err(Error::Parameter { name: "width", value: "0".into(), range: "at least 1" });
    }
    let x = problem.dense_features()?;
    let task = Task {
        rows: x.transpose().to_owned(),
        targets: problem.targets().transpose().to_owned(),
        weight_decay: problem.weight_decay(),
        batch: if settings.batch == 0 { x.nrows() } else { settings.batch.min(x.nrows()) },
        rule: settings.rule,
        seed: settings.seed,
    };
    let cost = 4.0 * (x.nrows() * settings.width * (x.ncols() + problem.outputs())) as f64;
    let epochs = settings.epochs.min(((WORK / cost) as usize).max(FEWEST)).max(1);
    let start = Weights::random(problem, settings);
    let largest = match settings.rule {
        Rule::Adam => LARGEST_ADAM,
        Rule::Sgd => LARGEST_SGD / task.curvature(&start, settings.seed).max(f64::MIN_POSITIVE),
    };
    let trial = ((TRIAL * epochs as f64).ceil() as usize).max(2);
    let rates: Vec<f64> = (0..RATES).map(|k| largest / 3f64.powi(k)).collect();
    let outcomes: Vec<f64> = rates
        .par_iter()
        .map(|&rate| task.run(start.clone(), rate, trial, control).1.last().copied().unwrap_or(f64::INFINITY))
        .collect();
    let rate = rates
        .iter()
        .zip(&outcomes)
        .filter(|(_, value)| value.is_finite())
        .min_by(|a, b| a.1.total_cmp(b.1))
        .map(|(rate, _)| *rate);
    let Some(rate) = rate else {
        return Err(Error::Numerical("every step size of the descent"));
    };
    let (weights, history) = task.run(start, rate, epochs, control);
    let network = Network::new(weights.hidden, weights.output)?;
    Ok(Descended { network, epochs: history.len(), rate, history })
}

/// The training objective at U (d × m) and V (c × m), and its gradients with respect to both.
pub fn objective_gradient(problem: &TrainingProblem, network: &Network) -> (f64, Mat<f64>, Mat<f64>) {
    let weights = Weights { hidden: network.hidden().to_owned(), output: network.output().to_owned() };
    let (rows, targets) = (problem.features().transpose(), problem.targets().transpose());
    let (value, gradient) = evaluate(rows, targets, 1.0, problem.weight_decay(), &weights);
    (value, gradient.hidden, gradient.output)
}

#[derive(Clone)]
struct Weights {
    hidden: Mat<f64>,
    output: Mat<f64>,
}

impl Weights {
    /// Gaussian, ‖U‖ = ‖V‖, scaled so that predictions have half the size of the targets.
    fn random(problem: &TrainingProblem, settings: &DescentSettings) -> Self {
        let mut rng = Pcg64::seed_from_u64(settings.seed);
        let mut draw =
            |rows: usize| Mat::<f64>::from_fn(rows, settings.width, |_, _| rng.sample(StandardNormal));
        let (mut hidden, mut output) = (draw(problem.inputs()), draw(problem.outputs()));
        let unit = |matrix: &mut Mat<f64>, length: f64| {
            let scale = length / matrix.norm_l2();
            matrix.col_iter_mut().for_each(|column| column.iter_mut().for_each(|w| *w *= scale));
        };
        unit(&mut hidden, 1.0);
        unit(&mut output, 1.0);
        let size = Network::new(hidden.clone(), output.clone())
            .map_or(0.0, |network| network.predict(problem.features()).norm_l2());
        let wanted = 0.5 * problem.targets().norm_l2() / size;
        let scale = if wanted.is_finite() && wanted > 0.0 { wanted.sqrt() } else { 1.0 };
        unit(&mut hidden, scale);
        unit(&mut output, scale);
        Self { hidden, output }
    }

    fn parts(&mut self) -> [&mut Mat<f64>; 2] {
        [&mut self.hidden, &mut self.output]
    }

    fn zeros_like(&self) -> Self {
        Self {
            hidden: Mat::zeros(self.hidden.nrows(), self.hidden.ncols()),
            output: Mat::zeros(self.output.nrows(), self.output.ncols()),
        }
    }

    fn norm(&self) -> f64 {
        self.hidden.norm_l2().hypot(self.output.norm_l2())
    }
}

/// scale · ½‖(XU)₊Vᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²) over samples that are columns here, and its gradient.
fn evaluate(
    rows: MatRef<'_, f64>,
    targets: MatRef<'_, f64>,
    scale: f64,
    weight_decay: f64,
    weights: &Weights,
) -> (f64, Weights) {
    let mut activation = product(weights.hidden.transpose(), rows);
    for column in activation.col_iter_mut() {
        column.iter_mut().for_each(|a| *a = a.max(0.0));
    }
    let mut residual = product(weights.output.as_ref(), activation.as_ref());
    residual -= targets;
    let value = 0.5 * scale * residual.squared_norm_l2()
        + 0.5 * weight_decay * (weights.hidden.squared_norm_l2() + weights.output.squared_norm_l2());
    let mut output = product(residual.as_ref(), activation.transpose());
    let mut back = product(weights.output.transpose(), residual.as_ref());
    for (column, activation) in back.col_iter_mut().zip(activation.col_iter()) {
        column.iter_mut().zip(activation.iter()).for_each(|(b, a)| *b = if *a > 0.0 { *b } else { 0.0 });
    }
    let mut hidden = product(rows, back.transpose());
    for (gradient, weights) in [(&mut output, &weights.output), (&mut hidden, &weights.hidden)] {
        for (gradient, weights) in gradient.col_iter_mut().zip(weights.col_iter()) {
            gradient.iter_mut().zip(weights.iter()).for_each(|(g, w)| *g = scale * *g + weight_decay * w);
        }
    }
    (value, Weights { hidden, output })
}

/// What every run shares.
struct Task {
    /// Xᵀ, a column a sample.
    rows: Mat<f64>,
    /// Yᵀ.
    targets: Mat<f64>,
    weight_decay: f64,
    batch: usize,
    rule: Rule,
    seed: u64,
}

impl Task {
    fn whole(&self, weights: &Weights) -> (f64, Weights) {
        evaluate(self.rows.as_ref(), self.targets.as_ref(), 1.0, self.weight_decay, weights)
    }

    /// The largest curvature at the weights by the power method on differences of gradients, roughly.
    fn curvature(&self, weights: &Weights, seed: u64) -> f64 {
        let mut rng = Pcg64::seed_from_u64(seed ^ 0x9e37_79b9);
        let mut direction = weights.clone();
        for part in direction.parts() {
            part.col_iter_mut().for_each(|c| c.iter_mut().for_each(|w| *w = rng.sample(StandardNormal)));
        }
        let here = self.whole(weights).1;
        let step = 1e-5 * weights.norm();
        let mut largest = 0.0;
        for _ in 0..POWER {
            let length = direction.norm();
            let mut there = weights.clone();
            for (part, direction) in there.parts().into_iter().zip(direction.parts()) {
                zip(part, direction, |w, d| *w += step * d / length);
            }
            let mut change = self.whole(&there).1;
            let mut from = here.clone();
            for (part, from) in change.parts().into_iter().zip(from.parts()) {
                zip(part, from, |g, f| *g = (*g - f) / step);
            }
            largest = change.norm();
            direction = change;
            if !(largest.is_finite() && largest > 0.0) {
                break;
            }
        }
        largest
    }

    /// The weights with the best objective after a pass, and the objective after each.
    fn run(&self, start: Weights, rate: f64, epochs: usize, control: &Control) -> (Weights, Vec<f64>) {
        let n = self.rows.ncols();
        let mut rng = Pcg64::seed_from_u64(self.seed.wrapping_add(1));
        let mut order: Vec<usize> = (0..n).collect();
        let mut stepper = Stepper::new(self.rule, &start);
        let (mut best, mut least) = (start.clone(), self.whole(&start).0);
        let mut weights = start;
        let mut history = Vec::with_capacity(epochs);
        for epoch in 0..epochs {
            if control.should_stop() {
                break;
            }
            let rate = rate * 0.5 * (1.0 + (PI * epoch as f64 / epochs as f64).cos());
            order.shuffle(&mut rng);
            for batch in order.chunks(self.batch) {
                let scale = n as f64 / batch.len() as f64;
                let gather =
                    |from: &Mat<f64>| Mat::from_fn(from.nrows(), batch.len(), |i, j| from[(i, batch[j])]);
                let (rows, targets) = (gather(&self.rows), gather(&self.targets));
                let (_, gradient) =
                    evaluate(rows.as_ref(), targets.as_ref(), scale, self.weight_decay, &weights);
                stepper.step(&mut weights, gradient, rate);
            }
            let value = self.whole(&weights).0;
            history.push(value);
            if !value.is_finite() {
                break;
            }
            if value < least {
                least = value;
                best.hidden.copy_from(&weights.hidden);
                best.output.copy_from(&weights.output);
            }
        }
        (best, history)
    }
}

/// Moments of the gradient.
struct Stepper {
    rule: Rule,
    first: Weights,
    second: Weights,
    /// Root mean squares of U and V at the start, in which Adam's step is measured.
    sizes: [f64; 2],
    steps: i32,
}

impl Stepper {
    fn new(rule: Rule, start: &Weights) -> Self {
        let size = |part: &Mat<f64>| part.norm_l2() / ((part.nrows() * part.ncols()) as f64).sqrt();
        Self {
            rule,
            first: start.zeros_like(),
            second: start.zeros_like(),
            sizes: [size(&start.hidden), size(&start.output)],
            steps: 0,
        }
    }

    fn step(&mut self, weights: &mut Weights, mut gradient: Weights, rate: f64) {
        self.steps = self.steps.saturating_add(1);
        let correction = BETA.map(|beta| 1.0 - beta.powi(self.steps));
        let moments = self.first.parts().into_iter().zip(self.second.parts());
        for (((weight, gradient), (first, second)), size) in
            weights.parts().into_iter().zip(gradient.parts()).zip(moments).zip(self.sizes)
        {
            match self.rule {
                Rule::Sgd => {
                    zip(first, gradient, |m, g| *m = MOMENTUM * *m + g);
                    zip(weight, first, |w, m| *w -= rate * m);
                }
                Rule::Adam => {
                    zip(first, gradient, |m, g| *m += (1.0 - BETA[0]) * (g - *m));
                    zip(second, gradient, |v, g| *v += (1.0 - BETA[1]) * (g * g - *v));
                    // The gradient's place holds the step.
                    zip(gradient, second, |g, v| *g = (v / correction[1]).sqrt() + EPSILON);
                    zip(gradient, first, |g, m| *g = m / correction[0] / *g);
                    zip(weight, gradient, |w, s| *w -= rate * size * s);
                }
            }
        }
    }
}

fn zip(a: &mut Mat<f64>, b: &Mat<f64>, mut change: impl FnMut(&mut f64, f64)) {
    for (a, b) in a.col_iter_mut().zip(b.col_iter()) {
        a.iter_mut().zip(b.iter()).for_each(|(a, b)| change(a, *b));
    }
}
