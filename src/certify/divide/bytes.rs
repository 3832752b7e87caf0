//! Tasks and outcomes of blocks as bytes, to be sent to other processes: one .npz archive each, with settings and figures
//! as JSON in it. For workers of the same version of the crate.

use super::task::Work;
use super::{BlockOutcome, BlockTask};
use crate::certify::certified::check_network;
use crate::certify::checkpoint::{STATE, put_state, take_state};
use crate::certify::relax::WarmStart;
use crate::certify::report::BlockFigures;
use crate::certify::settings::CertifySettings;
use crate::error::{Error, Result};
use crate::io::archive::Archive;
use crate::io::files::{
    Writer, archive, array, matrix, put_certificate, put_network, put_problem, take_certificate,
    take_network, take_problem,
};
use crate::io::members::{CERTIFICATE, NETWORK, PROBLEM};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Cursor, Read, Seek};
use std::path::Path;

/// The layout of both.
const SCHEMA: u32 = 1;

/// The arrays beside those of problem, network, certificate and the solver's state.
const OWN: &[&str] = &["json", "price", "moments"];

/// What is not an array of a task.
#[derive(Serialize, Deserialize)]
struct TaskText {
    schema: u32,
    block: usize,
    blocks: usize,
    settings: CertifySettings,
    /// Whether the value alone is asked for.
    value: bool,
}

/// What is not an array of an outcome.
#[derive(Serialize, Deserialize)]
struct OutcomeText {
    schema: u32,
    block: usize,
    blocks: usize,
    figures: BlockFigures,
    price_bound: f64,
}

impl BlockTask {
    /// The whole task; nothing else is needed where it is solved. As large as the block's samples, the network, and where
    /// the solver has ended before.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (block, blocks, settings) = (self.block, self.blocks, self.settings.clone());
        let value = matches!(self.work, Work::Value);
        let text = json(&TaskText { schema: SCHEMA, block, blocks, settings, value })?;
        bytes("a task", |out| {
            array(out, "json", &[text.len() as u64], text.iter().copied())?;
            put_problem(out, &self.problem)?;
            put_network(out, &self.network)?;
            let Work::Priced { price, start } = &self.work else { return Ok(()) };
            matrix(out, "price", price.as_ref())?;
            start.as_ref().map_or(Ok(()), |start| put_start(out, start))
        })
    }

    /// The task in what [`to_bytes`](Self::to_bytes) gave; everything is checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let file = &mut open("a task of a block", bytes, &[PROBLEM, NETWORK, STATE, OWN])?;
        let TaskText { schema, block, blocks, settings, value } = text(file)?;
        check_numbers(file, schema, block, blocks)?;
        settings.validate()?;
        let (problem, network) = (take_problem(file)?, take_network(file)?);
        check_network(&problem, &network)?;
        let work = match (value, file.has("price")) {
            (false, false) => Work::Bound,
            (true, false) => Work::Value,
            (false, true) => {
                let price = file.matrix("price")?;
                let order = problem.inputs() + problem.outputs();
                let start = take_start(file)?;
                if price.shape() != (order, order)
                    || start.as_ref().is_some_and(|start| !start.fits(&problem))
                {
                    return Err(file.bad("the price or the warm start does not fit the samples"));
                }
                Work::Priced { price, start: start.map(Box::new) }
            }
            (true, true) => return Err(file.bad("a value that is asked for alone has no price")),
        };
        Ok(Self { block, blocks, problem, network, settings, work, round: None })
    }
}

impl BlockOutcome {
    /// The whole outcome.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (block, blocks, figures, price_bound) = (self.block, self.blocks, self.figures, self.price_bound);
        let text = json(&OutcomeText { schema: SCHEMA, block, blocks, figures, price_bound })?;
        bytes("an outcome", |out| {
            array(out, "json", &[text.len() as u64], text.iter().copied())?;
            put_certificate(out, &self.certificate)?;
            self.warm_start.as_ref().map_or(Ok(()), |start| put_start(out, start))
        })
    }

    /// The outcome in what [`to_bytes`](Self::to_bytes) gave. Shapes and ranges are checked; what it says of its bound is a
    /// claim that is proved again where it is received.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let file = &mut open("an outcome of a block", bytes, &[CERTIFICATE, STATE, OWN])?;
        let OutcomeText { schema, block, blocks, figures, price_bound } = text(file)?;
        check_numbers(file, schema, block, blocks)?;
        let (certificate, warm_start) = (take_certificate(file)?, take_start(file)?);
        let outcome = Self::recalled(block, blocks, certificate, figures);
        Ok(Self { price_bound, warm_start, ..outcome })
    }
}

fn put_start(out: &mut Writer<'_>, start: &WarmStart) -> io::Result<()> {
    matrix(out, "moments", start.moments.as_ref())?;
    put_state(out, &start.state)
}

fn take_start<R: Read + Seek>(file: &mut Archive<'_, R>) -> Result<Option<WarmStart>> {
    if !file.has("moments") {
        return Ok(None);
    }
    let (moments, state) = (file.matrix("moments")?, take_state(file)?);
    let state = state.ok_or_else(|| file.bad("the solver's state is not one"))?;
    Ok(Some(WarmStart { state, moments }))
}

fn bytes(what: &str, fill: impl FnOnce(&mut Writer<'_>) -> io::Result<()>) -> Result<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    archive(&mut out, fill).map_err(|source| Error::Io { path: what.into(), source })?;
    Ok(out.into_inner())
}

fn open<'a>(what: &'a str, bytes: &'a [u8], known: &[&[&str]]) -> Result<Archive<'a, Cursor<&'a [u8]>>> {
    Archive::new(Path::new(what), Cursor::new(bytes), bytes.len() as u64)?.only(known)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Input(format!("cannot be written as JSON: {error}")))
}

fn text<T: DeserializeOwned, R: Read + Seek>(file: &mut Archive<'_, R>) -> Result<T> {
    let (_, text) = file.array::<u8>("json")?;
    serde_json::from_slice(&text)
        .map_err(|error| file.bad(&format!("not the JSON that belongs here: {error}")))
}

fn check_numbers<R: Read + Seek>(
    file: &Archive<'_, R>,
    schema: u32,
    block: usize,
    blocks: usize,
) -> Result<()> {
    match schema == SCHEMA {
        false => Err(file.bad(&format!("layout {schema} is not the layout {SCHEMA} of this version"))),
        true if block >= blocks => Err(file.bad(&format!("there is no block {block} of {blocks}"))),
        true => Ok(()),
    }
}
