//! Other methods for the same training problem, from the literature, to compare with.

pub mod descent;
pub mod gated;
pub mod kernels;
