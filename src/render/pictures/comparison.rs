//! Every method of a comparison: its figures of the objective, and its score.

use super::{Area, BLUE, Drawn, FONT, GREEN, Mark, RED, file_name, legend, picture, span, titled};
use crate::render::summary;
use plotters::prelude::*;
use relucert::Result;
use relucert::compare::{Comparison, Score};

/// Height of a method's line, and of what is around them, in pixels.
const LINE: u32 = 36;
const FRAME: u32 = 210;
/// How far marks of one line are moved up or down, so that equal values do not hide each other, in pixels.
const APART: i32 = 9;
/// Objectives beyond this many times the best are off the picture.
const FAR: f64 = 2.0;

/// Draws `compare.svg`.
pub(crate) fn draw(data: &str, comparison: &Comparison) -> Result<String> {
    let height = FRAME + LINE * comparison.rows.len() as u32;
    picture((1100, height), |area| methods(area, data, comparison))
}

fn methods(area: &Area<'_>, data: &str, comparison: &Comparison) -> Drawn {
    let heading = format!(
        "{}: {} samples, {} for the test, {} features, {} outputs, weight decay {}",
        file_name(data),
        comparison.samples,
        comparison.test_samples,
        comparison.features,
        comparison.outputs,
        summary::plain(comparison.gamma)
    );
    let area = titled(area, "Methods compared", &[&heading])?;
    // Above both parts, whose lines must stay level.
    let entries = [
        ("objective of a ReLU network", BLUE, Mark::Circle),
        ("estimate, not proved", RED, Mark::Cross),
        ("proved lower bound", GREEN, Mark::Triangle),
        ("to the right: training data", BLUE, Mark::Ring),
        ("test data", BLUE, Mark::Circle),
    ];
    let area = legend(&area, &entries)?;
    let (left, right) = area.split_horizontally(640);
    objectives(&left, comparison)?;
    scores(&right, comparison)
}

/// The method at a place of the axis, which counts from below.
fn name(comparison: &Comparison, place: &SegmentValue<i32>) -> String {
    match place {
        SegmentValue::CenterOf(place) | SegmentValue::Exact(place) => usize::try_from(*place)
            .ok()
            .and_then(|place| comparison.rows.iter().rev().nth(place))
            .map_or_else(String::new, |row| row.method.to_string()),
        SegmentValue::Last => String::new(),
    }
}

fn place(comparison: &Comparison, index: usize) -> SegmentValue<i32> {
    SegmentValue::CenterOf((comparison.rows.len() - 1 - index) as i32)
}

fn objectives(area: &Area<'_>, comparison: &Comparison) -> Drawn {
    let figures = comparison.rows.iter().flat_map(|row| {
        let bound = row.bound.as_ref().map(|bound| bound.lower_bound.value());
        [bound, row.estimate.as_ref().map(|estimate| estimate.value), row.objective.map(f64::from)]
    });
    // One method far off must not squeeze the others together: it is written at the edge.
    let most = FAR * comparison.objective().map_or(f64::INFINITY, f64::from);
    let range = span(figures.flatten().map(|value| value.min(most)));
    let (edge, width) = (range.end, range.end - range.start);
    let count = comparison.rows.len() as i32;
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(46)
        .y_label_area_size(90)
        .build_cartesian_2d(range, (0..count).into_segmented())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 14))
        .x_desc("objective on the training data")
        .x_labels(6)
        .y_labels(comparison.rows.len())
        .y_label_formatter(&|place| name(comparison, place))
        .draw()?;
    for (index, row) in comparison.rows.iter().enumerate() {
        let y = place(comparison, index);
        if let Some(bound) = &row.bound {
            let at = EmptyElement::at((bound.lower_bound.value(), y.clone()));
            chart.draw_series([at + TriangleMarker::new((0, APART), 6, GREEN.filled())])?;
        }
        if let Some(estimate) = row.estimate.as_ref().filter(|estimate| estimate.value.is_finite()) {
            let at = EmptyElement::at((estimate.value, y.clone()));
            chart.draw_series([at + Cross::new((0, 0), 4, RED.stroke_width(2))])?;
        }
        if let Some(objective) = row.objective.filter(|objective| *objective > edge) {
            let text = format!("{objective} \u{2192}");
            chart.draw_series([Text::new(text, (edge - 0.2 * width, y.clone()), (FONT, 13))])?;
        } else if let Some(objective) = row.objective {
            let at = EmptyElement::at((objective.value(), y.clone()));
            chart.draw_series([at + Circle::new((0, -APART), 5, BLUE.filled())])?;
        }
    }
    Ok(())
}

fn scores(area: &Area<'_>, comparison: &Comparison) -> Drawn {
    let what = match comparison.score {
        Score::Accuracy => "accuracy",
        Score::RelativeSquaredError => "relative squared error",
    };
    let values = comparison.rows.iter().flat_map(|row| [row.train_score, row.test_score]).flatten();
    let range = span(values);
    let count = comparison.rows.len() as i32;
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(46)
        .y_label_area_size(12)
        .build_cartesian_2d(range, (0..count).into_segmented())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 14))
        .x_desc(what)
        .x_labels(5)
        .y_labels(comparison.rows.len())
        .y_label_formatter(&|_| String::new())
        .draw()?;
    for (index, row) in comparison.rows.iter().enumerate() {
        let y = place(comparison, index);
        if let Some(train) = row.train_score {
            let at = EmptyElement::at((train, y.clone()));
            chart.draw_series([at + Circle::new((0, -APART / 2), 5, BLUE.stroke_width(2))])?;
        }
        if let Some(test) = row.test_score {
            let at = EmptyElement::at((test, y.clone()));
            chart.draw_series([at + Circle::new((0, APART / 2), 4, BLUE.filled())])?;
        }
    }
    Ok(())
}
