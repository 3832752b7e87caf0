//! What needs no run: proofs again, predictions, objectives.

use crate::arrays::{array2, features, network, problem};
use crate::errors::refused;
use crate::options::pool;
use crate::outcome::json;
use crate::watched::watched;
use numpy::PyArray2;
use pyo3::prelude::{Bound, PyAny, PyResult, Python, pyfunction};
use relucert::certificate::ProofSettings;
use relucert::certificate::branch::SearchSettings;
use relucert::io::parse_certificate;
use relucert::{Control, Saved};
use std::path::{Path, PathBuf};

/// U and V.
type Weights<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// (XU)₊Vᵀ.
#[pyfunction]
#[pyo3(signature = (x, weights, bias))]
pub(crate) fn predict<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    weights: Weights<'py>,
    bias: bool,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let (network, features) = (network(&weights)?, features(x, bias)?);
    if features.ncols() != network.hidden().nrows() {
        return Err(refused(relucert::Error::Shape {
            what: "features",
            expected: format!("{} columns, as the network was trained on", network.hidden().nrows()),
            actual: features.ncols().to_string(),
        }));
    }
    let pool = pool(None)?;
    let predicted = py.detach(|| pool.install(|| network.predict_for(&features)));
    array2(py, predicted.as_ref())
}

/// The objective of a network, rounded upwards.
#[pyfunction]
#[pyo3(signature = (x, y, gamma, weights, bias))]
pub(crate) fn objective(
    py: Python<'_>,
    x: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
    gamma: f64,
    weights: Weights<'_>,
    bias: bool,
) -> PyResult<f64> {
    let (network, problem) = (network(&weights)?, problem(x, y, gamma, bias)?);
    let expected = (problem.inputs(), problem.outputs());
    let actual = (network.hidden().nrows(), network.output().nrows());
    if actual != expected {
        return Err(refused(relucert::Error::Shape {
            what: "network",
            expected: format!("{} features and {} outputs", expected.0, expected.1),
            actual: format!("U for {} features and V for {} outputs", actual.0, actual.1),
        }));
    }
    let pool = pool(None)?;
    Ok(py.detach(|| pool.install(|| network.objective_upper(&problem))).value())
}

/// Proves a saved run again; the verdict as JSON, and what is not proved.
#[pyfunction]
#[pyo3(signature = (folder, failure_probability, max_cells, seed, threads))]
pub(crate) fn verify_folder(
    py: Python<'_>,
    folder: PathBuf,
    failure_probability: f64,
    max_cells: u64,
    seed: Option<u64>,
    threads: Option<usize>,
) -> PyResult<(String, Option<String>)> {
    judge(py, settings(failure_probability, max_cells, seed), threads, move || Saved::load(&folder))
}

/// Proves the bytes of a `certificate.npz` for a problem.
#[pyfunction]
#[pyo3(signature = (x, y, gamma, bias, certificate, weights, failure_probability, max_cells, seed, threads))]
#[expect(clippy::too_many_arguments, reason = "the keywords of the caller")]
pub(crate) fn verify_arrays(
    py: Python<'_>,
    x: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
    gamma: f64,
    bias: bool,
    certificate: &[u8],
    weights: Option<Weights<'_>>,
    failure_probability: f64,
    max_cells: u64,
    seed: Option<u64>,
    threads: Option<usize>,
) -> PyResult<(String, Option<String>)> {
    let problem = problem(x, y, gamma, bias)?;
    let certificate = parse_certificate(Path::new("certificate"), certificate).map_err(refused)?;
    let saved = Saved::new(problem, certificate, weights.as_ref().map(network).transpose()?);
    judge(py, settings(failure_probability, max_cells, seed), threads, move || Ok(saved))
}

fn settings(failure_probability: f64, max_cells: u64, seed: Option<u64>) -> ProofSettings {
    let search = SearchSettings { cells: max_cells, ..SearchSettings::default() };
    ProofSettings { failure_probability, seed, search, ..ProofSettings::default() }
}

fn judge(
    py: Python<'_>,
    settings: ProofSettings,
    threads: Option<usize>,
    load: impl FnOnce() -> relucert::Result<Saved> + Send + 'static,
) -> PyResult<(String, Option<String>)> {
    let pool = pool(threads)?;
    // A proof has no best so far: what counts as the first Ctrl-C is behind us, and the next one is heard at once.
    let control = Control::new();
    control.cancel();
    let (verdict, _) = watched(py, &control, pool, None, move |_, _| load()?.judge(&settings))?;
    Ok((json(&verdict)?, verdict.objection))
}
