//! From a solution of the relaxation to a network.
//!
//! Two ways: [`round`], the published three-operator splitting (arXiv 2410.22311, section on rounding), and
//! [`polish`], which trains from the hidden weights of the factor and is what `certify` uses.

mod splitting;

pub use crate::relaxation::LiftedFactor;
pub use crate::training::polish;
pub use splitting::{Iterate, Rounded, SplittingSettings, project_activations, round};
