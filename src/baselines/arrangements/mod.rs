//! Training to global optimality by the activation patterns of the data, polynomial in the samples for a fixed rank.
//!
//! The patterns D_i = diag(1[Xu ≥ 0]) are those of the cells into which the hyperplanes x_iᵀu = 0 cut the row space of X. With
//! all of them, training is convex: for one output (Pilanci and Ergen, ICML 2020, theorem 1; arXiv 2002.10553)
//!
//! min ½‖Σ D_iX(p_i − q_i) − y‖² + γ Σ(‖p_i‖ + ‖q_i‖)  over (2D_i − I)Xp_i ≥ 0, (2D_i − I)Xq_i ≥ 0,
//!
//! and for several (Sahiner et al., ICLR 2021, theorem 1; arXiv 2012.13329) with matrices Z_i and the norm
//! ‖Z‖_K = min t, Z ∈ t·conv{uvᵀ : ‖u‖ ≤ 1, ‖v‖ ≤ 1, (2D_i − I)Xu ≥ 0}. The second is the first when there is one output, and is
//! what is solved here, through its dual:
//!
//! p* = max ⟨W, Y⟩ − ½‖W‖²  over  ‖Wᵀ(Xu)₊‖ ≤ γ‖u‖ for all u.
//!
//! For a given W the left side has its largest value ([`Arrangement::dual_norm`]) at finitely many candidates, which are all
//! tried; so any network's residual, scaled, gives a lower bound, and the directions that violate it are the neurons to add.
//!
//! **Degenerate positions.** Parallel samples share a hyperplane, zero samples have none and count as active, and any number of
//! hyperplanes may meet in a point or a line. Angles below 10⁻¹¹ are not told from zero: where several
//! hyperplanes pass an intersection of others so closely, cells narrower than that may be missing, or listed though empty. An
//! empty cell does no harm, and what a missing one holds differs from its neighbours by rounding.
//!
//! Two cells for rank one, 2n for rank two, n² for rank three: n = 60 takes milliseconds there, seconds at rank four.

mod cells;
pub(crate) mod lasso;
mod oracle;
mod pattern;
mod programme;
mod row_space;

pub(crate) use oracle::{Peak, scaled_bound};
pub use pattern::Pattern;
pub use programme::{ArrangementSolution, solve};

use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use cells::Flat;
use faer::MatRef;
use row_space::RowSpace;

/// How far to go.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct ArrangementSettings {
    /// Most cells of all dimensions that may be listed (default 500 000, about n = 400 at rank 3 and 60 at rank 4).
    pub max_cells: usize,
    /// Relative gap (upper − lower)/upper at which a run ends (default 1e-7).
    pub tolerance: f64,
    /// Most rounds of adding neurons (default 500).
    pub max_rounds: usize,
}

impl Default for ArrangementSettings {
    fn default() -> Self {
        Self { max_cells: 500_000, tolerance: 1e-7, max_rounds: 500 }
    }
}

impl ArrangementSettings {
    pub(crate) fn check(&self) -> Result<()> {
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            let value = self.tolerance.to_string();
            return Err(Error::Parameter { name: "tolerance", value, range: "between 0 and 1" });
        }
        Ok(())
    }
}

/// All activation patterns of a problem's features.
#[derive(Clone, Debug)]
pub struct Arrangement {
    pub(crate) space: RowSpace,
    flats: Vec<Flat>,
}

impl Arrangement {
    /// Lists the patterns of X; those of a million cells take seconds.
    ///
    /// An input error where the rank and the number of distinct hyperplanes allow more than `max_cells` cells of all dimensions
    /// (full cells, their facets and so on down to arcs).
    pub fn new(problem: &TrainingProblem, max_cells: usize) -> Result<Self> {
        let space = RowSpace::new(problem)?;
        let flats = cells::flats(space.rows.as_ref(), max_cells)?;
        Ok(Self { space, flats })
    }

    /// The rank of X.
    pub fn rank(&self) -> usize {
        self.space.rank()
    }

    /// The patterns, one for each full-dimensional cell.
    pub fn patterns(&self) -> impl ExactSizeIterator<Item = &Pattern> {
        let whole: &[cells::Cell] = self.flats.last().map_or(&[], |flat| &flat.cells);
        whole.iter().map(|cell| &cell.pattern)
    }

    /// max ‖Wᵀ(Xu)₊‖ over ‖u‖ = 1 for W (n × c): at most γ exactly when W is dual feasible.
    pub fn dual_norm(&self, w: MatRef<'_, f64>) -> Result<f64> {
        if w.nrows() != self.space.rows.nrows() {
            return Err(Error::Shape {
                what: "W",
                expected: format!("{} rows, one for each sample", self.space.rows.nrows()),
                actual: format!("{} rows", w.nrows()),
            });
        }
        Ok(self.best(w).value)
    }

    /// Every pattern with a sample of each hyperplane that bounds its cell.
    pub(crate) fn cells_with_facets(&self) -> impl Iterator<Item = (&Pattern, &[usize])> {
        self.flats
            .last()
            .into_iter()
            .flat_map(|flat| &flat.cells)
            .map(|cell| (&cell.pattern, cell.facets.as_slice()))
    }

    /// Cells of all dimensions that were listed.
    pub fn cells(&self) -> usize {
        self.flats.iter().map(|flat| flat.cells.len()).sum()
    }
}
