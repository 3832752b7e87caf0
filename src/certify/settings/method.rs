//! Which of the two solvers takes a problem.

use crate::relaxation::Lifting;
use crate::relaxation::cuts::Cuts;

/// The solver of the relaxation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Method {
    /// The interior-point method where it is the cheaper of the two by a prediction from the size and from how many
    /// samples are nearly parallel, and the low-rank solver elsewhere, or where the other stalls.
    #[default]
    Auto,
    /// The low-rank factor ([`crate::low_rank`]).
    LowRank,
    /// The dense interior-point method ([`crate::interior_point`]), for small problems.
    InteriorPoint,
}

/// Rows of the interior-point method's Newton system up to which it is the cheaper way.
const ROWS: usize = 700;
/// The same where samples are nearly parallel: that costs the low-rank solver ten times the steps.
const STIFF_ROWS: usize = 2_500;
/// One in so many directions with a near neighbour (an edge of the forest) makes a problem stiff.
const STIFF_SHARE: usize = 20;
/// Pairs that the interior-point method comes to hold for each direction, about.
const PAIRS: usize = 9;
/// The same with cuts.
const PAIRS_WITH_CUTS: usize = 60;
/// Most rows with cuts, where the pairs grow from round to round: 290 MB, and some seconds an iteration.
pub(crate) const ROWS_WITH_CUTS: usize = 6_000;

impl Method {
    /// Rows of the interior-point method's Newton system for so many samples, none where it will not take them. That
    /// some are nearly parallel is not known from the sizes.
    pub(crate) fn newton_rows(self, samples: usize, outputs: usize) -> usize {
        let rows = samples * (outputs + 1 + PAIRS);
        match self {
            Self::Auto if rows <= ROWS => rows,
            Self::InteriorPoint => rows,
            Self::Auto | Self::LowRank => 0,
        }
    }

    /// The same with cuts, samples that are nearly parallel included.
    pub(crate) fn newton_rows_with_cuts(self, samples: usize, outputs: usize) -> usize {
        let rows = samples * (outputs + 1);
        let (first, last) = (rows + samples * PAIRS, rows + samples * PAIRS_WITH_CUTS);
        match self {
            Self::Auto if first <= STIFF_ROWS => last.min(ROWS_WITH_CUTS),
            // The solve without cuts may take more.
            Self::InteriorPoint => last.min(ROWS_WITH_CUTS).max(first),
            Self::Auto | Self::LowRank => 0,
        }
    }

    /// Whether the interior-point method takes this problem. With cuts the low-rank solver is slow on all of them.
    pub(crate) fn is_interior(self, lifting: &Lifting, cuts: Cuts) -> bool {
        match self {
            Self::Auto => {
                let edges = lifting.forest.parent.iter().flatten().count();
                let stiff = cuts != Cuts::None || STIFF_SHARE * edges > lifting.groups();
                let rows = lifting.fit_targets.len() + lifting.groups() * (1 + PAIRS);
                rows <= if stiff { STIFF_ROWS } else { ROWS }
            }
            Self::LowRank => false,
            Self::InteriorPoint => true,
        }
    }
}
