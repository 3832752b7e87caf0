//! numpy's `.npz` with arrays X and Y, and `.npy` tables.

use super::columns::Columns;
use super::encoding::{Column, decode_numbers};
use super::preparation::Preparation;
use super::text::abbreviated;
use super::{CsvOptions, Dataset, Task};
use crate::error::{Error, Result};
use crate::io::container::array_names;
use faer::Mat;
use npyz::npz::file_name_from_array_name;
use npyz::{Deserialize, NpyFile, Order};
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// Deflate cannot shrink data by more than this factor, so no honest array is larger against its file.
const GREATEST_COMPRESSION: u64 = 1100;

/// Reads an `.npz` archive with the arrays X (n × d) and Y (n or n × c).
///
/// Other arrays are left out, and [`Dataset::notes`] says so. An archive that numpy might read in another way is refused: a
/// member twice, or one that is not an array. Y of one column is decoded like one target column of a CSV file; several columns are a regression.
pub fn parse_npz(bytes: &[u8], name: &str, options: &CsvOptions) -> Result<Dataset> {
    if !options.targets.is_empty() {
        return Err(Error::Input(format!(
            "{name}: the targets of an .npz file are its array Y; name no target"
        )));
    }
    if options.chooses_features() {
        return Err(Error::Input(format!(
            "{name}: the columns of X in an .npz file have no names; leave out those not wanted before it is written"
        )));
    }
    read_npz(bytes, name, options.task, None)
}

/// X as a model takes it, and Y where it is there; one row is enough.
pub(super) fn parse_npz_like(bytes: &[u8], name: &str, like: &Preparation) -> Result<Dataset> {
    read_npz(bytes, name, like.options().task, Some(like))
}

fn read_npz(bytes: &[u8], name: &str, task: Task, like: Option<&Preparation>) -> Result<Dataset> {
    let arrays =
        array_names(&mut Cursor::new(bytes)).map_err(|error| Error::Input(format!("{name}: {error}")))?;
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
        Error::Input(format!("{name}: not an .npz file ({error}); write it with numpy.savez"))
    })?;
    let mut take = |key| member(&mut archive, &arrays, bytes.len(), name, key)?.table();
    let x = take("X")?;
    let y = match like {
        Some(_) if !arrays.iter().any(|key| key == "Y") => Mat::zeros(x.nrows(), 0),
        _ => take("Y")?,
    };
    if x.nrows() != y.nrows() {
        return Err(Error::Input(format!(
            "{name}: X has {} rows and Y has {}; they need one for each sample",
            x.nrows(),
            y.nrows()
        )));
    }
    let numbered = |prefix: &str, count: usize| (1..=count).map(|index| format!("{prefix}{index}")).collect();
    let target_names = if y.ncols() == 1 { vec!["y".into()] } else { numbered("y", y.ncols()) };
    let names = (numbered("x", x.ncols()), target_names);
    let mut dataset = dataset(x, y, names, name, task, if like.is_some() { 1 } else { 2 })?;
    let others: Vec<String> =
        arrays.iter().filter(|key| !["X", "Y"].contains(&key.as_str())).map(|key| abbreviated(key)).collect();
    if !others.is_empty() {
        let shown = others[..others.len().min(10)].join(", ");
        dataset.add_note(format!("{name}: only the arrays X and Y are read; left out: {shown}"));
    }
    Ok(dataset)
}

/// Reads an `.npy` table, whose columns are called `x1`, …, `y`; the last one is the target unless others are named.
pub fn parse_npy(bytes: &[u8], name: &str, options: &CsvOptions) -> Result<Dataset> {
    let table = array(bytes, name)?.table()?;
    let columns = table.ncols();
    let names: Vec<String> = super::csv_reader::default_names(columns);
    let Columns { targets, features, .. } = Columns::choose(name, &names, options, &[])?;
    let take = |columns: &[usize]| Mat::from_fn(table.nrows(), columns.len(), |i, j| table[(i, columns[j])]);
    let named = |columns: &[usize]| columns.iter().map(|&column| names[column].clone()).collect();
    let chosen = (named(&features), named(&targets));
    dataset(take(&features), take(&targets), chosen, name, options.task, 2)
}

/// The columns that a model takes, and its targets where there are more; one row is enough.
pub(super) fn parse_npy_like(bytes: &[u8], name: &str, like: &Preparation) -> Result<Dataset> {
    let table = array(bytes, name)?.table()?;
    if table.ncols() != like.features().len() {
        let names: Vec<String> = super::csv_reader::default_names(table.ncols());
        let features = Columns::named(name, &names, like.features())?;
        let targets = Columns::named(name, &names, like.targets())?;
        let take =
            |columns: &[usize]| Mat::from_fn(table.nrows(), columns.len(), |i, j| table[(i, columns[j])]);
        let chosen = (like.features().to_vec(), like.targets().to_vec());
        return dataset(take(&features), take(&targets), chosen, name, like.options().task, 1);
    }
    let targets = Mat::zeros(table.nrows(), 0);
    dataset(table, targets, (like.features().to_vec(), Vec::new()), name, like.options().task, 1)
}

/// `names` are those of the features and of the targets.
fn dataset(
    x: Mat<f64>,
    y: Mat<f64>,
    names: (Vec<String>, Vec<String>),
    name: &str,
    task: Task,
    fewest: usize,
) -> Result<Dataset> {
    if x.nrows() < fewest {
        return Err(Error::Input(format!("{name}: {} sample(s); at least two are needed", x.nrows())));
    }
    for (what, matrix) in [("X", &x), ("Y", &y)] {
        for column in 0..matrix.ncols() {
            if let Some(row) = (0..matrix.nrows()).find(|&row| !matrix[(row, column)].is_finite()) {
                return Err(Error::Input(format!(
                    "{name}: {what}[{row}, {column}] is not finite; remove the row or impute the value"
                )));
            }
        }
    }
    let (feature_names, target_names) = names;
    if y.ncols() != 1 {
        if task == Task::Classification && y.ncols() > 0 {
            return Err(Error::Input(format!(
                "{name}: a classification has one target column, not {}; give one column of labels",
                y.ncols()
            )));
        }
        return Dataset::regression(x, y, feature_names, target_names);
    }
    let column = decode_numbers(y.col_as_slice(0).to_vec(), task)
        .map_err(|message| Error::Input(format!("{name}: the target {message}")))?;
    match column {
        Column::Real(_) => Dataset::regression(x, y, feature_names, target_names),
        Column::Classes { labels, names } => {
            Ok(Dataset::classification(x, &labels, feature_names, names)?.with_target_columns(target_names))
        }
    }
}

/// An array in row-major order.
struct Array {
    place: String,
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Array {
    /// As a matrix; one dimension is a column.
    fn table(self) -> Result<Mat<f64>> {
        let (rows, columns) = match self.shape[..] {
            [rows] => (rows, 1),
            [rows, columns] => (rows, columns),
            _ => {
                return Err(Error::Input(format!(
                    "{}: {} dimensions; reshape it to rows and columns",
                    self.place,
                    self.shape.len()
                )));
            }
        };
        if rows == 0 || columns == 0 {
            return Err(Error::Input(format!(
                "{}: the array is empty ({rows} × {columns}); it needs samples",
                self.place
            )));
        }
        Ok(Mat::from_fn(rows, columns, |row, column| self.values[row * columns + column]))
    }
}

fn member(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    arrays: &[String],
    size: usize,
    name: &str,
    key: &str,
) -> Result<Array> {
    let wanted = file_name_from_array_name(key);
    let mut bytes = Vec::new();
    let Ok(entry) = archive.by_name(&wanted) else {
        let keys: Vec<String> = arrays.iter().map(|name| abbreviated(name)).take(10).collect();
        return Err(Error::Input(format!(
            "{name}: no readable array {key} (it has: {}); write it with numpy.savez(file, X=X, Y=Y)",
            keys.join(", ")
        )));
    };
    // Reading to the end makes the archive check its checksum.
    entry
        .take((size as u64).saturating_mul(GREATEST_COMPRESSION))
        .read_to_end(&mut bytes)
        .map_err(|error| Error::Input(format!("{name}: array {key} is damaged ({error}); write it again")))?;
    array(&bytes, &format!("{name}: array {key}"))
}

/// Parses one `.npy` file of floating-point or integer numbers in C or Fortran order.
fn array(bytes: &[u8], place: &str) -> Result<Array> {
    let text = |what: String| Error::Input(format!("{place}: {what}"));
    let damaged =
        |error: std::io::Error| text(format!("not an .npy array ({error}); write it with numpy.save"));
    if bytes.is_empty() {
        return Err(text("the file is empty; write it with numpy.save".into()));
    }
    crate::io::npy::header_length(bytes).map_err(|why| text(format!("{why}; write it with numpy.save")))?;
    let header = NpyFile::new(bytes).map_err(damaged)?;
    let shape = header.shape().to_vec();
    let fortran = header.order() == Order::Fortran && shape.len() > 1;
    let count = shape.iter().try_fold(1_u64, |product, size| product.checked_mul(*size));
    let dtype = header.dtype().descr();
    // Every type takes a byte at least.
    let Some(count) = count.filter(|count| *count <= bytes.len() as u64) else {
        return Err(text(format!("claims shape {shape:?}, more than the file can hold; write it again")));
    };
    let mut values = None;
    macro_rules! try_type {
        ($($number:ty),*) => {
            $(if values.is_none() {
                values = numbers::<$number>(bytes, |number| number as f64);
            })*
        };
    }
    try_type!(f64, f32, i64, i32, i16, i8, u64, u32, u16, u8);
    if values.is_none() {
        values = numbers::<bool>(bytes, |flag| f64::from(u8::from(flag)));
    }
    let Some(values) = values else {
        return Err(text(format!("type {dtype} is not a real number; convert it with astype(float)")));
    };
    let mut values = values.map_err(damaged)?;
    if values.len() as u64 != count {
        return Err(text("the array is cut short; write it again".into()));
    }
    let shape: Vec<usize> = shape.iter().map(|size| *size as usize).collect();
    if let ([rows, columns], true) = (&shape[..], fortran) {
        values = (0..values.len()).map(|k| values[(k % columns) * rows + k / columns]).collect();
    }
    Ok(Array { place: place.into(), shape, values })
}

/// The numbers if they are of this type.
fn numbers<T: Deserialize>(bytes: &[u8], convert: impl Fn(T) -> f64) -> Option<std::io::Result<Vec<f64>>> {
    let reader = NpyFile::new(bytes).ok()?.data::<T>().ok()?;
    // The length is not believed before it is there.
    let mut values = Vec::new();
    for value in reader {
        match value {
            Ok(value) => values.push(convert(value)),
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Ok(values))
}
