//! Depth-first search of one subtree.

use super::Budget;
use super::cell::{Cell, Lengths, MOST_DEPTH};
use super::claim::{Claim, Searched};
use super::envelope::{Child, Move};
use super::node::{Looked, Node, Rows};
use super::samples::{Block, Stand, compact};
use pulp::Arch;

/// A block is made anew once this part of its samples is unsettled.
const DENSE_ENOUGH: f64 = 0.75;
/// Cells between two looks at the clock.
const PATIENCE: u64 = 64;
/// Cells that could not be split, after which a subtree is left.
const MOST_EXHAUSTED: usize = 8;

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
                if claim.keeps_closed {
                    found.closed_cells.push(cell);
                }
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
