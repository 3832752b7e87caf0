//! The library's errors as Python's.

use pyo3::PyErr;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use relucert::Error;
use std::any::Any;

/// `ValueError` with the library's sentence.
pub(crate) fn refused(error: Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// What a defect of the library becomes: it panics nowhere on purpose.
pub(crate) fn defect(panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<&str>().copied().map(String::from);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    PyRuntimeError::new_err(format!("a defect of relucert, please report it: {text}"))
}
