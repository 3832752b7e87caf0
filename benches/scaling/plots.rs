//! The pictures, as SVG.

use super::case::{Moment, Round, Row};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::error::Error;
use std::ops::Range;
use std::path::Path;

type Quantity = fn(&Row) -> f64;
type Drawn = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const COLOURS: [RGBColor; 2] = [RGBColor(31, 119, 180), RGBColor(190, 40, 40)];
const FONT: &str = "sans-serif";

/// Points on two logarithmic axes, one colour a series, with the fitted power of each.
fn log_log(area: &Area<'_>, x: &str, y: &str, series: &[(&str, Vec<(f64, f64)>)]) -> Drawn {
    let all = || series.iter().flat_map(|(_, points)| points.iter().copied());
    let (across, mut up) = (decades(all().map(|point| point.0)), decades(all().map(|point| point.1)));
    // Room for the legend.
    up.end *= (up.end / up.start).powf(0.3);
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(24)
        .caption(y, (FONT, 16))
        .x_label_area_size(36)
        .y_label_area_size(70)
        .build_cartesian_2d(across.log_scale(), up.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 13))
        .x_labels(4)
        .y_labels(6)
        .x_desc(x)
        .y_label_formatter(&|value| short(*value))
        .x_label_formatter(&|value| short(*value))
        .draw()?;
    for ((name, points), colour) in series.iter().zip(COLOURS) {
        if points.is_empty() {
            continue;
        }
        let label = match power(points) {
            Some(power) => format!("{name}: power {power:.2}"),
            None => (*name).into(),
        };
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .label_font((FONT, 13))
        .draw()?;
    Ok(())
}

/// Time, memory, pairs, rank and iterations against one size, and the memory against its estimate.
pub fn growth(path: &Path, x: &str, size: impl Fn(&Row) -> f64, series: &[(&str, &Vec<Row>)]) -> Drawn {
    let quantities: [(&str, Quantity); 6] = [
        ("seconds to solve and prove", |row| row.solve_seconds + row.certify_seconds),
        ("peak memory, MB", |row| row.peak_memory_bytes as f64 / 1e6),
        ("pairs held", |row| row.pairs as f64),
        ("rank", |row| row.rank as f64),
        ("Newton steps (one piece)", |row| row.iterations as f64),
        ("peak memory / estimate", |row| row.peak_memory_bytes as f64 / row.estimated_memory_bytes as f64),
    ];
    let area = SVGBackend::new(path, (1200, 760)).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, (name, quantity)) in area.split_evenly((2, 3)).iter().zip(quantities) {
        let points: Vec<(&str, Vec<(f64, f64)>)> = series
            .iter()
            .map(|(label, rows)| {
                let points = rows.iter().map(|row| (size(row), quantity(row)));
                (*label, points.filter(|point| point.1 > 0.0).collect())
            })
            .collect();
        log_log(panel, x, name, &points)?;
    }
    Ok(area.present()?)
}

/// Bound and value against the size of the blocks.
pub fn block_size(path: &Path, rows: &[Row]) -> Drawn {
    let area = SVGBackend::new(path, (900, 520)).into_drawing_area();
    area.fill(&WHITE)?;
    let point = |row: &Row, value: f64| ((row.samples as f64 / row.blocks as f64), value);
    let bounds: Vec<(f64, f64)> = rows.iter().map(|row| point(row, row.lower_bound)).collect();
    let values: Vec<(f64, f64)> = rows.iter().map(|row| point(row, row.relaxation_value)).collect();
    let up = span(bounds.iter().chain(&values).map(|point| point.1));
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .caption("What dividing costs: value and proved bound against the size of a block", (FONT, 18))
        .x_label_area_size(40)
        .y_label_area_size(80)
        .build_cartesian_2d(decades(bounds.iter().map(|point| point.0)).log_scale(), up)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 13))
        .x_labels(5)
        .x_label_formatter(&|value| short(*value))
        .x_desc("samples in a block")
        .draw()?;
    for ((name, points), colour) in
        [("sum of the blocks' relaxations", values), ("proved lower bound", bounds)].into_iter().zip(COLOURS)
    {
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().position(SeriesLabelPosition::LowerRight).draw()?;
    Ok(area.present()?)
}

/// What rounds of prices win against what they cost, a line a division.
pub fn prices(path: &Path, divisions: &[Vec<Round>]) -> Drawn {
    let area = SVGBackend::new(path, (900, 520)).into_drawing_area();
    area.fill(&WHITE)?;
    let all = || divisions.iter().flatten();
    let across = 1.0..all().map(|round| round.cost).fold(2.0, f64::max);
    let up = 0.0..1.1 * all().map(|round| 100.0 * round.won).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .caption("What rounds of prices win (%), against their time", (FONT, 18))
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(across, up)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 13))
        .x_desc("time, with that of the blocks without prices as 1")
        .draw()?;
    for (k, rounds) in divisions.iter().enumerate() {
        let Some(first) = rounds.first() else { continue };
        let colour = Palette99::pick(k).to_rgba();
        let points: Vec<(f64, f64)> = rounds.iter().map(|round| (round.cost, 100.0 * round.won)).collect();
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(format!("{} blocks of {}", first.blocks, first.samples / first.blocks))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .label_font((FONT, 13))
        .draw()?;
    Ok(area.present()?)
}

/// The gap between the relaxation's last value and the bound against time.
pub fn trace(path: &Path, moments: &[Moment]) -> Drawn {
    let area = SVGBackend::new(path, (900, 520)).into_drawing_area();
    area.fill(&WHITE)?;
    let last = moments.last().map_or(1.0, |moment| moment.value);
    let points: Vec<(f64, f64)> = moments
        .iter()
        .map(|moment| (moment.seconds, (last - moment.lower_bound) / last))
        .filter(|point| point.1 > 0.0)
        .collect();
    let end = points.iter().map(|point| point.0).fold(1e-3, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .caption("Gap to the relaxation's final value against time (the last point is proved)", (FONT, 18))
        .x_label_area_size(40)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..1.02 * end, decades(points.iter().map(|point| point.1)).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("seconds since training began")
        .y_desc("relative gap")
        .y_label_formatter(&|value| format!("{value:.0e}"))
        .draw()?;
    chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, COLOURS[0].filled())))?;
    chart.draw_series(LineSeries::new(points, COLOURS[0].stroke_width(2)))?;
    Ok(area.present()?)
}

/// The exponent of the power law that fits best, of the last three points where there are more.
fn power(points: &[(f64, f64)]) -> Option<f64> {
    let last = &points[points.len().saturating_sub(3)..];
    let (first, end) = (last.first()?, last.last()?);
    (end.0 > first.0).then(|| {
        let count = last.len() as f64;
        let (mx, my) = last
            .iter()
            .fold((0.0, 0.0), |(a, b), point| (a + point.0.ln() / count, b + point.1.ln() / count));
        let (mut above, mut below) = (0.0, 0.0);
        for point in last {
            above += (point.0.ln() - mx) * (point.1.ln() - my);
            below += (point.0.ln() - mx).powi(2);
        }
        above / below
    })
}

/// A range with some room around positive values, for a logarithmic axis.
fn decades(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) =
        values.fold((f64::INFINITY, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    if high <= 0.0 { 1.0..10.0 } else { low / 1.5..high * 1.5 }
}

fn span(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low >= high { 0.0..low.max(1.0) } else { low - 0.05 * (high - low)..high + 0.05 * (high - low) }
}

fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{:.0}M", value / 1e6),
        1e4.. => format!("{:.0}k", value / 1e3),
        1.0.. => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}
