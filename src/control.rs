//! When to stop: a deadline and a flag that another thread (or Ctrl-C) may raise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A deadline and a cancellation flag, shared by clones.
#[derive(Clone, Debug, Default)]
pub struct Control {
    cancelled: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Control {
    /// Without a deadline, not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same flag with a deadline this far from now; an earlier deadline is kept.
    pub fn within(&self, limit: Duration) -> Self {
        let deadline = Instant::now().checked_add(limit);
        let deadline = match (self.deadline, deadline) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { cancelled: Arc::clone(&self.cancelled), deadline }
    }

    /// Asks everything that shares this flag to stop at its next check.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the flag was raised.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Time until the deadline, zero after it; none without one.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether the flag was raised or the deadline has passed.
    pub fn should_stop(&self) -> bool {
        self.is_cancelled() || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
