//! A single target column: real values, or classes to be encoded one-hot.

use super::Task;
use std::collections::BTreeMap;

/// A target cell, and the byte of the file that its row was looked for at.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) start: u64,
}

/// The decoded column: real values, or class indices and the names of the classes.
pub(super) enum Column {
    Real(Vec<f64>),
    Classes { labels: Vec<usize>, names: Vec<String> },
}

/// Whole numbers are taken for classes without being asked only where at most this many are different (conventional),
const MOST_CLASSES: usize = 20;
/// and where each has at least this many samples on average (conventional).
const LEAST_SAMPLES: usize = 5;

/// Decodes one target column. An error is the start of the offending row, where there is one, and what is wrong.
pub(super) fn decode(cells: &[Cell], task: Task) -> Result<Column, (Option<u64>, String)> {
    if let Some(cell) = cells.iter().find(|cell| cell.text.is_empty()) {
        return Err((Some(cell.start), "is empty; remove the row or fill in the value".into()));
    }
    let numbers: Vec<Option<f64>> = cells.iter().map(|cell| cell.text.parse().ok()).collect();
    if task == Task::Regression
        && let Some((cell, _)) = cells.iter().zip(&numbers).find(|(_, number)| number.is_none())
    {
        return Err((Some(cell.start), format!("'{}' is not a number, which regression needs", cell.text)));
    }
    // Also in a column of text: a class called "nan" is a missing label in every tool that writes one.
    for (cell, number) in cells.iter().zip(&numbers) {
        if number.is_some_and(|number: f64| number.is_nan()) {
            return Err((
                Some(cell.start),
                format!("'{}' is not a value; remove the row or fill it in", cell.text),
            ));
        }
    }
    let text = cells.iter().zip(&numbers).find(|(_, number)| number.is_none());
    // A stray "NA" among numbers must not turn the whole column into classes.
    if let (Task::Auto, Some((cell, _)), true) = (task, text, numbers.iter().any(Option::is_some)) {
        let message =
            "is text in a column with numbers; mend it, or ask for a classification if it is a class";
        return Err((Some(cell.start), format!("'{}' {message}", cell.text)));
    }
    let Some(numbers) = numbers.into_iter().collect::<Option<Vec<f64>>>() else {
        return Ok(text_classes(cells));
    };
    if let Some((cell, _)) = cells.iter().zip(&numbers).find(|(_, number)| number.is_infinite()) {
        return Err((
            Some(cell.start),
            format!("'{}' is not finite; remove the row or mend the value", cell.text),
        ));
    }
    decode_numbers(numbers, task).map_err(|message| (None, message))
}

/// Decodes finite numbers: under [`Task::Auto`] few whole ones with many samples each are classes, and other whole ones are
/// refused, since they may be either. An error is what is wrong.
pub(super) fn decode_numbers(numbers: Vec<f64>, task: Task) -> Result<Column, String> {
    let coded = numbers.iter().all(|number| number.fract() == 0.0);
    if task == Task::Regression || task == Task::Auto && !coded {
        return Ok(Column::Real(numbers));
    }
    let values = distinct(&numbers);
    if task == Task::Auto
        && (values.len() > MOST_CLASSES || numbers.len() < LEAST_SAMPLES.saturating_mul(values.len()))
    {
        return Err(format!(
            "holds {} different whole numbers in {} samples, which may be classes or quantities; \
             say --task classification or --task regression",
            values.len(),
            numbers.len()
        ));
    }
    Ok(number_classes(&numbers, &values))
}

fn text_classes(cells: &[Cell]) -> Column {
    let mut index: BTreeMap<&str, usize> = cells.iter().map(|cell| (cell.text.as_str(), 0)).collect();
    index.values_mut().enumerate().for_each(|(position, class)| *class = position);
    Column::Classes {
        labels: cells.iter().map(|cell| index[cell.text.as_str()]).collect(),
        names: index.into_keys().map(String::from).collect(),
    }
}

/// In rising order, and by value: −0 and 0, or 1 and 1.0, are one.
fn distinct(numbers: &[f64]) -> Vec<f64> {
    let mut values = numbers.to_vec();
    values.sort_by(f64::total_cmp);
    values.dedup_by(|a, b| a == b);
    values
}

fn number_classes(numbers: &[f64], values: &[f64]) -> Column {
    Column::Classes {
        labels: numbers.iter().map(|number| values.partition_point(|value| value < number)).collect(),
        names: values.iter().map(|value| (value + 0.0).to_string()).collect(),
    }
}
