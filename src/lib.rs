//! How far from globally optimal can a trained two-layer ReLU network still be?
#![deny(missing_docs)]

mod error;
mod network;
mod problem;

pub use error::{Error, Result};
pub use network::Network;
pub use problem::TrainingProblem;
