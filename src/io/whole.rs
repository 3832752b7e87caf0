//! The one way in which files are written: whole or not at all.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tempfile::{Builder, NamedTempFile};

/// A file that is not there yet.
pub(crate) type Unfinished = BufWriter<NamedTempFile>;

/// Writes a file whole or not at all: beside the place, on to the disk, then under its name, which the folder keeps too. Others
/// may read it as far as the umask lets them.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    write_anew(path, |out| write(out))
}

/// [`write_whole`], for what has to go back and forth.
pub(crate) fn write_anew(path: &Path, write: impl FnOnce(&mut Unfinished) -> io::Result<()>) -> Result<()> {
    part_name(path)?;
    write_through(&readable_by_others(), path, write)
}

/// Writes a file whole or not at all through a temporary file of one name, `.NAME.part`: a process that is killed leaves
/// at most that one behind, and the next one takes it away. For files that one process writes again and again.
pub(crate) fn rewrite(path: &Path, write: impl FnOnce(&mut Unfinished) -> io::Result<()>) -> Result<()> {
    let part = part_name(path)?;
    let _ = std::fs::remove_file(path.with_file_name(&part));
    let mut builder = readable_by_others();
    write_through(builder.prefix(&part).rand_bytes(0), path, write)
}

/// Whether [`rewrite`] will find a place to write.
pub(crate) fn try_rewrite(path: &Path) -> Result<()> {
    let part = path.with_file_name(part_name(path)?);
    let tried = File::create(&part).and_then(|_| std::fs::remove_file(&part));
    tried.map_err(|source| Error::Io { path: path.into(), source })
}

/// Temporary files are private by default; others shall read a certificate as far as the umask lets them.
fn readable_by_others() -> Builder<'static, 'static> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mut builder = Builder::new();
        builder.permissions(std::fs::Permissions::from_mode(0o666));
        builder
    }
    #[cfg(not(unix))]
    Builder::new()
}

fn part_name(path: &Path) -> Result<OsString> {
    let name = path.file_name().ok_or_else(|| {
        Error::Input(format!("{}: not the name of a file; name one in a folder", path.display()))
    })?;
    let mut part = OsString::from(".");
    part.push(name);
    part.push(".part");
    Ok(part)
}

fn write_through(
    temporary: &Builder<'_, '_>,
    path: &Path,
    write: impl FnOnce(&mut Unfinished) -> io::Result<()>,
) -> Result<()> {
    let wrong = |source: io::Error| Error::Io { path: path.into(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut out = BufWriter::new(temporary.tempfile_in(folder).map_err(wrong)?);
    write(&mut out).map_err(wrong)?;
    let file = out.into_inner().map_err(|error| wrong(error.into_error()))?;
    // On the disk before it takes the name of the last one, and the name too where folders can be synchronised.
    file.as_file().sync_all().map_err(wrong)?;
    file.persist(path).map_err(|error| wrong(error.error))?;
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}
