//! From dual points of blocks to a certificate that has just been proved.

use super::certify_dual::certify_dual;
use crate::certificate::{Certificate, Partition, Proof, prove, share};
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use rayon::prelude::*;

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
