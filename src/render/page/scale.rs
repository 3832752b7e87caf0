//! The two bounds on one scale, and the gap between them by what left it.

use crate::render::summary::figures;
use relucert::Report;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Scale {
    /// The part of the objective that is proved, in percent of the width, rounded downwards.
    proved: f64,
    /// The gap, from the bound to the network.
    parts: Vec<Part>,
    lower: String,
    upper: String,
}

/// A part of the gap.
#[derive(Serialize)]
struct Part {
    name: &'static str,
    class: &'static str,
    /// In percent of the gap.
    percent: f64,
    /// In units of the objective: an estimate where a relaxation divides the gap.
    size: String,
}

impl Scale {
    pub(super) fn of(report: &Report) -> Self {
        let (lower, upper) = (report.lower_bound.value(), report.upper_bound.value());
        let gap = (upper - lower).max(f64::MIN_POSITIVE);
        let part = |name, class, size: f64| Part {
            name,
            class,
            percent: (1000.0 * (size / gap).clamp(0.0, 1.0)).round() / 10.0,
            size: figures(size),
        };
        let parts = match report.relaxation_value {
            // The bound of branch and bound knows no relaxation.
            Some(value) if value > lower && value < upper => vec![
                part("left by the solver", "solver", value - lower),
                part("left by the relaxation, or by the network", "relaxation", upper - value),
            ],
            Some(value) if value >= upper => vec![part("left by the solver", "solver", upper - lower)],
            Some(_) => vec![part("left by the relaxation, or by the network", "relaxation", upper - lower)],
            None => vec![part("left by the search, or by the network", "solver", upper - lower)],
        };
        // What would be shown as 0.0 % is rounding.
        let parts: Vec<Part> = parts.into_iter().filter(|part| part.percent > 0.0).collect();
        let proved = (1000.0 * (lower / upper).clamp(0.0, 1.0)).floor() / 10.0;
        Self { proved, parts, lower: report.lower_bound.to_string(), upper: report.upper_bound.to_string() }
    }
}
