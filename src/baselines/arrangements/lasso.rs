//! The programme over some directions alone: a group lasso, by an interior-point method in one number for each direction.
//!
//! With v_k eliminated, min ½‖Σ a_k v_kᵀ − Y‖² + γ Σ‖v_k‖ is the smooth convex
//!
//! min over η ≥ 0 of φ(η) = ½⟨Y, W⟩ + (γ/2) Σ η_k,  W = γK⁻¹Y,  K = γI + Σ η_k a_k a_kᵀ,
//!
//! with v_k = η_k Wᵀa_k/γ and ∂φ/∂η_k = (γ − ‖Wᵀa_k‖²/γ)/2; η_k = ‖v_k‖ at the optimum. A direction may have several
//! columns, each with output weights of its own: then a_k a_kᵀ and ‖Wᵀa_k‖² stand for their sums.

use crate::error::{Error, Result};
use crate::linalg::dense::{Cholesky, product};
use faer::{Mat, MatRef};

/// Newton steps at most; twenty to forty are usual.
const STEPS: usize = 150;
/// Part of the way to the boundary that a step may go.
const INTERIOR: f64 = 0.99;
/// The barrier weight is divided by this after a good step.
const SHRINK: f64 = 5.0;

pub(crate) struct Lasso<'a> {
    /// The columns a_k, n × (m times the columns of a direction), column q·m + k being the q-th of direction k.
    pub activation: MatRef<'a, f64>,
    /// Y, n × c.
    pub targets: MatRef<'a, f64>,
    pub weight_decay: f64,
}

/// What is known at one η.
struct Point {
    value: f64,
    /// W, n × c.
    residual: Mat<f64>,
    /// ∂φ/∂η.
    slope: Vec<f64>,
    factor: Cholesky,
    /// AᵀW, a row a column.
    pull: Mat<f64>,
}

impl Lasso<'_> {
    fn at(&self, eta: &[f64]) -> Result<Point> {
        let ((n, columns), m) = (self.activation.shape(), eta.len());
        let (gamma, y) = (self.weight_decay, self.targets);
        let scaled = Mat::from_fn(n, columns, |i, k| self.activation[(i, k)] * eta[k % m].sqrt());
        let system = product(scaled.as_ref(), scaled.transpose());
        let mut factor = Cholesky::default();
        if !factor.factorize(&system, gamma) {
            return Err(Error::Numerical("the residual of the arrangement's neurons"));
        }
        let right = Mat::from_fn(n, y.ncols(), |i, j| gamma * y[(i, j)]);
        let residual = factor.solution(right.as_ref());
        let mut fit = 0.0;
        for (w, y) in residual.col_iter().zip(y.col_iter()) {
            fit += w.iter().zip(y.iter()).map(|(w, y)| w * y).sum::<f64>();
        }
        let pull = product(self.activation.transpose(), residual.as_ref());
        let square = |k: usize| (k..columns).step_by(m).map(|k| pull.row(k).squared_norm_l2()).sum::<f64>();
        let slope = (0..m).map(|k| 0.5 * (gamma - square(k) / gamma)).collect();
        let value = 0.5 * fit + 0.5 * gamma * eta.iter().sum::<f64>();
        Ok(Point { value, residual, slope, factor, pull })
    }

    /// Moves η, positive, to within `accuracy` of the optimum (in units of the objective); returns W.
    pub fn solve(&self, eta: &mut [f64], accuracy: f64) -> Result<Mat<f64>> {
        let m = eta.len();
        let mut point = self.at(eta)?;
        if m == 0 {
            return Ok(point.residual);
        }
        let goal = accuracy / m as f64;
        let mut mu = (0.1 * point.value / m as f64).max(goal);
        let mut dual: Vec<f64> = eta.iter().map(|e| mu / e).collect();
        for _ in 0..STEPS {
            let Some(step) = self.newton(&point, eta, &dual, mu) else { break };
            let reach = |values: &[f64], step: &dyn Fn(usize) -> f64| {
                let worst = (0..m).map(|k| -step(k) / values[k]).fold(0.0, f64::max);
                if worst > 0.0 { (INTERIOR / worst).min(1.0) } else { 1.0 }
            };
            let change = |k: usize| mu / eta[k] - dual[k] - dual[k] / eta[k] * step[(k, 0)];
            let changes: Vec<f64> = (0..m).map(change).collect();
            let share = reach(&dual, &|k| changes[k]);
            dual.iter_mut().zip(&changes).for_each(|(z, d)| *z += share * d);
            let barrier =
                |point: &Point, eta: &[f64]| point.value - mu * eta.iter().map(|e| e.ln()).sum::<f64>();
            let here = barrier(&point, eta);
            let fall: f64 = (0..m).map(|k| (point.slope[k] - mu / eta[k]) * step[(k, 0)]).sum();
            let mut share = reach(eta, &|k| step[(k, 0)]);
            let mut moved = false;
            for _ in 0..30 {
                let trial: Vec<f64> = (0..m).map(|k| eta[k] + share * step[(k, 0)]).collect();
                let found = self.at(&trial)?;
                if barrier(&found, &trial) <= here + 1e-4 * share * fall + 1e-15 * here.abs() {
                    eta.copy_from_slice(&trial);
                    point = found;
                    moved = true;
                    break;
                }
                share *= 0.5;
            }
            // keep the multipliers near the central path
            dual.iter_mut().zip(&*eta).for_each(|(z, e)| *z = z.clamp(1e-8 * mu / e, 1e8 * mu / e));
            let worst = (0..m).map(|k| (eta[k] * point.slope[k] - mu).abs()).fold(0.0, f64::max);
            if worst <= mu || !moved {
                if mu <= goal {
                    break;
                }
                mu = (mu / SHRINK).max(goal);
            }
        }
        Ok(point.residual)
    }

    /// The primal-dual Newton step in η.
    fn newton(&self, point: &Point, eta: &[f64], dual: &[f64], mu: f64) -> Option<Mat<f64>> {
        let m = eta.len();
        let resolvent = product(self.activation.transpose(), point.factor.solution(self.activation).as_ref());
        let inner = product(point.pull.as_ref(), point.pull.transpose());
        let columns = self.activation.ncols();
        let hessian = Mat::from_fn(m, m, |k, l| {
            let pairs = (k..columns).step_by(m).flat_map(|p| (l..columns).step_by(m).map(move |q| (p, q)));
            pairs.map(|pair| inner[pair] * resolvent[pair]).sum::<f64>() / self.weight_decay
                + if k == l { dual[k] / eta[k] } else { 0.0 }
        });
        // scaled to a unit diagonal: lengths of different size
        let scale: Vec<f64> = (0..m).map(|k| 1.0 / hessian[(k, k)].sqrt()).collect();
        let unit = Mat::from_fn(m, m, |k, l| scale[k] * hessian[(k, l)] * scale[l]);
        let right = Mat::from_fn(m, 1, |k, _| scale[k] * (mu / eta[k] - point.slope[k]));
        let mut factor = Cholesky::default();
        factor.factorize(&unit, 1e-14).then_some(())?;
        let solved = factor.solution(right.as_ref());
        Some(Mat::from_fn(m, 1, |k, _| scale[k] * solved[(k, 0)]))
    }
}
