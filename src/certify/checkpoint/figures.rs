//! Figures of a run as rows of numbers, and back.

use crate::bounds::LowerBound;
use crate::certificate::Grade;
use crate::certify::report::{BlockFigures, Relaxed, Status};

const STATUSES: [Status; 5] =
    [Status::Converged, Status::TimeLimit, Status::Cancelled, Status::Stalled, Status::Unproved];
const GRADES: [Grade; 3] = [Grade::Verified, Grade::Probabilistic, Grade::None];

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

fn code<T: PartialEq>(list: &[T], value: &T) -> f64 {
    list.iter().position(|known| known == value).unwrap_or(0) as f64
}

fn decoded<T: Copy>(list: &[T], value: f64) -> Option<T> {
    list.get(whole(value)?).copied()
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
        code(&STATUSES, &figures.status),
        figures.lower_bound.value(),
        code(&GRADES, &figures.grade),
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
        status: decoded(&STATUSES, status)?,
        begun: true,
        lower_bound: LowerBound::claimed(measure(lower)?),
        grade: decoded(&GRADES, grade)?,
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
        code(&STATUSES, &relaxed.status),
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
        status: decoded(&STATUSES, status)?,
        ..Relaxed::nothing()
    })
}
