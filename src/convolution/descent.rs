//! Stochastic gradient descent with momentum and Adam on a convolutional network of fixed width.
//!
//! The protocol of [`crate::baselines::descent`]: the step size is the best of a grid in short trials on the training
//! objective, and falls to zero over the run as a half cosine.

use crate::baselines::descent::{DescentSettings, Rule};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::dense::product;
use crate::problem::convolution::kernel::Patches;
use crate::problem::convolution::{ConvolutionalNetwork, ConvolutionalProblem};
use faer::{Mat, MatRef};
use rand::RngExt;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use rayon::prelude::*;
use std::f64::consts::PI;

const MOMENTUM: f64 = 0.95;
const BETA: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;
/// Multiplications of a whole run, and the fewest passes.
const WORK: f64 = 3e10;
const FEWEST: usize = 20;
/// Step sizes tried, each a third of the one before, the largest a part of the weights' length over the gradient's (SGD) or of
/// the weights (Adam); the part of the run that each trial gets.
const RATES: i32 = 9;
const TRIAL: f64 = 0.03;

/// The network with the best objective after any pass, and how it came about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConvolutionalDescended {
    /// The network.
    pub network: ConvolutionalNetwork,
    /// Passes over the data, without the trials.
    pub epochs: usize,
    /// The step size at the start.
    pub rate: f64,
}

/// Trains one network from random weights. Errors: a width of zero, and no step size with a finite objective.
pub fn descend(
    problem: &ConvolutionalProblem,
    settings: &DescentSettings,
    control: &Control,
) -> Result<ConvolutionalDescended> {
    if settings.width == 0 {
        return Err(Error::Parameter { name: "width", value: "0".into(), range: "at least 1" });
    }
    let n = problem.samples();
    let task = Task {
        problem,
        patches: problem.patches(),
        width: settings.width,
        batch: if settings.batch == 0 { n } else { settings.batch.min(n) },
        rule: settings.rule,
        seed: settings.seed,
    };
    let shape = problem.shape();
    let per_patch = shape.weights() + problem.outputs() / shape.pooled() + 1;
    let cost = 4.0 * (n * shape.positions() * settings.width * per_patch) as f64;
    let epochs = settings.epochs.min(((WORK / cost) as usize).max(FEWEST)).max(1);
    let start = task.random();
    let largest = match settings.rule {
        Rule::Adam => 1.0,
        Rule::Sgd => {
            let norm = |weights: &Weights| {
                weights.parts().iter().flat_map(|part| part.iter()).map(|w| w * w).sum::<f64>().sqrt()
            };
            norm(&start) / norm(&task.whole(&start).1).max(f64::MIN_POSITIVE)
        }
    };
    let trial = ((TRIAL * epochs as f64).ceil() as usize).max(2);
    let rates: Vec<f64> = (0..RATES).map(|k| largest / 3f64.powi(k)).collect();
    let outcomes: Vec<f64> =
        rates.par_iter().map(|&rate| task.run(start.clone(), rate, trial, control).2).collect();
    let best = rates.iter().zip(&outcomes).filter(|(_, value)| value.is_finite());
    let Some((&rate, _)) = best.min_by(|a, b| a.1.total_cmp(b.1)) else {
        return Err(Error::Numerical("every step size of the descent"));
    };
    let (weights, epochs, _) = task.run(start, rate, epochs, control);
    Ok(ConvolutionalDescended { network: task.network(&weights)?, epochs, rate })
}

/// The training objective at a network, and its gradients with respect to U (h × m) and V (c × a·m).
pub fn objective_gradient(
    problem: &ConvolutionalProblem,
    network: &ConvolutionalNetwork,
) -> (f64, Mat<f64>, Mat<f64>) {
    let weights = Weights {
        filters: network.rows(),
        output: network.output().col_iter().flat_map(|v| v.iter().copied().collect::<Vec<_>>()).collect(),
    };
    let gamma = problem.weight_decay();
    let (value, gradient) =
        evaluate(&problem.patches(), problem.pixels(), problem.targets(), 1.0, gamma, &weights);
    let m = network.width();
    (
        value,
        Mat::from_fn(network.filters().nrows(), m, |k, j| gradient.filters[k * m + j]),
        MatRef::from_column_major_slice(&gradient.output, problem.outputs(), network.output().ncols())
            .to_owned(),
    )
}

#[derive(Clone)]
struct Weights {
    /// h rows of m.
    filters: Vec<f64>,
    /// V, by columns.
    output: Vec<f64>,
}

impl Weights {
    fn parts(&self) -> [&Vec<f64>; 2] {
        [&self.filters, &self.output]
    }

    fn parts_mut(&mut self) -> [&mut Vec<f64>; 2] {
        [&mut self.filters, &mut self.output]
    }
}

/// scale · ½‖prediction − Y‖² + (γ/2)‖weights‖² over some images, and its gradient.
fn evaluate(
    patches: &Patches,
    pixels: &[f64],
    targets: MatRef<'_, f64>,
    scale: f64,
    gamma: f64,
    weights: &Weights,
) -> (f64, Weights) {
    let (n, c) = targets.shape();
    let columns = weights.output.len() / c;
    let pooled = patches.pooled as f64;
    let mut sums = vec![0.0; n * columns];
    patches.sums(pixels, &weights.filters, &mut sums);
    sums.iter_mut().for_each(|sum| *sum /= pooled);
    let a = MatRef::from_row_major_slice(&sums, n, columns);
    let v = MatRef::from_column_major_slice(&weights.output, c, columns);
    let residual = product(a, v.transpose()) - targets;
    let square: f64 = weights.parts().iter().flat_map(|part| part.iter()).map(|w| w * w).sum();
    let value = 0.5 * scale * residual.squared_norm_l2() + 0.5 * gamma * square;
    let output = product(residual.transpose(), a);
    let back = product(residual.as_ref(), v);
    let mut gradient = Weights {
        filters: weights.filters.iter().map(|u| gamma * u).collect(),
        output: (0..c * columns)
            .map(|k| scale * output[(k % c, k / c)] + gamma * weights.output[k])
            .collect(),
    };
    let slopes: Vec<f64> =
        (0..n * columns).map(|k| scale / pooled * back[(k / columns, k % columns)]).collect();
    patches.pull_back(pixels, &weights.filters, &slopes, &mut gradient.filters);
    (value, gradient)
}

/// What every run shares.
struct Task<'a> {
    problem: &'a ConvolutionalProblem,
    patches: Patches,
    width: usize,
    batch: usize,
    rule: Rule,
    seed: u64,
}

impl Task<'_> {
    fn network(&self, weights: &Weights) -> Result<ConvolutionalNetwork> {
        let (h, m, shape) = (self.patches.offsets.len(), self.width, self.problem.shape());
        let filters = Mat::from_fn(h, m, |k, j| weights.filters[k * m + j]);
        let output =
            MatRef::from_column_major_slice(&weights.output, self.problem.outputs(), m * shape.blocks());
        ConvolutionalNetwork::new(filters, output.to_owned(), shape.blocks())
    }

    fn whole(&self, weights: &Weights) -> (f64, Weights) {
        let problem = self.problem;
        evaluate(&self.patches, problem.pixels(), problem.targets(), 1.0, problem.weight_decay(), weights)
    }

    /// Gaussian, both layers of one length, such that predictions have half the size of the targets.
    fn random(&self) -> Weights {
        let mut rng = Pcg64::seed_from_u64(self.seed);
        let mut draw = |count: usize| -> Vec<f64> {
            let drawn: Vec<f64> = (0..count).map(|_| rng.sample(StandardNormal)).collect();
            let length = drawn.iter().map(|w| w * w).sum::<f64>().sqrt();
            drawn.iter().map(|w| w / length).collect()
        };
        let mut weights = Weights {
            filters: draw(self.patches.offsets.len() * self.width),
            output: draw(self.problem.outputs() * self.patches.blocks * self.width),
        };
        let size = self.network(&weights).map_or(0.0, |network| network.predict_for(self.problem).norm_l2());
        let wanted = (0.5 * self.problem.targets().norm_l2() / size).sqrt();
        if wanted.is_finite() && wanted > 0.0 {
            weights.parts_mut().into_iter().for_each(|part| part.iter_mut().for_each(|w| *w *= wanted));
        }
        weights
    }

    /// The weights with the best objective after a pass, the passes, and the objective after the last.
    fn run(
        &self,
        mut weights: Weights,
        rate: f64,
        epochs: usize,
        control: &Control,
    ) -> (Weights, usize, f64) {
        let (n, inputs) = (self.problem.samples(), self.problem.shape().inputs());
        let mut rng = Pcg64::seed_from_u64(self.seed.wrapping_add(1));
        let mut order: Vec<usize> = (0..n).collect();
        let zeros = |weights: &Weights| Weights {
            filters: vec![0.0; weights.filters.len()],
            output: vec![0.0; weights.output.len()],
        };
        let (mut first, mut second) = (zeros(&weights), zeros(&weights));
        let sizes =
            weights.parts().map(|part| (part.iter().map(|w| w * w).sum::<f64>() / part.len() as f64).sqrt());
        let (mut best, mut least) = (weights.clone(), self.whole(&weights).0);
        let (mut last, mut passes, mut steps) = (least, 0, 0);
        let mut pixels = Vec::with_capacity(self.batch * inputs);
        while passes < epochs && !control.should_stop() {
            let rate = rate * 0.5 * (1.0 + (PI * passes as f64 / epochs as f64).cos());
            order.shuffle(&mut rng);
            for batch in order.chunks(self.batch) {
                pixels.clear();
                batch
                    .iter()
                    .for_each(|&i| pixels.extend_from_slice(&self.problem.pixels()[i * inputs..][..inputs]));
                let targets = Mat::from_fn(batch.len(), self.problem.outputs(), |i, o| {
                    self.problem.targets()[(batch[i], o)]
                });
                let (scale, gamma) = (n as f64 / batch.len() as f64, self.problem.weight_decay());
                let (_, gradient) =
                    evaluate(&self.patches, &pixels, targets.as_ref(), scale, gamma, &weights);
                steps += 1;
                let correction = BETA.map(|beta| 1.0 - beta.powi(steps));
                let moments = first.parts_mut().into_iter().zip(second.parts_mut());
                let parts = weights.parts_mut().into_iter().zip(gradient.parts()).zip(moments).zip(sizes);
                for (((part, gradient), (first, second)), size) in parts {
                    let numbers = part.iter_mut().zip(gradient).zip(first.iter_mut().zip(second));
                    for ((w, g), (m, v)) in numbers {
                        match self.rule {
                            Rule::Sgd => {
                                *m = MOMENTUM * *m + g;
                                *w -= rate * *m;
                            }
                            Rule::Adam => {
                                *m += (1.0 - BETA[0]) * (g - *m);
                                *v += (1.0 - BETA[1]) * (g * g - *v);
                                *w -= rate * size * (*m / correction[0])
                                    / ((*v / correction[1]).sqrt() + EPSILON);
                            }
                        }
                    }
                }
            }
            last = self.whole(&weights).0;
            passes += 1;
            if !last.is_finite() {
                break;
            }
            if last < least {
                (best, least) = (weights.clone(), last);
            }
        }
        (best, passes, last)
    }
}
