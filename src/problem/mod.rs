//! The nouns: a training problem, its features, a network, and weight decay that (u, v) share.

mod arrays;
pub(crate) mod convolution;
pub(crate) mod features;
mod head;
mod network;
mod training_problem;

pub use features::Features;
pub use head::HeadDecay;
pub use network::Network;
pub use training_problem::TrainingProblem;
