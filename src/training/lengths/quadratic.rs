//! Convex quadratic models under lower bounds: min ½pᵀHp + gᵀp over p ≥ b, where H may be singular.

use crate::linalg::dense::Cholesky;
use crate::linalg::vector::{axpy, dot};
use faer::Mat;

/// Sweeps of coordinate descent.
const SWEEPS: usize = 60;
/// Relative change in a sweep at which it has converged.
const STILL: f64 = 1e-9;
/// Multiplications that the active-set method may take.
const SPEND: f64 = 2e8;
/// A bound is released for a slope below this part of the largest.
const RELEASED: f64 = 1e-9;
/// Ridge, as a part of the mean diagonal: along directions of no curvature the step goes to the next bound.
const RIDGE: f64 = 1e-12;

/// Coordinate descent from p; whether it converged. H is given whole.
pub(super) fn sweep(hessian: &Mat<f64>, gradient: &[f64], bound: &[f64], p: &mut [f64]) -> bool {
    let mut slope = slopes(hessian, gradient, p);
    for _ in 0..SWEEPS {
        let (mut moved, mut largest) = (0.0f64, 0.0f64);
        for j in 0..p.len() {
            let column = hessian.col_as_slice(j);
            let next = (p[j] - slope[j] / column[j]).max(bound[j]);
            let change = next - p[j];
            if change != 0.0 && next.is_finite() {
                p[j] = next;
                axpy(change, column, &mut slope);
                moved = moved.max(change.abs());
            }
            largest = largest.max(p[j].abs());
        }
        if moved <= STILL * largest {
            return true;
        }
    }
    false
}

/// The primal active-set method (Nocedal and Wright, Numerical Optimization, algorithm 16.3) from p: minimises over the
/// variables off their bounds, stops at the first bound in the way, and releases the bound that pays most.
///
/// Where many columns depend on each other this ends after as many steps as there are bounds to change; coordinate descent
/// does not end. Never raises the model above its value at p and at zero.
pub(super) fn active_set(hessian: &Mat<f64>, gradient: &[f64], bound: &[f64], p: &mut [f64]) {
    let size = p.len();
    if value(hessian, gradient, p) >= 0.0 {
        p.fill(0.0);
    }
    let ridge = RIDGE * (0..size).map(|j| hessian[(j, j)]).sum::<f64>() / size as f64;
    let mut is_free: Vec<bool> = p.iter().zip(bound).map(|(p, bound)| p > bound).collect();
    let mut left = SPEND;
    let mut factor = Cholesky::default();
    while left > 0.0 {
        let slope = slopes(hessian, gradient, p);
        let free: Vec<usize> = (0..size).filter(|&j| is_free[j]).collect();
        left -= (free.len() as f64).powi(3) / 6.0 + (size * size) as f64;
        let mut share = 1.0;
        if !free.is_empty() {
            let system = Mat::from_fn(free.len(), free.len(), |a, b| hessian[(free[a], free[b])]);
            if !factor.factorize(&system, ridge) {
                return;
            }
            let step = factor.solution(Mat::from_fn(free.len(), 1, |a, _| -slope[free[a]]).as_ref());
            let mut stops = None;
            for (a, &j) in free.iter().enumerate() {
                let until = (bound[j] - p[j]) / step[(a, 0)];
                if step[(a, 0)] < 0.0 && until < share {
                    (share, stops) = (until, Some(j));
                }
            }
            for (a, &j) in free.iter().enumerate() {
                p[j] = (p[j] + share * step[(a, 0)]).max(bound[j]);
            }
            if let Some(j) = stops {
                (p[j], is_free[j]) = (bound[j], false);
                continue;
            }
        }
        let slope = slopes(hessian, gradient, p);
        let largest = gradient.iter().fold(0.0f64, |largest, g| largest.max(g.abs()));
        let pays = (0..size).filter(|&j| !is_free[j]).min_by(|&a, &b| slope[a].total_cmp(&slope[b]));
        match pays.filter(|&j| slope[j] < -RELEASED * largest) {
            Some(j) => is_free[j] = true,
            None => return,
        }
    }
}

/// Hp + g.
fn slopes(hessian: &Mat<f64>, gradient: &[f64], p: &[f64]) -> Vec<f64> {
    let mut slope = gradient.to_vec();
    for (j, &p) in p.iter().enumerate().filter(|(_, p)| **p != 0.0) {
        axpy(p, hessian.col_as_slice(j), &mut slope);
    }
    slope
}

/// ½pᵀHp + gᵀp.
fn value(hessian: &Mat<f64>, gradient: &[f64], p: &[f64]) -> f64 {
    0.5 * (dot(&slopes(hessian, gradient, p), p) + dot(gradient, p))
}

#[cfg(test)]
mod tests {
    use super::{active_set, slopes};
    use faer::Mat;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    /// Models of rank four in twelve variables, with a slope along every direction of no curvature, as at neurons that share
    /// their active samples.
    #[test]
    fn singular_models_are_solved_to_their_conditions_of_optimality() {
        let mut rng = StdRng::seed_from_u64(5);
        for case in 0..200 {
            let (size, rank) = (12, 4);
            let factor = Mat::from_fn(rank, size, |_, _| rng.random_range(-1.0..1.0));
            let hessian = factor.transpose() * &factor;
            let inner: Vec<f64> = (0..rank).map(|_| rng.random_range(-1.0..1.0)).collect();
            let gradient: Vec<f64> =
                (0..size).map(|j| 0.3 + (0..rank).map(|r| factor[(r, j)] * inner[r]).sum::<f64>()).collect();
            let bound: Vec<f64> = (0..size).map(|_| -rng.random_range(0.0..2.0)).collect();
            let mut p: Vec<f64> = bound.iter().map(|b| b * rng.random_range(0.0..1.0)).collect();
            active_set(&hessian, &gradient, &bound, &mut p);
            let slope = slopes(&hessian, &gradient, &p);
            for j in 0..size {
                assert!(p[j] >= bound[j], "case {case}");
                assert!(slope[j] > -1e-7, "case {case}: {} would pay", slope[j]);
                assert!(p[j] == bound[j] || slope[j] < 1e-7, "case {case}: {}", slope[j]);
            }
        }
    }
}
