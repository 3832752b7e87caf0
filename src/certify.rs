//! The whole road: train, relax, bound, prove, round, report.

use crate::certificate::{self, Certificate, DENSE_LIMIT, Proof, certify_dual};
use crate::dual::{DualPoint, RepairSettings, dual_point, repair};
use crate::lifting::Lifting;
use crate::report::{Relaxed, Report, Seconds, Status};
use crate::solver::{InnerStatus, Level, LowRankSolver, SolverSettings, start};
use crate::training::{TrainingSettings, polish, train};
use crate::{Control, Error, Network, Observer, Progress, Result, TrainingProblem};
use std::path::Path;
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
/// Levels in a row without a better bound before the solver counts as stalled.
const PATIENCE: usize = 12;

/// Settings of [`certify`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct CertifySettings {
    /// Relative gap between the relaxation's value and the certified bound to reach. Default 1e-3, in (0, 1).
    pub tolerance: f64,
    /// Seed of everything random. Default 0.
    pub seed: u64,
    /// Settings of the low-rank solver; its final smoothing is lowered to suit the tolerance.
    pub solver: SolverSettings,
    /// Settings of the training of networks; the seed above replaces theirs.
    pub training: TrainingSettings,
}

impl Default for CertifySettings {
    fn default() -> Self {
        Self {
            tolerance: 1e-3,
            seed: 0,
            solver: SolverSettings::default(),
            training: TrainingSettings::default(),
        }
    }
}

/// A network, a certificate with its proof, and the report of the run.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The best network found.
    pub network: Network,
    /// The dual point that proves the lower bound.
    pub certificate: Certificate,
    /// The proof made from the certificate.
    pub proof: Proof,
    /// The figures.
    pub report: Report,
}

impl Certified {
    /// Writes `problem.npz`, `network.npz` and `certificate.npz` into a folder, each whole or not at all.
    pub fn save(&self, problem: &TrainingProblem, folder: &Path) -> Result<()> {
        certificate::save_problem(&folder.join("problem.npz"), problem)?;
        certificate::save_network(&folder.join("network.npz"), &self.network)?;
        certificate::save_certificate(&folder.join("certificate.npz"), &self.certificate)
    }
}

/// Trains a network, solves the relaxation and proves a lower bound on the objective of every network.
///
/// Stops at the tolerance, when `control` says so (then with the best bound so far), or when nothing improves.
pub fn certify(
    problem: &TrainingProblem,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<Certified> {
    if !(settings.tolerance > 0.0 && settings.tolerance < 1.0) {
        return Err(Error::Parameter {
            name: "tolerance",
            value: format!("{:?}", settings.tolerance),
            range: "between 0 and 1",
        });
    }
    problem.dense_features()?;
    let training = TrainingSettings { seed: settings.seed, ..settings.training.clone() };
    let started = Instant::now();
    let network = train(problem, &training, control);
    let mut seconds = Seconds { round: started.elapsed().as_secs_f64(), ..Seconds::default() };

    let solving = Instant::now();
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
    run.consider(DualPoint { w: problem.targets().to_owned(), ..zero }, control)?;
    if lifting.groups() > 0 && !stopped && !run.network_is_close(settings.tolerance) {
        check_size(&lifting)?;
        let mut solver_settings = settings.solver.clone();
        solver_settings.final_smoothing = solver_settings.final_smoothing.min(0.1 * settings.tolerance);
        solver_settings.final_infeasibility =
            solver_settings.final_infeasibility.min(0.1 * settings.tolerance);
        let factor = start(&lifting, &network, first_columns(&lifting), settings.seed);
        let mut solver = LowRankSolver::new(&lifting, solver_settings, factor)?;
        status = run.solve(&mut solver, settings.tolerance, control, observer, started)?;
        let r = solver.factor().columns;
        hidden = Some(lifting.hidden_weights(&solver.factor().r()[..lifting.head() * r], r));
    }
    seconds.solve = solving.elapsed().as_secs_f64();

    let certifying = Instant::now();
    run.refine(control)?;
    let (certificate, proof) = certify_dual(problem, &run.best_dual)?;
    seconds.certify = certifying.elapsed().as_secs_f64();

    let rounding = Instant::now();
    let network = match hidden {
        Some(hidden) if !control.should_stop() => {
            let polished = polish(problem, hidden.as_ref(), &training, control);
            if polished.objective(problem) < network.objective(problem) { polished } else { network }
        }
        _ => network,
    };
    seconds.round += rounding.elapsed().as_secs_f64();

    let report = Report::assemble(problem, &network, &proof, &run.relaxed(status), seconds);
    Ok(Certified { network, certificate, proof, report })
}

fn first_columns(lifting: &Lifting) -> usize {
    let wanted = (COLUMNS_PER_OUTPUT * lifting.outputs).clamp(FIRST_COLUMNS, FIRST_COLUMNS_LIMIT);
    wanted.min(lifting.order())
}

/// Refuses a problem whose dense slack would not fit, before it is allocated.
fn check_size(lifting: &Lifting) -> Result<()> {
    if lifting.order() > DIRECTION_LIMIT {
        return Err(Error::Input(format!(
            "{} distinct samples are more than the {DIRECTION_LIMIT} that one factor is made for; certify a random \
             subset of them",
            lifting.groups(),
        )));
    }
    Ok(())
}

/// What the levels of the solver have brought so far.
struct Run<'a> {
    problem: &'a TrainingProblem,
    lifting: &'a Lifting,
    /// The best dual point, before its repair and after.
    best_point: DualPoint,
    best_dual: DualPoint,
    /// Estimated bound of the best dual point; the proof comes at the end.
    best_bound: f64,
    upper: f64,
    value: f64,
    level: Option<Level>,
}

impl<'a> Run<'a> {
    fn new(problem: &'a TrainingProblem, lifting: &'a Lifting, upper: f64) -> Self {
        let zero = DualPoint::zero(problem.samples(), problem.outputs());
        Self {
            problem,
            lifting,
            best_point: zero.clone(),
            best_dual: zero,
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

    /// Whether the bound so far certifies the trained network itself.
    fn network_is_close(&self, tolerance: f64) -> bool {
        self.upper - self.best_bound <= 0.9 * tolerance * self.upper
    }

    /// Estimates the bound of a level's multipliers and keeps them if it is the best.
    fn consider_level(&mut self, level: &Level, control: &Control) -> Result<bool> {
        self.consider(dual_point(self.problem, self.lifting, &level.multipliers, &level.misfit), control)
    }

    /// Estimates the bound of a dual point and keeps the repaired point if it is the best: the proof then has nothing
    /// left to search for.
    fn consider(&mut self, dual: DualPoint, control: &Control) -> Result<bool> {
        // The repair is dense in the samples, and above this order nothing could be proved with its result.
        if self.problem.samples() + self.problem.inputs() > DENSE_LIMIT {
            return Ok(false);
        }
        // Between levels a rough estimate serves.
        let rough = RepairSettings { ascent_steps: LEVEL_ASCENT, ..RepairSettings::default() };
        let repaired = repair(self.problem, &dual, &rough, control)?;
        let better = repaired.estimated_bound > self.best_bound;
        if better {
            self.best_bound = repaired.estimated_bound;
            self.best_dual = repaired.dual;
            self.best_point = dual;
        }
        Ok(better)
    }

    /// Repairs the best point once more, with all the steps of the ascent.
    fn refine(&mut self, control: &Control) -> Result<()> {
        if self.best_bound > 0.0 {
            let repaired = repair(self.problem, &self.best_point, &RepairSettings::default(), control)?;
            if repaired.estimated_bound > self.best_bound {
                self.best_bound = repaired.estimated_bound;
                self.best_dual = repaired.dual;
            }
        }
        Ok(())
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
            status,
        }
    }
}
