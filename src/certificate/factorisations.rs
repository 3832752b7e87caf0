//! Which way a proof takes: a positive vector, a dense or a sparse factorisation, or none of these.

use super::ProofSettings;
use super::elimination::{DENSE_RATE, Elimination};
use super::positive;
use super::prove::{DENSE_LIMIT, LARGEST_ORDER};
use crate::dual::DualPoint;
use crate::error::{Error, Result};
use crate::system::memory;

/// Orders up to which the fill of a sparse factorisation is not looked at where a dense one fits.
const SMALL: usize = 1000;
/// How many times cheaper than a dense factorisation a sparse one must be to be tried before it.
const CHEAPER: f64 = 10.0;
/// Pairs for each sample up to which the fill of a sparse factorisation is looked at before a positive vector is.
const FEW_PAIRS: usize = 3;

/// What factorisations may cost, found out before the first of them takes any memory.
pub(crate) struct Limits {
    /// Greatest order of a dense one.
    dense: usize,
    sparse: bool,
    positive: bool,
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
        Self {
            dense: settings.dense_limit(),
            sparse: settings.sparse,
            positive: settings.positive,
            seconds,
            bytes,
        }
    }
}

/// Time of a dense factorisation, roughly.
fn seconds(order: usize) -> f64 {
    (order as f64).powi(3) / (3.0 * DENSE_RATE)
}

/// The ways worth trying: first a positive vector, then the sparse factorisation, then the dense one.
pub(crate) struct Factorisations {
    positive: bool,
    pub(super) sparse: Option<Elimination>,
    pub(crate) dense: bool,
    /// How a sparse factorisation is planned should the positive vector not do.
    later: Option<Later>,
}

/// Rows of the dense head, time and memory of a sparse factorisation that is not planned yet.
struct Later {
    head: usize,
    seconds: f64,
    bytes: f64,
}

impl Factorisations {
    /// For a dual point in d features; the dense matrix has `extra` rows besides the d + n.
    pub(crate) fn new(inputs: usize, dual: &DualPoint, extra: usize, limits: &Limits) -> Self {
        let (n, c) = (dual.y.len(), dual.w.ncols());
        let order = inputs + n + extra;
        let dense = order <= limits.dense;
        let by_vector = positive::seconds(n, dual.pairs.len(), inputs + c);
        let mut positive = limits.positive
            && dual.cuts.is_empty()
            && by_vector <= if dense { limits.seconds.min(seconds(order)) } else { limits.seconds };
        // Where there are so many pairs the sparse one cannot be so much cheaper.
        if !limits.sparse || (dense && (order <= SMALL || dual.pairs.len() > n * n / 8)) {
            return Self { positive, sparse: None, dense, later: None };
        }
        let most = if dense { limits.seconds.min(seconds(order) / CHEAPER) } else { limits.seconds };
        let later = Later { head: inputs + c, seconds: most, bytes: limits.bytes };
        if positive && dual.pairs.len() > FEW_PAIRS * n {
            return Self { positive, sparse: None, dense, later: Some(later) };
        }
        let sparse = later.plan(dual);
        positive &= sparse.as_ref().is_none_or(|elimination| by_vector <= elimination.seconds);
        Self { positive, sparse, dense, later: None }
    }

    /// Whether there is one at all.
    pub(crate) fn any(&self) -> bool {
        self.positive || self.dense || self.sparse.is_some()
    }

    /// Bytes that the way tried first takes, of those that take much.
    pub(super) fn bytes(&self, order: usize) -> f64 {
        match &self.sparse {
            Some(elimination) if !self.dense => elimination.bytes,
            // Linear in the pairs.
            None if !self.dense => 0.0,
            _ => 8.0 * (order as f64).powi(2),
        }
    }

    /// The first success, or the last refusal; None where there is nothing to try or nothing that can tell.
    ///
    /// The positive vector gives None where it cannot tell, and refuses what is not semidefinite.
    pub(super) fn try_each(
        &self,
        dual: &DualPoint,
        positive: impl FnOnce() -> Result<Option<()>>,
        sparse: impl FnOnce(&Elimination) -> Result<()>,
        dense: impl FnOnce() -> Result<()>,
    ) -> Result<Option<()>> {
        if self.positive && positive()?.is_some() {
            return Ok(Some(()));
        }
        let planned = self.later.as_ref().and_then(|later| later.plan(dual));
        match self.sparse.as_ref().or(planned.as_ref()) {
            Some(elimination) => match sparse(elimination) {
                Err(Error::Refused(_)) if self.dense => dense().map(Some),
                outcome => outcome.map(Some),
            },
            None if self.dense => dense().map(Some),
            None => Ok(None),
        }
    }
}

impl Later {
    fn plan(&self, dual: &DualPoint) -> Option<Elimination> {
        let elimination = Elimination::new(dual, self.head, self.bytes);
        elimination.filter(|elimination| elimination.seconds <= self.seconds)
    }
}
