//! Prices on the head: blocks trade weight decay of (u, v) until what it wins is not worth a round.

use super::Division;
use super::master::Master;
use crate::certificate::{Certificate, Partition, Proof, priced_share, prove_with};
use crate::certify::relax::{PricedSolution, Warm, relax_priced};
use crate::certify::report::Relaxed;
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::Result;
use crate::problem::HeadDecay;
use crate::repair::provable_point;
use faer::Mat;
use rayon::prelude::*;

/// What a round of priced blocks came to.
pub(super) struct Round {
    heads: Vec<Mat<f64>>,
    duals: Vec<DualPoint>,
    pub(super) bound: f64,
    pub(super) relaxed: Relaxed,
}

/// A block solved at some price.
struct Solved {
    dual: DualPoint,
    bound: f64,
    relaxed: Relaxed,
    warm: Option<Warm>,
}

impl Division<'_> {
    /// Rounds of prices from where the blocks ended without (what the solver knows of each, and its value); gives the
    /// best round, if any beats `bound`.
    ///
    /// A round is the last if it wins, or the models foresee, less than the tolerance; `report` hears of every round.
    pub(super) fn trade(
        &self,
        mut warm: Vec<(Option<Warm>, f64)>,
        bound: f64,
        control: &Control,
        mut report: impl FnMut(usize, &Round),
    ) -> Result<Option<Round>> {
        let (count, rounds) = (self.blocks(), self.settings.prices.rounds());
        let order = self.problem.inputs() + self.problem.outputs();
        let zero = Mat::zeros(order, order);
        let mut told = Vec::with_capacity(count);
        for (block, (warm, value)) in warm.iter_mut().enumerate() {
            if warm.is_none() && !control.should_stop() {
                let solved = self.priced_block(block, &zero, None, control)?;
                (*warm, *value) = (solved.warm, solved.relaxed.value);
            }
            let Some(warm) = warm.as_ref() else { return Ok(None) };
            told.push((*value, warm.moments.clone()));
        }
        let share = priced_share(self.problem, count);
        let Some(mut master) = Master::new(&told, bound, share) else { return Ok(None) };
        let least = self.settings.prices.least_gain(self.settings.tolerance) * bound;
        let (mut best, mut highest) = (None, bound);
        for number in 1..=rounds {
            let heads = master.propose();
            if master.foreseen() < least {
                break;
            }
            let Some((round, told)) = self.round(heads, &mut warm, control)? else { break };
            report(number, &round);
            let won = round.bound - highest;
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

    /// All blocks at these prices; none where the run was stopped before all of them were solved.
    #[expect(clippy::type_complexity, reason = "a round, and what each block tells the master")]
    fn round(
        &self,
        heads: Vec<Mat<f64>>,
        warm: &mut [(Option<Warm>, f64)],
        control: &Control,
    ) -> Result<Option<(Round, Vec<(f64, Mat<f64>)>)>> {
        let count = heads.len();
        let mut round =
            Round { heads, duals: Vec::with_capacity(count), bound: 0.0, relaxed: Relaxed::nothing() };
        let mut told = Vec::with_capacity(count);
        let all: Vec<usize> = (0..count).collect();
        for group in all.chunks(self.at_once.min(2 * rayon::current_num_threads())) {
            let solved: Vec<Result<Solved>> = group
                .par_iter()
                .map(|&k| self.priced_block(k, &round.heads[k], warm[k].0.as_ref(), control))
                .collect();
            for (&k, solved) in group.iter().zip(solved) {
                let solved = solved?;
                let Some(next) = solved.warm.filter(|_| !control.should_stop()) else { return Ok(None) };
                told.push((solved.relaxed.value, next.moments.clone()));
                warm[k].0 = Some(next);
                round.bound += solved.bound;
                round.relaxed.add(&solved.relaxed);
                round.duals.push(solved.dual);
            }
        }
        Ok(Some((round, told)))
    }

    fn priced_block(
        &self,
        block: usize,
        price: &Mat<f64>,
        warm: Option<&Warm>,
        control: &Control,
    ) -> Result<Solved> {
        let share = priced_share(self.problem, self.blocks());
        let problem = self.problem.subset(self.samples(block), share)?;
        let head = HeadDecay::new(share, price, problem.inputs())?;
        let PricedSolution { dual, relaxed, warm } =
            relax_priced(&problem, &head, self.network, &self.settings, control, warm)?;
        if control.should_stop() {
            // A round that was stopped is not proved.
            return Ok(Solved { dual, bound: 0.0, relaxed, warm: None });
        }
        let (dual, bound) = provable_point(&problem, &head, &dual, &self.settings.proof)?;
        Ok(Solved { dual, bound, relaxed, warm })
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
