//! z > 0 with Az > 0, and the diagonal that it puts under A.

use super::super::cholesky::gamma;
use super::assembly::{Assembly, TINY};
use crate::linalg::conjugate::{Conjugate, Step};
use rayon::prelude::*;

/// Range that z is kept in: 2^±60.
const MOST: f64 = (1u64 << 60) as f64;
/// Least δ: 2^-200.
const LEAST: f64 = 6.223_015_277_861_142e-61;
/// Products between two looks at z.
const LOOK: usize = 8;
/// Part of the diagonal that Az need not reach.
const SHORT: f64 = 0.5;
/// Part of pᵀ|A|p beyond which pᵀAp < 0 is no rounding.
const CLEARLY: f64 = 1e-10;

/// What the search for z has come to.
pub(super) enum Vector {
    /// δ > 0 with A ⪰ diag(δ), proved.
    Floor(Vec<f64>),
    /// A direction in which A is negative.
    Negative,
    /// Neither.
    Unknown,
}

/// Conjugate gradients on Az = diag(A) until z and Az are positive.
pub(super) fn positive_vector(assembly: &Assembly, most: usize) -> Vector {
    let diagonal = &assembly.diagonal;
    let mut solver = Conjugate::new(&assembly.matrix, diagonal, diagonal.clone(), 1);
    loop {
        let step = solver.step(1e-14);
        if let Step::Negative(_) = step {
            let negative = clearly_negative(assembly, &solver.direction(0));
            return if negative { Vector::Negative } else { Vector::Unknown };
        }
        let last = step == Step::Done || solver.steps >= most;
        if (last || solver.steps.is_multiple_of(LOOK))
            && is_promising(&solver, diagonal)
            && let Some(delta) = floor(assembly, &solver.x)
        {
            return Vector::Floor(delta);
        }
        if last {
            return Vector::Unknown;
        }
    }
}

fn is_promising(solver: &Conjugate<'_>, diagonal: &[f64]) -> bool {
    solver.x.iter().all(|z| *z > 0.0) && solver.residual.iter().zip(diagonal).all(|(r, a)| *r <= SHORT * a)
}

/// δ_i ≤ (Az)_i/z_i for the exact A, rounded downwards; none if one of them is not positive.
pub(super) fn floor(assembly: &Assembly, z: &[f64]) -> Option<Vec<f64>> {
    if z.len() != assembly.samples() || !z.iter().all(|z| *z >= 1.0 / MOST && *z <= MOST) {
        return None;
    }
    let matrix = &assembly.matrix;
    let at = |i: usize| {
        let (mut sum, mut terms) = (0.0, 0);
        for (j, value) in matrix.row(i) {
            sum += value * z[j];
            terms += 1;
        }
        // What is taken away is rounded upwards, all the rest downwards; TINY is for underflow.
        let away = (sum * (1.0 + gamma(assembly.joined + terms + 8))).next_up();
        let rest = ((assembly.diagonal[i] * z[i]).next_down() - away).next_down();
        ((rest - TINY).next_down() / z[i]).next_down()
    };
    let delta: Vec<f64> = (0..z.len()).into_par_iter().map(at).collect();
    delta.iter().all(|delta| *delta >= LEAST && delta.is_finite()).then_some(delta)
}

/// Whether pᵀAp is negative beyond doubt: a reason to give up, which needs no proof.
pub(super) fn clearly_negative(assembly: &Assembly, p: &[f64]) -> bool {
    let mut image = vec![0.0; p.len()];
    assembly.matrix.times(&assembly.diagonal, p, 1, &mut image);
    let form: f64 = p.iter().zip(&image).map(|(p, q)| p * q).sum();
    let all: Vec<f64> = p.iter().map(|p| p.abs()).collect();
    let minus: Vec<f64> = assembly.diagonal.iter().map(|a| -a).collect();
    assembly.matrix.times(&minus, &all, 1, &mut image);
    let size: f64 = all.iter().zip(&image).map(|(p, q)| -p * q).sum();
    form < -CLEARLY * size
}
