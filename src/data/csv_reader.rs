//! Text in columns: separator, header, checks with line numbers, one-hot encoding.

use super::columns::Columns;
use super::encoding::{Cell, Column, decode};
use super::options::CsvOptions;
use super::preparation::Preparation;
use super::text::{abbreviated, decoded, line_number, listed};
use super::{Dataset, Task};
use crate::error::{Error, Result};
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use faer::Mat;
use std::borrow::Cow;
use std::path::Path;

/// Reads text in columns; see [`parse_csv`].
pub fn read_csv(path: &Path, options: &CsvOptions) -> Result<Dataset> {
    let text = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    parse_csv(&text, &path.display().to_string(), options)
}

/// Reads text in columns; every column that is not a target is a feature, unless [`CsvOptions`] choose.
///
/// The separator is the tab for a `name` that ends in `.tsv` or `.tab`, else the most frequent one of comma, semicolon and
/// tab in the first line, and any number of spaces where that has none of them. Where commas do not separate, they may be
/// decimal commas, throughout the file. Lines that begin with `#` are comments. A first line of data instead of names (numbers only,
/// or numbers and a label that occurs again) is seen, the columns are then called `x1`, …, `y`, and
/// [`Dataset::notes`] says so.
///
/// A column without a name (or called `Unnamed: …`, as pandas does) is called `column_3` after its place. One that holds
/// consecutive whole numbers is an index that some program wrote along: it is left out, and a note says so, unless the
/// options name it.
///
/// Under [`Task::Auto`], one target column of text, or of few whole numbers with many samples each, is encoded one-hot, in the
/// order of the sorted values (numbers by value, text by code point); several target columns are a regression ([`Task::Auto`]
/// has the numbers). `name` begins the message of an error, which gives the line: an empty file, a header without rows or
/// without a feature, no such column, a ragged row, text in a feature, a value that is not finite, whole numbers that may be
/// classes or not.
pub fn parse_csv(text: &[u8], name: &str, options: &CsvOptions) -> Result<Dataset> {
    read(text, name, options, None)
}

/// The columns that a model takes, and its targets where the file has them; one row is enough.
pub(super) fn parse_csv_like(text: &[u8], name: &str, like: &Preparation) -> Result<Dataset> {
    read(text, name, &like.options(), Some(like))
}

fn read(text: &[u8], name: &str, options: &CsvOptions, like: Option<&Preparation>) -> Result<Dataset> {
    let text = &single_spaced(text, name)?;
    let mut table = Table::new(text, name, options, like)?;
    table.read_rows()?;
    let notes = table.notes();
    let mut dataset = table.finish(options.task)?;
    notes.into_iter().for_each(|note| dataset.add_note(note));
    Ok(dataset)
}

struct Table<'a> {
    text: &'a [u8],
    decimals: Decimals,
    reader: csv::Reader<&'a [u8]>,
    name: &'a str,
    header: Vec<String>,
    /// The first row, where the file has no header.
    first: Option<StringRecord>,
    /// Columns that have no name in the file.
    unnamed: Vec<usize>,
    /// Of those, the ones left out because they count the rows.
    indices: Vec<usize>,
    /// Columns of the targets, in the order asked for.
    targets: Vec<usize>,
    features: Vec<usize>,
    /// Row by row.
    feature_values: Vec<f64>,
    target_values: Vec<f64>,
    /// The target's text, kept only where it may be a class.
    target_cells: Vec<Cell>,
    encode: bool,
    /// Fewest samples that are of use.
    fewest: usize,
}

impl<'a> Table<'a> {
    fn new(text: &'a [u8], name: &'a str, options: &CsvOptions, like: Option<&Preparation>) -> Result<Self> {
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
        let mut asked = options.targets.iter().chain(&options.drop).chain(&options.features);
        let named = asked.any(|name| header.contains(name));
        let decimals = Decimals { comma: separator != b',', seen: None };
        let missing = !named && is_data(&header, &decimals, || labels(text, separator, header.len()));
        if missing {
            header = match like.filter(|like| like.features().len() == header.len()) {
                Some(like) => like.features().to_vec(),
                None => default_names(header.len()),
            };
        }
        let unnamed: Vec<usize> = (0..header.len()).filter(|&column| is_unnamed(&header[column])).collect();
        for &column in &unnamed {
            header[column] = format!("column_{}", column + 1);
        }
        if let Some(like) = like.filter(|like| !like.targets().iter().all(|target| header.contains(target))) {
            let features = Columns::named(name, &header, like.features())?;
            let targets = Vec::new();
            return Ok(Self {
                text,
                decimals,
                reader,
                name,
                header,
                first: missing.then_some(record),
                encode: false,
                unnamed: Vec::new(),
                indices: Vec::new(),
                targets,
                features,
                feature_values: Vec::new(),
                target_values: Vec::new(),
                target_cells: Vec::new(),
                fewest: 1,
            });
        }
        let counting = counting(text, separator, &unnamed);
        let Columns { targets, features, indices } = Columns::choose(name, &header, options, &counting)?;
        if targets.len() > 1 && options.task == Task::Classification {
            return Err(Error::Input(format!(
                "{name}: a classification has one target column, not {}; name one column of labels",
                targets.len()
            )));
        }
        Ok(Self {
            text,
            decimals,
            reader,
            name,
            header,
            first: missing.then_some(record),
            encode: targets.len() == 1,
            unnamed,
            indices,
            targets,
            features,
            feature_values: Vec::new(),
            target_values: Vec::new(),
            target_cells: Vec::new(),
            fewest: if like.is_some() { 1 } else { 2 },
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
        for k in 0..self.features.len() {
            let column = self.features[k];
            let value = self.number(start, column, &record[column])?;
            self.feature_values.push(value);
        }
        for k in 0..self.targets.len() {
            let column = self.targets[k];
            if self.encode {
                let text = self.decimal(start, &record[column])?.into_owned();
                self.target_cells.push(Cell { text, start });
            } else {
                let value = self.number(start, column, &record[column])?;
                self.target_values.push(value);
            }
        }
        Ok(())
    }

    /// What had to be assumed.
    fn notes(&self) -> Vec<String> {
        let (name, mut notes) = (self.name, Vec::new());
        if self.first.is_some() {
            notes.push(format!(
                "{name}: the first line holds data; the columns are called {}",
                listed(&self.header)
            ));
            let width = self.features.len();
            let samples = self.feature_values.len() / width;
            for (j, &column) in self.features.iter().enumerate().filter(|_| samples >= LEAST_COUNT) {
                let counts =
                    |i: usize| self.feature_values[i * width + j] == self.feature_values[j] + i as f64;
                if (0..samples).all(counts) {
                    notes.push(format!(
                        "{name}: column '{}' only counts the rows and is taken as a feature; drop it if it is an index",
                        self.header[column]
                    ));
                }
            }
        }
        for &column in &self.indices {
            notes.push(format!(
                "{name}: column {} has no name and only counts the rows: left out as an index; give it a name to keep it",
                column + 1
            ));
        }
        for &column in self.unnamed.iter().filter(|column| self.features.contains(column)) {
            notes.push(format!(
                "{name}: column {} has no name and is taken as a feature, '{}'; drop it if it is an index",
                column + 1,
                self.header[column]
            ));
        }
        notes
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
        if samples < self.fewest {
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
            let message = format!("target '{}' {message}", abbreviated(&self.header[self.targets[0]]));
            match start {
                Some(start) => self.error(start, message),
                None => Error::Input(format!("{}: {message}", self.name)),
            }
        })?;
        match column {
            Column::Real(values) => {
                let targets = row_major(&values, samples, 1);
                Dataset::regression(features, targets, feature_names, names(&self.targets))
            }
            Column::Classes { labels, names } => {
                let dataset = Dataset::classification(features, &labels, feature_names, names)?;
                Ok(dataset.with_target_columns(vec![self.header[self.targets[0]].clone()]))
            }
        }
    }

    /// The cell with a point for its decimal comma; a file that has both is refused.
    fn decimal<'t>(&mut self, start: u64, text: &'t str) -> Result<Cow<'t, str>> {
        let read = self.decimals.read(text);
        read.map_err(|message| self.error(start, format!("'{}' {message}", abbreviated(text))))
    }

    fn number(&mut self, start: u64, column: usize, text: &str) -> Result<f64> {
        let text = &*self.decimal(start, text)?;
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
                    "column '{header}': '{}' is not a number; encode or drop the column, or name it as the target",
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

/// Decimal commas, which a file may have whose columns they do not separate.
struct Decimals {
    comma: bool,
    /// Whether the first number with a fraction has a comma.
    seen: Option<bool>,
}

impl Decimals {
    /// A number with a point; other text as it is.
    fn plain<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.comma || text.matches(',').count() != 1 || text.contains('.') {
            return Cow::Borrowed(text);
        }
        let pointed = text.replace(',', ".");
        if pointed.parse::<f64>().is_ok() { Cow::Owned(pointed) } else { Cow::Borrowed(text) }
    }

    fn read<'t>(&mut self, text: &'t str) -> std::result::Result<Cow<'t, str>, &'static str> {
        let plain = self.plain(text);
        let commas = matches!(plain, Cow::Owned(_));
        if self.comma && (commas || text.contains('.') && text.parse::<f64>().is_ok()) {
            if self.seen.is_some_and(|seen| seen != commas) {
                return Err(
                    "is in a file with decimal points and decimal commas; use one of them throughout",
                );
            }
            self.seen = Some(commas);
        }
        Ok(plain)
    }
}

/// The text with one space between columns that spaces separate; other text as it is. Lines stay lines.
fn single_spaced<'a>(text: &'a [u8], name: &str) -> Result<Cow<'a, [u8]>> {
    let content = decoded(text, name)?;
    if separator(content, name) != b' ' {
        return Ok(Cow::Borrowed(text));
    }
    let mut single = Vec::with_capacity(text.len());
    let mut quoted = false;
    for &byte in text {
        quoted ^= byte == b'"';
        let ends = matches!(byte, b'\r' | b'\n');
        if byte == b' ' && !quoted && matches!(single.last(), None | Some(b' ' | b'\r' | b'\n')) {
            continue;
        }
        if ends && !quoted && single.last() == Some(&b' ') {
            single.pop();
        }
        single.push(byte);
    }
    while single.last() == Some(&b' ') {
        single.pop();
    }
    Ok(Cow::Owned(single))
}

fn separator(text: &str, name: &str) -> u8 {
    let name = [".gz", ".zst"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(name);
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
        // As many of both: the commas may be decimal.
        if count(separator) > 0 && count(separator) >= best.1 {
            best = (byte, count(separator));
        }
    }
    // Spaces are part of names, unless nothing else can separate them.
    if best.1 == 0 && count(' ') > 0 && line.trim().contains(' ') {
        return b' ';
    }
    best.0
}

/// Whether a first line is a sample: numbers only, or numbers and a last label that a later row has too.
fn is_data(cells: &[String], decimals: &Decimals, labels: impl FnOnce() -> Vec<String>) -> bool {
    let Some((last, others)) = cells.split_last() else { return false };
    let is_number = |cell: &String| decimals.plain(cell).parse::<f64>().is_ok();
    if others.is_empty() || !others.iter().all(is_number) {
        return false;
    }
    if is_number(last) {
        // Consecutive whole numbers are what some tools write for columns without a name.
        return !cells.iter().enumerate().all(|(column, cell)| *cell == column.to_string());
    }
    labels().contains(last)
}

/// Rows that a file without a header must have before a column of consecutive numbers is remarked on (conventional).
const LEAST_COUNT: usize = 10;

/// Whether a name says that there is none: empty, or what pandas calls a column read without a name.
fn is_unnamed(name: &str) -> bool {
    name.is_empty() || name.starts_with("Unnamed: ")
}

/// Of these columns, those that hold consecutive whole numbers below the header.
fn counting(text: &[u8], separator: u8, columns: &[usize]) -> Vec<usize> {
    // A second pass over the file, only where some column has no name.
    let mut last: Vec<(usize, Option<f64>)> = columns.iter().map(|&column| (column, None)).collect();
    let mut record = StringRecord::new();
    let mut reader = reader(text, separator);
    while !last.is_empty() && reader.read_record(&mut record).unwrap_or(false) {
        last.retain_mut(|(column, last)| {
            let value = record.get(*column).and_then(|cell| cell.parse::<f64>().ok());
            let follows = value.is_some_and(|value| {
                value.fract() == 0.0 && last.is_none_or(|last: f64| value == last + 1.0)
            });
            *last = value;
            follows
        });
    }
    last.into_iter().map(|(column, _)| column).collect()
}

/// The last cells of all rows but the first, up to a row that cannot be read.
fn labels(text: &[u8], separator: u8, columns: usize) -> Vec<String> {
    let rows = reader(text, separator).into_records().map_while(std::result::Result::ok);
    rows.filter_map(|row| row.get(columns - 1).map(String::from)).collect()
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
