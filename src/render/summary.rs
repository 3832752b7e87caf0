//! A report in words.

use relucert::Report;
use relucert::branch::BranchStatus;
use relucert::certificate::Grade;
use relucert::report::{BranchFigures, Road, Status};
use std::fmt::Write;
use std::ops::RangeInclusive;

/// Weight decays beyond this are beyond what a proof in floating point handles whatever the data.
const SAFE_GAMMA: RangeInclusive<f64> = 1e-30..=1e30;

/// A dozen lines for people.
pub(crate) fn report(report: &Report, tolerance: f64) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write_report(&mut text, report, tolerance);
    text
}

fn write_report(text: &mut String, report: &Report, tolerance: f64) -> std::fmt::Result {
    writeln!(
        text,
        "problem       {} samples, {} features, {} outputs, weight decay {}",
        report.samples,
        report.features,
        report.outputs,
        plain(report.gamma)
    )?;
    write!(text, "network       objective {} with {} neurons", report.upper_bound, report.network_width)?;
    match report.stationarity {
        Some(ratio) if ratio > 0.0 => {
            // Six decimals tell the last steps to an optimum apart; far from one the power of ten is what matters.
            let ratio = if ratio < 1e3 { format!("{ratio:.6}") } else { format!("{ratio:.1e}") };
            writeln!(text, "; stationarity {ratio}, by estimate, 1 at an optimum")?;
        }
        _ => writeln!(text)?,
    }
    writeln!(
        text,
        "lower bound   {} on the objective of every network of any width, {}",
        report.lower_bound,
        grade(report.grade, report.failure_probability)
    )?;
    match report.grade {
        Grade::None => writeln!(text, "gap           not known without a proof")?,
        _ => writeln!(text, "gap           {}: no network improves on this one by more", report.gap)?,
    }
    if let Some(figures) = report.branch.as_ref().filter(|figures| figures.status != BranchStatus::OutOfReach)
    {
        search(text, report, figures)?;
    }
    relaxation(text, report)?;
    ending(text, report, tolerance)
}

/// What was solved, and what is left unsolved.
fn relaxation(text: &mut String, report: &Report) -> std::fmt::Result {
    let relaxed = report.method != Road::Branch || report.relaxation_value.is_some();
    match (report.relaxation_value, report.solver_gap, report.primal_infeasibility) {
        (Some(value), Some(gap), Some(infeasibility)) => writeln!(
            text,
            "relaxation    value {}, {} {} the bound, infeasibility {infeasibility:.1e}",
            figures(value),
            percent(gap.abs()),
            // Branch and bound knows no relaxation's gap.
            if gap < 0.0 { "below" } else { "above" },
        )?,
        _ if !relaxed => {}
        _ => writeln!(text, "relaxation    none: stopped before one was solved")?,
    }
    if relaxed {
        solver(text, report)?;
    }
    if report.unsolved_blocks > 0 {
        writeln!(text, "unsolved      {} blocks not begun count with the bound 0", report.unsolved_blocks)?;
    }
    if report.blocks > 1 {
        match report.dividing_loss {
            Some(loss) => {
                writeln!(text, "dividing      lost about {} of the value, by estimate", percent(loss))?
            }
            None => writeln!(text, "dividing      lost a part of the value that is not known")?,
        }
    }
    Ok(())
}

/// Why the run ended, and what it took.
fn ending(text: &mut String, report: &Report, tolerance: f64) -> std::fmt::Result {
    let reached = if report.meets(tolerance) { "reached" } else { "missed" };
    let status = match &report.cause {
        Some(cause) => format!("{}: {cause}", report.status.as_str()),
        None => status(report.status).into(),
    };
    writeln!(text, "status        {status}; tolerance {tolerance:e} {reached}")?;
    if let Some(overrun) = &report.overrun {
        writeln!(text, "overrun       {overrun}")?;
    }
    if !report.meets(tolerance) && !SAFE_GAMMA.contains(&report.gamma) {
        writeln!(
            text,
            "why weak      a weight decay outside {:e} to {:e} leaves no room for rounding; \
             scale features and weight decay by the same number",
            SAFE_GAMMA.start(),
            SAFE_GAMMA.end()
        )?;
    }
    let seconds = &report.seconds;
    write!(
        text,
        "seconds       load {:.2}, search {:.2}, solve {:.2}, certify {:.2}, round {:.2}",
        seconds.load, seconds.search, seconds.solve, seconds.certify, seconds.round
    )?;
    match report.peak_memory_bytes {
        Some(bytes) => writeln!(text, "; peak memory {:.0} MiB", bytes as f64 / f64::from(1 << 20)),
        None => writeln!(text),
    }
}

fn solver(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        text,
        "solver        rank {}, {} pairs held, {} active{}, {} block{}",
        report.rank,
        report.pairs,
        report.active_pairs,
        if report.cuts > 0 { format!(", {} cuts", report.cuts) } else { String::new() },
        report.blocks,
        if report.blocks == 1 { "" } else { "s" }
    )
}

/// What branch and bound did, and what more of it would bring.
fn search(text: &mut String, report: &Report, figures: &BranchFigures) -> std::fmt::Result {
    write!(
        text,
        "search        branch and bound in {} dimensions, {} cells",
        figures.dimension, figures.cells
    )?;
    match figures.status {
        BranchStatus::Reached => writeln!(text, ": globally optimal to {}", report.gap)?,
        BranchStatus::Stalled => writeln!(text, ": training made nothing of the directions it found")?,
        BranchStatus::Stopped => writeln!(text, ": stopped before the tolerance was reached")?,
        _ => writeln!(text, ": the tolerance would have taken more than it was allowed")?,
    }
    if let Some(forecast) = figures.forecast {
        writeln!(
            text,
            "more time     by what was measured, a gap of {} takes {:.0} times the work done; half a gap {:.1} times as much",
            percent(forecast.gap),
            (forecast.visits / figures.visits.max(1) as f64).max(1.0),
            forecast.growth
        )?;
    }
    Ok(())
}

/// How a bound was established.
pub(crate) fn grade(grade: Grade, failure_probability: f64) -> String {
    match grade {
        Grade::Verified => "proved in floating point".into(),
        Grade::Probabilistic => format!("except with probability {failure_probability:e}"),
        Grade::None => "not proved".into(),
    }
}

/// A setting as it was given, in the notation that suits its size.
pub(crate) fn plain(value: f64) -> String {
    if value == 0.0 || (1e-4..1e7).contains(&value.abs()) { format!("{value}") } else { format!("{value:e}") }
}

/// Eight significant figures, to nearest: for estimates, which no bound is.
pub(crate) fn figures(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = 7 - value.abs().log10().floor() as i32;
    if (0..=12).contains(&digits) { format!("{value:.*}", digits as usize) } else { format!("{value:.7e}") }
}

fn percent(fraction: f64) -> String {
    format!("{:.3} %", 100.0 * fraction)
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Converged => "converged",
        Status::TimeLimit => "stopped at the time limit",
        Status::Cancelled => "stopped when asked to",
        Status::Unproved => "the solver converged, but its bound could not be proved in floating point",
        Status::Budget => "the search has spent what it was allowed",
        Status::Stalled => "stalled: no further progress in floating point",
        other => other.as_str(),
    }
}
