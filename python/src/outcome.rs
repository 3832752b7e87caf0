//! What a run returns.

use crate::arrays::{Weights, array2};
use crate::errors::refused;
use numpy::{PyArray1, PyArray3, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::{Bound, PyAny, PyDictMethods, PyResult, Python, pyclass, pymethods};
use pyo3::types::PyDict;
use relucert::certificate::Certificate;
use relucert::{Certified, Progress, TrainingProblem, write_whole};
use std::path::PathBuf;
use std::sync::Arc;

/// A run that has ended, with its problem, so that it can be saved.
#[pyclass(frozen, module = "relucert._relucert")]
pub(crate) struct Outcome {
    problem: Arc<TrainingProblem>,
    certified: Certified,
    history: Vec<Progress>,
}

impl Outcome {
    pub(crate) fn new(problem: Arc<TrainingProblem>, certified: Certified, history: Vec<Progress>) -> Self {
        Self { problem, certified, history }
    }
}

#[pymethods]
impl Outcome {
    /// Lower bound, upper bound and gap: the numbers that were proved.
    fn figures(&self) -> (f64, f64, f64) {
        let report = &self.certified.report;
        (report.lower_bound.value(), report.upper_bound.value(), report.gap.value())
    }

    /// The same as text, each rounded to its safe side.
    fn shown(&self) -> (String, String, String) {
        let report = &self.certified.report;
        (report.lower_bound.to_string(), report.upper_bound.to_string(), report.gap.to_string())
    }

    /// The object that `--json` prints.
    fn report(&self) -> PyResult<String> {
        json(&self.certified.report)
    }

    /// Whether the tolerance was reached, as the exit status of the command line tells.
    fn meets(&self, tolerance: f64) -> bool {
        self.certified.report.meets(tolerance)
    }

    /// U and V.
    fn weights<'py>(&self, py: Python<'py>) -> PyResult<Weights<'py>> {
        Ok((array2(py, self.certified.network.hidden())?, array2(py, self.certified.network.output())?))
    }

    /// The arrays of `certificate.npz` by name.
    fn certificate<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        arrays(py, &self.certified.certificate)
    }

    /// The progress, one object for each time it was told.
    fn history<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.history.iter().map(|progress| told(py, progress)).collect()
    }

    /// Writes `problem.npz`, `network.npz`, `certificate.npz` and `report.json` into a folder.
    fn save(&self, py: Python<'_>, folder: PathBuf) -> PyResult<()> {
        let report = self.report()? + "\n";
        py.detach(|| {
            self.certified.save(&self.problem, &folder)?;
            write_whole(&folder.join("report.json"), |file| {
                std::io::Write::write_all(file, report.as_bytes())
            })
        })
        .map_err(refused)
    }
}

/// One line of progress, as a dictionary with the library's names.
pub(crate) fn told<'py>(py: Python<'py>, progress: &Progress) -> PyResult<Bound<'py, PyDict>> {
    let object = PyDict::new(py);
    object.set_item("iteration", progress.iteration)?;
    object.set_item("value", progress.value)?;
    object.set_item("lower_bound", progress.lower_bound)?;
    object.set_item("upper_bound", progress.upper_bound)?;
    object.set_item("infeasibility", progress.infeasibility)?;
    object.set_item("rank", progress.rank)?;
    object.set_item("pairs", progress.pairs)?;
    object.set_item("seconds", progress.seconds)?;
    object.set_item("blocks", progress.blocks)?;
    object.set_item("price_round", progress.price_round)?;
    object.set_item("cells", progress.cells)?;
    object.set_item("share", progress.share)?;
    object.set_item("seconds_left", progress.seconds_left)?;
    Ok(object)
}

/// The value as indented JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string_pretty(value).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn arrays<'py>(py: Python<'py>, certificate: &Certificate) -> PyResult<Bound<'py, PyDict>> {
    let (dual, named) = (certificate.dual(), PyDict::new(py));
    named.set_item("W", array2(py, dual.w.as_ref())?)?;
    if certificate.is_by_branch() {
        named.set_item("branch", numbers(py, [1])?)?;
        return Ok(named);
    }
    named.set_item("y", PyArray1::from_slice(py, &dual.y))?;
    let pairs = PyArray1::from_iter(py, dual.pairs.iter().flatten().map(|index| *index as i64));
    named.set_item("pairs", pairs.reshape([dual.pairs.len(), 2])?)?;
    named.set_item("N", PyArray1::from_slice(py, &dual.n))?;
    let cuts = &dual.cuts;
    if !cuts.is_empty() {
        named.set_item("form_target", numbers(py, cuts.targets().iter().copied())?)?;
        named.set_item("form_indptr", numbers(py, cuts.offsets())?)?;
        named.set_item("form_index", numbers(py, cuts.indices().iter().copied())?)?;
        named.set_item("form_coef", PyArray1::from_slice(py, cuts.coefficients()))?;
    }
    let Some(partition) = certificate.partition() else { return Ok(named) };
    named.set_item("block", numbers(py, partition.block().iter().copied())?)?;
    if let Some(heads) = partition.heads() {
        let order = heads.first().map_or(0, |head| head.nrows());
        let entries =
            heads.iter().flat_map(|head| (0..order * order).map(move |k| head[(k / order, k % order)]));
        let stacked: Bound<'py, PyArray3<f64>> =
            PyArray1::from_iter(py, entries).reshape([heads.len(), order, order])?;
        named.set_item("head", stacked)?;
    }
    Ok(named)
}

fn numbers<'py>(py: Python<'py>, numbers: impl IntoIterator<Item = usize>) -> PyResult<Bound<'py, PyAny>> {
    Ok(PyArray1::from_iter(py, numbers.into_iter().map(|number| number as i64)).into_any())
}
