//! Where the blocks of a round are solved: in this process, or wherever an executor of the caller's sends them.

use super::outcome::RoundId;
use super::{BlockOutcome, BlockTask, Division};
use crate::control::Control;
use crate::error::{Error, Result};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// Solves the tasks of a round: side by side, in other processes, on other machines.
///
/// A task is [`BlockTask`], what comes of it [`BlockOutcome`]; with the feature `serde` both go through bytes and back
/// (`to_bytes`, `from_bytes`), and a worker needs nothing but those of its task. An executor is trusted with nothing:
/// what has been bytes is proved again before it counts, so that a worker's lie or a damaged byte is an error, never a
/// bound. Values, estimates and the reason why a solver ended are taken as they are told.
///
/// A round depends on the one before it, and one run has up to three kinds: the blocks, the parts of a block by which the
/// loss of dividing is estimated, and the blocks at their prices.
pub trait BlockExecutor: Sync {
    /// Solves every task and returns what came of each, in the order of the tasks, or an error for it
    /// ([`BlockTasks::failed`] names the task). The first error ends the run; a run that goes on from its checkpoint has
    /// the blocks that were received before it.
    ///
    /// `control` says when to stop: tasks solved after that come back at once, without a bound. `progress` may be called,
    /// from the thread that called this, each time that more tasks have been [received](BlockTasks::receive): it tells
    /// the observer of the run.
    fn execute(
        &self,
        tasks: &BlockTasks<'_>,
        control: &Control,
        progress: &mut dyn FnMut(),
    ) -> Vec<Result<BlockOutcome>>;
}

/// The tasks of a round. Each is made when it is asked for, so that not all of them need be in memory.
pub struct BlockTasks<'a> {
    pub(super) division: &'a Division<'a>,
    /// The block of each task.
    pub(super) blocks: Vec<usize>,
    pub(super) make: &'a (dyn Fn(usize) -> Result<BlockTask> + Sync),
    /// Told of every outcome that is accepted, from any thread.
    pub(super) keep: &'a (dyn Fn(&BlockOutcome) + Sync),
    pub(super) round: RoundId,
}

impl<'a> BlockTasks<'a> {
    pub(super) fn new(
        division: &'a Division<'a>,
        blocks: Vec<usize>,
        make: &'a (dyn Fn(usize) -> Result<BlockTask> + Sync),
        keep: &'a (dyn Fn(&BlockOutcome) + Sync),
    ) -> Self {
        static ROUNDS: AtomicU64 = AtomicU64::new(0);
        let round = RoundId(ROUNDS.fetch_add(1, Ordering::Relaxed));
        Self { division, blocks, make, keep, round }
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// How many of them fit side by side in the memory of this process.
    pub fn at_once(&self) -> usize {
        self.division.at_once
    }

    /// The task in a place from 0; made anew at every call. Errors: no such place.
    pub fn task(&self, place: usize) -> Result<BlockTask> {
        self.block(place)?;
        Ok(BlockTask { round: Some(self.round), ..(self.make)(place)? })
    }

    /// What an executor may do with every outcome as soon as it is there, from any thread: checks that it belongs to the task
    /// in that place, proves its bound again if it comes from another process, keeps it in the checkpoint of the run, and
    /// hands it back. An outcome that is not received is checked and proved when the round is over.
    ///
    /// Errors: no such place, an outcome of another task, a certificate that does not prove.
    pub fn receive(&self, place: usize, outcome: BlockOutcome) -> Result<BlockOutcome> {
        let block = self.block(place)?;
        let outcome = match outcome.round == Some(self.round) && outcome.block == block {
            // It was made or received here.
            true => outcome,
            false => self.task(place)?.accept(outcome)?,
        };
        (self.keep)(&outcome);
        Ok(outcome)
    }

    /// The name of a task in messages.
    pub fn name(&self, place: usize) -> String {
        match self.blocks.get(place) {
            Some(block) => format!("block {block} of {}", self.division.blocks()),
            None => format!("task {place}, which there is not,"),
        }
    }

    /// The error for a task that could not be solved, and why.
    pub fn failed(&self, place: usize, why: impl Into<String>) -> Error {
        Error::Task { task: self.name(place), why: why.into() }
    }

    fn block(&self, place: usize) -> Result<usize> {
        self.blocks.get(place).copied().ok_or_else(|| Error::Parameter {
            name: "place",
            value: place.to_string(),
            range: "below the number of tasks",
        })
    }

    /// Runs the round: every outcome accepted, in the order of the tasks, or the first error in that order.
    pub(super) fn run(
        &self,
        executor: &dyn BlockExecutor,
        control: &Control,
        progress: &mut dyn FnMut(),
    ) -> Result<Vec<BlockOutcome>> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let outcomes = executor.execute(self, control, progress);
        if outcomes.len() != self.len() {
            let why = format!("the executor returned {} outcomes of {} tasks", outcomes.len(), self.len());
            return Err(Error::Task { task: "a round of blocks".into(), why });
        }
        let mut accepted = Vec::with_capacity(self.len());
        let mut outcomes = outcomes.into_iter().enumerate();
        loop {
            let group: Vec<(usize, Result<BlockOutcome>)> = outcomes.by_ref().take(self.at_once()).collect();
            if group.is_empty() {
                return Ok(accepted);
            }
            let group: Vec<Result<BlockOutcome>> =
                group.into_par_iter().map(|(place, outcome)| self.receive(place, outcome?)).collect();
            for outcome in group {
                accepted.push(outcome?);
            }
        }
    }
}

/// The threads of this process: as many blocks side by side as fit in memory, at most two for each thread of the pool. The
/// outcomes do not depend on how many that are.
#[derive(Clone, Copy, Debug, Default)]
pub struct RayonExecutor;

impl BlockExecutor for RayonExecutor {
    fn execute(
        &self,
        tasks: &BlockTasks<'_>,
        control: &Control,
        progress: &mut dyn FnMut(),
    ) -> Vec<Result<BlockOutcome>> {
        let all: Vec<usize> = (0..tasks.len()).collect();
        let mut outcomes = Vec::with_capacity(tasks.len());
        for group in all.chunks(tasks.at_once().min(2 * rayon::current_num_threads())) {
            let solve = |&place: &usize| tasks.receive(place, tasks.task(place)?.solve(control)?);
            outcomes.par_extend(group.par_iter().map(solve));
            progress();
            if outcomes.iter().any(Result::is_err) {
                break;
            }
        }
        let left = outcomes.len()..tasks.len();
        outcomes.extend(left.map(|place| Err(tasks.failed(place, "a block before it failed"))));
        outcomes
    }
}
