//! Bounds and errors against the weight decay of a sample.

use super::{Area, BLUE, Drawn, FONT, GREEN, Mark, RED, file_name, legend, picture, span, titled};
use crate::render::path_table::Row;
use plotters::prelude::*;
use relucert::Result;
use relucert::path::Path;

/// Draws `path.svg`.
pub(crate) fn draw(data: &str, path: &Path, rows: &[Row], what: &str) -> Result<String> {
    picture((900, 800), |area| {
        let heading = format!("{}: {} samples, {} weight decays", file_name(data), path.samples, rows.len());
        let area = titled(area, "Path of weight decays", &[&heading])?;
        let (upper, lower) = area.split_vertically(400);
        objectives(&upper, rows)?;
        errors(&lower, path, rows, what)
    })
}

/// The weight decays of a sample, with a little room.
fn decays(rows: &[Row]) -> std::ops::Range<f64> {
    let values = rows.iter().map(|row| row.gamma_per_sample);
    let (low, high) = values.fold((f64::INFINITY, 0.0f64), |(low, high), g| (low.min(g), high.max(g)));
    low / 1.15..high * 1.15
}

fn objectives(area: &Area<'_>, rows: &[Row]) -> Drawn {
    let area = legend(
        area,
        &[
            ("objective of the network (upper bound)", RED, Mark::Line),
            ("lower bound (triangle: certified there)", GREEN, Mark::Triangle),
        ],
    )?;
    let bounds = rows.iter().filter_map(|row| row.lower_bound.map(f64::from));
    let values: Vec<f64> = rows.iter().map(|row| row.upper_bound.value()).chain(bounds).collect();
    let high = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let low = values.iter().copied().filter(|value| *value > 0.0).fold(high, f64::min).max(1e-12 * high);
    let mut chart = ChartBuilder::on(&area)
        .margin(10)
        .x_label_area_size(24)
        .y_label_area_size(90)
        .build_cartesian_2d(decays(rows).log_scale(), (low / 1.3..high * 1.3).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 14))
        .y_desc("objective")
        .x_label_formatter(&|value| format!("{value:.0e}"))
        .y_label_formatter(&|value| super::progress::label(*value))
        .draw()?;
    let line: Vec<(f64, f64)> =
        rows.iter().map(|row| (row.gamma_per_sample, row.upper_bound.value())).collect();
    chart.draw_series(line.iter().map(|point| Circle::new(*point, 3, RED.filled())))?;
    chart.draw_series(LineSeries::new(line, RED.stroke_width(2)))?;
    let proved = rows.iter().filter_map(|row| Some((row, row.lower_bound?.value().max(low / 1.3))));
    let line: Vec<(f64, f64)> = proved.clone().map(|(row, lower)| (row.gamma_per_sample, lower)).collect();
    for (row, lower) in proved {
        let at = (row.gamma_per_sample, lower);
        match row.certified {
            true => chart.draw_series([TriangleMarker::new(at, 6, GREEN.filled())]).map(drop)?,
            false => chart.draw_series([Circle::new(at, 2, GREEN.filled())]).map(drop)?,
        }
    }
    chart.draw_series(LineSeries::new(line, GREEN.stroke_width(2)))?;
    Ok(())
}

fn errors(area: &Area<'_>, path: &Path, rows: &[Row], what: &str) -> Drawn {
    let what = if what == "misclassified" { "part put into another class" } else { "mean squared error" };
    let area = legend(
        area,
        &[
            ("cross-validated error, one standard error up and down", BLUE, Mark::Line),
            ("error on the training data", BLUE, Mark::Dashes),
        ],
    )?;
    let ends = rows.iter().flat_map(|row| {
        let (mean, error) = (row.error.unwrap_or(f64::NAN), row.standard_error.unwrap_or(0.0));
        [mean - error, mean + error, row.train_error]
    });
    let range = span(ends);
    let mut chart = ChartBuilder::on(&area)
        .margin(10)
        .x_label_area_size(46)
        .y_label_area_size(90)
        .build_cartesian_2d(decays(rows).log_scale(), range.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 14))
        .x_desc("weight decay over samples, γ/n")
        .y_desc(what)
        .x_label_formatter(&|value| format!("{value:.0e}"))
        .draw()?;
    let train = rows.iter().map(|row| (row.gamma_per_sample, row.train_error));
    chart.draw_series(DashedLineSeries::new(train, 6, 4, BLUE.stroke_width(1)))?;
    let tested: Vec<(f64, f64)> =
        rows.iter().filter_map(|row| Some((row.gamma_per_sample, row.error?))).collect();
    chart.draw_series(rows.iter().filter_map(|row| {
        let (mean, error) = (row.error?, row.standard_error?);
        let x = row.gamma_per_sample;
        Some(PathElement::new([(x, mean - error), (x, mean + error)], BLUE.stroke_width(1)))
    }))?;
    chart.draw_series(tested.iter().map(|point| Circle::new(*point, 3, BLUE.filled())))?;
    chart.draw_series(LineSeries::new(tested, BLUE.stroke_width(2)))?;
    for (choice, name) in [(path.least_error(), "least"), (path.one_standard_error(), "one standard error")] {
        let Some(row) = choice.map(|place| &rows[place]) else { continue };
        let x = row.gamma_per_sample;
        chart.draw_series([PathElement::new([(x, range.start), (x, range.end)], BLACK.mix(0.5))])?;
        // The two names stand at different heights, for the lines may be one.
        let height = if name == "least" { 0.04 } else { 0.11 };
        let y = range.end - height * (range.end - range.start);
        chart.draw_series([Text::new(format!(" {name}"), (x, y), (FONT, 13))])?;
    }
    Ok(())
}
