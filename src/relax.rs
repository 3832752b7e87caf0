//! The relaxation of one problem by one low-rank factor: the value, and the best dual point met on the way.

use crate::certify::CertifySettings;
use crate::cuts::{Asks, separate};
use crate::dual::{DualPoint, RepairSettings, dual_point, repair};
use crate::lifting::Lifting;
use crate::report::{Relaxed, Status};
use crate::solver::{InnerStatus, Level, LowRankSolver, start};
use crate::{Control, Error, Network, Observer, Progress, Result, TrainingProblem};
use faer::Mat;
use std::time::Instant;

/// Columns of the first factor: above the rank of the optimum on nearly everything measured, because a factor with
/// columns to spare has no spurious valleys; it shrinks by itself.
const FIRST_COLUMNS: usize = 14;
/// The rank grows with the outputs: columns of the first factor for each of them, up to the limit.
const COLUMNS_PER_OUTPUT: usize = 4;
const FIRST_COLUMNS_LIMIT: usize = 64;
/// Most directions of one factor: its dense slack and the repair's take 1 GB.
const DIRECTION_LIMIT: usize = 6_000;
/// Levels before the solver gives up.
const LEVEL_LIMIT: usize = 100;
/// Steps of the ascent that estimates a level's bound.
const LEVEL_ASCENT: usize = 6;
/// Samples above which the shifts that estimate a level's bound are guessed from its lowest eigenvalue.
const SEARCH_LIMIT: usize = 500;
/// Levels in a row without a better bound before the solver counts as stalled.
const PATIENCE: usize = 12;

/// Rounds of cuts.
const ROUNDS: u64 = 12;

/// What solving the relaxation has brought.
pub(crate) struct Relaxation {
    /// The best dual point, repaired.
    pub(crate) dual: DualPoint,
    /// The figures.
    pub(crate) relaxed: Relaxed,
    /// Hidden weights that the factor stands for (d × rank); none where no factor was needed.
    pub(crate) hidden: Option<Mat<f64>>,
}

/// Solves the relaxation from a network, to the tolerance or until `control` says so.
pub(crate) fn relax(
    problem: &TrainingProblem,
    network: &Network,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
    started: Instant,
) -> Result<Relaxation> {
    let lifting = Lifting::new(problem)?;
    let mut run = Run::new(problem, &lifting, network.objective(problem));
    let stopped = control.should_stop();
    let mut status = match stopped {
        true if control.is_cancelled() => Status::Cancelled,
        true => Status::TimeLimit,
        false => Status::Converged,
    };
    let mut hidden = None;
    // Where the weight decay leaves no neuron worth its cost, the factor vanishes and this point is the answer.
    // Without pairs this costs next to nothing, so that a run stopped this early has a bound too.
    let zero = DualPoint::zero(problem.samples(), problem.outputs());
    let targets = DualPoint { w: problem.targets().to_owned(), ..zero };
    run.consider(targets, &RepairSettings::default(), control)?;
    if lifting.groups() > 0 && !stopped && !run.network_is_close(settings.tolerance) {
        check_size(&lifting)?;
        let mut solver_settings = settings.solver.clone();
        solver_settings.final_smoothing = solver_settings.final_smoothing.min(0.1 * settings.tolerance);
        solver_settings.final_infeasibility =
            solver_settings.final_infeasibility.min(0.1 * settings.tolerance);
        let factor = start(&lifting, network, first_columns(&lifting), settings.seed);
        let mut solver = LowRankSolver::new(&lifting, solver_settings, factor)?;
        status = run.solve(&mut solver, settings.tolerance, control, observer, started)?;
        if status == Status::Converged && !run.network_is_close(settings.tolerance) {
            status = run.tighten(&mut solver, settings, control, observer, started)?;
        }
        let r = solver.factor().columns;
        hidden = Some(lifting.hidden_weights(&solver.factor().r()[..lifting.head() * r], r));
    }
    let relaxed = run.relaxed(status);
    Ok(Relaxation { dual: run.best_dual, relaxed, hidden })
}

fn first_columns(lifting: &Lifting) -> usize {
    let wanted = (COLUMNS_PER_OUTPUT * lifting.outputs).clamp(FIRST_COLUMNS, FIRST_COLUMNS_LIMIT);
    wanted.min(lifting.order())
}

/// Refuses a problem whose dense slack would not fit, before it is allocated.
fn check_size(lifting: &Lifting) -> Result<()> {
    if lifting.order() > DIRECTION_LIMIT {
        return Err(Error::Input(format!(
            "{} distinct samples are more than the {DIRECTION_LIMIT} that one factor is made for; divide them into blocks",
            lifting.groups(),
        )));
    }
    Ok(())
}

/// What the levels of the solver have brought so far.
struct Run<'a> {
    problem: &'a TrainingProblem,
    lifting: &'a Lifting,
    best_dual: DualPoint,
    /// Estimated bound of the best dual point; the proof comes at the end.
    best_bound: f64,
    upper: f64,
    value: f64,
    level: Option<Level>,
}

impl<'a> Run<'a> {
    fn new(problem: &'a TrainingProblem, lifting: &'a Lifting, upper: f64) -> Self {
        Self {
            problem,
            lifting,
            best_dual: DualPoint::zero(problem.samples(), problem.outputs()),
            best_bound: 0.0,
            upper,
            value: upper,
            level: None,
        }
    }

    fn solve(
        &mut self,
        solver: &mut LowRankSolver<'_>,
        tolerance: f64,
        control: &Control,
        observer: &mut dyn Observer,
        started: Instant,
    ) -> Result<Status> {
        let mut since_better = 0;
        for _ in 0..LEVEL_LIMIT {
            let level = solver.advance(control);
            if level.inner.status == InnerStatus::Stopped {
                self.consider_level(&level, control)?;
                self.level.get_or_insert(level);
                return Ok(if control.is_cancelled() { Status::Cancelled } else { Status::TimeLimit });
            }
            self.value = self.lifting.unscale(level.objective);
            let error = level.objective_error * self.lifting.scale;
            since_better = if self.consider_level(&level, control)? { 0 } else { since_better + 1 };
            observer.progress(&Progress {
                iteration: solver.newton_steps(),
                value: self.value,
                lower_bound: self.best_bound,
                upper_bound: self.upper,
                infeasibility: level.infeasibility,
                rank: level.columns,
                pairs: level.pairs,
                seconds: started.elapsed().as_secs_f64(),
            });
            // An infeasible point's value may lie below the relaxation's optimum: its error counts with the gap.
            let close = self.value + error - self.best_bound <= 0.9 * tolerance * self.value;
            let feasible = error <= 0.3 * tolerance * self.value;
            let complete = level.added == 0 || level.infeasibility <= 1e-4;
            self.level = Some(level);
            if close && feasible && complete {
                return Ok(Status::Converged);
            }
            if self.network_is_close(tolerance) {
                // The lifted network is a feasible point of the relaxation, and a better one than the factor.
                self.value = self.upper;
                self.level = self.level.take().map(|level| Level { infeasibility: 0.0, ..level });
                return Ok(Status::Converged);
            }
            if since_better > PATIENCE {
                return Ok(Status::Stalled);
            }
        }
        Ok(Status::Stalled)
    }

    /// Adds sublinear forms that the factor violates, in rounds, as long as they raise the bound.
    fn tighten(
        &mut self,
        solver: &mut LowRankSolver<'_>,
        settings: &CertifySettings,
        control: &Control,
        observer: &mut dyn Observer,
        started: Instant,
    ) -> Result<Status> {
        let limit = settings.cuts.limit(self.lifting);
        for round in 0..ROUNDS {
            let room = limit.saturating_sub(solver.pairs().cuts().len());
            if room == 0 || self.network_is_close(settings.tolerance) {
                break;
            }
            let asks = Asks { limit: room, seed: settings.seed + round, ..Asks::default() };
            let cuts = separate(self.lifting, &solver.base_rows(), solver.factor().columns, &asks);
            if cuts.is_empty() || solver.add_cuts(cuts) == 0 {
                break;
            }
            let before = self.best_bound;
            let status = self.solve(solver, settings.tolerance, control, observer, started)?;
            if status != Status::Converged {
                return Ok(status);
            }
            if self.best_bound - before < 0.5 * settings.tolerance * before {
                break;
            }
        }
        Ok(Status::Converged)
    }

    /// Whether the bound so far certifies the trained network itself.
    fn network_is_close(&self, tolerance: f64) -> bool {
        self.upper - self.best_bound <= 0.9 * tolerance * self.upper
    }

    /// Estimates the bound of a level's multipliers and keeps them if it is the best.
    fn consider_level(&mut self, level: &Level, control: &Control) -> Result<bool> {
        let dual = dual_point(self.problem, self.lifting, &level.multipliers, &level.misfit);
        let mut rough = RepairSettings { ascent_steps: LEVEL_ASCENT, ..RepairSettings::default() };
        if self.problem.samples() > SEARCH_LIMIT {
            let least = (-level.slack_eigenvalue).max(f64::MIN_POSITIVE);
            rough.likely = Some(least * self.lifting.leverage_unit());
            rough.ascent_steps = 1;
        }
        self.consider(dual, &rough, control)
    }

    /// Estimates the bound of a dual point and keeps the repaired point if it is the best: the proof then has nothing
    /// left to search for.
    fn consider(&mut self, dual: DualPoint, settings: &RepairSettings, control: &Control) -> Result<bool> {
        // The repair is dense in the samples.
        if self.lifting.order() > DIRECTION_LIMIT {
            return Ok(false);
        }
        let repaired = repair(self.problem, &dual, settings, control)?;
        let better = repaired.estimated_bound > self.best_bound;
        if better {
            self.best_bound = repaired.estimated_bound;
            self.best_dual = repaired.dual;
        }
        Ok(better)
    }

    fn relaxed(&self, status: Status) -> Relaxed {
        let level = self.level.as_ref();
        Relaxed {
            value: self.value,
            bound: self.best_bound,
            infeasibility: level.map_or(0.0, |level| level.infeasibility),
            rank: level.map_or(0, |level| level.columns),
            pairs: level.map_or(0, |level| level.pairs),
            active_pairs: level.map_or(0, |level| level.active_pairs),
            cuts: self.best_dual.cuts.len(),
            status,
            dividing_loss: None,
            unsolved_blocks: 0,
        }
    }
}
