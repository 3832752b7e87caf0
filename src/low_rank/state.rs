//! The solver's state as plain numbers, to go on from elsewhere.

use super::{Factor, HessianAssembler, LowRankSolver, NewtonMinimizer, REOPENED_TOLERANCE, SolverSettings};
use crate::error::Result;
use crate::relaxation::{Cut, Lifting, PairKey, PairSet};

/// Numbers besides the arrays.
const NUMBERS: usize = 12;

/// Smoothing (as a part of the first) and penalty (as a part of the last) that a change of the price goes back to: with the
/// penalty of the end a round takes twice the Newton steps.
const PRICED_SMOOTHING: f64 = 8e-3;
const PRICED_PENALTY: f64 = 0.1;

/// What a [`LowRankSolver`] goes on from: everything but the memory of its preconditioner.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SolverState {
    /// R then V, row-major.
    pub(crate) factor: Vec<f64>,
    pub(crate) keys: Vec<PairKey>,
    pub(crate) cuts: Vec<Cut>,
    /// Of the normalised constraints.
    pub(crate) multipliers: Vec<f64>,
    pub(crate) equality_multipliers: Vec<f64>,
    columns: usize,
    newton_steps: usize,
    spare_columns: usize,
    slow: bool,
    penalty: f64,
    smoothing: f64,
    gradient_tolerance: f64,
    scale: f64,
    mean_square: f64,
    last_error: f64,
    regularization: f64,
    lowest: f64,
}

impl SolverState {
    /// The numbers that are no arrays, in an order of their own.
    pub(crate) fn numbers(&self) -> [f64; NUMBERS] {
        [
            self.columns as f64,
            self.newton_steps as f64,
            f64::from(u8::from(self.slow)),
            self.penalty,
            self.smoothing,
            self.gradient_tolerance,
            self.scale,
            self.mean_square,
            self.last_error,
            self.regularization,
            self.lowest,
            self.spare_columns as f64,
        ]
    }

    /// From [`numbers`](Self::numbers) and the arrays; none where they are out of range.
    pub(crate) fn from_parts(
        numbers: &[f64],
        factor: Vec<f64>,
        keys: Vec<PairKey>,
        cuts: Vec<Cut>,
        multipliers: Vec<f64>,
        equality_multipliers: Vec<f64>,
    ) -> Option<Self> {
        let &[
            columns,
            steps,
            slow,
            penalty,
            smoothing,
            gradient_tolerance,
            scale,
            mean_square,
            last_error,
            regularization,
            lowest,
            spare_columns,
        ] = numbers
        else {
            return None;
        };
        let count = |value: f64| value >= 0.0 && value.fract() == 0.0 && value <= 1e15;
        let positive = [penalty, gradient_tolerance, scale, mean_square, regularization];
        let counts = count(columns) && columns >= 1.0 && count(steps) && count(spare_columns);
        let counts = counts && (slow == 0.0 || slow == 1.0);
        let sound = counts
            && numbers.iter().chain(&factor).chain(&equality_multipliers).all(|value| value.is_finite())
            && positive.iter().all(|value| *value > 0.0)
            && smoothing >= 0.0
            && last_error >= 0.0
            && multipliers.len() == keys.len()
            && multipliers.iter().all(|value| value.is_finite() && *value >= 0.0);
        sound.then_some(Self {
            factor,
            keys,
            cuts,
            multipliers,
            equality_multipliers,
            columns: columns as usize,
            newton_steps: steps as usize,
            spare_columns: spare_columns as usize,
            slow: slow == 1.0,
            penalty,
            smoothing,
            gradient_tolerance,
            scale,
            mean_square,
            last_error,
            regularization,
            lowest,
        })
    }
}

impl SolverState {
    /// Smoothing, tolerance and penalty some levels back, because the optimum has moved.
    pub(crate) fn reopened(&self, settings: &SolverSettings) -> Self {
        let first = settings.initial_smoothing * self.scale / self.keys.len().max(1) as f64;
        Self {
            smoothing: self.smoothing.max(PRICED_SMOOTHING * first),
            gradient_tolerance: self.gradient_tolerance.max(REOPENED_TOLERANCE),
            penalty: PRICED_PENALTY * self.penalty,
            last_error: 0.0,
            // With the lower penalty conjugate gradients are fast again.
            slow: false,
            ..self.clone()
        }
    }
}

impl<'a> LowRankSolver<'a> {
    /// Where the solver stands.
    pub(crate) fn state(&self) -> SolverState {
        let (regularization, slow) = self.newton.memory();
        SolverState {
            factor: self.factor.values.clone(),
            keys: self.set.keys.clone(),
            cuts: self.set.cuts().to_vec(),
            multipliers: self.set.multipliers.clone(),
            equality_multipliers: self.set.equality_multipliers.clone(),
            columns: self.factor.columns,
            newton_steps: self.newton_steps,
            spare_columns: self.spare_columns,
            slow,
            penalty: self.penalty,
            smoothing: self.smoothing,
            gradient_tolerance: self.gradient_tolerance,
            scale: self.scale,
            mean_square: self.mean_square,
            last_error: self.last_error,
            regularization,
            lowest: self.spectrum.lowest_value(),
        }
    }

    /// Goes on from a state; none where it does not fit the lifted problem.
    pub(crate) fn resume(
        lifting: &'a Lifting,
        settings: SolverSettings,
        state: SolverState,
    ) -> Result<Option<Self>> {
        settings.check()?;
        let rows = lifting.order() + lifting.outputs;
        if state.columns > rows.max(settings.rank_limit) || state.factor.len() != rows * state.columns {
            return Ok(None);
        }
        let set =
            PairSet::restored(lifting, state.keys, state.cuts, state.multipliers, state.equality_multipliers);
        let Some(set) = set else { return Ok(None) };
        let factor = Factor { values: state.factor, columns: state.columns, order: lifting.order() };
        let mut newton = NewtonMinimizer::new(HessianAssembler::new(lifting), state.scale);
        newton.remember(state.regularization, state.slow);
        Ok(Some(Self {
            lifting,
            settings,
            factor,
            set,
            newton,
            spectrum: super::spectrum::Spectrum::near(state.lowest),
            penalty: state.penalty,
            smoothing: state.smoothing,
            gradient_tolerance: state.gradient_tolerance,
            scale: state.scale,
            mean_square: state.mean_square,
            newton_steps: state.newton_steps,
            spare_columns: state.spare_columns,
            last_error: state.last_error,
            examined_from: super::FIRST_EXAMINED,
        }))
    }
}
