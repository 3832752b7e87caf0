//! The neuron that pays most, over all directions: max ‖Wᵀ(Xu)₊‖ over ‖u‖ = 1.
//!
//! Inside a cell the square is a quadratic form, whose only local maxima on the sphere are its top eigenvectors. A maximum
//! on a lower face is one of the form restricted to that face's flat. So the top eigenvectors of all cells of all flats,
//! and the rays, are all there is. (Where the top eigenvalue is multiple, its eigenspace leaves the cell through a face.)

use super::Arrangement;
use super::cells::Flat;
use crate::linalg::dense::{product, symmetric_eigen};
use faer::{Mat, MatRef};
use rayon::prelude::*;
use std::ops::Range;

/// A stationary direction, a unit vector in the row space, and ‖Wᵀ(Xu)₊‖ there.
#[derive(Clone, Debug)]
pub(crate) struct Peak {
    pub direction: Vec<f64>,
    pub value: f64,
}

/// A point counts as inside a cell if the value there is the cell's eigenvalue to this relative accuracy.
const INSIDE: f64 = 1e-9;
/// Cells searched at a time.
const PIECE: usize = 2048;

impl Arrangement {
    /// The best peak of all, and those above `floor` in descending order.
    pub(crate) fn peaks(&self, w: MatRef<'_, f64>, floor: f64) -> (Peak, Vec<Peak>) {
        let mut first = vec![0.0; self.rank()];
        first.iter_mut().take(1).for_each(|z| *z = 1.0);
        let mut best = Peak { direction: first, value: 0.0 };
        // pieces of a fixed size, judged each by itself: the number of threads changes nothing
        let pieces: Vec<(&Flat, usize)> = self
            .flats
            .iter()
            .flat_map(|flat| (0..flat.cells.len()).step_by(PIECE).map(move |from| (flat, from)))
            .collect();
        let found: Vec<Search<'_>> = pieces
            .into_par_iter()
            .map(|(flat, from)| {
                let mut search = Search { w, floor, best: best.clone(), peaks: Vec::new() };
                search.cells(flat, from..(from + PIECE).min(flat.cells.len()));
                search
            })
            .collect();
        let mut peaks = Vec::new();
        for search in found {
            if search.best.value > best.value {
                best = search.best;
            }
            peaks.extend(search.peaks);
        }
        peaks.sort_by(|a, b| b.value.total_cmp(&a.value));
        (best, peaks)
    }

    /// The best peak of all.
    pub(crate) fn best(&self, w: MatRef<'_, f64>) -> Peak {
        self.peaks(w, f64::INFINITY).0
    }
}

/// The bound ⟨sW, Y⟩ − ½‖sW‖² with the best s at which s·largest ≤ γ, where `largest` = max ‖Wᵀ(Xu)₊‖ over ‖u‖ = 1.
pub(crate) fn scaled_bound(w: MatRef<'_, f64>, y: MatRef<'_, f64>, gamma: f64, largest: f64) -> f64 {
    let mut inner = 0.0;
    for (w, y) in w.col_iter().zip(y.col_iter()) {
        inner += w.iter().zip(y.iter()).map(|(w, y)| w * y).sum::<f64>();
    }
    let squared = w.squared_norm_l2();
    if squared == 0.0 {
        return 0.0;
    }
    let scale = (gamma / largest).min(inner / squared).max(0.0);
    scale * inner - 0.5 * scale * scale * squared
}

/// Whether all eigenvalues of a small form are below a level: level·I − form has a Cholesky factor. Cheaper than they are.
fn is_below(form: &Mat<f64>, level: f64) -> bool {
    let k = form.nrows();
    let mut rest = Mat::from_fn(k, k, |a, b| if a == b { level } else { 0.0 } - form[(a, b)]);
    for p in 0..k {
        let pivot = rest[(p, p)];
        // written so that NaN, as of an infinite level, counts as not known
        if !(pivot > 0.0 && pivot.is_finite()) {
            return false;
        }
        for b in p + 1..k {
            let factor = rest[(b, p)] / pivot;
            for a in b..k {
                rest[(a, b)] -= factor * rest[(a, p)];
            }
        }
    }
    true
}

struct Search<'a> {
    w: MatRef<'a, f64>,
    floor: f64,
    best: Peak,
    peaks: Vec<Peak>,
}

impl Search<'_> {
    /// Values below this are of no interest.
    fn least(&self) -> f64 {
        self.floor.min(self.best.value)
    }

    fn cells(&mut self, flat: &Flat, range: Range<usize>) {
        let (n, k) = flat.rows.shape();
        let c = self.w.ncols();
        // row i of B ⊗ W, k·c values
        let mut products = Vec::with_capacity(n * k * c);
        for i in 0..n {
            for a in 0..k {
                products.extend((0..c).map(|j| flat.rows[(i, a)] * self.w[(i, j)]));
            }
        }
        let mut moments = vec![0.0; k * c];
        for index in range {
            moments.fill(0.0);
            for i in flat.cells[index].pattern.active() {
                for (m, p) in moments.iter_mut().zip(&products[i * k * c..(i + 1) * k * c]) {
                    *m += p;
                }
            }
            // the trace is at least the largest eigenvalue
            let trace: f64 = moments.iter().map(|m| m * m).sum();
            if trace <= self.least().powi(2) {
                continue;
            }
            if let Some(ray) = flat.rays.get(index) {
                let squared: f64 =
                    (0..c).map(|j| (0..k).map(|a| ray[a] * moments[a * c + j]).sum::<f64>().powi(2)).sum();
                self.offer(flat, ray, squared.sqrt());
            }
            if k > 1 {
                self.crest(flat, &moments);
            }
        }
    }

    /// The top eigenvector of one cell, if it lies inside.
    fn crest(&mut self, flat: &Flat, moments: &[f64]) {
        let (k, c) = (flat.rows.ncols(), self.w.ncols());
        let entry =
            |a: usize, b: usize| -> f64 { (0..c).map(|j| moments[a * c + j] * moments[b * c + j]).sum() };
        let (value, vector) = if k == 2 {
            let (xx, xy, yy) = (entry(0, 0), entry(0, 1), entry(1, 1));
            let (sin, cos) = (0.5 * (2.0 * xy).atan2(xx - yy)).sin_cos();
            (xx * cos * cos + 2.0 * xy * sin * cos + yy * sin * sin, vec![cos, sin])
        } else {
            let form = Mat::from_fn(k, k, entry);
            if is_below(&form, self.least().powi(2)) {
                return;
            }
            let Some((values, vectors)) = symmetric_eigen(form.as_ref()) else { return };
            (values[k - 1], (0..k).map(|a| vectors[(a, k - 1)]).collect())
        };
        let top = value.max(0.0).sqrt();
        if top <= self.least() {
            return;
        }
        for sign in [1.0, -1.0] {
            let vector: Vec<f64> = vector.iter().map(|v| sign * v).collect();
            let value = self.evaluate(flat, &vector);
            if value >= top * (1.0 - INSIDE) {
                self.offer(flat, &vector, value);
            }
        }
    }

    fn evaluate(&self, flat: &Flat, vector: &[f64]) -> f64 {
        let mut gain = vec![0.0; self.w.ncols()];
        for i in 0..flat.rows.nrows() {
            let a: f64 = vector.iter().enumerate().map(|(j, v)| v * flat.rows[(i, j)]).sum();
            if a > 0.0 {
                gain.iter_mut().enumerate().for_each(|(j, g)| *g += a * self.w[(i, j)]);
            }
        }
        gain.iter().map(|g| g * g).sum::<f64>().sqrt()
    }

    fn offer(&mut self, flat: &Flat, vector: &[f64], value: f64) {
        if value <= self.least() {
            return;
        }
        let vector = MatRef::from_column_major_slice(vector, vector.len(), 1);
        let direction = product(flat.basis.as_ref(), vector).col(0).iter().copied().collect();
        let peak = Peak { direction, value };
        if value > self.best.value {
            self.best = peak.clone();
        }
        if value > self.floor {
            self.peaks.push(peak);
        }
    }
}
