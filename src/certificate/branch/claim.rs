//! What is searched, and what a search of one subtree tells.

use super::cell::Cell;
use super::moments::Vector;
use super::samples::Block;

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
    /// Whether closed cells are kept, for pictures.
    pub keeps_closed: bool,
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
    /// The cells that were closed, if they are kept.
    pub closed_cells: Vec<Cell>,
    /// Largest |·|/|u| at a centre.
    pub largest: f64,
    /// Cells that are still open, in the order in which they would have come.
    pub open: Vec<Cell>,
    pub violators: Vec<Violator>,
    /// Centres of cells that could not be split any further: they are neither closed nor among the open ones.
    pub exhausted: Vec<Vector>,
}
