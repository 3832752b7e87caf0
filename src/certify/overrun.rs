//! What kept a run from ending in time.

use crate::control::Control;
use std::time::{Duration, Instant};

/// Watches the phases of a run for the one in which its time ran out for good.
pub(crate) struct Watch<'a> {
    control: &'a Control,
    since: Instant,
    culprit: Option<(&'static str, Duration)>,
}

impl<'a> Watch<'a> {
    /// From the beginning of a run. Time may have run out before: the caller reads data within the limit.
    pub(crate) fn new(control: &'a Control) -> Self {
        let mut watch = Self { control, since: Instant::now(), culprit: None };
        if control.should_stop() && !control.is_cancelled() {
            watch.culprit = Some(("what came before, such as reading the data", Duration::ZERO));
        }
        watch
    }

    /// Tells that a phase has ended.
    pub(crate) fn ended(&mut self, phase: &'static str) {
        if self.culprit.is_none() && self.control.overrun().is_some() {
            self.culprit = Some((phase, self.since.elapsed()));
        }
        self.since = Instant::now();
    }

    /// One line, where the run ends later than a tenth of its limit and a second after its deadline.
    pub(crate) fn line(&self) -> Option<String> {
        let late = self.control.overrun()?.as_secs_f64();
        let (phase, took) = self.culprit.unwrap_or(("the end of the run", self.since.elapsed()));
        Some(match took {
            Duration::ZERO => format!("{late:.1} s past the time limit: it had passed in {phase}"),
            took => format!(
                "{late:.1} s past the time limit: {phase} took {:.1} s, in steps that are not interrupted",
                took.as_secs_f64()
            ),
        })
    }
}
