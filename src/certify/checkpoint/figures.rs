//! Figures of a run as rows of numbers, and back.

use crate::bounds::LowerBound;
use crate::branch::{BranchStatus, Forecast};
use crate::certificate::Grade;
use crate::certify::report::{BlockFigures, BranchFigures, Relaxed, Road, SolverFigures, Status};

/// Numbers of a block.
pub(super) const BLOCK: usize = 12;
/// Numbers of a run in one piece.
pub(super) const WHOLE: usize = 8;
/// Numbers of a search by branch and bound.
pub(super) const SEARCH: usize = 8;

/// A whole number from 0 that a double holds exactly.
pub(super) fn whole(value: f64) -> Option<usize> {
    (value >= 0.0 && value.fract() == 0.0 && value <= 9e15).then_some(value as usize)
}

/// A number that is finite and not negative.
pub(super) fn measure(value: f64) -> Option<f64> {
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// The number of a status. A new one has to be given a number here, and back in [`to_status`].
fn of_status(status: Status) -> f64 {
    match status {
        Status::Converged => 0.0,
        Status::TimeLimit => 1.0,
        Status::Cancelled => 2.0,
        Status::Stalled => 3.0,
        Status::Unproved => 4.0,
        Status::Budget => 5.0,
    }
}

/// None where no version of this layout has such a status.
fn to_status(number: f64) -> Option<Status> {
    let known = [
        Status::Converged,
        Status::TimeLimit,
        Status::Cancelled,
        Status::Stalled,
        Status::Unproved,
        Status::Budget,
    ];
    known.into_iter().find(|status| of_status(*status) == number)
}

fn of_grade(grade: Grade) -> f64 {
    match grade {
        Grade::Verified => 0.0,
        Grade::Probabilistic => 1.0,
        Grade::None => 2.0,
    }
}

fn to_grade(number: f64) -> Option<Grade> {
    let known = [Grade::Verified, Grade::Probabilistic, Grade::None];
    known.into_iter().find(|grade| of_grade(*grade) == number)
}

/// Numbers of a solver.
const SOLVER: usize = 7;

fn of_solver(figures: &SolverFigures) -> [f64; SOLVER] {
    [
        figures.value,
        figures.estimated_bound,
        figures.infeasibility,
        figures.rank as f64,
        figures.pairs as f64,
        figures.active_pairs as f64,
        of_status(figures.status),
    ]
}

fn to_solver(row: [f64; SOLVER]) -> Option<SolverFigures> {
    let [value, bound, infeasibility, rank, pairs, active, status] = row;
    Some(SolverFigures {
        value: measure(value)?,
        estimated_bound: measure(bound)?,
        infeasibility: measure(infeasibility)?,
        rank: whole(rank)?,
        pairs: whole(pairs)?,
        active_pairs: whole(active)?,
        status: to_status(status)?,
    })
}

/// Figures of a settled block.
pub(super) fn of_block(figures: &BlockFigures) -> [f64; BLOCK] {
    let [value, bound, infeasibility, rank, pairs, active, status] = of_solver(&figures.solver);
    let lower = figures.lower_bound.value();
    let grade = of_grade(figures.grade);
    let BlockFigures { failure_probability: failure, solve_seconds: solve, certify_seconds: certify, .. } =
        *figures;
    [value, bound, infeasibility, rank, pairs, active, status, lower, grade, failure, solve, certify]
}

pub(super) fn to_block(row: &[f64]) -> Option<BlockFigures> {
    let &[value, bound, infeasibility, rank, pairs, active, status, lower, grade, failure, solve, certify] =
        row
    else {
        return None;
    };
    Some(BlockFigures {
        solver: to_solver([value, bound, infeasibility, rank, pairs, active, status])?,
        begun: true,
        lower_bound: LowerBound::claimed(measure(lower)?),
        grade: to_grade(grade)?,
        failure_probability: measure(failure)?,
        solve_seconds: measure(solve)?,
        certify_seconds: measure(certify)?,
    })
}

/// Figures of a run in one piece.
pub(super) fn of_whole(relaxed: &Relaxed) -> [f64; WHOLE] {
    let [value, bound, infeasibility, rank, pairs, active, status] = of_solver(&relaxed.solver);
    [value, bound, infeasibility, rank, pairs, active, status, of_road(relaxed.road)]
}

pub(super) fn to_whole(row: &[f64]) -> Option<Relaxed> {
    let &[value, bound, infeasibility, rank, pairs, active, status, road] = row else { return None };
    let solver = to_solver([value, bound, infeasibility, rank, pairs, active, status])?;
    Some(Relaxed { solver, road: to_road(road)?, ..Relaxed::nothing() })
}

/// The number of a solver of the relaxation, 0 where none was at work.
fn of_road(road: Option<Road>) -> f64 {
    match road {
        None | Some(Road::Branch) => 0.0,
        Some(Road::LowRank) => 1.0,
        Some(Road::InteriorPoint) => 2.0,
    }
}

fn to_road(number: f64) -> Option<Option<Road>> {
    let known = [None, Some(Road::LowRank), Some(Road::InteriorPoint)];
    known.into_iter().find(|road| of_road(*road) == number)
}

/// The number of an end of branch and bound. A new one has to be given a number here, and back in [`to_end`].
fn of_end(status: BranchStatus) -> f64 {
    match status {
        BranchStatus::Reached => 0.0,
        BranchStatus::Budget => 1.0,
        BranchStatus::Stopped => 2.0,
        BranchStatus::Stalled => 3.0,
        BranchStatus::OutOfReach => 4.0,
    }
}

fn to_end(number: f64) -> Option<BranchStatus> {
    let known = [
        BranchStatus::Reached,
        BranchStatus::Budget,
        BranchStatus::Stopped,
        BranchStatus::Stalled,
        BranchStatus::OutOfReach,
    ];
    known.into_iter().find(|status| of_end(*status) == number)
}

/// Figures of a search; a number that is not known is NaN.
pub(super) fn of_search(figures: &BranchFigures) -> [f64; SEARCH] {
    let forecast = figures.forecast.map_or([f64::NAN; 3], |f| [f.visits, f.growth, f.gap]);
    [
        figures.dimension as f64,
        figures.cells as f64,
        figures.visits as f64,
        of_end(figures.status),
        figures.epsilon.unwrap_or(f64::NAN),
        forecast[0],
        forecast[1],
        forecast[2],
    ]
}

pub(super) fn to_search(row: &[f64]) -> Option<BranchFigures> {
    let &[dimension, cells, visits, end, epsilon, further, growth, gap] = row else { return None };
    let forecast = match [further, growth, gap] {
        unknown if unknown.iter().all(|number| number.is_nan()) => None,
        _ => Some(Forecast { visits: measure(further)?, growth: measure(growth)?, gap: measure(gap)? }),
    };
    Some(BranchFigures {
        dimension: whole(dimension)?,
        cells: whole(cells)? as u64,
        visits: whole(visits)? as u64,
        epsilon: if epsilon.is_nan() { None } else { Some(measure(epsilon)?) },
        status: to_end(end)?,
        forecast,
    })
}
