//! What the reference solver is told, what it tells, and how it can end.

use crate::error::{Error, Result};
use crate::relaxation::cuts::Cuts;
use crate::relaxation::{Cut, Lifting, PairSet, scan_cuts};

/// Pairs with less than this part of the largest multiplier are not taken into the next round of cuts: what is missed
/// the scan finds again, and each pair held costs its share of a cubic factorisation.
const CARRIES: f64 = 1e-2;
/// Products of each new cut that are held from the start.
const PRODUCTS: usize = 2;

/// Settings of the reference solver; the defaults suit every problem it is practical for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct ReferenceSettings {
    /// Relative gap, relative infeasibilities and violation of the pairs not held at which a run ends
    /// (default 1e-8).
    pub tolerance: f64,
    /// A run that cannot go on counts as almost solved if it got this far (default 1e-6).
    pub reduced_tolerance: f64,
    /// Most interior-point iterations, all additions of pairs together (default 300).
    pub max_iterations: usize,
    /// Most pairs held (default 20 000).
    pub max_pairs: usize,
    /// Most rows n·c + n + pairs of the Schur complement, which takes 8·rows² bytes (default 25 000: 5 GB).
    pub max_rows: usize,
    /// Most nearly opposite forms of each form that are held from the start (default 4).
    pub neighbours: usize,
    /// Most violated pairs added for each form at a time (default 2).
    pub pairs_per_form: usize,
    /// Degree of parallelism of products and factorisations (default 1). The bits of the result depend on this
    /// number and not on how many threads there are.
    pub parallelism: usize,
    /// Sublinear forms beyond the published relaxation (default none): each round of them is a solve of its own.
    pub cuts: Cuts,
}

impl Default for ReferenceSettings {
    fn default() -> Self {
        Self {
            tolerance: 1e-8,
            reduced_tolerance: 1e-6,
            max_iterations: 300,
            max_pairs: 20_000,
            max_rows: 25_000,
            neighbours: 4,
            pairs_per_form: 2,
            parallelism: 1,
            cuts: Cuts::None,
        }
    }
}

impl ReferenceSettings {
    pub(crate) fn check(&self) -> Result<()> {
        for (name, value) in [("tolerance", self.tolerance), ("reduced_tolerance", self.reduced_tolerance)] {
            if !(value > 0.0 && value < 1.0) {
                return Err(Error::Parameter { name, value: value.to_string(), range: "between 0 and 1" });
            }
        }
        for (name, value) in [("parallelism", self.parallelism), ("pairs_per_form", self.pairs_per_form)] {
            if value == 0 {
                return Err(Error::Parameter { name, value: value.to_string(), range: "at least 1" });
            }
        }
        Ok(())
    }
}

/// How a run of the reference solver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReferenceStatus {
    /// Gap, infeasibilities and all pairs to the tolerance.
    Solved,
    /// To the reduced tolerance; rounding kept it from the other.
    AlmostSolved,
    /// Many iterations without progress, short of the reduced tolerance.
    Stalled,
    /// A factorisation broke down, short of the reduced tolerance.
    Breakdown,
    /// Out of iterations.
    IterationLimit,
    /// More violated pairs than may be held, or more rows.
    PairLimit,
    /// The deadline passed.
    TimeLimit,
    /// Cancelled through the control.
    Cancelled,
}

impl ReferenceStatus {
    /// Whether the value is one to compare others with.
    pub fn is_solved(self) -> bool {
        matches!(self, Self::Solved | Self::AlmostSolved)
    }
}

impl std::fmt::Display for ReferenceStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Solved => "solved",
            Self::AlmostSolved => "almost solved",
            Self::Stalled => "stalled",
            Self::Breakdown => "numerical breakdown",
            Self::IterationLimit => "iteration limit",
            Self::PairLimit => "pair limit",
            Self::TimeLimit => "time limit",
            Self::Cancelled => "cancelled",
        })
    }
}

/// One line of the iteration log, told before the iteration's step is made.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ReferenceIteration {
    /// Iterations made so far.
    pub iteration: usize,
    /// Objective at the primal point, in units of the training objective.
    pub value: f64,
    /// Dual objective, in the same units; a bound once the dual infeasibility is zero.
    pub dual_value: f64,
    /// |value − dual value| / value.
    pub gap: f64,
    /// Largest violation of an equality or a held pair, against 1 + the mean square of a form.
    pub primal_infeasibility: f64,
    /// Largest entry of the dual residual, against the weight decays of its row and column.
    pub dual_infeasibility: f64,
    /// Mean complementarity, in scaled units.
    pub mu: f64,
    /// Primal step length of the iteration before.
    pub primal_step: f64,
    /// Dual step length of the iteration before.
    pub dual_step: f64,
    /// Pairs held.
    pub pairs: usize,
    /// Seconds since the run began.
    pub seconds: f64,
}

/// What the reference solver found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReferenceSolution {
    /// How the run ended.
    pub status: ReferenceStatus,
    /// Objective of the relaxation at the primal point, in units of the training objective.
    pub value: f64,
    /// Objective at the dual point, in the same units. Not proved to be a bound: that is a certificate's task.
    pub dual_value: f64,
    /// |value − dual value| / value.
    pub gap: f64,
    /// Largest violation of an equality or a held pair, against 1 + the mean square of a form.
    pub primal_infeasibility: f64,
    /// Largest entry of the dual residual, against the weight decays of its row and column.
    pub dual_infeasibility: f64,
    /// Interior-point iterations.
    pub iterations: usize,
    /// Eigenvalues of Λ above 1e-5 of the largest.
    pub rank: usize,
    /// Pairs whose multiplier is larger than their product, both in normalised form.
    pub active_pairs: usize,
    /// A triangular factor of Λ's block of (u, δ) (order × order, row-major), in the lifting's coordinates.
    pub factor: Vec<f64>,
    /// W in scaled terms, row-major: one row for each row of `Lifting::fit`, c values each.
    pub fit_residual: Vec<f64>,
    /// Pairs held, with the multipliers of pairs and equalities in normalised form
    /// (`PairSet::plain_multipliers` maps them back).
    pub pairs: PairSet,
    /// Seconds.
    pub seconds: f64,
}

impl ReferenceSolution {
    /// The base forms at the factor (2G × columns, row-major), and the number of columns.
    pub fn base_rows(&self, lifting: &Lifting) -> (Vec<f64>, usize) {
        let columns = lifting.order();
        let mut rows = vec![0.0; lifting.base.len() * columns];
        lifting.base.evaluate(&self.factor, columns, &mut rows);
        (rows, columns)
    }

    /// The pairs and cuts that carry something here, and further cuts with the products that this point violates most:
    /// where the next solve begins.
    pub(crate) fn pairs_with(&self, lifting: &Lifting, cuts: Vec<Cut>) -> PairSet {
        let mut pairs = self.pairs.clone();
        let largest = pairs.multipliers.iter().copied().fold(0.0, f64::max);
        let keep: Vec<bool> = pairs.multipliers.iter().map(|n| *n > CARRIES * largest).collect();
        pairs.retain(lifting, &keep);
        pairs.drop_idle_cuts(lifting);
        pairs.add_cuts(lifting, cuts);
        let columns = lifting.order();
        let mut rows = vec![0.0; pairs.forms.len() * columns];
        pairs.forms.evaluate(&self.factor, columns, &mut rows);
        let violated = scan_cuts(lifting, &pairs, &rows, columns, 0.0, PRODUCTS);
        pairs.add(lifting, &violated.iter().map(|violation| violation.key).collect::<Vec<_>>());
        pairs
    }

    /// The solution when no network can lower the loss: zero, primal and dual.
    pub(super) fn zero(lifting: &Lifting, pairs: PairSet) -> Self {
        let value = lifting.unscale(0.0);
        Self {
            status: ReferenceStatus::Solved,
            value,
            dual_value: value,
            gap: 0.0,
            primal_infeasibility: 0.0,
            dual_infeasibility: 0.0,
            iterations: 0,
            rank: 0,
            active_pairs: 0,
            factor: vec![0.0; lifting.order() * lifting.order()],
            fit_residual: vec![0.0; lifting.fit_targets.len()],
            pairs,
            seconds: 0.0,
        }
    }
}
