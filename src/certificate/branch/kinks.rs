//! Slopes for the samples of negative weight whose sign is open, chosen together.
//!
//! −|ω||x·u| ≤ −θ|ω|(x·u) for every θ in [−1, 1]. The parabola of one sample knows nothing of the others; at a largest
//! value on kinks, where the slopes of these samples balance all others, it costs a part of r, and the best θ cost nothing.
//! They are the multipliers of the largest value of the concave part on the cell. Whatever θ is taken, the bound holds.

use super::cell::{Cell, Lengths, Quadratic, Scaled};
use super::envelope::parabolas;
use super::moments::{MOST, Vector};
use super::samples::{Block, Stand, is_settled};
use pulp::Scalar;

/// Open samples up to which slopes are chosen.
pub(super) const MOST_OPEN: usize = 16;
/// Rounds over the slopes, and bisections of each.
const ROUNDS: usize = 4;
const BISECTIONS: usize = 12;

/// One mode of a cell that its parabolas did not close.
pub(super) struct Kinks<'a> {
    pub cell: &'a Cell,
    pub d: usize,
    pub lengths: Lengths,
    pub block: &'a Block,
    pub stand: &'a Stand,
    /// ω, the weight of each sample of the block.
    pub weights: &'a [f64],
    /// ω is this times the weights.
    pub side: f64,
    /// What does not come from the block, at the centre and along each feature.
    pub value: f64,
    pub linear: Vector,
    pub twice_level: f64,
}

/// A sample of negative weight whose sign is open.
#[derive(Clone, Copy)]
struct Kink {
    /// |ω|t.
    value: f64,
    /// |ω|x_k ρ_k of the free coordinates.
    slope: Vector,
    theta: f64,
}

impl Kinks<'_> {
    /// Whether slopes were found that close the mode; no more than [`MOST_OPEN`] samples of the block may be open.
    pub fn close(self) -> bool {
        let Self { cell, d, lengths, block, stand, weights, side, mut value, mut linear, twice_level } = self;
        let mut square = [[0.0; MOST]; MOST];
        let (mut open, mut count) = ([0; MOST_OPEN], 0);
        for (i, weight) in weights.iter().enumerate() {
            let (t, r, weight) = (stand.t[i], stand.r[i], side * weight);
            if weight == 0.0 {
                continue;
            }
            if is_settled(t, r) {
                value += weight * t.abs();
                let slope = weight.copysign(weight * t);
                (0..d).for_each(|k| linear[k] += slope * block.x(k)[i]);
            } else if weight > 0.0 {
                let above = parabolas(Scalar::new(), t, r, stand.v[i]).above;
                value += weight * above[0];
                let (slope, curve) = (weight * above[1].copysign(above[1] * t), weight * above[2]);
                for k in 0..d {
                    let x = block.x(k)[i];
                    linear[k] += slope * x;
                    (0..d).for_each(|j| square[k][j] += curve * x * block.x(j)[i]);
                }
            } else if count < MOST_OPEN {
                open[count] = i;
                count += 1;
            } else {
                return false;
            }
        }
        if count == 0 {
            return false;
        }
        let quadratic = Quadratic { value, linear: &linear, square: &square };
        let mut scaled = Scaled::new(cell, d, lengths, &quadratic, twice_level);
        let rows = scaled.rows();
        let mut kinks = [Kink { value: 0.0, slope: [0.0; MOST], theta: 0.0 }; MOST_OPEN];
        for (kink, &i) in kinks.iter_mut().zip(&open[..count]) {
            let weight = weights[i].abs();
            kink.value = weight * stand.t[i];
            for (slope, &k) in kink.slope.iter_mut().zip(&scaled.axes[..scaled.free]) {
                *slope = weight * block.x(k)[i] * cell.half[k];
            }
        }
        choose(&mut kinks[..count], &scaled, &rows);
        for kink in &kinks[..count] {
            scaled.base -= kink.theta * kink.value;
            for (linear, slope) in scaled.linear.iter_mut().zip(&kink.slope) {
                *linear -= kink.theta * slope;
            }
        }
        scaled.is_closed(&rows)
    }
}

/// Slopes that make the bound by rows small: it is convex in each of them.
fn choose(kinks: &mut [Kink], scaled: &Scaled, rows: &Vector) {
    let mut linear = scaled.linear;
    for _ in 0..ROUNDS {
        for kink in kinks.iter_mut() {
            for (linear, slope) in linear.iter_mut().zip(&kink.slope) {
                *linear += kink.theta * slope;
            }
            // The derivative of the bound, without its sign.
            let falls = |theta: f64| {
                let mut fall = kink.value;
                for a in 0..scaled.free {
                    fall += kink.slope[a] * derivative(linear[a] - theta * kink.slope[a], rows[a]);
                }
                fall > 0.0
            };
            let (mut low, mut high) = (-1.0, 1.0);
            for _ in 0..BISECTIONS {
                let middle = 0.5 * (low + high);
                if falls(middle) { low = middle } else { high = middle }
            }
            kink.theta = 0.5 * (low + high);
            if !falls(-1.0) {
                kink.theta = -1.0;
            } else if falls(1.0) {
                kink.theta = 1.0;
            }
            for (linear, slope) in linear.iter_mut().zip(&kink.slope) {
                *linear -= kink.theta * slope;
            }
        }
    }
}

/// Of max over |y| ≤ 1 of row·y² + |linear|y, by `linear`.
fn derivative(linear: f64, row: f64) -> f64 {
    if row < 0.0 && linear.abs() <= -2.0 * row { linear / (-2.0 * row) } else { linear.signum() }
}
