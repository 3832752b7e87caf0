//! Ctrl-C: once to end with the best bound so far, twice to leave at once.

use super::files::SaveFolder;
use relucert::{Control, Error};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Held while files are written: leaving at once means leaving none half-written.
static WRITING: Mutex<()> = Mutex::new(());

/// Raises the flag of `control` on the first interrupt or termination signal; exits with 130 on the second, and takes the
/// folder away if nothing was saved in it.
pub(super) fn install(control: &Control, folder: Option<&SaveFolder>) -> Result<(), Error> {
    let (control, folder) = (control.clone(), folder.cloned());
    ctrlc::set_handler(move || {
        if control.is_cancelled() {
            // Never released: nothing may be written any more.
            let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(folder) = &folder {
                folder.discard();
            }
            std::process::exit(130);
        }
        control.cancel();
        let _ = writeln!(
            std::io::stderr(),
            "\nrelucert: ending with the best bound so far; again to exit at once"
        );
    })
    .map_err(|error| Error::Input(format!("cannot catch Ctrl-C: {error}")))
}

/// Does what no second Ctrl-C may cut short.
pub(super) fn undisturbed<T>(write: impl FnOnce() -> T) -> T {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    write()
}
