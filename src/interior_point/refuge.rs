//! Earlier points to return to.

use super::point::Point;
use crate::relaxation::PairKey;

/// Relative gap of the first point kept to return to; the others follow at a third of the one before.
const FIRST_REFUGE: f64 = 0.3;
/// An earlier point, to return to when pairs turn out violated too late.
pub(super) struct Refuge {
    pub distance: f64,
    pub point: Point,
    pub keys: Vec<PairKey>,
}

impl Refuge {
    /// Whether a point at this distance is well ahead of the last one kept.
    pub fn is_due(refuges: &[Self], distance: f64) -> bool {
        distance < refuges.last().map_or(FIRST_REFUGE, |last| 0.3 * last.distance)
    }
}
