//! A path of weight decays as a table, for people and for programs.

use super::summary::figures;
use relucert::path::Path;
use relucert::{Error, Gap, LowerBound, Result, UpperBound};
use serde::Serialize;

/// One weight decay.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) gamma: f64,
    pub(crate) gamma_per_sample: f64,
    pub(crate) network_width: usize,
    pub(crate) upper_bound: UpperBound,
    pub(crate) lower_bound: Option<LowerBound>,
    pub(crate) gap: Option<Gap>,
    /// Whether a certificate was made at this weight decay; else the bound follows from those beside it.
    pub(crate) certified: bool,
    pub(crate) train_error: f64,
    pub(crate) error: Option<f64>,
    pub(crate) standard_error: Option<f64>,
}

impl Row {
    pub(crate) fn all(path: &Path) -> Vec<Self> {
        path.points
            .iter()
            .map(|point| Self {
                gamma: point.gamma,
                gamma_per_sample: point.gamma / path.samples as f64,
                network_width: point.network.width(),
                upper_bound: point.upper_bound,
                lower_bound: point.lower_bound,
                gap: point.lower_bound.map(|lower| Gap::between(point.upper_bound, lower)),
                certified: point.is_certified,
                train_error: point.train_error,
                error: point.cross_validated().map(|(mean, _)| mean),
                standard_error: point.cross_validated().map(|(_, error)| error),
            })
            .collect()
    }
}

/// A line a weight decay, and the two choices. `again` is the command that certifies, up to the weight decay.
pub(crate) fn text(path: &Path, rows: &[Row], understood: &str, what: &str, again: &str) -> String {
    let zero = match path.least_zero.proved {
        Some(proved) => format!("{}, proved from {}", figures(path.least_zero.estimate), figures_up(proved)),
        None => format!("{}, by estimate", figures(path.least_zero.estimate)),
    };
    let mut text = format!(
        "data          {understood}\nsamples       {}\nno network    from weight decay {zero}, no neuron is of use\n\n",
        path.samples
    );
    let is_rate = what == "misclassified";
    let share = |value: f64| if is_rate { format!("{:.2} %", 100.0 * value) } else { format!("{value:.4e}") };
    text += &format!(
        "{:>12} {:>11} {:>6} {:>14} {:>14} {:>9} {:>11} {:>21}\n",
        "gamma",
        "gamma/n",
        "width",
        "objective",
        "lower bound",
        "gap",
        "train error",
        "cross-validated error"
    );
    let (least, within) = (path.least_error(), path.one_standard_error());
    for (place, row) in rows.iter().enumerate() {
        let lower = row.lower_bound.map_or("-".into(), |lower| lower.to_string());
        let gap = row.gap.map_or("-".into(), |gap| format!("{gap:.2}"));
        let error = match (row.error, row.standard_error) {
            (Some(mean), Some(error)) => format!("{} ± {}", share(mean), share(error)),
            _ => "-".into(),
        };
        let mark = match (least == Some(place), within == Some(place)) {
            (true, true) => "  least, and within one standard error",
            (true, false) => "  least error",
            (false, true) => "  within one standard error",
            (false, false) => "",
        };
        text += &format!(
            "{:>12.6e} {:>11.4e} {:>6} {:>14} {lower:>14} {gap:>9} {:>11} {error:>21}{mark}\n",
            row.gamma,
            row.gamma_per_sample,
            row.network_width,
            row.upper_bound.to_string(),
            share(row.train_error),
        );
    }
    text += "\n";
    for (name, choice) in [("least error", least), ("one std error", within)] {
        if let Some(place) = choice {
            text += &format!("{name:<13} {again} {}\n", path.points[place].gamma);
        }
    }
    text
}

/// Rounded upwards: from a weight decay that was proved on, the claim holds.
fn figures_up(value: f64) -> String {
    let digits = 6 - value.abs().max(f64::MIN_POSITIVE).log10().floor() as i32;
    let scale = 10f64.powi(digits);
    let up = (value * scale).ceil() / scale;
    figures(if up >= value { up } else { value })
}

/// The rows with names that programs read.
pub(crate) fn csv(rows: &[Row], least: Option<usize>, within: Option<usize>) -> Result<String> {
    let failed = |error: csv::Error| Error::Input(format!("the path cannot be written as CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record([
            "gamma",
            "gamma_per_sample",
            "network_width",
            "upper_bound",
            "lower_bound",
            "gap",
            "certified",
            "train_error",
            "error",
            "standard_error",
            "choice",
        ])
        .map_err(failed)?;
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for (place, row) in rows.iter().enumerate() {
        let choice = match (least == Some(place), within == Some(place)) {
            (true, true) => "both",
            (true, false) => "least_error",
            (false, true) => "one_standard_error",
            (false, false) => "",
        };
        writer
            .write_record([
                row.gamma.to_string(),
                row.gamma_per_sample.to_string(),
                row.network_width.to_string(),
                row.upper_bound.value().to_string(),
                number(row.lower_bound.map(f64::from)),
                number(row.gap.map(f64::from)),
                row.certified.to_string(),
                row.train_error.to_string(),
                number(row.error),
                number(row.standard_error),
                choice.into(),
            ])
            .map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
