//! Runs: certify and train.

use crate::arrays::{Weights, array2, network, problem};
use crate::errors::refused;
use crate::executor::PythonExecutor;
use crate::options::{Options, control, effort, pool};
use crate::outcome::Outcome;
use crate::watched::watched;
use pyo3::prelude::{Bound, PyAny, PyResult, Python, pyfunction};
use relucert::Certifier;
use relucert::training::TrainingSettings;
use std::sync::Arc;

/// Certifies a network that is trained, or the one given.
#[pyfunction]
#[pyo3(signature = (x, y, gamma, bias, weights, options, time_limit, threads, callback, futures))]
#[expect(clippy::too_many_arguments, reason = "the keywords of the caller")]
pub(crate) fn certify(
    py: Python<'_>,
    x: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
    gamma: f64,
    bias: bool,
    weights: Option<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
    options: Options,
    time_limit: Option<f64>,
    threads: Option<usize>,
    callback: Option<&Bound<'_, PyAny>>,
    futures: Option<Bound<'_, PyAny>>,
) -> PyResult<Outcome> {
    let control = control(time_limit)?;
    let settings = options.settings()?;
    let pool = pool(threads)?;
    let given = weights.as_ref().map(network).transpose()?;
    let problem = Arc::new(problem(x, y, gamma, bias)?);
    let shared = Arc::clone(&problem);
    let executor = futures.map(PythonExecutor::new);
    let (certified, history) = watched(py, &control, pool, callback, move |control, observer| {
        let mut run = Certifier::new(settings).control(control).observer(observer);
        if let Some(network) = &given {
            run = run.network(network);
        }
        if let Some(executor) = &executor {
            run = run.executor(executor);
        }
        run.run(&shared)
    })?;
    Ok(Outcome::new(problem, certified, history))
}

/// Trains a network: U and V.
#[pyfunction]
#[pyo3(signature = (x, y, gamma, bias, effort_name, width, starts, seed, time_limit, threads))]
#[expect(clippy::too_many_arguments, reason = "the keywords of the caller")]
pub(crate) fn train<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    gamma: f64,
    bias: bool,
    effort_name: &str,
    width: usize,
    starts: usize,
    seed: u64,
    time_limit: Option<f64>,
    threads: Option<usize>,
) -> PyResult<Weights<'py>> {
    let control = control(time_limit)?;
    let settings =
        TrainingSettings { effort: effort(effort_name)?, width, starts, seed, ..TrainingSettings::default() };
    settings.validate().map_err(refused)?;
    let pool = pool(threads)?;
    let problem = problem(x, y, gamma, bias)?;
    let (network, _) = watched(py, &control, pool, None, move |control, _| {
        Ok(relucert::training::train(&problem, &settings, control))
    })?;
    Ok((array2(py, network.hidden())?, array2(py, network.output())?))
}
