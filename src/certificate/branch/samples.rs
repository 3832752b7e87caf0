//! The samples that a part of the tree works on, column by column.

/// Samples are padded to whole vectors of so many with samples of weight zero.
pub(super) const LANES: usize = 8;

/// The next multiple of [`LANES`].
pub(super) fn padded(samples: usize) -> usize {
    samples.div_ceil(LANES) * LANES
}

/// Features and weights of some samples by columns, and the exact linear part of all others.
///
/// A sample that is not in the block keeps its sign s on every cell below: w|x·u| = (s w x)·u there, and the sum of
/// those is `linear`.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// Padded number of samples.
    len: usize,
    /// d columns of `len` features.
    x: Vec<f64>,
    /// c columns of `len` weights.
    w: Vec<f64>,
    /// Σ s w_j x over the samples that are settled, c rows of d.
    pub linear: Vec<f64>,
}

impl Block {
    /// Room for so many samples of d features and c outputs; nothing in it.
    pub fn clear(&mut self, samples: usize, d: usize, c: usize) {
        self.len = padded(samples);
        self.x.clear();
        self.x.resize(d * self.len, 0.0);
        self.w.clear();
        self.w.resize(c * self.len, 0.0);
    }

    /// Padded number of samples.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Feature k of every sample.
    pub fn x(&self, k: usize) -> &[f64] {
        &self.x[k * self.len..][..self.len]
    }

    /// All features, column after column.
    pub fn columns(&self) -> &[f64] {
        &self.x
    }

    /// Weight j of every sample.
    pub fn w(&self, j: usize) -> &[f64] {
        &self.w[j * self.len..][..self.len]
    }

    pub fn x_mut(&mut self, k: usize) -> &mut [f64] {
        &mut self.x[k * self.len..][..self.len]
    }

    pub fn w_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.w[j * self.len..][..self.len]
    }
}

/// Where the samples of a block stand on a cell of centre u₀ and half-widths ρ.
#[derive(Clone, Debug, Default)]
pub(super) struct Stand {
    /// x·u₀.
    pub t: Vec<f64>,
    /// Σ|x_k|ρ_k: how far x·u may move from t.
    pub r: Vec<f64>,
    /// Σx_k²ρ_k².
    pub v: Vec<f64>,
}

impl Stand {
    pub fn resize(&mut self, len: usize) {
        for column in [&mut self.t, &mut self.r, &mut self.v] {
            column.resize(len, 0.0);
        }
    }
}

/// Whether x·u keeps its sign on the cell. Not for NaN.
#[inline(always)]
pub(super) fn is_settled(t: f64, r: f64) -> bool {
    t.abs() >= r
}

/// Moves the unsettled samples of a block into another, and the settled ones into its linear part.
///
/// `stand` is the samples' in `from` and becomes that in `to`; `kept` is scratch.
pub(super) fn compact(
    from: &Block,
    stand: &mut Stand,
    to: &mut Block,
    kept: &mut Vec<u32>,
    d: usize,
    c: usize,
) {
    let len = from.len();
    kept.clear();
    kept.resize(len, 0);
    to.linear.clear();
    to.linear.extend_from_slice(&from.linear);
    let mut count = 0;
    for i in 0..len {
        kept[count] = i as u32;
        if !is_settled(stand.t[i], stand.r[i]) {
            count += 1;
            continue;
        }
        for j in 0..c {
            let weight = from.w(j)[i];
            if weight == 0.0 {
                continue;
            }
            let signed = weight.copysign(weight * stand.t[i]);
            for k in 0..d {
                to.linear[j * d + k] += signed * from.x(k)[i];
            }
        }
    }
    kept.truncate(count);
    to.clear(count, d, c);
    for k in 0..d {
        gather(from.x(k), kept, to.x_mut(k));
    }
    for j in 0..c {
        gather(from.w(j), kept, to.w_mut(j));
    }
    for column in [&mut stand.t, &mut stand.r, &mut stand.v] {
        for (place, &i) in kept.iter().enumerate() {
            // In ascending order, so nothing is overwritten before it is read.
            column[place] = column[i as usize];
        }
        column.truncate(count);
        column.resize(to.len(), 0.0);
    }
}

fn gather(from: &[f64], kept: &[u32], to: &mut [f64]) {
    for (to, &i) in to.iter_mut().zip(kept) {
        *to = from[i as usize];
    }
}
