//! Coordinates along the principal axes of the patches, in which descents are well conditioned.

use crate::error::{Error, Result};
use crate::linalg::dense::symmetric_eigen;
use crate::problem::convolution::ConvolutionalProblem;
use crate::problem::convolution::kernel::Patches;
use faer::Mat;

/// Filters u = Bz, with B = E diag(λ + ε²)^(−½) for the mean second moments λ of the patches along the axes E.
///
/// ε² = 2γ²/‖Y‖² keeps directions that are too weak to pay from being stretched, as in training without convolutions.
pub(super) struct Coordinates<'a> {
    pub problem: &'a ConvolutionalProblem,
    pub patches: Patches,
    /// B, h × h.
    back: Mat<f64>,
    /// B⁻¹.
    forth: Mat<f64>,
}

impl<'a> Coordinates<'a> {
    pub fn new(problem: &'a ConvolutionalProblem) -> Result<Self> {
        let patches = problem.patches();
        let h = patches.offsets.len();
        let mut moments = Mat::<f64>::zeros(h, h);
        for image in problem.pixels().chunks_exact(problem.shape().inputs()) {
            for start in &patches.starts {
                for (a, first) in patches.offsets.iter().enumerate() {
                    let x = image[start + first];
                    for (b, second) in patches.offsets.iter().enumerate().take(a + 1) {
                        moments[(a, b)] += x * image[start + second];
                    }
                }
            }
        }
        for a in 0..h {
            for b in 0..=a {
                moments[(a, b)] /= patches.starts.len() as f64;
                moments[(b, a)] = moments[(a, b)];
            }
        }
        let failed = Error::Numerical("the principal axes of the patches");
        let Some((values, axes)) = symmetric_eigen(moments.as_ref()) else { return Err(failed) };
        let gamma = problem.weight_decay();
        let floor = 2.0 * gamma * gamma / problem.targets().squared_norm_l2();
        let largest = values.iter().copied().fold(0.0, f64::max);
        let floor = floor.max(1e-12 * largest);
        let scale: Vec<f64> = values.iter().map(|value| 1.0 / (value.max(0.0) + floor).sqrt()).collect();
        if !scale.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Err(failed);
        }
        let back = Mat::from_fn(h, h, |a, k| axes[(a, k)] * scale[k]);
        let forth = Mat::from_fn(h, h, |k, a| axes[(a, k)] / scale[k]);
        Ok(Self { problem, patches, back, forth })
    }

    /// h.
    pub fn weights(&self) -> usize {
        self.patches.offsets.len()
    }

    /// n·a·m: the numbers of the pooled responses of so many filters.
    pub fn responses(&self, width: usize) -> usize {
        self.problem.samples() * self.patches.blocks * width
    }

    /// Bz, both h rows of m.
    pub fn filters(&self, z: &[f64]) -> Vec<f64> {
        rows_times(&self.back, z, false)
    }

    /// B⁻¹u.
    pub fn pull(&self, filters: &[f64]) -> Vec<f64> {
        rows_times(&self.forth, filters, false)
    }

    /// The gradient with respect to z, from that with respect to u.
    pub fn gradient(&self, gradient: &[f64]) -> Vec<f64> {
        rows_times(&self.back, gradient, true)
    }
}

/// A times h rows of m, or its transpose times them.
fn rows_times(matrix: &Mat<f64>, rows: &[f64], transpose: bool) -> Vec<f64> {
    let h = matrix.nrows();
    let m = rows.len() / h;
    let mut out = vec![0.0; rows.len()];
    if m == 0 {
        return out;
    }
    for (a, out) in out.chunks_exact_mut(m).enumerate() {
        for (b, row) in rows.chunks_exact(m).enumerate() {
            let entry = if transpose { matrix[(b, a)] } else { matrix[(a, b)] };
            out.iter_mut().zip(row).for_each(|(out, value)| *out += entry * value);
        }
    }
    out
}

/// |u_j|² of filters, h rows of m.
pub(super) fn squares(filters: &[f64], m: usize) -> Vec<f64> {
    let mut squares = vec![0.0; m];
    for row in filters.chunks_exact(m.max(1)) {
        squares.iter_mut().zip(row).for_each(|(square, u)| *square += u * u);
    }
    squares
}

/// Some of the filters, in the order given.
pub(super) fn select(filters: &[f64], m: usize, chosen: &[usize]) -> Vec<f64> {
    filters.chunks_exact(m.max(1)).flat_map(|row| chosen.iter().map(|&j| row[j])).collect()
}

/// Filters side by side: h rows of m and h rows of k.
pub(super) fn beside(first: &[f64], second: &[f64], h: usize) -> Vec<f64> {
    let (m, k) = (first.len() / h, second.len() / h);
    (0..h).flat_map(|row| first[row * m..][..m].iter().chain(&second[row * k..][..k]).copied()).collect()
}
