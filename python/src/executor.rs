//! Blocks solved by an executor of Python's: tasks and outcomes cross as bytes, and every outcome is proved again here.

use crate::errors::refused;
use crate::options::{control, pool};
use crate::watched::watched;
use pyo3::prelude::{Bound, Py, PyAny, PyAnyMethods, PyErr, PyResult, Python, pyfunction};
use pyo3::types::PyBytes;
use rayon::prelude::{IntoParallelIterator, ParallelIterator};
use relucert::{BlockExecutor, BlockOutcome, BlockTask, BlockTasks, Control, Error, Result};
use std::time::{Duration, Instant};

/// Bytes of tasks that are handed out at once: six thousand blocks of 1,750 samples in ten features (conventional).
const IN_FLIGHT: usize = 1 << 30;
/// How long one wait for an outcome may be (conventional).
const WAIT: f64 = 0.05;
/// How long a run that is to stop waits for what the workers have so far (conventional).
const GRACE: Duration = Duration::from_secs(1);

/// The object of `relucert._executor` that knows the futures; it submits and collects by the place of a task.
pub(crate) struct PythonExecutor(Py<PyAny>);

/// Place, bytes and, in place of bytes, why there are none.
type Collected = (usize, Option<Vec<u8>>, Option<String>);

impl PythonExecutor {
    pub(crate) fn new(futures: Bound<'_, PyAny>) -> Self {
        Self(futures.unbind())
    }

    fn submit(&self, place: usize, task: &[u8], seconds: Option<f64>) -> std::result::Result<(), String> {
        let submit = |py: Python<'_>| -> PyResult<()> {
            self.0.bind(py).call_method1("submit", (place, PyBytes::new(py, task), seconds)).map(drop)
        };
        Python::attach(|py| submit(py).map_err(|error| line(py, &error)))
    }

    fn collect(&self) -> std::result::Result<Vec<Collected>, String> {
        Python::attach(|py| {
            let collected = self.0.bind(py).call_method1("collect", (WAIT,));
            collected.and_then(|found| found.extract()).map_err(|error| line(py, &error))
        })
    }

    /// Takes back what no worker has begun, or everything.
    fn cancel(&self, everything: bool) {
        // A future that cannot be taken back is left to itself.
        let _ = Python::attach(|py| self.0.bind(py).call_method1("cancel", (everything,)).map(drop));
    }
}

/// What an outcome's place holds while it is in flight, and the bytes there are.
struct Round<'a, 'b> {
    tasks: &'a BlockTasks<'b>,
    outcomes: Vec<Option<Result<BlockOutcome>>>,
    sizes: Vec<usize>,
    in_flight: usize,
    bytes: usize,
}

impl Round<'_, '_> {
    /// Takes what has come back, and solves here what nobody else is left for; whether anything was an error.
    fn take(&mut self, collected: Vec<Collected>, control: &Control) -> bool {
        let (tasks, mut failed) = (self.tasks, false);
        let mut collected = collected.into_iter();
        loop {
            let group: Vec<Collected> = collected.by_ref().take(tasks.at_once().max(1)).collect();
            if group.is_empty() {
                return failed;
            }
            let received: Vec<(usize, Result<BlockOutcome>)> = group
                .into_par_iter()
                .map(|(place, bytes, why)| {
                    let outcome = match (bytes, why) {
                        (Some(bytes), _) => BlockOutcome::from_bytes(&bytes)
                            .and_then(|outcome| tasks.receive(place, outcome))
                            .map_err(|error| named(tasks, place, error)),
                        (None, Some(why)) => Err(tasks.failed(place, why)),
                        (None, None) => tasks
                            .task(place)
                            .and_then(|task| task.solve(control))
                            .and_then(|outcome| tasks.receive(place, outcome)),
                    };
                    (place, outcome)
                })
                .collect();
            for (place, outcome) in received {
                failed |= outcome.is_err();
                self.in_flight -= 1;
                self.bytes -= self.sizes[place];
                self.outcomes[place] = Some(outcome);
            }
        }
    }
}

impl BlockExecutor for PythonExecutor {
    fn execute(
        &self,
        tasks: &BlockTasks<'_>,
        control: &Control,
        progress: &mut dyn FnMut(),
    ) -> Vec<Result<BlockOutcome>> {
        let count = tasks.len();
        let mut round = Round {
            tasks,
            outcomes: (0..count).map(|_| None).collect(),
            sizes: vec![0; count],
            in_flight: 0,
            bytes: 0,
        };
        let (mut next, mut failed) = (0, None);
        while !control.should_stop() && failed.is_none() && (next < count || round.in_flight > 0) {
            if next < count && (round.in_flight == 0 || round.bytes < IN_FLIGHT) {
                let left = control.remaining().map(|left| left.as_secs_f64());
                let sent = tasks.task(next).and_then(|task| task.to_bytes()).and_then(|task| {
                    round.sizes[next] = task.len();
                    self.submit(next, &task, left).map_err(|why| tasks.failed(next, why))
                });
                match sent {
                    Ok(()) => {
                        round.in_flight += 1;
                        round.bytes += round.sizes[next];
                        next += 1;
                        continue;
                    }
                    Err(error) => {
                        round.outcomes[next] = Some(Err(error));
                        failed = Some(next);
                        continue;
                    }
                }
            }
            match self.collect() {
                Ok(collected) if collected.is_empty() => {}
                Ok(collected) => {
                    if round.take(collected, control) {
                        failed = round.outcomes.iter().position(|outcome| matches!(outcome, Some(Err(_))));
                    }
                    progress();
                }
                Err(why) => {
                    let lost = round.outcomes.iter().position(Option::is_none).unwrap_or(0);
                    round.outcomes[lost] = Some(Err(tasks.failed(lost, why)));
                    failed = Some(lost);
                }
            }
        }
        if failed.is_none() && round.in_flight > 0 {
            // What has begun ends by itself about now; what has not is not begun any more.
            self.cancel(false);
            let stopped = Instant::now();
            while round.in_flight > 0 && stopped.elapsed() < GRACE {
                match self.collect() {
                    Ok(collected) => {
                        // What was cancelled comes back as an error, and is left out as if it had not been begun.
                        let (there, gone): (Vec<_>, Vec<_>) =
                            collected.into_iter().partition(|(_, bytes, _)| bytes.is_some());
                        round.in_flight -= gone.len();
                        round.take(there, control);
                    }
                    Err(_) => break,
                }
            }
        }
        if failed.is_some() || round.in_flight > 0 {
            self.cancel(true);
        }
        let outcomes = round.outcomes.into_iter().enumerate();
        outcomes
            .map(|(place, outcome)| match (outcome, failed) {
                (Some(outcome), _) => outcome,
                (None, Some(other)) => {
                    Err(tasks.failed(place, format!("not solved, after {} failed", tasks.name(other))))
                }
                // The run has to end: this comes back at once, without a bound.
                (None, None) => tasks.task(place)?.solve(control),
            })
            .collect()
    }
}

/// The error with the name of its task, if it has none yet.
fn named(tasks: &BlockTasks<'_>, place: usize, error: Error) -> Error {
    match error {
        Error::Task { .. } => error,
        other => tasks.failed(place, other.to_string()),
    }
}

/// An exception in one line.
fn line(py: Python<'_>, error: &PyErr) -> String {
    let text = error.value(py).to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    format!("{}: {}", error.get_type(py), words.join(" "))
}

/// What a worker does: solves the task in these bytes. Ctrl-C and the time limit end it with the best bound so far.
#[pyfunction]
#[pyo3(signature = (task, threads, seconds))]
pub(crate) fn solve_block<'py>(
    py: Python<'py>,
    task: &[u8],
    threads: Option<usize>,
    seconds: Option<f64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let control = control(seconds)?;
    let pool = pool(threads)?;
    let task = BlockTask::from_bytes(task).map_err(refused)?;
    let (outcome, _) = watched(py, &control, pool, None, move |control, _| task.solve(control)?.to_bytes())?;
    Ok(PyBytes::new(py, &outcome))
}
