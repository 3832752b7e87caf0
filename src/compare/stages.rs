//! What runs each method, and what the methods share.

use super::branch;
use super::score::{Score, published_accuracy, score};
use super::{CompareSettings, ComparedMethod, Estimate, Outcome, ProvedBound, Row};
use crate::baselines::descent::{DescentSettings, Rule, descend};
use crate::baselines::gated::{GatedNetwork, GatedSettings, Patterns};
use crate::baselines::kernels::{Kernel, KernelRegression, Ridge};
use crate::baselines::stationary_gap::{StationaryGapSettings, stationary_gap};
use crate::baselines::{arrangements, copositive, frank_wolfe, gated, soft_threshold};
use crate::certificate::Grade;
use crate::certify::certified::Certified;
use crate::certify::divide::RayonExecutor;
use crate::certify::report::Status;
use crate::certify::run::{Stages, run as certify_stages};
use crate::certify::settings::{CertifySettings, Method};
use crate::control::Control;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::problem::{Network, TrainingProblem};
use crate::progress::Silent;
use crate::rounding::{SplittingSettings, round};
use crate::training::{TrainingSettings, tidy, train};
use faer::{Mat, MatRef};
use std::time::Instant;

/// The relaxation's part of the time, counted in other methods.
const HEAVY: f64 = 8.0;

/// Multiplications of one evaluation of a network from which it is not merged and pruned.
const TIDY_WORK: usize = 100_000_000;

/// The data, and what one method leaves for another.
pub(super) struct Bench<'a> {
    problem: &'a TrainingProblem,
    test: Option<(Mat<f64>, MatRef<'a, f64>)>,
    settings: &'a CompareSettings,
    score: Score,
    means: Vec<f64>,
    /// Whether any method asked for starts from the relaxation.
    relaxed: bool,
    certified: Option<Result<Stages>>,
    gated: Option<Result<(Patterns, GatedNetwork)>>,
}

/// What predicts.
enum Model {
    Network(Network),
    Kernel(KernelRegression),
    Gated(GatedNetwork),
}

/// A row in the making.
#[derive(Default)]
struct Found {
    model: Option<Model>,
    bound: Option<ProvedBound>,
    estimate: Option<Estimate>,
    note: Option<String>,
    unconverged: bool,
    /// Whether it was stopped, where it ran in another method's turn.
    stopped: Option<bool>,
    published: Option<f64>,
    /// Seconds, where they are not those of the call.
    seconds: Option<f64>,
}

impl Found {
    fn network(network: Network) -> Self {
        Self { model: Some(Model::Network(network)), ..Self::default() }
    }
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        problem: &'a TrainingProblem,
        training: &'a Dataset,
        test: Option<&'a Dataset>,
        settings: &'a CompareSettings,
        score: Score,
    ) -> Result<Self> {
        let test = match test {
            Some(test) => Some((test.features().to_dense()?.into_owned(), test.targets())),
            None => None,
        };
        let means = training
            .targets()
            .col_iter()
            .map(|column| column.iter().sum::<f64>() / column.nrows() as f64)
            .collect();
        let relaxed = settings.methods.iter().any(|method| from_relaxation(*method));
        Ok(Self { problem, test, settings, score, means, relaxed, certified: None, gated: None })
    }

    /// Shares of the time: of the first method, and of all.
    pub(super) fn weights(&self, methods: &[ComparedMethod]) -> [f64; 2] {
        // The first method that needs the relaxation pays for it.
        let needs = |method: &ComparedMethod| {
            from_relaxation(*method) || *method == ComparedMethod::Train && self.relaxed
        };
        let heavy = methods.iter().position(needs).filter(|_| self.certified.is_none());
        let weight = |index: usize| if Some(index) == heavy { HEAVY } else { 1.0 };
        [weight(0), (0..methods.len()).map(weight).sum()]
    }

    /// Runs one method to a row.
    pub(super) fn run(&mut self, method: ComparedMethod, control: &Control) -> Row {
        let started = Instant::now();
        let found = self.find(method, control);
        let seconds = started.elapsed().as_secs_f64();
        let stopped = control.should_stop();
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let status = if stopped { Outcome::Stopped } else { Outcome::NotApplicable };
                return Row { seconds, ..Row::empty(method, status, error.to_string()) };
            }
        };
        let status = match (found.stopped.unwrap_or(stopped), found.unconverged) {
            (true, _) => Outcome::Stopped,
            (false, true) => Outcome::Unconverged,
            (false, false) => Outcome::Done,
        };
        self.row(method, status, found, seconds)
    }

    fn row(&self, method: ComparedMethod, status: Outcome, found: Found, seconds: f64) -> Row {
        let mut row = Row {
            note: found.note,
            bound: found.bound,
            estimate: found.estimate,
            published_protocol_accuracy: found.published,
            seconds: found.seconds.unwrap_or(seconds),
            ..Row::empty(method, status, "")
        };
        let Some(model) = found.model else { return row };
        let predict = |x: MatRef<'_, f64>| match &model {
            Model::Network(network) => network.predict(x),
            Model::Kernel(regression) => regression.predict(x),
            Model::Gated(gated) => gated.predict(x),
        };
        if let Model::Network(network) = &model {
            let objective = network.objective_upper(self.problem);
            row.objective = objective.value().is_finite().then_some(objective);
            row.width = Some(network.width());
        }
        let fit = predict(self.problem.features());
        row.train_score = score(self.score, fit.as_ref(), self.problem.targets(), &self.means);
        if let Some((x, y)) = &self.test {
            let prediction = predict(x.as_ref());
            row.test_score = score(self.score, prediction.as_ref(), *y, &self.means);
            if self.published() && row.published_protocol_accuracy.is_none() {
                row.published_protocol_accuracy = Some(published_accuracy(prediction.as_ref(), *y));
            }
        }
        row
    }

    fn published(&self) -> bool {
        self.settings.published_protocol && self.score == Score::Accuracy
    }

    fn find(&mut self, method: ComparedMethod, control: &Control) -> Result<Found> {
        let seed = self.settings.seed;
        match method {
            ComparedMethod::Train if self.relaxed => self.stages(control).map(trained),
            ComparedMethod::Train => {
                let settings = TrainingSettings { seed, ..self.settings.certify.training.clone() };
                Ok(Found::network(train(self.problem, &settings, control)))
            }
            ComparedMethod::Branch => {
                branch::find(self.problem, &self.settings.certify, seed, control).map(searched)
            }
            ComparedMethod::BurerMonteiro => self.burer_monteiro(control),
            ComparedMethod::Certify => self.stages(control).map(certified),
            ComparedMethod::Polish => self.stages(control).and_then(polished),
            ComparedMethod::Splitting => self.splitting(control),
            ComparedMethod::Sgd => self.descent(Rule::Sgd, control),
            ComparedMethod::Adam => self.descent(Rule::Adam, control),
            ComparedMethod::Gated => {
                let (patterns, gated) = self.gated(control)?;
                let note = format!(
                    "{} distinct patterns of {} drawn, {} active; the estimate is a bound only with every pattern",
                    patterns.0,
                    patterns.1,
                    gated.active.len()
                );
                let meaning = "value of the gated problem over the sampled patterns".into();
                Ok(Found {
                    estimate: Some(Estimate { value: gated.value, meaning }),
                    note: Some(note),
                    unconverged: !gated.converged,
                    model: Some(Model::Gated(gated)),
                    ..Found::default()
                })
            }
            ComparedMethod::GatedRelu => self.gated_relu(control),
            ComparedMethod::Exact => self.exact(control),
            ComparedMethod::FrankWolfe => self.frank_wolfe(control),
            ComparedMethod::Copositive => {
                let found = copositive::solve(self.problem, &self.settings.copositive, control)?;
                Ok(Found {
                    estimate: floating(found.lower),
                    unconverged: !found.converged,
                    note: Some(format!("{} patterns, {} Newton steps", found.patterns, found.steps)),
                    ..Found::default()
                })
            }
            ComparedMethod::SoftThreshold => {
                let found = soft_threshold::solve(self.problem)?;
                Ok(Found { estimate: floating(found.value), ..Found::network(found.network) })
            }
            ComparedMethod::Nngp => self.kernel(Kernel::Nngp),
            ComparedMethod::Ntk => self.kernel(Kernel::Ntk),
        }
    }

    /// The relaxation and everything around it, once.
    fn stages(&mut self, control: &Control) -> Result<&Stages> {
        if self.certified.is_none() {
            // Only the low-rank solver has a factor to round.
            let splitting = self.settings.methods.contains(&ComparedMethod::Splitting);
            let method = match self.settings.certify.method {
                _ if splitting => Method::LowRank,
                // Branch and bound has a row of its own.
                Method::Auto | Method::Branch => Method::Relaxation,
                method => method,
            };
            let settings =
                CertifySettings { seed: self.settings.seed, method, ..self.settings.certify.clone() };
            let stages = certify_stages(self.problem, None, &settings, &RayonExecutor, control, &mut Silent);
            self.certified = Some(stages);
        }
        match &self.certified {
            Some(Ok(stages)) => Ok(stages),
            Some(Err(error)) => Err(error.again()),
            None => Err(Error::Numerical("the relaxation")),
        }
    }

    /// Theorem 3.4 of Sahiner et al. at the trained network.
    fn burer_monteiro(&self, control: &Control) -> Result<Found> {
        let settings = &self.settings.certify;
        let network = match &self.certified {
            Some(Ok(stages)) => stages.trained.0.clone(),
            _ => {
                let training = TrainingSettings { seed: self.settings.seed, ..settings.training.clone() };
                train(self.problem, &training, control)
            }
        };
        let search = branch::budget(settings);
        let gap_settings = StationaryGapSettings { precision: settings.tolerance, search };
        let found = stationary_gap(self.problem, &network, &gap_settings, control)?;
        // Rounded upwards at the digits shown.
        let ratio = ((found.level / self.problem.weight_decay()).next_up() * 1e6).next_up().ceil() / 1e6;
        let note = format!(
            "dual norm at most {ratio:.6} times the weight decay; the same residual proves {} by itself",
            found.by_residual
        );
        Ok(Found {
            bound: Some(ProvedBound {
                lower_bound: found.by_theorem,
                grade: Grade::Verified,
                failure_probability: 0.0,
            }),
            note: Some(note),
            unconverged: !found.converged,
            ..Found::network(network)
        })
    }

    fn splitting(&mut self, control: &Control) -> Result<Found> {
        let settings = SplittingSettings { seed: self.settings.seed, ..self.settings.splitting.clone() };
        let solution = self.stages(control)?.solution.clone();
        let solution = solution.ok_or_else(|| Error::Input(NO_SOLUTION.into()))?;
        let started = Instant::now();
        let mut published = None;
        let test = self.test.as_ref().filter(|_| self.published());
        let mut observer = |iterate: &crate::rounding::Iterate| {
            if let Some((x, y)) = test {
                let accuracy = published_accuracy(iterate.network.predict(x.as_ref()).as_ref(), *y);
                published = Some(published.map_or(accuracy, |best: f64| best.max(accuracy)));
            }
        };
        let rounded = round(self.problem, &solution, &settings, control, &mut observer)?;
        let note = format!(
            "best of {} iterates on the training data; infeasibility {:.1e} at the last",
            rounded.last.iteration + 1,
            rounded.last.infeasibility
        );
        Ok(Found {
            note: Some(note),
            published,
            seconds: Some(started.elapsed().as_secs_f64()),
            ..Found::network(rounded.best.network)
        })
    }

    fn descent(&self, rule: Rule, control: &Control) -> Result<Found> {
        let settings = DescentSettings { rule, seed: self.settings.seed, ..self.settings.descent.clone() };
        let descended = descend(self.problem, &settings, control)?;
        let note = format!("{} passes, first step size {:.1e}", descended.epochs, descended.rate);
        Ok(Found { note: Some(note), ..Found::network(descended.network) })
    }

    /// The gated solution, once, with the numbers of distinct and drawn patterns.
    fn gated(&mut self, control: &Control) -> Result<((usize, usize), GatedNetwork)> {
        let settings = GatedSettings { seed: self.settings.seed, ..self.settings.gated.clone() };
        if self.gated.is_none() {
            let solved =
                Patterns::gaussian(self.problem, settings.patterns, settings.seed).and_then(|patterns| {
                    let gated = gated::solve(self.problem, &patterns, &settings, control)?;
                    Ok((patterns, gated))
                });
            self.gated = Some(solved);
        }
        match &self.gated {
            Some(Ok((patterns, gated))) => Ok(((patterns.count(), settings.patterns), gated.clone())),
            Some(Err(error)) => Err(error.again()),
            None => Err(Error::Numerical("the gated problem")),
        }
    }

    fn gated_relu(&mut self, control: &Control) -> Result<Found> {
        self.gated(control)?;
        let Some(Ok((patterns, gated))) = &self.gated else {
            return Err(Error::Numerical("the gated problem"));
        };
        let started = Instant::now();
        let (network, how) =
            match gated::constrained(self.problem, patterns, gated, &self.settings.gated, control) {
                Ok(network) => (network, "cone constraints by an augmented Lagrangian".into()),
                Err(error) => (
                    gated::cone_decomposition(self.problem, patterns, gated, control)?,
                    format!("cone decomposition of the gated solution ({error})"),
                ),
            };
        // Merging and pruning try every pair of neurons, each at this cost.
        let work = (self.problem.samples() * network.width()).saturating_mul(network.width());
        let small = work <= TIDY_WORK && !control.should_stop();
        let network = if small { tidy(self.problem, &network) } else { network };
        Ok(Found {
            note: Some(how),
            seconds: Some(started.elapsed().as_secs_f64()),
            ..Found::network(network)
        })
    }

    fn exact(&self, control: &Control) -> Result<Found> {
        let found = arrangements::solve(self.problem, &self.settings.exact, control)?;
        Ok(Found {
            estimate: floating(found.lower),
            unconverged: !found.converged,
            note: Some(format!("{} patterns, {} rounds", found.patterns, found.rounds)),
            ..Found::network(found.network)
        })
    }

    fn frank_wolfe(&self, control: &Control) -> Result<Found> {
        let found = frank_wolfe::solve(self.problem, &self.settings.frank_wolfe, control)?;
        Ok(Found {
            estimate: floating(found.lower),
            unconverged: !found.converged,
            note: Some(format!("{} iterations", found.iterations)),
            ..Found::network(found.network)
        })
    }

    fn kernel(&self, kernel: Kernel) -> Result<Found> {
        let (x, y) = (self.problem.features(), self.problem.targets());
        let regression = KernelRegression::fit(kernel, x, y, Ridge::LeaveOneOut)?;
        let mut found = Found {
            note: Some(format!("ridge {:.2e}, by leaving one out", regression.ridge())),
            ..Found::default()
        };
        if let Some((test, labels)) = self.test.as_ref().filter(|_| self.published()) {
            let ridge = Ridge::Relative(self.problem.weight_decay());
            let published = KernelRegression::fit(kernel, x, y, ridge)?;
            found.published = Some(published_accuracy(published.predict(test.as_ref()).as_ref(), *labels));
        }
        found.model = Some(Model::Kernel(regression));
        Ok(found)
    }
}

const NO_SOLUTION: &str = "the relaxation left no solution to start from: the samples were divided into blocks, training alone \
was optimal, or the run was stopped; ask for one block or for more time";

/// A lower bound whose rounding nobody has accounted for.
fn floating(value: f64) -> Option<Estimate> {
    let meaning = "lower bound on the optimum but for rounding, which is not accounted for".into();
    Some(Estimate { value, meaning })
}

fn from_relaxation(method: ComparedMethod) -> bool {
    matches!(method, ComparedMethod::Certify | ComparedMethod::Polish | ComparedMethod::Splitting)
}

/// Whether the relaxation was stopped before its end.
fn was_stopped(stages: &Stages) -> bool {
    matches!(stages.certified.report.status, Status::TimeLimit | Status::Cancelled)
}

fn trained(stages: &Stages) -> Found {
    let (network, seconds) = stages.trained.clone();
    // Without a solution the time may have run out before the relaxation began.
    let stopped = Some(was_stopped(stages) && stages.solution.is_none());
    Found { seconds: Some(seconds), stopped, ..Found::network(network) }
}

fn polished(stages: &Stages) -> Result<Found> {
    let seconds = Some(stages.certified.report.seconds.round - stages.trained.1);
    match &stages.polished {
        Some(network) => Ok(Found { seconds, stopped: Some(false), ..Found::network(network.clone()) }),
        None if was_stopped(stages) => Ok(Found {
            note: Some("the relaxation was stopped before".into()),
            stopped: Some(true),
            seconds,
            ..Found::default()
        }),
        None if stages.solution.is_some() => Err(Error::Input(
            "training was exhaustive by itself, as it is for features of rank two; nothing is left to polish"
                .into(),
        )),
        None => Err(Error::Input(NO_SOLUTION.into())),
    }
}

fn searched(found: Certified) -> Found {
    let report = &found.report;
    let note =
        report.branch.map(|figures| format!("{} dimensions, {} cells", figures.dimension, figures.cells));
    Found {
        bound: ProvedBound::of(report),
        note,
        unconverged: report.status != Status::Converged,
        ..Found::network(found.network)
    }
}

fn certified(stages: &Stages) -> Found {
    let report = &stages.certified.report;
    let bound = ProvedBound::of(report);
    let gap = report.solver_gap.map_or_else(|| "stopped".into(), |gap| format!("solver gap {gap:.1e}"));
    let blocks = match report.blocks {
        1 => format!("rank {}; {gap}", report.rank),
        blocks => format!("{blocks} blocks; {gap}"),
    };
    Found {
        bound,
        estimate: report
            .relaxation_value
            .map(|value| Estimate { value, meaning: "value of the relaxation at the solver's point".into() }),
        note: Some(if bound.is_some() { blocks } else { format!("{blocks}; the bound could not be proved") }),
        unconverged: report.status != Status::Converged,
        stopped: Some(was_stopped(stages)),
        seconds: Some(report.seconds.solve + report.seconds.certify + report.seconds.round),
        ..Found::network(stages.certified.network.clone())
    }
}
