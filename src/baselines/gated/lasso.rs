//! The gated problem by accelerated proximal gradients on a working set of patterns.
//!
//! Most patterns end with Z_i = 0. A pattern enters when ‖XᵀD_iW‖₂ > γ for the residual W; the problem over the working set
//! is solved from its Gram matrix, whose size does not depend on the number of samples (FISTA of Beck and Teboulle 2009 with
//! the restarts of O'Donoghue and Candès 2015). The residual scaled into ‖XᵀD_iW‖₂ ≤ γ is a dual point: the gap is known.

use super::{GatedNetwork, GatedSettings, Patterns};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::dense::{product, symmetric_eigen};
use crate::problem::TrainingProblem;
use faer::{Mat, MatRef};

/// Order of the largest Gram matrix: 0.5 GB.
const ORDER: usize = 8_000;
/// Rounds of adding patterns, iterations of one round, and how often its gap is looked at.
const ROUNDS: usize = 60;
const ITERATIONS: usize = 20_000;
const LOOK: usize = 20;
/// Patterns that a round adds at least.
const ADDED: usize = 25;

/// Solves over these patterns. Stopped early, it returns what it has, marked as not converged.
///
/// Errors: a tolerance outside (0, 1), and more active patterns than fit (8,000 over the number of features).
pub fn solve(
    problem: &TrainingProblem,
    patterns: &Patterns,
    settings: &GatedSettings,
    control: &Control,
) -> Result<GatedNetwork> {
    if !(settings.tolerance > 0.0 && settings.tolerance < 1.0) {
        return Err(Error::Parameter {
            name: "tolerance",
            value: format!("{:?}", settings.tolerance),
            range: "between 0 and 1",
        });
    }
    let (x, y, gamma) = (problem.dense_features()?, problem.targets(), problem.weight_decay());
    let (d, c) = (x.ncols(), y.ncols());
    let all: Vec<usize> = (0..patterns.count()).collect();
    let mut active: Vec<usize> = Vec::new();
    let mut z = Mat::<f64>::zeros(d, 0);
    let mut state = State { value: problem.zero_objective(), dual: 0.0 };
    let mut converged = false;
    for round in 0..ROUNDS {
        let residual = y.to_owned() - patterns.predict(x, &active, z.as_ref(), c);
        let sizes = spectral_norms(patterns.correlate(x, &all, residual.as_ref()).as_ref(), c);
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        let penalty: f64 = nuclear_norms(z.as_ref(), c).iter().sum();
        let fit = residual.squared_norm_l2();
        state.value = 0.5 * fit + gamma * penalty;
        state.dual = state.dual.max(dual_value(inner(residual.as_ref(), y), fit, gamma, largest));
        converged = state.value - state.dual <= settings.tolerance * state.value;
        if converged || round + 1 == ROUNDS || control.should_stop() {
            break;
        }
        (active, z) = drop_zeros(&active, z.as_ref(), c);
        let mut entering: Vec<usize> =
            all.iter().copied().filter(|i| sizes[*i] > gamma && !active.contains(i)).collect();
        entering.sort_by(|a, b| sizes[*b].total_cmp(&sizes[*a]).then(a.cmp(b)));
        entering.truncate(ADDED.max(active.len()));
        let held = active.len();
        active.extend(entering);
        if active.len() * d > ORDER {
            return Err(Error::Input(format!(
                "{} active patterns of {d} features are more than fit; take fewer patterns or more weight decay",
                active.len()
            )));
        }
        let mut start = Mat::<f64>::zeros(d, active.len() * c);
        start.as_mut().subcols_mut(0, held * c).copy_from(&z);
        let working = Working {
            gram: patterns.gram(x, &active),
            target: stack(patterns.correlate(x, &active, y).as_ref(), c),
            energy: y.squared_norm_l2(),
            gamma,
            d,
        };
        let relative = (state.value - state.dual) / state.value;
        let tolerance = (0.2 * relative).clamp(0.5 * settings.tolerance, 0.1);
        let solved = working.solve(stack(start.as_ref(), c), tolerance, control);
        z = unstack(solved.as_ref(), d);
    }
    (active, z) = drop_zeros(&active, z.as_ref(), c);
    let gates = Mat::from_fn(d, active.len(), |a, j| patterns.gate(active[j])[(a, 0)]);
    Ok(GatedNetwork {
        gates,
        weights: z,
        outputs: c,
        active,
        value: state.value,
        dual_value: state.dual,
        converged,
    })
}

struct State {
    value: f64,
    dual: f64,
}

/// max over 0 ≤ t ≤ γ/largest of t⟨W, Y⟩ − ½t²‖W‖².
fn dual_value(fit: f64, squared: f64, gamma: f64, largest: f64) -> f64 {
    if squared == 0.0 {
        return 0.0;
    }
    let scale = if largest > 0.0 { (gamma / largest).min(fit / squared) } else { fit / squared };
    (scale * fit - 0.5 * scale * scale * squared).max(0.0)
}

/// The problem over a working set: min ½⟨Z, HZ⟩ − ⟨T, Z⟩ + γ Σ‖Z_i‖_* with the Z_i below each other.
struct Working {
    gram: Mat<f64>,
    target: Mat<f64>,
    energy: f64,
    gamma: f64,
    d: usize,
}

impl Working {
    fn solve(&self, mut z: Mat<f64>, tolerance: f64, control: &Control) -> Mat<f64> {
        let mut curvature = self.curvature();
        if curvature == 0.0 {
            return z;
        }
        let (mut slope, mut momentum) = (product(self.gram.as_ref(), z.as_ref()), 1.0_f64);
        let (mut ahead, mut ahead_slope) = (z.clone(), slope.clone());
        for iteration in 0..ITERATIONS {
            if iteration % LOOK == 0 && (self.gap(&z, &slope) <= tolerance || control.should_stop()) {
                break;
            }
            // one product an iteration: Hz of the points in between is linear
            let (next, next_slope) = loop {
                let mut trial = Mat::from_fn(z.nrows(), z.ncols(), |i, j| {
                    ahead[(i, j)] - (ahead_slope[(i, j)] - self.target[(i, j)]) / curvature
                });
                shrink(&mut trial, self.d, self.gamma / curvature);
                let trial_slope = product(self.gram.as_ref(), trial.as_ref());
                let step = &trial - &ahead;
                let bend = inner(step.as_ref(), (&trial_slope - &ahead_slope).as_ref());
                if bend <= curvature * step.squared_norm_l2() * (1.0 + 1e-9) + f64::MIN_POSITIVE {
                    break (trial, trial_slope);
                }
                curvature *= 1.5;
            };
            // restart when the step points against the momentum
            let against = inner((&ahead - &next).as_ref(), (&next - &z).as_ref()) > 0.0;
            let after = if against { 1.0 } else { 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) };
            let share = if against { 0.0 } else { (momentum - 1.0) / after };
            let extrapolate = |next: &Mat<f64>, last: &Mat<f64>| {
                Mat::from_fn(next.nrows(), next.ncols(), |i, j| {
                    next[(i, j)] + share * (next[(i, j)] - last[(i, j)])
                })
            };
            ahead = extrapolate(&next, &z);
            ahead_slope = extrapolate(&next_slope, &slope);
            (z, slope, momentum) = (next, next_slope, after);
        }
        z
    }

    /// The relative duality gap.
    fn gap(&self, z: &Mat<f64>, slope: &Mat<f64>) -> f64 {
        let cross = inner(self.target.as_ref(), z.as_ref());
        let squared = (self.energy - 2.0 * cross + inner(z.as_ref(), slope.as_ref())).max(0.0);
        let rest = &self.target - slope;
        let beside = |m: &Mat<f64>| unstack(m.as_ref(), self.d);
        let c = z.ncols();
        let largest = spectral_norms(beside(&rest).as_ref(), c).into_iter().fold(0.0, f64::max);
        let penalty: f64 = nuclear_norms(beside(z).as_ref(), c).iter().sum();
        let value = 0.5 * squared + self.gamma * penalty;
        if value == 0.0 {
            return 0.0;
        }
        (value - dual_value(self.energy - cross, squared, self.gamma, largest)) / value
    }

    /// The largest eigenvalue of H, by the power method; a little too small at most, which `solve` corrects.
    fn curvature(&self) -> f64 {
        let n = self.gram.nrows();
        let mut vector = Mat::<f64>::from_fn(n, 1, |i, _| 1.0 + (i as f64).sin());
        let mut value = 0.0;
        for _ in 0..30 {
            let norm = vector.norm_l2();
            if norm == 0.0 {
                return 0.0;
            }
            vector.col_as_slice_mut(0).iter_mut().for_each(|v| *v /= norm);
            vector = product(self.gram.as_ref(), vector.as_ref());
            value = vector.norm_l2();
        }
        value
    }
}

fn inner(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> f64 {
    a.col_iter().zip(b.col_iter()).map(|(a, b)| a.iter().zip(b.iter()).map(|(a, b)| a * b).sum::<f64>()).sum()
}

/// Blocks of c columns beside each other (d × ac) to blocks of d rows below each other (ad × c).
fn stack(beside: MatRef<'_, f64>, c: usize) -> Mat<f64> {
    let d = beside.nrows();
    Mat::from_fn(beside.ncols() / c * d, c, |i, k| beside[(i % d, i / d * c + k)])
}

/// The way back.
fn unstack(below: MatRef<'_, f64>, d: usize) -> Mat<f64> {
    let c = below.ncols();
    Mat::from_fn(d, below.nrows() / d * c, |a, j| below[(j / c * d + a, j % c)])
}

fn drop_zeros(active: &[usize], z: MatRef<'_, f64>, c: usize) -> (Vec<usize>, Mat<f64>) {
    let kept: Vec<usize> = (0..active.len()).filter(|&i| z.subcols(i * c, c).norm_max() > 0.0).collect();
    let weights = Mat::from_fn(z.nrows(), kept.len() * c, |a, j| z[(a, kept[j / c] * c + j % c)]);
    (kept.iter().map(|&i| active[i]).collect(), weights)
}

/// Singular values of a block, from the eigenvalues of the smaller of its two Gram matrices, with the eigenvectors.
struct Spectrum {
    singular: Vec<f64>,
    vectors: Mat<f64>,
    wide: bool,
}

impl Spectrum {
    fn of(block: MatRef<'_, f64>) -> Option<Self> {
        let wide = block.ncols() > block.nrows();
        let gram = if wide { product(block, block.transpose()) } else { product(block.transpose(), block) };
        let (values, vectors) = symmetric_eigen(gram.as_ref())?;
        Some(Self { singular: values.iter().map(|v| v.max(0.0).sqrt()).collect(), vectors, wide })
    }
}

fn norms(z: MatRef<'_, f64>, c: usize, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    (0..z.ncols() / c)
        .map(|i| {
            let block = z.subcols(i * c, c);
            if c == 1 || block.norm_max() == 0.0 {
                return of(&[block.norm_l2()]);
            }
            Spectrum::of(block).map_or(f64::INFINITY, |spectrum| of(&spectrum.singular))
        })
        .collect()
}

fn spectral_norms(z: MatRef<'_, f64>, c: usize) -> Vec<f64> {
    norms(z, c, |singular| singular.iter().copied().fold(0.0, f64::max))
}

fn nuclear_norms(z: MatRef<'_, f64>, c: usize) -> Vec<f64> {
    norms(z, c, |singular| singular.iter().sum())
}

/// The proximal map of t Σ‖Z_i‖_*: every singular value of every block is lowered by t, down to zero.
fn shrink(below: &mut Mat<f64>, d: usize, t: f64) {
    for from in (0..below.nrows()).step_by(d) {
        let mut block = below.as_mut().subrows_mut(from, d);
        let size = block.norm_l2();
        if size <= t {
            block.fill(0.0);
        } else if block.ncols() == 1 || block.nrows() == 1 {
            block.col_iter_mut().for_each(|column| column.iter_mut().for_each(|z| *z *= 1.0 - t / size));
        } else if let Some(spectrum) = Spectrum::of(block.as_ref()) {
            let shares: Vec<f64> =
                spectrum.singular.iter().map(|s| if *s > t { 1.0 - t / s } else { 0.0 }).collect();
            let q = &spectrum.vectors;
            let scaled = Mat::from_fn(q.nrows(), q.ncols(), |i, j| q[(i, j)] * shares[j]);
            let map = product(scaled.as_ref(), q.transpose());
            let shrunk = if spectrum.wide {
                product(map.as_ref(), block.as_ref())
            } else {
                product(block.as_ref(), map.as_ref())
            };
            block.copy_from(&shrunk);
        }
    }
}
