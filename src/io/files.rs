//! Problem, network and certificate as .npz files that `numpy.load` reads.

use super::archive::Archive;
use super::members::{CERTIFICATE, NETWORK, PROBLEM};
use super::whole::write_anew;
use crate::certificate::{Certificate, Partition, Proof, prove};
use crate::dual::{CutForms, DualPoint};
use crate::error::{Error, Result};
use crate::problem::features::by_rows;
use crate::problem::{Features, Network, TrainingProblem};
use faer::{Mat, MatRef};
use npyz::npz::file_name_from_array_name;
use npyz::{AutoSerialize, WriteOptions, WriterBuilder};
use sprs::CsMat;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, Write};
use std::path::Path;
use zip::write::FileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Writes `problem.npz`: X (n × d), Y (n × c), gamma. Sparse features are, in place of X, the compressed rows X_shape (two
/// numbers, int64), X_indptr (n + 1, int64), X_indices (int64) and X_data, as `scipy.sparse.csr_array` takes them.
pub fn save_problem(path: &Path, problem: &TrainingProblem) -> Result<()> {
    write(path, |out| put_problem(out, problem))
}

pub(crate) fn put_problem(out: &mut Writer<'_>, problem: &TrainingProblem) -> io::Result<()> {
    match problem.stored_features() {
        Features::Dense(features) => matrix(out, "X", features.as_ref())?,
        Features::Sparse(features) => compressed_rows(out, &by_rows(features))?,
    }
    matrix(out, "Y", problem.targets())?;
    array(out, "gamma", &[], std::iter::once(problem.weight_decay()))
}

/// Writes `network.npz`: U (d × m), V (c × m).
pub fn save_network(path: &Path, network: &Network) -> Result<()> {
    write(path, |out| put_network(out, network))
}

pub(crate) fn put_network(out: &mut Writer<'_>, network: &Network) -> io::Result<()> {
    matrix(out, "U", network.hidden())?;
    matrix(out, "V", network.output())
}

/// Writes `certificate.npz`: W (n × c), y (n), pairs (k × 2, int64), N (k); with cuts form_target (f, int64), form_indptr
/// (f + 1, int64), form_index (int64) and form_coef; of a certificate made of blocks also
/// block (n, int64) and, where there are head matrices, head (K × (d + c) × (d + c)).
pub fn save_certificate(path: &Path, certificate: &Certificate) -> Result<()> {
    write(path, |out| put_certificate(out, certificate))
}

pub(crate) fn put_certificate(out: &mut Writer<'_>, certificate: &Certificate) -> io::Result<()> {
    let dual = certificate.dual();
    matrix(out, "W", dual.w.as_ref())?;
    if certificate.is_by_branch() {
        return array(out, "branch", &[], [1i64].into_iter());
    }
    array(out, "y", &[dual.y.len() as u64], dual.y.iter().copied())?;
    let pairs = dual.pairs.iter().flatten().map(|index| *index as i64);
    array(out, "pairs", &[dual.pairs.len() as u64, 2], pairs)?;
    array(out, "N", &[dual.n.len() as u64], dual.n.iter().copied())?;
    if !dual.cuts.is_empty() {
        put_forms(out, "form", &dual.cuts)?;
    }
    let Some(partition) = certificate.partition() else { return Ok(()) };
    let block = partition.block();
    array(out, "block", &[block.len() as u64], block.iter().map(|k| *k as i64))?;
    let Some(heads) = partition.heads() else { return Ok(()) };
    let order = heads.first().map_or(0, Mat::nrows);
    let entries =
        heads.iter().flat_map(|head| (0..order).flat_map(move |i| (0..order).map(move |j| head[(i, j)])));
    array(out, "head", &[heads.len() as u64, order as u64, order as u64], entries)
}

/// Reads what [`save_problem`] wrote; everything is checked again, and any other array is refused.
pub fn load_problem(path: &Path) -> Result<TrainingProblem> {
    take_problem(&mut open(path)?.only(&[PROBLEM])?)
}

/// The problem in the bytes of a `problem.npz`; `path` is what messages call it.
pub fn parse_problem(path: &Path, bytes: &[u8]) -> Result<TrainingProblem> {
    take_problem(&mut Archive::new(path, Cursor::new(bytes), bytes.len() as u64)?.only(&[PROBLEM])?)
}

/// Reads what [`save_network`] wrote, in double or single precision. A value that is not finite is an error, and so is any
/// other array: a network with biases, say, is another one.
pub fn load_network(path: &Path) -> Result<Network> {
    take_network(&mut open(path)?.only(&[NETWORK])?)
}

/// The network in the bytes of a `network.npz`; `path` is what messages call it.
pub fn parse_network(path: &Path, bytes: &[u8]) -> Result<Network> {
    take_network(&mut Archive::new(path, Cursor::new(bytes), bytes.len() as u64)?.only(&[NETWORK])?)
}

/// Reads what [`save_certificate`] wrote; any other array is refused. Nothing is believed: [`prove`] checks it against a
/// problem.
pub fn load_certificate(path: &Path) -> Result<Certificate> {
    take_certificate(&mut open(path)?.only(&[CERTIFICATE])?)
}

/// The certificate in the bytes of a `certificate.npz`; `path` is what messages call it.
pub fn parse_certificate(path: &Path, bytes: &[u8]) -> Result<Certificate> {
    take_certificate(&mut Archive::new(path, Cursor::new(bytes), bytes.len() as u64)?.only(&[CERTIFICATE])?)
}

pub(crate) fn open(path: &Path) -> Result<Archive<'_, BufReader<File>>> {
    let wrong = |source| Error::Io { path: path.into(), source };
    let file = File::open(path).map_err(wrong)?;
    let size = file.metadata().map_err(wrong)?.len();
    Archive::new(path, BufReader::new(file), size)
}

pub(crate) fn take_problem<R: Read + Seek>(file: &mut Archive<'_, R>) -> Result<TrainingProblem> {
    let x = if file.has(SHAPE) { sparse_features(file)? } else { file.matrix("X")?.into() };
    let y = file.matrix("Y")?;
    let (shape, gamma) = file.array::<f64>("gamma")?;
    match (shape.as_slice(), gamma.as_slice()) {
        ([] | [1], [gamma]) => TrainingProblem::new(x, y, *gamma),
        _ => Err(file.bad("gamma must be a single number")),
    }
}

/// Names of the compressed rows of sparse features.
const SHAPE: &str = "X_shape";
const INDPTR: &str = "X_indptr";
const INDICES: &str = "X_indices";
const DATA: &str = "X_data";
/// Most columns of sparse features: a file may claim any number at no cost, and some vectors have an entry for each.
const MOST_COLUMNS: usize = 1 << 24;

/// An array of one dimension that holds indices or counts.
fn numbers<R: Read + Seek>(file: &mut Archive<'_, R>, name: &str) -> Result<Vec<usize>> {
    let (shape, values) = file.array::<i64>(name)?;
    let numbers: Option<Vec<usize>> = values.iter().map(|value| usize::try_from(*value).ok()).collect();
    match (shape.len(), numbers) {
        (1, Some(numbers)) => Ok(numbers),
        _ => Err(file.bad(&format!("{name} must be a row of numbers from 0"))),
    }
}

fn sparse_features<R: Read + Seek>(file: &mut Archive<'_, R>) -> Result<Features> {
    if file.has("X") {
        return Err(file.bad("X comes with X_shape; keep either the dense or the sparse features"));
    }
    let (shape, indptr, indices) = (numbers(file, SHAPE)?, numbers(file, INDPTR)?, numbers(file, INDICES)?);
    let (data_shape, data) = file.array::<f64>(DATA)?;
    let [rows, columns] = shape[..] else { return Err(file.bad("X_shape must be two numbers")) };
    if columns > MOST_COLUMNS {
        return Err(file.bad(&format!("X_shape claims {columns} columns, more than {MOST_COLUMNS}")));
    }
    let fits = indptr.first() == Some(&0)
        && indptr.last() == Some(&indices.len())
        && indptr.len().checked_sub(1) == Some(rows)
        && data_shape.len() == 1
        && data.len() == indices.len();
    if !fits {
        return Err(file.bad("X_indptr, X_indices and X_data are not the compressed rows of X_shape"));
    }
    // Checks that offsets rise, and that the indices of a row rise and are in range.
    match CsMat::try_new((rows, columns), indptr, indices, data) {
        Ok(matrix) => Ok(matrix.into()),
        Err((.., error)) => Err(file.bad(&format!("X is not a sparse matrix: {error}"))),
    }
}

pub(crate) fn take_network<R: Read + Seek>(file: &mut Archive<'_, R>) -> Result<Network> {
    Network::new(file.matrix_of_either("U")?, file.matrix_of_either("V")?)
}

pub(crate) fn take_certificate<R: Read + Seek>(file: &mut Archive<'_, R>) -> Result<Certificate> {
    let w = file.matrix("W")?;
    if file.has("branch") {
        return claim(file, w);
    }
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
    let dual = DualPoint { w, y, pairs, n, cuts: take_forms(file, "form")? };
    Ok(match partition(file)? {
        Some(partition) => Certificate::of_blocks(dual, partition),
        None => Certificate::new(dual),
    })
}

/// A certificate of W alone: `branch` is 1, and nothing else is there that could mean something.
fn claim<R: Read + Seek>(file: &mut Archive<'_, R>, w: Mat<f64>) -> Result<Certificate> {
    let (shape, marker) = file.array::<i64>("branch")?;
    if !matches!(shape.as_slice(), [] | [1]) || marker != [1] {
        return Err(file.bad("branch must be the number 1"));
    }
    let multipliers = CERTIFICATE.iter().filter(|name| !matches!(**name, "W" | "branch"));
    match multipliers.copied().find(|name| file.has(name)) {
        Some(name) => Err(file.bad(&format!("{name} comes with branch; keep W alone or the multipliers"))),
        None => Ok(Certificate::of_claim(w)),
    }
}

/// Arrays of representations, each name with this before it.
fn form_names(prefix: &str) -> [String; 4] {
    ["target", "indptr", "index", "coef"].map(|name| format!("{prefix}_{name}"))
}

/// What [`put_forms`] wrote; no forms where there are no such arrays. Whether they are sound is for others to say.
pub(crate) fn take_forms<R: Read + Seek>(file: &mut Archive<'_, R>, prefix: &str) -> Result<CutForms> {
    let names = form_names(prefix);
    if names.iter().all(|name| !file.has(name)) {
        return Ok(CutForms::new());
    }
    let (target, offsets, index) =
        (numbers(file, &names[0])?, numbers(file, &names[1])?, numbers(file, &names[2])?);
    let (shape, coefficient) = file.array::<f64>(&names[3])?;
    if shape.len() != 1 {
        return Err(file.bad(&format!("{} must have one dimension", names[3])));
    }
    CutForms::from_rows(target, &offsets, index, coefficient)
}

fn partition<R: Read + Seek>(file: &mut Archive<'_, R>) -> Result<Option<Partition>> {
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
        (shape, values) if shape.len() == 3 && shape[0] == partition.count() && shape[1] == shape[2] => {
            let order = shape[1];
            let entry = |k: usize, i: usize, j: usize| values[(k * order + i) * order + j];
            let heads = (0..shape[0]).map(|k| Mat::from_fn(order, order, |i, j| entry(k, i, j))).collect();
            partition.with_heads(heads).map(Some)
        }
        _ => Err(file.bad("head must be a row of square matrices, one for each block")),
    }
}

/// Proves a saved certificate again from `problem.npz` and `certificate.npz` in a folder.
pub fn verify(folder: &Path) -> Result<Proof> {
    let problem = load_problem(&folder.join("problem.npz"))?;
    let certificate = load_certificate(&folder.join("certificate.npz"))?;
    prove(&problem, &certificate)
}

/// Representations in CSR, under names that begin with the prefix.
pub(crate) fn put_forms(out: &mut Writer<'_>, prefix: &str, cuts: &CutForms) -> io::Result<()> {
    let count = cuts.len() as u64;
    let entries = [cuts.indices().len() as u64];
    let [target, offsets, index, coefficient] = form_names(prefix);
    array(out, &target, &[count], cuts.targets().iter().map(|k| *k as i64))?;
    array(out, &offsets, &[count + 1], cuts.offsets().map(|offset| offset as i64))?;
    array(out, &index, &entries, cuts.indices().iter().map(|i| *i as i64))?;
    array(out, &coefficient, &entries, cuts.coefficients().iter().copied())
}

fn compressed_rows(out: &mut Writer<'_>, x: &CsMat<f64>) -> io::Result<()> {
    let lengths = x.outer_iterator().map(|row| row.nnz() as i64);
    let mut end = 0;
    let ends: Vec<i64> = std::iter::once(0)
        .chain(lengths.map(|length| {
            end += length;
            end
        }))
        .collect();
    let entries = [x.nnz() as u64];
    array(out, SHAPE, &[2], [x.rows() as i64, x.cols() as i64].into_iter())?;
    array(out, INDPTR, &[x.rows() as u64 + 1], ends.into_iter())?;
    array(out, INDICES, &entries, x.indices().iter().map(|j| *j as i64))?;
    array(out, DATA, &entries, x.data().iter().copied())
}

/// Where an archive can be written: a file, or bytes in memory.
pub(crate) trait Output: Write + Seek {}

impl<T: Write + Seek> Output for T {}

pub(crate) type Writer<'a> = ZipWriter<&'a mut dyn Output>;

pub(super) fn write(path: &Path, fill: impl FnOnce(&mut Writer<'_>) -> io::Result<()>) -> Result<()> {
    write_anew(path, |out| archive(out, fill))
}

/// An archive filled with arrays.
pub(crate) fn archive(
    out: &mut dyn Output,
    fill: impl FnOnce(&mut Writer<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut archive = Writer::new(out);
    fill(&mut archive)?;
    archive.finish()?;
    Ok(())
}

/// Stored, with the zip format's first day as its date: the same data gives the same bytes.
fn options() -> FileOptions {
    let options = FileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    options.last_modified_time(DateTime::default()).unix_permissions(0o644)
}

pub(crate) fn matrix(out: &mut Writer<'_>, name: &str, values: MatRef<'_, f64>) -> io::Result<()> {
    let rows = (0..values.nrows()).flat_map(|i| (0..values.ncols()).map(move |j| values[(i, j)]));
    array(out, name, &[values.nrows() as u64, values.ncols() as u64], rows)
}

pub(crate) fn array<T: AutoSerialize>(
    out: &mut Writer<'_>,
    name: &str,
    shape: &[u64],
    values: impl Iterator<Item = T>,
) -> io::Result<()> {
    out.start_file(file_name_from_array_name(name), options())?;
    let mut writer = WriteOptions::new().default_dtype().shape(shape).writer(out).begin_nd()?;
    writer.extend(values)?;
    writer.finish()
}
