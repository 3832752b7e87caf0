//! The relative optimality bound of stationary points (Sahiner et al., ICLR 2024, arXiv 2207.05275, Theorem 3.4).
//!
//! A stationary network with residual W and objective f is within a fraction (M/γ − 1)₊ of the optimum, where M is the
//! largest |Wᵀ(Xu)₊|/‖u‖: no network's objective is below fγ/M. The paper leaves M open; here branch and bound proves it.
//! docs/branch-and-bound.md, section 6, shows that the bound that the same W proves by itself is never below fγ/M.

use crate::bounds::LowerBound;
use crate::certificate::branch::{NeuronClaim, ProvedLevel, SearchSettings};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::problem::{Network, TrainingProblem};

/// Settings of [`stationary_gap`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct StationaryGapSettings {
    /// The proved M is at most this multiple of γ above a value that |Wᵀ(Xu)₊|/‖u‖ takes. Default 1e-3, in (0, 1).
    pub precision: f64,
    /// Most cells and visits of all searches together.
    pub search: SearchSettings,
}

impl Default for StationaryGapSettings {
    fn default() -> Self {
        Self { precision: 1e-3, search: SearchSettings::default() }
    }
}

/// What is proved of a network.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StationaryGap {
    /// M ≥ γ, proved: |Wᵀ(Xu)₊| ≤ M‖u‖ for every u.
    pub level: f64,
    /// fγ/M, but never above `by_residual`: what makes it a bound for networks that are only nearly stationary.
    pub by_theorem: LowerBound,
    /// The largest t⟨W, Y⟩ − (t²/2)‖W‖² with t ≤ γ/M.
    pub by_residual: LowerBound,
    /// Cells of all searches.
    pub cells: u64,
    /// Whether M is as precise as was asked for.
    pub converged: bool,
}

/// Levels tried from the residual's own size before a search is given up.
const MOST_LEVELS: usize = 60;

/// Proves the least M it can for the residual of a network, and from it both bounds.
///
/// Errors: a precision out of its range, a residual that is not finite, samples that span more than 16 dimensions, and no
/// level at all that is proved within the budget or before `control` stops the search.
pub fn stationary_gap(
    problem: &TrainingProblem,
    network: &Network,
    settings: &StationaryGapSettings,
    control: &Control,
) -> Result<StationaryGap> {
    let precision = settings.precision;
    if !(precision > 0.0 && precision < 1.0) {
        return Err(Error::Parameter {
            name: "precision",
            value: format!("{precision:?}"),
            range: "above 0 and below 1",
        });
    }
    let residual = problem.targets() - network.predict_for(problem.stored_features());
    let claim = NeuronClaim::new(problem, residual)?;
    let gamma = problem.weight_decay();
    let mut left = settings.search.clone();
    // M lies between the two: the first is a value that was seen, the second is proved.
    let (mut seen, mut proved): (f64, Option<ProvedLevel<'_>>) = (gamma, None);
    let mut cells = 0;
    let mut converged = false;
    for _ in 0..MOST_LEVELS {
        let level = match proved {
            None => 2.0 * seen,
            // The values seen are mostly near the largest: most of what is between is given up first.
            Some(proved) => seen + ((proved.value() - seen) / 4.0).max(0.5 * precision * gamma),
        };
        let search = claim.search(level, &left, control, &mut |_| {});
        cells += search.cells;
        left.cells = left.cells.saturating_sub(search.cells);
        left.visits = left.visits.saturating_sub(search.visits);
        seen = seen.max(search.largest.min(level));
        match search.proved {
            Some(level) => proved = Some(level),
            None if !search.violators.is_empty() || !search.undecided.is_empty() => seen = seen.max(level),
            None => break,
        }
        converged = proved.is_some_and(|proved| proved.value() - seen <= precision * gamma);
        if converged {
            break;
        }
    }
    let Some(proved) = proved else {
        return Err(Error::Input(format!(
            "no level of the dual norm was proved in {} dimensions with {cells} cells; ask for more time or more cells",
            claim.dimension()
        )));
    };
    let by_residual = claim.certify(proved)?.1.lower_bound();
    let level = proved.value();
    // Rounded downwards; what is not stationary is caught by the other bound.
    let share = (gamma / level).next_down().min(1.0);
    let by_theorem = by_residual.at_most((share * network.objective(problem)).next_down());
    Ok(StationaryGap { level, by_theorem, by_residual, cells, converged })
}
