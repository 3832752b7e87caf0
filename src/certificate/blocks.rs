//! A bound proved block by block: the weight decay is shared out, and each block is a problem of its own.

use super::chance::Chance;
use super::compact::most_inputs;
use super::factorisations::{Factorisations, Limits};
use super::head::{heads_add_up, lifted_is_semidefinite};
use super::partition::Partition;
use super::prove::dense_limit;
use super::{Certificate, Grade, Proof, slack_is_semidefinite};
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use rayon::prelude::*;

/// Part of the weight decay that pays for the rounding of Σ_k M_k: 2⁻³⁰.
const HEAD_PART: f64 = 1.0 / (1u64 << 30) as f64;

/// γ_k with Kγ_k ≤ (1 − 2⁻³¹)γ, for blocks with head matrices.
pub(crate) fn priced_share(problem: &TrainingProblem, count: usize) -> f64 {
    problem.weight_decay() * (1.0 - HEAD_PART) / count as f64
}

/// γ_k with Kγ_k ≤ γ exactly; where there are head matrices, that of [`priced_share`].
pub(crate) fn share(problem: &TrainingProblem, partition: &Partition) -> f64 {
    let (gamma, count) = (problem.weight_decay(), partition.count() as f64);
    if partition.heads().is_some() {
        return priced_share(problem, partition.count());
    }
    let share = gamma / count;
    // The fused operation rounds once, so that its sign is that of Kγ_k − γ.
    if share.mul_add(count, -gamma) > 0.0 { share.next_down() } else { share }
}

/// Ends of runs of blocks whose matrices, of so many numbers each, fit in memory side by side.
fn batches(sizes: &[usize]) -> Vec<usize> {
    let room = dense_limit().pow(2);
    let (mut ends, mut held) = (Vec::new(), 0);
    for (k, size) in sizes.iter().enumerate() {
        if k > 0 && held + size > room {
            ends.push(k);
            held = 0;
        }
        held += size;
    }
    ends.push(sizes.len());
    ends
}

/// Probability that the slack of some block is not positive semidefinite at its share of the weight decay although this
/// says so; none where a block with a head matrix is too large.
pub(super) fn slacks_are_semidefinite(
    problem: &TrainingProblem,
    dual: &DualPoint,
    partition: &Partition,
    limits: &Limits,
    chance: &Chance,
) -> Result<Option<f64>> {
    partition.check(problem)?;
    let parts = partition.split(dual)?;
    let share = share(problem, partition);
    let members = partition.members();
    let extra = if partition.heads().is_some() { problem.outputs() } else { 0 };
    let mut sizes = Vec::with_capacity(parts.len());
    for part in &parts {
        // A head matrix is one of all features.
        let inputs = match partition.heads() {
            Some(_) => problem.inputs(),
            None => most_inputs(problem, part.y.len()),
        };
        let methods = Factorisations::new(inputs, part, extra, limits);
        if partition.heads().is_some() && !methods.any() {
            return Ok(None);
        }
        sizes.push((methods.bytes(inputs + part.y.len() + extra) / 8.0) as usize);
    }
    if let Some(heads) = partition.heads() {
        heads_add_up(heads, problem.weight_decay() * (0.5 * HEAD_PART))?;
    }
    let prove_block = |k: usize| {
        let block = problem.subset(&members[k], share)?;
        match partition.head(k) {
            Some(head) => match lifted_is_semidefinite(&block, &parts[k], head, limits)? {
                Some(()) => Ok(0.0),
                None => Err(Error::Refused("no factorisation of it fits in memory".into())),
            },
            None => slack_is_semidefinite(&block, &parts[k], limits, &chance.block(k, partition.count())),
        }
    };
    let mut outcomes: Vec<Result<f64>> = Vec::with_capacity(parts.len());
    for end in batches(&sizes) {
        outcomes.par_extend((outcomes.len()..end).into_par_iter().map(prove_block));
    }
    // The first block that fails, whichever thread was the first.
    let mut total = 0.0f64;
    for (k, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(probability) => total += probability,
            Err(Error::Refused(why)) => return Err(Error::Refused(format!("block {k}: {why}"))),
            Err(error) => return Err(error),
        }
    }
    // The parts add up to the whole at most, their sum may round upwards.
    Ok(Some(total.min(chance.probability)))
}

/// The certificate of all samples from those of the blocks, each proved for its samples in ascending order at its share
/// of the weight decay; those proofs together are the proof.
pub(crate) fn stack_proved(
    problem: &TrainingProblem,
    partition: Partition,
    blocks: Vec<(Certificate, Proof)>,
) -> Result<(Certificate, Proof)> {
    partition.check(problem)?;
    let count = partition.count();
    let failure_probability: f64 = blocks.iter().map(|(_, proof)| proof.failure_probability).sum();
    let grade = if failure_probability > 0.0 { Grade::Probabilistic } else { Grade::Verified };
    // A block of which nothing is proved counts as the zero point does.
    let parts: Vec<DualPoint> = blocks
        .into_iter()
        .map(|(certificate, proof)| match proof.grade {
            Grade::None => DualPoint::zero(certificate.dual.y.len(), problem.outputs()),
            Grade::Verified | Grade::Probabilistic => certificate.into_dual(),
        })
        .collect();
    let dual = partition.stack(&parts, problem.outputs());
    let bound = super::prove::bound_below(problem, &dual)
        .ok_or_else(|| Error::Refused("the value of the bound is not finite".into()))?;
    let proof = Proof { lower_bound: bound.max(0.0), grade, failure_probability, blocks: count };
    Ok((Certificate::of_blocks(dual, partition), proof))
}
