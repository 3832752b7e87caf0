//! The method by which a run proves its lower bound.

use crate::error::{Error, Result};
use crate::relaxation::Lifting;
use crate::relaxation::cuts::Cuts;

/// The method by which the lower bound is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Method {
    /// Branch and bound where a short search foretells that it ends soon; else the relaxation, and then a longer search
    /// where that left a gap. The better bound counts. Settings of the relaxation's own (blocks, prices, cuts) ask for the
    /// relaxation.
    #[default]
    Auto,
    /// Branch and bound over the hidden weights of one neuron ([`crate::branch`]), for few dimensions.
    Branch,
    /// The relaxation: the interior-point method where it is the cheaper of the two by a prediction from the size and from
    /// how many samples are nearly parallel, and the low-rank solver elsewhere, or where the other stalls.
    Relaxation,
    /// The low-rank factor (the module `low_rank`).
    LowRank,
    /// The dense interior-point method ([`crate::interior_point`]), for small problems.
    InteriorPoint,
}

/// Rows of the Newton system up to which the interior-point method is the cheaper one (measured: `docs/mathematics.md`,
/// section 4).
const ROWS: usize = 700;
/// Rows up to which it is the cheaper one where samples are nearly parallel, which costs the low-rank solver ten times the
/// steps (measured on Spiral and Iris, same place).
const STIFF_ROWS: usize = 2_500;
/// A problem counts as stiff where more than one direction in twenty has a near neighbour, an edge of the forest
/// (conventional).
const STIFF_SHARE: usize = 20;
/// Pairs that the interior-point method comes to hold for each direction, about (measured).
const PAIRS: usize = 9;
/// Pairs counted for each direction with cuts (conventional: twice what `docs/cuts.md` observes).
const PAIRS_WITH_CUTS: usize = 60;
/// Most rows with cuts, where the pairs grow from round to round: 290 MB, and some seconds an iteration.
pub(crate) const ROWS_WITH_CUTS: usize = 6_000;

impl Method {
    /// Rows of the interior-point method's Newton system for n samples, 0 where it will not take them. Whether samples are
    /// nearly parallel cannot be told from the sizes.
    pub(crate) fn newton_rows(self, samples: usize, outputs: usize) -> usize {
        let rows = samples * (outputs + 1 + PAIRS);
        match self {
            Self::Auto | Self::Relaxation if rows <= ROWS => rows,
            Self::InteriorPoint => rows,
            _ => 0,
        }
    }

    /// Rows of the Newton system with cuts, for problems with nearly parallel samples too; 0 where it will not take them.
    pub(crate) fn newton_rows_with_cuts(self, samples: usize, outputs: usize) -> usize {
        let rows = samples * (outputs + 1);
        let (first, last) = (rows + samples * PAIRS, rows + samples * PAIRS_WITH_CUTS);
        match self {
            Self::Auto | Self::Relaxation if first <= STIFF_ROWS => last.min(ROWS_WITH_CUTS),
            // The solve without cuts may take more.
            Self::InteriorPoint => last.min(ROWS_WITH_CUTS).max(first),
            _ => 0,
        }
    }

    /// Whether the interior-point method takes this problem. With cuts the low-rank solver is slow on all of them.
    pub(crate) fn is_interior(self, lifting: &Lifting, cuts: Cuts) -> bool {
        match self {
            Self::Auto | Self::Relaxation => {
                let edges = lifting.forest.parent.iter().flatten().count();
                let stiff = cuts != Cuts::None || STIFF_SHARE * edges > lifting.groups();
                let rows = lifting.fit_targets.len() + lifting.groups() * (1 + PAIRS);
                rows <= if stiff { STIFF_ROWS } else { ROWS }
            }
            Self::LowRank | Self::Branch => false,
            Self::InteriorPoint => true,
        }
    }
}

impl Method {
    /// The names that the command line takes.
    pub const NAMES: [&str; 5] = ["auto", "branch", "relaxation", "low-rank", "interior-point"];

    const ALL: [Self; 5] = [Self::Auto, Self::Branch, Self::Relaxation, Self::LowRank, Self::InteriorPoint];
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let index = Self::ALL.iter().position(|method| method == self).unwrap_or(0);
        f.pad(Self::NAMES[index])
    }
}

impl std::str::FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let index = Self::NAMES.iter().position(|known| *known == name);
        index.map(|index| Self::ALL[index]).ok_or_else(|| Error::Parameter {
            name: "method",
            value: name.into(),
            range: "auto, branch, relaxation, low-rank or interior-point",
        })
    }
}
