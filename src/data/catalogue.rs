//! Data by name: a built-in set or a file.

use super::{CsvOptions, Dataset, parse_csv, parse_npy, parse_npz, parse_svmlight};
use crate::error::{Error, Result};
use std::path::Path;

/// Names of the data sets that come with the crate; `datasets/README.md` has their sources and licences.
pub const BUILT_IN: [&str; 4] = ["iris", "wine", "breast-cancer", "digits"];

const IRIS: &str = include_str!("../../datasets/iris.csv");
const WINE: &str = include_str!("../../datasets/wine.csv");
const BREAST_CANCER: &str = include_str!("../../datasets/breast_cancer.csv");
const DIGITS: &str = include_str!("../../datasets/digits.txt");
/// Pixels of a digit.
const PIXELS: usize = 64;

/// Loads a built-in data set by its name, or else a file by its path.
///
/// The ending tells the format: `.svm`, `.libsvm` and `.svmlight`; `.npz` and `.npy`; anything else is text in columns
/// (see [`parse_csv`]). A file that has the name of a built-in set is reached as `./iris`.
pub fn load(name: &str, options: &CsvOptions) -> Result<Dataset> {
    match name {
        "iris" => return parse_csv(IRIS.as_bytes(), name, options),
        "wine" => return parse_csv(WINE.as_bytes(), name, options),
        "breast-cancer" => return parse_csv(BREAST_CANCER.as_bytes(), name, options),
        "digits" => return digits(options),
        _ => (),
    }
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
    let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "svm" | "libsvm" | "svmlight" => parse_svmlight(&bytes, name, options),
        "npz" => parse_npz(&bytes, name, options),
        "npy" => parse_npy(&bytes, name, options),
        _ => parse_csv(&bytes, name, options),
    }
}

/// A line of 64 pixels in base 17, a space and the digit, for each sample.
fn digits(options: &CsvOptions) -> Result<Dataset> {
    let mut table = String::new();
    for column in 0..PIXELS {
        table += &format!("pixel_{}_{},", column / 8, column % 8);
    }
    table += "digit\n";
    for line in DIGITS.lines() {
        let (pixels, label) = line.split_at(PIXELS);
        for pixel in pixels.chars() {
            table += &format!("{},", pixel.to_digit(17).unwrap_or_default());
        }
        table += label.trim_start();
        table.push('\n');
    }
    parse_csv(table.as_bytes(), "digits", options)
}
