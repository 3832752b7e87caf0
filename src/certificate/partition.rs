//! Blocks of samples among which the weight decay is shared out, and the head matrices that move it between them.

use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use faer::{Mat, MatRef};

/// The samples split into K blocks, block k with the share (γ/K)I + M_k of the weight decay of (u, v), Σ_k M_k ⪯ 0.
///
/// Without head matrices every M_k is zero.
#[derive(Clone, Debug)]
pub struct Partition {
    block: Vec<usize>,
    count: usize,
    heads: Option<Vec<Mat<f64>>>,
}

impl Partition {
    /// From the block of each sample: the numbers 0 … K − 1, each of them used.
    pub fn new(block: Vec<usize>) -> Result<Self> {
        let count = block.iter().max().map_or(0, |last| last.saturating_add(1));
        if count > block.len() {
            return Err(Error::Refused(format!("{count} blocks of {} samples", block.len())));
        }
        let mut used = vec![false; count];
        block.iter().for_each(|&k| used[k] = true);
        match used.iter().position(|used| !used) {
            Some(k) => Err(Error::Refused(format!("no sample is in block {k}, of {count} blocks"))),
            None => Ok(Self { block, count, heads: None }),
        }
    }

    /// From the samples of each block; every one of 0 … n − 1 must be in exactly one.
    pub fn from_blocks(blocks: &[Vec<usize>]) -> Result<Self> {
        let samples = blocks.iter().map(Vec::len).sum();
        let mut block = vec![usize::MAX; samples];
        for (k, members) in blocks.iter().enumerate() {
            if members.is_empty() {
                return Err(Error::Input(format!("block {k} has no samples; leave it out")));
            }
            for &i in members {
                match block.get_mut(i) {
                    Some(place) if *place == usize::MAX => *place = k,
                    _ => {
                        return Err(Error::Input(format!(
                            "the {} blocks hold {samples} samples, and sample {i} is beyond them or appears twice; give each of 0 to n - 1 once",
                            blocks.len()
                        )));
                    }
                }
            }
        }
        Self::new(block)
    }

    /// These blocks with head matrices M_k, each symmetric of order d + c. That Σ_k M_k ⪯ 0 is left to the proof.
    pub fn with_heads(self, heads: Vec<Mat<f64>>) -> Result<Self> {
        if heads.len() != self.count {
            return Err(Error::Shape {
                what: "certificate head",
                expected: format!("{} matrices, one for each block", self.count),
                actual: format!("{} matrices", heads.len()),
            });
        }
        let order = heads.first().map_or(0, Mat::nrows);
        for (k, head) in heads.iter().enumerate() {
            if head.nrows() != order || head.ncols() != order {
                return Err(Error::Shape {
                    what: "certificate head",
                    expected: format!("{order} × {order}"),
                    actual: format!("{} × {} in block {k}", head.nrows(), head.ncols()),
                });
            }
            for column in 0..order {
                for row in 0..order {
                    if !head[(row, column)].is_finite() {
                        return Err(Error::NotFinite { what: "certificate head", row, column });
                    }
                    if head[(row, column)] != head[(column, row)] {
                        return Err(Error::Refused(format!("the head matrix of block {k} is not symmetric")));
                    }
                }
            }
        }
        Ok(Self { heads: Some(heads), ..self })
    }

    /// K.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The block of each sample, n.
    pub fn block(&self) -> &[usize] {
        &self.block
    }

    /// The samples of each block, ascending.
    pub fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.count];
        self.block.iter().enumerate().for_each(|(i, &k)| members[k].push(i));
        members
    }

    /// M_k, of order d + c, for each block; none where they are all zero.
    pub fn heads(&self) -> Option<&[Mat<f64>]> {
        self.heads.as_deref()
    }

    pub(super) fn head(&self, k: usize) -> Option<MatRef<'_, f64>> {
        self.heads.as_ref().map(|heads| heads[k].as_ref())
    }

    /// Checks the shapes against a problem.
    pub(crate) fn check(&self, problem: &TrainingProblem) -> Result<()> {
        if self.block.len() != problem.samples() {
            return Err(Error::Shape {
                what: "certificate block",
                expected: format!("{} values, one for each sample", problem.samples()),
                actual: format!("{} values", self.block.len()),
            });
        }
        let order = problem.inputs() + problem.outputs();
        match self.heads.as_ref().and_then(|heads| heads.first()) {
            Some(head) if head.nrows() != order => Err(Error::Shape {
                what: "certificate head",
                expected: format!("{order} × {order}"),
                actual: format!("{} × {}", head.nrows(), head.ncols()),
            }),
            _ => Ok(()),
        }
    }

    /// The dual point of each block, in its own numbering, without pairs that have no multiplier; a pair across blocks is
    /// refused.
    pub(crate) fn split(&self, dual: &DualPoint) -> Result<Vec<DualPoint>> {
        let n = self.block.len();
        let members = self.members();
        let mut place = vec![0; n];
        for samples in &members {
            samples.iter().enumerate().for_each(|(local, &i)| place[i] = local);
        }
        let mut pairs = vec![Vec::new(); members.len()];
        let forms = dual.forms();
        for (index, (pair, multiplier)) in dual.pairs.iter().zip(&dual.n).enumerate() {
            let mut blocks =
                pair.iter().flat_map(|&form| forms.row(form)).map(|(index, _)| self.block[index % n]);
            let a = blocks.next().unwrap_or(0);
            if let Some(b) = blocks.find(|b| *b != a) {
                return Err(Error::Refused(format!("pair {index} joins blocks {a} and {b}")));
            }
            if *multiplier != 0.0 {
                pairs[a].push((*pair, *multiplier));
            }
        }
        let part =
            |(samples, pairs): (&Vec<usize>, Vec<_>)| dual.restricted(samples, &place, pairs.into_iter());
        Ok(members.iter().zip(pairs).map(part).collect())
    }

    /// One dual point of all samples from those of the blocks.
    pub(crate) fn stack(&self, parts: &[DualPoint], outputs: usize) -> DualPoint {
        let n = self.block.len();
        let mut dual = DualPoint::zero(n, outputs);
        for (samples, part) in self.members().iter().zip(parts) {
            for (local, &i) in samples.iter().enumerate() {
                dual.y[i] = part.y[local];
                (0..outputs).for_each(|j| dual.w[(i, j)] = part.w[(local, j)]);
            }
            let size = samples.len();
            let cuts = dual.cuts.len();
            let whole = |form: usize| match form.checked_sub(2 * size) {
                None => samples[form % size] + n * (form / size),
                Some(cut) => 2 * n + cuts + cut,
            };
            for (cut, &target) in part.cuts.targets().iter().enumerate() {
                let row = part.cuts.row(cut).map(|(i, coefficient)| (samples[i], coefficient));
                dual.cuts.push(samples[target], row);
            }
            dual.pairs.extend(part.pairs.iter().map(|pair| pair.map(whole)));
            dual.n.extend_from_slice(&part.n);
        }
        dual
    }
}
