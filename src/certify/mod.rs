//! A whole run, from a problem to a report, and its parts.

pub(crate) mod by_branch;
pub(crate) mod certified;
pub(crate) mod certifier;
pub(crate) mod checkpoint;
pub(crate) mod convolution;
pub(crate) mod divide;
pub(crate) mod interior_point;
pub(crate) mod overrun;
pub(crate) mod plan;
pub(crate) mod relax;
pub mod report;
pub(crate) mod run;
pub(crate) mod settings;
#[cfg(feature = "serde")]
pub(crate) mod verdict;
