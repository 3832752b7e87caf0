//! Whole runs through the library: values, limits, stopping, blocks, checkpoints, memory, threads.

#[path = "../common/mod.rs"]
mod common;

mod certify;
mod checkpoint;
mod convolution;
mod determinism;
#[cfg(feature = "serde")]
mod distribute;
mod divide;
#[cfg(feature = "serde")]
mod executor;
mod limits;
mod memory;
mod odd_input;
mod path;
#[cfg(feature = "cli")]
mod road;
#[cfg(feature = "serde")]
mod serialised;
mod settings;
mod sparse_features;
mod stopping;
#[cfg(feature = "cli")]
mod time_limits;
