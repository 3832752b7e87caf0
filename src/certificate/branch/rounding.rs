//! What rounding may add to the tests of a search, once and for all its cells.
//!
//! docs/certificate.md, section 13, counts it: every quantity of a test is a sum of terms that together are at most a few
//! times Σ|w_i||x_i|₁ + d·m, and none meets more than half of the roundings that are counted here.

use super::cell::MOST_DEPTH;
use super::coordinates::Coordinates;
pub(super) use crate::certificate::cholesky::UNIT;

/// For each sample, more than rounding can change of x·u₀ and of its range together, in all the moves of a subtree.
pub(super) fn inflation(at: &Coordinates) -> Vec<f64> {
    let roundings = f64::from(MOST_DEPTH) + at.d as f64 + 8.0;
    let mut lengths = vec![0.0; at.samples.len()];
    for k in 0..at.d {
        lengths.iter_mut().zip(at.samples.x(k)).for_each(|(length, x)| *length += x.abs());
    }
    lengths.iter_mut().for_each(|length| *length *= 4.0 * UNIT * roundings);
    lengths
}

/// Twice the level with all rounding of the search taken off, rounded downwards.
pub(super) fn twice_level(at: &Coordinates, level: f64) -> f64 {
    let (n, d) = (at.samples.len() as f64, at.d as f64);
    let corners = 4f64.powi(at.d.min(11) as i32);
    let roundings = 16.0 * n + 16.0 * (512.0 + d * d + 2.0 * at.c as f64) + corners;
    let slack = UNIT * roundings * (at.mass + 2.0 * d * level) + 2f64.powi(-790);
    (2.0 * level * (1.0 - 4.0 * UNIT) - slack) * (1.0 - 4.0 * UNIT)
}
