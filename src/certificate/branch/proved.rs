//! From a proved level to a certificate and its bound.

use super::{NeuronClaim, ProvedLevel, SearchSettings};
use crate::certificate::cholesky::UNIT;
use crate::certificate::prove::bound_below;
use crate::certificate::{Certificate, Grade, Proof};
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use faer::{Mat, MatRef};

impl NeuronClaim<'_> {
    /// The certificate tW with the best t ≤ γ/M, and its bound. W must be this claim's own.
    ///
    /// The stored numbers are fl(tw) = tw(1 + δ), |δ| ≤ u, or off by at most 2⁻¹⁰²² where they underflow: their sum differs
    /// from t times that of W by at most ut Σ|w_i||x_i| + 2⁻¹⁰²² √c Σ|x_i|, for which t makes room.
    pub fn certify(&self, proved: ProvedLevel<'_>) -> Result<(Certificate, Proof)> {
        let most = self.most_multiple(proved, 0.0, self.at.reach(), self.problem.samples())?;
        let t = multiple_within(self.problem.targets(), self.w.as_ref(), most);
        let w = Mat::from_fn(self.w.nrows(), self.w.ncols(), |i, j| t * self.w[(i, j)]);
        let certificate = Certificate::of_claim(w);
        let proof = proof(self.problem, &certificate)?;
        Ok((certificate, proof))
    }

    /// t such that the stored numbers fl(tw) satisfy the claim at γ, rounding of all these products included; so does every
    /// lesser multiple down to 0. The claim holds at the level proved and `error` together, and `reach` is at least
    /// Σ|w_i||x_i| over the rows, of which there are so many, as they are stored.
    pub(in crate::certificate) fn most_multiple(
        &self,
        proved: ProvedLevel<'_>,
        error: f64,
        reach: f64,
        rows: usize,
    ) -> Result<f64> {
        if !std::ptr::eq(self, proved.claim) {
            return Err(Error::Input("the level was proved for another W".into()));
        }
        let gamma = self.problem.weight_decay();
        let (n, c, d) = (rows as f64, self.problem.outputs() as f64, self.problem.inputs() as f64);
        let largest = self.problem.stored_features().norm_max().max(1.0);
        let underflow = 2.0 * f64::MIN_POSITIVE * (n * c * d) * largest;
        // Rounded downwards throughout.
        let room = (gamma - 2.0 * underflow) * (1.0 - 4.0 * UNIT);
        Ok(room / ((proved.level + error + 4.0 * UNIT * reach) * (1.0 + 4.0 * UNIT)) * (1.0 - 8.0 * UNIT))
    }
}

/// The t in [0, most] whose multiple of W is worth most, nearly.
pub(in crate::certificate) fn multiple_within(
    targets: MatRef<'_, f64>,
    w: MatRef<'_, f64>,
    most: f64,
) -> f64 {
    // A quotient that underflowed is rounded by more than that.
    if most >= 2.0 * f64::MIN_POSITIVE { best_multiple(targets, w).min(most) } else { 0.0 }
}

/// The t ≥ 0 at which t⟨W, Y⟩ − (t²/2)‖W‖² is largest, nearly; infinite where it only grows.
fn best_multiple(targets: MatRef<'_, f64>, w: MatRef<'_, f64>) -> f64 {
    let (mut gain, mut square) = (0.0, 0.0);
    for (w, y) in w.col_iter().zip(targets.col_iter()) {
        for (w, y) in w.iter().zip(y.iter()) {
            gain += w * y;
            square += w * w;
        }
    }
    if gain > 0.0 { gain / square } else { 0.0 }
}

/// The proof of a W whose claim at γ is proved.
fn proof(problem: &TrainingProblem, certificate: &Certificate) -> Result<Proof> {
    let bound = bound_below(problem, certificate.dual())
        .ok_or_else(|| Error::Refused("the value of the bound is not finite".into()))?;
    Ok(Proof { lower_bound: bound.max(0.0), grade: Grade::Verified, failure_probability: 0.0, blocks: 1 })
}

/// Proves the claim |Wᵀ(Xu)₊| ≤ γ|u| of a certificate anew, and with it the bound; none where the budget or the control
/// ends the search.
pub(in crate::certificate) fn prove_claim(
    problem: &TrainingProblem,
    dual: &DualPoint,
    settings: &SearchSettings,
    control: &Control,
) -> Result<Option<Proof>> {
    let claim = NeuronClaim::new(problem, dual.w.clone())?;
    let search = claim.search(problem.weight_decay(), settings, control, &mut |_| {});
    if search.proved.is_some() {
        return proof(problem, &Certificate::of_claim(dual.w.clone())).map(Some);
    }
    match search.violators.first() {
        Some(u) => Err(Error::Refused(format!("W does not satisfy its claim at u = {u:.3?}"))),
        None => Ok(None),
    }
}
