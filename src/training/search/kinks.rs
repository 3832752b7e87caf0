//! Snapping on kinks: maxima of a piecewise linear gain often lie where samples are exactly on a neuron's boundary.

use super::gain::Gain;
use crate::linalg::vector::{axpy, dot};
use crate::training::coordinates::Coordinates;
use crate::training::whitened::Whitened;
use faer::MatRef;

/// Most samples that a direction is made orthogonal to.
const MOST: usize = 6;
/// Samples above which one kink no longer matters.
const MANY: usize = 200_000;

/// Projects each direction (k × b by column, length one) on the nullspace of its nearest 1, 2, … samples and keeps what pays
/// most; returns ‖Wᵀ(Xu)₊‖ of each.
pub(super) fn snap(at: &Coordinates, residual: MatRef<'_, f64>, z: &mut [f64]) -> Vec<f64> {
    let k = at.rank();
    let mut gain = Gain::new(at, residual);
    let count = z.len() / k;
    let mut sizes = vec![0.0; count];
    gain.sizes(z, &mut sizes);
    let most = MOST.min(k.saturating_sub(1));
    let Some(space) = at.whitened().filter(|_| most > 0 && at.samples() <= MANY) else { return sizes };
    let mut trials = Vec::with_capacity(count * most * k);
    for direction in z.chunks_exact(k) {
        project(space, direction, most, &mut trials);
    }
    let mut found = vec![0.0; trials.len() / k];
    gain.sizes(&trials, &mut found);
    for (j, direction) in z.chunks_exact_mut(k).enumerate() {
        for step in 0..most {
            let index = j * most + step;
            if found[index] > sizes[j] {
                sizes[j] = found[index];
                direction.copy_from_slice(&trials[index * k..][..k]);
            }
        }
    }
    sizes
}

/// Appends the projections of one direction on the nullspaces of its nearest 1, …, `most` samples, of length one.
fn project(space: &Whitened, z: &[f64], most: usize, out: &mut Vec<f64>) {
    let (k, n) = (z.len(), space.features.nrows());
    let scale: Vec<f64> = space.metric.iter().map(|m| m.sqrt()).collect();
    // coordinates in which the inner product is the Euclidean one: x/scale, z·scale
    let mut distance = vec![0.0; n];
    for (j, z) in z.iter().enumerate() {
        axpy(*z, space.features.col_as_slice(j), &mut distance);
    }
    distance.iter_mut().zip(&space.lengths).for_each(|(t, length)| {
        *t = if *length > 0.0 { t.abs() / length } else { f64::INFINITY };
    });
    let near = nearest(&distance, most);
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(most);
    let mut u: Vec<f64> = z.iter().zip(&scale).map(|(z, s)| z * s).collect();
    for step in 0..most {
        if let Some(&sample) = near.get(step) {
            let mut x: Vec<f64> = (0..k).map(|j| space.features[(sample, j)] / scale[j]).collect();
            let before = dot(&x, &x).sqrt();
            for _ in 0..2 {
                basis.iter().for_each(|q| axpy(-dot(q, &x), q, &mut x));
            }
            let after = dot(&x, &x).sqrt();
            if after > 1e-10 * before {
                x.iter_mut().for_each(|x| *x /= after);
                for _ in 0..2 {
                    axpy(-dot(&x, &u), &x, &mut u);
                }
                basis.push(x);
            }
        }
        let length = dot(&u, &u).sqrt();
        let length = if length > 1e-8 { length } else { f64::INFINITY };
        out.extend(u.iter().zip(&scale).map(|(u, s)| u / length / s));
    }
}

/// The indices of the smallest values, ascending; ties by index.
fn nearest(values: &[f64], count: usize) -> Vec<usize> {
    let mut best: Vec<(f64, usize)> = Vec::with_capacity(count + 1);
    for (index, &value) in values.iter().enumerate() {
        if value.is_finite() && (best.len() < count || best.last().is_some_and(|worst| value < worst.0)) {
            let place = best.partition_point(|other| other.0 <= value);
            best.insert(place, (value, index));
            best.truncate(count);
        }
    }
    best.into_iter().map(|(_, index)| index).collect()
}
