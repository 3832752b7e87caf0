//! When to stop: a deadline and a flag that another thread (or Ctrl-C) may raise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A deadline and a cancellation flag, shared by clones.
#[derive(Clone, Debug, Default)]
pub struct Control {
    cancelled: Arc<AtomicBool>,
    deadline: Option<Deadline>,
}

/// When to stop, and how much later the end may be.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    at: Instant,
    grace: Duration,
}

/// A run may end a tenth of its limit and a second after it (conventional, and promised in the documentation).
const GRACE_PART: f64 = 0.1;
const GRACE: Duration = Duration::from_secs(1);

impl Control {
    /// Without a deadline, not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// A control that shares the flag of this one, with a deadline this far from now; an earlier deadline is kept.
    pub fn within(&self, limit: Duration) -> Self {
        let grace = GRACE + limit.mul_f64(GRACE_PART);
        let deadline = Instant::now().checked_add(limit).map(|at| Deadline { at, grace });
        let deadline = match (self.deadline, deadline) {
            (Some(a), Some(b)) => Some(if b.at < a.at { b } else { a }),
            (a, b) => a.or(b),
        };
        Self { cancelled: Arc::clone(&self.cancelled), deadline }
    }

    /// A control that shares the flag of this one, with a deadline earlier by `needed`: the time of work that comes after
    /// it and cannot be left out. Work that fits into half the grace needs no time kept free.
    pub(crate) fn reserving(&self, needed: Duration) -> Self {
        let earlier = |deadline: Deadline| {
            let reserved = needed.saturating_sub(deadline.grace / 2);
            Deadline { at: deadline.at.checked_sub(reserved).unwrap_or(deadline.at), ..deadline }
        };
        Self { cancelled: Arc::clone(&self.cancelled), deadline: self.deadline.map(earlier) }
    }

    /// SeparationSettings everything that shares this flag to stop at its next check.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the flag was raised.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Time until the deadline, zero after it; none without one.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.at.saturating_duration_since(Instant::now()))
    }

    /// Whether work that takes so long, and cannot be interrupted, would end by the deadline or half the grace after it.
    pub(crate) fn has_time_for(&self, needed: Duration) -> bool {
        let end = Instant::now().checked_add(needed);
        self.deadline.is_none_or(|Deadline { at, grace }| match (end, at.checked_add(grace / 2)) {
            (Some(end), Some(latest)) => end <= latest,
            (end, _) => end.is_some(),
        })
    }

    /// How long ago the deadline was; zero before it, and without one.
    pub(crate) fn late(&self) -> Duration {
        self.deadline.map_or(Duration::ZERO, |deadline| Instant::now().saturating_duration_since(deadline.at))
    }

    /// Whether so long after the deadline is more than a tenth of the limit and a second.
    pub(crate) fn is_overrun(&self, late: Duration) -> bool {
        self.deadline.is_some_and(|deadline| late > deadline.grace)
    }

    /// Whether the flag was raised or the deadline has passed.
    pub fn should_stop(&self) -> bool {
        self.is_cancelled() || self.deadline.is_some_and(|deadline| Instant::now() >= deadline.at)
    }
}
