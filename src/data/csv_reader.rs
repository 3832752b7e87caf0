//! CSV files with a header: choice of the target columns, checks with line numbers, one-hot encoding.

use super::encoding::{Cell, Column, decode};
use super::{Dataset, Task};
use crate::{Error, Result};
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use faer::Mat;
use std::path::Path;

/// How to read a CSV file.
#[derive(Clone, Debug, Default)]
pub struct CsvOptions {
    /// Names of the target columns; empty means the last column.
    pub targets: Vec<String>,
    /// What the target means.
    pub task: Task,
}

/// Reads a CSV file with a header; see [`parse_csv`].
pub fn read_csv(path: &Path, options: &CsvOptions) -> Result<Dataset> {
    let text = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    parse_csv(&text, &path.display().to_string(), options)
}

/// Reads comma-separated text with a header; every column that is not a target is a feature.
///
/// Under [`Task::Auto`], one target column of text or of whole numbers is encoded one-hot, in the order of the
/// sorted values (numbers by value, text by code point); several target columns are a regression. `name` begins
/// the message of an error, which gives the line: an empty file, a header without rows or without a feature, no
/// such column, a ragged row, text in a feature, a value that is not finite.
pub fn parse_csv(text: &[u8], name: &str, options: &CsvOptions) -> Result<Dataset> {
    let mut table = Table::new(text, name, options)?;
    table.read_rows()?;
    table.finish(options.task)
}

struct Table<'a> {
    text: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    name: &'a str,
    header: Vec<String>,
    /// Columns of the targets, in the order asked for.
    targets: Vec<usize>,
    features: Vec<usize>,
    /// Row by row.
    feature_values: Vec<f64>,
    target_values: Vec<f64>,
    /// The target's text, kept only where it may be a class.
    target_cells: Vec<Cell>,
    encode: bool,
}

impl<'a> Table<'a> {
    fn new(text: &'a [u8], name: &'a str, options: &CsvOptions) -> Result<Self> {
        let mut reader = ReaderBuilder::new().trim(Trim::All).flexible(true).from_reader(text);
        let header = reader.headers().map_err(|error| csv_error(text, name, error))?;
        let header: Vec<String> = header.iter().map(String::from).collect();
        if header.iter().all(String::is_empty) {
            return Err(Error::Input(format!(
                "{name}: the file is empty; it needs a header and a row a sample"
            )));
        }
        // Consecutive whole numbers are what some tools write for columns without a name.
        let numbered = header.iter().enumerate().all(|(column, cell)| *cell == column.to_string());
        if !numbered && header.iter().all(|cell| cell.parse::<f64>().is_ok()) {
            return Err(Error::Input(format!(
                "{name}:1: the first line holds numbers only; add a header that names the columns"
            )));
        }
        let targets = target_columns(name, &header, &options.targets)?;
        let features: Vec<usize> = (0..header.len()).filter(|column| !targets.contains(column)).collect();
        if features.is_empty() {
            return Err(Error::Input(format!(
                "{name}:1: no column is left for a feature; it needs comma-separated columns of which one is not a target"
            )));
        }
        if targets.len() > 1 && options.task == Task::Classification {
            return Err(Error::Input(format!(
                "{name}: a classification has one target column, not {}; name one column of labels",
                targets.len()
            )));
        }
        Ok(Self {
            text,
            reader,
            name,
            header,
            encode: targets.len() == 1,
            targets,
            features,
            feature_values: Vec::new(),
            target_values: Vec::new(),
            target_cells: Vec::new(),
        })
    }

    fn read_rows(&mut self) -> Result<()> {
        let mut record = StringRecord::new();
        while self.reader.read_record(&mut record).map_err(|error| csv_error(self.text, self.name, error))? {
            let start = record.position().map_or(0, csv::Position::byte);
            if record.len() != self.header.len() {
                return Err(self.error(
                    start,
                    format!(
                        "{} fields, but the header has {}; mend the row or quote a comma",
                        record.len(),
                        self.header.len()
                    ),
                ));
            }
            for &column in &self.features {
                let value = self.number(start, column, &record[column])?;
                self.feature_values.push(value);
            }
            for &column in &self.targets {
                if self.encode {
                    self.target_cells.push(Cell { text: record[column].to_string(), start });
                } else {
                    let value = self.number(start, column, &record[column])?;
                    self.target_values.push(value);
                }
            }
        }
        Ok(())
    }

    fn finish(self, task: Task) -> Result<Dataset> {
        let width = self.features.len();
        let samples = self.feature_values.len() / width;
        if samples == 0 {
            return Err(Error::Input(format!(
                "{}: a header but no rows; it needs at least two samples",
                self.name
            )));
        }
        if samples == 1 {
            return Err(Error::Input(format!("{}: one sample only; at least two are needed", self.name)));
        }
        let features = row_major(&self.feature_values, samples, width);
        let names = |columns: &[usize]| columns.iter().map(|&column| self.header[column].clone()).collect();
        let feature_names = names(&self.features);
        if !self.encode {
            let targets = row_major(&self.target_values, samples, self.targets.len());
            return Dataset::regression(features, targets, feature_names, names(&self.targets));
        }
        let column = decode(&self.target_cells, task).map_err(|(start, message)| {
            self.error(start, format!("target '{}' {message}", self.header[self.targets[0]]))
        })?;
        match column {
            Column::Real(values) => {
                let targets = row_major(&values, samples, 1);
                Dataset::regression(features, targets, feature_names, names(&self.targets))
            }
            Column::Classes { labels, names } => {
                Dataset::classification(features, &labels, feature_names, names)
            }
        }
    }

    fn number(&self, start: u64, column: usize, text: &str) -> Result<f64> {
        let header = &self.header[column];
        if text.is_empty() {
            return Err(
                self.error(start, format!("column '{header}' is empty; remove the row or fill in the value"))
            );
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            Ok(_) => Err(self.error(
                start,
                format!("column '{header}': '{text}' is not finite; remove the row or impute the value"),
            )),
            Err(_) => Err(self.error(
                start,
                format!(
                    "column '{header}': '{text}' is not a number; encode or remove the column, or name it as the target"
                ),
            )),
        }
    }

    /// `start` is the byte that the record was looked for at.
    fn error(&self, start: u64, message: String) -> Error {
        Error::Input(format!("{}:{}: {message}", self.name, line_number(self.text, start)))
    }
}

fn target_columns(name: &str, header: &[String], wanted: &[String]) -> Result<Vec<usize>> {
    if wanted.is_empty() {
        return Ok(vec![header.len() - 1]);
    }
    let mut columns = Vec::with_capacity(wanted.len());
    for target in wanted {
        let mut found = (0..header.len()).filter(|&column| header[column] == *target);
        let Some(column) = found.next() else {
            return Err(Error::Input(format!(
                "{name}: no column '{target}'; the columns are {}",
                abbreviated(header)
            )));
        };
        if found.next().is_some() {
            return Err(Error::Input(format!(
                "{name}:1: two columns are called '{target}'; rename one of them"
            )));
        }
        if columns.contains(&column) {
            return Err(Error::Input(format!("{name}: target '{target}' is named twice; name it once")));
        }
        columns.push(column);
    }
    Ok(columns)
}

/// Line, from 1, of the first byte at or after `start` that does not end a line.
///
/// The CSV reader's own count stops at the blank lines before a record and knows no lone carriage return.
fn line_number(text: &[u8], start: u64) -> usize {
    let start = usize::try_from(start).map_or(text.len(), |start| start.min(text.len()));
    let blank = text[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let before = &text[..start + blank];
    let ends = |index: &usize| match before[*index] {
        b'\n' => true,
        b'\r' => before.get(index + 1) != Some(&b'\n'),
        _ => false,
    };
    1 + (0..before.len()).filter(ends).count()
}

/// At most the first ten names, so that an error stays one readable line.
fn abbreviated(names: &[String]) -> String {
    let shown = names[..names.len().min(10)].join(", ");
    if names.len() > 10 { format!("{shown}, … ({} in all)", names.len()) } else { shown }
}

fn row_major(values: &[f64], rows: usize, columns: usize) -> Mat<f64> {
    Mat::from_fn(rows, columns, |row, column| values[row * columns + column])
}

fn csv_error(text: &[u8], name: &str, error: csv::Error) -> Error {
    let line =
        error.position().map_or(String::new(), |position| format!(":{}", line_number(text, position.byte())));
    match error.into_kind() {
        ErrorKind::Io(source) => Error::Io { path: name.into(), source },
        ErrorKind::Utf8 { .. } => {
            Error::Input(format!("{name}{line}: not UTF-8 text; save it as a UTF-8 CSV file"))
        }
        other => Error::Input(format!("{name}{line}: not readable as CSV ({other:?}); check its quotes")),
    }
}
