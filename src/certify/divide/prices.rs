//! Prices, the multipliers of a Lagrangian decomposition: blocks trade weight decay of (u, v), round after round, until a
//! round raises the bound by too little.

use super::master::Master;
use super::task::Work;
use super::{BlockExecutor, BlockOutcome, BlockTask, BlockTasks, Division};
use crate::certificate::{Certificate, Partition, Proof, priced_share, prove_with};
use crate::certify::relax::WarmStart;
use crate::certify::report::Relaxed;
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::Result;
use faer::Mat;

/// What a round of priced blocks came to.
pub(super) struct Round {
    heads: Vec<Mat<f64>>,
    duals: Vec<DualPoint>,
    pub(super) bound: f64,
    pub(super) relaxed: Relaxed,
}

/// What a block brought at the last price: where its solver ended, and its value.
pub(super) struct Ended {
    pub(super) warm_start: Option<WarmStart>,
    pub(super) value: f64,
}

impl Division<'_> {
    /// Rounds of prices from where the blocks ended without (what the solver knows of each, and its value); gives the
    /// best round, if any beats `bound`.
    ///
    /// A round is the last if it wins, or the models foresee, less than the tolerance; `report` hears of every round.
    pub(super) fn trade(
        &self,
        mut ended: Vec<Ended>,
        bound: f64,
        executor: &dyn BlockExecutor,
        control: &Control,
        mut report: impl FnMut(usize, &Round),
    ) -> Result<Option<Round>> {
        let (count, rounds) = (self.blocks(), self.settings.prices.rounds());
        let order = self.problem.inputs() + self.problem.outputs();
        let unknown: Vec<usize> = (0..count).filter(|&block| ended[block].warm_start.is_none()).collect();
        if !unknown.is_empty() && !control.should_stop() {
            let zeros = vec![Mat::zeros(order, order); count];
            for outcome in self.solve_priced(&unknown, &zeros, &ended, executor, control)? {
                let value = outcome.figures.solver.value;
                ended[outcome.block] = Ended { warm_start: outcome.warm_start, value };
            }
        }
        let Some(told) = models(&ended) else { return Ok(None) };
        let share = priced_share(self.problem, count);
        let Some(mut master) = Master::new(&told, bound, share) else { return Ok(None) };
        let least = self.settings.prices.least_gain(self.settings.tolerance) * bound;
        let (mut best, mut highest) = (None, bound);
        for number in 1..=rounds {
            let heads = master.propose();
            if master.foreseen() < least {
                break;
            }
            let Some(round) = self.round(heads, &mut ended, executor, control)? else { break };
            report(number, &round);
            let won = round.bound - highest;
            let Some(told) = models(&ended) else { break };
            if master.judge(&round.heads, &told, round.bound) {
                highest = round.bound;
                best = Some(round);
                if won < least {
                    break;
                }
            }
        }
        Ok(best)
    }

    /// All blocks at these prices, and where each ended; none where the run was stopped before all of them were solved.
    fn round(
        &self,
        heads: Vec<Mat<f64>>,
        ended: &mut Vec<Ended>,
        executor: &dyn BlockExecutor,
        control: &Control,
    ) -> Result<Option<Round>> {
        let all: Vec<usize> = (0..heads.len()).collect();
        let outcomes = self.solve_priced(&all, &heads, ended, executor, control)?;
        if control.should_stop() || outcomes.iter().any(|outcome| outcome.warm_start.is_none()) {
            return Ok(None);
        }
        let duals = Vec::with_capacity(all.len());
        let mut round = Round { heads, duals, bound: 0.0, relaxed: Relaxed::nothing() };
        ended.clear();
        for outcome in outcomes {
            round.bound += outcome.price_bound;
            round.relaxed.add(&outcome.figures.relaxed());
            round.duals.push(outcome.certificate.into_dual());
            ended.push(Ended { warm_start: outcome.warm_start, value: outcome.figures.solver.value });
        }
        Ok(Some(round))
    }

    /// These blocks, each at its price and from where it ended.
    fn solve_priced(
        &self,
        blocks: &[usize],
        prices: &[Mat<f64>],
        ended: &[Ended],
        executor: &dyn BlockExecutor,
        control: &Control,
    ) -> Result<Vec<BlockOutcome>> {
        let share = priced_share(self.problem, self.blocks());
        let make = |place: usize| {
            let block = blocks[place];
            let problem = self.problem.subset(self.samples(block), share)?;
            let start = ended[block].warm_start.clone().map(Box::new);
            let work = Work::Priced { price: prices[block].clone(), start };
            Ok(BlockTask { problem, work, ..self.task(block)? })
        };
        BlockTasks::new(self, blocks.to_vec(), &make, &|_| ()).run(executor, control, &mut || ())
    }

    /// Proves a round as a whole, from its certificate alone.
    pub(super) fn prove_round(&self, round: &Round) -> Result<(Certificate, Proof)> {
        let partition: Partition = self.partition.clone().with_heads(round.heads.clone())?;
        let dual = partition.stack(&round.duals, self.problem.outputs());
        let certificate = Certificate::of_blocks(dual, partition);
        let proof = prove_with(self.problem, &certificate, &self.settings.proof)?;
        Ok((certificate, proof))
    }
}

/// Value and moments of each block, which the master makes a linear model of; none where one of them has not ended.
fn models(ended: &[Ended]) -> Option<Vec<(f64, Mat<f64>)>> {
    ended.iter().map(|block| Some((block.value, block.warm_start.as_ref()?.moments.clone()))).collect()
}
