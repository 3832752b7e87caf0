//! One block of a divided problem: its solve and its proof are one call, whose input and output can be sent anywhere.

use crate::certificate::compact::most_inputs;
use crate::certificate::{Certificate, Proof, ProofSettings, prove_with};
use crate::certify::relax::{Warm, better, certify_free, relax};
use crate::certify::report::{BlockFigures, Relaxed, Status};
use crate::certify::settings::{CertifySettings, Prices};
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::linalg::dense::factorisation_time;
use crate::problem::{Network, TrainingProblem};
use crate::progress::Silent;
use crate::repair::certify_dual_with;
use std::time::Instant;

/// What a block is solved from: its samples at their share of the weight decay, the network trained on all samples, and
/// settings. Made by [`Division::task`](super::Division::task); nothing else is needed where it is solved.
#[derive(Clone, Debug)]
pub struct BlockTask {
    pub(super) block: usize,
    pub(super) blocks: usize,
    pub(super) problem: TrainingProblem,
    pub(super) network: Network,
    pub(super) settings: CertifySettings,
}

/// What came of a block: its certificate, and the figures of its run.
#[derive(Clone, Debug)]
pub struct BlockOutcome {
    pub(super) block: usize,
    pub(super) blocks: usize,
    pub(super) certificate: Certificate,
    pub(super) figures: BlockFigures,
    /// Where the low-rank solver ended: not written to files, and dropped where no prices are asked for.
    pub(super) warm: Option<Warm>,
}

impl BlockTask {
    /// Number of the block, from 0.
    pub fn block(&self) -> usize {
        self.block
    }

    /// Blocks in all.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The block's samples with its share of the weight decay.
    pub fn problem(&self) -> &TrainingProblem {
        &self.problem
    }

    /// Solves and proves the block, to the tolerance or until `control` says so: then with the best bound so far, and
    /// with the bound 0 that needs no proof if it said so before the block was begun.
    pub fn solve(&self, control: &Control) -> Result<BlockOutcome> {
        self.solve_proved(control).map(|(outcome, _)| outcome)
    }

    pub(super) fn solve_proved(&self, control: &Control) -> Result<(BlockOutcome, Proof)> {
        let problem = &self.problem;
        let solving = Instant::now();
        if control.should_stop() {
            let zero = Certificate::new(DualPoint::zero(problem.samples(), problem.outputs()));
            let proof = prove_with(problem, &zero, &self.settings.proof)?;
            let relaxed = Relaxed {
                // The network is a point of the block's relaxation.
                value: self.network.objective(problem),
                status: if control.is_cancelled() { Status::Cancelled } else { Status::TimeLimit },
                unsolved_blocks: 1,
                ..Relaxed::nothing()
            };
            return Ok((self.outcome(zero, &relaxed, &proof, [0.0; 2], None), proof));
        }
        // Its proof is one more factorisation, beside that of another block.
        let order = problem.samples() + most_inputs(problem, problem.samples());
        let until = control.reserving(2 * factorisation_time(order));
        let relaxation = relax(problem, &self.network, &self.settings, &until, &mut Silent, solving, None)?;
        let certifying = Instant::now();
        let proving = self.settings.making(2 * self.block, 2, control);
        let mut proved = certify_dual_with(problem, &relaxation.dual, &proving)?;
        if proved.1.lower_bound() < relaxation.free_bound {
            let free = self.settings.making(2 * self.block + 1, 2, control);
            // A point whose proof was lost leaves the one that takes no solver.
            proved = better(proved, certify_free(problem, &free, control.remaining())?);
        }
        let (certificate, proof) = proved;
        let seconds = [(certifying - solving).as_secs_f64(), certifying.elapsed().as_secs_f64()];
        let warm = relaxation.warm.filter(|_| self.settings.prices != Prices::None);
        Ok((self.outcome(certificate, &relaxation.relaxed, &proof, seconds, warm), proof))
    }

    fn outcome(
        &self,
        certificate: Certificate,
        relaxed: &Relaxed,
        proof: &Proof,
        [solve_seconds, certify_seconds]: [f64; 2],
        warm: Option<Warm>,
    ) -> BlockOutcome {
        let figures = BlockFigures {
            value: relaxed.value,
            estimated_bound: relaxed.bound,
            infeasibility: relaxed.infeasibility,
            rank: relaxed.rank,
            pairs: relaxed.pairs,
            active_pairs: relaxed.active_pairs,
            status: relaxed.status,
            begun: relaxed.unsolved_blocks == 0,
            lower_bound: proof.lower_bound(),
            grade: proof.grade(),
            failure_probability: proof.failure_probability(),
            solve_seconds,
            certify_seconds,
        };
        BlockOutcome { block: self.block, blocks: self.blocks, certificate, figures, warm }
    }
}

impl BlockOutcome {
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
        let wrong = |why: &str| Error::Refused(format!("block {}: {why}", self.block));
        if self.certificate.partition().is_some() {
            return Err(wrong("it is divided itself"));
        }
        prove_with(problem, &self.certificate, proving).map_err(|error| match error {
            Error::Refused(why) => wrong(&why),
            other => Error::Refused(format!("block {}: {other}", self.block)),
        })
    }
}
