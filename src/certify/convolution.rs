//! A run with a convolutional first layer: its report and its files.

use crate::bounds::LowerBound;
use crate::branch::BranchStatus;
use crate::certificate::{Certificate, Grade};
use crate::certify::report::{BranchFigures, Report, Seconds, Status};
use crate::control::Control;
use crate::convolution::Convolved;
use crate::error::{Error, Result};
use crate::io;
use crate::problem::convolution::ConvolutionalProblem;
use std::path::Path;

/// The report of a run that took so many seconds. `features` are the numbers of an image, `network_width` the filters.
/// `control` is that of the run.
pub fn convolution_report(
    problem: &ConvolutionalProblem,
    found: &Convolved,
    seconds: f64,
    control: &Control,
) -> Report {
    let status = match found.status {
        BranchStatus::Reached => Status::Converged,
        BranchStatus::Stalled => Status::Stalled,
        BranchStatus::Stopped if control.is_cancelled() => Status::Cancelled,
        BranchStatus::Stopped => Status::TimeLimit,
        BranchStatus::Budget | BranchStatus::OutOfReach => Status::Budget,
    };
    let proof = found.bound.as_ref().map(|(_, proof)| proof);
    let seconds = Seconds { search: seconds, ..Seconds::default() };
    let shape = (problem.samples(), problem.shape().inputs(), problem.outputs());
    let figures = BranchFigures {
        dimension: found.dimension,
        cells: found.cells,
        visits: found.visits,
        epsilon: found.epsilon,
        status: found.status,
        forecast: found.forecast,
    };
    let bounds = (found.upper_bound, proof.map_or(LowerBound::trivial(), |proof| proof.lower_bound()));
    let grade = proof.map_or(Grade::None, |proof| proof.grade());
    Report::of_search(
        shape,
        problem.weight_decay(),
        found.network.width(),
        bounds,
        grade,
        figures,
        status,
        seconds,
    )
}

/// Writes `problem.npz`, `network.npz` and, where a bound was proved, `certificate.npz` into a folder, which is made if it is not
/// there.
pub fn save_convolution(problem: &ConvolutionalProblem, found: &Convolved, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Io { path: folder.into(), source })?;
    io::save_convolutional_problem(&folder.join("problem.npz"), problem)?;
    io::save_convolutional_network(&folder.join("network.npz"), &found.network)?;
    match &found.bound {
        Some((w, _)) => {
            io::save_certificate(&folder.join("certificate.npz"), &Certificate::of_claim(w.clone()))
        }
        None => Ok(()),
    }
}
