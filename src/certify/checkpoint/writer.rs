//! Writing the file of a checkpoint, and reading what an earlier run left there.

use super::figures;
use super::fingerprint::Fingerprint;
use super::level::{self, LevelState};
use super::state::STATE;
use crate::certificate::Certificate;
use crate::certify::report::{BlockFigures, BranchFigures, Relaxed, Seconds};
use crate::certify::settings::{Blocks, CertifySettings, Checkpoint};
use crate::error::{Error, Result};
use crate::io::archive::Archive;
use crate::io::files::{
    Writer, archive, array, open, put_certificate, put_network, take_certificate, take_network,
};
use crate::io::members::{CERTIFICATE, NETWORK};
use crate::io::whole::{rewrite, try_rewrite};
use crate::problem::{Network, TrainingProblem};
use std::fs::File;
use std::io::{self, BufReader};
use std::time::Instant;

/// How far an earlier run came.
pub(crate) enum Stage {
    /// The network was trained.
    Trained,
    /// Some of the blocks were solved; those not solved have zero in the certificate and no figures. The estimate of what
    /// dividing cost is known at the end.
    Blocks { certificate: Certificate, figures: Vec<Option<BlockFigures>>, loss: Option<Option<f64>> },
    /// The solver of one factor ended a level.
    Level(Box<LevelState>),
    /// Branch and bound was under way, or ended short of the tolerance, with a bound.
    Searched { certificate: Certificate },
    /// The end, of a run in one piece.
    Done { certificate: Certificate, relaxed: Relaxed, search: Option<BranchFigures> },
}

/// What an earlier run left.
pub(crate) struct Saved {
    pub(crate) network: Network,
    pub(crate) seconds: Seconds,
    pub(crate) stage: Stage,
}

/// Keeps the file of a checkpoint.
pub(crate) struct CheckpointWriter {
    checkpoint: Checkpoint,
    fingerprint: Fingerprint,
    network: Network,
    seconds: Seconds,
    written: Instant,
    trouble: Option<String>,
}

impl CheckpointWriter {
    /// The number of blocks of the run that a file is of; none where there is no file, or one of another problem, which
    /// [`open`](Self::open) then refuses.
    pub(crate) fn blocks_in(checkpoint: &Checkpoint, problem: &TrainingProblem) -> Result<Option<usize>> {
        let mut archive = match open(&checkpoint.path) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            archive => archive?,
        };
        if !archive.has("fingerprint") {
            return Err(foreign(checkpoint));
        }
        let refused = |error: Error| damaged(checkpoint, &error.to_string());
        let blocks = Fingerprint::blocks(&archive.array::<u64>("fingerprint").map_err(refused)?.1);
        Ok(blocks.filter(|&blocks| Blocks::Count(blocks).count(problem.samples()).is_ok()))
    }

    /// Reads the file; where there is none, tries whether one can be written.
    ///
    /// Errors: a damaged file, one of another run, a place that cannot be written.
    pub(crate) fn open(
        checkpoint: &Checkpoint,
        problem: &TrainingProblem,
        given: Option<&Network>,
        settings: &CertifySettings,
        blocks: usize,
    ) -> Result<(Self, Option<Saved>)> {
        let fingerprint = Fingerprint::new(problem, given, settings, blocks);
        let saved = match open(&checkpoint.path) {
            Ok(archive) => Some(load(archive, checkpoint, &fingerprint, problem, blocks)?),
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                try_rewrite(&checkpoint.path)?;
                None
            }
            Err(error) => return Err(error),
        };
        let writer = Self {
            checkpoint: checkpoint.clone(),
            fingerprint,
            network: Network::empty(problem.inputs(), problem.outputs()),
            seconds: saved.as_ref().map_or_else(Seconds::default, |saved| saved.seconds),
            written: Instant::now(),
            trouble: None,
        };
        Ok((writer, saved))
    }

    /// Tells the network that was trained; it goes with everything that is written from now on.
    pub(crate) fn trained(&mut self, network: &Network) {
        self.network = network.clone();
    }

    /// Tells the seconds spent so far, those of earlier runs included.
    pub(crate) fn spent(&mut self, seconds: Seconds) {
        self.seconds = seconds;
    }

    /// Whether the interval has passed since the file was written.
    pub(crate) fn is_due(&self) -> bool {
        self.written.elapsed() >= self.checkpoint.interval
    }

    /// Writes the file anew. A run does not end because its checkpoint cannot be written: see [`CheckpointWriter::trouble`].
    pub(crate) fn write(&mut self, fill: impl FnOnce(&mut Writer<'_>) -> io::Result<()>) {
        let Seconds { search, solve, certify, round, .. } = self.seconds;
        let seconds = [search, solve, certify, round];
        let outcome = rewrite(&self.checkpoint.path, |out| {
            archive(out, |out| {
                array(out, "fingerprint", &[self.fingerprint.count()], self.fingerprint.numbers())?;
                array(out, "seconds", &[4], seconds.into_iter())?;
                put_network(out, &self.network)?;
                fill(out)
            })
        });
        self.written = Instant::now();
        if let Err(error) = outcome {
            self.trouble = Some(format!("the checkpoint could not be written: {error}"));
        }
    }

    /// Writes what branch and bound has come to so far: the best network, and a bound where one was proved.
    pub(crate) fn searched(&mut self, network: &Network, bound: Option<&Certificate>) {
        self.trained(network);
        self.write(|out| bound.map_or(Ok(()), |certificate| put_certificate(out, certificate)));
    }

    /// What went wrong since this was last asked.
    pub(crate) fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// The error for a file that holds what no run has written.
    pub(crate) fn damaged(&self, what: &str) -> Error {
        damaged(&self.checkpoint, what)
    }
}

fn damaged(checkpoint: &Checkpoint, what: &str) -> Error {
    Error::Input(format!(
        "{}: a damaged checkpoint ({what}); remove it to begin anew",
        checkpoint.path.display()
    ))
}

fn foreign(checkpoint: &Checkpoint) -> Error {
    Error::Input(format!("{}: not a checkpoint; name another file", checkpoint.path.display()))
}

type Input<'a> = Archive<'a, BufReader<File>>;

/// The arrays of a checkpoint beside those of a network, of a certificate and of the solver's state.
const RUN: &[&str] = &["fingerprint", "seconds", "figures", "search", "blocks", "loss", "levels"];

fn load(
    archive: Input<'_>,
    checkpoint: &Checkpoint,
    fingerprint: &Fingerprint,
    problem: &TrainingProblem,
    blocks: usize,
) -> Result<Saved> {
    let wrong = |what: &str| damaged(checkpoint, what);
    let refused = |error: Error| damaged(checkpoint, &error.to_string());
    if !archive.has("fingerprint") {
        return Err(foreign(checkpoint));
    }
    let archive = &mut archive.only(&[NETWORK, CERTIFICATE, RUN, STATE])?;
    fingerprint.check(&archive.array::<u64>("fingerprint").map_err(refused)?.1, checkpoint)?;
    let network = take_network(archive).map_err(refused)?;
    if (network.hidden().nrows(), network.output().nrows()) != (problem.inputs(), problem.outputs())
        || !network.objective_upper(problem).value().is_finite()
    {
        return Err(wrong("the network does not fit the data"));
    }
    let (_, seconds) = archive.array::<f64>("seconds").map_err(refused)?;
    let seconds: Option<Vec<f64>> = seconds.into_iter().map(figures::measure).collect();
    let Some(&[search, solve, certify, round]) = seconds.as_deref() else {
        return Err(wrong("the seconds are not four numbers"));
    };
    let seconds = Seconds { load: 0.0, search, solve, certify, round };
    let stage = if archive.has("blocks") {
        blocks_done(archive, checkpoint, problem, blocks)?
    } else if archive.has("W") {
        let certificate = certificate(archive, checkpoint, problem)?;
        if certificate.is_by_branch() && !archive.has("figures") {
            return Ok(Saved { network, seconds, stage: Stage::Searched { certificate } });
        }
        let (_, row) = archive.array::<f64>("figures").map_err(refused)?;
        let relaxed = figures::to_whole(&row).ok_or_else(|| wrong("the figures are not those of a run"))?;
        if archive.has("factor") {
            let state = level::take(archive, certificate.into_dual(), relaxed).map_err(refused)?;
            Stage::Level(Box::new(state.ok_or_else(|| wrong("the solver's state is not one"))?))
        } else {
            let search = match archive.has("search") {
                true => {
                    let (_, row) = archive.array::<f64>("search").map_err(refused)?;
                    let figures = figures::to_search(&row);
                    Some(figures.ok_or_else(|| wrong("the figures of the search are not those of one"))?)
                }
                false => None,
            };
            Stage::Done { certificate, relaxed, search }
        }
    } else {
        Stage::Trained
    };
    Ok(Saved { network, seconds, stage })
}

/// The certificate in the file, of the problem's shape. It proves nothing yet.
fn certificate(
    archive: &mut Input<'_>,
    checkpoint: &Checkpoint,
    problem: &TrainingProblem,
) -> Result<Certificate> {
    let refused = |error: Error| damaged(checkpoint, &error.to_string());
    let certificate = take_certificate(archive).map_err(refused)?;
    certificate.dual().check(problem).map_err(refused)?;
    Ok(certificate)
}

fn blocks_done(
    archive: &mut Input<'_>,
    checkpoint: &Checkpoint,
    problem: &TrainingProblem,
    blocks: usize,
) -> Result<Stage> {
    let wrong = |what: &str| damaged(checkpoint, what);
    let refused = |error: Error| damaged(checkpoint, &error.to_string());
    let certificate = certificate(archive, checkpoint, problem)?;
    let (shape, rows) = archive.array::<f64>("blocks").map_err(refused)?;
    if shape != [blocks, 1 + figures::BLOCK] || certificate.blocks() != blocks {
        return Err(wrong("the blocks are not those of the run"));
    }
    let row = |row: &[f64]| match row[0] {
        0.0 => Some(None),
        1.0 => figures::to_block(&row[1..]).filter(BlockFigures::is_settled).map(Some),
        _ => None,
    };
    let rows: Option<Vec<Option<BlockFigures>>> = rows.chunks_exact(1 + figures::BLOCK).map(row).collect();
    let figures = rows.ok_or_else(|| wrong("the figures of a block are not those of a run"))?;
    let (_, loss) = archive.array::<f64>("loss").map_err(refused)?;
    let loss = match *loss.as_slice() {
        [] => None,
        [loss] if loss.is_nan() => Some(None),
        [loss] if (0.0..1.0).contains(&loss) => Some(Some(loss)),
        _ => return Err(wrong("the loss is not a fraction")),
    };
    if loss.is_some() && figures.iter().any(Option::is_none) {
        return Err(wrong("it has come to its end with blocks unsolved"));
    }
    Ok(Stage::Blocks { certificate, figures, loss })
}
