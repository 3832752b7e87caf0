//! One cell of the tree evaluated: which of its modes close, and which coordinate should be split.

use super::cell::{Cell, Lengths, Quadratic, test};
use super::claim::{Claim, Searched, Violator};
use super::envelope::{Single, SinglePass};
use super::kinks::{Kinks, MOST_OPEN};
use super::moments::{MOST, Moments, Vector, Weighted};
use super::outputs::{AlongPass, CentrePass, ChordPass};
use super::samples::{Block, Stand};
use pulp::Arch;

/// The part across v that a cell may have, relative to its bound, before it is split untested.
const MOST_ACROSS: f64 = 0.9;
/// A vector this short has squares that underflow: divided by its length it would be no unit vector.
const LEAST_LENGTH: f64 = f64::from_bits((1023 - 400) << 52);

/// Numbers for each sample of the block at hand.
#[derive(Default)]
pub(super) struct Rows {
    slopes: [Vec<f64>; 2],
    curves: [Vec<f64>; 2],
    importance: Vec<f64>,
    chord: Vec<f64>,
    middle: Vec<f64>,
    along: Vec<f64>,
    weighted: Vec<f64>,
    outputs: Outputs,
}

/// Numbers for each output, and the linear parts of the chords.
#[derive(Default)]
struct Outputs {
    even: Vec<f64>,
    /// The vectors at the centre for s = ±1, then their directions.
    vectors: [Vec<f64>; 2],
    offsets: Vec<f64>,
    chords: Vec<Vector>,
}

impl Outputs {
    /// Zeros for c outputs.
    fn clear(&mut self, c: usize) {
        let [a, b] = &mut self.vectors;
        for row in [&mut self.even, a, b, &mut self.offsets] {
            row.clear();
            row.resize(c, 0.0);
        }
        self.chords.resize(c, [0.0; MOST]);
    }
}

impl Rows {
    pub fn resize(&mut self, len: usize, c: usize) {
        let [a, b] = &mut self.slopes;
        let [p, q] = &mut self.curves;
        for row in [a, b, p, q, &mut self.importance] {
            row.resize(len.max(row.len()), 0.0);
        }
        if c > 1 {
            for row in [&mut self.chord, &mut self.middle, &mut self.along] {
                row.resize(len.max(row.len()), 0.0);
            }
            self.weighted.resize((c * len).max(self.weighted.len()), 0.0);
        }
    }
}

/// What is left of a cell once it was looked at.
pub(super) struct Looked {
    pub open: u8,
    pub score: Vector,
    pub unsettled: usize,
}

pub(super) struct Node<'a> {
    pub arch: Arch,
    pub claim: &'a Claim<'a>,
    pub cell: &'a Cell,
    pub block: &'a Block,
    pub rows: &'a mut Rows,
    pub lengths: Lengths,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Node<'_> {
    /// Notes the value at the centre; false where the claim fails there.
    fn holds_at_centre(&self, value: f64, found: &mut Searched) -> bool {
        let ratio = value / self.lengths.centre;
        found.largest = found.largest.max(ratio);
        if value <= self.claim.twice_level * self.lengths.centre {
            return true;
        }
        found.violators.push(Violator { direction: self.cell.centre, ratio });
        false
    }

    /// One output: both sides share the stand and the parabolas.
    pub fn single(mut self, stand: &Stand, found: &mut Searched) -> Option<Looked> {
        let (d, len, m) = (self.claim.d, self.block.len(), self.claim.twice_level);
        let pass = match [self.cell.open & 0b11 != 0, self.cell.open & 0b1100 != 0] {
            [true, false] => self.parabolas::<true, false>(stand),
            [false, true] => self.parabolas::<false, true>(stand),
            _ => self.parabolas::<true, true>(stand),
        };
        let centre = &self.cell.centre[..d];
        let settled = &self.block.linear[..d];
        let even = dot(settled, centre) + pass.centre;
        let product = &self.claim.products[0][..d];
        let odd = dot(product, centre);
        if !self.holds_at_centre(even.abs() + odd.abs(), found) {
            if odd < 0.0
                && let Some(last) = found.violators.last_mut()
            {
                // G is even: the antipode has the other sign of Pu.
                if even > 0.0 {
                    last.direction.iter_mut().for_each(|u| *u = -*u);
                }
            } else if even < 0.0
                && odd > 0.0
                && let Some(last) = found.violators.last_mut()
            {
                last.direction.iter_mut().for_each(|u| *u = -*u);
            }
            return None;
        }
        let mut looked =
            Looked { open: self.cell.open, score: [0.0; MOST], unsettled: pass.unsettled as usize };
        let mut importance = [0.0; MOST];
        self.arch.dispatch(Weighted {
            block: self.block,
            d,
            factors: &self.rows.importance[..len],
            absolute: true,
            sums: std::slice::from_mut(&mut importance),
        });
        for (index, side) in [1.0, -1.0].into_iter().enumerate() {
            if looked.open >> (2 * index) & 0b11 == 0 {
                continue;
            }
            let (mut slope, mut square) = ([0.0; MOST], [[0.0; MOST]; MOST]);
            for (slope, settled) in slope.iter_mut().zip(settled) {
                *slope = side * settled;
            }
            let (outside, value) = (slope, dot(&slope[..d], centre));
            let values = pass.values[index];
            self.arch.dispatch(Moments {
                block: self.block,
                d,
                f: &self.rows.slopes[index][..len],
                g: &self.rows.curves[index][..len],
                linear: &mut slope,
                square: &mut square,
            });
            for (bit, sign) in [(0, 1.0), (1, -1.0)] {
                let mode = 1 << (2 * index + bit);
                if looked.open & mode == 0 {
                    continue;
                }
                let mut linear = slope;
                for (linear, product) in linear.iter_mut().zip(product) {
                    *linear += sign * product;
                }
                let value = value + sign * odd;
                let quadratic = Quadratic { value: value + values, linear: &linear, square: &square };
                let tested = test(self.cell, d, self.lengths, &quadratic, m);
                let by_slopes = || {
                    let mut linear = outside;
                    linear.iter_mut().zip(product).for_each(|(linear, product)| *linear += sign * product);
                    self.kinks(stand, self.block.w(0), side, (value, linear)).close()
                };
                if tested.closed || (looked.unsettled <= MOST_OPEN && by_slopes()) {
                    looked.open &= !mode;
                } else {
                    add(&mut looked.score, &tested.score);
                }
            }
        }
        for ((score, rho), weight) in looked.score.iter_mut().zip(&self.cell.half).zip(&importance) {
            *score += 0.5 * rho * weight;
        }
        Some(looked)
    }

    /// A mode of weights side·`weights`, to which all but the block adds value + linear·δ.
    fn kinks<'b>(
        &'b self,
        stand: &'b Stand,
        weights: &'b [f64],
        side: f64,
        (value, linear): (f64, Vector),
    ) -> Kinks<'b> {
        let (cell, d, lengths, block) = (self.cell, self.claim.d, self.lengths, self.block);
        let twice_level = self.claim.twice_level;
        Kinks { cell, d, lengths, block, stand, weights, side, value, linear, twice_level }
    }

    fn parabolas<const PLUS: bool, const MINUS: bool>(&mut self, stand: &Stand) -> Single {
        let len = self.block.len();
        let [fp, fm] = &mut self.rows.slopes;
        let [gp, gm] = &mut self.rows.curves;
        self.arch.dispatch(SinglePass::<PLUS, MINUS> {
            block: self.block,
            stand,
            slopes: [&mut fp[..len], &mut fm[..len]],
            curves: [&mut gp[..len], &mut gm[..len]],
            importance: &mut self.rows.importance[..len],
        })
    }

    /// Several outputs: for s = ±1 the part along v, the direction of the vector at the centre, and the part across it.
    pub fn several(mut self, stand: &Stand, found: &mut Searched) -> Option<Looked> {
        // Taken out and put back, so that no cell allocates.
        let mut outputs = std::mem::take(&mut self.rows.outputs);
        outputs.clear(self.claim.c);
        let looked = self.several_with(stand, &mut outputs, found);
        self.rows.outputs = outputs;
        looked
    }

    fn several_with(&mut self, stand: &Stand, outputs: &mut Outputs, found: &mut Searched) -> Option<Looked> {
        let (d, len, m) = (self.claim.d, self.block.len(), self.claim.twice_level);
        let Outputs { even, vectors, offsets, chords } = outputs;
        let centre = &self.cell.centre[..d];
        let unsettled = self.arch.dispatch(CentrePass { block: self.block, stand, centre: even });
        for (even, settled) in even.iter_mut().zip(self.block.linear.chunks_exact(d)) {
            *even += dot(settled, centre);
        }
        let mut looked = Looked { open: self.cell.open, score: [0.0; MOST], unsettled: unsettled as usize };
        for (vector, sign) in vectors.iter_mut().zip([1.0, -1.0]) {
            for ((a, even), product) in vector.iter_mut().zip(even.iter()).zip(self.claim.products) {
                *a = even + sign * dot(&product[..d], centre);
            }
            let size = dot(vector, vector).sqrt();
            if !self.holds_at_centre(size, found) {
                if sign < 0.0
                    && let Some(last) = found.violators.last_mut()
                {
                    last.direction.iter_mut().for_each(|u| *u = -*u);
                }
                return None;
            }
        }
        let mut importance = [0.0; MOST];
        for (bit, sign) in [(0, 1.0), (1, -1.0)] {
            if looked.open >> bit & 1 == 0 {
                continue;
            }
            let vector = &mut vectors[bit];
            let size = dot(vector, vector).sqrt();
            if size > LEAST_LENGTH {
                vector.iter_mut().for_each(|a| *a /= size);
            } else {
                vector.fill(0.0);
                vector[0] = 1.0;
            }
            let along = self.arch.dispatch(AlongPass {
                block: self.block,
                stand,
                direction: vector,
                slope: &mut self.rows.slopes[0][..len],
                curve: &mut self.rows.curves[0][..len],
                importance: &mut self.rows.importance[..len],
                chord: &mut self.rows.chord[..len],
                middle: &mut self.rows.middle[..len],
                along: &mut self.rows.along[..len],
            });
            self.arch.dispatch(Weighted {
                block: self.block,
                d,
                factors: &self.rows.importance[..len],
                absolute: true,
                sums: std::slice::from_mut(&mut importance),
            });
            let (across, fall) = self.across(vector, sign, (along.spread, along.fall), offsets, chords);
            let least = m * self.lengths.least;
            if across >= MOST_ACROSS * least {
                self.cell.half[..d].iter().zip(&mut looked.score).for_each(|(rho, score)| *score += rho);
                continue;
            }
            let kappa = least - (least * least - across * across).sqrt();
            let holds_below = fall - size + kappa <= least;
            if !holds_below {
                self.cell.half[..d].iter().zip(&mut looked.score).for_each(|(rho, score)| *score += rho);
                continue;
            }
            let (mut linear, mut square) = ([0.0; MOST], [[0.0; MOST]; MOST]);
            for (v, settled) in vector.iter().zip(self.block.linear.chunks_exact(d)) {
                linear.iter_mut().zip(settled).for_each(|(linear, settled)| *linear += v * settled);
            }
            for (v, product) in vector.iter().zip(self.claim.products) {
                linear[..d].iter_mut().zip(product).for_each(|(linear, p)| *linear += sign * v * p);
            }
            let (outside, value) = (linear, dot(&linear[..d], centre) + kappa);
            self.arch.dispatch(Moments {
                block: self.block,
                d,
                f: &self.rows.slopes[0][..len],
                g: &self.rows.curves[0][..len],
                linear: &mut linear,
                square: &mut square,
            });
            let quadratic = Quadratic { value: value + along.values, linear: &linear, square: &square };
            let tested = test(self.cell, d, self.lengths, &quadratic, m);
            let by_slopes = || self.kinks(stand, &self.rows.along[..len], 1.0, (value, outside)).close();
            if tested.closed || (looked.unsettled <= MOST_OPEN && by_slopes()) {
                looked.open &= !(1 << bit);
            } else {
                add(&mut looked.score, &tested.score);
            }
        }
        for ((score, rho), weight) in looked.score.iter_mut().zip(&self.cell.half).zip(&importance) {
            *score += 0.5 * rho * weight;
        }
        Some(looked)
    }

    /// Bounds over the cell on the part of the vector across v, and on how far its part along v falls below that at the centre.
    fn across(
        &mut self,
        v: &[f64],
        sign: f64,
        (spread, fall): (f64, f64),
        offsets: &mut [f64],
        chords: &mut [Vector],
    ) -> (f64, f64) {
        let (d, c, len) = (self.claim.d, self.claim.c, self.block.len());
        self.arch.dispatch(ChordPass {
            block: self.block,
            chord: &self.rows.chord[..len],
            middle: &self.rows.middle[..len],
            rows: &mut self.rows.weighted[..c * len],
            offsets,
        });
        for (j, chord) in chords.iter_mut().enumerate() {
            let parts = self.block.linear[j * d..].iter().zip(&self.claim.products[j]).take(d);
            chord.iter_mut().zip(parts).for_each(|(chord, (settled, p))| *chord = settled + sign * p);
        }
        self.arch.dispatch(Weighted {
            block: self.block,
            d,
            factors: &self.rows.weighted[..c * len],
            absolute: false,
            sums: chords,
        });
        let across = |entry: &dyn Fn(usize) -> f64| {
            let along: f64 = (0..c).map(|j| v[j] * entry(j)).sum();
            (0..c).map(|j| (entry(j) - v[j] * along).powi(2)).sum::<f64>().sqrt()
        };
        let (mut wide, mut low) = (spread + across(&|j| offsets[j]), fall);
        for (k, rho) in self.cell.half[..d].iter().enumerate().filter(|(_, rho)| **rho > 0.0) {
            wide += rho * across(&|j| chords[j][k]);
            low += rho * (0..c).map(|j| v[j] * chords[j][k]).sum::<f64>().abs();
        }
        (wide, low)
    }
}

fn add(sum: &mut Vector, more: &Vector) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}
