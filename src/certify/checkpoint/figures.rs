//! Figures of a run as rows of numbers, and back.

use crate::bounds::LowerBound;
use crate::certificate::Grade;
use crate::certify::report::{BlockFigures, Relaxed, Status};

/// Numbers of a block.
pub(super) const BLOCK: usize = 12;
/// Numbers of a run in one piece.
pub(super) const WHOLE: usize = 7;

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

/// Figures of a settled block.
pub(super) fn of_block(figures: &BlockFigures) -> [f64; BLOCK] {
    [
        figures.value,
        figures.estimated_bound,
        figures.infeasibility,
        figures.rank as f64,
        figures.pairs as f64,
        figures.active_pairs as f64,
        of_status(figures.status),
        figures.lower_bound.value(),
        of_grade(figures.grade),
        figures.failure_probability,
        figures.solve_seconds,
        figures.certify_seconds,
    ]
}

pub(super) fn to_block(row: &[f64]) -> Option<BlockFigures> {
    let &[value, bound, infeasibility, rank, pairs, active, status, lower, grade, failure, solve, certify] =
        row
    else {
        return None;
    };
    Some(BlockFigures {
        value: measure(value)?,
        estimated_bound: measure(bound)?,
        infeasibility: measure(infeasibility)?,
        rank: whole(rank)?,
        pairs: whole(pairs)?,
        active_pairs: whole(active)?,
        status: to_status(status)?,
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
    [
        relaxed.value,
        relaxed.bound,
        relaxed.infeasibility,
        relaxed.rank as f64,
        relaxed.pairs as f64,
        relaxed.active_pairs as f64,
        of_status(relaxed.status),
    ]
}

pub(super) fn to_whole(row: &[f64]) -> Option<Relaxed> {
    let &[value, bound, infeasibility, rank, pairs, active, status] = row else { return None };
    Some(Relaxed {
        value: measure(value)?,
        bound: measure(bound)?,
        infeasibility: measure(infeasibility)?,
        rank: whole(rank)?,
        pairs: whole(pairs)?,
        active_pairs: whole(active)?,
        status: to_status(status)?,
        ..Relaxed::nothing()
    })
}
