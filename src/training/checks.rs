//! What tests and measurements need to see from outside.

use super::coordinates::Coordinates;
use super::lbfgs::{Limits, minimise};
use super::newton;
use super::projection::{Projection, Rounding};
use super::settings::TrainingSettings;
use super::start::rescale;
use super::whitening::Whitening;
use crate::control::Control;
use crate::problem::TrainingProblem;
use crate::system::stream::{Purpose, generator};
use faer::{Mat, MatRef};
use rand::RngExt;
use rand_distr::StandardNormal;

/// The projected objective min_V and its gradient at hidden weights U (d × m), for tests.
///
/// The gradient is with respect to U restricted to the row space of X. `None` when X or Y is zero.
pub fn projected_objective(problem: &TrainingProblem, hidden: MatRef<'_, f64>) -> Option<(f64, Mat<f64>)> {
    rounded_objective(problem, hidden, 0.0, hidden)
}

/// [`projected_objective`] with the kinks of the activation rounded off, over this fraction of the typical preactivations
/// at a reference (d × m).
pub fn rounded_objective(
    problem: &TrainingProblem,
    hidden: MatRef<'_, f64>,
    fraction: f64,
    reference: MatRef<'_, f64>,
) -> Option<(f64, Mat<f64>)> {
    let at = Coordinates::new(problem)?;
    let (z, control) = (at.pull(hidden), Control::new());
    let mut gradient = vec![0.0; z.len()];
    let mut projection = Projection::new(&at, hidden.ncols(), &control);
    projection.smooth(Rounding::Centred, fraction, &at.pull(reference));
    let value = projection.value_and_gradient(&z, &mut gradient);
    Some((value, at.push_gradient(&gradient)))
}

/// The second derivative of that at U (with the rounding of U), times a direction (d × m) in the row space of X.
pub fn curvature(
    problem: &TrainingProblem,
    hidden: MatRef<'_, f64>,
    fraction: f64,
    direction: MatRef<'_, f64>,
) -> Option<Mat<f64>> {
    let at = Coordinates::new(problem)?;
    let change = newton::curvature(&at, &at.pull(hidden), fraction, &at.pull(direction))?;
    Some(at.push_gradient(&change))
}

/// One descent from a random start with a whitening of choice and no limit on the work: the objective and how often it was
/// evaluated, for measurements. `None` when X or Y is zero.
pub fn descent(
    problem: &TrainingProblem,
    whitening: Whitening,
    settings: &TrainingSettings,
) -> Option<(f64, usize)> {
    let at = Coordinates::with(problem, whitening)?;
    let (mut rng, control) = (generator(settings.seed, Purpose::Training, 0), Control::new());
    // The same start in the features, whatever the coordinates.
    let width = settings.start_width(problem);
    let start = Mat::<f64>::from_fn(problem.inputs(), width, |_, _| rng.sample(StandardNormal));
    let mut hidden = at.pull(start.as_ref());
    rescale(&at, &mut hidden, &control);
    let limits = Limits { memory: 20, iterations: settings.iterations.max(1), progress: 1e-7 };
    let mut projection = Projection::new(&at, width, &control);
    let value = minimise(&mut hidden, |u, g| projection.value_and_gradient(u, g), limits, &control);
    Some((value, projection.evaluations()))
}
