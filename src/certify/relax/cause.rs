//! Why a proof cost much of a bound, in words.

use crate::certificate::{Certificate, ProofSettings, prove_with};
use crate::dual::DualPoint;
use crate::error::Error;
use crate::problem::TrainingProblem;
use crate::relaxation::Lifting;

/// Directions closer than this make multipliers so large that rounding counts.
const CLOSE: f64 = 1e-4;

/// What cost the bound of a dual point, whose value was `estimated` and of which `proved` is left: one line.
pub(crate) fn cause(
    problem: &TrainingProblem,
    dual: &DualPoint,
    settings: &ProofSettings,
    estimated: f64,
    proved: f64,
) -> String {
    let lost = format!("its proof leaves {proved:.3e} of {estimated:.3e}");
    let refusal = match prove_with(problem, &Certificate::new(dual.clone()), settings) {
        Err(Error::Refused(why)) => format!("{lost}: {why}"),
        _ => format!("{lost}, the rest is room for rounding"),
    };
    match nearest(problem) {
        Some((i, j, distance)) if distance < CLOSE => format!(
            "{refusal}; samples {i} and {j} (from 0) are parallel but for {distance:.0e}, which costs digits: leave out one"
        ),
        _ => refusal,
    }
}

/// The two samples of the closest directions that are not the same, and their distance after whitening.
fn nearest(problem: &TrainingProblem) -> Option<(usize, usize, f64)> {
    if problem.stored_features().is_sparse() {
        return None;
    }
    let lifting = Lifting::new(problem).ok()?;
    let edges = lifting.forest.parent.iter().enumerate().filter_map(|(g, parent)| Some((g, (*parent)?)));
    let (g, (parent, distance)) = edges.min_by(|a, b| a.1.1.total_cmp(&b.1.1))?;
    let sample = |group: usize| lifting.geometry.samples.iter().position(|link| link.group == Some(group));
    Some((sample(g)?, sample(parent)?, distance))
}
