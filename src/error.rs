//! The one error type of the library: every variant says what, where and how to mend it.

use std::path::PathBuf;

/// What can go wrong. Messages are one line: what, where, how to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Arrays whose shapes do not fit together.
    #[error("{what}: expected {expected}, got {actual}")]
    Shape {
        /// The array in question.
        what: &'static str,
        /// The shape that fits.
        expected: String,
        /// The shape that came.
        actual: String,
    },
    /// A value that is not finite.
    #[error("{what} has a value that is not finite at row {row}, column {column}; remove or impute it")]
    NotFinite {
        /// The array in question.
        what: &'static str,
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
    },
    /// A parameter outside its range.
    #[error("{name} = {value} is out of range; it must be {range}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// The value that came.
        value: String,
        /// The values allowed.
        range: &'static str,
    },
    /// Input that cannot be used, with the way to mend it.
    #[error("{0}")]
    Input(String),
    /// A file that cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate that does not prove what it claims.
    #[error("certificate refused: {0}")]
    Refused(String),
    /// A task that an executor of blocks could not run.
    #[error("{task} was not solved: {why}")]
    Task {
        /// The block, and the round where there is one.
        task: String,
        /// What the executor said.
        why: String,
    },
    /// A factorisation or decomposition that broke down.
    #[error("numerical failure in {0}; rescale the data or change the weight decay")]
    Numerical(&'static str),
}

impl Error {
    /// A copy of this error, for a caller who asks again for what has failed ([`std::io::Error`] cannot be cloned).
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Shape { what, expected, actual } => {
                Self::Shape { what, expected: expected.clone(), actual: actual.clone() }
            }
            Self::NotFinite { what, row, column } => Self::NotFinite { what, row: *row, column: *column },
            Self::Parameter { name, value, range } => Self::Parameter { name, value: value.clone(), range },
            Self::Input(text) => Self::Input(text.clone()),
            Self::Io { path, source } => Self::Io {
                path: path.clone(),
                source: std::io::Error::new(source.kind(), source.to_string()),
            },
            Self::Refused(why) => Self::Refused(why.clone()),
            Self::Task { task, why } => Self::Task { task: task.clone(), why: why.clone() },
            Self::Numerical(place) => Self::Numerical(place),
        }
    }
}

/// Shorthand used throughout the crate.
pub type Result<T> = std::result::Result<T, Error>;
