//! Proven lower bounds. An estimate cannot become a bound: only [`prove`] makes a [`Proof`].

mod blocks;
mod cholesky;
mod files;
mod head;
mod partition;
mod prove;

pub use blocks::certify_blocks;
pub use files::{
    load_certificate, load_network, load_problem, save_certificate, save_network, save_problem, verify,
};
pub use partition::Partition;
pub use prove::DENSE_LIMIT;

use crate::dual::{DualPoint, Plan, RepairSettings};
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

/// Proves the bound of a certificate from the problem and the certificate alone, block by block if it has blocks.
///
/// Errors: a malformed certificate, or one whose slack could not be proved positive semidefinite: all of it, or that
/// of any block. Above order d + n = [`DENSE_LIMIT`] (n that of the largest block) nothing is tried: grade
/// [`Grade::None`] with the trivial bound 0.
pub fn prove(problem: &TrainingProblem, certificate: &Certificate) -> Result<Proof> {
    let dual = &certificate.dual;
    dual.check(problem)?;
    let provable = match &certificate.partition {
        Some(partition) => {
            partition.check(problem)?;
            blocks::provable(problem, partition)
        }
        None => problem.inputs() + problem.samples() <= DENSE_LIMIT || is_zero(dual),
    };
    let blocks = certificate.blocks();
    if !provable {
        return Ok(Proof { lower_bound: 0.0, grade: Grade::None, failure_probability: 0.0, blocks });
    }
    match &certificate.partition {
        Some(partition) => blocks::slacks_are_semidefinite(problem, dual, partition)?,
        // For W = 0, y = 0, N = 0 the form is γ|u|².
        None if is_zero(dual) => {}
        None => prove::slack_is_semidefinite(problem, dual)?,
    }
    let bound = prove::bound_below(problem, dual)
        .ok_or_else(|| crate::Error::Refused("the value of the bound is not finite".into()))?;
    Ok(Proof { lower_bound: bound.max(0.0), grade: Grade::Verified, failure_probability: 0.0, blocks })
}

fn is_zero(dual: &DualPoint) -> bool {
    dual.w.norm_max() == 0.0 && dual.y.iter().chain(&dual.n).all(|value| *value == 0.0)
}

/// Repairs a dual point and proves its bound, with a larger margin whenever the proof fails by a hair.
///
/// In the worst case the certificate is the zero point with the bound 0, which needs no proof. Above order
/// [`DENSE_LIMIT`] the point comes back as it is, with grade [`Grade::None`].
pub fn certify_dual(problem: &TrainingProblem, dual: &DualPoint) -> Result<(Certificate, Proof)> {
    dual.check(problem)?;
    if problem.inputs() + problem.samples() > DENSE_LIMIT {
        let certificate = Certificate::new(dual.clone());
        let proof = prove(problem, &certificate)?;
        return Ok((certificate, proof));
    }
    // The criterion costs about 2.1 N²u on a matrix of order N with unit diagonal.
    let order = (problem.inputs() + problem.samples()) as f64;
    let mut margin = (4.0 * order * order * cholesky::UNIT).max(1e-13);
    let mut plan = Plan::new(problem, dual, &RepairSettings { margin, ..RepairSettings::default() })?;
    // The rounding in the head, where large terms cancel, is paid for by τ: a hundredth of a percent at most.
    let mut part = 0.0;
    while margin < 0.1 {
        let certificate = Certificate::new(plan.finish(problem, margin, part).dual);
        if let Ok(proof) = prove(problem, &certificate) {
            return Ok((certificate, proof));
        }
        margin *= 4.0;
        part = (16.0 * part).clamp(1e-8, 1e-4);
    }
    let certificate = Certificate::new(DualPoint::zero(problem.samples(), problem.outputs()));
    let proof = prove(problem, &certificate)?;
    Ok((certificate, proof))
}
