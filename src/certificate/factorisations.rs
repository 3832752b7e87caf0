//! Which factorisation a proof uses: a dense one, a sparse one, or none.

use super::ProofSettings;
use super::elimination::{DENSE_RATE, Elimination};
use super::prove::{DENSE_LIMIT, LARGEST_ORDER};
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::system::memory;

/// Orders up to which the fill of a sparse factorisation is not looked at where a dense one fits.
const SMALL: usize = 1000;
/// How many times cheaper than a dense factorisation a sparse one must be to be tried before it.
const CHEAPER: f64 = 10.0;

/// What factorisations may cost, found out before the first of them takes any memory.
pub(crate) struct Limits {
    /// Greatest order of a dense one.
    dense: usize,
    sparse: bool,
    /// Of a sparse one.
    seconds: f64,
    bytes: f64,
}

impl Limits {
    pub(crate) fn new(settings: &ProofSettings) -> Self {
        let seconds = match settings.time {
            Some(time) => time.as_secs_f64().max(seconds(DENSE_LIMIT)),
            None => seconds(LARGEST_ORDER as usize),
        };
        // A fifth of the memory is left for everything else.
        let bytes = 0.8 * memory::available() as f64;
        Self { dense: settings.dense_limit(), sparse: settings.sparse, seconds, bytes }
    }
}

/// Time of a dense factorisation, roughly.
fn seconds(order: usize) -> f64 {
    (order as f64).powi(3) / (3.0 * DENSE_RATE)
}

/// The factorisations worth trying, the sparse one first.
pub(crate) struct Factorisations {
    pub(super) sparse: Option<Elimination>,
    pub(crate) dense: bool,
}

impl Factorisations {
    /// For a dual point in d features; the dense matrix has `extra` rows besides the d + n.
    pub(crate) fn new(inputs: usize, dual: &DualPoint, extra: usize, limits: &Limits) -> Self {
        let (n, c) = (dual.y.len(), dual.w.ncols());
        let order = inputs + n + extra;
        let dense = order <= limits.dense;
        // Where there are so many pairs the sparse one cannot be so much cheaper.
        if !limits.sparse || (dense && (order <= SMALL || dual.pairs.len() > n * n / 8)) {
            return Self { sparse: None, dense };
        }
        let most = if dense { limits.seconds.min(seconds(order) / CHEAPER) } else { limits.seconds };
        let sparse = Elimination::new(dual, inputs + c, limits.bytes);
        Self { sparse: sparse.filter(|elimination| elimination.seconds <= most), dense }
    }

    /// Whether there is one at all.
    pub(crate) fn any(&self) -> bool {
        self.dense || self.sparse.is_some()
    }

    /// The first success, or the last refusal; None where there is nothing to try.
    pub(super) fn try_each(
        &self,
        sparse: impl FnOnce(&Elimination) -> Result<()>,
        dense: impl FnOnce() -> Result<()>,
    ) -> Result<Option<()>> {
        match &self.sparse {
            Some(elimination) => match sparse(elimination) {
                Err(Error::Refused(_)) if self.dense => dense().map(Some),
                outcome => outcome.map(Some),
            },
            None if self.dense => dense().map(Some),
            None => Ok(None),
        }
    }
}
