//! The relaxation of one problem in one piece: the value, and the best dual point met on the way.

mod cause;
mod free;
mod interior;
mod low_rank;
mod priced;
mod repairs;
mod warm_start;

pub(crate) use cause::cause;
pub(crate) use free::{better, certify_free};
pub(crate) use priced::{PricedSolution, relax_priced};
pub(crate) use warm_start::WarmStart;

use crate::certificate::compact::{Compact, most_inputs};
use crate::certificate::positive::is_cheaper;
use crate::certify::checkpoint::{LevelState, WholeCheckpoint};
use crate::certify::plan::takes_no_matrix;
use crate::certify::report::{Relaxed, Status};
use crate::certify::settings::{CertifySettings, Method};
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::linalg::dense::factorisation_time;
use crate::problem::{HeadDecay, Network, TrainingProblem};
use crate::progress::Observer;
use crate::relaxation::cuts::{Cuts, propose};
use crate::relaxation::{Cut, Geometry, LiftedFactor, Lifting};
use crate::repair::{ITERATIVE_MARGIN, RepairSettings, proof_margin, repair, repair_priced};
use crate::system::stream::{Purpose, derived};
use faer::Mat;
use std::time::Instant;

/// Most directions of one factor where its slack is dense: with what the repair makes of it that takes 6 GB.
const DIRECTION_LIMIT: usize = 12_000;
/// Most where it is not: the scan and the forest look at all pairs of directions.
const LINEAR_LIMIT: usize = 200_000;

/// Directions closer than this part of the tolerance are one: exact multipliers for them are so large that the rounding of a
/// proof costs more than what is lost here, and they slow down the solver. The second where the first did not do.
const MERGED: [f64; 2] = [0.1, 1e-3];

/// Most rounds of cuts.
const ROUNDS: usize = 12;
/// A round of cuts that raises the bound by less than this part of the tolerance is the last.
const LEAST_GAIN: f64 = 0.3;

/// What solving the relaxation has brought.
pub(crate) struct Relaxation {
    /// The best dual point, repaired.
    pub(crate) dual: DualPoint,
    /// Estimated bound of the point that takes no solver.
    pub(crate) free_bound: f64,
    /// The figures.
    pub(crate) relaxed: Relaxed,
    /// Hidden weights that the solution stands for (d × columns); none where nothing was solved.
    pub(crate) hidden: Option<Mat<f64>>,
    /// The low-rank factor in the coordinates of the problem; none where another solver did the work.
    pub(crate) factor: Option<LiftedFactor>,
    /// Where the low-rank solver ended, to go on from with prices; none where another solver did the work.
    pub(crate) warm_start: Option<WarmStart>,
}

/// Solves the relaxation from a network, to the tolerance or until `control` says so; from where an earlier run stood, if
/// there is a checkpoint of one.
pub(crate) fn relax(
    problem: &TrainingProblem,
    network: &Network,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
    started: Instant,
    checkpoint: Option<&mut WholeCheckpoint>,
) -> Result<Relaxation> {
    if !problem.stored_features().is_sparse() {
        return relax_dense(problem, network, settings, control, observer, started, checkpoint);
    }
    let compact = Compact::new(problem)?;
    let (problem, network) = (compact.problem(), compact.network(network)?);
    let mut relaxation = relax_dense(problem, &network, settings, control, observer, started, checkpoint)?;
    relaxation.hidden = relaxation.hidden.map(|hidden| compact.original_hidden(hidden.as_ref()));
    if let Some(factor) = &mut relaxation.factor {
        factor.hidden = compact.original_hidden(factor.hidden.as_ref());
    }
    // Prices are on the features of the problem, and the solver's state is in those of its stand-in.
    relaxation.warm_start = None;
    Ok(relaxation)
}

fn relax_dense(
    problem: &TrainingProblem,
    network: &Network,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
    started: Instant,
    mut checkpoint: Option<&mut WholeCheckpoint>,
) -> Result<Relaxation> {
    if control.should_stop() {
        return stopped(problem, network, control, checkpoint);
    }
    let lifting = Lifting::merging(problem, MERGED[0] * settings.tolerance)?;
    let finer: Lifting;
    let upper = network.objective(problem);
    let earlier = checkpoint.as_mut().and_then(|checkpoint| checkpoint.earlier());
    let mut run = RelaxationRun::new(problem, &lifting, settings, control, observer, started, upper);
    run.checkpoint = checkpoint;
    // Where the weight decay leaves no neuron worth its cost, the factor vanishes and this point is the answer.
    // Without pairs this costs next to nothing, so that a run stopped this early has a bound too.
    run.consider_targets()?;
    let free_bound = run.best_bound;
    if let Some(state) = &earlier {
        run.go_on_from(state.dual.clone(), &state.relaxed);
    }
    if lifting.groups() > 0 && !run.network_is_close() {
        solve(&mut run, network, settings, earlier)?;
        if run.relaxed.solver.status == Status::Stalled && !control.should_stop() {
            finer = Lifting::merging(problem, MERGED[1] * settings.tolerance)?;
            if finer.groups() > lifting.groups() {
                // A state of these directions would not fit those that another run begins with.
                (run.lifting, run.checkpoint) = (&finer, None);
                solve(&mut run, network, settings, None)?;
                run.warm_start = None;
            }
        }
    }
    run.relaxed.solver.estimated_bound = run.best_bound;
    Ok(Relaxation {
        dual: run.best_dual,
        free_bound,
        relaxed: run.relaxed,
        hidden: run.hidden,
        factor: run.factor,
        warm_start: run.warm_start,
    })
}

/// What a run has that was stopped before it began: the bound that takes no solver, or that of an earlier run.
fn stopped(
    problem: &TrainingProblem,
    network: &Network,
    control: &Control,
    checkpoint: Option<&mut WholeCheckpoint>,
) -> Result<Relaxation> {
    let zero = DualPoint::zero(problem.samples(), problem.outputs());
    let targets = DualPoint { w: problem.targets().to_owned(), ..zero };
    let margin = proof_margin(problem.inputs() + problem.samples());
    let free = repair(problem, &targets, &RepairSettings { margin, ..RepairSettings::default() }, control)?;
    let (mut dual, mut bound) = (free.dual, free.estimated_bound);
    let mut relaxed = Relaxed::of_network(network.objective(problem));
    if let Some(state) = checkpoint.and_then(|checkpoint| checkpoint.earlier()) {
        relaxed = state.relaxed;
        let (inner, square) = state.dual.inner_products(problem);
        if inner - 0.5 * square > bound {
            (dual, bound) = (state.dual, inner - 0.5 * square);
        }
    }
    relaxed.solver.estimated_bound = bound;
    relaxed.solver.status = stop_status(control);
    let free_bound = free.estimated_bound;
    Ok(Relaxation { dual, free_bound, relaxed, hidden: None, factor: None, warm_start: None })
}

/// Solves by the method that suits, or by the one after the other.
fn solve(
    run: &mut RelaxationRun<'_>,
    network: &Network,
    settings: &CertifySettings,
    earlier: Option<Box<LevelState>>,
) -> Result<()> {
    // A state that was kept is the low-rank solver's.
    let interior = earlier.is_none() && settings.method.is_interior(run.lifting, settings.cuts);
    let solved = interior && interior::solve(run)?;
    // What dense algebra could not finish the other solver may.
    if !interior || matches!(settings.method, Method::Auto | Method::Relaxation) && !solved {
        low_rank::solve(run, network, settings, earlier)?;
    }
    Ok(())
}

pub(crate) fn stop_status(control: &Control) -> Status {
    if control.is_cancelled() { Status::Cancelled } else { Status::TimeLimit }
}

/// Refuses blocks that would not fit or not end, before anything is spent on them.
pub(crate) fn check_size(problem: &TrainingProblem, settings: &CertifySettings, blocks: usize) -> Result<()> {
    let samples = problem.samples().div_ceil(blocks);
    let inputs = most_inputs(problem, samples);
    let linear = takes_no_matrix(problem, settings, samples);
    if inputs + samples <= if linear { LINEAR_LIMIT } else { DIRECTION_LIMIT } {
        return Ok(());
    }
    // Parallel samples share a direction, so there may be fewer of them.
    let some: Vec<usize> = (0..samples).collect();
    let some = problem.subset(&some, problem.weight_decay())?;
    let geometry = Geometry::new(Compact::new(&some)?.problem())?;
    if geometry.rank + geometry.groups() <= DIRECTION_LIMIT {
        return Ok(());
    }
    let room = match problem.stored_features().is_sparse() {
        true => DIRECTION_LIMIT.saturating_sub(problem.inputs()).max(DIRECTION_LIMIT / 2),
        false => DIRECTION_LIMIT.saturating_sub(problem.inputs()).max(1),
    };
    let enough = problem.samples().div_ceil(room);
    Err(Error::Input(format!(
        "{samples} samples are more than the {DIRECTION_LIMIT} that one factor is made for; divide them into {enough} \
         blocks or more (--blocks {enough})"
    )))
}

/// What a run has brought so far, whichever solver is at work.
struct RelaxationRun<'a> {
    problem: &'a TrainingProblem,
    /// The weight decay of (u, v), where it is not γ.
    head: Option<&'a HeadDecay>,
    lifting: &'a Lifting,
    tolerance: f64,
    cuts: Cuts,
    seed: u64,
    control: &'a Control,
    observer: &'a mut dyn Observer,
    started: Instant,
    /// Objective of the trained network.
    upper: f64,
    best_dual: DualPoint,
    /// Estimated bound of the best dual point; the proof comes at the end.
    best_bound: f64,
    relaxed: Relaxed,
    hidden: Option<Mat<f64>>,
    /// Where the state of the low-rank solver is kept.
    checkpoint: Option<&'a mut WholeCheckpoint>,
    factor: Option<LiftedFactor>,
    warm_start: Option<WarmStart>,
}

impl<'a> RelaxationRun<'a> {
    /// Before anything is known but a network of this objective.
    fn new(
        problem: &'a TrainingProblem,
        lifting: &'a Lifting,
        settings: &CertifySettings,
        control: &'a Control,
        observer: &'a mut dyn Observer,
        started: Instant,
        upper: f64,
    ) -> Self {
        Self {
            problem,
            head: None,
            lifting,
            tolerance: settings.tolerance,
            cuts: settings.cuts,
            seed: settings.seed,
            control,
            observer,
            started,
            upper,
            best_dual: DualPoint::zero(problem.samples(), problem.outputs()),
            best_bound: 0.0,
            relaxed: Relaxed::of_network(upper),
            hidden: None,
            checkpoint: None,
            factor: None,
            warm_start: None,
        }
    }

    /// The bound that takes no solver, from the targets as the dual variable.
    fn consider_targets(&mut self) -> Result<bool> {
        let zero = DualPoint::zero(self.problem.samples(), self.problem.outputs());
        let targets = DualPoint { w: self.problem.targets().to_owned(), ..zero };
        self.consider(targets, &RepairSettings::default())
    }

    /// The cuts worth another round, beside those held; none where enough are held or the bound is good enough.
    fn more_cuts(&self, round: usize, rows: &[f64], columns: usize, held: &[Cut]) -> Vec<Cut> {
        if self.cuts == Cuts::None || self.network_is_close() || self.control.should_stop() {
            return Vec::new();
        }
        propose(self.lifting, rows, columns, held, self.cuts, derived(self.seed, Purpose::Cuts, round as u64))
    }

    /// Whether a round of cuts that began with this bound has raised it enough for another.
    fn pays(&self, before: f64) -> bool {
        self.best_bound - before >= LEAST_GAIN * self.tolerance * before
    }

    /// Takes over the figures and the dual point of an earlier run. The bound is worked out again; the proof at the end
    /// asks nothing of it.
    fn go_on_from(&mut self, dual: DualPoint, relaxed: &Relaxed) {
        let (inner, square) = dual.inner_products(self.problem);
        let bound = inner - 0.5 * square;
        if bound > self.best_bound {
            (self.best_bound, self.best_dual) = (bound, dual);
        }
        let status = self.relaxed.solver.status;
        self.relaxed = *relaxed;
        self.relaxed.solver.status = status;
    }

    /// The error for a state that does not fit.
    fn damaged(&self, what: &str) -> Error {
        self.checkpoint
            .as_ref()
            .map_or_else(|| Error::Input(what.into()), |checkpoint| checkpoint.damaged(what))
    }

    /// Writes down where the low-rank solver stands: at the end of a level if that is due, and where it was stopped.
    fn keep(&mut self, stopped: bool, state: impl FnOnce(DualPoint, Relaxed) -> LevelState) {
        let Some(checkpoint) = self.checkpoint.as_mut().filter(|checkpoint| stopped || checkpoint.is_due())
        else {
            return;
        };
        let mut relaxed = self.relaxed;
        relaxed.solver.estimated_bound = self.best_bound;
        checkpoint.record(&state(self.best_dual.clone(), relaxed));
        if let Some(trouble) = checkpoint.trouble() {
            self.observer.warning(&trouble);
        }
    }

    /// Whether the bound so far certifies the trained network itself.
    fn network_is_close(&self) -> bool {
        self.upper - self.best_bound <= 0.9 * self.tolerance * self.upper
    }

    /// Whether the bound so far is close to this value of the relaxation.
    fn is_close(&self, value: f64) -> bool {
        // A value that has overflowed is close to nothing.
        value.is_finite() && value - self.best_bound <= 0.9 * self.tolerance * value
    }

    /// Estimates the bound of a dual point and keeps the repaired point if it is the best: the proof then has nothing
    /// left to search for.
    fn consider(&mut self, dual: DualPoint, settings: &RepairSettings) -> Result<bool> {
        let order = self.problem.inputs() + self.problem.samples();
        let head = self.problem.inputs() + self.problem.outputs();
        let iterative = self.head.is_none()
            && dual.cuts.is_empty()
            && is_cheaper(self.problem.samples(), dual.pairs.len(), head);
        // Any other repair of pairs is dense in the samples.
        if !iterative && !dual.pairs.is_empty() && self.lifting.order() > DIRECTION_LIMIT {
            return Ok(false);
        }
        // A repair that has pairs is dense, and its first factorisation is not interrupted.
        if self.control.should_stop()
            && !dual.pairs.is_empty()
            && !iterative
            && !self.control.has_time_for(factorisation_time(order))
        {
            return Ok(false);
        }
        // The bound is that of a point with room for its proof: what the proof costs is known before the run ends.
        let margin = if iterative { ITERATIVE_MARGIN } else { proof_margin(order) };
        let settings = &RepairSettings { margin: settings.margin.max(margin), ..settings.clone() };
        let repaired = match self.head {
            Some(head) => repair_priced(self.problem, head, &dual, settings, self.control)?,
            None => repair(self.problem, &dual, settings, self.control)?,
        };
        let better = repaired.estimated_bound > self.best_bound;
        if better {
            self.best_bound = repaired.estimated_bound;
            self.best_dual = repaired.dual;
        }
        Ok(better)
    }
}
