//! What a proof may leave to chance: a probability, and the random numbers that it is over.

use super::ProofSettings;
use crate::error::Result;
use crate::system::stream::{Purpose, derived, generator, unforeseen};
use rand_pcg::Pcg64;

/// The failure probability of one proof, or of a part of one, and the stream that its starts are drawn from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance {
    pub(crate) probability: f64,
    /// None stands for the entropy of the operating system.
    seed: Option<u64>,
    /// Steps of Lanczos from one start.
    most_steps: usize,
    /// Whether a quarter of the steps is left to others.
    spares: bool,
}

impl Chance {
    /// All that the settings allow.
    pub(crate) fn new(settings: &ProofSettings) -> Self {
        Self::of(settings.failure_probability, settings.seed, settings.max_steps)
    }

    pub(crate) fn of(probability: f64, seed: Option<u64>, most_steps: usize) -> Self {
        Self { probability, seed, most_steps, spares: false }
    }

    /// What is left to attempt k = 0, 1, … at a certificate: δ/2, δ/4, …, less than δ together however many there are, from
    /// starts of its own. It may take three quarters of the steps, so that others, with other starts, prove it again.
    pub(crate) fn attempt(&self, k: u32) -> Self {
        let probability = self.probability * 0.5f64.powi(k.min(500) as i32 + 1);
        Self { probability, spares: true, ..self.derived(Purpose::Attempt, k.into()) }
    }

    /// What is left to one block of several: the same to each, not more than the whole together.
    pub(crate) fn block(&self, block: usize, count: usize) -> Self {
        let probability = share_of_probability(self.probability, count);
        Self { probability, ..self.derived(Purpose::BlockProof, block as u64) }
    }

    fn derived(&self, purpose: Purpose, number: u64) -> Self {
        Self { seed: self.seed.map(|seed| derived(seed, purpose, number)), ..*self }
    }

    /// Where the starts come from.
    pub(crate) fn generator(&self) -> Result<Pcg64> {
        self.seed.map_or_else(unforeseen, |seed| Ok(generator(seed, Purpose::Proof, 0)))
    }

    /// Most steps from one start, where memory has room for so many vectors.
    pub(crate) fn steps(&self, room: usize) -> usize {
        let most = self.most_steps.min(room);
        if self.spares { most - most / 4 } else { most }
    }
}

/// p with Kp at most the probability, exactly.
pub(crate) fn share_of_probability(probability: f64, count: usize) -> f64 {
    let (share, count) = (probability / count as f64, count as f64);
    // The fused operation rounds once, so that its sign is that of Kp less the probability.
    if share.mul_add(count, -probability) > 0.0 { share.next_down() } else { share }
}
