//! A training problem from the arrays of other libraries. They are copied: the problem has matrices of its own.

use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use faer::MatRef;

impl TrainingProblem {
    /// From X (n × d) and Y (n × c) as slices, row after row; `samples` is n, and the lengths tell d and c.
    ///
    /// Errors: as [`new`](Self::new), and a length that is not a multiple of n.
    ///
    /// ```
    /// use relucert::TrainingProblem;
    ///
    /// // Three samples of two features, one target each.
    /// let problem = TrainingProblem::from_row_major(3, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[1.0, 0.0, 2.0], 0.1)?;
    /// assert_eq!(problem.features()[(2, 0)], 4.0);
    /// # Ok::<(), relucert::Error>(())
    /// ```
    pub fn from_row_major(
        samples: usize,
        features: &[f64],
        targets: &[f64],
        weight_decay: f64,
    ) -> Result<Self> {
        let matrix = |what: &'static str, values: &[f64]| {
            let columns = values.len().checked_div(samples).unwrap_or(0);
            if samples == 0 || columns * samples != values.len() {
                return Err(Error::Shape {
                    what,
                    expected: format!("{samples} rows of the same length"),
                    actual: format!("{} values", values.len()),
                });
            }
            Ok(MatRef::from_row_major_slice(values, samples, columns).to_owned())
        };
        Self::new(matrix("features", features)?, matrix("targets", targets)?, weight_decay)
    }

    /// From X (n × d) and Y (n × c) as arrays of the crate ndarray, with any strides. Errors: as [`new`](Self::new).
    #[cfg(feature = "ndarray")]
    pub fn from_ndarray(
        features: ndarray::ArrayView2<'_, f64>,
        targets: ndarray::ArrayView2<'_, f64>,
        weight_decay: f64,
    ) -> Result<Self> {
        let matrix = |view: ndarray::ArrayView2<'_, f64>| {
            faer::Mat::from_fn(view.nrows(), view.ncols(), |i, j| view[[i, j]])
        };
        Self::new(matrix(features), matrix(targets), weight_decay)
    }

    /// From X (n × d) and Y (n × c) as matrices or views of the crate nalgebra. Errors: as [`new`](Self::new).
    #[cfg(feature = "nalgebra")]
    pub fn from_nalgebra<R, C, S, Q, D, T>(
        features: &nalgebra::Matrix<f64, R, C, S>,
        targets: &nalgebra::Matrix<f64, Q, D, T>,
        weight_decay: f64,
    ) -> Result<Self>
    where
        R: nalgebra::Dim,
        C: nalgebra::Dim,
        S: nalgebra::RawStorage<f64, R, C>,
        Q: nalgebra::Dim,
        D: nalgebra::Dim,
        T: nalgebra::RawStorage<f64, Q, D>,
    {
        let x = faer::Mat::from_fn(features.nrows(), features.ncols(), |i, j| features[(i, j)]);
        let y = faer::Mat::from_fn(targets.nrows(), targets.ncols(), |i, j| targets[(i, j)]);
        Self::new(x, y, weight_decay)
    }
}
