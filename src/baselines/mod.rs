//! Other ways to the same optimum, to compare with: exact ones for small data, and the usual ones.

pub mod arrangements;
pub mod copositive;
pub mod descent;
pub mod frank_wolfe;
pub mod gated;
pub mod kernels;
pub mod soft_threshold;
pub mod stationary_gap;
