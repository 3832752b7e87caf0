//! Text in columns: separator, header, choice of the target columns, checks with line numbers, one-hot encoding.

use super::encoding::{Cell, Column, decode};
use super::text::{abbreviated, decoded, line_number};
use super::{Dataset, Task};
use crate::error::{Error, Result};
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use faer::Mat;
use std::path::Path;

/// How to read a data file.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct CsvOptions {
    /// Names of the target columns; empty means the last column.
    pub targets: Vec<String>,
    /// What the target means.
    pub task: Task,
}

/// Reads text in columns; see [`parse_csv`].
pub fn read_csv(path: &Path, options: &CsvOptions) -> Result<Dataset> {
    let text = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    parse_csv(&text, &path.display().to_string(), options)
}

/// Reads text in columns; every column that is not a target is a feature.
///
/// The separator is the tab for a `name` that ends in `.tsv` or `.tab`, else the most frequent one of comma, semicolon and
/// tab in the first line. Lines that begin with `#` are comments. A first line of data instead of names (numbers only,
/// or numbers and a label that occurs again) is seen, the columns are then called `x1`, …, `y`, and
/// [`Dataset::notes`] says so.
///
/// Under [`Task::Auto`], one target column of text or of whole numbers is encoded one-hot, in the order of the
/// sorted values (numbers by value, text by code point); several target columns are a regression. `name` begins
/// the message of an error, which gives the line: an empty file, a header without rows or without a feature, no
/// such column, a ragged row, text in a feature, a value that is not finite.
pub fn parse_csv(text: &[u8], name: &str, options: &CsvOptions) -> Result<Dataset> {
    let mut table = Table::new(text, name, options)?;
    table.read_rows()?;
    let note = table.first.is_some().then(|| {
        format!("{name}: the first line holds data; the columns are called {}", listed(&table.header))
    });
    let mut dataset = table.finish(options.task)?;
    note.into_iter().for_each(|note| dataset.add_note(note));
    Ok(dataset)
}

struct Table<'a> {
    text: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    name: &'a str,
    header: Vec<String>,
    /// The first row, where the file has no header.
    first: Option<StringRecord>,
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
        let content = decoded(text, name)?;
        let separator = separator(content, name);
        let mut reader = reader(text, separator);
        let record = reader.headers().map_err(|error| csv_error(text, name, error))?.clone();
        let mut header: Vec<String> = record.iter().map(String::from).collect();
        if header.iter().all(String::is_empty) {
            return Err(Error::Input(format!(
                "{name}: the file is empty; it needs a header and a row a sample"
            )));
        }
        let named = options.targets.iter().any(|target| header.contains(target));
        let missing = !named && is_data(&header, || labels(text, separator, header.len()));
        if missing {
            header = default_names(header.len());
        }
        let targets = target_columns(name, &header, &options.targets)?;
        let features: Vec<usize> = (0..header.len()).filter(|column| !targets.contains(column)).collect();
        if features.is_empty() {
            return Err(Error::Input(format!(
                "{name}:1: no column is left for a feature; it needs two columns or more, separated by commas, semicolons or tabs"
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
            first: missing.then_some(record),
            encode: targets.len() == 1,
            targets,
            features,
            feature_values: Vec::new(),
            target_values: Vec::new(),
            target_cells: Vec::new(),
        })
    }

    fn read_rows(&mut self) -> Result<()> {
        if let Some(first) = self.first.clone() {
            self.read_row(&first)?;
        }
        let mut record = StringRecord::new();
        while self.reader.read_record(&mut record).map_err(|error| csv_error(self.text, self.name, error))? {
            self.read_row(&record)?;
        }
        Ok(())
    }

    fn read_row(&mut self, record: &StringRecord) -> Result<()> {
        let start = record.position().map_or(0, csv::Position::byte);
        if record.len() != self.header.len() {
            let first = if self.first.is_some() { "first row" } else { "header" };
            return Err(self.error(
                start,
                format!(
                    "{} fields, but the {first} has {}; mend the row or quote the separator",
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
        let header = abbreviated(&self.header[column]);
        if text.is_empty() {
            return Err(
                self.error(start, format!("column '{header}' is empty; remove the row or fill in the value"))
            );
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            Ok(_) => Err(self.error(
                start,
                format!("column '{header}': '{}' is not finite; remove the row or impute the value", abbreviated(text)),
            )),
            Err(_) => Err(self.error(
                start,
                format!(
                    "column '{header}': '{}' is not a number; encode or remove the column, or name it as the target",
                    abbreviated(text)
                ),
            )),
        }
    }

    /// `start` is the byte that the record was looked for at.
    fn error(&self, start: u64, message: String) -> Error {
        Error::Input(format!("{}:{}: {message}", self.name, line_number(self.text, start)))
    }
}

/// `x1`, …, `y`: the names of columns that have none.
pub(super) fn default_names(columns: usize) -> Vec<String> {
    let mut names: Vec<String> = (1..columns).map(|column| format!("x{column}")).collect();
    names.push("y".into());
    names
}

fn reader(text: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    let mut builder = ReaderBuilder::new();
    builder.trim(Trim::All).flexible(true).delimiter(separator).comment(Some(b'#'));
    builder.from_reader(text)
}

fn separator(text: &str, name: &str) -> u8 {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if ["tsv", "tab"].contains(&ending.to_ascii_lowercase().as_str()) {
        return b'\t';
    }
    let line =
        text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
    // Every second piece between quotes is quoted.
    let count = |separator: char| {
        line.split('"').step_by(2).map(|piece| piece.matches(separator).count()).sum::<usize>()
    };
    let mut best = (b',', count(','));
    for (byte, separator) in [(b';', ';'), (b'\t', '\t')] {
        if count(separator) > best.1 {
            best = (byte, count(separator));
        }
    }
    best.0
}

/// Whether a first line is a sample: numbers only, or numbers and a last label that a later row has too.
fn is_data(cells: &[String], labels: impl FnOnce() -> Vec<String>) -> bool {
    let Some((last, others)) = cells.split_last() else { return false };
    let is_number = |cell: &String| cell.parse::<f64>().is_ok();
    if others.is_empty() || !others.iter().all(is_number) {
        return false;
    }
    if is_number(last) {
        // Consecutive whole numbers are what some tools write for columns without a name.
        return !cells.iter().enumerate().all(|(column, cell)| *cell == column.to_string());
    }
    labels().contains(last)
}

/// The last cells of all rows but the first, up to a row that cannot be read.
fn labels(text: &[u8], separator: u8, columns: usize) -> Vec<String> {
    let rows = reader(text, separator).into_records().map_while(std::result::Result::ok);
    rows.filter_map(|row| row.get(columns - 1).map(String::from)).collect()
}

pub(super) fn target_columns(name: &str, header: &[String], wanted: &[String]) -> Result<Vec<usize>> {
    if wanted.is_empty() {
        return Ok(vec![header.len() - 1]);
    }
    let mut columns = Vec::with_capacity(wanted.len());
    for target in wanted {
        let mut found = (0..header.len()).filter(|&column| header[column] == *target);
        let Some(column) = found.next() else {
            return Err(Error::Input(format!(
                "{name}: no column '{target}'; the columns are {}",
                listed(header)
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

/// At most the first ten names, so that an error stays one readable line.
fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(10).map(|name| abbreviated(name)).collect();
    let shown = shown.join(", ");
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
