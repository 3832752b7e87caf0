//! Why a proof cost much of a bound, in words.

use crate::certificate::{Certificate, ProofSettings, prove_with};
use crate::dual::DualPoint;
use crate::error::Error;
use crate::problem::TrainingProblem;
use crate::relaxation::Lifting;

/// Directions closer than this make multipliers so large that rounding counts.
const CLOSE: f64 = 1e-4;

/// What cost the bound of a dual point, in words: why it is refused as it is, and which samples are nearly parallel.
pub(crate) fn cause(problem: &TrainingProblem, dual: &DualPoint, settings: &ProofSettings) -> String {
    let refusal = match prove_with(problem, &Certificate::new(dual.clone()), settings) {
        Err(Error::Refused(why)) => why,
        _ => "the room for rounding costs more than a thousandth".into(),
    };
    match nearest(problem) {
        Some((i, j, distance)) if distance < CLOSE => {
            format!("{refusal}; samples {i} and {j} differ by {distance:.0e} in direction")
        }
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
