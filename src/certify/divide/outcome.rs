//! What came of a block, and the proof that it has to stand up to where it is gathered.

use crate::certificate::{Certificate, Proof, ProofSettings, prove_with};
use crate::certify::relax::WarmStart;
use crate::certify::report::BlockFigures;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;

/// A round of tasks in this process. An outcome of the same round has been proved here, for the samples that were meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoundId(pub(super) u64);

/// What came of a block: its certificate, and the figures of its run.
#[derive(Clone, Debug)]
pub struct BlockOutcome {
    pub(super) block: usize,
    pub(super) blocks: usize,
    pub(super) certificate: Certificate,
    pub(super) figures: BlockFigures,
    /// ESTIMATE of the block's bound at its price; 0 where it has none.
    pub(super) price_bound: f64,
    /// Where the low-rank solver ended; dropped where no prices are asked for.
    pub(super) warm_start: Option<WarmStart>,
    /// The round of this process that it was made or accepted in; none of what has been a file or bytes.
    pub(super) round: Option<RoundId>,
    /// The proof made of the certificate in this process.
    pub(super) proof: Option<Proof>,
}

impl BlockOutcome {
    /// Of a certificate and figures that were kept in a file: nothing of it is believed.
    pub(super) fn recalled(
        block: usize,
        blocks: usize,
        certificate: Certificate,
        figures: BlockFigures,
    ) -> Self {
        let (price_bound, warm_start, round, proof) = (0.0, None, None, None);
        Self { block, blocks, certificate, figures, price_bound, warm_start, round, proof }
    }

    /// Number of the block, from 0.
    pub fn block(&self) -> usize {
        self.block
    }

    /// Blocks in all.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The dual point of the block's problem.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What the block's solver said.
    pub fn figures(&self) -> &BlockFigures {
        &self.figures
    }

    /// Proves the certificate again, for the block's samples at its share of the weight decay: nothing that an outcome
    /// says of itself makes a bound.
    pub(super) fn prove(&self, problem: &TrainingProblem, proving: &ProofSettings) -> Result<Proof> {
        if self.certificate.partition().is_some() {
            return Err(self.refused("it is divided itself"));
        }
        // Multipliers stack, claims do not.
        if self.certificate.is_by_branch() {
            return Err(self.refused("it has no multipliers"));
        }
        prove_with(problem, &self.certificate, proving).map_err(|error| match error {
            Error::Refused(why) => self.refused(&why),
            other => self.refused(&other.to_string()),
        })
    }

    pub(super) fn refused(&self, why: &str) -> Error {
        Error::Refused(format!("block {}: {why}", self.block))
    }
}
