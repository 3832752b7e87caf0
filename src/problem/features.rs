//! Features of a problem, dense or sparse.

use crate::error::{Error, Result};
use crate::linalg::dense::product;
use crate::linalg::sparse;
use faer::{Mat, MatRef};
use sprs::{CompressedStorage::CSR, CsMat};
use std::borrow::Cow;

/// Entries of the largest dense copy made of sparse features, 2 GiB of them.
const LARGEST_DENSE_COPY: usize = 1 << 28;

/// X, n × d: a dense matrix or a compressed sparse one. Row i is a sample.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Features {
    /// Every entry stored.
    Dense(Mat<f64>),
    /// The entries that are not stored are zero. Problems and data sets keep it in compressed rows.
    Sparse(CsMat<f64>),
}

impl From<Mat<f64>> for Features {
    fn from(matrix: Mat<f64>) -> Self {
        Self::Dense(matrix)
    }
}

impl From<CsMat<f64>> for Features {
    /// In compressed rows, whatever it was given in.
    fn from(matrix: CsMat<f64>) -> Self {
        Self::Sparse(if matrix.is_csr() { matrix } else { matrix.to_csr() })
    }
}

impl Features {
    /// n.
    pub fn nrows(&self) -> usize {
        match self {
            Self::Dense(matrix) => matrix.nrows(),
            Self::Sparse(matrix) => matrix.rows(),
        }
    }

    /// d.
    pub fn ncols(&self) -> usize {
        match self {
            Self::Dense(matrix) => matrix.ncols(),
            Self::Sparse(matrix) => matrix.cols(),
        }
    }

    /// Whether the features are stored sparsely.
    pub fn is_sparse(&self) -> bool {
        matches!(self, Self::Sparse(_))
    }

    /// Whether every entry is zero.
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Dense(matrix) => matrix.col_iter().all(|column| column.iter().all(|&value| value == 0.0)),
            Self::Sparse(matrix) => matrix.data().iter().all(|&value| value == 0.0),
        }
    }

    /// The dense matrix, copied from a sparse one.
    ///
    /// Fails where the copy of a sparse matrix would have more than 2²⁸ entries.
    pub fn to_dense(&self) -> Result<Cow<'_, Mat<f64>>> {
        match self {
            Self::Dense(matrix) => Ok(Cow::Borrowed(matrix)),
            Self::Sparse(matrix) => {
                check_dense_size(matrix)?;
                Ok(Cow::Owned(densify(matrix)))
            }
        }
    }

    /// Some of the rows, in the order given.
    pub(crate) fn rows(&self, rows: &[usize]) -> Self {
        match self {
            Self::Dense(matrix) => {
                Self::Dense(Mat::from_fn(rows.len(), matrix.ncols(), |i, j| matrix[(rows[i], j)]))
            }
            Self::Sparse(matrix) => {
                let by_rows = by_rows(matrix);
                let mut taken = CsMat::empty(CSR, matrix.cols());
                for &row in rows {
                    if let Some(row) = by_rows.outer_view(row) {
                        taken = taken.append_outer_csvec(row);
                    }
                }
                Self::Sparse(taken)
            }
        }
    }

    /// XU, n × m, for U (d × m); sparse features are never filled.
    pub(crate) fn times(&self, u: MatRef<'_, f64>) -> Mat<f64> {
        match self {
            Self::Dense(matrix) => product(matrix.as_ref(), u),
            Self::Sparse(matrix) => sparse::times(&by_rows(matrix), u),
        }
    }

    /// The largest magnitude.
    pub(crate) fn norm_max(&self) -> f64 {
        match self {
            Self::Dense(matrix) => matrix.norm_max(),
            Self::Sparse(matrix) => matrix.data().iter().fold(0.0, |largest, value| value.abs().max(largest)),
        }
    }

    pub(crate) fn squared_norm(&self) -> f64 {
        match self {
            Self::Dense(matrix) => matrix.squared_norm_l2(),
            Self::Sparse(matrix) => matrix.data().iter().map(|value| value * value).sum(),
        }
    }

    /// Row and column of the first entry that is not finite.
    pub(crate) fn not_finite(&self) -> Option<(usize, usize)> {
        match self {
            Self::Dense(matrix) => (0..matrix.ncols()).find_map(|column| {
                let row = (0..matrix.nrows()).find(|&row| !matrix[(row, column)].is_finite())?;
                Some((row, column))
            }),
            Self::Sparse(matrix) => {
                matrix.iter().find(|(value, _)| !value.is_finite()).map(|(_, place)| place)
            }
        }
    }
}

/// A sparse matrix in compressed rows, copied where it is not yet.
pub(crate) fn by_rows(matrix: &CsMat<f64>) -> Cow<'_, CsMat<f64>> {
    if matrix.is_csr() { Cow::Borrowed(matrix) } else { Cow::Owned(matrix.to_csr()) }
}

/// Whether a dense copy may be made.
pub(crate) fn check_dense_size(matrix: &CsMat<f64>) -> Result<()> {
    let (rows, columns) = matrix.shape();
    match rows.checked_mul(columns) {
        Some(entries) if entries <= LARGEST_DENSE_COPY => Ok(()),
        _ => Err(Error::Input(format!(
            "sparse features of {rows} samples × {columns} columns need a dense copy of more than {LARGEST_DENSE_COPY} numbers; keep fewer columns or samples"
        ))),
    }
}

/// Without a check of the size.
pub(crate) fn densify(matrix: &CsMat<f64>) -> Mat<f64> {
    let mut dense = Mat::zeros(matrix.rows(), matrix.cols());
    for (value, place) in matrix.iter() {
        dense[place] += *value;
    }
    dense
}
