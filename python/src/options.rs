//! Settings of a run as they come from Python.

use crate::errors::refused;
use pyo3::PyErr;
use pyo3::prelude::{FromPyObject, PyResult};
use rayon::{ThreadPool, ThreadPoolBuilder};
use relucert::certificate::ProofSettings;
use relucert::training::{Effort, TrainingSettings};
use relucert::{CertifySettings, Checkpoint, Control, Error};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The keyword arguments that all runs share; names and words are those of the command line.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    tolerance: f64,
    method: String,
    cuts: String,
    blocks: String,
    prices: String,
    effort: String,
    failure_probability: f64,
    seed: u64,
    memory_limit: Option<u64>,
    checkpoint: Option<PathBuf>,
}

impl Options {
    pub(crate) fn settings(self) -> PyResult<CertifySettings> {
        let settings = CertifySettings {
            tolerance: self.tolerance,
            seed: self.seed,
            blocks: self.blocks.parse().map_err(refused)?,
            prices: self.prices.parse().map_err(refused)?,
            cuts: self.cuts.parse().map_err(refused)?,
            method: self.method.parse().map_err(refused)?,
            training: TrainingSettings { effort: effort(&self.effort)?, ..TrainingSettings::default() },
            proof: ProofSettings {
                failure_probability: self.failure_probability,
                ..ProofSettings::default()
            },
            memory_limit: self.memory_limit,
            checkpoint: self.checkpoint.map(Checkpoint::new),
            ..CertifySettings::default()
        };
        settings.validate().map_err(refused)?;
        Ok(settings)
    }
}

pub(crate) fn effort(name: &str) -> PyResult<Effort> {
    let found = Effort::ALL.iter().find(|(_, known)| *known == name);
    found.map(|(effort, _)| *effort).ok_or_else(|| parameter("effort", name, "low, normal or high"))
}

/// A control whose deadline is so many seconds from now.
pub(crate) fn control(time_limit: Option<f64>) -> PyResult<Control> {
    match time_limit.map(|seconds| (seconds, Duration::try_from_secs_f64(seconds))) {
        None => Ok(Control::new()),
        Some((seconds, Ok(limit))) if seconds > 0.0 => Ok(Control::new().within(limit)),
        Some((seconds, _)) => {
            Err(parameter("time_limit", &format!("{seconds:?}"), "a positive number of seconds"))
        }
    }
}

/// The pool of the last call. A process that was forked has none of the threads of its parent, so it starts its own.
static POOL: Mutex<Option<(u32, usize, Arc<ThreadPool>)>> = Mutex::new(None);

/// Threads for a run: so many, or one for each core.
pub(crate) fn pool(threads: Option<usize>) -> PyResult<Arc<ThreadPool>> {
    let wanted = threads.unwrap_or(0);
    if threads.is_some_and(|threads| !(1..=1024).contains(&threads)) {
        return Err(parameter("threads", &wanted.to_string(), "between 1 and 1024"));
    }
    let process = std::process::id();
    let mut kept = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, count, pool)) = &*kept
        && (*of, *count) == (process, wanted)
    {
        return Ok(Arc::clone(pool));
    }
    let pool = ThreadPoolBuilder::new()
        .num_threads(wanted)
        .build()
        .map_err(|error| refused(Error::Input(format!("cannot start {wanted} threads: {error}"))))?;
    let pool = Arc::new(pool);
    if let Some((of, _, old)) = kept.replace((process, wanted, Arc::clone(&pool)))
        && of != process
    {
        // Dropping it would wait for threads that are not there.
        std::mem::forget(old);
    }
    Ok(pool)
}

pub(crate) fn parameter(name: &'static str, value: &str, range: &'static str) -> PyErr {
    refused(Error::Parameter { name, value: value.into(), range })
}
