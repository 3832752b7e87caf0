//! Problem, network and certificate as .npz files that `numpy.load` reads.

use super::{Certificate, Partition, Proof, prove};
use crate::dual::DualPoint;
use crate::{Error, Network, Result, TrainingProblem};
use faer::{Mat, MatRef};
use npyz::npz::{NpzArchive, NpzWriter, file_name_from_array_name};
use npyz::zip::{CompressionMethod, DateTime, result::ZipError, write::FileOptions};
use npyz::{AutoSerialize, Deserialize, NpyFile, Order, WriterBuilder};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// Deflate cannot shrink data by more than this factor, so no honest array is larger against its file.
const GREATEST_COMPRESSION: u64 = 1100;

/// Writes `problem.npz`: X (n × d), Y (n × c), gamma.
pub fn save_problem(path: &Path, problem: &TrainingProblem) -> Result<()> {
    let features = problem.dense_features()?;
    write(path, |out| {
        matrix(out, "X", features)?;
        matrix(out, "Y", problem.targets())?;
        array(out, "gamma", &[], std::iter::once(problem.weight_decay()))
    })
}

/// Writes `network.npz`: U (d × m), V (c × m).
pub fn save_network(path: &Path, network: &Network) -> Result<()> {
    write(path, |out| {
        matrix(out, "U", network.hidden())?;
        matrix(out, "V", network.output())
    })
}

/// Writes `certificate.npz`: W (n × c), y (n), pairs (k × 2, int64), N (k); of a certificate made of blocks also
/// block (n, int64) and, where there are head matrices, head (K × (d + c) × (d + c)).
pub fn save_certificate(path: &Path, certificate: &Certificate) -> Result<()> {
    let dual = certificate.dual();
    write(path, |out| {
        matrix(out, "W", dual.w.as_ref())?;
        array(out, "y", &[dual.y.len() as u64], dual.y.iter().copied())?;
        let pairs = dual.pairs.iter().flatten().map(|index| *index as i64);
        array(out, "pairs", &[dual.pairs.len() as u64, 2], pairs)?;
        array(out, "N", &[dual.n.len() as u64], dual.n.iter().copied())?;
        let Some(partition) = certificate.partition() else { return Ok(()) };
        let block = partition.block();
        array(out, "block", &[block.len() as u64], block.iter().map(|k| *k as i64))?;
        let Some(heads) = partition.heads() else { return Ok(()) };
        let order = heads.first().map_or(0, Mat::nrows);
        let entries =
            heads.iter().flat_map(|head| (0..order).flat_map(move |i| (0..order).map(move |j| head[(i, j)])));
        array(out, "head", &[heads.len() as u64, order as u64, order as u64], entries)
    })
}

/// Reads what [`save_problem`] wrote; everything is checked again.
pub fn load_problem(path: &Path) -> Result<TrainingProblem> {
    let mut file = Archive::open(path)?;
    let (x, y) = (file.matrix("X")?, file.matrix("Y")?);
    let (shape, gamma) = file.array::<f64>("gamma")?;
    match (shape.as_slice(), gamma.as_slice()) {
        ([] | [1], [gamma]) => TrainingProblem::new(x, y, *gamma),
        _ => Err(file.bad("gamma must be a single number")),
    }
}

/// Reads what [`save_network`] wrote. A value that is not finite is an error.
pub fn load_network(path: &Path) -> Result<Network> {
    let mut file = Archive::open(path)?;
    let (u, v) = (file.matrix("U")?, file.matrix("V")?);
    for (what, array) in [("hidden weights U", &u), ("output weights V", &v)] {
        for column in 0..array.ncols() {
            if let Some(row) = (0..array.nrows()).find(|&row| !array[(row, column)].is_finite()) {
                return Err(Error::NotFinite { what, row, column });
            }
        }
    }
    Network::new(u, v)
}

/// Reads what [`save_certificate`] wrote. Nothing is believed: [`prove`] checks it against a problem.
pub fn load_certificate(path: &Path) -> Result<Certificate> {
    let mut file = Archive::open(path)?;
    let w = file.matrix("W")?;
    let (y_shape, y) = file.array::<f64>("y")?;
    let (pairs_shape, indices) = file.array::<i64>("pairs")?;
    let (n_shape, n) = file.array::<f64>("N")?;
    if y_shape.len() != 1 || n_shape.len() != 1 {
        return Err(file.bad("y and N must have one dimension"));
    }
    if pairs_shape.len() != 2 || pairs_shape[1] != 2 {
        return Err(file.bad("pairs must have two columns"));
    }
    let mut pairs = Vec::with_capacity(indices.len() / 2);
    for pair in indices.chunks_exact(2) {
        match (usize::try_from(pair[0]), usize::try_from(pair[1])) {
            (Ok(a), Ok(b)) => pairs.push([a, b]),
            _ => return Err(file.bad("pairs has a negative index")),
        }
    }
    let dual = DualPoint { w, y, pairs, n };
    Ok(match load_partition(&mut file)? {
        Some(partition) => Certificate::of_blocks(dual, partition),
        None => Certificate::new(dual),
    })
}

fn load_partition(file: &mut Archive<'_>) -> Result<Option<Partition>> {
    if !file.has("block") {
        return if file.has("head") {
            Err(file.bad("head comes with block, which is missing"))
        } else {
            Ok(None)
        };
    }
    let (shape, numbers) = file.array::<i64>("block")?;
    let block: Option<Vec<usize>> = numbers.iter().map(|k| usize::try_from(*k).ok()).collect();
    let partition = match (shape.len(), block) {
        (1, Some(block)) => Partition::new(block)?,
        _ => return Err(file.bad("block must be a row of numbers from 0")),
    };
    if !file.has("head") {
        return Ok(Some(partition));
    }
    match file.array::<f64>("head")? {
        (shape, values) if shape.len() == 3 && shape[1] == shape[2] => {
            let order = shape[1];
            let entry = |k: usize, i: usize, j: usize| values[(k * order + i) * order + j];
            let heads = (0..shape[0]).map(|k| Mat::from_fn(order, order, |i, j| entry(k, i, j))).collect();
            partition.with_heads(heads).map(Some)
        }
        _ => Err(file.bad("head must be a row of square matrices")),
    }
}

/// Proves a saved certificate again from `problem.npz` and `certificate.npz` in a folder.
pub fn verify(folder: &Path) -> Result<Proof> {
    let problem = load_problem(&folder.join("problem.npz"))?;
    let certificate = load_certificate(&folder.join("certificate.npz"))?;
    prove(&problem, &certificate)
}

/// An .npz file being read, with the size that no array in it may exceed.
struct Archive<'a> {
    path: &'a Path,
    archive: NpzArchive<BufReader<File>>,
    largest: u64,
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let wrong = |source| Error::Io { path: path.into(), source };
        let file = File::open(path).map_err(wrong)?;
        let size = file.metadata().map_err(wrong)?.len();
        let archive = NpzArchive::new(BufReader::new(file)).map_err(wrong)?;
        Ok(Self { path, archive, largest: size.saturating_mul(GREATEST_COMPRESSION) })
    }

    fn bad(&self, what: &str) -> Error {
        Error::Input(format!("{}: {what}", self.path.display()))
    }

    fn has(&mut self, name: &str) -> bool {
        let entry = self.archive.zip_archive().by_name(&file_name_from_array_name(name));
        !matches!(entry, Err(ZipError::FileNotFound))
    }

    /// Shape and values in row-major order.
    fn array<T: Deserialize + Copy>(&mut self, name: &str) -> Result<(Vec<usize>, Vec<T>)> {
        let wrong = |source: io::Error| Error::Io { path: self.path.into(), source };
        let text = |what: String| Error::Input(format!("{}: array {name} {what}", self.path.display()));
        let mut bytes = Vec::new();
        match self.archive.zip_archive().by_name(&file_name_from_array_name(name)) {
            // Reading to the end makes the archive check its checksum.
            Ok(entry) => entry.take(self.largest).read_to_end(&mut bytes).map_err(wrong)?,
            Err(ZipError::FileNotFound) => return Err(text("is missing".into())),
            Err(error) => return Err(wrong(error.into())),
        };
        let file = NpyFile::new(bytes.as_slice()).map_err(wrong)?;
        let shape = file.shape().to_vec();
        let count = shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
        let allowed = count.filter(|count| count.saturating_mul(size_of::<T>() as u64) <= bytes.len() as u64);
        let Some(count) = allowed else {
            return Err(text(format!("claims shape {shape:?}, more than the file can hold")));
        };
        let fortran = file.order() == Order::Fortran && shape.len() > 1;
        let reader = file.data::<T>().map_err(|error| text(format!("has the wrong type: {error}")))?;
        let mut values = Vec::new();
        for value in reader.take(count as usize) {
            values.push(value.map_err(wrong)?);
        }
        if values.len() as u64 != count {
            return Err(text("is truncated".into()));
        }
        let shape: Vec<usize> = shape.iter().map(|size| *size as usize).collect();
        match (fortran, shape.as_slice()) {
            (false, _) => Ok((shape, values)),
            (true, [rows, columns]) => {
                let swapped = (0..values.len()).map(|k| values[(k % columns) * rows + k / columns]).collect();
                Ok((shape, swapped))
            }
            (true, _) => Err(text("has more than two dimensions".into())),
        }
    }

    fn matrix(&mut self, name: &str) -> Result<Mat<f64>> {
        let (shape, values) = self.array::<f64>(name)?;
        match shape.as_slice() {
            [rows, columns] => Ok(Mat::from_fn(*rows, *columns, |i, j| values[i * columns + j])),
            _ => Err(self.bad(&format!("array {name} must have two dimensions"))),
        }
    }
}

type Writer<'a> = NpzWriter<&'a mut BufWriter<tempfile::NamedTempFile>>;

/// Writes through a temporary file in the same folder, so that no half-written file is ever seen.
fn write(path: &Path, fill: impl FnOnce(&mut Writer<'_>) -> io::Result<()>) -> Result<()> {
    let wrong = |source: io::Error| Error::Io { path: path.into(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut out = BufWriter::new(tempfile::NamedTempFile::new_in(folder).map_err(wrong)?);
    let mut archive = NpzWriter::new(&mut out);
    fill(&mut archive).map_err(wrong)?;
    archive.zip_writer().finish().map_err(|error| wrong(error.into()))?;
    drop(archive);
    out.flush().map_err(wrong)?;
    let file = out.into_inner().map_err(|error| wrong(error.into_error()))?;
    file.persist(path).map_err(|error| wrong(error.error))?;
    Ok(())
}

/// Stored, with the zip format's first day as its date: the same data gives the same bytes.
fn options() -> FileOptions {
    let options = FileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    options.last_modified_time(DateTime::default()).unix_permissions(0o644)
}

fn matrix(out: &mut Writer<'_>, name: &str, values: MatRef<'_, f64>) -> io::Result<()> {
    let rows = (0..values.nrows()).flat_map(|i| (0..values.ncols()).map(move |j| values[(i, j)]));
    array(out, name, &[values.nrows() as u64, values.ncols() as u64], rows)
}

fn array<T: AutoSerialize>(
    out: &mut Writer<'_>,
    name: &str,
    shape: &[u64],
    values: impl Iterator<Item = T>,
) -> io::Result<()> {
    let mut writer = out.array(name, options())?.default_dtype().shape(shape).begin_nd()?;
    writer.extend(values)?;
    writer.finish()
}
