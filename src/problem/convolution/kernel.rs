//! Filters applied to images without a matrix of patches: pooled activations, and gradients through them.

use super::{ConvolutionShape, ConvolutionalProblem};
use pulp::Arch;
use rayon::prelude::*;

/// Samples handled at once; a constant, because sums depend on it.
const SAMPLES: usize = 16;

/// Where patches lie, worked out once.
#[derive(Clone, Debug)]
pub(crate) struct Patches {
    pub starts: Vec<usize>,
    pub offsets: Vec<usize>,
    /// PQ.
    pub pooled: usize,
    /// a.
    pub blocks: usize,
    inputs: usize,
}

impl Patches {
    pub fn new(shape: &ConvolutionShape) -> Self {
        let (starts, offsets) = (shape.starts(), shape.offsets());
        Self { starts, offsets, pooled: shape.pooled(), blocks: shape.blocks(), inputs: shape.inputs() }
    }

    /// t = x·u_j for the patch of an image that begins at `start`; filters are h rows of m.
    #[inline(always)]
    pub fn respond(&self, image: &[f64], start: usize, filters: &[f64], t: &mut [f64]) {
        t.fill(0.0);
        for (offset, weights) in self.offsets.iter().zip(filters.chunks_exact(t.len())) {
            let x = image[start + offset];
            if x != 0.0 {
                t.iter_mut().zip(weights).for_each(|(t, u)| *t += x * u);
            }
        }
    }

    /// Σ (x_k·u_j)₊ over the positions of each block, a·m numbers for each sample, the neurons of a block side by side.
    pub fn sums(&self, images: &[f64], filters: &[f64], sums: &mut [f64]) {
        let m = filters.len() / self.offsets.len();
        if m == 0 {
            return;
        }
        let size = self.blocks * m;
        images.par_chunks(SAMPLES * self.inputs).zip(sums.par_chunks_mut(SAMPLES * size)).for_each(
            |(images, sums)| {
                let mut t = vec![0.0; m];
                Arch::new().dispatch(|| self.sums_of(images, filters, sums, &mut t));
            },
        );
    }

    /// Adds to `gradient` (h rows of m) that of a function of the sums whose derivatives with respect to them are `slopes`.
    pub fn pull_back(&self, images: &[f64], filters: &[f64], slopes: &[f64], gradient: &mut [f64]) {
        let m = filters.len() / self.offsets.len();
        if m == 0 {
            return;
        }
        let size = self.blocks * m;
        let parts: Vec<Vec<f64>> = images
            .par_chunks(SAMPLES * self.inputs)
            .zip(slopes.par_chunks(SAMPLES * size))
            .map(|(images, slopes)| {
                let (mut t, mut part) = (vec![0.0; m], vec![0.0; filters.len()]);
                Arch::new().dispatch(|| self.gradient_of(images, filters, slopes, &mut t, &mut part));
                part
            })
            .collect();
        // In the order of the samples, whatever the threads did.
        for part in parts {
            gradient.iter_mut().zip(part).for_each(|(gradient, part)| *gradient += part);
        }
    }

    /// Whether a patch is zero, so that nothing answers it.
    #[inline(always)]
    fn is_blank(&self, image: &[f64], start: usize) -> bool {
        self.offsets.iter().all(|offset| image[start + offset] == 0.0)
    }

    /// [`sums`](Self::sums) of some images, with room for m numbers.
    #[inline(always)]
    fn sums_of(&self, images: &[f64], filters: &[f64], sums: &mut [f64], t: &mut [f64]) {
        let m = t.len();
        for (image, sums) in images.chunks_exact(self.inputs).zip(sums.chunks_exact_mut(self.blocks * m)) {
            sums.fill(0.0);
            for (starts, sums) in self.starts.chunks_exact(self.pooled).zip(sums.chunks_exact_mut(m)) {
                for &start in starts.iter().filter(|start| !self.is_blank(image, **start)) {
                    self.respond(image, start, filters, t);
                    sums.iter_mut().zip(t.iter()).for_each(|(sum, t)| *sum += t.max(0.0));
                }
            }
        }
    }

    /// [`pull_back`](Self::pull_back) of some images.
    #[inline(always)]
    fn gradient_of(&self, images: &[f64], filters: &[f64], slopes: &[f64], t: &mut [f64], part: &mut [f64]) {
        let m = t.len();
        for (image, slopes) in images.chunks_exact(self.inputs).zip(slopes.chunks_exact(self.blocks * m)) {
            for (starts, slopes) in self.starts.chunks_exact(self.pooled).zip(slopes.chunks_exact(m)) {
                for &start in starts.iter().filter(|start| !self.is_blank(image, **start)) {
                    self.respond(image, start, filters, t);
                    t.iter_mut().zip(slopes).for_each(|(t, s)| *t = if *t > 0.0 { *s } else { 0.0 });
                    for (offset, part) in self.offsets.iter().zip(part.chunks_exact_mut(m)) {
                        let x = image[start + offset];
                        if x != 0.0 {
                            part.iter_mut().zip(t.iter()).for_each(|(g, s)| *g += x * s);
                        }
                    }
                }
            }
        }
    }
}

impl ConvolutionalProblem {
    pub(crate) fn patches(&self) -> Patches {
        Patches::new(self.shape())
    }
}
