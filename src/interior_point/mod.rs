//! A dense primal-dual interior-point solver: the independent reference of the low-rank one.
//!
//! It solves the relaxation on the lifted matrix Λ itself, of order q = rank X + G + c, with pairs added as
//! they are violated:
//!
//! min ½‖A_fit(Λ) − t‖² + ⟨C, Λ⟩ subject to A_eq(Λ) = 0, A_pair(Λ) ≥ 0, Λ ⪰ 0;
//! max ⟨w, t⟩ − ½‖w‖² subject to C − A*(w, y, N) = S ⪰ 0, N ≥ 0.
//!
//! Infeasible path following with the HKM direction (Helmberg, Rendl, Vanderbei and Wolkowicz 1996; Kojima,
//! Shindoh and Hara 1997; Monteiro 1997) and Mehrotra's predictor and corrector. With m = (fit rows)·c + G + |E|
//! an iteration costs m³/3 for the Cholesky factorisation of the Schur complement, O(m²) to form it and O(q³)
//! besides; memory is 8m² bytes and a little. Practical to n ≈ 1000.

mod backtrack;
mod dense;
mod growth;
mod newton;
mod operator;
mod point;
mod run;
mod schur;
mod separation;
mod settings;

pub use settings::{ReferenceIteration, ReferenceSettings, ReferenceSolution, ReferenceStatus};

use crate::control::Control;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use crate::relaxation::{Lifting, PairSet};

/// Solves the relaxation of a training problem to high accuracy.
///
/// `observer` is told of every iteration, and `control` is asked before each: one takes about
/// (nc + n + pairs)³/3 operations. Stopping through `control`, running out of iterations and numerical
/// trouble are not errors: the best point so far comes back with the status that says so.
pub fn solve(
    problem: &TrainingProblem,
    settings: &ReferenceSettings,
    control: &Control,
    observer: &mut dyn FnMut(&ReferenceIteration),
) -> Result<ReferenceSolution> {
    let lifting = Lifting::new(problem)?;
    solve_lifted(&lifting, settings, control, observer)
}

/// [`solve`] on a problem that is already lifted.
pub fn solve_lifted(
    lifting: &Lifting,
    settings: &ReferenceSettings,
    control: &Control,
    observer: &mut dyn FnMut(&ReferenceIteration),
) -> Result<ReferenceSolution> {
    settings.check()?;
    let free = lifting.fit_targets.len() + lifting.groups();
    if free > settings.max_rows {
        return Err(Error::Input(format!(
            "{} outputs of {} distinct samples make more than {} rows of the reference solver's Schur complement; \
             take fewer samples or the low-rank solver",
            lifting.outputs,
            lifting.groups(),
            settings.max_rows
        )));
    }
    let pairs = PairSet::new(lifting, settings.neighbours);
    let solution = solve_from(lifting, settings, pairs, control, observer)?;
    separation::tightened(lifting, settings, solution, control, observer)
}

/// Solves with these pairs and cuts to begin with.
pub fn solve_from(
    lifting: &Lifting,
    settings: &ReferenceSettings,
    pairs: PairSet,
    control: &Control,
    observer: &mut dyn FnMut(&ReferenceIteration),
) -> Result<ReferenceSolution> {
    if lifting.fit_targets.iter().all(|&t| t == 0.0) {
        return Ok(ReferenceSolution::zero(lifting, pairs));
    }
    run::InteriorPointRun::new(lifting, settings, pairs)?.run(control, observer)
}
