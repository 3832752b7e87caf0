//! Settings of the low-rank solver.

use crate::error::{Error, Result};

/// Settings of the low-rank solver; all quantities are in the scaled problem, whose objective is of order one.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct SolverSettings {
    /// First penalty, relative to objective / (n · mean ‖s‖⁴). Default 100, in (0, ∞).
    pub initial_penalty: f64,
    /// Factor of the penalty between converged levels. Default 2.5, in (1, ∞).
    pub penalty_growth: f64,
    /// First tolerance on the gradient, relative to the objective. Default 1e-2, in (0, 1).
    pub initial_gradient_tolerance: f64,
    /// Factor of the gradient tolerance between levels. Default 0.6, in (0, 1].
    pub gradient_decay: f64,
    /// Smoothing μ of the hinge, relative to the objective per pair; shrinks by five a level. Default 0.1, in [0, ∞).
    pub initial_smoothing: f64,
    /// The smoothing stops shrinking here: the bound it costs is this fraction of the objective. Default 1e-4,
    /// in [0, ∞).
    pub final_smoothing: f64,
    /// Infeasibility, as a fraction of the objective it is worth, below which the penalty no longer grows.
    /// Default 1e-4, in (0, ∞).
    pub final_infeasibility: f64,
    /// Relative error of the objective from which on every level's slack is examined; of those before, one each time the
    /// error has fallen by eight. Default 5e-4, in (0, ∞); `certify` sets half its tolerance.
    pub examined_error: f64,
    /// Newton steps in one subproblem. Default 200, at least 1.
    pub newton_limit: usize,
    /// Nearly opposite forms taken into the first pair set for each form. Default 4.
    pub neighbours: usize,
    /// Largest number of columns of the factor. Default 64, at least 1.
    pub rank_limit: usize,
}

impl Default for SolverSettings {
    fn default() -> Self {
        Self {
            initial_penalty: 100.0,
            penalty_growth: 2.5,
            initial_gradient_tolerance: 1e-2,
            gradient_decay: 0.6,
            initial_smoothing: 0.1,
            final_smoothing: 1e-4,
            final_infeasibility: 1e-4,
            examined_error: 5e-4,
            newton_limit: 200,
            neighbours: 4,
            rank_limit: 64,
        }
    }
}

impl SolverSettings {
    /// Checks every range.
    pub fn check(&self) -> Result<()> {
        let check = |name, value: f64, ok: bool, range| {
            if ok { Ok(()) } else { Err(Error::Parameter { name, value: value.to_string(), range }) }
        };
        let positive = |v: f64| v.is_finite() && v > 0.0;
        check("initial_penalty", self.initial_penalty, positive(self.initial_penalty), "positive")?;
        let growth = self.penalty_growth;
        check("penalty_growth", growth, growth.is_finite() && growth > 1.0, "above 1")?;
        let tolerance = self.initial_gradient_tolerance;
        check("initial_gradient_tolerance", tolerance, positive(tolerance) && tolerance < 1.0, "in (0, 1)")?;
        let decay = self.gradient_decay;
        check("gradient_decay", decay, positive(decay) && decay <= 1.0, "in (0, 1]")?;
        let smoothing = self.initial_smoothing;
        check("initial_smoothing", smoothing, smoothing.is_finite() && smoothing >= 0.0, "at least 0")?;
        let floor = self.final_smoothing;
        check("final_smoothing", floor, floor.is_finite() && floor >= 0.0, "at least 0")?;
        let target = self.final_infeasibility;
        check("final_infeasibility", target, positive(target), "positive")?;
        let error = self.examined_error;
        check("examined_error", error, positive(error), "positive")?;
        check("newton_limit", self.newton_limit as f64, self.newton_limit > 0, "at least 1")?;
        check("rank_limit", self.rank_limit as f64, self.rank_limit > 0, "at least 1")
    }
}
