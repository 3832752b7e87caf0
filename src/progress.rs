//! What an observer of a run is told.

/// One line of progress of a run, after each level of the solver; of a divided run, after some of the blocks.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Progress {
    /// Newton iterations so far; of a divided run, blocks.
    pub iteration: usize,
    /// Value of the relaxation at the low-rank point (its objective, which may still be infeasible).
    pub value: f64,
    /// Best lower bound so far; its proof is made at the end of the run.
    pub lower_bound: f64,
    /// Objective of the best network so far.
    pub upper_bound: f64,
    /// Largest scaled violation of the relaxation's constraints.
    pub infeasibility: f64,
    /// Columns of the low-rank factor.
    pub rank: usize,
    /// Pair constraints held.
    pub pairs: usize,
    /// Seconds since the run began.
    pub seconds: f64,
    /// Blocks done, and blocks in all; none where the problem is not divided.
    pub blocks: Option<(usize, usize)>,
    /// Round of prices that has just ended, 0 before the first; none outside them. Value and bound are then the round's own.
    pub price_round: Option<usize>,
    /// Cells of the search at hand; none outside branch and bound. `value` is then the network's objective.
    pub cells: Option<u64>,
    /// The part of all directions that the search at hand has settled; none outside branch and bound.
    pub share: Option<f64>,
    /// ESTIMATE of the seconds left, from the blocks done so far; none where there is nothing to tell it from.
    pub seconds_left: Option<f64>,
}

/// Told of the progress of a run; the library itself never prints.
pub trait Observer {
    /// Called after each level of the solver, from the thread that called the library.
    fn progress(&mut self, _progress: &Progress) {}

    /// Told what the run goes on in spite of, such as a checkpoint that can no longer be written; one line.
    fn warning(&mut self, _message: &str) {}
}

/// An observer that ignores what it is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
