//! How far from globally optimal can a trained two-layer ReLU network still be?
#![deny(missing_docs)]

pub mod certificate;
mod certify;
mod control;
pub mod data;
pub mod dual;
mod error;
mod features;
pub mod lifting;
mod linalg;
mod network;
mod problem;
mod progress;
pub mod report;
pub mod solver;
pub mod training;
mod vector;

pub use certify::{Certified, CertifySettings, certify};
pub use control::Control;
pub use error::{Error, Result};
pub use features::Features;
pub use network::Network;
pub use problem::TrainingProblem;
pub use progress::{Observer, Progress, Silent};
pub use report::Report;
