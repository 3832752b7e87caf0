//! Predictions against targets: a table of classes, or a drawing for each output.

use super::POINTS;
use super::chart::{Chart, Line, Mark, range};
use super::largest;
use faer::MatRef;
use relucert::data::Dataset;
use serde::Serialize;

/// Classes that a table has room for, and outputs that are drawn.
const CLASSES: usize = 30;
const OUTPUTS: usize = 4;

#[derive(Serialize)]
pub(super) struct Predictions {
    /// In words.
    summary: String,
    classes: Vec<String>,
    /// Of a classification, a row for each class of the target.
    table: Vec<Vec<Cell>>,
    /// Of a regression, one for each output.
    drawings: Vec<Chart>,
    note: Option<String>,
}

#[derive(Serialize)]
struct Cell {
    count: usize,
    /// Part of the row, from 0 to 1, for the shade.
    share: f64,
    right: bool,
}

impl Predictions {
    pub(super) fn of(dataset: &Dataset, outputs: MatRef<'_, f64>) -> Self {
        if dataset.is_classification() {
            Self::classes(dataset, outputs)
        } else {
            Self::values(dataset, outputs)
        }
    }

    fn classes(dataset: &Dataset, outputs: MatRef<'_, f64>) -> Self {
        let (n, c) = dataset.targets().shape();
        let mut counts = vec![vec![0_usize; c]; c];
        for i in 0..n {
            counts[largest(dataset.targets(), i)][largest(outputs, i)] += 1;
        }
        let right: usize = (0..c).map(|k| counts[k][k]).sum();
        let shown = if c <= CLASSES { c } else { 0 };
        let row = |k: usize| {
            let all = counts[k].iter().sum::<usize>().max(1) as f64;
            let cell =
                |j: usize| Cell { count: counts[k][j], share: counts[k][j] as f64 / all, right: j == k };
            (0..shown).map(cell).collect()
        };
        Self {
            summary: format!(
                "{:.1} % of the training samples are put into their class, {right} of {n}.",
                100.0 * right as f64 / n as f64
            ),
            classes: dataset.target_names()[..shown].to_vec(),
            table: (0..shown).map(row).collect(),
            drawings: Vec::new(),
            note: (shown < c).then(|| format!("{c} classes are too many for a table.")),
        }
    }

    fn values(dataset: &Dataset, outputs: MatRef<'_, f64>) -> Self {
        let (targets, n) = (dataset.targets(), dataset.samples());
        let squared: f64 = (0..targets.ncols())
            .map(|j| (0..n).map(|i| (outputs[(i, j)] - targets[(i, j)]).powi(2)).sum::<f64>())
            .sum();
        let every = n.div_ceil(POINTS).max(1);
        let drawings = (0..targets.ncols().min(OUTPUTS)).map(|j| {
            let points: Vec<(f64, f64)> =
                (0..n).step_by(every).map(|i| (targets[(i, j)], outputs[(i, j)])).collect();
            let (low, high) = range(points.iter().flat_map(|point| [point.0, point.1]));
            let mut chart = Chart::new((low, high), (low, high));
            chart.x_name = format!("target: {}", dataset.target_names()[j]);
            chart.y_name = "prediction".into();
            chart.describe("Predictions against targets; on the diagonal they are equal");
            chart.line(Line::new("equal", "axis dashed"), &[(low, low), (high, high)]);
            chart.mark(Mark::new("training samples", "value faint"), 2.5, &points);
            chart
        });
        let mut notes = Vec::new();
        if every > 1 {
            notes.push(format!("Every {every}th sample is drawn."));
        }
        if targets.ncols() > OUTPUTS {
            notes.push(format!("{OUTPUTS} of {} outputs are drawn.", targets.ncols()));
        }
        Self {
            summary: format!(
                "Root mean square error on the training samples: {:.6}.",
                (squared / (n * targets.ncols()) as f64).sqrt()
            ),
            classes: Vec::new(),
            table: Vec::new(),
            drawings: drawings.collect(),
            note: (!notes.is_empty()).then(|| notes.join(" ")),
        }
    }
}
