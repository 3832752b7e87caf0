//! Coordinates in which training is well conditioned.

use super::columns::ColumnSpace;
use super::whitened::Whitened;
use super::whitening::Whitening;
use crate::linalg::dense::product;
use crate::linalg::vector::{axpy, dot};
use crate::problem::{Features, Network, TrainingProblem};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// Sparse features have many weak directions: the floor under their lengths is as much higher, because the weights that a
/// neuron gets are far below those of one that fits everything.
const SPARSE_FLOOR: f64 = 50.0;

/// Numbers of a dense copy that is as cheap as the sparse features are.
const SMALL: usize = 1 << 20;
/// Features whose singular value decomposition costs next to nothing.
const FEW: usize = 256;

/// The training problem with hidden weights u = back · z, of k components.
pub(super) struct Coordinates {
    /// Y, n × c.
    pub targets: Mat<f64>,
    /// γ.
    pub weight_decay: f64,
    inputs: usize,
    space: Space,
}

/// What the coordinates rest on.
enum Space {
    /// The singular value decomposition of dense features.
    Whitened(Whitened),
    /// Scaled columns of sparse ones.
    Columns(ColumnSpace),
}

impl Coordinates {
    /// `None` when X or Y is zero (the empty network is optimal) or the decomposition fails.
    pub fn new(problem: &TrainingProblem) -> Option<Self> {
        let small = problem.samples().saturating_mul(problem.inputs()) <= SMALL && problem.inputs() <= FEW;
        match problem.stored_features() {
            Features::Sparse(_) if !small => Self::with(problem, Whitening::Randomised),
            _ => Self::with(problem, Whitening::Exact),
        }
    }

    /// [`new`](Self::new) with a whitening of choice.
    pub fn with(problem: &TrainingProblem, whitening: Whitening) -> Option<Self> {
        let (gamma, energy) = (problem.weight_decay(), problem.targets().squared_norm_l2());
        if energy == 0.0 || !energy.is_finite() {
            return None;
        }
        // Keeps the directions too weak to ever pay (σ‖Y‖ ≤ γ) from stretching the metric.
        let floor = 2.0 * gamma * gamma / energy;
        let floor = if problem.stored_features().is_sparse() { SPARSE_FLOOR * floor } else { floor };
        let space = match (problem.stored_features(), whitening) {
            (Features::Sparse(x), Whitening::Columns | Whitening::Randomised | Whitening::None) => {
                Space::Columns(ColumnSpace::new(x, floor, whitening)?)
            }
            _ => Space::Whitened(Whitened::new(problem.dense_features().ok()?, floor)?),
        };
        Some(Self {
            targets: problem.targets().to_owned(),
            weight_decay: gamma,
            inputs: problem.inputs(),
            space,
        })
    }

    /// n.
    pub fn samples(&self) -> usize {
        self.targets.nrows()
    }

    /// k: the rank of dense features, the number of columns of sparse ones that are not zero.
    pub fn rank(&self) -> usize {
        match &self.space {
            Space::Whitened(space) => space.metric.len(),
            Space::Columns(space) => space.columns(),
        }
    }

    /// The whitened features where they are dense.
    pub fn whitened(&self) -> Option<&Whitened> {
        match &self.space {
            Space::Whitened(space) => Some(space),
            Space::Columns(_) => None,
        }
    }

    /// Whether the neurons are a plane or a line, which is searched exactly.
    pub fn is_plane(&self) -> bool {
        self.whitened().is_some() && self.rank() <= 2
    }

    /// Multiplications of X · back · z for one neuron, and for each sample.
    pub fn cost(&self) -> f64 {
        match &self.space {
            Space::Whitened(space) => space.metric.len() as f64,
            Space::Columns(space) => space.cost() / self.samples() as f64,
        }
    }

    /// X · back · z, n × m, for z (k × m).
    pub fn preactivation(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        match &self.space {
            Space::Whitened(space) => product(space.features.as_ref(), z),
            Space::Columns(space) => space.times(z),
        }
    }

    /// Preactivations of some of the samples alone, for dense features, column by column.
    pub fn preactivation_rows(&self, z: MatRef<'_, f64>, from: usize, rows: usize, out: &mut [f64]) {
        let mut out = MatMut::from_column_major_slice_mut(out, rows, z.ncols());
        match &self.space {
            Space::Whitened(space) => {
                let x = space.features.subrows(from, rows);
                matmul(out, Accum::Replace, x, z, 1.0, Par::Seq);
            }
            Space::Columns(space) => out.copy_from(space.times(z).subrows(from, rows)),
        }
    }

    /// The root mean square of the preactivations of each neuron (k × m by column).
    pub fn preactivation_size(&self, hidden: &[f64]) -> Vec<f64> {
        let k = self.rank();
        match &self.space {
            Space::Whitened(space) => hidden
                .chunks_exact(k)
                .map(|z| z.iter().zip(&space.spread).map(|(z, s)| z * z * s).sum::<f64>().sqrt())
                .collect(),
            Space::Columns(space) => {
                let samples = self.samples() as f64;
                let t = space.times(MatRef::from_column_major_slice(hidden, k, hidden.len() / k));
                t.col_iter().map(|t| (t.squared_norm_l2() / samples).sqrt()).collect()
            }
        }
    }

    /// (X · back)ᵀ · slope, k × m, for slope (n × m).
    pub fn gradient_into(&self, slope: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        match &self.space {
            Space::Whitened(space) => space.transpose_times_into(slope, out),
            Space::Columns(space) => space.transpose_times_into(slope, out),
        }
    }

    /// Adds factor · backᵀ · back · z to the gradient, both k × m by column.
    pub fn add_weights(&self, factor: f64, z: &[f64], gradient: &mut [f64]) {
        match &self.space {
            Space::Whitened(space) => {
                let k = space.metric.len();
                for (g, u) in gradient.chunks_exact_mut(k).zip(z.chunks_exact(k)) {
                    for ((g, u), m) in g.iter_mut().zip(u).zip(&space.metric) {
                        *g += factor * m * u;
                    }
                }
            }
            Space::Columns(space) => space.add_weights(factor, z, gradient),
        }
    }

    /// ‖back · z‖² summed over the columns of z (k × m by column).
    pub fn weights(&self, z: &[f64]) -> f64 {
        match &self.space {
            Space::Whitened(_) => z.chunks_exact(self.rank()).map(|u| self.inner(u, u)).sum(),
            Space::Columns(space) => space.weights(z),
        }
    }

    /// X · back · z of one neuron.
    pub fn activate(&self, z: &[f64], out: &mut [f64]) {
        match &self.space {
            Space::Whitened(space) => {
                out.fill(0.0);
                z.iter().enumerate().for_each(|(j, z)| axpy(*z, space.features.col_as_slice(j), out));
            }
            Space::Columns(space) => space.activate(z, out),
        }
    }

    /// backᵀ · back · z of one neuron, and ‖back · z‖².
    pub fn weigh(&self, z: &[f64], out: &mut [f64]) -> f64 {
        out.fill(0.0);
        self.add_weights(1.0, z, out);
        match &self.space {
            Space::Whitened(_) => self.inner(z, z),
            Space::Columns(_) => dot(z, out),
        }
    }

    /// ‖x_i‖² in these coordinates.
    pub fn row_energy(&self, sample: usize) -> f64 {
        match &self.space {
            Space::Whitened(space) => space.features.row(sample).squared_norm_l2(),
            Space::Columns(space) => space.row_energy(sample),
        }
    }

    /// z += x_i / divisor in these coordinates.
    pub fn add_row(&self, sample: usize, divisor: f64, z: &mut [f64]) {
        match &self.space {
            Space::Whitened(space) => {
                z.iter_mut().enumerate().for_each(|(j, z)| *z += space.features[(sample, j)] / divisor);
            }
            Space::Columns(space) => space.add_row(sample, divisor, z),
        }
    }

    /// ‖back · z‖.
    pub fn norm(&self, z: &[f64]) -> f64 {
        self.inner(z, z).sqrt()
    }

    /// ⟨back · z, back · w⟩.
    pub fn inner(&self, z: &[f64], w: &[f64]) -> f64 {
        match &self.space {
            Space::Whitened(space) => z.iter().zip(w).zip(&space.metric).map(|((z, w), m)| m * z * w).sum(),
            Space::Columns(space) => space.inner(z, w),
        }
    }

    /// The projection of hidden weights (d × m) on the row space of X, as k × m values by column; of sparse features on
    /// the columns that are not zero.
    pub fn pull(&self, hidden: MatRef<'_, f64>) -> Vec<f64> {
        let z = match &self.space {
            Space::Whitened(space) => product(space.forth.as_ref(), hidden),
            Space::Columns(space) => space.pull(hidden),
        };
        z.col_iter().flat_map(|column| column.iter().copied().collect::<Vec<f64>>()).collect()
    }

    /// The gradient with respect to u (d × m) of a function whose gradient with respect to z is given (k × m).
    pub fn push_gradient(&self, gradient: &[f64]) -> Mat<f64> {
        let (rank, width) = (self.rank(), gradient.len() / self.rank());
        let gradient = MatRef::from_column_major_slice(gradient, rank, width);
        match &self.space {
            Space::Whitened(space) => product(space.forth.transpose(), gradient),
            Space::Columns(space) => space.push_gradient(gradient, self.inputs),
        }
    }

    /// The network with hidden weights back · z (k × m by column) and the output weights given (m × c),
    /// every neuron balanced so that ‖u‖ = ‖v‖, which can only lower the objective.
    pub fn network(&self, z: &[f64], output: MatRef<'_, f64>) -> Network {
        let (outputs, rank) = (self.targets.ncols(), self.rank());
        let width = z.len() / rank;
        let z = MatRef::from_column_major_slice(z, rank, width);
        let mut hidden = match &self.space {
            Space::Whitened(space) => product(space.back.as_ref(), z),
            Space::Columns(space) => space.hidden(z, self.inputs),
        };
        let mut output = Mat::from_fn(outputs, width, |j, k| output[(k, j)]);
        super::balance(&mut hidden, &mut output);
        Network::new(hidden, output).unwrap_or_else(|_| Network::empty(self.inputs, outputs))
    }
}
