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
    /// Whether a positive vector and conjugate gradients may be used where that is cheaper than a factorisation or none fits,
    /// without cuts. Default true.
    pub positive: bool,
    /// Probability that a probabilistic proof may be wrong. Default 1e-9, between 1e-100 and 0.5.
    pub failure_probability: f64,
    /// Seed of the random starts, which makes a proof reproducible. Default none: the entropy of the operating system, since
    /// whoever knows the seed can hide what is wrong from the starts. [`certify()`](crate::certify()) proves what it has made
    /// itself from a stream of its own seed in place of none.
    pub seed: Option<u64>,
    /// Time that a factorisation may take, by a rough estimate and beyond a dense one of order
    /// [`DENSE_LIMIT`](super::DENSE_LIMIT); where it would take longer the proof is left to Lanczos. Default none: any.
    pub time: Option<Duration>,
    /// What a proof by branch and bound may cost. Default [`SearchSettings::default`].
    pub search: SearchSettings,
    /// Most steps of Lanczos from one start, at least 1, each of which keeps a vector of d + n numbers; making a certificate
    /// takes three quarters of them, so that a proof from other starts has room. Default 1000.
    pub max_steps: usize,
}

impl Default for ProofSettings {
    fn default() -> Self {
        Self {
            dense_limit: None,
            sparse: true,
            positive: true,
            failure_probability: 1e-9,
            seed: None,
            time: None,
            search: SearchSettings::default(),
            max_steps: 1000,
        }
    }
}

impl ProofSettings {
    /// Refuses a value out of its range.
    pub fn validate(&self) -> Result<()> {
        if !(self.failure_probability >= 1e-100 && self.failure_probability <= 0.5) {
            return Err(Error::Parameter {
                name: "failure probability",
                value: self.failure_probability.to_string(),
                range: "between 1e-100 and 0.5",
            });
        }
        if self.max_steps == 0 {
            let (name, value) = ("max_steps", self.max_steps.to_string());
            return Err(Error::Parameter { name, value, range: "at least 1" });
        }
        Ok(())
    }

    pub(crate) fn dense_limit(&self) -> usize {
        let limit = self.dense_limit.unwrap_or_else(dense_limit);
        // N³/3 operations.
        let in_time = |time: Duration| (3.0 * DENSE_RATE * time.as_secs_f64()).cbrt() as usize;
        self.time.map_or(limit, |time| limit.min(in_time(time).max(DENSE_LIMIT)))
    }
}
