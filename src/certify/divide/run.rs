//! All blocks of a division in this process: several side by side, with progress and a checkpoint.

use super::{BlockOutcome, Division};
use crate::certificate::{Certificate, Grade, Proof, stack_proved};
use crate::certify::checkpoint::BlockLedger;
use crate::certify::relax::{Warm, better, cause, certify_free};
use crate::certify::report::{LOSS, Relaxed, Seconds};
use crate::certify::settings::Prices;
use crate::control::Control;
use crate::error::Result;
use crate::progress::{Observer, Progress};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A division about to be run.
pub(crate) struct Run<'a> {
    pub(crate) division: &'a Division<'a>,
    pub(crate) control: &'a Control,
    pub(crate) started: Instant,
    /// Where finished blocks are kept, with those of an earlier run.
    pub(crate) ledger: Option<Mutex<BlockLedger>>,
}

/// What the blocks came to.
pub(crate) struct Divided {
    pub(crate) certificate: Certificate,
    pub(crate) proof: Proof,
    pub(crate) relaxed: Relaxed,
    /// Why the proof of the block that lost most by its proof did so; none where the loss is small.
    pub(crate) cause: Option<String>,
}

impl Run<'_> {
    /// Solves and proves every block and puts their bounds together; where that is less than what the undivided problem
    /// has without a solver, that is the bound.
    pub(crate) fn certify(&self, observer: &mut dyn Observer, seconds: &mut Seconds) -> Result<Divided> {
        let (proving, left) = (Instant::now(), self.control.remaining());
        let making = self.division.settings.making(self.division.blocks(), 1, self.control);
        let free = certify_free(self.division.problem, &making, left)?;
        seconds.certify += proving.elapsed().as_secs_f64();
        let least = free.as_ref().map_or(0.0, |(_, proof)| proof.lower_bound().value());
        let divided = self.solve(least, observer, seconds)?;
        let (certificate, proof) = better((divided.certificate, divided.proof), free);
        Ok(Divided { certificate, proof, ..divided })
    }

    /// The bound of the blocks; `least` is one that is known before.
    fn solve(&self, least: f64, observer: &mut dyn Observer, seconds: &mut Seconds) -> Result<Divided> {
        let division = self.division;
        let upper = division.network.objective(division.problem);
        let (count, begun) = (division.blocks(), Instant::now());
        let mut solved = Vec::with_capacity(count);
        let mut warm = Vec::new();
        let (mut total, mut first, mut fresh) = (division.nothing(), None, 0);
        let mut worst: Option<(usize, f64, f64)> = None;
        let all: Vec<usize> = (0..count).collect();
        // What is reported on the way depends on the number of threads and the memory, the result does not.
        for group in all.chunks(division.at_once.min(2 * rayon::current_num_threads())) {
            let group_begun = Instant::now();
            let outcomes: Vec<Result<(BlockOutcome, Proof, bool)>> =
                group.par_iter().map(|&block| self.block(block)).collect();
            let wall = group_begun.elapsed().as_secs_f64();
            let mut phases = [0.0; 2];
            for outcome in outcomes {
                let (outcome, proof, kept) = outcome?;
                let figures = outcome.figures;
                total.add(&figures.relaxed());
                warm.push((outcome.warm, figures.value));
                first.get_or_insert(figures.relaxed());
                if !kept {
                    fresh += 1;
                    phases = [phases[0] + figures.solve_seconds, phases[1] + figures.certify_seconds];
                }
                let lost = figures.estimated_bound - proof.lower_bound().value();
                if worst.is_none_or(|(_, estimated, proved)| lost > estimated - proved) {
                    worst = Some((outcome.block, figures.estimated_bound, proof.lower_bound().value()));
                }
                solved.push((outcome.certificate, proof));
            }
            // Blocks run side by side: their seconds are shared out over those that passed.
            let part = phases[0] / (phases[0] + phases[1]).max(f64::MIN_POSITIVE);
            seconds.solve += wall * part;
            seconds.certify += wall * (1.0 - part);
            self.with_ledger(|ledger| {
                ledger.spent(*seconds);
                if let Some(trouble) = ledger.trouble() {
                    observer.warning(&trouble);
                }
            });
            let left = (count - solved.len()) as f64;
            observer.progress(&Progress {
                iteration: solved.len(),
                value: total.value,
                lower_bound: total.bound.max(least),
                upper_bound: upper,
                infeasibility: total.infeasibility,
                rank: total.rank,
                pairs: total.pairs,
                seconds: self.started.elapsed().as_secs_f64(),
                blocks: Some((solved.len(), count)),
                price_round: None,
                cells: None,
                share: None,
                seconds_left: (fresh > 0).then(|| begun.elapsed().as_secs_f64() / fresh as f64 * left),
            });
        }
        if let Some(first) = first {
            let estimating = Instant::now();
            let known = self.with_ledger(|ledger| ledger.loss()).flatten();
            total.dividing_loss = match known {
                Some(loss) => loss,
                None => division.loss(&first, self.control)?,
            };
            seconds.solve += estimating.elapsed().as_secs_f64();
            self.with_ledger(|ledger| {
                ledger.spent(*seconds);
                // A run that was stopped is not at its end.
                ledger.finish((!self.control.should_stop()).then_some(total.dividing_loss));
                if let Some(trouble) = ledger.trouble() {
                    observer.warning(&trouble);
                }
            });
        }
        let cause = match worst {
            Some((block, estimated, proved)) if proved < (1.0 - LOSS) * estimated => {
                let dual = solved[block].0.dual();
                let problem = division.block_problem(block)?;
                let why = cause(&problem, dual, &division.settings.making(0, 1, self.control));
                Some(format!("block {block}: {why}"))
            }
            _ => None,
        };
        let (certificate, proof) = stack_proved(division.problem, division.partition.clone(), solved)?;
        let divided = Divided { certificate, proof, relaxed: total, cause };
        if division.settings.prices == Prices::None || divided.relaxed.unsolved_blocks > 0 {
            return Ok(divided);
        }
        self.price(divided, warm, observer, seconds)
    }

    /// Rounds of prices; what was there before if they do not win.
    fn price(
        &self,
        divided: Divided,
        warm: Vec<(Option<Warm>, f64)>,
        observer: &mut dyn Observer,
        seconds: &mut Seconds,
    ) -> Result<Divided> {
        let division = self.division;
        let trading = Instant::now();
        let (upper, bound) =
            (division.network.objective(division.problem), divided.proof.lower_bound().value());
        let mut tell = |round: usize, relaxed: &Relaxed, bound: f64| {
            observer.progress(&Progress {
                iteration: round,
                value: relaxed.value,
                lower_bound: bound,
                upper_bound: upper,
                infeasibility: relaxed.infeasibility,
                rank: relaxed.rank,
                pairs: relaxed.pairs,
                seconds: self.started.elapsed().as_secs_f64(),
                price_round: Some(round),
                ..Progress::default()
            });
        };
        tell(0, &divided.relaxed, bound);
        let best = division.trade(warm, bound, self.control, |number, round| {
            tell(number, &round.relaxed, round.bound);
        })?;
        seconds.solve += trading.elapsed().as_secs_f64();
        let Some(best) = best else { return Ok(divided) };
        let proving = Instant::now();
        let proved = division.prove_round(&best);
        seconds.certify += proving.elapsed().as_secs_f64();
        let (certificate, proof) = match proved {
            Ok((certificate, proof)) if proof.grade() != Grade::None && proof.lower_bound() > bound => {
                (certificate, proof)
            }
            Ok(_) => return Ok(divided),
            Err(error) => {
                observer.warning(&format!("the bound without prices is kept: {error}"));
                return Ok(divided);
            }
        };
        // The estimate of the whole does not change, the part of it that is reached does.
        let loss = |loss: f64| 1.0 - best.relaxed.value / divided.relaxed.value * (1.0 - loss);
        let dividing_loss = divided.relaxed.dividing_loss.map(|before| loss(before).max(0.0));
        let relaxed = Relaxed { dividing_loss, blocks: division.blocks(), ..best.relaxed };
        Ok(Divided { certificate, proof, relaxed, cause: divided.cause })
    }

    /// Solves and proves one block, or only proves it again where an earlier run has solved it (then true).
    fn block(&self, block: usize) -> Result<(BlockOutcome, Proof, bool)> {
        let division = self.division;
        if let Some((certificate, figures)) = self.with_ledger(|ledger| ledger.solved(block)).flatten() {
            let outcome = BlockOutcome { block, blocks: division.blocks(), certificate, figures, warm: None };
            let proof = outcome.prove(&division.block_problem(block)?, &division.settings.proof);
            let wrong = |error| self.with_ledger(|ledger| ledger.damaged(&error)).unwrap_or(error);
            return Ok((outcome, proof.map_err(wrong)?, true));
        }
        let (outcome, proof) = division.task(block)?.solve_proved(self.control)?;
        // A repair that was cut short is not what an uninterrupted run would have.
        if outcome.figures.is_settled() && !self.control.should_stop() {
            self.with_ledger(|ledger| ledger.record(block, &outcome.certificate, outcome.figures));
        }
        Ok((outcome, proof, false))
    }

    fn with_ledger<T>(&self, call: impl FnOnce(&mut BlockLedger) -> T) -> Option<T> {
        let ledger = self.ledger.as_ref()?;
        Some(call(&mut ledger.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}
