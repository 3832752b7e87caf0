//! The figures of a run, as one JSON object.

use crate::bounds::{Gap, LowerBound, UpperBound};
use crate::branch::{BranchStatus, Forecast};
use crate::certificate::{Certificate, Grade, Proof};
use crate::error::{Error, Result};
use crate::problem::{Network, TrainingProblem};
use crate::system::memory::peak_memory_bytes;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Status {
    /// The bound reached the tolerance.
    Converged,
    /// The deadline passed.
    TimeLimit,
    /// The caller, or Ctrl-C, asked it to stop.
    Cancelled,
    /// Rounding or a spurious stationary point kept the bound from improving.
    Stalled,
    /// Branch and bound spent what it was allowed.
    Budget,
    /// The solver converged, but its bound was lost to rounding in the proof: the lower bound is weaker than it need be.
    Unproved,
}

/// A proof that loses more than this fraction of the solver's bound is the reason why the bound is weak.
pub(crate) const LOSS: f64 = 1e-3;

impl Status {
    /// The name that the JSON object carries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::TimeLimit => "time_limit",
            Self::Cancelled => "cancelled",
            Self::Stalled => "stalled",
            Self::Budget => "budget",
            Self::Unproved => "unproved",
        }
    }
}

/// What the lower bound comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Road {
    /// Branch and bound over one neuron.
    Branch,
    /// The relaxation, by the low-rank factor.
    LowRank,
    /// The relaxation, by the interior-point method.
    InteriorPoint,
}

impl Road {
    /// The name that the JSON object carries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::LowRank => "low-rank",
            Self::InteriorPoint => "interior-point",
        }
    }
}

/// What branch and bound did in a run.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BranchFigures {
    /// Directions that were searched: the rank of the samples.
    pub dimension: usize,
    /// Cells of all searches.
    pub cells: u64,
    /// Samples whose sign was open on a cell, summed over the cells: the work.
    pub visits: u64,
    /// (M − γ)/γ at the last level M that was proved; null where none was.
    pub epsilon: Option<f64>,
    /// Why it ended.
    pub status: BranchStatus,
    /// ESTIMATE of what the tolerance would take; null where it was reached or nothing is known.
    pub forecast: Option<Forecast>,
}

/// Seconds spent in each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Seconds {
    /// Reading and preparing the data.
    pub load: f64,
    /// Branch and bound, with the training in between.
    #[cfg_attr(feature = "serde", serde(default))]
    pub search: f64,
    /// Solving the relaxation.
    pub solve: f64,
    /// Repairing and proving the lower bound.
    pub certify: f64,
    /// Rounding the relaxation to a network.
    pub round: f64,
}

/// The figures of a run; its serde form is the object that `--json` prints and `report.json` holds.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Report {
    /// Version of this layout: [`Report::SCHEMA`].
    pub schema: u32,
    /// n.
    pub samples: usize,
    /// d, with the bias column.
    pub features: usize,
    /// c.
    pub outputs: usize,
    /// γ.
    pub gamma: f64,
    /// Objective of the returned network, rounded upwards.
    pub upper_bound: UpperBound,
    /// m.
    pub network_width: usize,
    /// ESTIMATE of how far the network is from optimal: the largest |Wᵀ(Xu)₊|/γ‖u‖ that a search over directions u found for
    /// its residual W, 1 at a global optimum; null where the run was stopped before it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub stationarity: Option<f64>,
    /// What the lower bound comes from.
    pub method: Road,
    /// Value of the relaxation at the solver's point; null where none was solved, as in a run that was stopped.
    pub relaxation_value: Option<f64>,
    /// Largest scaled violation of the relaxation's constraints at that point; null with the value.
    pub primal_infeasibility: Option<f64>,
    /// The certified lower bound on the objective of every network.
    pub lower_bound: LowerBound,
    /// What the lower bound rests on.
    pub grade: Grade,
    /// Probability that the lower bound is wrong: 0 unless the grade is probabilistic.
    pub failure_probability: f64,
    /// (upper − lower) / upper, rounded upwards.
    pub gap: Gap,
    /// (relaxation − lower) / relaxation: the part of the gap that more solving could close; null with the value.
    pub solver_gap: Option<f64>,
    /// Blocks of samples that the problem was divided into; 1 for none. With more, `relaxation_value` is the sum of the
    /// blocks' values and `solver_gap` is relative to it.
    pub blocks: usize,
    /// Blocks not begun before the run was stopped: each counts with the bound 0.
    pub unsolved_blocks: usize,
    /// ESTIMATE of the part of the undivided relaxation's value that dividing lost; null for one block, or if unknown.
    pub dividing_loss: Option<f64>,
    /// Columns of the low-rank factor.
    pub rank: usize,
    /// Pair constraints held.
    pub pairs: usize,
    /// Pair constraints with a positive multiplier.
    pub active_pairs: usize,
    /// Sublinear forms that the certificate carries; 0 for the published relaxation.
    pub cuts: usize,
    /// Cells of branch and bound; null where it was not tried.
    pub cells: Option<u64>,
    /// What branch and bound did; null where it was not tried.
    pub branch: Option<BranchFigures>,
    /// Why the run ended.
    pub status: Status,
    /// What cost the bound, where the status is [`Status::Unproved`]; else null.
    pub cause: Option<String>,
    /// What kept the run from ending in time, where it passed its time limit by more than a tenth and a second; else null.
    pub overrun: Option<String>,
    /// Seconds spent in each phase.
    pub seconds: Seconds,
    /// Largest resident memory of the process; null where the system does not say.
    pub peak_memory_bytes: Option<u64>,
}

/// What a solver of the relaxation, whichever it is, has to say of its run.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SolverFigures {
    /// Value of the relaxation at the solver's point.
    pub value: f64,
    /// The lower bound before its proof, an estimate.
    pub estimated_bound: f64,
    /// Largest scaled violation of the relaxation's constraints.
    pub infeasibility: f64,
    /// Columns of the low-rank factor.
    pub rank: usize,
    /// Pair constraints held.
    pub pairs: usize,
    /// Pair constraints with a positive multiplier.
    pub active_pairs: usize,
    /// Why the solver ended.
    pub status: Status,
}

impl SolverFigures {
    /// What to add blocks to.
    pub(crate) fn nothing() -> Self {
        Self {
            value: 0.0,
            estimated_bound: 0.0,
            infeasibility: 0.0,
            rank: 0,
            pairs: 0,
            active_pairs: 0,
            status: Status::Converged,
        }
    }
}

/// What a run says of the relaxation: the figures of its solver, or of those of its blocks together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relaxed {
    pub solver: SolverFigures,
    pub dividing_loss: Option<f64>,
    pub blocks: usize,
    pub unsolved_blocks: usize,
    /// Which solver it was; None where there was no relaxation at all.
    pub road: Option<Road>,
}

impl Relaxed {
    /// What to add blocks to.
    pub(crate) fn nothing() -> Self {
        Self {
            solver: SolverFigures::nothing(),
            dividing_loss: None,
            blocks: 1,
            unsolved_blocks: 0,
            road: Some(Road::LowRank),
        }
    }

    /// A network, as a point of the relaxation that has this value there.
    pub(crate) fn of_network(value: f64) -> Self {
        let mut relaxed = Self::nothing();
        relaxed.solver.value = value;
        relaxed
    }

    /// Where no relaxation was solved, because branch and bound ended the run.
    pub(crate) fn skipped(status: Status) -> Self {
        Self { solver: SolverFigures { status, ..SolverFigures::nothing() }, road: None, ..Self::nothing() }
    }

    /// Whether the run came to its end, so that its value is that of a relaxation.
    pub(crate) fn is_solved(&self) -> bool {
        self.road.is_some() && !matches!(self.solver.status, Status::TimeLimit | Status::Cancelled)
    }

    /// Adds a block: sums, but the largest infeasibility and rank, and the first status that is not good, one that was
    /// stopped before others.
    pub(crate) fn add(&mut self, block: &Self) {
        self.solver.value += block.solver.value;
        self.solver.estimated_bound += block.solver.estimated_bound;
        self.solver.infeasibility = self.solver.infeasibility.max(block.solver.infeasibility);
        self.solver.rank = self.solver.rank.max(block.solver.rank);
        self.solver.pairs += block.solver.pairs;
        self.solver.active_pairs += block.solver.active_pairs;
        self.unsolved_blocks += block.unsolved_blocks;
        if self.solver.status == Status::Converged || (self.is_solved() && !block.is_solved()) {
            self.solver.status = block.solver.status;
        }
    }
}

impl Report {
    /// The layout described here.
    pub const SCHEMA: u32 = 1;

    /// The report of a solver's run and of the proof made from its dual point.
    pub(crate) fn assemble(
        problem: &TrainingProblem,
        network: &Network,
        certificate: &Certificate,
        proof: &Proof,
        relaxed: &Relaxed,
        seconds: Seconds,
    ) -> Self {
        let upper_bound = network.objective_upper(problem);
        let lower_bound =
            if proof.grade() == Grade::None { LowerBound::trivial() } else { proof.lower_bound() };
        let lost = lower_bound < (1.0 - LOSS) * relaxed.solver.estimated_bound;
        let status = if relaxed.solver.status == Status::Converged && lost {
            Status::Unproved
        } else {
            relaxed.solver.status
        };
        Self {
            schema: Self::SCHEMA,
            samples: problem.samples(),
            features: problem.inputs(),
            outputs: problem.outputs(),
            gamma: problem.weight_decay(),
            upper_bound,
            network_width: network.width(),
            relaxation_value: relaxed.is_solved().then_some(relaxed.solver.value),
            primal_infeasibility: relaxed.is_solved().then_some(relaxed.solver.infeasibility),
            lower_bound,
            grade: proof.grade(),
            failure_probability: proof.failure_probability(),
            gap: Gap::between(upper_bound, lower_bound),
            solver_gap: relaxed
                .is_solved()
                .then(|| Self::relative_gap(relaxed.solver.value, lower_bound.value())),
            blocks: relaxed.blocks,
            unsolved_blocks: relaxed.unsolved_blocks,
            dividing_loss: relaxed.dividing_loss,
            rank: relaxed.solver.rank,
            pairs: relaxed.solver.pairs,
            active_pairs: relaxed.solver.active_pairs,
            cuts: certificate.dual().cuts.len(),
            method: match relaxed.road {
                Some(road) if !certificate.is_by_branch() => road,
                _ => Road::Branch,
            },
            cells: None,
            branch: None,
            status,
            cause: None,
            overrun: None,
            stationarity: None,
            seconds,
            peak_memory_bytes: peak_memory_bytes(),
        }
    }

    /// The report of branch and bound by itself, of a problem of n samples, d features and c outputs.
    #[expect(clippy::too_many_arguments, reason = "each is a figure of its own")]
    pub(crate) fn of_search(
        (samples, features, outputs): (usize, usize, usize),
        gamma: f64,
        network_width: usize,
        (upper_bound, lower_bound): (UpperBound, LowerBound),
        grade: Grade,
        figures: BranchFigures,
        status: Status,
        seconds: Seconds,
    ) -> Self {
        Self {
            schema: Self::SCHEMA,
            samples,
            features,
            outputs,
            gamma,
            upper_bound,
            network_width,
            stationarity: None,
            method: Road::Branch,
            relaxation_value: None,
            primal_infeasibility: None,
            lower_bound,
            grade,
            failure_probability: 0.0,
            gap: Gap::between(upper_bound, lower_bound),
            solver_gap: None,
            blocks: 1,
            unsolved_blocks: 0,
            dividing_loss: None,
            rank: 0,
            pairs: 0,
            active_pairs: 0,
            cuts: 0,
            cells: Some(figures.cells),
            branch: Some(figures),
            status,
            cause: None,
            overrun: None,
            seconds,
            peak_memory_bytes: peak_memory_bytes(),
        }
    }

    /// Notes what branch and bound did.
    pub(crate) fn searched(&mut self, figures: BranchFigures) {
        self.cells = Some(figures.cells);
        self.branch = Some(figures);
    }

    /// Whether the lower bound is proved and close: to the network, or to the relaxation's value if the solver
    /// converged (an infeasible point's value says nothing).
    pub fn meets(&self, tolerance: f64) -> bool {
        // What dividing cost counts too, by its estimate; where that is not known nothing is claimed.
        let lost = if self.blocks > 1 { self.dividing_loss.unwrap_or(1.0) } else { 0.0 };
        let close = self.solver_gap.is_some_and(|gap| gap + lost <= tolerance);
        let solved = self.status == Status::Converged && close;
        self.grade != Grade::None && (self.gap <= tolerance || solved)
    }

    /// (above − below) / above, to nearest; 0 where both are zero. For estimates: between bounds it is [`Gap::between`].
    pub fn relative_gap(above: f64, below: f64) -> f64 {
        if above == below { 0.0 } else { (above - below) / above }
    }
}

/// What a block's solver says of its run. Only `lower_bound` was ever proved, and whoever loads it from a file has to
/// prove it again: [`Division::gather`](crate::Division::gather) does.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BlockFigures {
    /// The solver's.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub solver: SolverFigures,
    /// Whether the block was begun at all; if not, its bound is the 0 that needs no proof.
    pub begun: bool,
    /// The block's part of the lower bound, as it was proved.
    pub lower_bound: LowerBound,
    /// What that rests on.
    pub grade: Grade,
    /// Probability that it is wrong.
    pub failure_probability: f64,
    /// Seconds spent solving.
    pub solve_seconds: f64,
    /// Seconds spent repairing and proving.
    pub certify_seconds: f64,
}

impl BlockFigures {
    /// Of a solver's run of which nothing is proved.
    pub(crate) fn unproved(relaxed: &Relaxed) -> Self {
        Self {
            solver: relaxed.solver,
            begun: relaxed.unsolved_blocks == 0,
            lower_bound: LowerBound::trivial(),
            grade: Grade::None,
            failure_probability: 0.0,
            solve_seconds: 0.0,
            certify_seconds: 0.0,
        }
    }

    /// Whether the solver ended by itself, so that solving again would bring nothing new.
    pub(crate) fn is_settled(&self) -> bool {
        self.begun && !matches!(self.solver.status, Status::TimeLimit | Status::Cancelled)
    }

    pub(crate) fn relaxed(&self) -> Relaxed {
        Relaxed { solver: self.solver, unsolved_blocks: usize::from(!self.begun), ..Relaxed::nothing() }
    }

    /// Whether the figures can be those of a run; they may come from a file.
    pub(crate) fn check(&self) -> Result<()> {
        let numbers = [
            self.solver.value,
            self.solver.estimated_bound,
            self.solver.infeasibility,
            self.lower_bound.value(),
            self.failure_probability,
            self.solve_seconds,
            self.certify_seconds,
        ];
        match numbers.iter().all(|number| number.is_finite() && *number >= 0.0) {
            true => Ok(()),
            false => Err(Error::Refused("the figures of a block are not those of a run".into())),
        }
    }
}
