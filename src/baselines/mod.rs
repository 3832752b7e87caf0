//! Other ways to the same optimum, to compare with: exact ones for small data, and the usual ones.

pub mod arrangements;
pub mod copositive;
pub mod frank_wolfe;
pub mod soft_threshold;
