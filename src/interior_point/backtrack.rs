//! Earlier points to return to.

use super::point::Point;
use crate::relaxation::PairKey;

/// Relative gap of the first point kept to return to; the others follow at a third of the one before.
const FIRST_BACKTRACK: f64 = 0.3;
/// An earlier point, to return to when pairs turn out violated too late.
pub(super) struct BacktrackPoint {
    pub distance: f64,
    pub point: Point,
    pub keys: Vec<PairKey>,
}

impl BacktrackPoint {
    /// Whether a point at this distance is well ahead of the last one kept.
    pub fn is_due(earlier: &[Self], distance: f64) -> bool {
        distance < earlier.last().map_or(FIRST_BACKTRACK, |last| 0.3 * last.distance)
    }
}
