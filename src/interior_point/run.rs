//! The iterations of a run, and its end.

use super::backtrack::BacktrackPoint;
use super::operator::Operator;
use super::point::{self, Point, Residuals};
use super::settings::{ReferenceIteration, ReferenceSettings, ReferenceSolution, ReferenceStatus};
use super::{dense, newton, schur::Schur};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::dense::factorisation_time;
use crate::relaxation::{Lifting, PairSet};
use faer::{Mat, Par};
use std::time::Instant;

/// Relative gap below which violated pairs are looked for (conventional).
const FIRST_SCAN: f64 = 0.7;
/// Iterations without progress after which a run is stalled (conventional).
const PATIENCE: usize = 15;
/// How often a run that stalls starts again from an early point, with the pairs it has found by then (conventional).
const RESCUES: usize = 1;

/// The state of a run.
pub(super) struct InteriorPointRun<'a> {
    pub lifting: &'a Lifting,
    pub settings: &'a ReferenceSettings,
    pub par: Par,
    pub pairs: PairSet,
    pub point: Point,
    cost: Mat<f64>,
    scale: Vec<f64>,
    began: Instant,
    iteration: usize,
    steps: newton::Step,
}

/// Best point since the pairs last changed, by its worst measure.
struct Best {
    merit: f64,
    point: Point,
    line: ReferenceIteration,
}

impl<'a> InteriorPointRun<'a> {
    pub fn new(lifting: &'a Lifting, settings: &'a ReferenceSettings, pairs: PairSet) -> Result<Self> {
        let par = if settings.parallelism > 1 { Par::rayon(settings.parallelism) } else { Par::Seq };
        let began = Instant::now();
        let cost = point::cost(lifting);
        let scale = point::slack_scale(lifting, &cost);
        let point = point::start(lifting, &Operator::new(lifting, &pairs), &scale, par);
        let steps = newton::Step { primal: 0.0, dual: 0.0 };
        Ok(Self { lifting, settings, par, pairs, point, cost, scale, began, iteration: 0, steps })
    }

    pub fn run(
        mut self,
        control: &Control,
        observer: &mut dyn FnMut(&ReferenceIteration),
    ) -> Result<ReferenceSolution> {
        let mut operator = Operator::new(self.lifting, &self.pairs);
        let mut schur = Schur::new();
        let mut best: Option<Best> = None;
        let mut earlier: Vec<BacktrackPoint> = Vec::new();
        let mut next_scan = FIRST_SCAN;
        let mut idle = 0;
        let mut rescues = RESCUES;
        let mut least = f64::INFINITY;
        // A step is not interrupted: the first is foreseen from its size, the others from the one before.
        let mut step_time = factorisation_time(operator.free + self.pairs.len());
        let status = loop {
            let times_forms = operator.times_forms(self.point.primal.as_ref());
            let residuals =
                Residuals::new(self.lifting, &operator, &self.cost, &self.scale, &self.point, &times_forms);
            let line = self.line(&residuals);
            observer(&line);
            let merit = line.gap.max(line.primal_infeasibility).max(line.dual_infeasibility);
            if !merit.is_finite() {
                break ReferenceStatus::Breakdown;
            }
            // Of an infeasible point the difference of the values says little: it may pass through zero.
            let distance = line.gap.max(self.complementarity(&line));
            self.remember(&mut earlier, distance, line.primal_infeasibility);
            let here = |point: &Point| Best { merit, point: point.clone(), line };
            let done = merit <= self.settings.tolerance;
            if done || distance < next_scan {
                let violated = self.violated();
                let pairs = self.pairs.len() + violated.keys.len();
                if pairs > self.settings.max_pairs || operator.free + pairs > self.settings.max_rows {
                    best = Some(here(&self.point));
                    break ReferenceStatus::PairLimit;
                }
                if !violated.keys.is_empty() {
                    next_scan = self.grow(&violated, &mut earlier, distance);
                    operator = Operator::new(self.lifting, &self.pairs);
                    (best, idle, least) = (None, 0, f64::INFINITY);
                    continue;
                }
                next_scan = distance;
            }
            // While the gap is still of order one, a falling complementarity is the only sign of progress.
            let nearer = distance > self.settings.tolerance && distance * line.value.abs() < 0.9 * least;
            let better = best.as_ref().is_none_or(|b| merit < 0.9 * b.merit);
            idle = if nearer || better { 0 } else { idle + 1 };
            least = least.min(distance * line.value.abs());
            if best.as_ref().is_none_or(|b| merit < b.merit) {
                best = Some(here(&self.point));
            }
            if done {
                break ReferenceStatus::Solved;
            } else if control.is_cancelled() {
                break ReferenceStatus::Cancelled;
            } else if control.should_stop() || !control.has_time_for(step_time) {
                break ReferenceStatus::TimeLimit;
            } else if self.iteration >= self.settings.max_iterations {
                break ReferenceStatus::IterationLimit;
            }
            let begun = Instant::now();
            let trouble = if idle > PATIENCE {
                Some(ReferenceStatus::Stalled)
            } else {
                self.step(&operator, &residuals, &times_forms, &mut schur).err()
            };
            step_time = begun.elapsed();
            match trouble {
                None => self.iteration += 1,
                Some(status) => {
                    let poor = best.as_ref().is_none_or(|b| b.merit > self.settings.reduced_tolerance);
                    if !(poor && rescues > 0 && self.rescue(&mut earlier)) {
                        break status;
                    }
                    rescues -= 1;
                    operator = Operator::new(self.lifting, &self.pairs);
                    next_scan = FIRST_SCAN;
                    (best, idle, least) = (None, 0, f64::INFINITY);
                }
            }
        };
        let best = best.ok_or(Error::Numerical("the first iteration of the interior-point method"))?;
        Ok(self.finish(status, best))
    }

    /// One iteration of the method.
    fn step(
        &mut self,
        operator: &Operator<'_>,
        residuals: &Residuals,
        times_forms: &Mat<f64>,
        schur: &mut Schur,
    ) -> std::result::Result<(), ReferenceStatus> {
        let frame = newton::Frame {
            operator,
            cost: &self.cost,
            scale: &self.scale,
            tolerance: self.settings.tolerance,
            par: self.par,
        };
        match newton::iterate(&frame, &mut self.point, residuals, times_forms, schur) {
            Ok(steps) => {
                self.steps = steps;
                Ok(())
            }
            Err(newton::Breakdown) => Err(ReferenceStatus::Breakdown),
        }
    }

    fn line(&self, residuals: &Residuals) -> ReferenceIteration {
        let value = self.lifting.unscale(residuals.value);
        let dual_value = self.lifting.unscale(residuals.dual_value);
        ReferenceIteration {
            iteration: self.iteration,
            value,
            dual_value,
            gap: (value - dual_value).abs() / value.abs().max(f64::MIN_POSITIVE),
            primal_infeasibility: residuals.primal_infeasibility,
            dual_infeasibility: residuals.dual_infeasibility,
            mu: residuals.mu,
            primal_step: self.steps.primal,
            dual_step: self.steps.dual,
            pairs: self.pairs.len(),
            seconds: self.began.elapsed().as_secs_f64(),
        }
    }

    /// Total complementarity against the value: the gap, were the point feasible.
    fn complementarity(&self, line: &ReferenceIteration) -> f64 {
        let total = line.mu * (self.point.primal.nrows() + self.pairs.len()) as f64;
        total * self.lifting.scale / line.value.abs().max(f64::MIN_POSITIVE)
    }

    fn finish(mut self, status: ReferenceStatus, best: Best) -> ReferenceSolution {
        let status = match status {
            ReferenceStatus::Stalled | ReferenceStatus::Breakdown
                if best.merit <= self.settings.reduced_tolerance =>
            {
                ReferenceStatus::AlmostSolved
            }
            other => other,
        };
        let dual = best.point.dual;
        let free = dual.len() - best.point.products.len();
        let fits = self.lifting.fit_targets.len();
        self.pairs.equality_multipliers.copy_from_slice(&dual[fits..free]);
        self.pairs.multipliers.copy_from_slice(&dual[free..]);
        let active_pairs = dual[free..].iter().zip(&best.point.products).filter(|(n, k)| n > k).count();
        let rank = dense::eigenvalues(best.point.primal.as_ref(), self.par).map_or(0, |values| {
            let largest = values.last().copied().unwrap_or(0.0);
            values.iter().filter(|v| **v > 1e-5 * largest).count()
        });
        let order = self.lifting.order();
        let factor =
            match dense::factor_nearly(best.point.primal.as_ref().submatrix(0, 0, order, order), self.par) {
                Some(factor) => (0..order * order).map(|i| factor[(i / order, i % order)]).collect(),
                None => vec![0.0; order * order],
            };
        ReferenceSolution {
            status,
            value: best.line.value,
            dual_value: best.line.dual_value,
            gap: best.line.gap,
            primal_infeasibility: best.line.primal_infeasibility,
            dual_infeasibility: best.line.dual_infeasibility,
            iterations: self.iteration,
            rank,
            active_pairs,
            factor,
            fit_residual: dual[..fits].to_vec(),
            pairs: self.pairs,
            seconds: self.began.elapsed().as_secs_f64(),
        }
    }
}
