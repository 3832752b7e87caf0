//! Ctrl-C: once to end with the best bound so far, twice to leave at once.

use relucert::{Control, Error};
use std::io::Write;

/// Raises the flag of `control` on the first interrupt or termination signal; exits with 130 on the second.
pub(super) fn install(control: &Control) -> Result<(), Error> {
    let control = control.clone();
    ctrlc::set_handler(move || {
        if control.is_cancelled() {
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
