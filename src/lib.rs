//! How far from globally optimal can a trained two-layer ReLU network still be?
#![deny(missing_docs)]

pub mod certificate;
mod control;
pub mod dual;
mod error;
pub mod lifting;
mod network;
mod problem;
mod progress;
pub mod solver;
pub mod training;
mod vector;

pub use control::Control;
pub use error::{Error, Result};
pub use network::Network;
pub use problem::TrainingProblem;
pub use progress::{Observer, Progress, Silent};
