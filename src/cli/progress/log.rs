//! A log in a file: a line for every step, there as soon as the step is.

use crate::cli::complain;
use relucert::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A text file that grows; where it can no longer be written, that is said once and the run goes on.
pub(in crate::cli) struct Log {
    file: Option<File>,
    path: PathBuf,
}

impl Log {
    /// Begins the file anew, with a heading.
    pub(super) fn create(path: &Path, heading: &str) -> Result<Self> {
        let mut file = File::create(path).map_err(|source| Error::Io { path: path.into(), source })?;
        writeln!(file, "{heading}").map_err(|source| Error::Io { path: path.into(), source })?;
        Ok(Self { file: Some(file), path: path.into() })
    }

    pub(in crate::cli) fn line(&mut self, text: &str) {
        let written = self.file.as_mut().map(|file| writeln!(file, "{text}"));
        if let Some(Err(error)) = written {
            self.file = None;
            complain(&format!("{}: {error}; the log ends here", self.path.display()));
        }
    }
}
