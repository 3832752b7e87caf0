//! What is shown while a run is under way: a live line, plain lines for a file, and a log of all levels.

mod log;
mod shown;

pub(super) use log::Log;
pub(super) use shown::Shown;

use super::complain;
use crate::render::pictures::Moment;
use clap::{Args, ValueEnum};
use indicatif::HumanDuration;
use relucert::{Observer, Progress, Report, Result};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct ProgressOptions {
    /// Progress on standard error: a live line, or a plain line every ten seconds and at each stage; auto takes the first
    /// for a terminal and the second else
    #[arg(long, value_enum, default_value_t = Mode::Auto, value_name = "HOW")]
    progress: Mode,
    /// Write a line for every step of the solver into this file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// No progress on standard error
    #[arg(long)]
    quiet: bool,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Auto,
    Bar,
    Lines,
    None,
}

impl ProgressOptions {
    fn mode(&self) -> Mode {
        if self.quiet { Mode::None } else { self.progress }
    }

    /// What shows progress, beginning with this stage.
    pub(super) fn shown(&self, stage: &str) -> Shown {
        Shown::new(self.mode(), stage)
    }

    /// The log, if one was asked for, with this heading.
    pub(super) fn log(&self, heading: &str) -> Result<Option<Log>> {
        self.log.as_deref().map(|path| Log::create(path, heading)).transpose()
    }
}

/// Progress in words alone, shown and logged.
pub(super) struct Plain {
    shown: Shown,
    log: Option<Log>,
}

impl Plain {
    pub(super) fn new(options: &ProgressOptions, stage: &str) -> Result<Self> {
        Ok(Self { shown: options.shown(stage), log: options.log("seconds  step")? })
    }

    pub(super) fn say(&mut self, message: &str) {
        self.shown.say(message, message);
        let seconds = self.shown.seconds();
        if let Some(log) = &mut self.log {
            log.line(&format!("{seconds:7.1}  {message}"));
        }
    }

    pub(super) fn finish(self) {
        self.shown.finish();
    }
}

/// Shows the last progress of a solver, keeps all of it, and logs it if asked to.
pub(super) struct LiveLine {
    shown: Shown,
    log: Option<Log>,
    history: Vec<Moment>,
}

/// The columns of the log; a step has those that belong to it.
const HEADING: &str = "seconds stage           step          value          bound    infeas   rank      pairs        cells    share";

impl LiveLine {
    pub(super) fn new(options: &ProgressOptions) -> Result<Self> {
        Ok(Self { shown: options.shown("training"), log: options.log(HEADING)?, history: Vec::new() })
    }

    /// Takes the line away; what it showed remains.
    pub(super) fn finish(self) -> Vec<Moment> {
        self.shown.finish();
        self.history
    }
}

/// The stage that a step belongs to.
fn stage(progress: &Progress) -> &'static str {
    match progress {
        Progress { blocks: Some(_), .. } => "blocks",
        Progress { cells: Some(_), .. } => "search",
        Progress { price_round: Some(_), .. } => "prices",
        _ => "relaxation",
    }
}

/// Estimates, to nearest: the proof comes at the end. Short enough, with the elapsed time, for eighty columns.
fn message(progress: &Progress) -> String {
    let (bound, value, upper) = (progress.lower_bound, progress.value, progress.upper_bound);
    if let Some((done, all)) = progress.blocks {
        let left = progress.seconds_left.map_or_else(String::new, |seconds| {
            format!("  left about {}", HumanDuration(Duration::from_secs_f64(seconds.clamp(0.0, 1e9))))
        });
        return format!("blocks {done}/{all}{left}  bound ~{bound:.4} of {value:.4}");
    }
    if let (Some(cells), Some(share)) = (progress.cells, progress.share) {
        let percent = 100.0 * share;
        return format!(
            "search {percent:.1} % of all directions, {cells} cells  bound ~{bound:.4} of {upper:.4}"
        );
    }
    if let Some(round) = progress.price_round {
        return format!("prices, round {round}  bound ~{bound:.4} of {value:.4}");
    }
    let gap = 100.0 * Report::relative_gap(upper, bound);
    format!(
        "it {}  value {value:.4}  bound ~{bound:.4}  gap ~{gap:.2} %  infeas {:.0e}  rank {}  pairs {}",
        progress.iteration, progress.infeasibility, progress.rank, progress.pairs,
    )
}

impl Observer for LiveLine {
    fn progress(&mut self, progress: &Progress) {
        self.history.push(Moment {
            seconds: progress.seconds,
            value: progress.value,
            bound: progress.lower_bound,
            infeasibility: progress.infeasibility,
        });
        let stage = stage(progress);
        if let Some(log) = &mut self.log {
            log.line(&format!(
                "{:7.1} {stage:<10} {:>9} {:14.8e} {:14.8e} {:9.2e} {:6} {:10} {:>12} {:>8}",
                progress.seconds,
                progress.iteration,
                progress.value,
                progress.lower_bound,
                progress.infeasibility,
                progress.rank,
                progress.pairs,
                progress.cells.map_or("-".into(), |cells| cells.to_string()),
                progress.share.map_or("-".into(), |share| format!("{share:.5}")),
            ));
        }
        self.shown.say(stage, &message(progress));
    }

    fn warning(&mut self, message: &str) {
        self.shown.aside(|| complain(message));
    }
}
