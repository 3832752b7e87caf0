//! Whitening of sparse features: columns brought to one length, then a randomised low-rank correction.

use super::whitening::Whitening;
use crate::linalg::dense::{ThinSvd, product, symmetric_eigen};
use crate::linalg::sparse::{times, times_vector};
use crate::problem::features::by_rows;
use faer::{Mat, MatMut, MatRef};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use sprs::CsMat;

/// Directions of the correction, and those drawn besides so that they are found well.
const DIRECTIONS: usize = 16;
const SPARE: usize = 8;
/// Products with XᵀX that the drawn directions are improved by.
const PASSES: usize = 3;
/// The least eigenvalue ratio that is worth a correction.
const STANDS_OUT: f64 = 1.5;

/// u = D F z with D = diag(√n / √(column norm² + ε²)) over the columns that are not zero, and F = I + Q diag(g) Qᵀ.
///
/// The Gram matrix of XD/√n has a unit diagonal. Of its greatest eigenvalues λ_a with eigenvectors Q (a few, from a
/// randomised subspace iteration: Halko, Martinsson and Tropp, SIAM Review 53, 2011) those that stand out are brought
/// down to the last: 1 + g_a = √(λ_ℓ/λ_a), as in the preconditioner of Frangella, Tropp and Udell (SIMAX 44, 2023).
pub(in crate::training) struct ColumnSpace {
    /// XD over those columns, compressed by rows.
    rows: CsMat<f64>,
    /// And by columns.
    columns: CsMat<f64>,
    /// Which columns of X they are.
    place: Vec<usize>,
    scale: Vec<f64>,
    /// Q (k × ℓ) and g; none where nothing stands out.
    correction: Option<(Mat<f64>, Vec<f64>)>,
}

impl ColumnSpace {
    /// ε² is the floor. `None` when X is zero or out of proportion.
    pub fn new(x: &CsMat<f64>, floor: f64, whitening: Whitening) -> Option<Self> {
        let x = by_rows(x);
        let samples = x.rows() as f64;
        let mut energy = vec![0.0; x.cols()];
        for (value, (_, j)) in x.iter() {
            energy[j] += value * value;
        }
        let place: Vec<usize> = (0..energy.len()).filter(|&j| energy[j] > 0.0).collect();
        let mut local = vec![usize::MAX; energy.len()];
        place.iter().enumerate().for_each(|(new, &old)| local[old] = new);
        let mean = place.iter().map(|&j| energy[j]).sum::<f64>() / place.len().max(1) as f64;
        let squared = |j: usize| if whitening == Whitening::None { mean } else { energy[j] };
        let scale: Vec<f64> = place.iter().map(|&j| (samples / (squared(j) + floor)).sqrt()).collect();
        if place.is_empty() || !scale.iter().all(|s| s.is_finite() && *s > 0.0) {
            return None;
        }
        let mut scaled = sprs::TriMat::with_capacity((x.rows(), place.len()), x.nnz());
        for (value, (i, j)) in x.iter().filter(|(_, (_, j))| local[*j] != usize::MAX) {
            scaled.add_triplet(i, local[j], value * scale[local[j]]);
        }
        let rows: CsMat<f64> = scaled.to_csr();
        let columns = rows.to_csc();
        let mut space = Self { rows, columns, place, scale, correction: None };
        if whitening == Whitening::Randomised {
            space.correction = space.standing_out();
        }
        Some(space)
    }

    /// k.
    pub fn columns(&self) -> usize {
        self.place.len()
    }

    /// Multiplications of a product with one vector.
    pub fn cost(&self) -> f64 {
        let correction = self.correction.as_ref().map_or(0, |(q, _)| 2 * q.nrows() * q.ncols());
        (self.rows.nnz() + correction) as f64
    }

    /// Eigenvectors of XDDXᵀ/n whose eigenvalues stand out, and what F does to them.
    fn standing_out(&self) -> Option<(Mat<f64>, Vec<f64>)> {
        let count = (DIRECTIONS + SPARE).min(self.columns()).min(self.rows.rows());
        let mut rng = Pcg64::seed_from_u64(0x5eed);
        let mut basis = Mat::<f64>::from_fn(self.columns(), count, |_, _| rng.sample(StandardNormal));
        let gram = |z: &Mat<f64>| {
            let image = times(&self.columns, times(&self.rows, z.as_ref()).as_ref());
            let samples = self.rows.rows() as f64;
            Mat::from_fn(image.nrows(), image.ncols(), |i, j| image[(i, j)] / samples)
        };
        for _ in 0..PASSES {
            basis = ThinSvd::new(gram(&basis).as_ref())?.u;
        }
        let (values, vectors) = symmetric_eigen(product(basis.transpose(), gram(&basis).as_ref()).as_ref())?;
        // Ascending: the last of the directions that are kept is what the others are brought down to.
        let kept = DIRECTIONS.min(count);
        let least = *values.get(count - kept)?;
        let chosen: Vec<usize> =
            (count - kept..count).filter(|&a| least > 0.0 && values[a] > STANDS_OUT * least).collect();
        if chosen.is_empty() {
            return None;
        }
        let picked = Mat::from_fn(count, chosen.len(), |i, a| vectors[(i, chosen[a])]);
        let gain: Vec<f64> = chosen.iter().map(|&a| (least / values[a]).sqrt() - 1.0).collect();
        gain.iter().all(|g| g.is_finite()).then(|| (product(basis.as_ref(), picked.as_ref()), gain))
    }

    /// z + Q diag(f(g)) Qᵀz, as it is without a correction.
    fn corrected(&self, z: MatRef<'_, f64>, f: impl Fn(f64) -> f64) -> Mat<f64> {
        let mut image = z.to_owned();
        if let Some((q, gain)) = &self.correction {
            let mut inner = product(q.transpose(), z);
            for column in inner.col_iter_mut() {
                column.iter_mut().zip(gain).for_each(|(value, g)| *value *= f(*g));
            }
            image += product(q.as_ref(), inner.as_ref());
        }
        image
    }

    /// D F z.
    fn unscaled(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        let mut u = self.corrected(z, |g| g);
        for column in u.col_iter_mut() {
            column.iter_mut().zip(&self.scale).for_each(|(u, s)| *u *= s);
        }
        u
    }

    /// X D F z, n × m.
    pub fn times(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        match &self.correction {
            Some(_) => times(&self.rows, self.corrected(z, |g| g).as_ref()),
            None => times(&self.rows, z),
        }
    }

    /// (X D F)ᵀ slope, k × m.
    pub fn transpose_times_into(&self, slope: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        out.copy_from(self.corrected(times(&self.columns, slope).as_ref(), |g| g));
    }

    /// gradient += factor · F D² F z.
    pub fn add_weights(&self, factor: f64, z: &[f64], gradient: &mut [f64]) {
        let k = self.columns();
        let mut u = self.unscaled(MatRef::from_column_major_slice(z, k, z.len() / k));
        for column in u.col_iter_mut() {
            column.iter_mut().zip(&self.scale).for_each(|(u, s)| *u *= s);
        }
        let u = self.corrected(u.as_ref(), |g| g);
        for (g, u) in gradient.chunks_exact_mut(k).zip(u.col_iter()) {
            g.iter_mut().zip(u.iter()).for_each(|(g, u)| *g += factor * u);
        }
    }

    /// ‖D F z‖² summed over the columns.
    pub fn weights(&self, z: &[f64]) -> f64 {
        let k = self.columns();
        self.unscaled(MatRef::from_column_major_slice(z, k, z.len() / k)).squared_norm_l2()
    }

    pub fn inner(&self, z: &[f64], w: &[f64]) -> f64 {
        let u = self.unscaled(MatRef::from_column_major_slice(z, self.columns(), 1));
        let other;
        let w = if std::ptr::eq(z, w) {
            &u
        } else {
            other = self.unscaled(MatRef::from_column_major_slice(w, self.columns(), 1));
            &other
        };
        u.col(0).iter().zip(w.col(0).iter()).map(|(a, b)| a * b).sum()
    }

    pub fn row_energy(&self, sample: usize) -> f64 {
        self.rows.outer_view(sample).map_or(0.0, |row| row.squared_l2_norm())
    }

    pub fn add_row(&self, sample: usize, divisor: f64, z: &mut [f64]) {
        if let Some(row) = self.rows.outer_view(sample) {
            row.iter().for_each(|(j, value)| z[j] += value / divisor);
        }
    }

    /// F⁻¹ D⁻¹ of the rows of u that are not zero in X.
    pub fn pull(&self, hidden: MatRef<'_, f64>) -> Mat<f64> {
        let scaled =
            Mat::from_fn(self.columns(), hidden.ncols(), |j, k| hidden[(self.place[j], k)] / self.scale[j]);
        self.corrected(scaled.as_ref(), |g| 1.0 / (1.0 + g) - 1.0)
    }

    /// (DF)⁻ᵀ of a gradient, d × m.
    pub fn push_gradient(&self, gradient: MatRef<'_, f64>, inputs: usize) -> Mat<f64> {
        let mut u = self.corrected(gradient, |g| 1.0 / (1.0 + g) - 1.0);
        for column in u.col_iter_mut() {
            column.iter_mut().zip(&self.scale).for_each(|(u, s)| *u /= s);
        }
        self.spread(&u, inputs)
    }

    /// D F z in all d features.
    pub fn hidden(&self, z: MatRef<'_, f64>, inputs: usize) -> Mat<f64> {
        self.spread(&self.unscaled(z), inputs)
    }

    fn spread(&self, u: &Mat<f64>, inputs: usize) -> Mat<f64> {
        let mut hidden = Mat::zeros(inputs, u.ncols());
        for (j, &place) in self.place.iter().enumerate() {
            (0..u.ncols()).for_each(|k| hidden[(place, k)] = u[(j, k)]);
        }
        hidden
    }

    /// X D F z of one neuron.
    pub fn activate(&self, z: &[f64], out: &mut [f64]) {
        match &self.correction {
            Some(_) => {
                let z = self.corrected(MatRef::from_column_major_slice(z, z.len(), 1), |g| g);
                times_vector(&self.rows, z.col_as_slice(0), out);
            }
            None => times_vector(&self.rows, z, out),
        }
    }
}
