//! Data by name: a built-in set or a file.

use super::{CsvOptions, Dataset, parse_csv, read_csv};
use crate::{Error, Result};
use std::path::Path;

/// Names of the data sets that come with the crate; `datasets/README.md` has their sources and licences.
pub const BUILT_IN: [&str; 1] = ["iris"];

const IRIS: &str = include_str!("../../datasets/iris.csv");

/// Loads a built-in data set by its name, or else a CSV file by its path.
///
/// A file that has the name of a built-in set is reached as `./iris`.
pub fn load(name: &str, options: &CsvOptions) -> Result<Dataset> {
    if name == "iris" {
        return parse_csv(IRIS.as_bytes(), name, options);
    }
    let path = Path::new(name);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if ["svm", "libsvm", "svmlight"].contains(&extension) {
        return Err(Error::Input(format!("{name}: svmlight files are not read yet; convert it to CSV")));
    }
    if !path.exists() {
        return Err(Error::Input(format!(
            "{name}: no such file, nor a built-in data set ({})",
            BUILT_IN.join(", ")
        )));
    }
    if path.is_dir() {
        return Err(Error::Input(format!("{name}: a directory; name a CSV file in it")));
    }
    read_csv(path, options)
}
