//! numpy's `.npz` with arrays X and Y, and `.npy` tables.

use super::encoding::{Column, decode_numbers};
use super::text::abbreviated;
use super::{CsvOptions, Dataset, Task};
use crate::error::{Error, Result};
use crate::io::container::array_names;
use faer::Mat;
use npyz::npz::{NpzArchive, file_name_from_array_name};
use npyz::{Deserialize, NpyFile, Order};
use std::io::{Cursor, Read};

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
    let names =
        array_names(&mut Cursor::new(bytes)).map_err(|error| Error::Input(format!("{name}: {error}")))?;
    let mut archive = NpzArchive::new(Cursor::new(bytes)).map_err(|error| {
        Error::Input(format!("{name}: not an .npz file ({error}); write it with numpy.savez"))
    })?;
    let x = member(&mut archive, bytes.len(), name, "X")?.table()?;
    let y = member(&mut archive, bytes.len(), name, "Y")?.table()?;
    if x.nrows() != y.nrows() {
        return Err(Error::Input(format!(
            "{name}: X has {} rows and Y has {}; they need one for each sample",
            x.nrows(),
            y.nrows()
        )));
    }
    let mut dataset = dataset(x, y, name, options.task)?;
    let others: Vec<String> =
        names.iter().filter(|key| !["X", "Y"].contains(&key.as_str())).map(|key| abbreviated(key)).collect();
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
    let targets = super::csv_reader::target_columns(name, &names, &options.targets)?;
    let features: Vec<usize> = (0..columns).filter(|column| !targets.contains(column)).collect();
    if features.is_empty() {
        return Err(Error::Input(format!(
            "{name}: no column is left for a feature; it needs two columns or more"
        )));
    }
    let take = |columns: &[usize]| Mat::from_fn(table.nrows(), columns.len(), |i, j| table[(i, columns[j])]);
    dataset(take(&features), take(&targets), name, options.task)
}

fn dataset(x: Mat<f64>, y: Mat<f64>, name: &str, task: Task) -> Result<Dataset> {
    if x.nrows() < 2 {
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
    let names = |prefix: &str, count: usize| (1..=count).map(|index| format!("{prefix}{index}")).collect();
    let feature_names = names("x", x.ncols());
    if y.ncols() != 1 {
        if task == Task::Classification {
            return Err(Error::Input(format!(
                "{name}: a classification has one target column, not {}; give one column of labels",
                y.ncols()
            )));
        }
        let target_names = names("y", y.ncols());
        return Dataset::regression(x, y, feature_names, target_names);
    }
    match decode_numbers(y.col_as_slice(0).to_vec(), task) {
        Column::Real(_) => Dataset::regression(x, y, feature_names, vec!["y".into()]),
        Column::Classes { labels, names } => Dataset::classification(x, &labels, feature_names, names),
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

fn member(archive: &mut NpzArchive<Cursor<&[u8]>>, size: usize, name: &str, key: &str) -> Result<Array> {
    let wanted = file_name_from_array_name(key);
    let mut bytes = Vec::new();
    let Ok(entry) = archive.zip_archive().by_name(&wanted) else {
        let keys: Vec<String> = archive.array_names().map(abbreviated).take(10).collect();
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
