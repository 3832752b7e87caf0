//! Questions that the literature left open, answered with certified optima at hand; `docs/experiments` reads the answers.
//!
//! `cargo run --release --example experiments -- NAME [FOLDER]`, NAME one of
//!
//! - `ratio`: the relaxation's value over the certified optimum, against n, d, c, γ/n and noise;
//! - `width`: the best objective with at most m neurons, and the width of certified optimal networks;
//! - `descent`: how wide networks must be for descent from random weights to reach within 1 % of the optimum;
//! - `rounding`: three-operator splitting and polishing, from which relaxations;
//! - `patterns`: activation patterns that change during gradient descent;
//! - `regularisation`: test error against weight decay and width;
//! - `stationary`: stationary points of descent over the certified optimum, against n.
//!
//! Each writes NAME.csv and NAME.svg to FOLDER (docs/experiments without one) and prints a table; each takes at most three
//! minutes of processor time.

mod data;
mod descent;
mod lbfgs;
mod patterns;
mod picture;
mod ratio;
mod regularisation;
mod rounding;
mod stationary;
mod table;
mod width;

use std::path::PathBuf;

type Done = Result<(), Box<dyn std::error::Error>>;

/// Where a study puts what it finds.
struct Output {
    folder: PathBuf,
    name: String,
}

impl Output {
    fn write(&self, extension: &str, text: &str) -> Done {
        std::fs::create_dir_all(&self.folder)?;
        Ok(std::fs::write(self.folder.join(format!("{}.{extension}", self.name)), text)?)
    }
}

/// Its name, and what runs it.
type Study = (&'static str, fn(&Output) -> Done);

const STUDIES: [Study; 7] = [
    ("ratio", ratio::run),
    ("width", width::run),
    ("descent", descent::run),
    ("rounding", rounding::run),
    ("patterns", patterns::run),
    ("regularisation", regularisation::run),
    ("stationary", stationary::run),
];

fn main() -> Done {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let folder = arguments.next().unwrap_or_else(|| "docs/experiments".into());
    let Some((_, run)) = STUDIES.iter().find(|(known, _)| *known == name) else {
        let names = STUDIES.map(|(name, _)| name).join(", ");
        return Err(format!("'{name}': no such study; name one of {names}").into());
    };
    run(&Output { folder: folder.into(), name })
}
