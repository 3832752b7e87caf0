//! The coordinates that a search works in, and what the way to them costs.
//!
//! Rows of X are multiplied by powers of two and rows of W divided by them, which changes nothing; then u = Vz with nearly
//! orthogonal V, whose first columns are the principal axes of the samples. Directions in which no sample
//! reaches far are left out. docs/certificate.md, section 13, has the proof.

use super::moments::MOST;
use super::samples::Block;
use crate::certificate::cholesky::{UNIT, gamma};
use crate::error::{Error, Result};
use crate::linalg::dense::{ThinSvd, triangular_factor};
use crate::problem::Features;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

/// Features beyond which no search is tried: the rotation would cost more than it could find.
const MOST_FEATURES: usize = 256;
/// A direction is left out where all samples together reach this far in it, as a part of the level.
const NEGLIGIBLE: f64 = 1e-10;
/// Rows rotated at a time.
const ROWS: usize = 4096;

/// Samples in search coordinates.
pub(super) struct Coordinates {
    /// V, features × d.
    basis: Mat<f64>,
    /// The columns of X that have an entry.
    columns: Vec<usize>,
    inputs: usize,
    /// z-coordinates that are searched.
    pub d: usize,
    pub c: usize,
    /// The samples that take part, scaled and rotated.
    pub samples: Block,
    /// WᵀX in the same coordinates, c rows.
    pub products: Vec<[f64; MOST]>,
    /// Σ|w_i||x_i|₁, rounded upwards.
    pub mass: f64,
    /// A level M of the claim is `scale`·M here: a power of two.
    exponent: i32,
    /// What the rotation and the directions left out may add to |Wᵀ(Xu)₊|/|u|, rounded upwards.
    error: f64,
    /// ‖VᵀV − I‖, rounded upwards.
    skewness: f64,
    /// At least Σ|w_i||x_i|.
    reach: f64,
}

/// A positive number times a power of two, in steps that neither overflow nor lose more than the last bits of a subnormal.
fn scaled(value: f64, exponent: i32) -> f64 {
    let (mut value, mut left) = (value, exponent);
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        value *= 2f64.powi(step);
        left -= step;
    }
    value
}

/// e with 2^(e−1) ≤ |value| < 2^e; the value is not zero.
fn exponent(value: f64) -> i32 {
    let bits = (value.abs().to_bits() >> 52) as i32;
    if bits == 0 { exponent(value * 2f64.powi(64)) - 64 } else { bits - 1022 }
}

/// Largest magnitude of some numbers.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |largest, value| value.abs().max(largest))
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

impl Coordinates {
    /// For the claim |Wᵀ(Xu)₊| ≤ M|u| with M near `level`; every number is finite.
    ///
    /// Refuses more than 16 directions that matter.
    pub fn new(features: &Features, w: MatRef<'_, f64>, level: f64) -> Result<Self> {
        let inputs = features.ncols();
        let columns = occupied(features);
        if columns.len() > MOST_FEATURES {
            return Err(out_of_reach(columns.len()));
        }
        let x = dense(features, &columns);
        let (n, p, c) = (x.nrows(), columns.len(), w.ncols());
        // Row scales: 2^−a for x, 2^(a − s) for w, s such that the largest product is near 1.
        let parts: Vec<(usize, i32, i32)> = (0..n)
            .filter_map(|i| {
                let (x, w) = (largest((0..p).map(|k| x[(i, k)])), largest((0..c).map(|j| w[(i, j)])));
                (x > 0.0 && w > 0.0).then(|| (i, exponent(x), exponent(w)))
            })
            .collect();
        let shift = parts.iter().map(|(_, a, b)| a + b).max().unwrap_or(0);
        let count = parts.len();
        let x = Mat::from_fn(count, p, |i, k| scaled(x[(parts[i].0, k)], -parts[i].1));
        let w = Mat::from_fn(count, c, |i, j| scaled(w[(parts[i].0, j)], parts[i].1 - shift));
        let weights: Vec<f64> = (0..count).map(|i| norm((0..c).map(|j| w[(i, j)]))).collect();
        let longest = parts.iter().map(|(_, a, _)| *a).max().unwrap_or(0);
        let lengths: Vec<f64> = parts.iter().map(|(_, a, _)| scaled(1.0, a - longest)).collect();
        let basis = principal_axes(&x, &lengths)?;
        let skewness = skewness(basis.as_ref());
        if skewness >= 0.01 {
            return Err(Error::Numerical("the principal axes of the samples"));
        }
        let rotated = rotate(&x, &basis);
        // What all samples together reach in the last directions, from the end.
        let level = scaled(level, -shift);
        let (mut d, mut reach) = (p, 0.0);
        let mut left_out = vec![0.0; count];
        while d > 0 {
            for (square, x) in left_out.iter_mut().zip(rotated.col(d - 1).iter()) {
                *square += x * x;
            }
            let total: f64 = weights.iter().zip(&left_out).map(|(w, square)| w * square.sqrt()).sum();
            if total > NEGLIGIBLE * level {
                break;
            }
            reach = total;
            d -= 1;
        }
        if d > MOST {
            return Err(out_of_reach(d));
        }
        let mut samples = Block::default();
        samples.clear(count, d, c);
        samples.linear = vec![0.0; c * d];
        for k in 0..d {
            samples.x_mut(k)[..count].iter_mut().zip(rotated.col(k).iter()).for_each(|(to, x)| *to = *x);
        }
        for j in 0..c {
            samples.w_mut(j)[..count].iter_mut().zip(w.col(j).iter()).for_each(|(to, w)| *to = *w);
        }
        let mut products = vec![[0.0; MOST]; c];
        for (j, product) in products.iter_mut().enumerate() {
            for (k, entry) in product.iter_mut().enumerate().take(d) {
                *entry = (0..count).map(|i| w[(i, j)] * rotated[(i, k)]).sum();
            }
        }
        let length = |matrix: &Mat<f64>, columns: usize, i: usize| {
            (0..columns).map(|k| matrix[(i, k)].abs()).sum::<f64>()
        };
        // 1.01 pays for the rounding of sums of nonnegative terms, the second one in `error` for what underflowed anywhere.
        let total = |matrix: &Mat<f64>, columns: usize| {
            1.01 * weights.iter().enumerate().map(|(i, w)| w * length(matrix, columns, i)).sum::<f64>()
        };
        let mass = total(&rotated, d);
        let everything = total(&x, p);
        let error = 1.01 * (gamma(p + 2) * 1.01 * everything + 1.01 * reach) + 2f64.powi(-800);
        Ok(Self {
            basis,
            columns,
            inputs,
            d,
            c,
            samples,
            products,
            mass,
            exponent: -shift,
            error,
            skewness,
            reach: everything,
        })
    }

    /// The level to prove in these coordinates for a claim at level M, rounded downwards; not positive where there is none.
    pub fn level(&self, level: f64) -> f64 {
        // A larger level than that, or one that overflows, gains nothing.
        let level = scaled(level, self.exponent).min(2f64.powi(700));
        let level = (level * (1.0 - 1.01 * self.skewness - 4.0 * UNIT) - self.error) * (1.0 - 4.0 * UNIT);
        // A level that fell among the subnormal numbers has lost bits.
        if level > 2f64.powi(-700) { level } else { 0.0 }
    }

    /// Whether no sample takes part at all.
    pub fn is_nothing(&self) -> bool {
        self.samples.len() == 0
    }

    /// The number M whose scaled value is this, for estimates.
    pub fn unscaled(&self, level: f64) -> f64 {
        scaled(level, -self.exponent)
    }

    /// At least Σ|w_i||x_i|, for W and X as they are.
    pub fn reach(&self) -> f64 {
        1.01 * self.unscaled(self.reach) + 4.0 * f64::MIN_POSITIVE
    }

    /// A direction of the search in the features of X.
    pub fn direction(&self, z: &[f64; MOST]) -> Vec<f64> {
        let mut u = vec![0.0; self.inputs];
        for (k, &column) in self.columns.iter().enumerate() {
            u[column] = (0..self.d).map(|j| self.basis[(k, j)] * z[j]).sum();
        }
        u
    }
}

fn out_of_reach(d: usize) -> Error {
    Error::Refused(format!("branch and bound reaches {MOST} dimensions, and the samples span {d}"))
}

/// Columns with an entry other than zero.
fn occupied(features: &Features) -> Vec<usize> {
    let mut used = vec![false; features.ncols()];
    match features {
        Features::Dense(matrix) => {
            for (used, column) in used.iter_mut().zip(matrix.col_iter()) {
                *used = column.iter().any(|&value| value != 0.0);
            }
        }
        Features::Sparse(matrix) => {
            for (&value, (_, column)) in matrix.iter() {
                used[column] |= value != 0.0;
            }
        }
    }
    (0..used.len()).filter(|&k| used[k]).collect()
}

/// Some of the columns, filled.
fn dense(features: &Features, columns: &[usize]) -> Mat<f64> {
    match features {
        Features::Dense(matrix) => {
            Mat::from_fn(matrix.nrows(), columns.len(), |i, k| matrix[(i, columns[k])])
        }
        Features::Sparse(matrix) => {
            let mut place = vec![usize::MAX; matrix.cols()];
            columns.iter().enumerate().for_each(|(k, &column)| place[column] = k);
            let mut dense = Mat::zeros(matrix.rows(), columns.len());
            for (&value, (row, column)) in matrix.iter().filter(|(value, _)| **value != 0.0) {
                dense[(row, place[column])] += value;
            }
            dense
        }
    }
}

/// Orthonormal columns (nearly: that is measured), the axes along which the samples reach furthest first.
fn principal_axes(x: &Mat<f64>, lengths: &[f64]) -> Result<Mat<f64>> {
    let p = x.ncols();
    if x.nrows() == 0 || p == 0 {
        return Ok(Mat::identity(p, p));
    }
    let weighted =
        Mat::from_fn(x.nrows().max(p), p, |i, k| if i < x.nrows() { lengths[i] * x[(i, k)] } else { 0.0 });
    let factor = triangular_factor(weighted.as_ref());
    let triangle = Mat::from_fn(p, p, |i, k| if i <= k { factor[(i, k)] } else { 0.0 });
    let svd = ThinSvd::new(triangle.as_ref()).ok_or(Error::Numerical("the principal axes of the samples"))?;
    Ok(svd.v)
}

/// At least ‖VᵀV − I‖: the largest row sum, with the rounding of the product.
fn skewness(v: MatRef<'_, f64>) -> f64 {
    let p = v.nrows();
    let mut gram = Mat::zeros(p, p);
    matmul(gram.as_mut(), Accum::Replace, v.transpose(), v, 1.0, Par::Seq);
    let row = |i: usize| (0..p).map(|j| (gram[(i, j)] - f64::from(u8::from(i == j))).abs()).sum::<f64>();
    let widest = largest((0..p).map(row));
    // Entries of V of at most 1.5: an entry of the product errs by at most 2.25 p γ_p.
    let is_moderate = v.col_iter().all(|column| column.iter().all(|v| v.abs() <= 1.5));
    if !is_moderate || !widest.is_finite() {
        return f64::INFINITY;
    }
    1.01 * (widest + 2.25 * (p * p) as f64 * gamma(p + 2))
}

/// XV, a panel of rows after the other.
fn rotate(x: &Mat<f64>, v: &Mat<f64>) -> Mat<f64> {
    let mut rotated = Mat::zeros(x.nrows(), v.ncols());
    for from in (0..x.nrows()).step_by(ROWS) {
        let rows = ROWS.min(x.nrows() - from);
        let to = rotated.as_mut().subrows_mut(from, rows);
        matmul(to, Accum::Replace, x.as_ref().subrows(from, rows), v.as_ref(), 1.0, Par::Seq);
    }
    rotated
}
