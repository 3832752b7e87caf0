//! A bound proved block by block: the weight decay is shared out, and each block is a problem of its own.

use super::head::{heads_add_up, lifted_is_semidefinite};
use super::partition::Partition;
use super::prove::{DENSE_LIMIT, slack_is_semidefinite};
use super::{Certificate, Proof, certify_dual, is_zero, prove};
use crate::dual::DualPoint;
use crate::report::Grade;
use crate::{Error, Result, TrainingProblem};
use rayon::prelude::*;

/// Part of the weight decay that pays for the rounding of Σ_k M_k: 2⁻³⁰.
const HEAD_PART: f64 = 1.0 / (1u64 << 30) as f64;

/// γ_k with Kγ_k ≤ γ exactly; where there are head matrices, Kγ_k ≤ (1 − 2⁻³¹)γ.
pub(super) fn share(problem: &TrainingProblem, partition: &Partition) -> f64 {
    let (gamma, count) = (problem.weight_decay(), partition.count() as f64);
    if partition.heads().is_some() {
        return gamma * (1.0 - HEAD_PART) / count;
    }
    let share = gamma / count;
    // The fused operation rounds once, so that its sign is that of Kγ_k − γ.
    if share.mul_add(count, -gamma) > 0.0 { share.next_down() } else { share }
}

/// Whether no block is larger than what a dense factorisation is tried on.
pub(super) fn provable(problem: &TrainingProblem, partition: &Partition) -> bool {
    let extra = if partition.heads().is_some() { problem.outputs() } else { 0 };
    partition.members().iter().all(|samples| samples.len() + problem.inputs() + extra <= DENSE_LIMIT)
}

/// Whether the slack of every block is positive semidefinite at its share of the weight decay, proved.
pub(super) fn slacks_are_semidefinite(
    problem: &TrainingProblem,
    dual: &DualPoint,
    partition: &Partition,
) -> Result<()> {
    let parts = partition.split(dual)?;
    let share = share(problem, partition);
    if let Some(heads) = partition.heads() {
        heads_add_up(heads, problem.weight_decay() * (0.5 * HEAD_PART))?;
    }
    let members = partition.members();
    let outcomes: Vec<Result<()>> = (0..parts.len())
        .into_par_iter()
        .map(|k| {
            let block = problem.subset(&members[k], share)?;
            match partition.head(k) {
                Some(head) => lifted_is_semidefinite(&block, &parts[k], head),
                // For W = 0, y = 0, N = 0 the form is γ|u|².
                None if is_zero(&parts[k]) => Ok(()),
                None => slack_is_semidefinite(&block, &parts[k]),
            }
        })
        .collect();
    // The first block that fails, whichever thread was the first.
    match outcomes.into_iter().enumerate().find_map(|(k, outcome)| Some((k, outcome.err()?))) {
        Some((k, Error::Refused(why))) => Err(Error::Refused(format!("block {k}: {why}"))),
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
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
            let (certificate, proof) = certify_dual(&block, &dual)?;
            Ok(match proof.grade() {
                Grade::None => DualPoint::zero(block.samples(), block.outputs()),
                _ => certificate.into_dual(),
            })
        })
        .collect();
    let parts = outcomes.into_iter().collect::<Result<Vec<DualPoint>>>()?;
    let dual = partition.stack(&parts, problem.outputs());
    let certificate = Certificate::of_blocks(dual, partition);
    let proof = prove(problem, &certificate)?;
    Ok((certificate, proof))
}

/// The dual point of a block whose samples are put in ascending order.
fn sorted(dual: &DualPoint, samples: &[usize], block: &TrainingProblem) -> Result<DualPoint> {
    dual.check(block)?;
    let size = samples.len();
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_unstable_by_key(|&local| samples[local]);
    let mut place = vec![0; size];
    order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
    Ok(DualPoint {
        w: faer::Mat::from_fn(size, dual.w.ncols(), |i, j| dual.w[(order[i], j)]),
        y: order.iter().map(|&old| dual.y[old]).collect(),
        pairs: dual
            .pairs
            .iter()
            .map(|pair| pair.map(|form| place[form % size] + size * (form / size)))
            .collect(),
        n: dual.n.clone(),
    })
}
