//! From a dual point to a certificate that has just been proved.

use super::margin::with_margin;
use super::search::ShiftSearch;
use super::settings::RepairSettings;
use crate::certificate::compact::Compact;
use crate::certificate::positive::is_cheaper;
use crate::certificate::{
    Certificate, Chance, DENSE_LIMIT, Factorisations, Limits, Proof, ProofSettings, UNIT, prove_leaving,
    prove_with,
};
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::Result;
use crate::problem::TrainingProblem;

/// Repairs a dual point and proves its bound, with a larger margin as long as the proof fails.
///
/// In the worst case the certificate is the zero point with the bound 0, which needs no proof.
pub fn certify_dual(problem: &TrainingProblem, dual: &DualPoint) -> Result<(Certificate, Proof)> {
    certify_dual_with(problem, dual, &ProofSettings::default())
}

/// [`certify_dual`] with settings of the proof.
///
/// Above order d + n = [`DENSE_LIMIT`] a point with cuts or without pairs is not repaired, only moved inwards by what the
/// proof costs: it must be close to feasible. Pairs without a multiplier are left out. Where chance has a part, the failure probability of the
/// settings is that of all margins tried together. With a seed the certificate is the same whenever it is made.
pub fn certify_dual_with(
    problem: &TrainingProblem,
    dual: &DualPoint,
    settings: &ProofSettings,
) -> Result<(Certificate, Proof)> {
    settings.validate()?;
    dual.check(problem)?;
    let dual = &*dual.without_idle_pairs();
    let mut attempts = Attempts { settings, chance: Chance::new(settings), made: 0 };
    let compact = Compact::new(problem)?;
    let (stated, problem) = (problem, compact.problem());
    let order = problem.inputs() + problem.samples();
    let dense = proof_margin(order);
    let iterative = settings.positive
        && dual.cuts.is_empty()
        && is_cheaper(problem.samples(), dual.pairs.len(), problem.inputs() + problem.outputs());
    // A point that was repaired with room for its proof is proved as it is: to repair it again would take the room twice.
    if let Some(proved) = certify_as_it_is(stated, problem, dual, order, &mut attempts) {
        return Ok(proved);
    }
    let certified = match order {
        ..=DENSE_LIMIT if order <= settings.dense_limit() => {
            certify_repaired(stated, problem, dual, dense, attempts)?
        }
        _ if iterative => certify_repaired(stated, problem, dual, ITERATIVE_MARGIN, attempts)?,
        _ if Factorisations::new(problem.inputs(), dual, 0, &Limits::new(settings)).any() => {
            certify_inwards(stated, problem, dual, 2.0 * dense, 16.0, attempts)?
        }
        _ => certify_inwards(stated, problem, dual, LEAST_RANDOM_MARGIN, 2.0, attempts)?,
    };
    if let Some(certified) = certified {
        return Ok(certified);
    }
    let certificate = Certificate::new(DualPoint::zero(problem.samples(), problem.outputs()));
    let proof = prove_with(stated, &certificate, settings)?;
    Ok((certificate, proof))
}

/// The point itself, where a factorisation proves it and a smaller W would not have a better bound.
fn certify_as_it_is(
    stated: &TrainingProblem,
    problem: &TrainingProblem,
    dual: &DualPoint,
    order: usize,
    attempts: &mut Attempts<'_>,
) -> Option<(Certificate, Proof)> {
    let (inner, square) = dual.inner_products(problem);
    let small = order <= DENSE_LIMIT.min(attempts.settings.dense_limit());
    let factored =
        || small || Factorisations::new(problem.inputs(), dual, 0, &Limits::new(attempts.settings)).any();
    if square <= 0.0 || inner < square || !factored() {
        return None;
    }
    let certificate = Certificate::new(dual.clone());
    attempts.prove(stated, &certificate).map(|proof| (certificate, proof))
}

/// The margin that the proof needs at this order: a part of each diagonal entry of the slack, lost to its rounding.
pub(crate) fn proof_margin(order: usize) -> f64 {
    // The criterion costs about 2.1 N²u on a matrix of order N with unit diagonal.
    (4.0 * (order * order) as f64 * UNIT).max(1e-13)
}

/// The margin of a point that a positive vector is to prove.
pub(crate) const ITERATIVE_MARGIN: f64 = 1e-9;

/// What a point is left for the rounding of its proof, attempt after attempt from this margin on: a part of each diagonal
/// entry of the slack, and a part by which τ is lowered. That pays for the rounding in the weight decay of u, where large
/// terms cancel: a hundredth of a percent at most.
pub(super) fn growing_room(margin: f64) -> impl Iterator<Item = (f64, f64)> {
    let more = |&(margin, part): &(f64, f64)| Some((4.0 * margin, (16.0 * part).clamp(1e-8, 1e-4)));
    std::iter::successors(Some((margin, 0.0)), more).take_while(|(margin, _)| *margin < 0.1)
}

/// Part of the diagonal that Lanczos with three quarters of the default number of steps needs at least.
const LEAST_RANDOM_MARGIN: f64 = 4.5e-4;

/// Proofs of one certificate after another, which together may fail as often as the settings say.
struct Attempts<'a> {
    settings: &'a ProofSettings,
    chance: Chance,
    made: u32,
}

impl Attempts<'_> {
    fn prove(&mut self, problem: &TrainingProblem, certificate: &Certificate) -> Option<Proof> {
        let chance = self.chance.attempt(self.made);
        self.made += 1;
        let proof = prove_leaving(problem, certificate, self.settings, &chance).ok()?;
        Some(proof.of_attempts(self.chance.probability))
    }
}

/// `stated` is the problem that the proof is for, `problem` its dense stand-in.
fn certify_repaired(
    stated: &TrainingProblem,
    problem: &TrainingProblem,
    dual: &DualPoint,
    margin: f64,
    mut attempts: Attempts<'_>,
) -> Result<Option<(Certificate, Proof)>> {
    let time = attempts.settings.time;
    let control = time.map_or_else(Control::new, |time| Control::new().within(time));
    let repair = RepairSettings { margin, ..RepairSettings::default() };
    let mut search = ShiftSearch::until(problem, None, dual, &repair, &control)?;
    let mut attempt = |margin: f64, part: f64| {
        let certificate = Certificate::new(search.finish(problem, margin, part).dual);
        attempts.prove(stated, &certificate).map(|proof| (certificate, proof))
    };
    let mut failed = None::<(f64, f64)>;
    for (margin, part) in growing_room(margin) {
        if let Some(mut proved) = attempt(margin, part) {
            let steps = if dual.y.len() <= TIGHTENED { TIGHTENING } else { 0 };
            let (mut high, mut low) = ((margin, part), failed);
            for _ in 0..steps {
                let Some((m, p)) = low else { break };
                let middle = ((m * high.0).sqrt(), (p * high.1).sqrt());
                match attempt(middle.0, middle.1) {
                    Some(better) => (proved, high) = (better, middle),
                    None => low = Some(middle),
                }
            }
            return Ok(Some(proved));
        }
        failed = Some((margin, part));
    }
    Ok(None)
}

/// Steps of bisection between the last margin that failed and the first that proved, for up to [`TIGHTENED`] samples
/// (conventional).
const TIGHTENING: usize = 3;
const TIGHTENED: usize = 500;

fn certify_inwards(
    stated: &TrainingProblem,
    problem: &TrainingProblem,
    dual: &DualPoint,
    mut margin: f64,
    growth: f64,
    mut attempts: Attempts<'_>,
) -> Result<Option<(Certificate, Proof)>> {
    while margin < 0.3 {
        let Some(point) = with_margin(problem, dual, margin)? else { return Ok(None) };
        let certificate = Certificate::new(point);
        if let Some(proof) = attempts.prove(stated, &certificate) {
            return Ok(Some((certificate, proof)));
        }
        margin *= growth;
    }
    Ok(None)
}
