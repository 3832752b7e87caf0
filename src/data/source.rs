//! The bytes of a data set, wherever they come from, and which reader they are for.

use super::compression::unpacked;
use super::csv_reader::parse_csv_like;
use super::npy::{parse_npy_like, parse_npz_like};
use super::svmlight::parse_svmlight_like;
use super::{BUILT_IN, CsvOptions, Dataset, Preparation, parse_csv, parse_npy, parse_npz, parse_svmlight};
use crate::data::catalogue;
use crate::error::{Error, Result};
use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

/// A file, standard input or a built-in data set, read but not yet understood.
///
/// Compressed bytes (gzip or zstd, told by their first bytes) are unpacked.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    format: Format,
    stored: Cow<'static, [u8]>,
    /// What the stored bytes hold, where they are compressed.
    unpacked: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Text,
    Svmlight,
    Npz,
    Npy,
    Parquet,
}

/// What standard input is called as a data set.
const STANDARD_INPUT: &str = "-";

impl Source {
    /// Reads `-` (standard input), a built-in set by its name, or else a file by its path.
    ///
    /// The ending tells the format: `.svm`, `.libsvm` and `.svmlight`; `.npz` and `.npy`; `.parquet`; anything else is text
    /// in columns. `.gz` and `.zst` after it do not count. Standard input is told by its first bytes. A file that has the
    /// name of a built-in set is reached as `./iris`.
    pub fn read(name: &str) -> Result<Self> {
        if let Some(bytes) = catalogue::bytes(name) {
            let (name, stored) = (name.into(), Cow::Borrowed(bytes));
            return Ok(Self { name, format: Format::Text, stored, unpacked: None });
        }
        let (name, stored) = match name {
            STANDARD_INPUT => {
                let mut bytes = Vec::new();
                let read = std::io::stdin().lock().read_to_end(&mut bytes);
                read.map_err(|source| Error::Io { path: "standard input".into(), source })?;
                ("standard input", bytes)
            }
            name => (name, file(name)?),
        };
        let unpacked = unpacked(&stored, name)?;
        let format = Format::of(name, unpacked.as_deref().unwrap_or(&stored))?;
        Ok(Self { name: name.into(), format, stored: stored.into(), unpacked })
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes as they are stored, compressed or not.
    pub fn bytes(&self) -> &[u8] {
        &self.stored
    }

    fn content(&self) -> &[u8] {
        self.unpacked.as_deref().unwrap_or(&self.stored)
    }

    /// Reads the data set.
    pub fn parse(&self, options: &CsvOptions) -> Result<Dataset> {
        let (bytes, name) = (self.content(), self.name.as_str());
        match self.format {
            Format::Text => parse_csv(bytes, name, options),
            Format::Svmlight => parse_svmlight(bytes, name, options),
            Format::Npz => parse_npz(bytes, name, options),
            Format::Npy => parse_npy(bytes, name, options),
            Format::Parquet => parse_csv(&super::parquet::as_text(bytes, name)?, name, options),
        }
    }

    /// Reads what a model takes, columns by their names, and does to it what was done to the training set.
    ///
    /// Targets are read where the file has them; else the targets of the data set have no columns. Other columns are left
    /// out, and one row is enough.
    pub fn parse_like(&self, preparation: &Preparation) -> Result<Dataset> {
        preparation.check()?;
        let (bytes, name) = (self.content(), self.name.as_str());
        let data = match self.format {
            Format::Text => parse_csv_like(bytes, name, preparation),
            Format::Svmlight => parse_svmlight_like(bytes, name, preparation),
            Format::Npz => parse_npz_like(bytes, name, preparation),
            Format::Npy => parse_npy_like(bytes, name, preparation),
            Format::Parquet => parse_csv_like(&super::parquet::as_text(bytes, name)?, name, preparation),
        };
        preparation.apply(data?).map_err(|error| match error {
            Error::Shape { .. } => Error::Input(format!("{name}: {error}")),
            other => other,
        })
    }
}

/// Reads and understands a data set: [`Source::read`], then [`Source::parse`].
pub fn load(name: &str, options: &CsvOptions) -> Result<Dataset> {
    Source::read(name)?.parse(options)
}

/// Reads what a model takes and prepares it as its training set was: [`Source::read`], then [`Source::parse_like`].
pub fn load_like(name: &str, preparation: &Preparation) -> Result<Dataset> {
    Source::read(name)?.parse_like(preparation)
}

fn file(name: &str) -> Result<Vec<u8>> {
    let path = Path::new(name);
    if !path.exists() {
        return Err(Error::Input(format!(
            "{name}: no such file, nor a built-in data set ({})",
            BUILT_IN.join(", ")
        )));
    }
    if path.is_dir() {
        return Err(Error::Input(format!("{name}: a directory; name a file in it")));
    }
    std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })
}

impl Format {
    fn of(name: &str, bytes: &[u8]) -> Result<Self> {
        let refused = |what: &str| {
            Err(Error::Input(format!("{name}: {what}; write CSV instead (pandas: DataFrame.to_csv)")))
        };
        match ending(name).as_str() {
            "svm" | "libsvm" | "svmlight" => return Ok(Self::Svmlight),
            "npz" => return Ok(Self::Npz),
            "npy" => return Ok(Self::Npy),
            "parquet" | "pq" => return Ok(Self::Parquet),
            "json" | "jsonl" | "ndjson" => return refused("JSON is not read"),
            "xlsx" | "xls" | "ods" => return refused("a spreadsheet is not read"),
            "feather" | "arrow" | "pkl" | "pickle" | "h5" | "hdf5" | "mat" => {
                return refused("this format is not read");
            }
            _ => {}
        }
        if bytes.starts_with(b"PAR1") {
            return Ok(Self::Parquet);
        }
        let text = bytes.trim_ascii_start();
        if [&b"{"[..], b"[{", b"[["].iter().any(|start| text.starts_with(start)) {
            return refused("JSON is not read");
        }
        if name != "standard input" {
            return Ok(Self::Text);
        }
        Ok(match bytes {
            [b'P', b'K', 3, 4, ..] => Self::Npz,
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Self::Npy,
            text if is_svmlight(text) => Self::Svmlight,
            _ => Self::Text,
        })
    }
}

/// The ending in lower case; that of a compressed file is the one before.
fn ending(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let plain = [".gz", ".zst"].iter().find_map(|packed| lower.strip_suffix(packed)).unwrap_or(&lower);
    Path::new(plain).extension().and_then(|ending| ending.to_str()).unwrap_or_default().into()
}

/// Whether the first line is a label and fields `index:value`.
fn is_svmlight(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let Some(Ok(line)) = line.map(std::str::from_utf8) else { return false };
    let mut fields = line.split('#').next().unwrap_or_default().split_whitespace().skip(1).peekable();
    fields.peek().is_some()
        && fields.all(|field| field.split_once(':').is_some_and(|(index, _)| index.parse::<usize>().is_ok()))
}
