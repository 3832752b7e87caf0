//! The live line on standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use relucert::{Observer, Progress, Report};
use std::time::Duration;

/// Shows the last progress in place; shows nothing where standard error is no terminal.
pub(super) struct LiveLine(ProgressBar);

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
        Self(bar)
    }

    /// Takes the line away.
    pub(super) fn finish(self) {
        self.0.finish_and_clear();
    }
}

impl Observer for LiveLine {
    fn progress(&mut self, progress: &Progress) {
        if self.0.is_hidden() {
            return;
        }
        let gap = 100.0 * Report::relative_gap(progress.upper_bound, progress.lower_bound);
        // Short enough, with the elapsed time, for eighty columns.
        self.0.set_message(format!(
            "it {}  value {:.4}  bound {:.4}  gap {gap:.2} %  infeas {:.0e}  rank {}  pairs {}",
            progress.iteration,
            progress.value,
            progress.lower_bound,
            progress.infeasibility,
            progress.rank,
            progress.pairs,
        ));
    }
}
