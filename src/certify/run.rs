//! A whole run: train, relax, bound, prove, round, report.

use crate::branch::Branched;
use crate::certificate::compact::most_inputs;
use crate::certificate::{Certificate, Proof, ProofSettings, prove_with};
use crate::certify::by_branch::ByBranch;
use crate::certify::certified::{Certified, check_network};
use crate::certify::checkpoint::{BlockLedger, Saver, Stage, WholeLedger};
use crate::certify::divide::{Division, Run as DividedRun};
use crate::certify::overrun::Watch;
use crate::certify::plan::Plan;
use crate::certify::relax::{better, cause, certify_free, check_size, relax};
use crate::certify::report::{Relaxed, Report, Seconds, Status};
use crate::certify::settings::{Blocks, CertifySettings, Method};
use crate::control::Control;
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::linalg::dense::factorisation_time;
use crate::problem::{Network, TrainingProblem};
use crate::progress::Observer;
use crate::relaxation::LiftedFactor;
use crate::repair::certify_dual_with;
use crate::training::{TrainingSettings, is_exhaustive, polish, stationarity, train};
use faer::{Mat, MatRef};
use std::sync::Mutex;
use std::time::Instant;

/// Trains a network, solves the relaxation and proves a lower bound on the objective of every network.
///
/// Stops at the tolerance, when `control` says so (then with the best bound so far), or when nothing improves.
pub fn certify(
    problem: &TrainingProblem,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<Certified> {
    Ok(run(problem, None, settings, control, observer)?.certified)
}

/// Solves the relaxation and proves how far a network that comes from elsewhere is from optimal: the report has its
/// objective, rounded upwards, as the upper bound, and the network is returned as it came.
///
/// Errors: as [`certify`], and a network whose shape (U d × m, V c × m) does not fit or whose objective is not finite.
pub fn certify_network(
    problem: &TrainingProblem,
    network: &Network,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<Certified> {
    check_network(problem, network)?;
    Ok(run(problem, Some(network), settings, control, observer)?.certified)
}

/// [`certify`] by the low-rank solver, and the solution of the relaxation that its bound comes from, to be rounded by
/// other means.
///
/// There is none where the samples were divided into blocks or where the run was stopped before it had one; a trained
/// network that is optimal by itself is its own solution.
pub fn certify_with_solution(
    problem: &TrainingProblem,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<(Certified, Option<LiftedFactor>)> {
    // The interior-point method has no factor.
    let settings = CertifySettings { method: Method::LowRank, ..settings.clone() };
    let stages = run(problem, None, &settings, control, observer)?;
    Ok((stages.certified, stages.solution))
}

/// What the parts of a run came to.
pub(crate) struct Stages {
    pub(crate) certified: Certified,
    /// The solution of the relaxation.
    pub(crate) solution: Option<LiftedFactor>,
    /// The network before the relaxation was solved, and the seconds it took.
    pub(crate) trained: (Network, f64),
    /// The network trained from the solution of the relaxation.
    pub(crate) polished: Option<Network>,
}

/// Trains (or takes the network given), relaxes, proves and rounds.
pub(crate) fn run(
    problem: &TrainingProblem,
    given: Option<&Network>,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<Stages> {
    settings.validate()?;
    let mut watch = Watch::new(control);
    // Before the blocks of an earlier run are taken over.
    let is_searched = ByBranch::is_wanted(settings);
    let mut settings = settings.clone();
    if let (Some(checkpoint), Blocks::Auto) = (&settings.checkpoint, settings.blocks) {
        // What was begun goes on in its blocks, whatever the time and the memory of this run.
        settings.blocks = Saver::blocks_in(checkpoint, problem)?.map_or(Blocks::Auto, Blocks::Count);
    }
    let settings = &settings;
    let plan = match settings.method {
        Method::Branch => Plan::without_relaxation(problem, settings)?,
        _ => {
            let plan = Plan::new(problem, settings, control.remaining())?;
            check_size(problem, settings, plan.blocks)?;
            plan
        }
    };
    let (mut saver, saved) = match &settings.checkpoint {
        Some(checkpoint) => {
            let (saver, saved) = Saver::open(checkpoint, problem, given, settings, plan.blocks)?;
            (Some(saver), saved)
        }
        None => (None, None),
    };
    let training = TrainingSettings { seed: settings.seed, ..settings.training.clone() };
    let started = Instant::now();
    let (known, mut seconds, stage) = match saved {
        Some(saved) => (Some(saved.network), saved.seconds, Some(saved.stage)),
        None => (None, Seconds::default(), None),
    };
    let is_new = known.is_none();
    let network = known.or_else(|| given.cloned()).unwrap_or_else(|| train(problem, &training, control));
    if is_new {
        seconds.round = started.elapsed().as_secs_f64();
    }
    watch.ended("training");
    // A training that was stopped has to be done again: nothing is kept of it.
    if is_new && given.is_none() && control.should_stop() {
        saver = None;
    }
    if let Some(saver) = &mut saver {
        saver.trained(&network);
        saver.spent(seconds);
        if is_new {
            saver.write(|_| Ok(()));
        }
        if let Some(trouble) = saver.trouble() {
            observer.warning(&trouble);
        }
    }
    let stage = match stage {
        Some(Stage::Done { certificate, relaxed, search }) => {
            let proof = prove_with(problem, &certificate, &settings.proof).map_err(|error| match &saver {
                Some(saver) => saver.damaged(&error.to_string()),
                None => error,
            })?;
            let mut report = Report::assemble(problem, &network, &certificate, &proof, &relaxed, seconds);
            if let Some(figures) = search {
                report.searched(figures);
            }
            report.stationarity = ratio(problem, &network, &training, control);
            let trained = (network.clone(), seconds.round);
            let certified = Certified { network, certificate, proof, report };
            return Ok(Stages { certified, solution: None, trained, polished: None });
        }
        stage => stage,
    };
    let mut search = is_searched.then(|| ByBranch::new(problem, &network, settings, &training, started));
    if let Some(search) = &mut search {
        let searching = Instant::now();
        if let Some(Stage::Searched { certificate }) = &stage {
            search.recall(certificate, control, observer).map_err(|error| match (&saver, error) {
                (Some(saver), Error::Refused(why)) => saver.damaged(&why),
                (_, error) => error,
            })?;
        }
        let mut keep = |best: &Branched| {
            if let Some(saver) = saver.as_mut().filter(|saver| saver.is_due()) {
                let search = seconds.search + searching.elapsed().as_secs_f64();
                saver.spent(Seconds { search, ..seconds });
                saver.searched(given.unwrap_or(&best.network), bound_to_keep(best, stage.as_ref()));
            }
        };
        let ended = search.first(control, observer, &mut keep)?;
        seconds.search += searching.elapsed().as_secs_f64();
        watch.ended("branch and bound");
        if ended {
            let best = search.road().best();
            // Somebody else's network is judged as it came, by the bound that our own search has proved.
            let found = if given.is_some() { &network } else { &best.network };
            let (certificate, proof) = match &best.bound {
                Some(bound) if search.is_reached() => bound.clone(),
                bound => better(free(problem, &settings.making(0, 1, control), control)?, bound.clone()),
            };
            let relaxed = Relaxed::skipped(search.status(control));
            if let Some(mut saver) = saver {
                saver.spent(seconds);
                if search.is_reached() {
                    let mut ledger = WholeLedger::new(saver, stage);
                    ledger.finish(found, &certificate, &relaxed, Some(&search.figures()));
                    if let Some(trouble) = ledger.trouble() {
                        observer.warning(&trouble);
                    }
                } else {
                    // A later run begins with this bound, and from the network that the search has improved.
                    saver.searched(given.unwrap_or(&best.network), bound_to_keep(best, stage.as_ref()));
                    if let Some(trouble) = saver.trouble() {
                        observer.warning(&trouble);
                    }
                }
            }
            let mut report = Report::assemble(problem, found, &certificate, &proof, &relaxed, seconds);
            report.searched(search.figures());
            report.stationarity = ratio(problem, found, &training, control);
            report.overrun = watch.line();
            let trained = (network.clone(), seconds.round);
            let certified = Certified { network: found.clone(), certificate, proof, report };
            return Ok(Stages { certified, solution: None, trained, polished: None });
        }
    }
    let network = match &search {
        Some(search) if given.is_none() => search.network().clone(),
        _ => network,
    };
    if plan.blocks > 1 {
        let division = Division::planned(problem, &network, settings, plan)?;
        let ledger = saver.map(|saver| BlockLedger::new(saver, problem, division.partition(), stage));
        let ledger = ledger.transpose()?.map(Mutex::new);
        let run = DividedRun { division: &division, control, started, ledger };
        let divided = run.certify(observer, &mut seconds)?;
        watch.ended("solving and proving the blocks");
        let proved = (divided.certificate, divided.proof);
        let (network, certificate, proof) =
            searched_on(search.as_mut(), proved, network, given.is_some(), settings, control, observer)?;
        let mut report = Report::assemble(problem, &network, &certificate, &proof, &divided.relaxed, seconds);
        if let Some(search) = &search {
            report.searched(search.figures());
        }
        report.cause = divided.cause.filter(|_| report.status == Status::Unproved);
        report.stationarity = ratio(problem, &network, &training, control);
        report.overrun = watch.line();
        let trained = (network.clone(), seconds.round);
        let certified = Certified { network, certificate, proof, report };
        return Ok(Stages { certified, solution: None, trained, polished: None });
    }
    let mut ledger = saver.map(|saver| WholeLedger::new(saver, stage));
    let trained = (network.clone(), seconds.round);

    let solving = Instant::now();
    // Its proof is one more factorisation, which is not interrupted.
    let order = problem.samples() + most_inputs(problem, problem.samples());
    let until = control.reserving(factorisation_time(order));
    let relaxation = relax(problem, &network, settings, &until, observer, started, ledger.as_mut())?;
    seconds.solve += solving.elapsed().as_secs_f64();
    watch.ended("solving the relaxation");

    let certifying = Instant::now();
    // Two certificates may be made, and the better one is taken.
    let proving = settings.making(0, 2, control);
    let mut proved = certify_dual_with(problem, &relaxation.dual, &proving)?;
    if proved.1.lower_bound() < relaxation.free_bound {
        // A point whose proof was lost leaves the one that takes no solver.
        proved = better(proved, certify_free(problem, &settings.making(1, 2, control), control.remaining())?);
    }
    let (certificate, proof) = proved;
    seconds.certify += certifying.elapsed().as_secs_f64();
    watch.ended("proving the bound");

    let rounding = Instant::now();
    let polished = match &relaxation.hidden {
        Some(hidden) if given.is_none() && !control.should_stop() && !is_exhaustive(problem) => {
            Some(polish(problem, beside(network.hidden(), hidden).as_ref(), &training, control))
        }
        _ => None,
    };
    let network = match &polished {
        Some(polished) if polished.objective(problem) < network.objective(problem) => polished.clone(),
        _ => network,
    };
    seconds.round += rounding.elapsed().as_secs_f64();
    let (network, certificate, proof) = searched_on(
        search.as_mut(),
        (certificate, proof),
        network,
        given.is_some(),
        settings,
        control,
        observer,
    )?;
    let ended = relaxation.relaxed.is_solved() && !control.should_stop();
    if let Some(ledger) = ledger.as_mut().filter(|_| ended) {
        ledger.spent(seconds);
        let figures = search.as_ref().map(ByBranch::figures);
        ledger.finish(&network, &certificate, &relaxation.relaxed, figures.as_ref());
        if let Some(trouble) = ledger.trouble() {
            observer.warning(&trouble);
        }
    }

    let mut report = Report::assemble(problem, &network, &certificate, &proof, &relaxation.relaxed, seconds);
    if let Some(search) = &search {
        report.searched(search.figures());
    }
    if report.status == Status::Unproved {
        report.cause = Some(cause(problem, &relaxation.dual, &proving));
    }
    report.stationarity = ratio(problem, &network, &training, control);
    watch.ended("training from the solution of the relaxation");
    report.overrun = watch.line();
    // Where nothing was left to solve, the network lifted is a solution.
    let optimal = relaxation.relaxed.status == Status::Converged && relaxation.hidden.is_none();
    let solution =
        relaxation.factor.or_else(|| optimal.then(|| LiftedFactor::from_network(problem, &network)));
    Ok(Stages { certified: Certified { network, certificate, proof, report }, solution, trained, polished })
}

/// The largest ratio that a search over neurons finds; none where the run has to end.
fn ratio(
    problem: &TrainingProblem,
    network: &Network,
    training: &TrainingSettings,
    control: &Control,
) -> Option<f64> {
    let found = (!control.should_stop()).then(|| stationarity(problem, network, training, control));
    found.filter(|_| !control.should_stop())
}

/// The bound that takes no search, or that no objective is negative.
fn free(
    problem: &TrainingProblem,
    proving: &ProofSettings,
    control: &Control,
) -> Result<(Certificate, Proof)> {
    if let Some(free) = certify_free(problem, proving, control.remaining())? {
        return Ok(free);
    }
    let certificate = Certificate::new(DualPoint::zero(problem.samples(), problem.outputs()));
    let proof = prove_with(problem, &certificate, proving)?;
    Ok((certificate, proof))
}

/// The best bound of a search; where there is none, that of an earlier run, which could not be proved again in time.
fn bound_to_keep<'a>(best: &'a Branched, stage: Option<&'a Stage>) -> Option<&'a Certificate> {
    let earlier = match stage {
        Some(Stage::Searched { certificate }) => Some(certificate),
        _ => None,
    };
    best.bound.as_ref().map(|(certificate, _)| certificate).or(earlier)
}

/// Searches on where the bound is not within the tolerance, and takes the better network and the better bound.
fn searched_on(
    search: Option<&mut ByBranch<'_>>,
    proved: (Certificate, Proof),
    network: Network,
    is_given: bool,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<(Network, Certificate, Proof)> {
    let (certificate, proof) = proved;
    let Some(search) = search else { return Ok((network, certificate, proof)) };
    let objective = |network: &Network| network.objective(search.problem());
    let is_far = proof.lower_bound() < (1.0 - settings.tolerance) * objective(&network);
    if is_far && !control.should_stop() {
        search.again(control, observer)?;
    }
    let best = search.road().best();
    let is_better = best.network.objective(search.problem()) < network.objective(search.problem());
    let network = if !is_given && is_better { best.network.clone() } else { network };
    let (certificate, proof) = match &best.bound {
        Some(bound) => better((certificate, proof), Some(bound.clone())),
        None => (certificate, proof),
    };
    Ok((network, certificate, proof))
}

/// [A B].
fn beside(a: MatRef<'_, f64>, b: &Mat<f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols() + b.ncols(), |i, j| {
        if j < a.ncols() { a[(i, j)] } else { b[(i, j - a.ncols())] }
    })
}
