//! The best lengths of neurons of fixed directions: a convex problem, solved by projected Newton steps.

use super::coordinates::Coordinates;
use crate::control::Control;
use crate::linalg::dense::{Cholesky, product};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

/// Newton steps at most; ten or twenty are usual.
const STEPS: usize = 30;
/// Relative progress of a step at which the lengths are good enough: far below what a round of training is after.
const PROGRESS: f64 = 1e-8;

/// min over η ≥ 0 of ½γ tr Yᵀ(γI + Σ η_k a_k a_kᵀ)⁻¹Y + (γ/2) Σ η_k, where a_k = (Xu_k)₊ with ‖u_k‖ = 1.
///
/// It is the group lasso over these directions with its output weights eliminated; √η_k is the length of neuron k.
struct Lengths {
    /// AᵀA.
    gram: Mat<f64>,
    /// AᵀY, m × c.
    target: Mat<f64>,
    energy: f64,
    weight_decay: f64,
}

/// What is known at one η.
struct Point {
    value: f64,
    /// AᵀW, m × c.
    pull: Mat<f64>,
    /// AᵀK⁻¹A with K = γI + A diag(η) Aᵀ.
    resolvent: Mat<f64>,
}

/// What tells whether η is to become a point: a small part of the work.
struct Trial {
    value: f64,
    /// Of γI + DAᵀAD with D = diag(√η).
    factor: Cholesky,
    /// DAᵀA.
    scaled_gram: Mat<f64>,
    /// (γI + DAᵀAD)⁻¹DAᵀY.
    solved: Mat<f64>,
}

impl Lengths {
    /// By Woodbury: K⁻¹ = (I − AD(γI + DAᵀAD)⁻¹DAᵀ)/γ.
    fn at(&self, eta: &[f64]) -> Option<Trial> {
        let (m, gamma) = (eta.len(), self.weight_decay);
        let root: Vec<f64> = eta.iter().map(|e| e.sqrt()).collect();
        let system = Mat::from_fn(m, m, |i, j| {
            root[i] * self.gram[(i, j)] * root[j] + if i == j { gamma } else { 0.0 }
        });
        let mut factor = Cholesky::default();
        if !factor.factorize(&system, 0.0) {
            return None;
        }
        let scaled_target = Mat::from_fn(m, self.target.ncols(), |i, j| root[i] * self.target[(i, j)]);
        let scaled_gram = Mat::from_fn(m, m, |i, j| root[i] * self.gram[(i, j)]);
        let solved = factor.solution(scaled_target.as_ref());
        let mut fit = self.energy;
        for (s, t) in solved.col_iter().zip(scaled_target.col_iter()) {
            fit -= s.iter().zip(t.iter()).map(|(s, t)| s * t).sum::<f64>();
        }
        let value = 0.5 * fit + 0.5 * gamma * eta.iter().sum::<f64>();
        value.is_finite().then_some(Trial { value, factor, scaled_gram, solved })
    }

    /// DAᵀ[Y A], solved for, and multiplied by AᵀAD once more.
    fn point(&self, trial: &Trial) -> Point {
        let back = trial.scaled_gram.transpose();
        let mut pull = self.target.clone();
        matmul(pull.as_mut(), Accum::Add, back, trial.solved.as_ref(), -1.0, Par::Seq);
        let mut resolvent = self.gram.clone();
        let half = trial.factor.solution(trial.scaled_gram.as_ref());
        matmul(resolvent.as_mut(), Accum::Add, back, half.as_ref(), -1.0, Par::Seq);
        for column in resolvent.col_iter_mut() {
            column.iter_mut().for_each(|r| *r /= self.weight_decay);
        }
        Point { value: trial.value, pull, resolvent }
    }

    fn slope(&self, point: &Point, k: usize) -> f64 {
        0.5 * self.weight_decay - 0.5 * point.pull.row(k).squared_norm_l2() / self.weight_decay
    }

    /// The Newton step on the neurons in `free`.
    fn step(&self, point: &Point, free: &[usize], slopes: &[f64]) -> Option<Mat<f64>> {
        let mut hessian = Mat::from_fn(free.len(), free.len(), |i, j| {
            let (k, l) = (free[i], free[j]);
            let inner = (0..point.pull.ncols()).map(|c| point.pull[(k, c)] * point.pull[(l, c)]).sum::<f64>();
            inner * point.resolvent[(k, l)] / self.weight_decay
        });
        // neurons whose activations depend on each other make it singular
        let trace: f64 = (0..free.len()).map(|i| hessian[(i, i)]).sum();
        for i in 0..free.len() {
            hessian[(i, i)] = hessian[(i, i)] * (1.0 + 1e-9) + 1e-12 * trace / free.len() as f64;
        }
        let right = Mat::from_fn(free.len(), 1, |i, _| -slopes[free[i]]);
        let mut factor = Cholesky::default();
        factor.factorize(&hessian, 0.0).then(|| factor.solution(right.as_ref()))
    }
}

/// Sets every neuron of `hidden` (k × m by column) to its best length for the directions they have; some become zero.
/// Stops at a numerical failure with what it has.
pub(super) fn optimise(at: &Coordinates, hidden: &mut [f64], control: &Control) {
    let k = at.rank();
    let width = hidden.len() / k;
    let norms: Vec<f64> = hidden.chunks_exact(k).map(|u| at.norm(u)).collect();
    if width == 0 || norms.iter().any(|n| !n.is_finite()) {
        return;
    }
    let unit: Vec<f64> = hidden
        .chunks_exact(k)
        .zip(&norms)
        .flat_map(|(u, n)| u.iter().map(move |z| if *n > 0.0 { z / n } else { 0.0 }))
        .collect();
    let mut activation = at.preactivation(MatRef::from_column_major_slice(&unit, k, width));
    for column in activation.col_iter_mut() {
        column.iter_mut().for_each(|a| *a = a.max(0.0));
    }
    let problem = Lengths {
        gram: product(activation.transpose(), activation.as_ref()),
        target: product(activation.transpose(), at.targets.as_ref()),
        energy: at.targets.squared_norm_l2(),
        weight_decay: at.weight_decay,
    };
    let mut eta: Vec<f64> = norms.iter().map(|n| n * n).collect();
    let Some(mut point) = problem.at(&eta).map(|trial| problem.point(&trial)) else { return };
    for _ in 0..STEPS {
        if control.should_stop() {
            break;
        }
        let slopes: Vec<f64> = (0..width).map(|j| problem.slope(&point, j)).collect();
        // lengths about to reach zero would spoil the Newton step of the others (Bertsekas, 1982): they go straight there
        let small = 1e-3 * eta.iter().sum::<f64>() / width as f64;
        let leaving = |j: usize| slopes[j] >= 0.0 && eta[j] <= small;
        let free: Vec<usize> = (0..width).filter(|&j| !leaving(j)).collect();
        let Some(step) = problem.step(&point, &free, &slopes) else { break };
        let mut share = 1.0;
        let mut next = None;
        for _ in 0..25 {
            let mut trial = eta.clone();
            let mut predicted = 0.0;
            for j in (0..width).filter(|&j| leaving(j)) {
                trial[j] = eta[j] * (1.0 - share);
                predicted += slopes[j] * (trial[j] - eta[j]);
            }
            for (i, &j) in free.iter().enumerate() {
                trial[j] = (eta[j] + share * step[(i, 0)]).max(0.0);
                predicted += slopes[j] * (trial[j] - eta[j]);
            }
            if let Some(found) = problem.at(&trial)
                && found.value < point.value
                && found.value <= point.value + 1e-4 * predicted.min(0.0)
            {
                next = Some((trial, found));
                break;
            }
            share *= 0.5;
        }
        let Some((trial, found)) = next else { break };
        let progress = point.value - found.value;
        eta = trial;
        if progress <= PROGRESS * point.value.abs() {
            break;
        }
        point = problem.point(&found);
    }
    for ((u, unit), eta) in hidden.chunks_exact_mut(k).zip(unit.chunks_exact(k)).zip(&eta) {
        let length = eta.sqrt();
        u.iter_mut().zip(unit).for_each(|(u, d)| *u = d * length);
    }
}
