//! A bound proved block by block: the weight decay is shared out, and each block is a problem of its own.

use super::chance::Chance;
use super::compact::most_inputs;
use super::head::{heads_add_up, lifted_is_semidefinite};
use super::method::{Limits, Methods};
use super::partition::Partition;
use super::prove::dense_limit;
use super::{Certificate, Grade, Proof, certify_dual, prove, slack_is_semidefinite};
use crate::dual::DualPoint;
use crate::{Error, Result, TrainingProblem};
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
        let methods = Methods::new(inputs, part, extra, limits);
        if partition.heads().is_some() && !methods.any() {
            return Ok(None);
        }
        sizes.push(match methods.sparse {
            Some(elimination) if !methods.dense => (elimination.bytes / 8.0) as usize,
            _ => (inputs + part.y.len() + extra).pow(2),
        });
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

/// Repairs a dual point for each block at its share of the weight decay, and proves the bound of all of them together.
///
/// `blocks` lists the samples of each block, every one of 0 … n − 1 exactly once; `duals` has a dual point for each
/// block, its sample i being `blocks[k][i]`. The bound is the sum of the blocks' bounds; a block for which nothing could
/// be proved is set to zero and counts 0.
pub fn certify_blocks(
    problem: &TrainingProblem,
    blocks: &[Vec<usize>],
    duals: Vec<DualPoint>,
) -> Result<(Certificate, Proof)> {
    let partition = Partition::from_blocks(blocks)?;
    partition.check(problem)?;
    if duals.len() != blocks.len() {
        return Err(Error::Shape {
            what: "dual points",
            expected: format!("{}, one for each block", blocks.len()),
            actual: duals.len().to_string(),
        });
    }
    let share = share(problem, &partition);
    let members = partition.members();
    let outcomes: Vec<Result<DualPoint>> = (0..blocks.len())
        .into_par_iter()
        .map(|k| {
            let block = problem.subset(&members[k], share)?;
            let dual = sorted(&duals[k], &blocks[k], &block)?;
            let (certificate, _) = certify_dual(&block, &dual)?;
            Ok(certificate.into_dual())
        })
        .collect();
    let parts = outcomes.into_iter().collect::<Result<Vec<DualPoint>>>()?;
    let dual = partition.stack(&parts, problem.outputs());
    let certificate = Certificate::of_blocks(dual, partition);
    let proof = prove(problem, &certificate)?;
    Ok((certificate, proof))
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

/// The dual point of a block whose samples are put in ascending order.
fn sorted(dual: &DualPoint, samples: &[usize], block: &TrainingProblem) -> Result<DualPoint> {
    dual.check(block)?;
    let size = samples.len();
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_unstable_by_key(|&local| samples[local]);
    let mut place = vec![0; size];
    order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
    Ok(dual.restricted(&order, &place, dual.pairs.iter().copied().zip(dual.n.iter().copied())))
}
