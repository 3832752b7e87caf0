//! Proven lower bounds. An estimate cannot become a bound: only [`prove_with`] makes a [`Proof`], and the adding up of the
//! proofs of blocks (`blocks::stack_proved`).

pub(crate) mod archive;
mod blocks;
mod chance;
mod cholesky;
pub(crate) mod compact;
mod elimination;
pub(crate) mod files;
mod head;
pub(crate) mod members;
mod method;
mod operator;
mod partition;
mod priced;
mod prove;
mod random;
mod settings;
mod sparse;

pub use blocks::certify_blocks;
pub(crate) use blocks::{priced_share, share, stack_proved};
pub(crate) use chance::share_of_probability;
pub use files::{
    load_certificate, load_network, load_problem, parse_certificate, parse_network, parse_problem,
    save_certificate, save_network, save_problem, verify,
};
pub use partition::Partition;
pub(crate) use priced::provable_point;
pub use prove::{DENSE_LIMIT, dense_limit};

pub use random::{BoundedOperator, semidefinite_except};
pub use settings::ProofSettings;

use chance::Chance;
use compact::Compact;
use method::{Limits, Methods};

use crate::dual::{DualPoint, Plan, RepairSettings, with_margin};
use crate::{Result, TrainingProblem};

/// How well a bound is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Grade {
    /// Proved in floating point with all rounding accounted for.
    Verified,
    /// Holds except with the failure probability of the proof.
    Probabilistic,
    /// Nothing is proved beyond what holds for every problem: the objective is not negative.
    None,
}

impl Grade {
    /// The word used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Probabilistic => "probabilistic",
            Self::None => "none",
        }
    }
}

/// A dual point that claims to be feasible for a problem; the claim is worth what [`prove`] says.
#[derive(Clone, Debug)]
pub struct Certificate {
    dual: DualPoint,
    partition: Option<Partition>,
}

impl Certificate {
    /// A claim that this point is dual feasible.
    pub fn new(dual: DualPoint) -> Self {
        Self { dual, partition: None }
    }

    /// The same claim, to be proved block by block; no pair of the point joins two blocks.
    pub fn of_blocks(dual: DualPoint, partition: Partition) -> Self {
        Self { dual, partition: Some(partition) }
    }

    /// (W, y, N) of the whole problem.
    pub fn dual(&self) -> &DualPoint {
        &self.dual
    }

    /// (W, y, N) of the whole problem.
    pub fn into_dual(self) -> DualPoint {
        self.dual
    }

    /// The blocks it is proved by; none where it is proved in one piece.
    pub fn partition(&self) -> Option<&Partition> {
        self.partition.as_ref()
    }

    /// How many blocks it is proved by.
    pub fn blocks(&self) -> usize {
        self.partition.as_ref().map_or(1, Partition::count)
    }
}

/// A lower bound on the objective of every network on one problem.
#[derive(Clone, Debug)]
pub struct Proof {
    lower_bound: f64,
    grade: Grade,
    failure_probability: f64,
    blocks: usize,
}

impl Proof {
    /// The bound, rounded downwards; never negative, since no objective is.
    pub fn lower_bound(&self) -> f64 {
        self.lower_bound
    }

    /// How well it is proved.
    pub fn grade(&self) -> Grade {
        self.grade
    }

    /// Blocks of samples it was made of; 1 where all samples were proved together.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Probability that the bound is wrong; 0 for a verified one.
    pub fn failure_probability(&self) -> f64 {
        self.failure_probability
    }
}

/// Proves the bound of a certificate from the problem and the certificate alone, with the default settings.
///
/// Errors as [`prove_with`].
pub fn prove(problem: &TrainingProblem, certificate: &Certificate) -> Result<Proof> {
    prove_with(problem, certificate, &ProofSettings::default())
}

/// Proves the bound of a certificate from the problem and the certificate alone, block by block if it has blocks.
///
/// Each slack is proved by a dense or a sparse factorisation where one fits in memory, and else by Lanczos from random
/// starts; one of the latter kind makes the proof probabilistic, over the seed of the settings or, without one, over the
/// entropy of the operating system. Errors: settings out of range, a malformed certificate, or
/// one whose slack could not be proved positive semidefinite: all of it, or that of any block. Where a block with a head
/// matrix is too large for either factorisation nothing is tried: grade [`Grade::None`] with the trivial bound 0.
pub fn prove_with(
    problem: &TrainingProblem,
    certificate: &Certificate,
    settings: &ProofSettings,
) -> Result<Proof> {
    settings.validate()?;
    prove_leaving(problem, certificate, settings, &Chance::new(settings))
}

/// [`prove_with`], leaving so much to chance.
fn prove_leaving(
    problem: &TrainingProblem,
    certificate: &Certificate,
    settings: &ProofSettings,
    chance: &Chance,
) -> Result<Proof> {
    let dual = &certificate.dual;
    dual.check(problem)?;
    let (blocks, limits) = (certificate.blocks(), Limits::new(settings));
    let outcome = match &certificate.partition {
        Some(partition) => blocks::slacks_are_semidefinite(problem, dual, partition, &limits, chance)?,
        None => Some(slack_is_semidefinite(problem, dual, &limits, chance)?),
    };
    let Some(failure_probability) = outcome else {
        return Ok(Proof { lower_bound: 0.0, grade: Grade::None, failure_probability: 0.0, blocks });
    };
    let grade = if failure_probability > 0.0 { Grade::Probabilistic } else { Grade::Verified };
    let bound = prove::bound_below(problem, dual)
        .ok_or_else(|| crate::Error::Refused("the value of the bound is not finite".into()))?;
    Ok(Proof { lower_bound: bound.max(0.0), grade, failure_probability, blocks })
}

/// Probability that the slack is not positive semidefinite although this says so: 0 if it is proved.
fn slack_is_semidefinite(
    problem: &TrainingProblem,
    dual: &DualPoint,
    limits: &Limits,
    chance: &Chance,
) -> Result<f64> {
    // For W = 0, y = 0, N = 0 the form is γ|u|².
    if is_zero(dual) {
        return Ok(0.0);
    }
    // Before anything is planned: pairs without a multiplier are not in the form, and could only make a proof dearer.
    let dual = &*dual.without_idle_pairs();
    prove::check_range(problem, dual)?;
    let part = prove::taking_part(problem, dual)?;
    let (problem, dual) = part.as_ref().map_or((problem, dual), |(problem, dual)| (problem, dual));
    // From here on the features are dense: X itself, or X' with XXᵀ ⪯ X'X'ᵀ.
    let compact = Compact::new(problem)?;
    let problem = compact.problem();
    prove::check_range(problem, dual)?;
    let proved = Methods::new(problem.inputs(), dual, 0, limits).try_each(
        |elimination| head::lifted_by_elimination(problem, dual, None, elimination),
        || prove::slack_is_semidefinite(problem, dual),
    )?;
    if proved.is_some() {
        return Ok(0.0);
    }
    random::slack_is_probably_semidefinite(problem, dual, chance).map(|()| chance.probability)
}

fn is_zero(dual: &DualPoint) -> bool {
    dual.w.norm_max() == 0.0 && dual.y.iter().chain(&dual.n).all(|value| *value == 0.0)
}

/// Repairs a dual point and proves its bound, with a larger margin whenever the proof fails by a hair.
///
/// In the worst case the certificate is the zero point with the bound 0, which needs no proof.
pub fn certify_dual(problem: &TrainingProblem, dual: &DualPoint) -> Result<(Certificate, Proof)> {
    certify_dual_with(problem, dual, &ProofSettings::default())
}

/// [`certify_dual`] with settings of the proof.
///
/// Above order d + n = [`DENSE_LIMIT`] the point is not repaired, only moved inwards by what the proof costs: it must be
/// close to feasible. Pairs without a multiplier are left out. Where chance has a part, the failure probability of the
/// settings is that of all margins tried together. With a seed the certificate is the same whenever it is made.
pub fn certify_dual_with(
    problem: &TrainingProblem,
    dual: &DualPoint,
    settings: &ProofSettings,
) -> Result<(Certificate, Proof)> {
    settings.validate()?;
    dual.check(problem)?;
    let dual = &*dual.without_idle_pairs();
    let attempts = Attempts { settings, chance: Chance::new(settings), made: 0 };
    let compact = Compact::new(problem)?;
    let (stated, problem) = (problem, compact.problem());
    let order = problem.inputs() + problem.samples();
    // The criterion costs about 2.1 N²u on a matrix of order N with unit diagonal.
    let dense = (4.0 * (order * order) as f64 * cholesky::UNIT).max(1e-13);
    let certified = match order {
        ..=DENSE_LIMIT if order <= settings.dense_limit() => {
            certify_repaired(stated, problem, dual, dense, attempts)?
        }
        _ if Methods::new(problem.inputs(), dual, 0, &Limits::new(settings)).any() => {
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
        let mut proof = prove_leaving(problem, certificate, self.settings, &chance).ok()?;
        // Which attempt ends up as the proof is itself a matter of chance: it has the probability of all of them.
        if proof.grade == Grade::Probabilistic {
            proof.failure_probability = self.chance.probability;
        }
        Some(proof)
    }
}

/// `stated` is the problem that the proof is for, `problem` its dense stand-in.
fn certify_repaired(
    stated: &TrainingProblem,
    problem: &TrainingProblem,
    dual: &DualPoint,
    mut margin: f64,
    mut attempts: Attempts<'_>,
) -> Result<Option<(Certificate, Proof)>> {
    let mut plan = Plan::new(problem, None, dual, &RepairSettings { margin, ..RepairSettings::default() })?;
    let mut attempt = |margin: f64, part: f64| {
        let certificate = Certificate::new(plan.finish(problem, margin, part).dual);
        attempts.prove(stated, &certificate).map(|proof| (certificate, proof))
    };
    // The rounding in the head, where large terms cancel, is paid for by τ: a hundredth of a percent at most.
    let (mut part, mut failed) = (0.0_f64, None::<(f64, f64)>);
    while margin < 0.1 {
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
        margin *= 4.0;
        part = (16.0 * part).clamp(1e-8, 1e-4);
    }
    Ok(None)
}

/// Steps of bisection between the last margin that failed and the first that proved, up to so many samples.
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
