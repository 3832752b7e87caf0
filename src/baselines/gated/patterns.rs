//! Activation patterns as bits, and products with D_i X that never form it.

use crate::error::{Error, Result};
use crate::linalg::dense::product;
use crate::problem::TrainingProblem;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatRef, Par};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use rayon::prelude::*;
use std::collections::HashSet;

/// Samples handled at once, a multiple of 64; the order of summation depends on it and on nothing else.
const ROWS: usize = 1024;

/// Distinct patterns 1[Xg ≥ 0] of the samples, one bit each.
#[derive(Clone, Debug)]
pub struct Patterns {
    samples: usize,
    words: usize,
    bits: Vec<u64>,
    gates: Mat<f64>,
}

impl Patterns {
    /// The patterns of `count` standard Gaussian g; those that repeat are left out.
    pub fn gaussian(problem: &TrainingProblem, count: usize, seed: u64) -> Result<Self> {
        let mut rng = Pcg64::seed_from_u64(seed);
        // Column by column: the first patterns of a seed do not depend on their number.
        let mut gates = Mat::zeros(problem.inputs(), count);
        for j in 0..count {
            for i in 0..problem.inputs() {
                gates[(i, j)] = rng.sample(StandardNormal);
            }
        }
        Self::of_gates(problem, gates.as_ref())
    }

    /// The patterns of the g in the columns of `gates` (d × m); those that repeat are left out.
    pub fn of_gates(problem: &TrainingProblem, gates: MatRef<'_, f64>) -> Result<Self> {
        let x = problem.dense_features()?;
        if gates.nrows() != x.ncols() || gates.ncols() == 0 {
            return Err(Error::Shape {
                what: "gates",
                expected: format!("{} rows, one for each feature, and at least one column", x.ncols()),
                actual: format!("{} × {}", gates.nrows(), gates.ncols()),
            });
        }
        let (samples, words) = (x.nrows(), x.nrows().div_ceil(64));
        let columns: Vec<Vec<u64>> = (0..gates.ncols())
            .into_par_iter()
            .map(|j| {
                let z = product(x, gates.subcols(j, 1));
                let mut bits = vec![0u64; words];
                for (i, z) in z.col_as_slice(0).iter().enumerate() {
                    if *z >= 0.0 {
                        bits[i / 64] |= 1 << (i % 64);
                    }
                }
                bits
            })
            .collect();
        let mut seen = HashSet::new();
        let kept: Vec<usize> = (0..columns.len()).filter(|&j| seen.insert(&columns[j])).collect();
        let bits = kept.iter().flat_map(|&j| columns[j].iter().copied()).collect();
        let gates = Mat::from_fn(gates.nrows(), kept.len(), |i, j| gates[(i, kept[j])]);
        Ok(Self { samples, words, bits, gates })
    }

    /// Number of distinct patterns.
    pub fn count(&self) -> usize {
        self.gates.ncols()
    }

    /// g of a pattern, d × 1.
    pub fn gate(&self, pattern: usize) -> MatRef<'_, f64> {
        self.gates.as_ref().subcols(pattern, 1)
    }

    /// Whether a sample is on the active side.
    pub fn is_active(&self, pattern: usize, sample: usize) -> bool {
        self.bits[pattern * self.words + sample / 64] >> (sample % 64) & 1 == 1
    }

    /// Calls with the index of every active sample between `from` (a multiple of 64) and `from + rows`.
    fn each_active(&self, pattern: usize, from: usize, rows: usize, mut call: impl FnMut(usize)) {
        let words = &self.bits[pattern * self.words..][from / 64..(from + rows).div_ceil(64)];
        for (k, &word) in words.iter().enumerate() {
            let mut left = word;
            while left != 0 {
                call(64 * k + left.trailing_zeros() as usize);
                left &= left - 1;
            }
        }
    }

    /// Pieces of the samples, in parallel, their results in order.
    fn pieces<T: Send>(&self, make: impl Fn(usize, usize) -> T + Sync) -> Vec<T> {
        let from: Vec<usize> = (0..self.samples).step_by(ROWS).collect();
        from.into_par_iter().map(|from| make(from, ROWS.min(self.samples - from))).collect()
    }

    /// Σ D_i X Z_i, n × c, over the patterns listed; Z is d × (patterns · c).
    pub(super) fn predict(
        &self,
        x: MatRef<'_, f64>,
        list: &[usize],
        z: MatRef<'_, f64>,
        c: usize,
    ) -> Mat<f64> {
        let parts = self.pieces(|from, rows| {
            let all = product(x.subrows(from, rows), z);
            let mut part = Mat::<f64>::zeros(rows, c);
            for (place, &pattern) in list.iter().enumerate() {
                for k in 0..c {
                    let (source, target) = (all.col_as_slice(place * c + k), part.col_as_slice_mut(k));
                    self.each_active(pattern, from, rows, |i| target[i] += source[i]);
                }
            }
            part
        });
        let mut whole = Mat::zeros(self.samples, c);
        for (part, from) in parts.iter().zip((0..self.samples).step_by(ROWS)) {
            whole.as_mut().subrows_mut(from, part.nrows()).copy_from(part);
        }
        whole
    }

    /// XᵀD_iW beside each other, d × (patterns · c), for W (n × c).
    pub(super) fn correlate(&self, x: MatRef<'_, f64>, list: &[usize], w: MatRef<'_, f64>) -> Mat<f64> {
        let c = w.ncols();
        let parts = self.pieces(|from, rows| {
            let mut masked = Mat::<f64>::zeros(rows, list.len() * c);
            for (place, &pattern) in list.iter().enumerate() {
                for k in 0..c {
                    let (source, target) = (w.col(k), masked.col_as_slice_mut(place * c + k));
                    self.each_active(pattern, from, rows, |i| target[i] = source[from + i]);
                }
            }
            product(x.subrows(from, rows).transpose(), masked.as_ref())
        });
        let mut sum = Mat::zeros(x.ncols(), list.len() * c);
        parts.iter().for_each(|part| sum += part);
        sum
    }

    /// BᵀB with B = [D_1X, D_2X, …] over the patterns listed, both triangles.
    pub(super) fn gram(&self, x: MatRef<'_, f64>, list: &[usize]) -> Mat<f64> {
        let d = x.ncols();
        let order = list.len() * d;
        let mut gram = Mat::<f64>::zeros(order, order);
        for from in (0..self.samples).step_by(ROWS) {
            let rows = ROWS.min(self.samples - from);
            let mut masked = Mat::<f64>::zeros(rows, order);
            for (place, &pattern) in list.iter().enumerate() {
                for a in 0..d {
                    let (source, target) = (x.col(a), masked.col_as_slice_mut(place * d + a));
                    self.each_active(pattern, from, rows, |i| target[i] = source[from + i]);
                }
            }
            triangular::matmul(
                gram.as_mut(),
                BlockStructure::TriangularLower,
                Accum::Add,
                masked.transpose(),
                BlockStructure::Rectangular,
                masked.as_ref(),
                BlockStructure::Rectangular,
                1.0,
                Par::rayon(2),
            );
        }
        for j in 0..order {
            for i in 0..j {
                gram[(i, j)] = gram[(j, i)];
            }
        }
        gram
    }
}
