//! svmlight / LIBSVM files: `label index:value index:value # comment`, read into a sparse matrix.

use super::encoding::{Cell, Column, decode};
use super::preparation::{Preparation, widened};
use super::text::{decoded, line_number};
use super::{CsvOptions, Dataset};
use crate::error::{Error, Result};
use faer::Mat;
use sprs::CsMat;

/// A larger index is taken for a mistake (conventional): a name is kept for each feature.
const LARGEST_INDEX: usize = 10_000_000;

/// Reads svmlight text. Features stay sparse and are called `x1`, `x2`, …; the label is the target.
///
/// Indices of a row rise; they count from 1, or from 0 if an index 0 occurs anywhere. A field `qid:…` is ignored.
/// The label is decoded like one target column of a CSV file; `name` begins the message of an error.
pub fn parse_svmlight(text: &[u8], name: &str, options: &CsvOptions) -> Result<Dataset> {
    read(text, name, options, None)
}

/// With the features that a model takes; one row is enough.
pub(super) fn parse_svmlight_like(text: &[u8], name: &str, like: &Preparation) -> Result<Dataset> {
    let options = CsvOptions { task: like.options().task, ..CsvOptions::default() };
    Ok(widened(read(text, name, &options, Some(like))?, like.features().len()))
}

fn read(text: &[u8], name: &str, options: &CsvOptions, like: Option<&Preparation>) -> Result<Dataset> {
    if !options.targets.is_empty() {
        return Err(Error::Input(format!(
            "{name}: an svmlight file has no named columns and its label is the target; name no target"
        )));
    }
    if options.chooses_features() {
        return Err(Error::Input(format!(
            "{name}: an svmlight file has no named columns; leave out those not wanted before it is written"
        )));
    }
    let content = decoded(text, name)?;
    let mut rows = Rows { indptr: vec![0], ..Rows::default() };
    let mut start = 0;
    for line in content.split_inclusive('\n') {
        let read = rows.push(line.split('#').next().unwrap_or_default(), start as u64);
        read.map_err(|message| located(text, name, start as u64, &message))?;
        start += line.len();
    }
    rows.finish(text, name, options, like)
}

fn located(text: &[u8], name: &str, start: u64, message: &str) -> Error {
    Error::Input(format!("{name}:{}: {message}", line_number(text, start)))
}

#[derive(Default)]
struct Rows {
    labels: Vec<Cell>,
    indptr: Vec<usize>,
    indices: Vec<usize>,
    values: Vec<f64>,
    /// Smallest and largest index, those of stored zeros included.
    range: Option<(usize, usize)>,
}

impl Rows {
    /// One line without its comment; a blank one is no sample.
    fn push(&mut self, line: &str, start: u64) -> std::result::Result<(), String> {
        let mut fields = line.split_whitespace();
        let Some(label) = fields.next() else { return Ok(()) };
        if label.contains(':') {
            return Err(format!("'{}' stands where the label belongs; begin the line with it", shown(label)));
        }
        let mut previous = None;
        for field in fields {
            let Some((index, value)) = field.split_once(':') else {
                return Err(format!("'{}' is not index:value; mend the field", shown(field)));
            };
            if index == "qid" {
                continue;
            }
            let index = match index.parse::<usize>() {
                Ok(index) if index <= LARGEST_INDEX => index,
                _ => {
                    return Err(format!(
                        "'{}' is not an index from 0 to {LARGEST_INDEX}; mend the field",
                        shown(index)
                    ));
                }
            };
            if previous.is_some_and(|previous| previous >= index) {
                return Err(format!("index {index} does not rise; sort the row and remove repeated indices"));
            }
            previous = Some(index);
            let (low, high) = self.range.unwrap_or((index, index));
            self.range = Some((low.min(index), high.max(index)));
            match value.parse::<f64>() {
                Ok(0.0) => continue,
                Ok(number) if number.is_finite() => self.values.push(number),
                Ok(_) => {
                    return Err(format!(
                        "feature {index}: '{}' is not finite; remove the row or impute the value",
                        shown(value)
                    ));
                }
                Err(_) => {
                    return Err(format!("feature {index}: '{}' is not a number; mend it", shown(value)));
                }
            }
            self.indices.push(index);
        }
        self.indptr.push(self.indices.len());
        self.labels.push(Cell { text: label.into(), start });
        Ok(())
    }

    fn finish(
        mut self,
        text: &[u8],
        name: &str,
        options: &CsvOptions,
        like: Option<&Preparation>,
    ) -> Result<Dataset> {
        let samples = self.labels.len();
        if samples == 0 {
            return Err(Error::Input(format!("{name}: the file is empty; it needs a line for each sample")));
        }
        if samples == 1 && like.is_none() {
            return Err(Error::Input(format!("{name}: one sample only; at least two are needed")));
        }
        let (low, high) = self.range.unwrap_or((1, 1));
        let base = like.and_then(Preparation::first_index).unwrap_or(1).min(low).min(1);
        self.indices.iter_mut().for_each(|index| *index -= base);
        let columns = high + 1 - base;
        let features = CsMat::try_new((samples, columns), self.indptr, self.indices, self.values)
            .map_err(|(.., error)| Error::Input(format!("{name}: not a sparse matrix: {error}")))?;
        let names = (1..=columns).map(|column| format!("x{column}")).collect();
        let column = decode(&self.labels, options.task).map_err(|(start, message)| match start {
            Some(start) => located(text, name, start, &format!("the label {message}")),
            None => Error::Input(format!("{name}: the label {message}")),
        })?;
        let dataset = match column {
            Column::Real(values) => {
                let targets = Mat::from_fn(samples, 1, |row, _| values[row]);
                Dataset::regression(features, targets, names, vec!["y".into()])
            }
            Column::Classes { labels, names: classes } => {
                Dataset::classification(features, &labels, names, classes)
            }
        };
        Ok(dataset?.with_target_columns(vec!["label".into()]).numbered_from(base))
    }
}

/// At most forty characters, so that an error stays one readable line.
fn shown(text: &str) -> String {
    super::text::abbreviated(text)
}
