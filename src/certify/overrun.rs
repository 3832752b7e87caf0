//! What kept a run from ending in time.

use crate::control::Control;
use std::time::Duration;

/// Watches the phases of a run for the one that took most of the time after the deadline.
pub(crate) struct Watch<'a> {
    control: &'a Control,
    /// How late the phases so far have ended.
    late: Duration,
    worst: (&'static str, Duration),
}

impl<'a> Watch<'a> {
    /// From the beginning of a run. The deadline may have passed before: a caller reads data within his limit.
    pub(crate) fn new(control: &'a Control) -> Self {
        let mut watch = Self { control, late: Duration::ZERO, worst: ("", Duration::ZERO) };
        watch.ended("what came before the run, such as reading the data");
        watch
    }

    /// Tells that a phase has ended.
    pub(crate) fn ended(&mut self, phase: &'static str) {
        let late = self.control.late();
        let took = late.saturating_sub(self.late);
        if took > self.worst.1 {
            self.worst = (phase, took);
        }
        self.late = late;
    }

    /// One line, where the run has ended more than a tenth of its limit and a second after its deadline.
    pub(crate) fn line(&self) -> Option<String> {
        let (phase, took) = self.worst;
        self.control.is_overrun(self.late).then(|| {
            format!(
                "{:.1} s past the time limit, {:.1} s of them for {phase}, in steps that are not interrupted",
                self.late.as_secs_f64(),
                took.as_secs_f64()
            )
        })
    }
}
