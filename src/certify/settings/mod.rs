//! Settings of a whole run.

mod checkpoint;
mod method;
mod text;

pub use checkpoint::Checkpoint;
pub use method::Method;
pub(crate) use method::ROWS_WITH_CUTS;

use crate::branch::BranchSettings;
use crate::certificate::{ProofSettings, share_of_probability};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::low_rank::SolverSettings;
use crate::relaxation::cuts::Cuts;
use crate::system::stream::{Purpose, derived};
use crate::training::TrainingSettings;

/// Samples that one factor takes on before the problem is divided, where its slack is dense (51 s, measured:
/// `docs/mathematics.md`, section 4).
const WHOLE: usize = 5_000;
/// Samples of a block: the more, the less is lost, but the work of all blocks grows like their power 0.9
/// (measured on teacher data).
const BLOCK: usize = 1_750;

/// Samples of a block of sparse features; where there are fewer features than twice this, [`BLOCK`] holds. The work grows
/// like the cube of the samples (measured: `docs/mathematics.md`, section 8).
const WIDE: usize = 250;

/// How many blocks of samples a problem is divided into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Blocks {
    /// One up to 5,000 samples, and up to 100,000 where nothing takes a matrix of their order: without cuts and prices, and
    /// features in the tens. Otherwise, and where memory or time are short for that, as few as keep a block at 1,750 samples
    /// or below; with more than 500 sparse features one up to 500 samples, then 250 a block; more where they are still short.
    #[default]
    Auto,
    /// As many as given, from 1 to half the number of samples.
    Count(usize),
}

impl Blocks {
    /// The number of blocks that n samples are divided into where a block takes matrices of its order.
    pub fn count(self, samples: usize) -> Result<usize> {
        match self {
            Self::Auto if samples <= WHOLE => Ok(1),
            Self::Auto => Ok(samples.div_ceil(BLOCK)),
            Self::Count(1) => Ok(1),
            Self::Count(count) if count >= 1 && count <= samples / 2 => Ok(count),
            Self::Count(count) => Err(Error::Parameter {
                name: "blocks",
                value: count.to_string(),
                range: "between 1 and half the number of samples",
            }),
        }
    }

    /// The number of blocks for sparse features. A block with more features than samples is solved in as many features as
    /// it has samples, and all its matrices are dense in them.
    pub(crate) fn count_sparse(self, samples: usize, inputs: usize) -> Result<usize> {
        match self {
            Self::Auto if samples <= 2 * WIDE => Ok(1),
            Self::Auto if inputs > 2 * WIDE => Ok(samples.div_ceil(WIDE)),
            _ => self.count(samples),
        }
    }
}

/// Most rounds of prices of [`Prices::Auto`] (conventional; the tolerance mostly ends them earlier).
const PRICE_ROUNDS: usize = 20;

/// Whether blocks trade weight decay with each other once they are solved, to win back part of what dividing lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Prices {
    /// No.
    #[default]
    None,
    /// As long as a round raises the bound by more than the tolerance, at most twenty.
    Auto,
    /// At most the number given, fewer where nothing is left to win.
    Rounds(usize),
}

impl Prices {
    /// Most rounds.
    pub(crate) fn rounds(self) -> usize {
        match self {
            Self::None => 0,
            Self::Auto => PRICE_ROUNDS,
            Self::Rounds(rounds) => rounds,
        }
    }

    /// A round that wins less than this part of the bound is the last.
    pub(crate) fn least_gain(self, tolerance: f64) -> f64 {
        match self {
            Self::None | Self::Auto => tolerance,
            Self::Rounds(_) => 1e-3 * tolerance,
        }
    }
}

/// Settings of [`certify()`](crate::certify()).
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct CertifySettings {
    /// Relative gap to reach: by branch and bound between network and bound, by the relaxation between its value and the
    /// bound. Default 1e-3, in (0, 1).
    pub tolerance: f64,
    /// Seed of everything random. Default 0.
    pub seed: u64,
    /// Blocks of samples to divide the problem into. Default [`Blocks::Auto`].
    pub blocks: Blocks,
    /// Rounds of prices between blocks. Default [`Prices::None`].
    pub prices: Prices,
    /// Sublinear forms beyond the published relaxation. Default [`Cuts::None`].
    pub cuts: Cuts,
    /// The method by which the bound is found. Default [`Method::Auto`].
    pub method: Method,
    /// What branch and bound may cost. Default [`BranchSettings::default`].
    pub branch: BranchSettings,
    /// Settings of the low-rank solver; its final smoothing is lowered to suit the tolerance.
    pub solver: SolverSettings,
    /// Settings of the training of networks; the seed above replaces theirs.
    pub training: TrainingSettings,
    /// Settings of the proof.
    pub proof: ProofSettings,
    /// Bytes that the process may take. Default none: what the system has free. A run that is estimated to need more is
    /// refused before it starts; blocks run side by side as far as they fit, which does not change the result.
    pub memory_limit: Option<u64>,
    /// Where to keep what was done, to go on from there after an interruption. Default none.
    pub checkpoint: Option<Checkpoint>,
}

impl Default for CertifySettings {
    fn default() -> Self {
        Self {
            tolerance: 1e-3,
            seed: 0,
            blocks: Blocks::Auto,
            prices: Prices::None,
            cuts: Cuts::None,
            method: Method::Auto,
            branch: BranchSettings::default(),
            solver: SolverSettings::default(),
            training: TrainingSettings::default(),
            proof: ProofSettings::default(),
            memory_limit: None,
            checkpoint: None,
        }
    }
}

impl CertifySettings {
    /// Settings of proof `number` of `parts` that share the failure probability, of what the run itself has made: in the
    /// time that is left, and from a stream of the run's seed, so that the same seed gives the same bits.
    pub(crate) fn making(&self, number: usize, parts: usize, control: &Control) -> ProofSettings {
        let seed = self.proof.seed.unwrap_or(self.seed);
        ProofSettings {
            failure_probability: share_of_probability(self.proof.failure_probability, parts),
            time: control.remaining().or(self.proof.time),
            seed: Some(derived(seed, Purpose::BlockProof, number as u64)),
            ..self.proof.clone()
        }
    }

    /// Refuses a value out of its range, here and in all settings within: [`certify()`](crate::certify()) asks before
    /// anything is spent.
    pub fn validate(&self) -> Result<()> {
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return Err(Error::Parameter {
                name: "tolerance",
                value: format!("{:?}", self.tolerance),
                range: "between 0 and 1",
            });
        }
        if self.blocks == Blocks::Count(0) {
            let range = "between 1 and half the number of samples";
            return Err(Error::Parameter { name: "blocks", value: "0".into(), range });
        }
        if self.memory_limit == Some(0) {
            let value = "0".into();
            return Err(Error::Parameter { name: "memory_limit", value, range: "at least one byte" });
        }
        self.solver.check()?;
        self.training.validate()?;
        self.proof.validate()?;
        if self.prices != Prices::None && self.cuts != Cuts::None {
            return Err(Error::Input("prices and cuts do not go together; leave out one of the two".into()));
        }
        let divided = !matches!(self.blocks, Blocks::Auto | Blocks::Count(1));
        if self.method == Method::Branch
            && (divided || self.prices != Prices::None || self.cuts != Cuts::None)
        {
            let text = "branch and bound takes no blocks, prices or cuts; leave them out or take --method relaxation";
            return Err(Error::Input(text.into()));
        }
        Ok(())
    }
}
