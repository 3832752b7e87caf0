//! Branch and bound over the hidden weights of one neuron: proves |Wᵀ(Xu)₊| ≤ M|u| for every u, or finds where it fails.
//!
//! With t₊ = (t + |t|)/2 the claim is |Σ_i w_i|x_i·u| + sWᵀXu| ≤ 2M|u| for s = ±1. The first sum is even, so that the faces
//! u_k = 1 of the cube stand for all directions. A cell of a face is closed when a quadratic above the left-hand side
//! (`envelope.rs` gives it sample by sample) stays below 2M|u|, and is halved otherwise. docs/branch-and-bound.md has the
//! mathematics, docs/certificate.md, section 13, the proof.

mod cell;
mod claim;
mod coordinates;
mod envelope;
mod kinks;
mod moments;
mod node;
mod outputs;
mod proved;
mod rounding;
mod samples;
mod tree;

pub(super) use proved::{multiple_within, prove_claim};

use crate::control::Control;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use cell::Cell;
use claim::{Claim, Searched, Violator};
use coordinates::Coordinates;
use faer::{Mat, MatRef};
use moments::{MOST, Vector};
use rayon::prelude::*;
use std::sync::Mutex;
use tree::Workspace;

/// Subtrees that are searched side by side, whatever the number of threads, and how many there are at first at least.
const SIDE_BY_SIDE: usize = 64;
/// Visits of a subtree before it is divided: this many for each sample, and this many in any case. Few, so that a search
/// ends soon after the first violating direction was found.
const VISITS_PER_SAMPLE: u64 = 64;
const VISITS: u64 = 1 << 15;
/// Cells that could not be split any further, after which a search ends.
const MOST_EXHAUSTED: usize = 256;

/// What a search may cost.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct SearchSettings {
    /// Most cells. Default 10⁹.
    pub cells: u64,
    /// Most visits: samples whose sign is open on a cell, summed over the cells. One takes some 10 nanoseconds with one
    /// output and 25 with three. Default 10¹³.
    pub visits: u64,
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self { cells: 1_000_000_000, visits: 10_000_000_000_000 }
    }
}

/// How far a search has come.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SearchProgress {
    /// Cells looked at.
    pub cells: u64,
    /// The part of all directions that is settled, between 0 and 1.
    pub share: f64,
}

/// M with |Wᵀ(Xu)₊| ≤ M|u| for every u, proved for the W of one claim. Only a search makes one.
#[derive(Clone, Copy, Debug)]
pub struct ProvedLevel<'a> {
    level: f64,
    claim: &'a NeuronClaim<'a>,
}

impl ProvedLevel<'_> {
    /// M.
    pub fn value(self) -> f64 {
        self.level
    }
}

/// What a search at one level came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Search<'a> {
    /// The level, if the claim was proved at it.
    pub proved: Option<ProvedLevel<'a>>,
    /// Directions u (in the features of X) that violate the claim, by the values at the centres of their cells; the worst
    /// first, one for each subtree searched when the first was found. Not proved to: a caller evaluates them.
    pub violators: Vec<Vec<f64>>,
    /// Directions ±u at the centres of cells that could be neither closed nor split: the claim fails there, or all but fails.
    pub undecided: Vec<Vec<f64>>,
    /// Largest |Wᵀ(Xu)₊|/|u| seen at the centre of a cell: an estimate from below of the least level there is.
    pub largest: f64,
    /// Cells looked at.
    pub cells: u64,
    /// Samples whose sign was not settled, summed over the cells.
    pub visits: u64,
    /// The part of all directions that is settled.
    pub share: f64,
}

/// A cell that was closed, in the features of X; with u it holds −u.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct ClosedCell {
    /// Its centre.
    pub centre: Vec<f64>,
    /// Its corners in the order of a Gray code: in three dimensions, once round.
    pub corners: Vec<Vec<f64>>,
}

/// The claim |Wᵀ(Xu)₊| ≤ M|u| for all u, prepared for searches at several levels.
pub struct NeuronClaim<'a> {
    problem: &'a TrainingProblem,
    w: Mat<f64>,
    at: Coordinates,
    inflation: Vec<f64>,
}

impl std::fmt::Debug for NeuronClaim<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Coordinates { d, samples, .. } = &self.at;
        f.debug_struct("NeuronClaim").field("dimension", d).field("samples", &samples.len()).finish()
    }
}

impl<'a> NeuronClaim<'a> {
    /// For W (n × c) and the X (n × d) of a problem.
    ///
    /// Errors: a shape that does not fit, numbers that are not finite, more than 16 directions that matter
    /// ([`Error::Refused`]).
    pub fn new(problem: &'a TrainingProblem, w: Mat<f64>) -> Result<Self> {
        let (n, c) = (problem.samples(), problem.outputs());
        if (w.nrows(), w.ncols()) != (n, c) {
            return Err(Error::Shape {
                what: "certificate W",
                expected: format!("{n} × {c}"),
                actual: format!("{} × {}", w.nrows(), w.ncols()),
            });
        }
        for (column, values) in w.col_iter().enumerate() {
            if let Some(row) = values.iter().position(|value| !value.is_finite()) {
                return Err(Error::NotFinite { what: "certificate W", row, column });
            }
        }
        let at = Coordinates::new(problem.stored_features(), w.as_ref(), problem.weight_decay())?;
        Ok(Self { problem, w, inflation: rounding::inflation(&at), at })
    }

    /// The problem.
    pub fn problem(&self) -> &'a TrainingProblem {
        self.problem
    }

    /// W, n × c.
    pub fn w(&self) -> MatRef<'_, f64> {
        self.w.as_ref()
    }

    /// The number of directions that are searched: the rank of the samples that matter.
    pub fn dimension(&self) -> usize {
        self.at.d
    }

    /// Searches at a level M ≥ 0 until it is proved, until directions violate it, or until the budget is spent or
    /// `control` stops it. Same result for any number of threads, unless it is stopped.
    ///
    /// Nothing is proved at a level that is negative or not finite.
    pub fn search(
        &self,
        level: f64,
        settings: &SearchSettings,
        control: &Control,
        progress: &mut dyn FnMut(SearchProgress),
    ) -> Search<'_> {
        self.search_keeping(level, settings, control, progress, None)
    }

    /// The cells that a search at a level closes: for pictures in two and three dimensions.
    #[doc(hidden)]
    pub fn closed_cells(&self, level: f64, settings: &SearchSettings) -> Vec<ClosedCell> {
        let mut cells = Vec::new();
        self.search_keeping(level, settings, &Control::new(), &mut |_| {}, Some(&mut cells));
        let corners = |cell: &Cell| {
            let free: Vec<usize> = (0..self.at.d).filter(|&k| cell.half[k] > 0.0).collect();
            let corner = |i: usize| {
                let (mut at, code) = (cell.centre, i ^ (i >> 1));
                for (bit, &k) in free.iter().enumerate() {
                    at[k] += if code >> bit & 1 == 1 { cell.half[k] } else { -cell.half[k] };
                }
                self.at.direction(&at)
            };
            (0..1 << free.len()).map(corner).collect()
        };
        let closed =
            |cell: &Cell| ClosedCell { centre: self.at.direction(&cell.centre), corners: corners(cell) };
        cells.iter().map(closed).collect()
    }

    fn search_keeping(
        &self,
        level: f64,
        settings: &SearchSettings,
        control: &Control,
        progress: &mut dyn FnMut(SearchProgress),
        mut kept: Option<&mut Vec<Cell>>,
    ) -> Search<'_> {
        let at = &self.at;
        let mut search = Search {
            proved: None,
            violators: Vec::new(),
            undecided: Vec::new(),
            largest: 0.0,
            cells: 0,
            visits: 0,
            share: 0.0,
        };
        if !level.is_finite() || level < 0.0 {
            return search;
        }
        let within = at.level(level);
        // Without samples the left-hand side is zero, but for what was left out.
        if at.d == 0 {
            search.share = 1.0;
            search.proved = (within > 0.0 || at.is_nothing()).then_some(ProvedLevel { level, claim: self });
            return search;
        }
        let twice_level = rounding::twice_level(at, within);
        if twice_level.is_nan() || twice_level <= 0.0 {
            return search;
        }
        let claim = Claim {
            samples: &at.samples,
            inflation: &self.inflation,
            d: at.d,
            c: at.c,
            products: &at.products,
            twice_level,
            keeps_closed: kept.is_some(),
        };
        let mut open = first_cells(&claim);
        let quota = VISITS.max(VISITS_PER_SAMPLE * at.samples.len() as u64);
        let workspaces = Mutex::new(Vec::<Workspace>::new());
        let mut violators: Vec<Violator> = Vec::new();
        let mut exhausted: Vec<Vector> = Vec::new();
        while !open.is_empty() {
            let is_spent = search.cells >= settings.cells || search.visits >= settings.visits;
            let is_lost = !violators.is_empty() || exhausted.len() >= MOST_EXHAUSTED;
            if is_spent || is_lost || control.should_stop() {
                break;
            }
            let most = (settings.cells - search.cells).min(settings.visits - search.visits);
            let together = SIDE_BY_SIDE.min(usize::try_from(most).unwrap_or(SIDE_BY_SIDE));
            let rest = open.split_off(open.len().min(together));
            let part = |left: u64| left.div_ceil(open.len() as u64);
            let budget = Budget {
                visits: quota.min(part(settings.visits - search.visits)),
                cells: part(settings.cells - search.cells),
            };
            let outcomes: Vec<Searched> = open
                .into_par_iter()
                .with_max_len(1)
                .map(|cell| {
                    let mut workspace = take(&workspaces);
                    let found = workspace.search(&claim, cell, budget, &|| control.should_stop());
                    give(&workspaces, workspace);
                    found
                })
                .collect();
            open = rest;
            for found in outcomes {
                search.cells += found.cells;
                search.visits += found.visits;
                search.share += found.closed / at.d as f64;
                search.largest = search.largest.max(found.largest);
                violators.extend(found.violators);
                if let Some(kept) = &mut kept {
                    kept.extend(found.closed_cells);
                }
                // Beside a cell that cannot be split the claim nearly fails: the larger cells show best where it does.
                if !found.exhausted.is_empty() {
                    open.extend(found.open.into_iter().rev());
                } else {
                    open.extend(found.open);
                }
                exhausted.extend(found.exhausted);
            }
            progress(SearchProgress { cells: search.cells, share: search.share });
        }
        if open.is_empty() && exhausted.is_empty() && violators.is_empty() {
            search.proved = Some(ProvedLevel { level, claim: self });
        }
        search.largest = at.unscaled(0.5 * search.largest);
        violators.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
        search.violators = violators.iter().map(|violator| at.direction(&violator.direction)).collect();
        search.undecided = exhausted
            .iter()
            .flat_map(|centre| [*centre, centre.map(|u| -u)])
            .map(|direction| at.direction(&direction))
            .collect();
        search
    }
}

/// What one subtree may cost before what is left of it is divided.
#[derive(Clone, Copy)]
struct Budget {
    visits: u64,
    cells: u64,
}

fn take(workspaces: &Mutex<Vec<Workspace>>) -> Workspace {
    let mut workspaces = workspaces.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    workspaces.pop().unwrap_or_default()
}

fn give(workspaces: &Mutex<Vec<Workspace>>, workspace: Workspace) {
    workspaces.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(workspace);
}

/// The faces of the cube, halved in turn until there are enough of them to share out.
fn first_cells(claim: &Claim<'_>) -> Vec<Cell> {
    let d = claim.d;
    let mut cells: Vec<Cell> = (0..d)
        .map(|face| {
            let (mut centre, mut half) = ([0.0; MOST], [0.0; MOST]);
            half[..d].fill(1.0);
            (centre[face], half[face]) = (1.0, 0.0);
            Cell { centre, half, open: claim.all_modes(), depth: 0 }
        })
        .collect();
    let mut axis = 0;
    while d > 1 && cells.len() < SIDE_BY_SIDE {
        cells = cells
            .into_iter()
            .flat_map(|cell| if cell.half[axis] > 0.0 { cell.halves(axis).to_vec() } else { vec![cell] })
            .collect();
        axis = (axis + 1) % d;
    }
    cells
}
