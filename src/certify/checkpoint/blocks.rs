//! The blocks done so far.

use super::{CheckpointWriter, Stage, figures};
use crate::certificate::{Certificate, Partition};
use crate::certify::report::{BlockFigures, Seconds};
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::io::files::{array, put_certificate};
use crate::problem::TrainingProblem;

/// Keeps the certificates and figures of the blocks that are done, in memory and in the file.
pub(crate) struct BlockCheckpoint {
    writer: CheckpointWriter,
    partition: Partition,
    outputs: usize,
    duals: Vec<DualPoint>,
    figures: Vec<Option<BlockFigures>>,
    loss: Option<Option<f64>>,
}

impl BlockCheckpoint {
    /// With what an earlier run has left. Errors: blocks other than those of the partition.
    pub(crate) fn new(
        writer: CheckpointWriter,
        problem: &TrainingProblem,
        partition: &Partition,
        earlier: Option<Stage>,
    ) -> Result<Self> {
        let count = partition.count();
        let (duals, figures, loss) = match earlier {
            Some(Stage::Blocks { certificate, figures, loss }) => {
                if certificate.partition().map(Partition::block) != Some(partition.block()) {
                    return Err(writer.damaged("its blocks have other samples"));
                }
                let duals = partition.split(certificate.dual());
                (duals.map_err(|error| writer.damaged(&error.to_string()))?, figures, loss)
            }
            _ => {
                let zero = |samples: Vec<usize>| DualPoint::zero(samples.len(), problem.outputs());
                (partition.members().into_iter().map(zero).collect(), vec![None; count], None)
            }
        };
        let outputs = problem.outputs();
        Ok(Self { writer, partition: partition.clone(), outputs, duals, figures, loss })
    }

    /// The certificate of a block that an earlier run has solved; a claim, like any certificate.
    pub(crate) fn solved(&self, block: usize) -> Option<(Certificate, BlockFigures)> {
        let figures = self.figures.get(block).copied().flatten()?;
        Some((Certificate::new(self.duals[block].clone()), figures))
    }

    /// The estimate of what dividing cost, where an earlier run came to its end; that may be that none is known.
    pub(crate) fn loss(&self) -> Option<Option<f64>> {
        self.loss
    }

    /// Takes a block that is done into the file, if that is due.
    pub(crate) fn record(&mut self, block: usize, certificate: &Certificate, figures: BlockFigures) {
        self.duals[block] = certificate.dual().clone();
        self.figures[block] = Some(figures);
        if self.writer.is_due() {
            self.write();
        }
    }

    /// Writes the last of a run; `loss` where it came to its end.
    pub(crate) fn finish(&mut self, loss: Option<Option<f64>>) {
        // Nothing has changed since the file was last written.
        if loss.is_none() || loss != self.loss {
            self.loss = loss.filter(|_| self.figures.iter().all(Option::is_some));
            self.write();
        }
    }

    pub(crate) fn spent(&mut self, seconds: Seconds) {
        self.writer.spent(seconds);
    }

    /// The error for what an earlier run would not have written.
    pub(crate) fn damaged(&self, error: &Error) -> Error {
        self.writer.damaged(&error.to_string())
    }

    pub(crate) fn trouble(&mut self) -> Option<String> {
        self.writer.trouble()
    }

    fn write(&mut self) {
        let dual = self.partition.stack(&self.duals, self.outputs);
        let certificate = Certificate::of_blocks(dual, self.partition.clone());
        let rows = self.figures.iter().flat_map(|figures| match figures {
            Some(figures) => std::iter::once(1.0).chain(figures::of_block(figures)).collect(),
            None => vec![0.0; 1 + figures::BLOCK],
        });
        let rows: Vec<f64> = rows.collect();
        let shape = [self.figures.len() as u64, 1 + figures::BLOCK as u64];
        let loss = self.loss.map(|loss| loss.unwrap_or(f64::NAN));
        self.writer.write(|out| {
            put_certificate(out, &certificate)?;
            array(out, "blocks", &shape, rows.iter().copied())?;
            array(out, "loss", &[u64::from(loss.is_some())], loss.into_iter())
        });
    }
}
