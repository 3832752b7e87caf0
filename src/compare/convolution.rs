//! The rows for a convolutional first layer.

use super::score::{Score, score};
use super::{CompareSettings, ComparedMethod, Comparison, Estimate, Outcome, ProvedBound, Row, share};
use crate::baselines::descent::{DescentSettings, Rule};
use crate::branch::BranchStatus;
use crate::control::Control;
use crate::convolution::descent::descend;
use crate::convolution::{ConvolutionSettings, certify, enumeration, train};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::problem::convolution::{ConvolutionShape, ConvolutionalNetwork, ConvolutionalProblem};
use crate::training::TrainingSettings;
use std::time::Instant;

/// What a method found.
struct Found {
    network: ConvolutionalNetwork,
    bound: Option<ProvedBound>,
    estimate: Option<Estimate>,
    unconverged: bool,
    note: String,
}

/// [`compare`](super::compare) for networks whose first layer is convolutional: training, branch and bound with its proved
/// bound, descents, and the enumeration of patterns. Other methods say that they do not apply.
///
/// Errors: images of another size, a test set with other columns than the training set, data that make no problem.
pub fn compare_convolutional(
    training: &Dataset,
    test: Option<&Dataset>,
    shape: &ConvolutionShape,
    weight_decay: f64,
    settings: &CompareSettings,
    control: &Control,
    observer: &mut dyn FnMut(&Row),
) -> Result<Comparison> {
    let started = Instant::now();
    settings.certify.validate()?;
    let problem_of = |data: &Dataset| {
        let features = data.features().to_dense()?;
        ConvolutionalProblem::new(*shape, features.as_ref().as_ref(), data.targets().to_owned(), weight_decay)
    };
    let problem = problem_of(training)?;
    let tested = test.map(problem_of).transpose()?;
    if tested.as_ref().is_some_and(|tested| tested.outputs() != problem.outputs()) {
        return Err(Error::Input(
            "the test set has other outputs than the training set; take the same columns".into(),
        ));
    }
    let kind = Score::of(training);
    let means: Vec<f64> = problem
        .targets()
        .col_iter()
        .map(|column| column.iter().sum::<f64>() / column.nrows() as f64)
        .collect();
    let mut rows: Vec<Row> = Vec::with_capacity(settings.methods.len());
    for (index, &method) in settings.methods.iter().enumerate() {
        if settings.methods[..index].contains(&method) {
            continue;
        }
        let began = Instant::now();
        let row = if control.should_stop() {
            Row::empty(method, Outcome::Stopped, "no time was left")
        } else {
            let own = share(control, [1.0, (settings.methods.len() - index) as f64]);
            let found = find(method, &problem, settings, &own);
            let stopped = own.should_stop();
            let mut row = match found {
                Err(error) => {
                    let status = if stopped { Outcome::Stopped } else { Outcome::NotApplicable };
                    Row::empty(method, status, error.to_string())
                }
                Ok(found) => {
                    let status = match (stopped, found.unconverged) {
                        (true, _) => Outcome::Stopped,
                        (false, true) => Outcome::Unconverged,
                        (false, false) => Outcome::Done,
                    };
                    let fit = |problem: &ConvolutionalProblem| {
                        let prediction = found.network.predict_for(problem);
                        score(kind, prediction.as_ref(), problem.targets(), &means)
                    };
                    Row {
                        bound: found.bound,
                        objective: Some(found.network.objective_upper(&problem)),
                        width: Some(found.network.width()),
                        train_score: fit(&problem),
                        test_score: tested.as_ref().and_then(fit),
                        estimate: found.estimate,
                        ..Row::empty(method, status, found.note)
                    }
                }
            };
            row.seconds = began.elapsed().as_secs_f64();
            row
        };
        observer(&row);
        rows.push(row);
    }
    let empty = ConvolutionalNetwork::empty(shape, problem.outputs());
    Ok(Comparison {
        schema: Comparison::SCHEMA,
        samples: problem.samples(),
        test_samples: test.map_or(0, Dataset::samples),
        features: shape.inputs(),
        outputs: problem.outputs(),
        gamma: weight_decay,
        zero_objective: empty.objective_upper(&problem),
        score: kind,
        seed: settings.seed,
        rows,
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn find(
    method: ComparedMethod,
    problem: &ConvolutionalProblem,
    settings: &CompareSettings,
    control: &Control,
) -> Result<Found> {
    let tolerance = settings.certify.tolerance;
    let training = TrainingSettings { seed: settings.seed, ..settings.certify.training.clone() };
    let plain =
        |network, note: String| Found { network, bound: None, estimate: None, unconverged: false, note };
    match method {
        ComparedMethod::Train => Ok(plain(
            train(problem, tolerance, &training, control)?,
            "variable projection over pooled responses, filters added".into(),
        )),
        ComparedMethod::Branch => {
            let own = ConvolutionSettings { training, branch: settings.certify.branch.clone() };
            let found = certify(problem, tolerance, &own, control, &mut |_| {})?;
            let bound = found.bound.as_ref().map(|(_, proof)| ProvedBound {
                lower_bound: proof.lower_bound(),
                grade: proof.grade(),
                failure_probability: proof.failure_probability(),
            });
            let note = format!("{} dimensions, {} cells", found.dimension, found.cells);
            let unconverged = found.status != BranchStatus::Reached;
            Ok(Found { network: found.network, bound, estimate: None, unconverged, note })
        }
        ComparedMethod::Sgd | ComparedMethod::Adam => {
            let rule = if method == ComparedMethod::Sgd { Rule::Sgd } else { Rule::Adam };
            let own = DescentSettings { rule, seed: settings.seed, ..settings.descent.clone() };
            let found = descend(problem, &own, control)?;
            let note = format!("{} passes, first step size {:.1e}", found.epochs, found.rate);
            Ok(plain(found.network, note))
        }
        ComparedMethod::Exact => {
            let found = enumeration::solve(problem, &settings.exact, control)?;
            let meaning = "lower bound on the optimum but for rounding, which is not accounted for".into();
            Ok(Found {
                network: found.network,
                bound: None,
                estimate: Some(Estimate { value: found.lower, meaning }),
                unconverged: !found.converged,
                note: format!("{} patterns, {} rounds", found.patterns, found.rounds),
            })
        }
        other => Err(Error::Input(format!("{other} is not made for convolutions; leave it out"))),
    }
}
