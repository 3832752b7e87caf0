//! The ReLU problem over sampled patterns, with its cone constraints, for one output.

use super::cones::{balanced, split};
use super::{GatedNetwork, GatedSettings, Patterns};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::dense::product;
use crate::problem::{Network, TrainingProblem};
use faer::{Mat, MatRef};

/// Entries of the multipliers, 128 MB.
const LARGEST: usize = 1 << 24;
/// Updates of the multipliers, and iterations between two.
const UPDATES: usize = 40;
const ITERATIONS: usize = 400;

/// min ½‖Σ D_iX(a_i − b_i) − y‖² + γ Σ(‖a_i‖ + ‖b_i‖) subject to (2D_i − I)Xa_i ≥ 0 and (2D_i − I)Xb_i ≥ 0
/// (Pilanci and Ergen 2020, equation 8, over sampled patterns; arXiv 2402.03625, equation 3).
///
/// Each a_i is a ReLU neuron with output +1, each b_i one with −1. Solved by an augmented Lagrangian with accelerated
/// proximal gradients (Mishkin et al. 2022, section 5) from the cone decomposition of the gated solution. The network
/// returned is that of the last iterate, as a ReLU network: its objective is above p* whatever the accuracy.
///
/// Errors: more than one output, where the penalty of a pattern is not a norm of one vector
/// ([`cone_decomposition`](super::cone_decomposition) applies), and more than 2²⁴ constraints.
pub fn constrained(
    problem: &TrainingProblem,
    patterns: &Patterns,
    gated: &GatedNetwork,
    settings: &GatedSettings,
    control: &Control,
) -> Result<Network> {
    let x = problem.dense_features()?;
    let (n, d, m) = (x.nrows(), x.ncols(), patterns.count());
    if problem.outputs() != 1 {
        return Err(Error::Input(format!(
            "{} outputs: the cone-constrained problem is for one; decompose the gated solution instead",
            problem.outputs()
        )));
    }
    if 2 * m * n > LARGEST {
        return Err(Error::Input(format!(
            "{m} patterns of {n} samples have more than {LARGEST} constraints; decompose the gated solution instead"
        )));
    }
    let fits = gated.outputs == 1 && gated.weights.nrows() == d;
    if !fits || gated.active.iter().any(|&i| i >= m) {
        return Err(Error::Input("the gated network is not over these patterns; solve it anew".into()));
    }
    // Columns a_1 … a_m, then b_1 … b_m.
    let mut z = Mat::<f64>::zeros(d, 2 * m);
    for (place, &pattern) in gated.active.iter().enumerate() {
        let weights: Vec<f64> = gated.weights.col(place).iter().copied().collect();
        let parts = split(x, patterns, pattern, &weights);
        for (part, column) in parts.iter().zip([pattern, m + pattern]) {
            part.iter().enumerate().for_each(|(i, value)| z[(i, column)] = *value);
        }
    }
    let mut run = ConstrainedRun {
        x,
        y: problem.targets(),
        signs: Mat::from_fn(n, m, |i, j| if patterns.is_active(j, i) { 1.0 } else { -1.0 }),
        gamma: problem.weight_decay(),
        multipliers: Mat::zeros(n, 2 * m),
        penalty: 1.0,
        curvature: x.squared_norm_l2(),
    };
    let scale = x.norm_max().max(f64::MIN_POSITIVE);
    let mut last = f64::INFINITY;
    for _ in 0..UPDATES {
        z = run.minimise(z, 0.1 * settings.tolerance, control);
        let violation = run.update(&z) / (scale * z.norm_max()).max(f64::MIN_POSITIVE);
        if violation <= settings.tolerance || control.should_stop() {
            break;
        }
        if violation > 0.5 * last {
            run.penalty *= 3.0;
        }
        last = violation;
    }
    let neurons: Vec<(Vec<f64>, Vec<f64>)> = (0..2 * m)
        .filter(|&j| z.col(j).norm_l2() > 0.0)
        .map(|j| (z.col(j).iter().copied().collect(), vec![if j < m { 1.0 } else { -1.0 }]))
        .collect();
    balanced(problem, &neurons)
}

struct ConstrainedRun<'a> {
    x: MatRef<'a, f64>,
    y: MatRef<'a, f64>,
    /// 2D_i − I, a column each.
    signs: Mat<f64>,
    gamma: f64,
    multipliers: Mat<f64>,
    penalty: f64,
    /// The last estimate of the smooth part's curvature.
    curvature: f64,
}

impl ConstrainedRun<'_> {
    /// ½‖Σ D_iX(a_i − b_i) − y‖² + (δ/2)Σ‖(λ/δ − (2D − I)Xz)₊‖², and its gradient.
    fn smooth(&self, z: &Mat<f64>) -> (f64, Mat<f64>) {
        let (n, m) = self.signs.shape();
        let mut all = product(self.x, z.as_ref());
        let mut residual: Vec<f64> = self.y.col(0).iter().map(|y| -y).collect();
        for j in 0..2 * m {
            let (signs, part) = (self.signs.col_as_slice(j % m), all.col_as_slice(j));
            let sign = if j < m { 1.0 } else { -1.0 };
            for i in 0..n {
                residual[i] += if signs[i] > 0.0 { sign * part[i] } else { 0.0 };
            }
        }
        let mut value = 0.5 * residual.iter().map(|r| r * r).sum::<f64>();
        for j in 0..2 * m {
            let (signs, multipliers) = (self.signs.col_as_slice(j % m), self.multipliers.col_as_slice(j));
            let part = all.col_as_slice_mut(j);
            let sign = if j < m { 1.0 } else { -1.0 };
            for i in 0..n {
                let short = (multipliers[i] / self.penalty - signs[i] * part[i]).max(0.0);
                value += 0.5 * self.penalty * short * short;
                part[i] = if signs[i] > 0.0 { sign * residual[i] } else { 0.0 };
                part[i] -= signs[i] * self.penalty * short;
            }
        }
        (value, product(self.x.transpose(), all.as_ref()))
    }

    /// Accelerated proximal gradients with backtracking and restarts.
    fn minimise(&mut self, mut z: Mat<f64>, tolerance: f64, control: &Control) -> Mat<f64> {
        let (mut ahead, mut momentum) = (z.clone(), 1.0_f64);
        for _ in 0..ITERATIONS {
            if control.should_stop() {
                break;
            }
            let (value, gradient) = self.smooth(&ahead);
            self.curvature *= 0.95;
            let mut tries = 0;
            let next = loop {
                let mut trial = &ahead - faer::Scale(1.0 / self.curvature) * &gradient;
                for column in trial.as_mut().col_iter_mut() {
                    let size = column.norm_l2();
                    let share =
                        if size > 0.0 { (1.0 - self.gamma / self.curvature / size).max(0.0) } else { 0.0 };
                    column.iter_mut().for_each(|z| *z *= share);
                }
                let step = &trial - &ahead;
                let linear: f64 = gradient
                    .col_iter()
                    .zip(step.col_iter())
                    .map(|(g, s)| g.iter().zip(s.iter()).map(|(g, s)| g * s).sum::<f64>())
                    .sum();
                let model = value + linear + 0.5 * self.curvature * step.squared_norm_l2();
                tries += 1;
                if self.smooth(&trial).0 <= model + 1e-12 * value.abs() || tries > 60 {
                    break trial;
                }
                self.curvature *= 2.0;
            };
            let moved = (&next - &ahead).norm_l2();
            let against: f64 = (&ahead - &next)
                .col_iter()
                .zip((&next - &z).col_iter())
                .map(|(a, b)| a.iter().zip(b.iter()).map(|(a, b)| a * b).sum::<f64>())
                .sum();
            let after =
                if against > 0.0 { 1.0 } else { 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) };
            let share = if against > 0.0 { 0.0 } else { (momentum - 1.0) / after };
            ahead =
                Mat::from_fn(z.nrows(), z.ncols(), |i, j| next[(i, j)] + share * (next[(i, j)] - z[(i, j)]));
            (z, momentum) = (next, after);
            if moved <= tolerance * z.norm_l2() {
                break;
            }
        }
        z
    }

    /// λ ← (λ − δ(2D − I)Xz)₊; the largest violation of a constraint.
    fn update(&mut self, z: &Mat<f64>) -> f64 {
        let (n, m) = self.signs.shape();
        let all = product(self.x, z.as_ref());
        let mut worst = 0.0_f64;
        for j in 0..2 * m {
            let (signs, part) = (self.signs.col_as_slice(j % m), all.col_as_slice(j));
            let multipliers = self.multipliers.col_as_slice_mut(j);
            for i in 0..n {
                let value = signs[i] * part[i];
                worst = worst.max(-value);
                multipliers[i] = (multipliers[i] - self.penalty * value).max(0.0);
            }
        }
        worst
    }
}
