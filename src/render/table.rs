//! A comparison as a table.

use super::summary::{figures, plain};
use relucert::certificate::Grade;
use relucert::compare::{Comparison, Outcome, Row, Score};
use relucert::{Error, Result};

/// A heading, a line for each method, and a line for each note.
pub(crate) fn comparison(comparison: &Comparison, understood: &str) -> String {
    let test = if comparison.test_samples > 0 {
        format!(", {} for the test", comparison.test_samples)
    } else {
        String::new()
    };
    let mut text = format!(
        "problem       {} samples{test}, {} features, {} outputs, weight decay {}; no network: objective {}; {understood}\n\n",
        comparison.samples,
        comparison.features,
        comparison.outputs,
        plain(comparison.gamma),
        comparison.zero_objective
    );
    let published = comparison.rows.iter().any(|row| row.published_protocol_accuracy.is_some());
    let (train, tested) = match comparison.score {
        Score::Accuracy => ("train acc", "test acc"),
        Score::RelativeSquaredError => ("train err", "test err"),
    };
    let mut header: Vec<String> =
        ["method", "proved bound", "estimate", "objective", "width", train].map(String::from).into();
    if comparison.test_samples > 0 {
        header.push(tested.into());
    }
    if published {
        header.push("published".into());
    }
    header.extend(["seconds", "status"].map(String::from));
    let mut table = vec![header];
    for row in &comparison.rows {
        let number = |value: Option<f64>| value.map_or("-".into(), figures);
        let score = |value: Option<f64>| {
            value.map_or("-".into(), |value| match comparison.score {
                Score::Accuracy => format!("{:.1} %", 100.0 * value),
                Score::RelativeSquaredError => format!("{value:.4}"),
            })
        };
        let mut cells = vec![
            row.method.to_string(),
            bound(row),
            number(row.estimate.as_ref().map(|estimate| estimate.value)),
            row.objective.map_or("-".into(), |objective| objective.to_string()),
            row.width.map_or("-".into(), |width| width.to_string()),
            score(row.train_score),
        ];
        if comparison.test_samples > 0 {
            cells.push(score(row.test_score));
        }
        if published {
            cells.push(score(row.published_protocol_accuracy));
        }
        cells.extend([format!("{:.2}", row.seconds), status(row.status).into()]);
        table.push(cells);
    }
    text += &aligned(&table);
    text += "\n";
    for row in &comparison.rows {
        if let Some(note) = row.note.as_deref().filter(|note| !note.is_empty()) {
            text += &format!("{:<13} {note}\n", row.method.as_str());
        }
    }
    text += &legend(comparison, published);
    text
}

/// The rows with names that programs read: numbers as they are stored, nothing where there is none.
pub(crate) fn csv(comparison: &Comparison) -> Result<String> {
    let failed = |error: csv::Error| Error::Input(format!("the rows cannot be written as CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let score = comparison.score.as_str();
    writer
        .write_record([
            "method",
            "lower_bound",
            "grade",
            "failure_probability",
            "estimate",
            "upper_bound",
            "network_width",
            &format!("train_{score}"),
            &format!("test_{score}"),
            "published_protocol_accuracy",
            "seconds",
            "status",
            "note",
        ])
        .map_err(failed)?;
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for row in &comparison.rows {
        let grade = row.bound.as_ref().map_or("", |bound| match bound.grade {
            Grade::Verified => "verified",
            Grade::Probabilistic => "probabilistic",
            Grade::None => "none",
        });
        writer
            .write_record([
                row.method.as_str(),
                &number(row.bound.as_ref().map(|bound| bound.lower_bound.value())),
                grade,
                &number(row.bound.as_ref().map(|bound| bound.failure_probability)),
                &number(row.estimate.as_ref().map(|estimate| estimate.value)),
                &number(row.objective.map(f64::from)),
                &row.width.map_or(String::new(), |width| width.to_string()),
                &number(row.train_score),
                &number(row.test_score),
                &number(row.published_protocol_accuracy),
                &row.seconds.to_string(),
                row.status.as_str(),
                row.note.as_deref().unwrap_or_default(),
            ])
            .map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first column to the left, the last too, the others to the right.
fn aligned(table: &[Vec<String>]) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |j: usize| table.iter().map(|cells| cells[j].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for cells in table {
        let line: Vec<String> = cells
            .iter()
            .enumerate()
            .map(|(j, cell)| match j {
                0 => format!("{cell:<0$}", widths[0].max(13)),
                _ if j + 1 == columns => cell.clone(),
                _ => format!("{cell:>0$}", widths[j]),
            })
            .collect();
        text += line.join("  ").trim_end();
        text += "\n";
    }
    text
}

fn bound(row: &Row) -> String {
    row.bound.as_ref().map_or("-".into(), |bound| match bound.grade {
        Grade::Probabilistic => {
            format!("{} (p {:e})", bound.lower_bound, bound.failure_probability)
        }
        _ => bound.lower_bound.to_string(),
    })
}

fn status(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Unconverged => "not converged",
        Outcome::Stopped => "stopped",
        Outcome::NotApplicable => "does not apply",
        other => other.as_str(),
    }
}

fn legend(comparison: &Comparison, published: bool) -> String {
    let mut text = String::from(
        "\nOnly a proved bound bounds every network; an estimate is computed, not proved. Objectives are of ReLU networks.\n",
    );
    if comparison.score == Score::RelativeSquaredError {
        text += "err: squared error relative to that of the mean of the training targets.\n";
    }
    if published {
        text += "published: threshold and iterate chosen on the labels of the test set, as in arXiv 2410.22311; no estimate for new data.\n";
    }
    text
}
