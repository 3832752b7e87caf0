//! Random numbers by purpose: whatever is drawn for one part of a run tells nothing of what is drawn for another.

use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::rngs::SysRng;
use rand_pcg::Pcg64;

/// What random numbers are drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Starts of the training of networks.
    Training,
    /// Starts of a training from a solution of the relaxation.
    Polish,
    /// Neurons that training adds.
    Neurons,
    /// The noise on the solver's first factor.
    Solver,
    /// Cuts and what is asked of them.
    Cuts,
    /// The division of the samples into blocks.
    Blocks,
    /// The folds of cross-validation.
    Folds,
    /// Starts of a probabilistic proof.
    Proof,
    /// An attempt at a proof, of several.
    Attempt,
    /// One block of a proof by blocks.
    BlockProof,
}

impl Purpose {
    /// Part of the seed: changing one changes every run.
    fn label(self) -> u64 {
        u64::from_be_bytes(*match self {
            Self::Training => b"training",
            Self::Polish => b"polish..",
            Self::Neurons => b"neurons.",
            Self::Solver => b"solver..",
            Self::Cuts => b"cuts....",
            Self::Blocks => b"blocks..",
            Self::Folds => b"folds...",
            Self::Proof => b"proof...",
            Self::Attempt => b"attempt.",
            Self::BlockProof => b"of block",
        })
    }
}

/// Increment and finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), a bijection of 64 bits.
const INCREMENT: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A seed for one purpose, and among the seeds of that purpose the one of this number.
pub(crate) fn derived(seed: u64, purpose: Purpose, number: u64) -> u64 {
    if purpose == Purpose::Neurons {
        return seed.wrapping_add(0x5851_f42d_4c95_7f2d_u64.wrapping_mul(number + 1));
    }
    [purpose.label(), number]
        .iter()
        .fold(mix(seed.wrapping_add(INCREMENT)), |state, word| mix((state ^ word).wrapping_add(INCREMENT)))
}

/// The generator for one purpose, and among those of that purpose the one of this number.
///
/// The streams of training are older than this function and stay what they were, so that a seed trains the network that it
/// always has; no other purpose makes its generators in their way.
pub(crate) fn generator(seed: u64, purpose: Purpose, number: u64) -> Pcg64 {
    let place = number.wrapping_mul(INCREMENT);
    match purpose {
        Purpose::Training => return Pcg64::seed_from_u64(seed.wrapping_add(place)),
        Purpose::Neurons => return Pcg64::seed_from_u64(seed ^ place),
        _ => {}
    }
    let mut state = derived(seed, purpose, number);
    let mut bytes = [0; 32];
    for word in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(INCREMENT);
        word.copy_from_slice(&mix(state).to_le_bytes());
    }
    Pcg64::from_seed(bytes)
}

/// A generator from the entropy of the operating system, which nobody can have foreseen.
pub(crate) fn unforeseen() -> Result<Pcg64> {
    Pcg64::try_from_rng(&mut SysRng).map_err(|error| {
        Error::Input(format!(
            "the system gives no random numbers ({error}); give a seed of your own (--seed)"
        ))
    })
}
