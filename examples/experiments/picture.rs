//! Panels of curves, as SVG.

use plotters::prelude::*;
use std::error::Error;

const FONT: &str = "sans-serif";
const COLOURS: [RGBColor; 7] = [
    RGBColor(31, 119, 180),
    RGBColor(190, 40, 40),
    RGBColor(44, 140, 60),
    RGBColor(230, 150, 30),
    RGBColor(130, 80, 180),
    RGBColor(100, 100, 100),
    RGBColor(20, 160, 170),
];

pub struct Panel {
    pub title: String,
    pub x: String,
    pub y: String,
    /// Whether the horizontal axis is logarithmic.
    pub log: bool,
    pub curves: Vec<(String, Vec<(f64, f64)>)>,
}

/// Up to three panels in a row.
pub fn draw(panels: &[Panel]) -> Result<String, Box<dyn Error>> {
    let columns = panels.len().clamp(1, 3);
    let rows = panels.len().div_ceil(columns);
    let mut text = String::new();
    {
        let size = (430 * columns as u32, 330 * rows as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        for (part, panel) in area.split_evenly((rows, columns)).iter().zip(panels) {
            match panel.log {
                true => chart(part, panel, |x| x.log10())?,
                false => chart(part, panel, |x| x)?,
            }
        }
        area.present()?;
    }
    Ok(text)
}

fn chart(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    panel: &Panel,
    place: impl Fn(f64) -> f64 + Copy,
) -> Result<(), Box<dyn Error>> {
    let points = || panel.curves.iter().flat_map(|(_, curve)| curve.iter().copied());
    let span = |values: Vec<f64>, above: f64| {
        let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        });
        let room = (high - low).max(1e-3 * high.abs()).max(1e-9);
        low - 0.05 * room..high + above * room
    };
    let across = span(points().map(|point| place(point.0)).collect(), 0.05);
    // Room for the legend.
    let up = span(points().map(|point| point.1).collect(), 0.2 + 0.1 * panel.curves.len() as f64);
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .caption(&panel.title, (FONT, 16))
        .x_label_area_size(36)
        .y_label_area_size(58)
        .build_cartesian_2d(across, up)?;
    let log = panel.log;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 12))
        .x_labels(5)
        .y_labels(6)
        .x_desc(&panel.x)
        .y_desc(&panel.y)
        .x_label_formatter(&|value| short(if log { 10f64.powf(*value) } else { *value }))
        .y_label_formatter(&|value| short(*value))
        .draw()?;
    for (index, (name, curve)) in panel.curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let line: Vec<(f64, f64)> = curve.iter().map(|(x, y)| (place(*x), *y)).collect();
        if line.len() <= 40 {
            chart.draw_series(line.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        }
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 12))
        .draw()?;
    Ok(())
}

fn short(value: f64) -> String {
    match value.abs() {
        size if size < 1e-9 => "0".into(),
        size if !(1e-3..1e4).contains(&size) => format!("{value:.0e}"),
        size if size < 0.1 => format!("{value:.4}").trim_end_matches('0').into(),
        size if size < 10.0 => format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').into(),
        _ => format!("{value:.0}"),
    }
}
