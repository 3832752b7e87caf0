//! Networks with a convolutional first layer: training, the road by branch and bound over one filter, and what to compare
//! them with.
//!
//! Filters act on patches, so that what is searched has as many dimensions as a filter has weights, however large the
//! images are. docs/convolution.md has the mathematics, [`crate::certificate::prove_convolution`] the proof.

mod ascent;
mod coordinates;
pub mod descent;
pub mod enumeration;
mod projection;
mod road;
mod training;

pub use road::{ConvolutionSettings, Convolved, certify};
pub use training::{insert, projected_objective, train};
