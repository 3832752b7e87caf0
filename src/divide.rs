//! Divide and certify: random blocks of samples, each a problem of its own with its share of the weight decay.
//!
//! A minimum of a sum is at least the sum of the minima, so the blocks' bounds add up to a bound. What a block can
//! overfit is lost; `docs/mathematics.md` says how much.

use crate::certificate::{
    Certificate, Partition, Proof, ProofSettings, certify_dual_with, prove_with, share, stack_proved,
};
use crate::dual::DualPoint;
use crate::relax::relax;
use crate::report::{Relaxed, Seconds, Status};
use crate::settings::CertifySettings;
use crate::{Control, Network, Observer, Progress, Result, Silent, TrainingProblem};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;
use rayon::prelude::*;
use std::time::Instant;

/// A problem about to be divided.
pub(crate) struct Division<'a> {
    pub(crate) problem: &'a TrainingProblem,
    pub(crate) network: &'a Network,
    pub(crate) settings: &'a CertifySettings,
    pub(crate) control: &'a Control,
    pub(crate) started: Instant,
}

/// What the blocks came to.
pub(crate) struct Divided {
    pub(crate) certificate: Certificate,
    pub(crate) proof: Proof,
    pub(crate) relaxed: Relaxed,
}

/// One block solved and proved: a call of its own, so that blocks may run anywhere.
struct Block {
    certificate: Certificate,
    proof: Proof,
    relaxed: Relaxed,
    seconds: [f64; 2],
}

impl Division<'_> {
    /// Solves and proves every block and puts their bounds together.
    pub(crate) fn certify(
        &self,
        count: usize,
        observer: &mut dyn Observer,
        seconds: &mut Seconds,
    ) -> Result<Divided> {
        let upper = self.network.objective(self.problem);
        let blocks = random_blocks(self.problem.samples(), count, self.settings.seed);
        let partition = Partition::from_blocks(&blocks)?;
        let members = partition.members();
        let share = share(self.problem, &partition);
        // Whatever rests on chance may fail in any block.
        let failure_probability = self.settings.proof.failure_probability / count as f64;
        let proving = ProofSettings { failure_probability, ..self.settings.proof.clone() };
        let mut solved = Vec::with_capacity(count);
        let mut total = Relaxed::nothing();
        let mut first = None;
        // What is reported on the way depends on the number of threads, the result does not.
        for group in members.chunks(2 * rayon::current_num_threads()) {
            let begun = Instant::now();
            let outcomes: Vec<Result<Block>> =
                group.par_iter().map(|samples| self.block(samples, share, &proving)).collect();
            let wall = begun.elapsed().as_secs_f64();
            let mut phases = [0.0; 2];
            for outcome in outcomes {
                let block = outcome?;
                total.add(&block.relaxed);
                first.get_or_insert(block.relaxed);
                phases = [phases[0] + block.seconds[0], phases[1] + block.seconds[1]];
                solved.push((block.certificate, block.proof));
            }
            // Blocks run side by side: their seconds are shared out over those that passed.
            let part = phases[0] / (phases[0] + phases[1]).max(f64::MIN_POSITIVE);
            seconds.solve += wall * part;
            seconds.certify += wall * (1.0 - part);
            observer.progress(&Progress {
                iteration: solved.len(),
                value: total.value,
                lower_bound: total.bound,
                upper_bound: upper,
                infeasibility: total.infeasibility,
                rank: total.rank,
                pairs: total.pairs,
                seconds: self.started.elapsed().as_secs_f64(),
            });
        }
        if let Some(first) = first {
            let estimating = Instant::now();
            total.dividing_loss = self.loss(&members[0], &first, share, count)?;
            seconds.solve += estimating.elapsed().as_secs_f64();
        }
        let (certificate, proof) = stack_proved(self.problem, partition, solved)?;
        Ok(Divided { certificate, proof, relaxed: total })
    }

    /// Solves and proves one block; a block that is not begun before the end has the bound 0 that needs no proof.
    fn block(&self, samples: &[usize], share: f64, proving: &ProofSettings) -> Result<Block> {
        let solving = Instant::now();
        let problem = self.problem.subset(samples, share)?;
        if self.control.should_stop() {
            let zero = Certificate::new(DualPoint::zero(problem.samples(), problem.outputs()));
            let proof = prove_with(&problem, &zero, proving)?;
            let relaxed = Relaxed {
                // The network is a point of the block's relaxation.
                value: self.network.objective(&problem),
                status: if self.control.is_cancelled() { Status::Cancelled } else { Status::TimeLimit },
                unsolved_blocks: 1,
                ..Relaxed::nothing()
            };
            return Ok(Block { certificate: zero, proof, relaxed, seconds: [0.0; 2] });
        }
        let relaxation =
            relax(&problem, self.network, self.settings, self.control, &mut Silent, self.started)?;
        let certifying = Instant::now();
        let proving = ProofSettings { time: self.control.remaining().or(proving.time), ..proving.clone() };
        let (certificate, proof) = certify_dual_with(&problem, &relaxation.dual, &proving)?;
        let seconds = [(certifying - solving).as_secs_f64(), certifying.elapsed().as_secs_f64()];
        Ok(Block { certificate, proof, relaxed: relaxation.relaxed, seconds })
    }

    /// Estimates the part of the relaxation's value that dividing lost.
    ///
    /// One block is divided into halves and quarters. What each doubling wins shrinks by a factor that those three
    /// sizes tell, and log₂K doublings lead from the blocks back to the whole.
    fn loss(&self, samples: &[usize], whole: &Relaxed, share: f64, count: usize) -> Result<Option<f64>> {
        if self.control.should_stop() || samples.len() < 8 || whole.value <= 0.0 {
            return Ok(None);
        }
        let parts: Vec<(usize, &[usize])> = [2, 4]
            .into_iter()
            .flat_map(|parts| samples.chunks(samples.len().div_ceil(parts)).map(move |part| (parts, part)))
            .collect();
        let values: Vec<Result<Relaxed>> = parts
            .par_iter()
            .map(|(parts, samples)| {
                let problem = self.problem.subset(samples, share / *parts as f64)?;
                let silent = &mut Silent;
                Ok(relax(&problem, self.network, self.settings, self.control, silent, self.started)?.relaxed)
            })
            .collect();
        let values = values.into_iter().collect::<Result<Vec<Relaxed>>>()?;
        if whole.status != Status::Converged || values.iter().any(|part| part.status != Status::Converged) {
            return Ok(None);
        }
        let sum = |wanted: usize| -> f64 {
            let chosen = parts.iter().zip(&values).filter(|((parts, _), _)| *parts == wanted);
            chosen.map(|(_, part)| part.value).sum()
        };
        Ok(Some(extrapolated_loss(whole.value, sum(2), sum(4), count)))
    }
}

/// The part lost by dividing into `count` blocks, from the value of a block and of its halves and quarters together.
fn extrapolated_loss(block: f64, halves: f64, quarters: f64, count: usize) -> f64 {
    let (last, before) = ((block - halves).max(0.0), (halves - quarters).max(0.0));
    let ratio = if before > 0.0 { (last / before).clamp(0.25, 1.0) } else { 1.0 };
    let mut doublings = (count as f64).log2();
    let (mut won, mut total) = (last, block);
    while doublings > 0.0 {
        won *= ratio;
        total += won * doublings.min(1.0);
        doublings -= 1.0;
    }
    1.0 - block / total
}

/// A random division of the samples into blocks whose sizes differ by one at most.
fn random_blocks(samples: usize, count: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..samples).collect();
    order.shuffle(&mut Pcg64::seed_from_u64(seed));
    let mut blocks = vec![Vec::with_capacity(samples.div_ceil(count)); count];
    order.into_iter().enumerate().for_each(|(k, sample)| blocks[k % count].push(sample));
    // Random samples, but in the order of the data within a block.
    blocks.iter_mut().for_each(|block| block.sort_unstable());
    blocks
}
