//! What a run returns, and the check of a network that comes from elsewhere.

use crate::certificate::{Certificate, Proof};
use crate::certify::report::Report;
use crate::error::{Error, Result};
use crate::io;
use crate::problem::{Network, TrainingProblem};
use std::path::Path;

/// A network, a certificate with its proof, and the report of the run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Certified {
    /// The best network found.
    pub network: Network,
    /// The dual point that proves the lower bound.
    pub certificate: Certificate,
    /// The proof made from the certificate.
    pub proof: Proof,
    /// The figures.
    pub report: Report,
}

impl Certified {
    /// Writes `problem.npz`, `network.npz` and `certificate.npz` into a folder, each whole or not at all. A folder that is
    /// not there is made, with those above it.
    pub fn save(&self, problem: &TrainingProblem, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|source| Error::Io { path: folder.into(), source })?;
        io::save_problem(&folder.join("problem.npz"), problem)?;
        io::save_network(&folder.join("network.npz"), &self.network)?;
        io::save_certificate(&folder.join("certificate.npz"), &self.certificate)
    }
}

/// Refuses a network whose shape does not fit or whose objective is not finite.
pub(crate) fn check_network(problem: &TrainingProblem, network: &Network) -> Result<()> {
    let (hidden, output) = (network.hidden().nrows(), network.output().nrows());
    if (hidden, output) != (problem.inputs(), problem.outputs()) {
        return Err(Error::Shape {
            what: "network",
            expected: format!("{} features and {} outputs", problem.inputs(), problem.outputs()),
            actual: format!("U for {hidden} features and V for {output} outputs"),
        });
    }
    if !network.objective_upper(problem).value().is_finite() {
        return Err(Error::Input(
            "the objective of the network overflows; divide its weights by a constant".into(),
        ));
    }
    Ok(())
}
