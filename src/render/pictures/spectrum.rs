//! The lowest eigenvalues of the final certificate's slack.

use super::{Area, BLUE, Drawn, FONT, RED, decades, titled};
use plotters::prelude::*;
use relucert::certificate::{Certificate, Grade};
use relucert::linalg::lanczos::{
    EigenvalueEstimate, LanczosSettings, SymmetricOperator, smallest_eigenpairs,
};
use relucert::{Error, Report, Result, Slack, TrainingProblem};

/// Eigenvalues shown.
const COUNT: usize = 20;
/// Lanczos vectors, and the numbers they may hold together.
const STEPS: usize = 200;
const STORAGE: usize = 16_000_000;
/// Most columns of sparse features that are filled for it.
const WIDEST: usize = 1000;
/// Smaller eigenvalues, against the largest shown, are rounding.
const FLOOR: f64 = 1e-16;

/// In the coordinates that the repair uses; None where the slack cannot be handled in floating point.
pub(super) fn lowest(problem: &TrainingProblem, certificate: &Certificate) -> Option<EigenvalueEstimate> {
    estimate(problem, certificate).ok().filter(|found| found.values.iter().all(|value| value.is_finite()))
}

fn estimate(problem: &TrainingProblem, certificate: &Certificate) -> Result<EigenvalueEstimate> {
    // The slack is one of dense features, and its basis a decomposition of them.
    if problem.stored_features().is_sparse() && problem.inputs() > WIDEST {
        return Err(Error::Input("sparse features of this width are not filled for a picture".into()));
    }
    let slack = Slack::new(problem, certificate.dual())?;
    let steps = STEPS.min(STORAGE / slack.order().max(1)).max(2 * COUNT);
    let settings = LanczosSettings { count: COUNT, max_steps: steps, tolerance: 1e-9, seed: 0 };
    smallest_eigenpairs(&slack, &settings)
}

pub(super) fn draw(
    area: &Area<'_>,
    heading: &str,
    report: &Report,
    lowest: Option<&EigenvalueEstimate>,
) -> Drawn {
    let values: &[f64] = lowest.map_or(&[], |found| &found.values);
    let title = format!("The {} lowest eigenvalues of the certificate's dual slack", values.len());
    let proof = match report.grade {
        Grade::None => "Nothing was proved about this slack; these are estimates (Ritz values).",
        _ => "The slack is proved positive semidefinite; these eigenvalues are estimates (Ritz values).",
    };
    let reading = "The optimum of the relaxation lives in the directions whose eigenvalue is close to zero.";
    let floor = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max) * FLOOR;
    let legend = match values.iter().any(|value| *value <= floor) {
        true => "Open circles: zero to rounding; a logarithmic axis has no place for zero.",
        false => "",
    };
    let area = titled(area, &title, &[heading, proof, reading, legend])?;
    let points: Vec<(i32, f64)> =
        values.iter().enumerate().map(|(k, value)| (k as i32 + 1, value.max(floor))).collect();
    let mut chart =
        ChartBuilder::on(&area).margin(10).x_label_area_size(46).y_label_area_size(90).build_cartesian_2d(
            0..values.len().max(1) as i32 + 1,
            decades(points.iter().map(|point| point.1)).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 14))
        .x_labels(values.len() + 2)
        .x_desc("number of the eigenvalue, counted from the lowest")
        .y_desc("eigenvalue (scaled slack)")
        .y_label_formatter(&|value| format!("{value:.0e}"))
        .draw()?;
    chart.draw_series(points.iter().zip(values).map(|(point, value)| {
        Circle::new(*point, 5, if *value > floor { BLUE.filled() } else { RED.stroke_width(2) })
    }))?;
    if values.is_empty() {
        area.draw(&Text::new("the eigenvalues could not be estimated", (140, 100), (FONT, 16)))?;
    }
    Ok(())
}
