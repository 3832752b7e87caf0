//! The pictures of a saved run, as SVG: how it went, and the lowest eigenvalues of the slack it ended with.

pub(crate) mod comparison;
pub(crate) mod path;
mod progress;
mod spectrum;

use plotters::coord::Shift;
use plotters::prelude::*;
use relucert::{Certified, Error, Report, Result, TrainingProblem};
use std::path::Path;

pub(crate) use progress::Moment;

const FONT: &str = "sans-serif";
const BLUE: RGBColor = RGBColor(31, 119, 180);
const GREEN: RGBColor = RGBColor(44, 140, 60);
const RED: RGBColor = RGBColor(190, 40, 40);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

/// The pictures of a run as file name and text. A certificate of W alone has no slack, hence no spectrum.
pub(crate) fn draw(
    data: &str,
    problem: &TrainingProblem,
    certified: &Certified,
    history: &[Moment],
) -> Result<Vec<(&'static str, String)>> {
    let heading = heading(data, &certified.report);
    let progress = picture((900, 760), |area| progress::draw(area, &heading, &certified.report, history))?;
    if certified.certificate.is_by_branch() {
        return Ok(vec![("progress.svg", progress)]);
    }
    let lowest = spectrum::lowest(problem, &certified.certificate);
    let spectrum =
        picture((900, 520), |area| spectrum::draw(area, &heading, &certified.report, lowest.as_ref()))?;
    Ok(vec![("progress.svg", progress), ("spectrum.svg", spectrum)])
}

fn picture(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String> {
    let mut text = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE).map_err(Into::into).and_then(|()| draw(&area)).and_then(|()| Ok(area.present()?))
    };
    drawn.map_err(|error| Error::Input(format!("the pictures of the run cannot be drawn: {error}")))?;
    Ok(text)
}

/// What was solved, for the head of every picture.
fn heading(data: &str, report: &Report) -> String {
    format!(
        "{}: {} samples, {} features, {} outputs, weight decay {}",
        file_name(data),
        report.samples,
        report.features,
        report.outputs,
        super::summary::plain(report.gamma)
    )
}

/// The name of the data without its folder, short enough for a heading.
fn file_name(data: &str) -> String {
    let name = Path::new(data).file_name().map_or_else(|| data.into(), |name| name.to_string_lossy());
    // XML has no way to write most control characters.
    let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(41).collect();
    if name.chars().count() > 40 { name.chars().take(39).chain(['…']).collect() } else { name }
}

/// A bold title and plain lines below it; what is left of the area.
fn titled<'a>(
    area: &Area<'a>,
    title: &str,
    lines: &[&str],
) -> std::result::Result<Area<'a>, Box<dyn std::error::Error>> {
    let bold = (FONT, 22).into_font().style(FontStyle::Bold);
    area.draw(&Text::new(title.to_owned(), (20, 12), bold))?;
    for (row, line) in lines.iter().enumerate() {
        area.draw(&Text::new((*line).to_owned(), (20, 40 + 20 * row as i32), (FONT, 16)))?;
    }
    Ok(area.split_vertically(44 + 20 * lines.len() as i32).1)
}

/// What a name in a legend stands beside.
#[derive(Clone, Copy)]
enum Mark {
    Line,
    Dashes,
    Triangle,
    Circle,
    Ring,
    Cross,
}

/// Lines that tell what colours and marks mean, above what they are used in. What is left of the area.
fn legend<'a>(
    area: &Area<'a>,
    entries: &[(&str, RGBColor, Mark)],
) -> std::result::Result<Area<'a>, Box<dyn std::error::Error>> {
    let right = area.dim_in_pixel().0 as i32;
    let left = if right > 600 { 100 } else { 20 };
    let (mut x, mut y) = (left, 14);
    for (name, colour, mark) in entries {
        // A letter of this size is seldom wider.
        let width = 40 + 7 * name.chars().count() as i32;
        if x > left && x + width > right {
            (x, y) = (left, y + 20);
        }
        match mark {
            Mark::Line => area.draw(&PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(3)))?,
            Mark::Dashes => {
                for from in [x, x + 8, x + 16] {
                    area.draw(&PathElement::new([(from, y), (from + 4, y)], colour.stroke_width(3)))?;
                }
            }
            Mark::Triangle => area.draw(&TriangleMarker::new((x + 10, y), 6, colour.filled()))?,
            Mark::Circle => area.draw(&Circle::new((x + 10, y), 5, colour.filled()))?,
            Mark::Ring => area.draw(&Circle::new((x + 10, y), 5, colour.stroke_width(2)))?,
            Mark::Cross => area.draw(&Cross::new((x + 10, y), 5, colour.stroke_width(2)))?,
        }
        area.draw(&Text::new((*name).to_owned(), (x + 26, y - 8), (FONT, 14)))?;
        x += width;
    }
    Ok(area.split_vertically(y + 12).1)
}

/// The range of finite values with a little room at both ends; around a single value, that value's own size.
fn span(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    let room = 0.05 * (high - low);
    let room = if room > 1e-9 * high.abs() { room } else { (0.5 * high.abs()).max(f64::MIN_POSITIVE) };
    if room > 1e-300 { low - room..high + room } else { low - 0.5..high + 0.5 }
}

/// The decades that hold the positive values.
fn decades(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values
        .filter(|value| value.is_finite() && *value > 0.0)
        .fold((f64::INFINITY, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    if high == 0.0 {
        return 1e-3..1.0;
    }
    let low = low.log10().floor().clamp(-300.0, 299.0);
    let high = high.log10().ceil().clamp(low + 1.0, 300.0);
    10f64.powf(low)..10f64.powf(high)
}
