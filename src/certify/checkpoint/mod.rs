//! What a run has done, kept in a file so that another can go on from there.
//!
//! The file is an .npz archive: the network (U, V), the arrays of a `certificate.npz` (the best dual point so far, or the
//! blocks done), a fingerprint of the run, and the figures and the solver's state that a run goes on from. Nothing in it is
//! believed: shapes and ranges are checked, and a dual point becomes a bound through a new proof only.

mod blocks;
mod figures;
mod fingerprint;
mod level;
mod state;
mod whole;
mod writer;

pub(crate) use blocks::BlockCheckpoint;
pub(crate) use level::{LevelCount, LevelState};
#[cfg(feature = "serde")]
pub(crate) use state::{STATE, put_state, take_state};
pub(crate) use whole::WholeCheckpoint;
pub(crate) use writer::{CheckpointWriter, Saved, Stage};
