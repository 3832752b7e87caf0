//! The neurons: over the data where there are one or two features, else the strongest as a table.

use super::POINTS;
use super::chart::{Chart, Line, Mark, range};
use super::largest;
use faer::Mat;
use relucert::Network;
use relucert::data::Dataset;
use serde::Serialize;

/// Neurons of the table, and weights of each that are named.
const STRONGEST: usize = 15;
const WEIGHTS: usize = 4;
/// Places at which a network of one feature is drawn, and squares of a network of two.
const PLACES: usize = 240;
const SQUARES: (usize, usize) = (96, 60);
/// Colours of classes; levels of shade for values.
const COLOURS: usize = 8;
const LEVELS: f64 = 7.0;
/// Most lines at which neurons switch on.
const SWITCHES: usize = 60;

#[derive(Default, Serialize)]
pub(super) struct Drawing {
    drawing: Option<Chart>,
    caption: String,
    /// Strength and largest weights, the strongest first.
    neurons: Vec<Neuron>,
    width: usize,
}

#[derive(Serialize)]
struct Neuron {
    strength: String,
    hidden: String,
    output: String,
}

/// A feature as it is in the data, from what the network is given, and back.
struct Feature {
    name: String,
    factor: f64,
    shift: f64,
}

impl Feature {
    fn original(&self, prepared: f64) -> f64 {
        if self.factor == 0.0 { prepared } else { (prepared - self.shift) / self.factor }
    }
}

impl Drawing {
    pub(super) fn of(dataset: &Dataset, network: &Network) -> Self {
        let preparation = dataset.preparation();
        let features: Vec<Feature> = preparation
            .features()
            .iter()
            .zip(preparation.lines())
            .map(|(name, (factor, shift))| Feature { name: name.clone(), factor, shift })
            .collect();
        let width = network.width();
        let Ok(x) = dataset.features().to_dense() else { return Self { width, ..Self::default() } };
        let samples: Vec<usize> = (0..x.nrows()).step_by(x.nrows().div_ceil(POINTS).max(1)).collect();
        let (drawing, caption) = match features.len() {
            1 => {
                let caption =
                    "The network (lines) over the data (dots); ticks below: where a neuron switches on.";
                (Some(curve(dataset, network, &x, &samples, &features[0])), caption)
            }
            2 => {
                let caption =
                    "Colours behind the dots: what the network predicts. Lines: where a neuron switches on.";
                (Some(plane(dataset, network, &x, &samples, &features)), caption)
            }
            _ => (None, ""),
        };
        let neurons = if drawing.is_none() { strongest(dataset, network) } else { Vec::new() };
        Self { drawing, caption: caption.into(), neurons, width }
    }
}

/// The outputs at points given by their features, without the bias.
fn outputs(network: &Network, dataset: &Dataset, points: &[Vec<f64>]) -> Mat<f64> {
    let columns = network.hidden().nrows();
    let bias = dataset.has_bias();
    network.predict(
        Mat::from_fn(points.len(), columns, |i, j| if bias && j + 1 == columns { 1.0 } else { points[i][j] })
            .as_ref(),
    )
}

fn curve(dataset: &Dataset, network: &Network, x: &Mat<f64>, samples: &[usize], feature: &Feature) -> Chart {
    let (low, high) = range(samples.iter().map(|&i| x[(i, 0)]));
    let places: Vec<Vec<f64>> =
        (0..=PLACES).map(|k| vec![low + (high - low) * k as f64 / PLACES as f64]).collect();
    let values = outputs(network, dataset, &places);
    let targets = dataset.targets();
    let count = targets.ncols().min(COLOURS);
    let heights = (0..count).flat_map(|j| {
        let drawn = (0..values.nrows()).map(move |k| (k, j)).collect::<Vec<_>>();
        drawn.into_iter().map(|place| values[place]).chain(samples.iter().map(move |&i| targets[(i, j)]))
    });
    let heights = range(heights);
    let ends = (feature.original(low), feature.original(high));
    let mut chart = Chart::new((ends.0.min(ends.1), ends.0.max(ends.1)), heights);
    chart.x_name.clone_from(&feature.name);
    chart.y_name = "output".into();
    chart.describe("The outputs of the network against its one feature, with the data");
    for j in 0..count {
        let name = &dataset.target_names()[j];
        let points: Vec<(f64, f64)> =
            samples.iter().map(|&i| (feature.original(x[(i, 0)]), targets[(i, j)])).collect();
        chart.mark(Mark::new("", &format!("c{j} faint")), 2.5, &points);
        let line: Vec<(f64, f64)> = places
            .iter()
            .enumerate()
            .map(|(k, place)| (feature.original(place[0]), values[(k, j)]))
            .collect();
        chart.line(Line::new(name, &format!("c{j}")), &line);
    }
    if dataset.has_bias() {
        let u = network.hidden();
        let kinks = (0..network.width()).filter(|&k| u[(0, k)] != 0.0).map(|k| -u[(1, k)] / u[(0, k)]);
        let tick = 0.05 * (heights.1 - heights.0);
        for kink in kinks.filter(|kink| (low..high).contains(kink)).take(SWITCHES) {
            let at = feature.original(kink);
            chart.line(Line::new("", "switch"), &[(at, heights.0), (at, heights.0 + tick)]);
        }
    }
    chart
}

fn plane(
    dataset: &Dataset,
    network: &Network,
    x: &Mat<f64>,
    samples: &[usize],
    features: &[Feature],
) -> Chart {
    let (a, b) = (range(samples.iter().map(|&i| x[(i, 0)])), range(samples.iter().map(|&i| x[(i, 1)])));
    let ordered = |feature: &Feature, (low, high): (f64, f64)| {
        let (low, high) = (feature.original(low), feature.original(high));
        (low.min(high), low.max(high))
    };
    let mut chart = Chart::new(ordered(&features[0], a), ordered(&features[1], b));
    chart.x_name.clone_from(&features[0].name);
    chart.y_name.clone_from(&features[1].name);
    chart.describe("The data and what the network predicts over its two features");
    let place = |k: f64, count: usize, (low, high): (f64, f64)| low + (high - low) * k / count as f64;
    let shades = shades(dataset, network, |column, row| {
        vec![place(column as f64 + 0.5, SQUARES.0, a), place(row as f64 + 0.5, SQUARES.1, b)]
    });
    let original = |u: f64, v: f64| (features[0].original(u), features[1].original(v));
    for (row, shades) in shades.iter().enumerate() {
        let mut from = 0;
        // Squares of one shade in a row are one rectangle.
        for column in 1..=SQUARES.0 {
            if column == SQUARES.0 || shades[column] != shades[from] {
                let (top, bottom) = (place(row as f64, SQUARES.1, b), place(row as f64 + 1.0, SQUARES.1, b));
                let (left, right) = (place(from as f64, SQUARES.0, a), place(column as f64, SQUARES.0, a));
                chart.tile(original(left, top), original(right, bottom), shades[from].clone());
                from = column;
            }
        }
    }
    let u = network.hidden();
    for k in 0..network.width().min(SWITCHES) {
        let offset = if dataset.has_bias() { u[(2, k)] } else { 0.0 };
        if let Some((p, q)) = crossing([u[(0, k)], u[(1, k)], offset], a, b) {
            chart.line(Line::new("", "switch"), &[original(p.0, p.1), original(q.0, q.1)]);
        }
    }
    let at = |i: usize| original(x[(i, 0)], x[(i, 1)]);
    if dataset.is_classification() {
        for (j, name) in dataset.target_names().iter().enumerate().take(COLOURS) {
            let own = samples.iter().filter(|&&i| largest(dataset.targets(), i) % COLOURS == j);
            let points: Vec<(f64, f64)> = own.map(|&i| at(i)).collect();
            chart.mark(Mark::new(name, &format!("c{j} outlined")), 3.0, &points);
        }
    } else {
        let points: Vec<(f64, f64)> = samples.iter().map(|&i| at(i)).collect();
        chart.mark(Mark::new("training samples", "c0 outlined"), 3.0, &points);
    }
    chart
}

/// The class of the style sheet for every square: the class predicted, or how large the first output is.
fn shades(
    dataset: &Dataset,
    network: &Network,
    centre: impl Fn(usize, usize) -> Vec<f64>,
) -> Vec<Vec<String>> {
    let points: Vec<Vec<f64>> = (0..SQUARES.1)
        .flat_map(|row| (0..SQUARES.0).map(move |column| (column, row)))
        .map(|(c, r)| centre(c, r))
        .collect();
    let values = outputs(network, dataset, &points);
    let first = (0..values.nrows()).map(|k| values[(k, 0)]);
    let (low, high) =
        first.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let shade = |k: usize| match dataset.is_classification() {
        true => format!("c{} behind", largest(values.as_ref(), k) % COLOURS),
        false => format!(
            "level{}",
            (LEVELS * (values[(k, 0)] - low) / (high - low).max(f64::MIN_POSITIVE)) as usize
        ),
    };
    (0..SQUARES.1).map(|row| (0..SQUARES.0).map(|column| shade(row * SQUARES.0 + column)).collect()).collect()
}

/// Where the line a·x + b·y + c = 0 leaves a rectangle.
fn crossing(
    [a, b, c]: [f64; 3],
    (left, right): (f64, f64),
    (low, high): (f64, f64),
) -> Option<((f64, f64), (f64, f64))> {
    let mut ends = Vec::new();
    for x in [left, right] {
        let y = -(a * x + c) / b;
        if (low..=high).contains(&y) {
            ends.push((x, y));
        }
    }
    for y in [low, high] {
        let x = -(b * y + c) / a;
        if (left..=right).contains(&x) {
            ends.push((x, y));
        }
    }
    let first = *ends.first()?;
    let far = |p: &(f64, f64)| (p.0 - first.0).abs() / (right - left) + (p.1 - first.1).abs() / (high - low);
    let last = ends.into_iter().max_by(|p, q| far(p).total_cmp(&far(q)))?;
    (far(&last) > 1e-9).then_some((first, last))
}

fn strongest(dataset: &Dataset, network: &Network) -> Vec<Neuron> {
    let (u, v) = (network.hidden(), network.output());
    let strength: Vec<f64> = (0..network.width()).map(|k| u.col(k).norm_l2() * v.col(k).norm_l2()).collect();
    let mut order: Vec<usize> = (0..network.width()).collect();
    order.sort_by(|&a, &b| strength[b].total_cmp(&strength[a]).then(a.cmp(&b)));
    let all: f64 = strength.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let largest = |names: &[String], values: Vec<f64>, most: usize| {
        let mut places: Vec<usize> = (0..values.len()).collect();
        places.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()).then(a.cmp(&b)));
        let told: Vec<String> =
            places.iter().take(most).map(|&j| format!("{} {:+.2}", names[j], values[j])).collect();
        told.join(", ")
    };
    order
        .into_iter()
        .take(STRONGEST)
        .map(|k| Neuron {
            strength: format!("{:.1} %", 100.0 * strength[k] / all),
            hidden: largest(dataset.feature_names(), u.col(k).iter().copied().collect(), WEIGHTS),
            output: largest(dataset.target_names(), v.col(k).iter().copied().collect(), WEIGHTS),
        })
        .collect()
}
