//! The live line on standard error.

use super::complain;
use crate::render::pictures::Moment;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use relucert::{Observer, Progress, Report};
use std::time::Duration;

/// Shows the last progress in place, and keeps all of it; shows nothing where standard error is no terminal.
pub(super) struct LiveLine {
    bar: ProgressBar,
    history: Vec<Moment>,
}

impl LiveLine {
    pub(super) fn new(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        if !bar.is_hidden() {
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar, history: Vec::new() }
    }

    /// Takes the line away; what it showed remains.
    pub(super) fn finish(self) -> Vec<Moment> {
        self.bar.finish_and_clear();
        self.history
    }
}

impl Observer for LiveLine {
    fn progress(&mut self, progress: &Progress) {
        self.history.push(Moment {
            seconds: progress.seconds,
            value: progress.value,
            bound: progress.lower_bound,
            infeasibility: progress.infeasibility,
        });
        if self.bar.is_hidden() {
            return;
        }
        if let Some((done, all)) = progress.blocks {
            let left = progress.seconds_left.map_or_else(String::new, |seconds| {
                format!("  left about {}", HumanDuration(Duration::from_secs_f64(seconds.clamp(0.0, 1e9))))
            });
            self.bar.set_message(format!(
                "blocks {done}/{all}{left}  bound ~{:.4} of {:.4}",
                progress.lower_bound, progress.value
            ));
            return;
        }
        if let (Some(cells), Some(share)) = (progress.cells, progress.share) {
            self.bar.set_message(format!(
                "search {:.1} % of all directions, {cells} cells  bound ~{:.4} of {:.4}",
                100.0 * share,
                progress.lower_bound,
                progress.upper_bound
            ));
            return;
        }
        if let Some(round) = progress.price_round {
            let (bound, value) = (progress.lower_bound, progress.value);
            self.bar.set_message(format!("prices, round {round}  bound ~{bound:.4} of {value:.4}"));
            return;
        }
        let gap = 100.0 * Report::relative_gap(progress.upper_bound, progress.lower_bound);
        // Estimates, to nearest: the proof comes at the end. Short enough, with the elapsed time, for eighty columns.
        self.bar.set_message(format!(
            "it {}  value {:.4}  bound ~{:.4}  gap ~{gap:.2} %  infeas {:.0e}  rank {}  pairs {}",
            progress.iteration,
            progress.value,
            progress.lower_bound,
            progress.infeasibility,
            progress.rank,
            progress.pairs,
        ));
    }

    fn warning(&mut self, message: &str) {
        self.bar.suspend(|| complain(message));
    }
}
