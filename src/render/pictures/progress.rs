//! Value, bound and infeasibility against time.

use super::{Area, BLUE, Drawn, FONT, GREEN, Mark, RED, decades, legend, span, titled};
use crate::render::summary;
use plotters::prelude::*;
use relucert::Report;

/// What a solver said about itself on the way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) seconds: f64,
    pub(crate) value: f64,
    pub(crate) bound: f64,
    pub(crate) infeasibility: f64,
}

/// Smaller infeasibilities, zero among them, are drawn here.
const FLOOR: f64 = 1e-16;

pub(super) fn draw(area: &Area<'_>, heading: &str, report: &Report, history: &[Moment]) -> Drawn {
    let outcome = format!(
        "objective of the network {}, lower bound {} ({})",
        report.upper_bound,
        report.lower_bound,
        summary::grade(report.grade, report.failure_probability)
    );
    let area = titled(area, "Progress of the certificate", &[heading, &outcome])?;
    let spent = report.seconds.search + report.seconds.solve + report.seconds.certify + report.seconds.round;
    let end = history.iter().map(|moment| moment.seconds).fold(spent, f64::max).max(1e-3);
    if report.relaxation_value.is_none() && report.branch.is_some() {
        return objectives(&area, report, history, end);
    }
    let (upper, lower) = area.split_vertically(400);
    objectives(&upper, report, history, end)?;
    infeasibilities(&lower, history, end)
}

fn objectives(area: &Area<'_>, report: &Report, history: &[Moment], end: f64) -> Drawn {
    let (upper, lower) = (report.upper_bound.value(), report.lower_bound.value());
    let shown = history.iter().flat_map(|moment| [moment.value, moment.bound]);
    let range = span(shown.chain([upper, lower]));
    let [value, bound] = if report.relaxation_value.is_none() && report.branch.is_some() {
        ["objective of the network at the time", "lower bound, proved at the time"]
    } else {
        [
            "value of the relaxation at the solver's point (may be infeasible)",
            "lower bound, estimated while running",
        ]
    };
    let entries = [
        (value, BLUE, Mark::Line),
        (bound, GREEN, Mark::Line),
        ("objective of the returned network (upper bound)", RED, Mark::Dashes),
        ("lower bound at the end, as reported", BLACK, Mark::Triangle),
    ];
    let area = legend(area, if history.is_empty() { &entries[2..] } else { &entries[..] })?;
    let mut chart = ChartBuilder::on(&area)
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(90)
        .build_cartesian_2d(0.0..1.02 * end, range)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 14))
        .y_desc("objective")
        .y_label_formatter(&|value| label(*value))
        .draw()?;
    let line = |pick: fn(&Moment) -> f64| {
        let points = history.iter().map(move |moment| (moment.seconds, pick(moment)));
        points.filter(|point| point.1.is_finite()).collect::<Vec<_>>()
    };
    for (points, colour) in [(line(|moment| moment.value), BLUE), (line(|moment| moment.bound), GREEN)] {
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    chart.draw_series(DashedLineSeries::new([(0.0, upper), (end, upper)], 8, 5, RED.stroke_width(2)))?;
    chart.draw_series([TriangleMarker::new((end, lower), 7, BLACK.filled())])?;
    Ok(())
}

fn infeasibilities(area: &Area<'_>, history: &[Moment], end: f64) -> Drawn {
    let points: Vec<(f64, f64)> = history
        .iter()
        .filter(|moment| !moment.infeasibility.is_nan())
        .map(|moment| (moment.seconds, moment.infeasibility.clamp(FLOOR, 1e300)))
        .collect();
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(46)
        .y_label_area_size(90)
        .build_cartesian_2d(0.0..1.02 * end, decades(points.iter().map(|point| point.1)).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 14))
        .x_desc("seconds since training began")
        .y_desc("infeasibility (relative)")
        .y_label_formatter(&|value| format!("{value:.0e}"))
        .draw()?;
    chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, BLUE.filled())))?;
    chart.draw_series(LineSeries::new(points.iter().copied(), BLUE.stroke_width(2)))?;
    if points.is_empty() {
        let text = "the solver reported no level: nothing is left to solve, or the run was stopped before";
        area.draw(&Text::new(text, (140, 100), (FONT, 16)))?;
    }
    Ok(())
}

/// Four digits, in the notation that suits the size.
pub(super) fn label(value: f64) -> String {
    if value == 0.0 || (1e-2..1e5).contains(&value.abs()) {
        let digits = (3 - value.abs().max(1.0).log10().floor() as i32).clamp(0, 4);
        format!("{value:.*}", digits as usize)
    } else {
        format!("{value:.1e}")
    }
}
