//! A run of `certify` with the reference solver in place of the low-rank one.

use crate::certificate::ProofSettings;
use crate::certify::certified::Certified;
use crate::certify::report::{Relaxed, Report, Road, Seconds, SolverFigures, Status};
use crate::control::Control;
use crate::error::Result;
use crate::interior_point::{
    ReferenceIteration, ReferenceSettings, ReferenceSolution, ReferenceStatus, solve_lifted,
};
use crate::problem::TrainingProblem;
use crate::relaxation::Lifting;
use crate::repair::{certify_dual_with, dual_point};
use crate::training::{TrainingSettings, train};
use std::time::Instant;

/// Trains a network, solves the relaxation by the reference solver and proves a lower bound from its dual point.
///
/// The certificate is made and proved by the code that serves [`crate::certify`]; only the source of the dual point differs.
/// Stopping through `control` gives the bound of the best point so far.
pub fn certify_by_interior_point(
    problem: &TrainingProblem,
    settings: &ReferenceSettings,
    training: &TrainingSettings,
    control: &Control,
    observer: &mut dyn FnMut(&ReferenceIteration),
) -> Result<Certified> {
    settings.check()?;
    training.validate()?;
    let rounding = Instant::now();
    let network = train(problem, training, control);
    let mut seconds = Seconds { round: rounding.elapsed().as_secs_f64(), ..Seconds::default() };

    let solving = Instant::now();
    let lifting = Lifting::new(problem)?;
    let solution = solve_lifted(&lifting, settings, control, observer)?;
    seconds.solve = solving.elapsed().as_secs_f64();

    let certifying = Instant::now();
    // The multiplier of the loss is target − prediction.
    let residual: Vec<f64> = solution.fit_residual.iter().map(|w| -w).collect();
    let dual = dual_point(problem, &lifting, &solution.pairs, &residual);
    let proving = ProofSettings { seed: Some(training.seed), ..ProofSettings::default() };
    let (certificate, proof) = certify_dual_with(problem, &dual, &proving)?;
    seconds.certify = certifying.elapsed().as_secs_f64();

    let report = Report::assemble(problem, &network, &certificate, &proof, &relaxed(&solution), seconds);
    Ok(Certified { network, certificate, proof, report })
}

fn relaxed(solution: &ReferenceSolution) -> Relaxed {
    let status = match solution.status {
        ReferenceStatus::Solved | ReferenceStatus::AlmostSolved => Status::Converged,
        ReferenceStatus::TimeLimit => Status::TimeLimit,
        ReferenceStatus::Cancelled => Status::Cancelled,
        ReferenceStatus::Stalled
        | ReferenceStatus::Breakdown
        | ReferenceStatus::IterationLimit
        | ReferenceStatus::PairLimit => Status::Stalled,
    };
    let solver = SolverFigures {
        value: solution.value,
        estimated_bound: solution.dual_value,
        infeasibility: solution.primal_infeasibility,
        rank: solution.rank,
        pairs: solution.pairs.len(),
        active_pairs: solution.active_pairs,
        status,
    };
    Relaxed { solver, road: Some(Road::InteriorPoint), ..Relaxed::nothing() }
}
