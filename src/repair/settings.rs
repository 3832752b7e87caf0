//! Settings of a repair.

use std::ops::Range;

/// Settings of [`repair`](super::repair).
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct RepairSettings {
    /// Part of each diagonal entry of the slack that is kept for the rounding of a proof (default 1e-12).
    pub margin: f64,
    /// A damping τ this close to 1 ends the search for better shifts (default 1e-7).
    pub tolerance: f64,
    /// A guess of η as a multiple of 1/leverage, where one is known: the search starts there, with smaller steps and
    /// nothing else to fall back on (default none).
    pub likely: Option<f64>,
    /// Steps of the ascent that shapes η sample by sample (default 20).
    pub ascent_steps: usize,
    /// The ascent goes beyond its first step only while the estimated bound is in this range (default none: always).
    pub promising: Option<Range<f64>>,
    /// Multiplications that the search may still spend once it was asked to stop (default 5e9, under a second):
    /// a bound nearly found is not thrown away, and an order of thousands does not hold up the end of a run.
    pub grace: f64,
    /// Whether the samples are eliminated by conjugate gradients instead of a factorisation, without cuts and prices
    /// (default none: where that costs less).
    pub iterative: Option<bool>,
}

impl Default for RepairSettings {
    fn default() -> Self {
        Self {
            margin: 1e-12,
            tolerance: 1e-7,
            likely: None,
            ascent_steps: 20,
            promising: None,
            grace: 5e9,
            iterative: None,
        }
    }
}
