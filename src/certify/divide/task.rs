//! One block of a divided problem: its solve and its proof are one call, whose input and output can be sent anywhere.

use super::outcome::{BlockOutcome, RoundId};
use crate::certificate::{Certificate, Proof, prove_with};
use crate::certify::plan::proof_time;
use crate::certify::relax::{
    PricedSolution, WarmStart, better, certify_free, relax, relax_priced, stop_status,
};
use crate::certify::report::{BlockFigures, Relaxed};
use crate::certify::settings::{CertifySettings, Prices};
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::problem::{HeadDecay, Network, TrainingProblem};
use crate::progress::Silent;
use crate::repair::{certify_dual_with, provable_point};
use faer::Mat;
use std::time::Instant;

/// What a block is solved from: its samples at their share of the weight decay, the network trained on all samples, and
/// settings. Made by [`Division::task`](super::Division::task) and [`BlockTasks::task`](super::BlockTasks::task); nothing
/// else is needed where it is solved.
#[derive(Clone, Debug)]
pub struct BlockTask {
    pub(super) block: usize,
    pub(super) blocks: usize,
    pub(super) problem: TrainingProblem,
    pub(super) network: Network,
    pub(super) settings: CertifySettings,
    pub(super) work: Work,
    pub(super) round: Option<RoundId>,
}

/// What is to be done with a block.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// The bound, proved.
    Bound,
    /// The relaxation at a price, from where another round ended if that is known.
    Priced { price: Mat<f64>, start: Option<Box<WarmStart>> },
    /// The value of the relaxation alone, of some of the block's samples.
    Value,
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

    /// Solves the block, and proves its bound where it is asked for, to the tolerance or until `control` says so: then with
    /// the best bound so far, and with the bound 0 that needs no proof if it said so before the block was begun.
    pub fn solve(&self, control: &Control) -> Result<BlockOutcome> {
        match &self.work {
            Work::Bound => {
                let (outcome, proof) = self.solve_proved(control)?;
                Ok(BlockOutcome { proof: Some(proof), ..outcome })
            }
            Work::Priced { price, start } => self.solve_priced(price, start.as_deref(), control),
            Work::Value => {
                let (silent, started) = (&mut Silent, Instant::now());
                let relaxed =
                    relax(&self.problem, &self.network, &self.settings, control, silent, started, None)?
                        .relaxed;
                Ok(self.unproved(self.zero(), &relaxed, 0.0, None))
            }
        }
    }

    pub(super) fn solve_proved(&self, control: &Control) -> Result<(BlockOutcome, Proof)> {
        let problem = &self.problem;
        let solving = Instant::now();
        if control.should_stop() {
            let zero = Certificate::new(self.zero());
            let proof = prove_with(problem, &zero, &self.settings.proof)?;
            // The network is a point of the block's relaxation.
            let mut relaxed = Relaxed::of_network(self.network.objective(problem));
            relaxed.solver.status = stop_status(control);
            relaxed.unsolved_blocks = 1;
            return Ok((self.proved(zero, &relaxed, &proof, [0.0; 2], None), proof));
        }
        // Its proof is not interrupted, and runs beside that of another block.
        let until = control.reserving(2 * proof_time(problem, &self.settings, problem.samples()));
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
        let start = relaxation.warm_start.filter(|_| self.settings.prices != Prices::None);
        Ok((self.proved(certificate, &relaxation.relaxed, &proof, seconds, start), proof))
    }

    fn solve_priced(
        &self,
        price: &Mat<f64>,
        start: Option<&WarmStart>,
        control: &Control,
    ) -> Result<BlockOutcome> {
        let head = HeadDecay::new(self.problem.weight_decay(), price, self.problem.inputs())?;
        let PricedSolution { dual, relaxed, warm_start } =
            relax_priced(&self.problem, &head, &self.network, &self.settings, control, start)?;
        if control.should_stop() {
            // A round that was stopped is not proved.
            return Ok(self.unproved(dual, &relaxed, 0.0, None));
        }
        let (dual, bound) = provable_point(&self.problem, &head, &dual, &self.settings.proof)?;
        Ok(self.unproved(dual, &relaxed, bound, warm_start))
    }

    /// Checks what came back for this task and proves its bound again, unless that was done in this round and process.
    pub(super) fn accept(&self, outcome: BlockOutcome) -> Result<BlockOutcome> {
        if (outcome.block, outcome.blocks) != (self.block, self.blocks) {
            return Err(Error::Refused(format!(
                "an outcome of block {} of {} for block {} of {}",
                outcome.block, outcome.blocks, self.block, self.blocks
            )));
        }
        if outcome.round.is_some() && outcome.round == self.round {
            return Ok(outcome);
        }
        outcome.figures.check()?;
        if !(outcome.price_bound.is_finite() && outcome.price_bound >= 0.0) {
            return Err(outcome.refused("its bound at the price is not one"));
        }
        let start = outcome.warm_start.as_ref();
        if start.is_some_and(|start| !start.fits(&self.problem)) {
            return Err(outcome.refused("where its solver ended does not fit its samples"));
        }
        let proof = match &self.work {
            Work::Bound => Some(outcome.prove(&self.problem, &self.settings.proof)?),
            Work::Priced { .. } | Work::Value => {
                outcome.certificate.dual().check(&self.problem)?;
                None
            }
        };
        Ok(BlockOutcome { round: self.round, proof, ..outcome })
    }

    fn zero(&self) -> DualPoint {
        DualPoint::zero(self.problem.samples(), self.problem.outputs())
    }

    fn unproved(
        &self,
        dual: DualPoint,
        relaxed: &Relaxed,
        price_bound: f64,
        warm_start: Option<WarmStart>,
    ) -> BlockOutcome {
        let figures = BlockFigures::unproved(relaxed);
        self.outcome(Certificate::new(dual), figures, price_bound, warm_start)
    }

    fn proved(
        &self,
        certificate: Certificate,
        relaxed: &Relaxed,
        proof: &Proof,
        [solve_seconds, certify_seconds]: [f64; 2],
        warm_start: Option<WarmStart>,
    ) -> BlockOutcome {
        let figures = BlockFigures {
            lower_bound: proof.lower_bound(),
            grade: proof.grade(),
            failure_probability: proof.failure_probability(),
            solve_seconds,
            certify_seconds,
            ..BlockFigures::unproved(relaxed)
        };
        self.outcome(certificate, figures, 0.0, warm_start)
    }

    fn outcome(
        &self,
        certificate: Certificate,
        figures: BlockFigures,
        price_bound: f64,
        warm_start: Option<WarmStart>,
    ) -> BlockOutcome {
        let (block, blocks, round) = (self.block, self.blocks, self.round);
        BlockOutcome { block, blocks, certificate, figures, price_bound, warm_start, round, proof: None }
    }
}
