//! Depth-first search of one subtree.

use super::Budget;
use super::cell::{Cell, Lengths, MOST_DEPTH, Quadratic, test};
use super::envelope::{Child, Move, Single, SinglePass};
use super::moments::{MOST, Moments, Vector, Weighted};
use super::outputs::{AlongPass, CentrePass, ChordPass};
use super::samples::{Block, Stand, compact};
use pulp::Arch;

/// A block is made anew once this part of its samples is unsettled.
const DENSE_ENOUGH: f64 = 0.75;
/// The part across v that a cell may have, relative to its bound, before it is split untested.
const MOST_ACROSS: f64 = 0.9;
/// A vector this short has squares that underflow: divided by its length it would be no unit vector.
const LEAST_LENGTH: f64 = f64::from_bits((1023 - 400) << 52);
/// Cells between two looks at the clock.
const PATIENCE: u64 = 64;
/// Cells that could not be split, after which a subtree is left.
const MOST_EXHAUSTED: usize = 8;

/// What is searched: |Σ_i w_i|x_i·u| + sPu| ≤ m|u| for s = ±1 and all u in R^d.
pub(super) struct Claim<'a> {
    /// All samples; nothing is settled.
    pub samples: &'a Block,
    /// For each sample what is added to its range: more than rounding can take from it, and from its product with u.
    pub inflation: &'a [f64],
    pub d: usize,
    pub c: usize,
    /// P = WᵀX, c rows.
    pub products: &'a [Vector],
    /// m: twice the level.
    pub twice_level: f64,
}

impl Claim<'_> {
    /// The modes of a cell: for one output (side, s), the bits 0 and 1 being the upper side; for several s.
    pub fn all_modes(&self) -> u8 {
        if self.c == 1 { 0b1111 } else { 0b11 }
    }
}

/// A direction at which the claim fails, and |·|/|u| there.
#[derive(Clone, Debug)]
pub(super) struct Violator {
    pub direction: Vector,
    pub ratio: f64,
}

/// What a subtree came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Searched {
    pub cells: u64,
    /// Unsettled samples, summed over the cells.
    pub visits: u64,
    /// The part of a face that was closed.
    pub closed: f64,
    /// Largest |·|/|u| at a centre.
    pub largest: f64,
    /// Cells that are still open, in the order in which they would have come.
    pub open: Vec<Cell>,
    pub violators: Vec<Violator>,
    /// Centres of cells that could not be split any further: they are neither closed nor among the open ones.
    pub exhausted: Vec<Vector>,
}

/// Buffers of a search, reused from one subtree to the next.
#[derive(Default)]
pub(super) struct Workspace {
    stands: Vec<Stand>,
    blocks: Vec<Block>,
    /// The block that the children of the node at each level use.
    block_of: Vec<usize>,
    kept: Vec<u32>,
    rows: Rows,
    nodes: Vec<(Cell, Option<Child>, usize)>,
}

/// Numbers for each sample of the block at hand.
#[derive(Default)]
struct Rows {
    slopes: [Vec<f64>; 2],
    curves: [Vec<f64>; 2],
    importance: Vec<f64>,
    chord: Vec<f64>,
    middle: Vec<f64>,
    along: Vec<f64>,
    weighted: Vec<f64>,
}

impl Rows {
    fn resize(&mut self, len: usize, c: usize) {
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
struct Looked {
    open: u8,
    score: Vector,
    unsettled: usize,
}

impl Workspace {
    /// Searches below a cell until it is closed, the budget is spent, or `stop` says so.
    pub fn search(
        &mut self,
        claim: &Claim<'_>,
        root: Cell,
        budget: Budget,
        stop: &dyn Fn() -> bool,
    ) -> Searched {
        let arch = Arch::new();
        let mut found = Searched::default();
        self.enter(claim, &root);
        self.nodes.clear();
        self.nodes.push((root, None, 0));
        while let Some((mut cell, child, level)) = self.nodes.pop() {
            // One direction a subtree: around it every cell on the edge of the violation would find another.
            if !found.violators.is_empty() {
                break;
            }
            let spent = found.visits >= budget.visits
                || found.cells >= budget.cells
                || found.exhausted.len() >= MOST_EXHAUSTED;
            if spent || (found.cells % PATIENCE == PATIENCE - 1 && stop()) {
                found.open.push(cell);
                found.open.extend(self.nodes.drain(..).rev().map(|(cell, ..)| cell));
                break;
            }
            found.cells += 1;
            let looked = self.look(arch, claim, &cell, child, level, &mut found);
            let Some(looked) = looked else { continue };
            found.visits += looked.unsettled as u64;
            if looked.open == 0 {
                found.closed += cell.share();
                continue;
            }
            cell.open = looked.open;
            let axis = if cell.depth < MOST_DEPTH { cell.widest(&looked.score, claim.d) } else { None };
            let Some(axis) = axis else {
                found.exhausted.push(cell.centre);
                continue;
            };
            self.settle(claim, level, looked.unsettled);
            let halves = cell.halves(axis);
            for half in halves.into_iter().rev() {
                let step = half.centre[axis] - cell.centre[axis];
                self.nodes.push((half, Some(Child { axis, step }), level + 1));
            }
        }
        found
    }

    /// The stand of all samples on the root, and its block.
    fn enter(&mut self, claim: &Claim<'_>, root: &Cell) {
        self.stands.resize_with(self.stands.len().max(2), Stand::default);
        self.blocks.resize_with(self.blocks.len().max(1), Block::default);
        self.block_of.resize(self.block_of.len().max(1), 0);
        let len = claim.samples.len();
        let stand = &mut self.stands[0];
        for column in [&mut stand.t, &mut stand.r, &mut stand.v] {
            column.clear();
            column.resize(len, 0.0);
        }
        for k in 0..claim.d {
            let (u, rho) = (root.centre[k], root.half[k]);
            for (i, x) in claim.samples.x(k).iter().enumerate() {
                stand.t[i] += x * u;
                let range = x.abs() * rho;
                stand.r[i] += range;
                stand.v[i] += range * range;
            }
        }
        for (range, inflation) in stand.r.iter_mut().zip(claim.inflation) {
            *range += inflation;
        }
        compact(claim.samples, stand, &mut self.blocks[0], &mut self.kept, claim.d, claim.c);
        self.block_of[0] = 0;
    }

    /// Makes the node's block smaller where many of its samples are settled by now.
    fn settle(&mut self, claim: &Claim<'_>, level: usize, unsettled: usize) {
        let now = if level == 0 { self.block_of[0] } else { self.block_of[level - 1] };
        self.block_of.resize(self.block_of.len().max(level + 1), 0);
        self.block_of[level] = now;
        if unsettled as f64 >= DENSE_ENOUGH * self.blocks[now].len() as f64 {
            return;
        }
        self.blocks.resize_with(self.blocks.len().max(now + 2), Block::default);
        let (from, to) = self.blocks.split_at_mut(now + 1);
        compact(&from[now], &mut self.stands[level], &mut to[0], &mut self.kept, claim.d, claim.c);
        self.block_of[level] = now + 1;
    }

    /// Evaluates a cell; None where the claim fails at its centre.
    fn look(
        &mut self,
        arch: Arch,
        claim: &Claim<'_>,
        cell: &Cell,
        child: Option<Child>,
        level: usize,
        found: &mut Searched,
    ) -> Option<Looked> {
        let block = &self.blocks[self.block_of[level.saturating_sub(1)]];
        self.stands.resize_with(self.stands.len().max(level + 1), Stand::default);
        self.rows.resize(block.len(), claim.c);
        let (above, below) = self.stands.split_at_mut(level);
        let stand = &mut below[0];
        stand.resize(block.len());
        if let (Some(child), Some(from)) = (child, above.last()) {
            arch.dispatch(Move { block, child, from, to: stand });
        }
        let node =
            Node { arch, claim, cell, block, rows: &mut self.rows, lengths: Lengths::of(cell, claim.d) };
        if claim.c == 1 { node.single(stand, found) } else { node.several(stand, found) }
    }
}

struct Node<'a> {
    arch: Arch,
    claim: &'a Claim<'a>,
    cell: &'a Cell,
    block: &'a Block,
    rows: &'a mut Rows,
    lengths: Lengths,
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
    fn single(mut self, stand: &Stand, found: &mut Searched) -> Option<Looked> {
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
            let value = dot(&slope[..d], centre) + pass.values[index];
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
                let quadratic = Quadratic { value: value + sign * odd, linear: &linear, square: &square };
                let tested = test(self.cell, d, self.lengths, &quadratic, m);
                if tested.closed {
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
    fn several(mut self, stand: &Stand, found: &mut Searched) -> Option<Looked> {
        let (d, c, len, m) = (self.claim.d, self.claim.c, self.block.len(), self.claim.twice_level);
        let centre = &self.cell.centre[..d];
        let mut even = vec![0.0; c];
        let unsettled = self.arch.dispatch(CentrePass { block: self.block, stand, centre: &mut even });
        for (even, settled) in even.iter_mut().zip(self.block.linear.chunks_exact(d)) {
            *even += dot(settled, centre);
        }
        let mut looked = Looked { open: self.cell.open, score: [0.0; MOST], unsettled: unsettled as usize };
        let mut vectors = [vec![0.0; c], vec![0.0; c]];
        for (vector, sign) in vectors.iter_mut().zip([1.0, -1.0]) {
            for ((a, even), product) in vector.iter_mut().zip(&even).zip(self.claim.products) {
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
            let (across, fall) = self.across(vector, sign, along.spread, along.fall);
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
            let value = dot(&linear[..d], centre) + along.values + kappa;
            self.arch.dispatch(Moments {
                block: self.block,
                d,
                f: &self.rows.slopes[0][..len],
                g: &self.rows.curves[0][..len],
                linear: &mut linear,
                square: &mut square,
            });
            let quadratic = Quadratic { value, linear: &linear, square: &square };
            let tested = test(self.cell, d, self.lengths, &quadratic, m);
            if tested.closed {
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
    fn across(&mut self, v: &[f64], sign: f64, spread: f64, fall: f64) -> (f64, f64) {
        let (d, c, len) = (self.claim.d, self.claim.c, self.block.len());
        let (mut offsets, mut chords) = (vec![0.0; c], vec![[0.0; MOST]; c]);
        self.arch.dispatch(ChordPass {
            block: self.block,
            chord: &self.rows.chord[..len],
            middle: &self.rows.middle[..len],
            rows: &mut self.rows.weighted[..c * len],
            offsets: &mut offsets,
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
            sums: &mut chords,
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
