//! Convolutional first layers: the shape of images, filters and pooling, the training problem, and its networks.

pub(crate) mod kernel;
mod network;
mod shape;
mod training_problem;

pub use network::ConvolutionalNetwork;
pub use shape::{ConvolutionShape, Pooling};
pub use training_problem::{ConvolutionalProblem, Lifted};
