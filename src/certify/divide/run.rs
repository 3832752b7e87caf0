//! All blocks of a division in this process: several side by side, with progress and a checkpoint.

use super::prices::Ended;
use super::{BlockExecutor, BlockOutcome, BlockTasks, Division};
use crate::certificate::{Certificate, Grade, Proof, stack_proved};
use crate::certify::checkpoint::BlockCheckpoint;
use crate::certify::relax::{better, cause, certify_free};
use crate::certify::report::{BlockFigures, LOSS, Relaxed, Seconds};
use crate::certify::settings::Prices;
use crate::control::Control;
use crate::error::Result;
use crate::progress::{Observer, Progress};
use rayon::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A division about to be run.
pub(crate) struct DividedRun<'a> {
    pub(crate) division: &'a Division<'a>,
    pub(crate) executor: &'a dyn BlockExecutor,
    pub(crate) control: &'a Control,
    pub(crate) started: Instant,
    /// Where finished blocks are kept, with those of an earlier run.
    pub(crate) checkpoint: Option<Mutex<BlockCheckpoint>>,
}

/// What the blocks came to.
pub(crate) struct Divided {
    pub(crate) certificate: Certificate,
    pub(crate) proof: Proof,
    pub(crate) relaxed: Relaxed,
    /// Why the proof of the block that lost most by its proof did so; none where the loss is small.
    pub(crate) cause: Option<String>,
}

impl DividedRun<'_> {
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
        let outcomes = self.outcomes(least, observer, seconds)?;
        let (mut total, mut ended) = (division.nothing(), Vec::with_capacity(outcomes.len()));
        let mut solved = Vec::with_capacity(outcomes.len());
        let mut worst: Option<(usize, f64, f64)> = None;
        let first = outcomes.first().map(|outcome| outcome.figures.relaxed());
        for outcome in outcomes {
            let Some(proof) = outcome.proof else { return Err(outcome.refused("it was not proved")) };
            let figures = outcome.figures;
            total.add(&figures.relaxed());
            ended.push(Ended { warm_start: outcome.warm_start, value: figures.solver.value });
            let lost = figures.solver.estimated_bound - proof.lower_bound().value();
            if worst.is_none_or(|(_, estimated, proved)| lost > estimated - proved) {
                worst = Some((outcome.block, figures.solver.estimated_bound, proof.lower_bound().value()));
            }
            solved.push((outcome.certificate, proof));
        }
        if let Some(first) = first {
            total.dividing_loss = self.loss(&first, observer, seconds)?;
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
        self.price(divided, ended, observer, seconds)
    }

    /// Every block, solved and proved: those of an earlier run, and the others by the executor.
    fn outcomes(
        &self,
        least: f64,
        observer: &mut dyn Observer,
        seconds: &mut Seconds,
    ) -> Result<Vec<BlockOutcome>> {
        let division = self.division;
        let upper = division.network.objective(division.problem);
        let (count, begun) = (division.blocks(), Instant::now());
        let known = self.recalled()?;
        let open: Vec<usize> = (0..count).filter(|&block| known[block].is_none()).collect();
        let done: Vec<Option<BlockFigures>> =
            known.iter().map(|known| Some(*known.as_ref()?.figures())).collect();
        let done = Mutex::new(done);
        let mut told = Told { group_begun: begun, begun, fresh: 0, is_fresh: vec![false; count] };
        open.iter().for_each(|&block| told.is_fresh[block] = true);
        let mut tell = |done: &[Option<BlockFigures>]| {
            told.seconds(done, seconds);
            self.with_checkpoint(|checkpoint| {
                checkpoint.spent(*seconds);
                if let Some(trouble) = checkpoint.trouble() {
                    observer.warning(&trouble);
                }
            });
            let mut total = division.nothing();
            done.iter().flatten().for_each(|figures| total.add(&figures.relaxed()));
            let solved = done.iter().flatten().count();
            observer.progress(&Progress {
                iteration: solved,
                value: total.solver.value,
                lower_bound: total.solver.estimated_bound.max(least),
                upper_bound: upper,
                infeasibility: total.solver.infeasibility,
                rank: total.solver.rank,
                pairs: total.solver.pairs,
                seconds: self.started.elapsed().as_secs_f64(),
                blocks: Some((solved, count)),
                price_round: None,
                cells: None,
                share: None,
                seconds_left: told.seconds_left(count - solved),
            });
        };
        if open.len() < count {
            tell(&locked(&done));
        }
        let make = |place: usize| division.task(open[place]);
        let keep = |outcome: &BlockOutcome| self.keep(outcome, &done);
        let tasks = BlockTasks::new(division, open.clone(), &make, &keep);
        let new = tasks.run(self.executor, self.control, &mut || tell(&locked(&done)))?;
        let mut outcomes: Vec<BlockOutcome> = known.into_iter().flatten().chain(new).collect();
        outcomes.sort_by_key(BlockOutcome::block);
        Ok(outcomes)
    }

    /// The estimate of what dividing lost, from an earlier run where it came so far; that run's end.
    fn loss(
        &self,
        first: &Relaxed,
        observer: &mut dyn Observer,
        seconds: &mut Seconds,
    ) -> Result<Option<f64>> {
        let estimating = Instant::now();
        let loss = match self.with_checkpoint(|checkpoint| checkpoint.loss()).flatten() {
            Some(loss) => loss,
            None => self.division.loss(first, self.executor, self.control)?,
        };
        seconds.solve += estimating.elapsed().as_secs_f64();
        self.with_checkpoint(|checkpoint| {
            checkpoint.spent(*seconds);
            // A run that was stopped is not at its end.
            checkpoint.finish((!self.control.should_stop()).then_some(loss));
            if let Some(trouble) = checkpoint.trouble() {
                observer.warning(&trouble);
            }
        });
        Ok(loss)
    }

    /// Rounds of prices; what was there before if they do not win.
    fn price(
        &self,
        divided: Divided,
        ended: Vec<Ended>,
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
                value: relaxed.solver.value,
                lower_bound: bound,
                upper_bound: upper,
                infeasibility: relaxed.solver.infeasibility,
                rank: relaxed.solver.rank,
                pairs: relaxed.solver.pairs,
                seconds: self.started.elapsed().as_secs_f64(),
                price_round: Some(round),
                ..Progress::default()
            });
        };
        tell(0, &divided.relaxed, bound);
        let best = division.trade(ended, bound, self.executor, self.control, |number, round| {
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
        let loss = |loss: f64| 1.0 - best.relaxed.solver.value / divided.relaxed.solver.value * (1.0 - loss);
        let dividing_loss = divided.relaxed.dividing_loss.map(|before| loss(before).max(0.0));
        let relaxed = Relaxed { dividing_loss, blocks: division.blocks(), ..best.relaxed };
        Ok(Divided { certificate, proof, relaxed, cause: divided.cause })
    }

    /// The blocks that an earlier run has solved, proved again; none in the places of the others.
    fn recalled(&self) -> Result<Vec<Option<BlockOutcome>>> {
        let division = self.division;
        let all: Vec<usize> = (0..division.blocks()).collect();
        let mut recalled = Vec::with_capacity(all.len());
        for group in all.chunks(division.at_once.min(2 * rayon::current_num_threads())) {
            recalled.par_extend(group.par_iter().map(|&block| {
                let solved = self.with_checkpoint(|checkpoint| checkpoint.solved(block)).flatten();
                let Some((certificate, figures)) = solved else { return Ok(None) };
                let outcome = BlockOutcome::recalled(block, division.blocks(), certificate, figures);
                let accepted = division.task(block)?.accept(outcome);
                let wrong =
                    |error| self.with_checkpoint(|checkpoint| checkpoint.damaged(&error)).unwrap_or(error);
                accepted.map(Some).map_err(wrong)
            }));
        }
        recalled.into_iter().collect()
    }

    /// Keeps a block that has been proved, in the checkpoint too.
    fn keep(&self, outcome: &BlockOutcome, done: &Mutex<Vec<Option<BlockFigures>>>) {
        let Some(place) = locked(done).get_mut(outcome.block).map(|place| place.replace(outcome.figures))
        else {
            return;
        };
        // A repair that was cut short is not what an uninterrupted run would have.
        if place.is_none() && outcome.figures.is_settled() && !self.control.should_stop() {
            self.with_checkpoint(|checkpoint| {
                checkpoint.record(outcome.block, &outcome.certificate, outcome.figures)
            });
        }
    }

    fn with_checkpoint<T>(&self, call: impl FnOnce(&mut BlockCheckpoint) -> T) -> Option<T> {
        let checkpoint = self.checkpoint.as_ref()?;
        Some(call(&mut locked(checkpoint)))
    }
}

/// What was told of the blocks so far.
struct Told {
    begun: Instant,
    group_begun: Instant,
    fresh: usize,
    /// The blocks whose seconds are still to be counted.
    is_fresh: Vec<bool>,
}

impl Told {
    /// Adds the seconds since the last time: blocks run side by side, so that they are shared out over those that passed.
    fn seconds(&mut self, done: &[Option<BlockFigures>], seconds: &mut Seconds) {
        let wall = self.group_begun.elapsed().as_secs_f64();
        self.group_begun = Instant::now();
        let mut phases = [0.0; 2];
        for (figures, fresh) in done.iter().zip(&mut self.is_fresh) {
            if let (Some(figures), true) = (figures, *fresh) {
                *fresh = false;
                self.fresh += 1;
                phases = [phases[0] + figures.solve_seconds, phases[1] + figures.certify_seconds];
            }
        }
        let part = phases[0] / (phases[0] + phases[1]).max(f64::MIN_POSITIVE);
        seconds.solve += wall * part;
        seconds.certify += wall * (1.0 - part);
    }

    /// ESTIMATE of what so many blocks will take.
    fn seconds_left(&self, blocks: usize) -> Option<f64> {
        (self.fresh > 0).then(|| self.begun.elapsed().as_secs_f64() / self.fresh as f64 * blocks as f64)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
