//! Divide and certify: random blocks of samples, each a problem of its own with its share of the weight decay.
//!
//! A minimum of a sum is at least the sum of the minima, so the blocks' bounds add up to a bound. What a block can
//! overfit is lost; `docs/mathematics.md` says how much.

#[cfg(feature = "serde")]
mod bytes;
mod executor;
#[cfg(feature = "serde")]
mod files;
mod loss;
mod master;
mod outcome;
mod prices;
mod run;
mod task;

pub use executor::{BlockExecutor, BlockTasks, RayonExecutor};
pub use outcome::BlockOutcome;
pub(crate) use run::DividedRun;
pub use task::BlockTask;

use crate::certificate::{Partition, ProofSettings, share, share_of_probability, stack_proved};
use crate::certify::certified::{Certified, check_network};
use crate::certify::plan::Plan;
use crate::certify::relax::{better, certify_free, check_size};
use crate::certify::report::{Relaxed, Report, Seconds};
use crate::certify::settings::{CertifySettings, Method, Prices};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::problem::{Network, TrainingProblem};
use crate::system::stream::{Purpose, generator};
use rand::seq::SliceRandom;
use std::sync::{Mutex, PoisonError};

/// A problem divided into random blocks of samples, whose bounds add up to a bound.
///
/// [`certify()`](crate::certify()) does all of this in one process. Across processes or machines: every one of them makes
/// the same division of the same problem, network and settings, or is sent its [`BlockTask`]s; each task is solved
/// wherever there is room; and the [`BlockOutcome`]s are gathered in one place, where everything is proved again.
///
/// ```
/// use relucert::data::{TeacherSettings, teacher};
/// use relucert::{Blocks, CertifySettings, Control, Division};
/// use relucert::training::{TrainingSettings, train};
///
/// let data = TeacherSettings { samples: 24, features: 2, outputs: 1, ..TeacherSettings::default() };
/// let problem = teacher(&data)?.problem(0.5)?;
/// let training = TrainingSettings { width: 8, rounds: 1, ..TrainingSettings::default() };
/// let network = train(&problem, &training, &Control::new());
/// let settings = CertifySettings { blocks: Blocks::Count(2), ..CertifySettings::default() };
/// let division = Division::new(&problem, &network, &settings)?;
/// let outcomes = (0..division.blocks())
///     .map(|block| division.task(block)?.solve(&Control::new()))
///     .collect::<relucert::Result<Vec<_>>>()?;
/// let certified = division.gather(outcomes, &Control::new())?;
/// assert!(certified.proof.lower_bound() > 0.0);
/// # Ok::<(), relucert::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Division<'a> {
    problem: &'a TrainingProblem,
    network: &'a Network,
    /// Of each block.
    settings: CertifySettings,
    partition: Partition,
    members: Vec<Vec<usize>>,
    share: f64,
    /// Blocks that fit in memory side by side.
    at_once: usize,
}

impl<'a> Division<'a> {
    /// Divides the samples at random, by the number of blocks and the seed of the settings.
    ///
    /// Errors: settings out of range, a network whose shape does not fit, blocks too large for memory.
    pub fn new(
        problem: &'a TrainingProblem,
        network: &'a Network,
        settings: &CertifySettings,
    ) -> Result<Self> {
        settings.validate()?;
        check_network(problem, network)?;
        let plan = Plan::new(problem, settings, None)?;
        check_size(problem, settings, plan.blocks)?;
        Self::planned(problem, network, settings, plan)
    }

    pub(crate) fn planned(
        problem: &'a TrainingProblem,
        network: &'a Network,
        settings: &CertifySettings,
        plan: Plan,
    ) -> Result<Self> {
        let wide = problem.inputs() > problem.samples() / plan.blocks;
        if settings.prices != Prices::None && problem.stored_features().is_sparse() && wide {
            return Err(Error::Input(
                "prices are on every feature, and there are more sparse ones than samples in a block; leave them out \
                 (--prices none)"
                    .into(),
            ));
        }
        let partition =
            Partition::from_blocks(&random_blocks(problem.samples(), plan.blocks, settings.seed))?;
        // Whatever rests on chance may fail in any block.
        // One more proof is that of the undivided problem's free point.
        let failure_probability = share_of_probability(settings.proof.failure_probability, plan.blocks + 1);
        let proof = ProofSettings { failure_probability, ..settings.proof.clone() };
        // A round of prices goes on from the low-rank solver's state.
        let method = if settings.prices == Prices::None { settings.method } else { Method::LowRank };
        Ok(Self {
            members: partition.members(),
            share: share(problem, &partition),
            partition,
            settings: CertifySettings { proof, method, checkpoint: None, ..settings.clone() },
            problem,
            network,
            at_once: plan.at_once,
        })
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.members.len()
    }

    /// The samples of a block, ascending; none beyond the last block.
    pub fn samples(&self, block: usize) -> &[usize] {
        self.members.get(block).map_or(&[], Vec::as_slice)
    }

    /// What a block is solved from. Errors: no such block.
    pub fn task(&self, block: usize) -> Result<BlockTask> {
        Ok(BlockTask {
            block,
            blocks: self.blocks(),
            problem: self.block_problem(block)?,
            network: self.network.clone(),
            settings: self.settings.clone(),
            work: task::Work::Bound,
            round: None,
        })
    }

    /// Proves every outcome again and puts their bounds together; what an outcome says of its own bound counts nothing.
    ///
    /// A block whose outcome is missing counts with the bound 0, and the report says so. Estimates what dividing lost,
    /// which takes about as long as solving one block, unless `control` says stop. Where all samples together have a better
    /// bound without a solver it is that. Errors: outcomes of another
    /// division, one block twice, a certificate that does not prove.
    pub fn gather(&self, outcomes: Vec<BlockOutcome>, control: &Control) -> Result<Certified> {
        let mut places: Vec<Option<BlockOutcome>> = vec![None; self.blocks()];
        for outcome in outcomes {
            if outcome.blocks != self.blocks() {
                let (there, here) = (outcome.blocks, self.blocks());
                return Err(Error::Refused(format!("an outcome of {there} blocks for a division in {here}")));
            }
            let block = outcome.block;
            match places.get_mut(block) {
                Some(place) if place.is_none() => *place = Some(outcome),
                _ => {
                    return Err(Error::Refused(format!(
                        "block {block} has two outcomes, or there is no such block"
                    )));
                }
            }
        }
        let make = |block: usize| self.task(block);
        let tasks = BlockTasks::new(self, (0..self.blocks()).collect(), &make, &|_| ());
        let outcomes = tasks.run(&Solved(Mutex::new(places)), control, &mut || ())?;
        let mut proved = Vec::with_capacity(self.blocks());
        let (mut total, mut seconds) = (self.nothing(), Seconds::default());
        let first = outcomes.first().map(|outcome| outcome.figures.relaxed());
        for outcome in outcomes {
            let Some(proof) = outcome.proof else { return Err(outcome.refused("it was not proved")) };
            total.add(&outcome.figures.relaxed());
            seconds.solve += outcome.figures.solve_seconds;
            seconds.certify += outcome.figures.certify_seconds;
            proved.push((outcome.certificate, proof));
        }
        if let Some(first) = first {
            total.dividing_loss = self.loss(&first, &RayonExecutor, control)?;
        }
        let stacked = stack_proved(self.problem, self.partition.clone(), proved)?;
        let free = certify_free(
            self.problem,
            &self.settings.making(self.blocks(), 1, control),
            control.remaining(),
        )?;
        let (certificate, proof) = better(stacked, free);
        let report = Report::assemble(self.problem, self.network, &certificate, &proof, &total, seconds);
        Ok(Certified { network: self.network.clone(), certificate, proof, report })
    }

    /// What to add the blocks to.
    fn nothing(&self) -> Relaxed {
        Relaxed { blocks: self.blocks(), ..Relaxed::nothing() }
    }

    pub(crate) fn partition(&self) -> &Partition {
        &self.partition
    }

    fn block_problem(&self, block: usize) -> Result<TrainingProblem> {
        match self.members.get(block) {
            Some(samples) => self.problem.subset(samples, self.share),
            None => Err(Error::Parameter {
                name: "block",
                value: block.to_string(),
                range: "below the number of blocks",
            }),
        }
    }
}

/// Outcomes that are there already, by block; a block that lacks one counts with the bound 0.
struct Solved(Mutex<Vec<Option<BlockOutcome>>>);

impl BlockExecutor for Solved {
    fn execute(&self, tasks: &BlockTasks<'_>, _: &Control, _: &mut dyn FnMut()) -> Vec<Result<BlockOutcome>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = Control::new();
        stopped.cancel();
        let outcomes = places.drain(..).enumerate();
        outcomes
            .map(|(block, outcome)| outcome.map_or_else(|| tasks.task(block)?.solve(&stopped), Ok))
            .collect()
    }
}

/// A random division of the samples into blocks whose sizes differ by one at most.
fn random_blocks(samples: usize, count: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..samples).collect();
    order.shuffle(&mut generator(seed, Purpose::Blocks, 0));
    let mut blocks = vec![Vec::with_capacity(samples.div_ceil(count)); count];
    order.into_iter().enumerate().for_each(|(k, sample)| blocks[k % count].push(sample));
    // Random samples, but in the order of the data within a block.
    blocks.iter_mut().for_each(|block| block.sort_unstable());
    blocks
}
