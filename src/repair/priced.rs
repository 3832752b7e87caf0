//! Dual points of a block with a price that a proof accepts. They become a bound with those of all other blocks only, and
//! that proof is made anew from the stacked certificate.

use super::certify_dual::{growing_room, proof_margin};
use super::search::ShiftSearch;
use super::settings::RepairSettings;
use crate::certificate::{Limits, ProofSettings, bound_below, lifted_is_semidefinite};
use crate::dual::DualPoint;
use crate::error::Result;
use crate::problem::{HeadDecay, TrainingProblem};

/// A repaired point whose slack has just been proved at γI + M, and its value ⟨W, Y⟩ − ½‖W‖² (an estimate of the block's
/// part of the bound); the zero point where none was found. `problem` is the block at its share of the weight decay.
pub(crate) fn provable_point(
    problem: &TrainingProblem,
    head: &HeadDecay,
    dual: &DualPoint,
    settings: &ProofSettings,
) -> Result<(DualPoint, f64)> {
    let order = problem.inputs() + problem.outputs() + problem.samples();
    let limits = Limits::new(settings);
    let margin = proof_margin(order);
    let repair = RepairSettings { margin, ..RepairSettings::default() };
    let mut search = ShiftSearch::new(problem, Some(head), dual, &repair)?;
    for (margin, part) in growing_room(margin) {
        let point = search.finish(problem, margin, part).dual;
        let proved = lifted_is_semidefinite(problem, &point, head.prices().as_ref(), &limits);
        if let (Ok(Some(())), Some(value)) = (proved, bound_below(problem, &point)) {
            return Ok((point, value.max(0.0)));
        }
    }
    Ok((DualPoint::zero(problem.samples(), problem.outputs()), 0.0))
}
