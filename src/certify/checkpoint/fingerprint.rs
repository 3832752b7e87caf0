//! What must agree for a run to go on from a checkpoint.

use crate::certify::settings::{Blocks, CertifySettings, Checkpoint};
use crate::error::{Error, Result};
use crate::problem::{Features, Network, TrainingProblem};
use std::fmt::Debug;

/// What has to agree, as messages call it; a fingerprint has a number for each.
const NAMES: [&str; 6] = [
    "version of the program",
    "features or targets",
    "weight decay",
    "number of blocks",
    "network",
    "settings",
];

/// The place of the number of blocks.
const BLOCKS: usize = 3;

/// Numbers that differ where runs do.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fingerprint([u64; NAMES.len()]);

impl Fingerprint {
    /// The fingerprint of a run; `given` is a network that came from elsewhere.
    pub(super) fn new(
        problem: &TrainingProblem,
        given: Option<&Network>,
        settings: &CertifySettings,
        blocks: usize,
    ) -> Self {
        // What does not change the result, and the blocks, whose number is told by itself.
        let settings = CertifySettings {
            memory_limit: None,
            checkpoint: None,
            blocks: Blocks::Count(blocks),
            ..settings.clone()
        };
        Self([
            text(&env!("CARGO_PKG_VERSION")),
            data(problem),
            problem.weight_decay().to_bits(),
            blocks as u64,
            given.map_or(0, network),
            text(&settings),
        ])
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.0.into_iter()
    }

    pub(super) fn count(&self) -> u64 {
        NAMES.len() as u64
    }

    /// The number of blocks among the numbers in a file; none where they are not of this version's length.
    pub(super) fn blocks(found: &[u64]) -> Option<usize> {
        (found.len() == NAMES.len()).then(|| usize::try_from(found[BLOCKS]).ok())?
    }

    /// Refuses the numbers of another run.
    pub(super) fn check(&self, found: &[u64], checkpoint: &Checkpoint) -> Result<()> {
        let differs = match found.len() == NAMES.len() {
            true => NAMES.iter().zip(self.0.iter().zip(found)).find(|(_, (here, there))| here != there),
            false => Some((&NAMES[0], (&0, &0))),
        };
        match differs {
            None => Ok(()),
            Some((name, _)) => Err(Error::Input(format!(
                "{}: a checkpoint of another run, with another {name}; name a new file, or remove this one",
                checkpoint.path.display()
            ))),
        }
    }
}

/// Fowler–Noll–Vo (FNV-1a, 64 bits) over words: to tell runs apart, not to keep anybody out.
struct Hash(u64);

impl Hash {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, word: u64) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn matrix(&mut self, matrix: faer::MatRef<'_, f64>) {
        self.add(matrix.nrows() as u64);
        self.add(matrix.ncols() as u64);
        matrix.col_iter().for_each(|column| column.iter().for_each(|value| self.add(value.to_bits())));
    }
}

fn data(problem: &TrainingProblem) -> u64 {
    let mut hash = Hash::new();
    match problem.stored_features() {
        Features::Dense(matrix) => hash.matrix(matrix.as_ref()),
        Features::Sparse(matrix) => {
            hash.add(matrix.rows() as u64);
            hash.add(matrix.cols() as u64);
            for (value, (row, column)) in matrix {
                [row as u64, column as u64, value.to_bits()].into_iter().for_each(|word| hash.add(word));
            }
        }
    }
    hash.matrix(problem.targets());
    hash.0
}

fn network(network: &Network) -> u64 {
    let mut hash = Hash::new();
    hash.matrix(network.hidden());
    hash.matrix(network.output());
    hash.0
}

/// Of everything that the debugging text shows.
fn text(value: &impl Debug) -> u64 {
    let mut hash = Hash::new();
    format!("{value:?}").bytes().for_each(|byte| hash.add(u64::from(byte)));
    hash.0
}
