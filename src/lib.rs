//! How far from globally optimal can a trained two-layer ReLU network still be?
#![deny(missing_docs)]

mod control;
mod error;
pub mod lifting;
mod network;
mod problem;
mod progress;
pub mod reference;

pub use control::Control;
pub use error::{Error, Result};
pub use network::Network;
pub use problem::TrainingProblem;
pub use progress::{Observer, Progress, Silent};
