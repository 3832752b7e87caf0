//! Settings of training.

use crate::error::{Error, Result};
use crate::problem::TrainingProblem;

/// How long training goes on where going on still wins something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Effort {
    /// As long as a second of work lowers the objective by a hundredth or so, and shorter descents.
    Low,
    /// As long as a second of work lowers the objective by a thousandth or so.
    #[default]
    Normal,
    /// As long as it lowers the objective by a hundred-thousandth or so, and longer descents.
    High,
}

impl Effort {
    /// Every effort and its name on the command line.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Low, "low"), (Self::Normal, "normal"), (Self::High, "high")];
}

/// How hard to try. No work is fixed beforehand: training ends when nothing violates stationarity any more, when going on
/// wins too little for what it costs, or when it is told to stop.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct TrainingSettings {
    /// How much a further round has to win for what it costs. Default [`Effort::Normal`].
    pub effort: Effort,
    /// Neurons of a random start; 0 for a number that suits the problem, between 40 and 1,000. Default 0.
    pub width: usize,
    /// Independent starts, at least 1; the best is improved further. Default 1.
    pub starts: usize,
    /// L-BFGS iterations of one stage of a start, at least 1; the descents between rounds use as many at most. One costs
    /// O(n m² + n m d) operations. Default 60.
    pub iterations: usize,
    /// Most rounds of adding neurons and training again; 0 for none. Default 10,000, which is no limit.
    pub rounds: usize,
    /// Seed of everything random. Same seed, same bits, whatever the number of threads. Default 0.
    pub seed: u64,
}

impl Default for TrainingSettings {
    fn default() -> Self {
        Self { effort: Effort::Normal, width: 0, starts: 1, iterations: 60, rounds: 10_000, seed: 0 }
    }
}

/// Neurons of a start: `NEURONS`·q^(−0.28) with q = γ√d/(‖X‖‖Y‖), which changes with no unit: 57 at q = 0.1, 207 at 0.001; fewer
/// where there are many samples.
const NEURONS: f64 = 30.0;
const POWER: f64 = -0.28;
const FEWEST: f64 = 40.0;
const MOST: f64 = 1000.0;
/// n m² is at most this where m is above the fewest.
const SIZE: f64 = 1.6e8;

impl TrainingSettings {
    /// Refuses a value out of its range.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [("starts", self.starts), ("iterations", self.iterations)] {
            if value == 0 {
                return Err(Error::Parameter { name, value: value.to_string(), range: "at least 1" });
            }
        }
        Ok(())
    }

    /// Neurons that memory is planned for. Dense features are trained on in pieces, whatever the width, and sparse ones with the
    /// fewest where there are many samples.
    pub(crate) fn planned_width(&self) -> usize {
        if self.width > 0 { self.width } else { FEWEST as usize }
    }

    /// Neurons of a random start.
    pub(crate) fn start_width(&self, problem: &TrainingProblem) -> usize {
        if self.width > 0 {
            return self.width;
        }
        let samples = problem.samples() as f64;
        let features = problem.stored_features().squared_norm() / problem.inputs() as f64;
        let scale = (features * problem.targets().squared_norm_l2()).sqrt();
        let wanted = NEURONS * (problem.weight_decay() / scale).powf(POWER);
        let affordable = (SIZE / samples).sqrt().max(FEWEST);
        let width = wanted.clamp(FEWEST, MOST).min(affordable).min((2.0 * samples).max(FEWEST));
        if width.is_finite() { width as usize } else { FEWEST as usize }
    }
}
