//! Proven lower bounds. An estimate cannot become a bound: only [`prove_with`] makes a [`Proof`], and the adding up of the
//! proofs of blocks (`blocks::stack_proved`).

mod blocks;
pub mod branch;
mod chance;
mod cholesky;
pub(crate) mod compact;
mod convolution;
mod elimination;
mod factorisations;
mod head;
mod operator;
mod partition;
pub(crate) mod positive;
mod prove;
mod random;
mod settings;
mod sparse;

pub(crate) use blocks::{priced_share, share, stack_proved};
pub use partition::Partition;
pub use prove::{DENSE_LIMIT, dense_limit};

pub use convolution::{ConvolutionalClaim, prove_convolution};
pub use operator::BoundedOperator;
pub use random::semidefinite_except;
pub use settings::ProofSettings;

pub(crate) use chance::{Chance, share_of_probability};
pub(crate) use cholesky::UNIT;
use compact::Compact;
pub(crate) use factorisations::{Factorisations, Limits};
pub(crate) use head::lifted_is_semidefinite;
pub(crate) use prove::bound_below;

use crate::bounds::LowerBound;
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use faer::Mat;

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
    /// Whether W alone is the claim.
    by_branch: bool,
}

impl Certificate {
    /// A claim that this point is dual feasible.
    pub fn new(dual: DualPoint) -> Self {
        Self { dual, partition: None, by_branch: false }
    }

    /// A claim that |Wᵀ(Xu)₊| ≤ γ|u| for every u, for W (n × c) alone: to be proved by branch and bound.
    pub fn of_claim(w: Mat<f64>) -> Self {
        let dual = DualPoint { w, ..DualPoint::zero(0, 0) };
        let y = vec![0.0; dual.w.nrows()];
        Self { dual: DualPoint { y, ..dual }, partition: None, by_branch: true }
    }

    /// Whether W alone is the claim, and y and N are zero and mean nothing.
    pub fn is_by_branch(&self) -> bool {
        self.by_branch
    }

    /// The claim that a dual point is feasible, to be proved block by block; no pair of the point joins two blocks.
    pub fn of_blocks(dual: DualPoint, partition: Partition) -> Self {
        Self { dual, partition: Some(partition), by_branch: false }
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
    pub fn lower_bound(&self) -> LowerBound {
        LowerBound::proved(self.lower_bound)
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

    /// This proof as one of several attempts, which together may fail with this probability: which of them ends up as the
    /// proof is itself a matter of chance.
    pub(crate) fn of_attempts(self, failure_probability: f64) -> Self {
        match self.grade {
            Grade::Probabilistic => Self { failure_probability, ..self },
            Grade::Verified | Grade::None => self,
        }
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
/// Each slack is proved by a positive vector or by a dense or a sparse factorisation, whichever is cheapest and fits in
/// memory, and else by Lanczos from random starts; one of the latter kind makes the proof probabilistic, over the seed of the settings or, without one, over the
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
pub(crate) fn prove_leaving(
    problem: &TrainingProblem,
    certificate: &Certificate,
    settings: &ProofSettings,
    chance: &Chance,
) -> Result<Proof> {
    let dual = &certificate.dual;
    dual.check(problem)?;
    let blocks = certificate.blocks();
    if certificate.by_branch {
        let control = settings.time.map_or_else(Control::new, |time| Control::new().within(time));
        let proof = branch::prove_claim(problem, dual, &settings.search, &control)?;
        let nothing = Proof { lower_bound: 0.0, grade: Grade::None, failure_probability: 0.0, blocks };
        return Ok(proof.unwrap_or(nothing));
    }
    let limits = Limits::new(settings);
    let outcome = match &certificate.partition {
        Some(partition) => blocks::slacks_are_semidefinite(problem, dual, partition, &limits, chance)?,
        None => Some(slack_is_semidefinite(problem, dual, &limits, chance)?),
    };
    let Some(failure_probability) = outcome else {
        return Ok(Proof { lower_bound: 0.0, grade: Grade::None, failure_probability: 0.0, blocks });
    };
    let grade = if failure_probability > 0.0 { Grade::Probabilistic } else { Grade::Verified };
    let bound = bound_below(problem, dual)
        .ok_or_else(|| Error::Refused("the value of the bound is not finite".into()))?;
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
    let proved = Factorisations::new(problem.inputs(), dual, 0, limits).try_each(
        dual,
        || positive::form_is_semidefinite(problem, dual, None),
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
