//! Parses the command line, calls the library, prints.

mod arguments;
mod certify;
mod compare;
mod convolution;
mod export;
mod files;
mod interrupt;
mod model;
pub(crate) mod path;
pub(crate) mod predict;
mod progress;
pub(crate) mod provenance;
mod reference;
mod shell;
mod synth;
mod verify;
mod version;
mod weights;

use arguments::{Arguments, Command};
use clap::Parser;
use relucert::Error;
use std::io::Write;
use std::process::ExitCode;

/// Certified to tolerance, or proved.
const SUCCESS: u8 = 0;
/// Read, and not proved: a refuted certificate, or a report that claims more than the files prove.
const UNPROVED: u8 = 1;
/// Unusable arguments or input.
const UNUSABLE: u8 = 2;
/// A valid bound that missed the tolerance.
const MISSED: u8 = 3;

pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let outcome = match &arguments.command {
        Command::Certify(options) if options.convolution.image.is_some() => convolution::run(options),
        Command::Certify(options) => certify::run(options),
        Command::Compare(options) => compare::run(options),
        Command::Reference(options) => reference::run(options),
        Command::Completions(options) => shell::completions(options),
        Command::Export(options) => export::run(options),
        Command::Man(options) => shell::man(options),
        Command::Path(options) => path::run(options),
        Command::Predict(options) => predict::run(options),
        Command::Verify(options) => verify::run(options),
        Command::Synth(options) => synth::run(options),
    };
    ExitCode::from(outcome.unwrap_or_else(|error| {
        complain(&error.to_string());
        UNUSABLE
    }))
}

/// Help and version as clap prints them; anything wrong as one line.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // A reader that hangs up early, such as `head`, has what it wanted.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        // That tip is about values that look like options, which a mistyped option is not.
        .filter(|line| !line.is_empty() && !line.starts_with("tip: to pass"))
        .collect();
    let mut line = lines.join("; ").replace(":; ", ": ");
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        line =
            "a command is missing: certify, path, predict, export, compare, reference, verify, synth teacher or synth spiral".into();
    }
    complain(&format!("{}; see --help", line.strip_prefix("error: ").unwrap_or(&line)));
    ExitCode::from(UNUSABLE)
}

/// One line on standard error, whatever the message holds.
fn complain(message: &str) {
    let printable: String =
        message.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let line: Vec<&str> = printable.split_whitespace().collect();
    let _ = writeln!(std::io::stderr(), "relucert: {}", line.join(" "));
}

/// The result, to standard output. A reader that hung up is no error.
fn print(text: &str) -> Result<(), Error> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::Io { path: "standard output".into(), source })
        }
        _ => Ok(()),
    }
}

/// The value as indented JSON and a newline.
fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::Input(format!("the result cannot be written as JSON: {error}")))?;
    Ok(text + "\n")
}
