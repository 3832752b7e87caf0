//! A proof by a positive vector: no factorisation but one of the order d + c, and no more memory than the pairs take.
//!
//! Without cuts the sample block of the slack with v kept is a Z-matrix A. A vector z > 0 with Az > 0 gives A ⪰ diag(δ), and
//! approximate solutions of AX = B reduce the rest to the head; `docs/certificate.md`, section 14, pays for all rounding.

mod assembly;
mod reduced;
mod vector;

pub(crate) use assembly::{Assembly, sum_of_products};

use super::elimination::DENSE_RATE;
use super::prove::not_proved;
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::linalg::conjugate::{Conjugate, Step};
use crate::linalg::z_matrix::width;
use crate::problem::TrainingProblem;
use faer::MatRef;
use reduced::{Reduced, Verdict};
use vector::{Vector, clearly_negative, positive_vector};

/// Residuals of X, as parts of B, at which the proof is tried: most succeed at the first, a point at the boundary needs more.
const TOLERANCES: [f64; 3] = [1e-6, 1e-9, 1e-12];
/// Products that X may take, and the positive vector, times those that are estimated: a hostile certificate takes no more.
const MOST_TIMES: f64 = 4.0;
/// Products for n = 1 that X is estimated to take, the power of n that they grow like, and multiplications of theirs a second
/// (conventional).
const STEPS: f64 = 20.0;
const POWER: f64 = 0.28;
const RATE: f64 = 8e8;

/// Whether the form of section 14 is positive semidefinite, proved; none where this way cannot tell, Err where it is not.
///
/// `head` is the matrix M (order d + c), none for zero. The values are in range and every sample takes part.
pub(super) fn form_is_semidefinite(
    problem: &TrainingProblem,
    dual: &DualPoint,
    head: Option<MatRef<'_, f64>>,
) -> Result<Option<()>> {
    let assembly = match Assembly::new(problem, dual, head) {
        Ok(assembly) => assembly,
        // What is out of range here need not be so for a factorisation.
        Err(Error::Refused(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let most = (MOST_TIMES * steps(problem.samples())).ceil() as usize;
    let delta = match positive_vector(&assembly, most) {
        Vector::Floor(delta) => delta,
        Vector::Negative => return Err(not_proved()),
        Vector::Unknown => return Ok(None),
    };
    let right = assembly.side.clone();
    let mut solver = Conjugate::new(&assembly.matrix, &assembly.diagonal, right, assembly.width());
    for (stage, tolerance) in TOLERANCES.into_iter().enumerate() {
        if stage > 0 {
            solver.resume(&assembly.side);
        }
        loop {
            match solver.step(tolerance) {
                Step::Going if solver.steps < most => {}
                Step::Going | Step::Done => break,
                Step::Negative(column) => {
                    let negative = clearly_negative(&assembly, &solver.direction(column));
                    return if negative { Err(not_proved()) } else { Ok(None) };
                }
            }
        }
        match Reduced::new(&assembly, &solver.x, &delta).map(Reduced::verdict) {
            Some(Verdict::Proved) => return Ok(Some(())),
            Some(Verdict::Negative) => return Err(not_proved()),
            Some(Verdict::Unknown) | None => {}
        }
    }
    Ok(None)
}

/// Time that this takes, roughly: the products of conjugate gradients, whose number grows slowly with the samples.
pub(crate) fn seconds(samples: usize, pairs: usize, order: usize) -> f64 {
    let (n, pairs, width) = (samples as f64, pairs as f64, width(order) as f64);
    let product = (2.0 * pairs + 8.0 * n) * width;
    let ends = n * (order * order) as f64;
    (steps(samples) * product + 4.0 * ends) / RATE
}

/// Whether one evaluation this way takes less time than one dense factorisation.
pub(crate) fn is_cheaper(samples: usize, pairs: usize, order: usize) -> bool {
    pairs > 0 && seconds(samples, pairs, order) <= (samples as f64).powi(3) / (3.0 * DENSE_RATE)
}

/// Products that X is estimated to take.
fn steps(samples: usize) -> f64 {
    STEPS * (samples as f64).powf(POWER)
}
