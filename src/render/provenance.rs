//! Where a report comes from.

use serde::Serialize;

/// What somebody needs to repeat a run, and to know whether it is the same data.
#[derive(Debug, Serialize)]
pub(crate) struct Provenance {
    pub(crate) version: &'static str,
    /// Of the sources; null where it is not known.
    pub(crate) revision: Option<&'static str>,
    /// The command line, word by word, without the program.
    pub(crate) command: Vec<String>,
    /// The road asked for.
    pub(crate) method: String,
    pub(crate) tolerance: f64,
    pub(crate) seed: u64,
    pub(crate) standardize: bool,
    pub(crate) bias: bool,
    pub(crate) data: Data,
    /// Operating system and kind of processor, such as `linux x86_64`.
    pub(crate) machine: String,
    pub(crate) threads: usize,
    /// When it ended: date and time, UTC.
    pub(crate) date: String,
}

/// A data set as it was stored.
#[derive(Debug, Serialize)]
pub(crate) struct Data {
    pub(crate) name: String,
    pub(crate) bytes: usize,
    /// SHA-256 of these bytes, as `sha256sum` prints it.
    pub(crate) sha256: String,
}
