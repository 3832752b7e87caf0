//! The beginning of a run: blocks, plan, checkpoint and network, from an earlier run where there was one.

use super::{Account, Context};
use crate::certify::checkpoint::{CheckpointWriter, Saved, Stage};
use crate::certify::plan::Plan;
use crate::certify::relax::check_size;
use crate::certify::settings::{Blocks, CertifySettings, Method};
use crate::control::Control;
use crate::error::Result;
use crate::problem::{Network, TrainingProblem};
use crate::training::train;

/// Where a run stands once it has a network.
pub(super) struct Begun {
    pub(super) network: Network,
    /// How far an earlier run came.
    pub(super) stage: Option<Stage>,
    pub(super) writer: Option<CheckpointWriter>,
}

impl Begun {
    /// Whether an earlier run came to its end.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.stage, Some(Stage::Done { .. }))
    }
}

/// The settings with the number of blocks of the checkpoint: what was begun goes on in its blocks, whatever the time and the
/// memory of this run.
pub(super) fn in_earlier_blocks(
    settings: &CertifySettings,
    problem: &TrainingProblem,
) -> Result<CertifySettings> {
    let mut settings = settings.clone();
    if let (Some(checkpoint), Blocks::Auto) = (&settings.checkpoint, settings.blocks) {
        settings.blocks =
            CheckpointWriter::blocks_in(checkpoint, problem)?.map_or(Blocks::Auto, Blocks::Count);
    }
    Ok(settings)
}

/// Blocks, memory and time, before anything is spent.
pub(super) fn plan(problem: &TrainingProblem, settings: &CertifySettings, control: &Control) -> Result<Plan> {
    if settings.method == Method::Branch {
        return Plan::without_relaxation(problem, settings);
    }
    let plan = Plan::new(problem, settings, control.remaining())?;
    check_size(problem, settings, plan.blocks)?;
    Ok(plan)
}

type Opened = (Option<CheckpointWriter>, Option<Saved>);

pub(super) fn open_checkpoint(
    problem: &TrainingProblem,
    given: Option<&Network>,
    settings: &CertifySettings,
    blocks: usize,
) -> Result<Opened> {
    let Some(checkpoint) = &settings.checkpoint else { return Ok((None, None)) };
    let (writer, saved) = CheckpointWriter::open(checkpoint, problem, given, settings, blocks)?;
    Ok((Some(writer), saved))
}

/// The network of the earlier run, the one given, or a new one; written down if it is new.
pub(super) fn begin(context: &Context<'_>, (mut writer, saved): Opened, account: &mut Account<'_>) -> Begun {
    let Context { problem, given, training, control, .. } = *context;
    let is_new = saved.is_none();
    let (network, stage) = match saved {
        Some(saved) => {
            account.seconds = saved.seconds;
            (saved.network, Some(saved.stage))
        }
        None => {
            let network = given.cloned().unwrap_or_else(|| train(problem, training, control));
            account.seconds.round = context.started.elapsed().as_secs_f64();
            (network, None)
        }
    };
    account.watch.ended("training");
    // A training that was stopped has to be done again: nothing is kept of it.
    if is_new && given.is_none() && control.should_stop() {
        writer = None;
    }
    if let Some(writer) = &mut writer {
        writer.trained(&network);
        writer.spent(account.seconds);
        if is_new {
            writer.write(|_| Ok(()));
        }
        account.warn(writer.trouble());
    }
    Begun { network, stage, writer }
}
