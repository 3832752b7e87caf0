//! Stand-in for saved certificates.

use crate::report::Grade;
use crate::{Error, Result, TrainingProblem};
use std::path::Path;

/// Stand-in.
#[derive(Clone, Debug)]
pub struct Certificate;

/// What was proved.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The bound.
    pub lower_bound: f64,
    /// What it rests on.
    pub grade: Grade,
}

/// Stand-in.
pub fn load(dir: &Path) -> Result<(TrainingProblem, Certificate)> {
    Err(Error::Io { path: dir.join("problem.npz"), source: std::io::ErrorKind::NotFound.into() })
}

/// Stand-in.
pub fn prove(_problem: &TrainingProblem, _certificate: &Certificate) -> Result<Proof> {
    Ok(Proof { lower_bound: 0.0, grade: Grade::None })
}
