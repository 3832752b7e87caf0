//! Every method beside every other, on the same data with the same weight decay.
//!
//! A row has a *lower bound* only where it is proved for every network of any width; what a method merely computes is
//! its *estimate*. Objectives are those of ReLU networks on the training data, rounded upwards. Everything that a
//! method chooses, it chooses on the training data; the published protocol, which looks at the labels of the test set
//! to choose, has figures of its own and only when asked for.

mod branch;
mod convolution;
mod method;
mod score;
mod stages;

pub use convolution::compare_convolutional;
pub use method::ComparedMethod;
pub use score::{Score, published_accuracy, score};

use crate::baselines::arrangements::ArrangementSettings;
use crate::baselines::copositive::CopositiveSettings;
use crate::baselines::descent::DescentSettings;
use crate::baselines::frank_wolfe::FrankWolfeSettings;
use crate::baselines::gated::GatedSettings;
use crate::bounds::{LowerBound, UpperBound};
use crate::certificate::Grade;
use crate::certify::report::Report;
use crate::certify::settings::CertifySettings;
use crate::control::Control;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::problem::Network;
use crate::rounding::SplittingSettings;
use stages::Bench;
use std::time::{Duration, Instant};

/// Settings of [`compare`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct CompareSettings {
    /// The methods, in the order of their rows; one that occurs again is left out. Default all.
    pub methods: Vec<ComparedMethod>,
    /// Seed of everything random in every method; it replaces theirs. Default 0.
    pub seed: u64,
    /// Settings of the relaxation, of its bound, and of training by variable projection.
    pub certify: CertifySettings,
    /// Settings of the three-operator splitting.
    pub splitting: SplittingSettings,
    /// Settings of the stochastic descents, but for their rule.
    pub descent: DescentSettings,
    /// Settings of the gated networks.
    pub gated: GatedSettings,
    /// Settings of the exact method over all patterns.
    pub exact: ArrangementSettings,
    /// Settings of Frank–Wolfe over all patterns. Default theirs with 2,000 iterations at most.
    pub frank_wolfe: FrankWolfeSettings,
    /// Settings of the copositive relaxation.
    pub copositive: CopositiveSettings,
    /// Also reports accuracies as published: threshold and iterate chosen on the labels of the test set.
    pub published_protocol: bool,
}

impl Default for CompareSettings {
    fn default() -> Self {
        Self {
            methods: ComparedMethod::ALL.to_vec(),
            seed: 0,
            certify: CertifySettings::default(),
            splitting: SplittingSettings::default(),
            descent: DescentSettings::default(),
            gated: GatedSettings::default(),
            exact: ArrangementSettings::default(),
            frank_wolfe: FrankWolfeSettings { max_iterations: 2_000, ..FrankWolfeSettings::default() },
            copositive: CopositiveSettings::default(),
            published_protocol: false,
        }
    }
}

/// How a method ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// It ran to its end.
    Done,
    /// It ended before it reached its own tolerance.
    Unconverged,
    /// It was stopped; what it had then is in the row, if it had anything.
    Stopped,
    /// It is not made for these data; the reason says why.
    NotApplicable,
}

impl Outcome {
    /// The name that the JSON object carries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unconverged => "unconverged",
            Self::Stopped => "stopped",
            Self::NotApplicable => "not_applicable",
        }
    }
}

/// A bound on the objective of every network, proved from stored numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ProvedBound {
    /// No network of any width has a smaller objective.
    pub lower_bound: LowerBound,
    /// What it rests on; never [`Grade::None`].
    pub grade: Grade,
    /// Probability that it is wrong: 0 unless the grade is probabilistic.
    pub failure_probability: f64,
}

impl ProvedBound {
    /// That of a run; none where nothing was proved.
    fn of(report: &Report) -> Option<Self> {
        (report.grade != Grade::None).then_some(Self {
            lower_bound: report.lower_bound,
            grade: report.grade,
            failure_probability: report.failure_probability,
        })
    }
}

/// A figure that a method computes in floating point and nobody proved.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Estimate {
    /// The figure, in units of the objective.
    pub value: f64,
    /// What it is a figure of.
    pub meaning: String,
}

/// What one method came to.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Row {
    /// The method.
    pub method: ComparedMethod,
    /// How it ended.
    pub status: Outcome,
    /// Why it does not apply, was stopped or is to be read with care; null where there is nothing to say.
    pub note: Option<String>,
    /// A proved lower bound; null for every method that proves nothing.
    pub bound: Option<ProvedBound>,
    /// An unproved figure of the method; null where it has none.
    pub estimate: Option<Estimate>,
    /// Objective of the method's ReLU network on the training data, rounded upwards; null where it has no such network.
    pub objective: Option<UpperBound>,
    /// Neurons of that network.
    pub width: Option<usize>,
    /// Fit on the training data; see [`Comparison::score`].
    pub train_score: Option<f64>,
    /// Fit on the test data; null without any.
    pub test_score: Option<f64>,
    /// Test accuracy as published: threshold, and iterate where there are several, chosen on the labels of the test set.
    pub published_protocol_accuracy: Option<f64>,
    /// Seconds of this method: those of `certify` include training and polishing, those of `polish`, `splitting` and
    /// `gated-relu` not the solution that they start from.
    pub seconds: f64,
}

impl Row {
    fn empty(method: ComparedMethod, status: Outcome, note: impl Into<String>) -> Self {
        Self {
            method,
            status,
            note: Some(note.into()),
            bound: None,
            estimate: None,
            objective: None,
            width: None,
            train_score: None,
            test_score: None,
            published_protocol_accuracy: None,
            seconds: 0.0,
        }
    }
}

/// All rows; its serde form is the object that `compare --json` prints and `compare.json` holds.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Comparison {
    /// Version of this layout: [`Comparison::SCHEMA`].
    pub schema: u32,
    /// n, for training.
    pub samples: usize,
    /// Samples for the test, 0 for none.
    pub test_samples: usize,
    /// d, with the bias column.
    pub features: usize,
    /// c.
    pub outputs: usize,
    /// γ.
    pub gamma: f64,
    /// ½‖Y‖², the objective of the network without neurons, rounded upwards.
    pub zero_objective: UpperBound,
    /// What the scores are.
    pub score: Score,
    /// Seed of everything random.
    pub seed: u64,
    /// One for each method, in the order asked for.
    pub rows: Vec<Row>,
    /// Seconds of the whole.
    pub seconds: f64,
}

impl Comparison {
    /// The layout described here.
    pub const SCHEMA: u32 = 1;

    /// The best proved lower bound of all rows.
    pub fn lower_bound(&self) -> Option<LowerBound> {
        let bounds = self.rows.iter().filter_map(|row| Some(row.bound?.lower_bound));
        bounds.max_by(|a, b| a.value().total_cmp(&b.value()))
    }

    /// The best objective of all rows.
    pub fn objective(&self) -> Option<UpperBound> {
        let objectives = self.rows.iter().filter_map(|row| row.objective);
        objectives.min_by(|a, b| a.value().total_cmp(&b.value()))
    }
}

/// Runs every method on the training set, and scores it there and on the test set.
///
/// A method that does not apply, or fails, says so in its row and the others still run. Methods run one after the other.
/// Each gets a share of the time that is left, the relaxation (with its bound) half of it; one that is stopped keeps what it
/// has. After a cancellation the methods not begun are marked as stopped. `observer` is told of each row.
///
/// Errors: data that make no problem at this weight decay, and a test set with other columns than the training set
/// ([`Dataset::aligned_with`] helps).
pub fn compare(
    training: &Dataset,
    test: Option<&Dataset>,
    weight_decay: f64,
    settings: &CompareSettings,
    control: &Control,
    observer: &mut dyn FnMut(&Row),
) -> Result<Comparison> {
    let started = Instant::now();
    settings.certify.validate()?;
    let problem = training.problem(weight_decay)?;
    problem.dense_features()?;
    if let Some(test) = test {
        test.features().to_dense()?;
        let (ours, theirs) =
            ((problem.inputs(), problem.outputs()), (test.features().ncols(), test.targets().ncols()));
        if ours != theirs {
            return Err(Error::Shape {
                what: "test set",
                expected: format!("{} features and {} outputs, as in the training set", ours.0, ours.1),
                actual: format!("{} features and {} outputs", theirs.0, theirs.1),
            });
        }
    }
    let mut methods: Vec<ComparedMethod> = Vec::new();
    for &method in &settings.methods {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    if methods.is_empty() {
        return Err(Error::Input("no method was chosen; name at least one".into()));
    }
    let score = Score::of(training);
    let mut bench = Bench::new(&problem, training, test, settings, score)?;
    let mut rows = Vec::with_capacity(methods.len());
    for (index, &method) in methods.iter().enumerate() {
        let row = if control.should_stop() {
            let why = if control.is_cancelled() { "stopped before it began" } else { "no time was left" };
            Row::empty(method, Outcome::Stopped, why)
        } else {
            bench.run(method, &share(control, bench.weights(&methods[index..])))
        };
        observer(&row);
        rows.push(row);
    }
    Ok(Comparison {
        schema: Comparison::SCHEMA,
        samples: problem.samples(),
        test_samples: test.map_or(0, Dataset::samples),
        features: problem.inputs(),
        outputs: problem.outputs(),
        gamma: weight_decay,
        zero_objective: Network::empty(problem.inputs(), problem.outputs()).objective_upper(&problem),
        score,
        seed: settings.seed,
        rows,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The first of several shares of the time that is left.
fn share(control: &Control, [first, all]: [f64; 2]) -> Control {
    match control.remaining() {
        Some(left) if all > 0.0 => {
            control.within(Duration::try_from_secs_f64(left.as_secs_f64() * first / all).unwrap_or(left))
        }
        _ => control.clone(),
    }
}
