//! A live line where standard error is a terminal; else plain lines, so that no log of a batch system stays empty.

use super::Mode;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The first plain line comes after this long: a run that is over before says nothing. Then one every so often.
const FIRST: Duration = Duration::from_millis(1500);
const EVERY: Duration = Duration::from_secs(10);

/// Shows the last message, one way or another.
pub(in crate::cli) struct Shown {
    begun: Instant,
    how: How,
}

enum How {
    Nothing,
    Bar(ProgressBar),
    Lines(Lines),
}

impl Shown {
    pub(super) fn new(mode: Mode, stage: &str) -> Self {
        let begun = Instant::now();
        let is_bar = match mode {
            Mode::Auto => std::io::stderr().is_terminal(),
            mode => mode == Mode::Bar,
        };
        let how = match mode {
            Mode::None => How::Nothing,
            _ if is_bar => How::Bar(bar(stage)),
            _ => How::Lines(Lines::begin(begun, stage)),
        };
        Self { begun, how }
    }

    /// Whether there is a live line.
    pub(in crate::cli) fn is_bar(&self) -> bool {
        matches!(self.how, How::Bar(_))
    }

    pub(in crate::cli) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// The last message; a new stage is shown at once.
    pub(in crate::cli) fn say(&self, stage: &str, message: &str) {
        match &self.how {
            How::Nothing => {}
            How::Bar(bar) => bar.set_message(message.to_owned()),
            How::Lines(lines) => lines.say(stage, message),
        }
    }

    /// Writes something else to standard error meanwhile.
    pub(in crate::cli) fn aside(&self, write: impl FnOnce()) {
        match &self.how {
            How::Bar(bar) => bar.suspend(write),
            _ => write(),
        }
    }

    /// Takes the live line away.
    pub(in crate::cli) fn finish(self) {
        if let How::Bar(bar) = &self.how {
            bar.finish_and_clear();
        }
    }
}

fn bar(stage: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
        bar.set_style(style);
    }
    bar.set_message(stage.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Plain lines from a thread of their own: the solver may be silent for long.
struct Lines {
    state: Arc<Mutex<State>>,
    /// Dropped at the end, which ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    begun: Instant,
    stage: String,
    message: String,
    last: Option<Instant>,
}

impl State {
    fn print(&mut self) {
        self.last = Some(Instant::now());
        let seconds = self.begun.elapsed().as_secs_f64();
        // A reader that went away is no reason to stop.
        let _ = writeln!(std::io::stderr(), "{seconds:7.1} s  {}", self.message);
    }

    /// How long until the next line is due.
    fn left(&self) -> Duration {
        match self.last {
            Some(last) => EVERY.saturating_sub(last.elapsed()),
            None => FIRST.saturating_sub(self.begun.elapsed()),
        }
    }
}

impl Lines {
    fn begin(begun: Instant, stage: &str) -> Self {
        let state = State { begun, stage: stage.into(), message: stage.into(), last: None };
        let state = Arc::new(Mutex::new(state));
        let (stop, stopped) = channel::<()>();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            loop {
                let left = lock(&shared).left();
                match stopped.recv_timeout(left) {
                    Err(RecvTimeoutError::Timeout) => {
                        let mut state = lock(&shared);
                        if state.left().is_zero() {
                            state.print();
                        }
                    }
                    _ => return,
                }
            }
        });
        Self { state, stop: Some(stop), thread: Some(thread) }
    }

    fn say(&self, stage: &str, message: &str) {
        let mut state = lock(&self.state);
        let is_new = state.stage != stage;
        message.clone_into(&mut state.message);
        if is_new {
            stage.clone_into(&mut state.stage);
            // Before the first line a short run may still end in silence.
            if state.last.is_some() {
                state.print();
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
