//! Tasks and outcomes of blocks as folders: .npz archives as everywhere, and JSON for settings and figures.

use super::task::Work;
use super::{BlockOutcome, BlockTask};
use crate::certify::report::BlockFigures;
use crate::certify::settings::CertifySettings;
use crate::error::{Error, Result};
use crate::io::whole::write_whole;
use crate::io::{load_certificate, load_network, load_problem, save_certificate, save_network, save_problem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Read;
use std::path::Path;

/// Longest JSON file that is read; honest ones are a thousandth of it.
const LONGEST: u64 = 1 << 20;

/// `task.json`.
#[derive(Serialize, Deserialize)]
struct TaskFile {
    schema: u32,
    block: usize,
    blocks: usize,
    settings: CertifySettings,
}

/// `outcome.json`.
#[derive(Serialize, Deserialize)]
struct OutcomeFile {
    schema: u32,
    block: usize,
    blocks: usize,
    figures: BlockFigures,
}

/// The layout of both files.
const SCHEMA: u32 = 1;

impl BlockTask {
    /// Writes `problem.npz`, `network.npz` and, last, `task.json` into a folder that is there, each whole or not at all.
    pub fn save(&self, folder: &Path) -> Result<()> {
        save_problem(&folder.join("problem.npz"), &self.problem)?;
        save_network(&folder.join("network.npz"), &self.network)?;
        let (block, blocks, settings) = (self.block, self.blocks, self.settings.clone());
        write_json(&folder.join("task.json"), &TaskFile { schema: SCHEMA, block, blocks, settings })
    }

    /// Reads what [`save`](Self::save) wrote. Everything is checked; that it is the task that was meant is for
    /// [`Division::gather`](super::Division::gather) to find out.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("task.json");
        let TaskFile { schema, block, blocks, settings } = read_json(&path)?;
        check_numbers(&path, schema, block, blocks)?;
        settings.validate()?;
        let problem = load_problem(&folder.join("problem.npz"))?;
        let network = load_network(&folder.join("network.npz"))?;
        crate::certify::certified::check_network(&problem, &network)?;
        Ok(Self { block, blocks, problem, network, settings, work: Work::Bound, round: None })
    }
}

impl BlockOutcome {
    /// Writes `certificate.npz` and, last, `outcome.json` into a folder that is there, each whole or not at all.
    pub fn save(&self, folder: &Path) -> Result<()> {
        save_certificate(&folder.join("certificate.npz"), &self.certificate)?;
        let (block, blocks, figures) = (self.block, self.blocks, self.figures);
        write_json(&folder.join("outcome.json"), &OutcomeFile { schema: SCHEMA, block, blocks, figures })
    }

    /// Reads what [`save`](Self::save) wrote. What it says of its bound is a claim:
    /// [`Division::gather`](super::Division::gather) proves it again.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("outcome.json");
        let OutcomeFile { schema, block, blocks, figures } = read_json(&path)?;
        check_numbers(&path, schema, block, blocks)?;
        let certificate = load_certificate(&folder.join("certificate.npz"))?;
        Ok(Self::recalled(block, blocks, certificate, figures))
    }
}

fn check_numbers(path: &Path, schema: u32, block: usize, blocks: usize) -> Result<()> {
    let wrong = |what: String| Err(Error::Input(format!("{}: {what}", path.display())));
    match schema == SCHEMA {
        false => wrong(format!("layout {schema} is not the layout {SCHEMA} that this version reads")),
        true if block >= blocks => wrong(format!("there is no block {block} of {blocks}")),
        true => Ok(()),
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::Input(format!("{}: cannot be written as JSON: {error}", path.display())))?;
    write_whole(path, |file| file.write_all(&text))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let wrong = |source| Error::Io { path: path.into(), source };
    let mut text = Vec::new();
    fs::File::open(path).map_err(wrong)?.take(LONGEST).read_to_end(&mut text).map_err(wrong)?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::Input(format!("{}: not the JSON that belongs here: {error}", path.display())))
}
