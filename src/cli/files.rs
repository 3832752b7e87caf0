//! Folders to save into.

use relucert::{Error, Result};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A folder to save into, known to be empty and writable before the work begins.
#[derive(Clone)]
pub(super) struct SaveFolder {
    path: PathBuf,
    created: bool,
}

impl SaveFolder {
    /// Makes the folder, or checks that the one there is empty; then tries it with a file.
    pub(super) fn prepare(path: &Path) -> Result<Self> {
        let fail = |source| Error::Io { path: path.into(), source };
        let created = match fs::read_dir(path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(Error::Input(format!(
                        "{}: the folder is not empty; name a new or an empty one",
                        path.display()
                    )));
                }
                false
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path).map_err(fail)?;
                true
            }
            Err(error) => return Err(fail(error)),
        };
        let folder = Self { path: path.into(), created };
        let probe = path.join(".probe");
        match File::create_new(&probe).and_then(|_| fs::remove_file(&probe)) {
            Ok(()) => Ok(folder),
            Err(source) => {
                folder.discard();
                Err(fail(source))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a folder away that was made here and is still empty.
    pub(super) fn discard(&self) {
        if self.created {
            let _ = fs::remove_dir(&self.path);
        }
    }
}
