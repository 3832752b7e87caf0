//! How much a direction pays, ‖Wᵀ(Xu)₊‖ / ‖u‖, for a batch of them at once.

use crate::linalg::vector::dot;
use crate::training::coordinates::Coordinates;
use faer::linalg::matmul::matmul;
use faer::prelude::*;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use pulp::Arch;

/// Numbers of a chunk of activations: it stays in the cache.
const CHUNK: usize = 1 << 14;
const FEWEST_ROWS: usize = 64;

/// Evaluates −log ‖Wᵀ(Xu)₊‖ + log ‖u‖ of directions (k × b by column) and its gradient; it owns the memory for that.
pub(super) struct Gain<'a> {
    at: &'a Coordinates,
    residual: MatRef<'a, f64>,
    /// Its columns.
    columns: Vec<Vec<f64>>,
    activation: Vec<f64>,
    slopes: Vec<f64>,
    /// Wᵀ(Xu)₊, c × b.
    pull: Mat<f64>,
    /// Xᵀ D w of each target, k × bc: on one linear piece of the activations, D masks the active samples.
    moments: Mat<f64>,
    /// backᵀ · back · u.
    weighed: Vec<f64>,
}

impl<'a> Gain<'a> {
    /// For the residual W, n × c.
    pub fn new(at: &'a Coordinates, residual: MatRef<'a, f64>) -> Self {
        Self {
            at,
            residual,
            columns: residual.col_iter().map(|w| w.iter().copied().collect()).collect(),
            activation: Vec::new(),
            slopes: Vec::new(),
            pull: Mat::new(),
            moments: Mat::new(),
            weighed: Vec::new(),
        }
    }

    /// Multiplications for one direction with its gradient.
    pub fn cost(at: &Coordinates) -> f64 {
        at.samples() as f64 * (3.0 * at.cost() + 2.0 * at.targets.ncols() as f64 + 4.0)
    }

    /// ‖Wᵀ(Xu)₊‖ of each direction; those of length one.
    pub fn sizes(&mut self, z: &[f64], sizes: &mut [f64]) {
        self.pull(z);
        for (size, pull) in sizes.iter_mut().zip(self.pull.col_iter()) {
            *size = pull.norm_l2();
        }
    }

    /// Values, infinite where nothing is gained, and gradients (k × b by column).
    pub fn evaluate(&mut self, z: &[f64], values: &mut [f64], gradient: &mut [f64]) {
        let (k, c) = (self.at.rank(), self.residual.ncols());
        let dense = self.at.whitened().is_some();
        let one_pass = dense && k * (1 + c) <= 3 * k + 2 * c;
        if one_pass {
            self.moments(z);
        } else {
            self.pull(z);
        }
        self.weighed.resize(z.len(), 0.0);
        self.weighed.fill(0.0);
        self.at.add_weights(1.0, z, &mut self.weighed);
        if one_pass {
            for (j, gradient) in gradient.chunks_exact_mut(k).enumerate() {
                gradient.fill(0.0);
                for t in 0..c {
                    let moment = self.moments.col_as_slice(j * c + t);
                    crate::linalg::vector::axpy(self.pull[(t, j)], moment, gradient);
                }
            }
        } else {
            self.gradient(z, gradient);
        }
        for (j, gradient) in gradient.chunks_exact_mut(k).enumerate() {
            let squared = self.pull.col(j).squared_norm_l2();
            let (z, weighed) = (&z[j * k..][..k], &self.weighed[j * k..][..k]);
            let length = dot(z, weighed);
            if !(squared > 0.0 && length > 0.0 && squared.is_finite() && length.is_finite()) {
                values[j] = f64::INFINITY;
                gradient.fill(0.0);
                continue;
            }
            values[j] = 0.5 * (length.ln() - squared.ln());
            gradient.iter_mut().zip(weighed).for_each(|(g, w)| *g = w / length - *g / squared);
        }
    }

    /// Rows of a chunk for so many directions: first, count.
    fn chunks(&self, directions: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (n, rows) = (self.at.samples(), (CHUNK / directions.max(1)).max(FEWEST_ROWS));
        let rows = if self.at.whitened().is_some() { rows } else { n };
        (0..n).step_by(rows).map(move |from| (from, rows.min(n - from)))
    }

    /// The preactivations of some samples.
    fn preactivate(&mut self, z: MatRef<'_, f64>, from: usize, rows: usize) {
        self.activation.resize(rows * z.ncols(), 0.0);
        self.at.preactivation_rows(z, from, rows, &mut self.activation);
    }

    /// Wᵀ(Xu)₊.
    fn pull(&mut self, z: &[f64]) {
        let (k, c) = (self.at.rank(), self.residual.ncols());
        let count = z.len() / k;
        let z = MatRef::from_column_major_slice(z, k, count);
        self.pull = Mat::zeros(c, count);
        for (from, rows) in self.chunks(count) {
            self.preactivate(z, from, rows);
            Arch::new().dispatch(|| {
                self.activation.iter_mut().for_each(|a| *a = if *a > 0.0 { *a } else { 0.0 });
            });
            let a = MatRef::from_column_major_slice(&self.activation, rows, count);
            let w = self.residual.subrows(from, rows);
            matmul(self.pull.as_mut(), Accum::Add, w.transpose(), a, 1.0, Par::Seq);
        }
    }

    /// Xᵀ D W of every direction, and Wᵀ(Xu)₊ from that.
    fn moments(&mut self, z: &[f64]) {
        let (k, c) = (self.at.rank(), self.residual.ncols());
        let count = z.len() / k;
        let directions = MatRef::from_column_major_slice(z, k, count);
        if self.moments.ncols() != count * c {
            self.moments = Mat::zeros(k, count * c);
        }
        self.moments.fill(0.0);
        let Some(space) = self.at.whitened() else { return };
        for (from, rows) in self.chunks(count) {
            self.preactivate(directions, from, rows);
            self.slopes.resize(rows * count * c, 0.0);
            for (t, slopes) in self.activation.chunks_exact(rows).zip(self.slopes.chunks_exact_mut(rows * c))
            {
                for (slopes, w) in slopes.chunks_exact_mut(rows).zip(&self.columns) {
                    mask(t, &w[from..from + rows], slopes);
                }
            }
            let slopes = MatRef::from_column_major_slice(&self.slopes, rows, count * c);
            let x = space.features.subrows(from, rows);
            matmul(self.moments.as_mut(), Accum::Add, x.transpose(), slopes, 1.0, Par::Seq);
        }
        self.pull =
            Mat::from_fn(c, count, |t, j| dot(self.moments.col_as_slice(j * c + t), &z[j * k..][..k]));
    }

    /// Xᵀ D W Wᵀ(Xu)₊, after `pull`.
    fn gradient(&mut self, z: &[f64], gradient: &mut [f64]) {
        let k = self.at.rank();
        let count = z.len() / k;
        let z = MatRef::from_column_major_slice(z, k, count);
        let mut gradient = MatMut::from_column_major_slice_mut(gradient, k, count);
        gradient.fill(0.0);
        for (from, rows) in self.chunks(count) {
            self.preactivate(z, from, rows);
            self.slopes.resize(rows * count, 0.0);
            let mut slopes = MatMut::from_column_major_slice_mut(&mut self.slopes, rows, count);
            let w = self.residual.subrows(from, rows);
            matmul(slopes.rb_mut(), Accum::Replace, w, self.pull.as_ref(), 1.0, Par::Seq);
            Arch::new().dispatch(|| {
                for (s, t) in self.slopes.iter_mut().zip(&self.activation) {
                    *s = if *t > 0.0 { *s } else { 0.0 };
                }
            });
            let slopes = MatRef::from_column_major_slice(&self.slopes, rows, count);
            match self.at.whitened() {
                Some(space) => {
                    let x = space.features.subrows(from, rows);
                    matmul(gradient.rb_mut(), Accum::Add, x.transpose(), slopes, 1.0, Par::Seq);
                }
                None => self.at.gradient_into(slopes, gradient.rb_mut()),
            }
        }
    }
}

/// out = w where t > 0, else zero.
fn mask(t: &[f64], w: &[f64], out: &mut [f64]) {
    Arch::new().dispatch(|| {
        for ((out, t), w) in out.iter_mut().zip(t).zip(w) {
            *out = if *t > 0.0 { *w } else { 0.0 };
        }
    });
}
