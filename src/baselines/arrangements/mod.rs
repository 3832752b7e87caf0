//! Training to proven optimality by the activation patterns of the data, polynomial in the samples for a fixed rank.
mod cells;
mod lasso;
mod oracle;
mod pattern;
mod programme;
mod row_space;

pub(crate) use oracle::scaled_bound;
pub use pattern::Pattern;
pub use programme::{ArrangementSolution, solve};

use crate::{Error, Result, TrainingProblem};
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
    fn check(&self) -> Result<()> {
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
    /// Lists the patterns of X.
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
