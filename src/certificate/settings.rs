//! How much a proof may cost and what it may leave to chance.

use super::branch::SearchSettings;
use super::elimination::DENSE_RATE;
use super::prove::{DENSE_LIMIT, dense_limit};
use crate::error::{Error, Result};
use std::time::Duration;

/// Settings of a proof.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct ProofSettings {
    /// Greatest order d + n proved by a dense factorisation; the default, none, takes [`dense_limit`](super::dense_limit).
    pub dense_limit: Option<usize>,
    /// Whether a sparse factorisation may be used, where a dense one does not fit or takes ten times as long. Default true.
    pub sparse: bool,
    /// Probability that a probabilistic proof may be wrong. Default 1e-9, between 1e-100 and 0.5.
    pub failure_probability: f64,
    /// Seed of the random starts. Default 0; against a forger, one that he cannot know.
    pub seed: u64,
    /// Time that a factorisation may take, by a rough estimate and beyond a dense one of order
    /// [`DENSE_LIMIT`](super::DENSE_LIMIT); where it would take longer the proof is left to Lanczos. Default none: any.
    pub time: Option<Duration>,
    /// What a proof by branch and bound may cost. Default [`SearchSettings::default`].
    pub search: SearchSettings,
    /// Most steps of Lanczos from one start, each of which keeps a vector of d + n numbers. Default 1000.
    pub max_steps: usize,
}

impl Default for ProofSettings {
    fn default() -> Self {
        Self {
            dense_limit: None,
            sparse: true,
            failure_probability: 1e-9,
            seed: 0,
            time: None,
            search: SearchSettings::default(),
            max_steps: 1000,
        }
    }
}

impl ProofSettings {
    pub(crate) fn check(&self) -> Result<()> {
        if self.failure_probability >= 1e-100 && self.failure_probability <= 0.5 {
            return Ok(());
        }
        Err(Error::Parameter {
            name: "failure probability",
            value: self.failure_probability.to_string(),
            range: "between 1e-100 and 0.5",
        })
    }

    pub(crate) fn dense_limit(&self) -> usize {
        let limit = self.dense_limit.unwrap_or_else(dense_limit);
        // N³/3 operations.
        let in_time = |time: Duration| (3.0 * DENSE_RATE * time.as_secs_f64()).cbrt() as usize;
        self.time.map_or(limit, |time| limit.min(in_time(time).max(DENSE_LIMIT)))
    }
}
