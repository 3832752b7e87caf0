//! The training problem of a convolutional layer, and the problem over patches that its bound is searched in.

use super::ConvolutionShape;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use faer::{Mat, MatRef};

/// Numbers of the largest weights W̃ over patches, and of the largest matrix of distinct patches.
const LARGEST: usize = 1 << 27;
/// Numbers of all patches together, equal ones too: they are looked at, not stored.
const MOST_LOOKED_AT: usize = 1 << 31;

/// min over filters u_j in R^h, output weights V_j (c × a) and their number of
/// ½ Σ_i |Σ_j V_j P(X_i u_j)₊ − y_i|² + (γ/2) Σ_j (|u_j|² + ‖V_j‖²).
///
/// X_i (K × h) are the patches of sample i and P (a × K) takes the mean over each block of positions. Images are stored
/// once, however much their patches overlap.
#[derive(Clone, Debug)]
pub struct ConvolutionalProblem {
    shape: ConvolutionShape,
    /// Row by row.
    images: Vec<f64>,
    targets: Mat<f64>,
    weight_decay: f64,
}

impl ConvolutionalProblem {
    /// Checks and stores images (n × HWC), Y (n × c) and γ > 0; the errors are those of [`TrainingProblem::new`].
    pub fn new(
        shape: ConvolutionShape,
        images: MatRef<'_, f64>,
        targets: Mat<f64>,
        weight_decay: f64,
    ) -> Result<Self> {
        if images.ncols() != shape.inputs() {
            let [h, w, c] = shape.image();
            return Err(Error::Shape {
                what: "images",
                expected: format!("{} columns, for {h}x{w}x{c}", shape.inputs()),
                actual: format!("{} columns", images.ncols()),
            });
        }
        let checked = TrainingProblem::new(images.to_owned(), targets, weight_decay)?;
        let images =
            (0..images.nrows()).flat_map(|i| images.row(i).iter().copied().collect::<Vec<_>>()).collect();
        Ok(Self { shape, images, targets: checked.targets().to_owned(), weight_decay })
    }

    /// Image, filter and pooling.
    pub fn shape(&self) -> &ConvolutionShape {
        &self.shape
    }

    /// The images, n × HWC.
    pub fn images(&self) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(&self.images, self.samples(), self.shape.inputs())
    }

    /// The images row by row.
    pub(crate) fn pixels(&self) -> &[f64] {
        &self.images
    }

    /// Y, n × c.
    pub fn targets(&self) -> MatRef<'_, f64> {
        self.targets.as_ref()
    }

    /// γ.
    pub fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    /// n.
    pub fn samples(&self) -> usize {
        self.targets.nrows()
    }

    /// c.
    pub fn outputs(&self) -> usize {
        self.targets.ncols()
    }

    /// ½‖Y‖², the objective of the network without neurons.
    pub fn zero_objective(&self) -> f64 {
        0.5 * self.targets.squared_norm_l2()
    }

    /// The patches as samples of their own. See [`Lifted`].
    ///
    /// Errors: W̃ or the distinct patches would have more than 2²⁷ numbers, or all patches more than 2³¹.
    pub fn lifted(&self) -> Result<Lifted<'_>> {
        let (all, columns) = (self.samples() * self.shape.positions(), self.outputs() * self.shape.blocks());
        let (starts, offsets) = (self.shape.starts(), self.shape.offsets());
        let (inputs, positions) = (self.shape.inputs(), starts.len());
        let too_many = |rows: usize, columns: usize, most: usize| {
            rows.checked_mul(columns).is_none_or(|numbers| numbers > most)
        };
        if too_many(all, offsets.len(), MOST_LOOKED_AT) {
            return Err(Error::Input(format!(
                "{all} patches of {} numbers are more than {MOST_LOOKED_AT} numbers; take fewer samples or smaller filters",
                offsets.len()
            )));
        }
        let first = |row: usize| row / positions * inputs + starts[row % positions];
        // Adding zero takes the sign off a zero.
        let entry = |row: usize, offset: &usize| self.images[first(row) + offset] + 0.0;
        let compare = |a: &usize, b: &usize| {
            let mut orders = offsets.iter().map(|offset| entry(*a, offset).total_cmp(&entry(*b, offset)));
            orders.find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        };
        let mut order: Vec<usize> =
            (0..all).filter(|row| offsets.iter().any(|offset| entry(*row, offset) != 0.0)).collect();
        order.sort_by(compare);
        let (mut place, mut kept) = (vec![None; all], Vec::new());
        for row in order {
            if kept.last().is_none_or(|last| compare(last, &row).is_ne()) {
                kept.push(row);
            }
            place[row] = Some(kept.len() - 1);
        }
        // One patch at least, if only a zero one.
        kept.extend((kept.is_empty()).then_some(0));
        let rows = kept.len();
        if too_many(rows, columns.max(offsets.len()), LARGEST) {
            return Err(Error::Input(format!(
                "{rows} different patches times {} weights or {columns} outputs are more than {LARGEST} numbers; pool more, \
                 or take fewer samples or smaller filters",
                offsets.len()
            )));
        }
        let patches = Mat::from_fn(rows, offsets.len(), |row, weight| entry(kept[row], &offsets[weight]));
        let pooled = self.shape.pooled() as f64;
        // Rounded downwards: the fused product has the sign of what the plain one misses.
        let product = pooled * self.weight_decay;
        let level =
            if pooled.mul_add(self.weight_decay, -product) < 0.0 { product.next_down() } else { product };
        let patches = TrainingProblem::new(patches, Mat::zeros(rows, columns), level)?;
        Ok(Lifted { problem: self, patches, place })
    }
}

/// The distinct patches of all samples that are not zero, as samples of a plain problem with h features, a·c outputs and the
/// weight decay PQ·γ, rounded downwards.
///
/// With W̃[(i, k), (q, o)] = W[i, o] where position k is in block q, else 0, the claim |W̃ᵀ(Xu)₊| ≤ PQ·γ|u| for all u is
/// what bounds the convolutional problem (docs/convolution.md). Rows of W̃ whose patches are equal are added up; nothing
/// else is rounded between W and W̃, and no number of an image. Targets are zero and mean nothing.
#[derive(Clone, Debug)]
pub struct Lifted<'a> {
    problem: &'a ConvolutionalProblem,
    patches: TrainingProblem,
    /// Of every patch, by sample and position, which of the distinct ones it is; none where it is zero.
    place: Vec<Option<usize>>,
}

impl<'a> Lifted<'a> {
    /// The convolutional problem.
    pub fn problem(&self) -> &'a ConvolutionalProblem {
        self.problem
    }

    /// The problem over patches.
    pub fn patches(&self) -> &TrainingProblem {
        &self.patches
    }

    /// Which of the distinct patches each is, by sample and position; none where it is zero.
    pub fn place(&self) -> &[Option<usize>] {
        &self.place
    }

    /// How often the most frequent patch occurs: so many rows of W̃ are added up at most.
    pub fn most_equal(&self) -> usize {
        let mut counts = vec![0; self.patches.samples()];
        self.place.iter().flatten().for_each(|&row| counts[row] += 1);
        counts.into_iter().max().unwrap_or(0)
    }

    /// W̃ of W (n × c), a row for each distinct patch, a·c columns.
    pub fn weights(&self, w: MatRef<'_, f64>) -> Mat<f64> {
        let (shape, c) = (self.problem.shape(), self.problem.outputs());
        let (positions, pooled) = (shape.positions(), shape.pooled());
        let mut lifted = Mat::zeros(self.patches.samples(), self.patches.outputs());
        for (patch, row) in self.place.iter().enumerate() {
            let (sample, block) = (patch / positions, patch % positions / pooled);
            let Some(row) = row else { continue };
            for o in 0..c {
                lifted[(*row, block * c + o)] += w[(sample, o)];
            }
        }
        lifted
    }
}
