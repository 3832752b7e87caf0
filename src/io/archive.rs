//! Arrays of an .npz archive that may be damaged or forged.

use super::container::array_names;
use super::npy::{HEADER_LIMIT, header_length};
use crate::error::{Error, Result};
use crate::system::memory;
use faer::Mat;
use npyz::npz::file_name_from_array_name;
use npyz::{Deserialize, NpyFile, NpyHeader, Order};
use std::io::{self, Read, Seek};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// Deflate cannot shrink data by more than this factor, so no honest array is larger against its file.
const GREATEST_COMPRESSION: u64 = 1100;
/// Copies of an array that are made before anything is known about it.
const COPIES: u64 = 3;

/// Longest side of an array without entries (conventional: far more than any problem has).
const LONGEST_EMPTY: u64 = 1 << 24;

/// An .npz file being read, with the size that no array in it may exceed.
pub(crate) struct Archive<'a, R: Read + Seek> {
    path: &'a Path,
    archive: ZipArchive<R>,
    names: Vec<String>,
    largest: u64,
}

impl<'a, R: Read + Seek> Archive<'a, R> {
    /// `size` is that of the whole file in bytes. Errors: what numpy would not read, or read otherwise.
    pub(crate) fn new(path: &'a Path, mut reader: R, size: u64) -> Result<Self> {
        let wrong = |source: io::Error| match source.kind() {
            io::ErrorKind::InvalidData => Error::Input(format!("{}: {source}", path.display())),
            _ => Error::Io { path: path.into(), source },
        };
        let names = array_names(&mut reader).map_err(wrong)?;
        let archive = ZipArchive::new(reader).map_err(|error| match error {
            ZipError::Io(source) => wrong(source),
            damaged => Error::Input(format!("{}: {damaged}", path.display())),
        })?;
        let largest = size.saturating_mul(GREATEST_COMPRESSION).min(memory::available() / COPIES);
        Ok(Self { path, archive, names, largest })
    }

    pub(crate) fn bad(&self, what: &str) -> Error {
        Error::Input(format!("{}: {what}", self.path.display()))
    }

    /// Refuses arrays other than these.
    pub(crate) fn only(self, known: &[&[&str]]) -> Result<Self> {
        match self.names.iter().find(|name| !known.iter().any(|list| list.contains(&name.as_str()))) {
            None => Ok(self),
            Some(name) => {
                let shown: String = name.chars().take(40).collect();
                Err(self
                    .bad(&format!("array {} does not belong in it; leave it out", shown.escape_default())))
            }
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Shape and values in row-major order. What is allocated is bounded by the size that the archive declares, and that
    /// by the size of the file and the free memory.
    pub(crate) fn array<T: Deserialize + Copy>(&mut self, name: &str) -> Result<(Vec<usize>, Vec<T>)> {
        let wrong = |source: io::Error| Error::Io { path: self.path.into(), source };
        let text = |what: &str| Error::Input(format!("{}: array {name} {what}", self.path.display()));
        let mut entry = match self.archive.by_name(&file_name_from_array_name(name)) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Err(text("is missing")),
            Err(error) => return Err(wrong(error.into())),
        };
        let declared = entry.size();
        if declared > self.largest {
            return Err(text(&format!("claims {declared} bytes, more than the file or the memory can hold")));
        }
        let mut start = Vec::new();
        entry.by_ref().take(HEADER_LIMIT).read_to_end(&mut start).map_err(wrong)?;
        let length = header_length(&start).map_err(text)?;
        let header = NpyHeader::from_reader(&start[..length]).map_err(wrong)?;
        let shape = header.shape().to_vec();
        let count = shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
        let room = declared.checked_sub(length as u64);
        let bytes = count.and_then(|count| count.checked_mul(size_of::<T>() as u64));
        let fortran = header.order() == Order::Fortran && shape.len() > 1;
        let mut data = start[length..].chain(entry);
        let file = NpyFile::with_header(header, data.by_ref());
        let reader = file.data::<T>().map_err(|error| text(&format!("has the wrong type: {error}")))?;
        let (Some(count), true) = (count, bytes == room) else {
            return Err(text(&format!("claims shape {shape:?}, which is not what the file holds")));
        };
        // An array without entries may still claim a dimension that a loop over it would not come to the end of.
        if shape.iter().any(|size| *size > count.max(LONGEST_EMPTY)) {
            return Err(text(&format!("claims shape {shape:?}, which cannot be")));
        }
        let mut values = Vec::with_capacity(count as usize);
        for value in reader.take(count as usize) {
            values.push(value.map_err(wrong)?);
        }
        // Reading to the end makes the archive check its checksum.
        if data.read(&mut [0]).map_err(wrong)? > 0 {
            return Err(text("goes on after its last entry"));
        }
        let shape: Vec<usize> = shape.iter().map(|size| *size as usize).collect();
        match (fortran, shape.as_slice()) {
            (false, _) => Ok((shape, values)),
            (true, [rows, columns]) => {
                let swapped = (0..values.len()).map(|k| values[(k % columns) * rows + k / columns]).collect();
                Ok((shape, swapped))
            }
            (true, _) => Err(text("has more than two dimensions")),
        }
    }

    pub(crate) fn matrix(&mut self, name: &str) -> Result<Mat<f64>> {
        let array = self.array::<f64>(name)?;
        self.table(name, array)
    }

    /// A matrix of double or single precision.
    pub(crate) fn matrix_of_either(&mut self, name: &str) -> Result<Mat<f64>> {
        let (shape, values) = match self.array::<f64>(name) {
            Ok(array) => array,
            Err(error) => match self.array::<f32>(name) {
                Ok((shape, values)) => (shape, values.into_iter().map(f64::from).collect()),
                Err(_) => return Err(error),
            },
        };
        self.table(name, (shape, values))
    }

    fn table(&self, name: &str, (shape, values): (Vec<usize>, Vec<f64>)) -> Result<Mat<f64>> {
        match shape.as_slice() {
            [rows, columns] => Ok(Mat::from_fn(*rows, *columns, |i, j| values[i * columns + j])),
            _ => Err(self.bad(&format!("array {name} must have two dimensions"))),
        }
    }
}
