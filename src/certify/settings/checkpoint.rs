//! Where a run keeps what it has done.

use std::path::PathBuf;
use std::time::Duration;

/// Where a run keeps what it has done, and how often.
///
/// If the file is there the run goes on from it, or ends at once where that one had come to its end (its certificate is
/// proved again); a file of another problem, network or settings is refused. It is written when the network is trained and
/// then, whenever `interval` has passed, at the end of a block or of a level of the solver, through a temporary file, so that
/// it is whole at any moment. It is never removed: a run that came to its end stays there. Time limit, memory limit and number of threads may differ from run to run.
///
/// Blocks solved again give the same bits as in one run. A single factor goes on from the end of a level, without the memory
/// of its preconditioner: the bound is the same to the tolerance. The interior-point method starts anew. Branch and
/// bound goes on from its best network and from its bound, which is proved again; the search under way begins anew.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Checkpoint {
    /// The file.
    pub path: PathBuf,
    /// Least time between two writings. Default 30 s.
    pub interval: Duration,
}

impl Checkpoint {
    /// In this file, every 30 seconds.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), interval: Duration::from_secs(30) }
    }
}
