//! `report.html`: a run on one page that stands alone, by a template.

mod chart;
mod network;
mod predictions;
mod scale;

use super::pictures::Moment;
use super::provenance::Provenance;
use super::summary;
use chart::{Chart, Line, Mark};
use faer::MatRef;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use relucert::branch::BranchStatus;
use relucert::certificate::Grade;
use relucert::data::Dataset;
use relucert::report::Status;
use relucert::{Certified, Error, Report, Result};
use serde::Serialize;

const TEMPLATE: &str = include_str!("report.html");
/// Most points of a drawing; of more, every so many are drawn.
const POINTS: usize = 1500;

/// What the template is filled with.
#[derive(Serialize)]
struct Page {
    data: String,
    /// The result in one sentence.
    verdict: String,
    /// How well, for the colour: good, fair or none.
    standing: &'static str,
    objective: String,
    lower_bound: String,
    grade: String,
    gap: Option<String>,
    /// What could be done about the gap.
    advice: Vec<String>,
    scale: Option<scale::Scale>,
    progress: Option<Chart>,
    predictions: predictions::Predictions,
    network: network::Drawing,
    asked: Vec<(&'static str, String)>,
    found: Vec<(&'static str, String)>,
    /// Word by word, each for a shell.
    command: Vec<String>,
}

/// The page of a run. `dataset` is as it was prepared for the problem.
pub(crate) fn draw(
    provenance: &Provenance,
    dataset: &Dataset,
    certified: &Certified,
    history: &[Moment],
) -> Result<String> {
    let report = &certified.report;
    let outputs = certified.network.predict_for(dataset.features());
    let has_bound = report.grade != Grade::None;
    let page = Page {
        data: provenance.data.name.clone(),
        verdict: verdict(report),
        standing: match report.gap.value() {
            _ if !has_bound => "none",
            gap if gap <= 0.01 => "good",
            _ => "fair",
        },
        objective: report.upper_bound.to_string(),
        lower_bound: report.lower_bound.to_string(),
        grade: summary::grade(report.grade, report.failure_probability),
        gap: has_bound.then(|| report.gap.to_string()),
        advice: advice(report, provenance.command.iter().any(|word| word.starts_with("--network"))),
        scale: has_bound.then(|| scale::Scale::of(report)),
        progress: progress(report, history),
        predictions: predictions::Predictions::of(dataset, outputs.as_ref()),
        network: network::Drawing::of(dataset, &certified.network),
        asked: asked(provenance, dataset, report),
        found: found(report),
        command: provenance.command.iter().map(|word| quoted(word)).collect(),
    };
    let failed = |error: minijinja::Error| Error::Input(format!("report.html cannot be written: {error:#}"));
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(failed)?;
    environment.set_syntax(syntax);
    environment.add_template("report.html", TEMPLATE).map_err(failed)?;
    environment
        .get_template("report.html")
        .and_then(|template| template.render(Serde(&page)))
        .map(|text| text + "\n")
        .map_err(failed)
}

fn verdict(report: &Report) -> String {
    match report.grade {
        Grade::None => "No bound was proved: how far this network is from optimal is not known.".into(),
        Grade::Verified => {
            format!(
                "No two-layer ReLU network, of any width, improves on this one by more than {}.",
                report.gap
            )
        }
        Grade::Probabilistic => format!(
            "No two-layer ReLU network, of any width, improves on this one by more than {}, except with probability {:e}.",
            report.gap, report.failure_probability
        ),
    }
}

/// What could be done about a gap of more than a percent, by what made it.
fn advice(report: &Report, is_given: bool) -> Vec<String> {
    let mut advice = Vec::new();
    let gap = report.gap.value();
    if report.grade == Grade::None || gap <= 0.01 {
        return advice;
    }
    let left = report.solver_gap.unwrap_or(0.0);
    if left > 0.1 * gap && report.relaxation_value.is_some() {
        let way = match report.status {
            Status::TimeLimit => Some("it had no more time: a longer --time-limit raises the bound."),
            Status::Cancelled => Some("it was stopped: left to itself it raises the bound."),
            Status::Converged => Some("it was within the tolerance: a smaller --tolerance raises the bound."),
            _ => None,
        };
        advice.extend(way.map(|way| format!("The solver left a part: {way}")));
    }
    if report.relaxation_value.is_some() && left <= 0.5 * gap {
        if report.cuts == 0 {
            advice.push("The relaxation is loose here: --cuts auto adds constraints to it.".into());
        }
        advice.push(
            "A larger weight decay makes the relaxation tighter; relucert path shows which one predicts best.".into(),
        );
    }
    if let Some(figures) = report.branch.as_ref().filter(|figures| figures.status == BranchStatus::Budget) {
        advice.push(format!(
            "Branch and bound in {} dimensions ended with its budget: --method branch searches on.",
            figures.dimension
        ));
    }
    if report.blocks > 1 {
        advice.push(
            "Dividing into blocks lost a part: fewer --blocks, or --prices auto, win some of it back.".into(),
        );
    }
    // Somebody else's network is not trained.
    if !is_given {
        advice.push("Or the network can be improved: --effort high trains for longer.".into());
    }
    advice
}

fn asked(provenance: &Provenance, dataset: &Dataset, report: &Report) -> Vec<(&'static str, String)> {
    let columns = dataset.preparation();
    let listed = |names: &[String]| match names.len() {
        0..=12 => names.join(", "),
        count => format!("{}, … ({count} in all)", names[..12].join(", ")),
    };
    let mut features = format!("{}: {}", columns.features().len(), listed(columns.features()));
    for (what, is_so) in
        [("standardised", provenance.standardize), ("a bias column of ones", provenance.bias)]
    {
        if is_so {
            features += &format!("; {what}");
        }
    }
    let mut target = listed(columns.targets());
    if let Some(classes) = columns.classes() {
        target += &format!(", {} classes: {}", classes.len(), listed(classes));
    }
    vec![
        ("data", format!("{} ({} bytes)", provenance.data.name, provenance.data.bytes)),
        ("SHA-256", provenance.data.sha256.clone()),
        ("samples", report.samples.to_string()),
        ("features", features),
        ("target", target),
        (
            "weight decay",
            format!(
                "γ = {}, γ/n = {}",
                summary::plain(report.gamma),
                summary::plain(rounded(report.gamma / report.samples as f64))
            ),
        ),
        ("tolerance", format!("{:e}", provenance.tolerance)),
        ("method", provenance.method.clone()),
        ("seed", provenance.seed.to_string()),
        (
            "program",
            match provenance.revision {
                Some(revision) => format!("relucert {}, revision {revision}", provenance.version),
                None => format!("relucert {}", provenance.version),
            },
        ),
        ("machine", format!("{}, {} threads", provenance.machine, provenance.threads)),
        ("date", provenance.date.clone()),
    ]
}

fn found(report: &Report) -> Vec<(&'static str, String)> {
    let seconds = &report.seconds;
    let total = seconds.load + seconds.search + seconds.solve + seconds.certify + seconds.round;
    let mut found = vec![
        ("network", format!("{} neurons", report.network_width)),
        ("bound by", report.method.as_str().into()),
    ];
    if let Some(ratio) = report.stationarity {
        found.push(("stationarity", format!("{ratio:.6} by estimate, 1 at an optimum")));
    }
    if let Some(figures) = report.branch.as_ref().filter(|figures| figures.status != BranchStatus::OutOfReach)
    {
        found.push(("search", format!("{} dimensions, {} cells", figures.dimension, figures.cells)));
    }
    if let Some(value) = report.relaxation_value {
        found.push((
            "relaxation",
            format!("value {}, rank {}, {} pairs held", summary::figures(value), report.rank, report.pairs),
        ));
    }
    if report.blocks > 1 {
        found.push(("blocks", report.blocks.to_string()));
    }
    found.push(("status", report.cause.clone().unwrap_or_else(|| report.status.as_str().into())));
    found.push(("seconds", format!("{total:.1}")));
    found
}

/// Four figures: for display only.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_./,:+=".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The first of the largest outputs of a sample.
pub(crate) fn largest(outputs: MatRef<'_, f64>, row: usize) -> usize {
    (1..outputs.ncols()).fold(0, |best, j| if outputs[(row, j)] > outputs[(row, best)] { j } else { best })
}

/// Value and bound against the seconds.
fn progress(report: &Report, history: &[Moment]) -> Option<Chart> {
    let every = history.len().div_ceil(400).max(1);
    let last = history.len().saturating_sub(1);
    let picked: Vec<&Moment> = history
        .iter()
        .enumerate()
        .filter(|(k, _)| k % every == 0 || *k == last)
        .map(|(_, moment)| moment)
        .collect();
    if picked.len() < 2 {
        return None;
    }
    let is_relaxed = report.relaxation_value.is_some() || report.branch.is_none();
    let (upper, lower) = (report.upper_bound.value(), report.lower_bound.value());
    let end = picked.last().map_or(1.0, |moment| moment.seconds).max(1e-3);
    let heights = picked.iter().flat_map(|moment| [moment.value, moment.bound]).chain([upper, lower]);
    let mut chart = Chart::new((0.0, end), chart::range(heights.filter(|value| value.is_finite())));
    chart.x_name = "seconds".into();
    chart.y_name = "objective".into();
    chart.describe("Value and lower bound against the seconds of the run");
    let line = |pick: fn(&Moment) -> f64| -> Vec<(f64, f64)> {
        let points = picked.iter().map(|moment| (moment.seconds, pick(moment)));
        points.filter(|point| point.1.is_finite()).collect()
    };
    let value = if is_relaxed { "value of the relaxation (estimate)" } else { "objective at the time" };
    let bound =
        if is_relaxed { "lower bound (estimate at the time)" } else { "lower bound, proved at the time" };
    chart.line(Line::new(value, "value"), &line(|moment| moment.value));
    chart.line(Line::new(bound, "lower"), &line(|moment| moment.bound));
    chart.line(Line::new("objective of the network", "upper dashed"), &[(0.0, upper), (end, upper)]);
    chart.mark(Mark::new("lower bound as reported", "lower"), 4.0, &[(end, lower)]);
    Some(chart)
}
