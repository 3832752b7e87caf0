//! Samples on the rounded kinks of neurons, and how a neuron follows them as the rounding shrinks.

use crate::linalg::vector::{axpy, dot};
use crate::training::coordinates::Coordinates;
use crate::training::projection::Rectifier;
use crate::training::whitened::Whitened;
use rayon::prelude::*;

/// Moves each neuron (k × m by column) as little as it takes for the preactivation of every sample on its kink to become
/// this part of what it is. Neurons with as many such samples as they have weights, or more, stay.
pub(super) fn follow(
    at: &Coordinates,
    space: &Whitened,
    rectifier: &Rectifier,
    part: f64,
    hidden: &mut [f64],
) {
    let k = at.rank();
    let scale: Vec<f64> = space.metric.iter().map(|m| m.sqrt()).collect();
    hidden.par_chunks_mut(k).enumerate().for_each(|(j, z)| {
        let mut t = vec![0.0; at.samples()];
        at.activate(z, &mut t);
        let on: Vec<usize> = (0..t.len()).filter(|&i| rectifier.is_on_kink(j, t[i])).take(k).collect();
        if on.is_empty() || on.len() >= k {
            return;
        }
        // coordinates in which ‖u‖ is the Euclidean norm: x/scale, z·scale
        let mut u: Vec<f64> = z.iter().zip(&scale).map(|(z, s)| z * s).collect();
        let mut basis: Vec<Vec<f64>> = Vec::with_capacity(on.len());
        let mut aims: Vec<f64> = Vec::with_capacity(on.len());
        for &i in &on {
            // Orthogonal to those before, and the value that the inner product with it is to have.
            let mut x: Vec<f64> = (0..k).map(|a| space.features[(i, a)] / scale[a]).collect();
            let before = dot(&x, &x).sqrt();
            let mut aim = part * t[i];
            for _ in 0..2 {
                for (q, wanted) in basis.iter().zip(&aims) {
                    let share = dot(q, &x);
                    axpy(-share, q, &mut x);
                    aim -= share * wanted;
                }
            }
            let after = dot(&x, &x).sqrt();
            if after > 1e-9 * before {
                x.iter_mut().for_each(|x| *x /= after);
                basis.push(x);
                aims.push(aim / after);
            }
        }
        for _ in 0..2 {
            for (q, aim) in basis.iter().zip(&aims) {
                let error = aim - dot(q, &u);
                axpy(error, q, &mut u);
            }
        }
        z.iter_mut().zip(u.iter().zip(&scale)).for_each(|(z, (u, s))| *z = u / s);
    });
}
