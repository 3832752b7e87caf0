//! relucert for Python: arrays in, results out. What a caller sees is in `python/relucert`; this module is its private part.

mod arrays;
mod errors;
mod executor;
mod options;
mod outcome;
mod run;
mod verify;
mod watched;

use pyo3::prelude::{Bound, PyModule, PyModuleMethods, PyResult, pymodule, wrap_pyfunction};

#[pymodule]
fn _relucert(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<outcome::Outcome>()?;
    module.add_function(wrap_pyfunction!(executor::solve_block, module)?)?;
    module.add_function(wrap_pyfunction!(run::certify, module)?)?;
    module.add_function(wrap_pyfunction!(run::train, module)?)?;
    module.add_function(wrap_pyfunction!(verify::objective, module)?)?;
    module.add_function(wrap_pyfunction!(verify::predict, module)?)?;
    module.add_function(wrap_pyfunction!(verify::verify_arrays, module)?)?;
    module.add_function(wrap_pyfunction!(verify::verify_folder, module)?)?;
    Ok(())
}
