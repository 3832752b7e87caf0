//! Arrays between numpy and the library.
//!
//! X is copied once, straight from numpy's memory, whatever its strides and precision, into the columns that the solvers
//! want; there is no second copy of it. What the library returns is copied once into numpy's rows.

use crate::errors::refused;
use numpy::ndarray::{ArrayView2, Axis};
use numpy::{Element, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::{Bound, PyAny, PyAnyMethods, PyResult, Python};
use relucert::faer::{Mat, MatRef};
use relucert::sprs::CsMat;
use relucert::{Error, Features, Network, TrainingProblem};

/// Rows that are turned at once: a panel of 64 rows of a hundred columns stays in the first cache (conventional).
const PANEL: usize = 64;

/// The matrix in a numpy array of two dimensions in double or single precision, with a last column of ones if asked for.
pub(crate) fn matrix(array: &Bound<'_, PyAny>, ones: bool) -> PyResult<Mat<f64>> {
    if let Ok(array) = array.extract::<PyReadonlyArray2<'_, f64>>() {
        return Ok(turned(array.as_array(), ones));
    }
    match array.extract::<PyReadonlyArray2<'_, f32>>() {
        Ok(array) => Ok(turned(array.as_array(), ones)),
        Err(_) => Err(PyTypeError::new_err(
            "a matrix must be a numpy array of float64 or float32 with two dimensions",
        )),
    }
}

fn turned<T: Copy + Into<f64>>(array: ArrayView2<'_, T>, ones: bool) -> Mat<f64> {
    let (rows, columns) = array.dim();
    let mut matrix = Mat::zeros(rows, columns + usize::from(ones));
    for (panel, from) in array.axis_chunks_iter(Axis(0), PANEL).zip((0..rows).step_by(PANEL)) {
        for (j, source) in panel.columns().into_iter().enumerate() {
            let target = &mut matrix.col_as_slice_mut(j)[from..from + source.len()];
            target.iter_mut().zip(source).for_each(|(to, value)| *to = (*value).into());
        }
    }
    if ones {
        matrix.col_as_slice_mut(columns).fill(1.0);
    }
    matrix
}

/// Features: a matrix, or the compressed rows of one as the tuple (shape, indptr, indices, data).
pub(crate) fn features(x: &Bound<'_, PyAny>, bias: bool) -> PyResult<Features> {
    match x.extract::<(usize, usize, Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>)>() {
        Ok((rows, columns, indptr, indices, data)) => {
            let rows = CompressedRows {
                shape: (rows, columns),
                indptr: places(&indptr)?,
                indices: places(&indices)?,
                data: row(&data)?,
            };
            Ok(rows.matrix(bias).map_err(refused)?.into())
        }
        Err(_) => Ok(matrix(x, bias)?.into()),
    }
}

struct CompressedRows {
    shape: (usize, usize),
    indptr: Vec<usize>,
    indices: Vec<usize>,
    data: Vec<f64>,
}

impl CompressedRows {
    /// Checked, since whoever made the arrays may have changed them.
    fn matrix(self, ones: bool) -> Result<CsMat<f64>, Error> {
        let Self { shape: (rows, columns), indptr, indices, data } = self;
        let fits = indptr.len() == rows + 1
            && indptr.first() == Some(&0)
            && indptr.last() == Some(&indices.len())
            && indptr.is_sorted()
            && indices.len() == data.len();
        if !fits {
            return Err(Error::Input("indptr, indices and data are not the compressed rows of X".into()));
        }
        let (indptr, indices, data) =
            if ones { with_ones(columns, &indptr, &indices, &data) } else { (indptr, indices, data) };
        CsMat::try_new((rows, columns + usize::from(ones)), indptr, indices, data)
            .map_err(|(.., error)| Error::Input(format!("X is not a sparse matrix: {error}")))
    }
}

/// Compressed rows with a last column of ones.
fn with_ones(
    columns: usize,
    indptr: &[usize],
    indices: &[usize],
    data: &[f64],
) -> (Vec<usize>, Vec<usize>, Vec<f64>) {
    let rows = indptr.len() - 1;
    let (mut places, mut values) =
        (Vec::with_capacity(indices.len() + rows), Vec::with_capacity(indices.len() + rows));
    for ends in indptr.windows(2) {
        places.extend_from_slice(&indices[ends[0]..ends[1]]);
        values.extend_from_slice(&data[ends[0]..ends[1]]);
        places.push(columns);
        values.push(1.0);
    }
    (indptr.iter().enumerate().map(|(row, end)| end + row).collect(), places, values)
}

/// Numbers from 0 in an integer array of one dimension.
fn places(array: &Bound<'_, PyAny>) -> PyResult<Vec<usize>> {
    fn checked<T: Element + Copy + TryInto<usize>>(array: PyReadonlyArray1<'_, T>) -> PyResult<Vec<usize>> {
        let numbers: Option<Vec<usize>> =
            array.as_array().iter().map(|value| (*value).try_into().ok()).collect();
        numbers
            .ok_or_else(|| refused(Error::Input("X is not a sparse matrix: it has a negative index".into())))
    }
    if let Ok(array) = array.extract::<PyReadonlyArray1<'_, i32>>() {
        return checked(array);
    }
    match array.extract::<PyReadonlyArray1<'_, i64>>() {
        Ok(array) => checked(array),
        Err(_) => {
            Err(PyTypeError::new_err("indices must be a numpy array of int32 or int64 with one dimension"))
        }
    }
}

fn row(array: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
    if let Ok(array) = array.extract::<PyReadonlyArray1<'_, f64>>() {
        return Ok(array.as_array().to_vec());
    }
    match array.extract::<PyReadonlyArray1<'_, f32>>() {
        Ok(array) => Ok(array.as_array().iter().map(|value| f64::from(*value)).collect()),
        Err(_) => {
            Err(PyTypeError::new_err("data must be a numpy array of float64 or float32 with one dimension"))
        }
    }
}

/// The problem of X (a matrix or compressed rows), Y and γ.
pub(crate) fn problem(
    x: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
    gamma: f64,
    bias: bool,
) -> PyResult<TrainingProblem> {
    TrainingProblem::new(features(x, bias)?, matrix(y, false)?, gamma).map_err(refused)
}

/// The network of the matrices U and V.
pub(crate) fn network(weights: &(Bound<'_, PyAny>, Bound<'_, PyAny>)) -> PyResult<Network> {
    Network::new(matrix(&weights.0, false)?, matrix(&weights.1, false)?).map_err(refused)
}

/// U and V as arrays.
pub(crate) type Weights<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray2<f64>>);

/// A matrix as an array in rows.
pub(crate) fn array2<'py>(py: Python<'py>, matrix: MatRef<'_, f64>) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let rows = (0..matrix.nrows()).flat_map(|i| (0..matrix.ncols()).map(move |j| matrix[(i, j)]));
    PyArray1::from_iter(py, rows).reshape([matrix.nrows(), matrix.ncols()])
}
