//! A drawing in coordinates of its page: the template makes SVG of it, the style sheet gives colours.

use serde::Serialize;

/// Size of a drawing and of its margins, in its own units.
pub(super) const SIZE: (f64, f64) = (480.0, 300.0);
const MARGIN: Margin = Margin { left: 62.0, right: 14.0, top: 10.0, bottom: 44.0 };
/// Ticks of an axis, about.
const TICKS: f64 = 5.0;

struct Margin {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

#[derive(Serialize)]
pub(super) struct Chart {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// For those who do not see it.
    description: String,
    pub(super) x_name: String,
    pub(super) y_name: String,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    /// Behind everything else.
    tiles: Vec<Tile>,
    lines: Vec<Line>,
    marks: Vec<Mark>,
    #[serde(skip)]
    x: (f64, f64),
    #[serde(skip)]
    y: (f64, f64),
}

#[derive(Serialize)]
struct Tick {
    at: f64,
    label: String,
}

/// A filled rectangle.
#[derive(Serialize)]
struct Tile {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    class: String,
}

/// A polyline with its name in the legend (none for an empty one) and its classes in the style sheet.
#[derive(Serialize)]
pub(super) struct Line {
    name: String,
    class: String,
    points: String,
}

impl Line {
    pub(super) fn new(name: &str, class: &str) -> Self {
        Self { name: name.into(), class: class.into(), points: String::new() }
    }
}

/// Circles of one name and class.
#[derive(Serialize)]
pub(super) struct Mark {
    name: String,
    class: String,
    radius: f64,
    points: Vec<(f64, f64)>,
}

impl Mark {
    pub(super) fn new(name: &str, class: &str) -> Self {
        Self { name: name.into(), class: class.into(), radius: 0.0, points: Vec::new() }
    }
}

impl Chart {
    /// Over these ranges, each of which must not be empty.
    pub(super) fn new(x: (f64, f64), y: (f64, f64)) -> Self {
        let mut chart = Self {
            width: SIZE.0,
            height: SIZE.1,
            left: MARGIN.left,
            right: SIZE.0 - MARGIN.right,
            top: MARGIN.top,
            bottom: SIZE.1 - MARGIN.bottom,
            description: String::new(),
            x_name: String::new(),
            y_name: String::new(),
            x_ticks: Vec::new(),
            y_ticks: Vec::new(),
            tiles: Vec::new(),
            lines: Vec::new(),
            marks: Vec::new(),
            x,
            y,
        };
        chart.x_ticks =
            ticks(x).into_iter().map(|(v, label)| Tick { at: chart.at((v, y.0)).0, label }).collect();
        chart.y_ticks =
            ticks(y).into_iter().map(|(v, label)| Tick { at: chart.at((x.0, v)).1, label }).collect();
        chart
    }

    pub(super) fn describe(&mut self, description: &str) {
        self.description = description.into();
    }

    /// A point of the data in units of the drawing, to a tenth of one.
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let part = |value: f64, (low, high): (f64, f64)| (value - low) / (high - low);
        let tenth = |value: f64| (10.0 * value).round() / 10.0;
        (
            tenth(self.left + part(x, self.x) * (self.right - self.left)),
            tenth(self.bottom - part(y, self.y) * (self.bottom - self.top)),
        )
    }

    pub(super) fn line(&mut self, mut line: Line, points: &[(f64, f64)]) {
        let placed = points.iter().map(|point| self.at(*point));
        line.points = placed.map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ");
        self.lines.push(line);
    }

    pub(super) fn mark(&mut self, mut mark: Mark, radius: f64, points: &[(f64, f64)]) {
        mark.radius = radius;
        mark.points = points.iter().map(|point| self.at(*point)).collect();
        self.marks.push(mark);
    }

    /// A rectangle between two corners of the data.
    pub(super) fn tile(&mut self, from: (f64, f64), to: (f64, f64), class: String) {
        let ((a, b), (c, d)) = (self.at(from), self.at(to));
        let tenth = |value: f64| (10.0 * value).round() / 10.0;
        let (width, height) = (tenth((c - a).abs()), tenth((d - b).abs()));
        self.tiles.push(Tile { x: a.min(c), y: b.min(d), width, height, class });
    }
}

/// The range of values with a little room; around a single value, its own size.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return (0.0, 1.0);
    }
    let room = 0.05 * (high - low);
    let room = if room > 1e-9 * high.abs().max(low.abs()) { room } else { 0.5 * high.abs().max(1e-6) };
    (low - room, high + room)
}

/// Round numbers within a range, and how they are written.
fn ticks((low, high): (f64, f64)) -> Vec<(f64, String)> {
    let raw = (high - low) / TICKS;
    let power = 10f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].iter().map(|factor| factor * power).find(|step| *step >= raw).unwrap_or(raw);
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    let count = (last - first).clamp(0.0, 20.0) as usize;
    let digits = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    (0..=count)
        .map(|k| {
            let value = (first + k as f64) * step;
            let is_plain = (1e-4..1e6).contains(&step) || (1e-3..1e6).contains(&high.abs().max(low.abs()));
            let label = if is_plain { format!("{:.digits$}", value + 0.0) } else { format!("{value:.1e}") };
            (value, if label.trim_start_matches('-').parse() == Ok(0.0) { "0".into() } else { label })
        })
        .collect()
}
