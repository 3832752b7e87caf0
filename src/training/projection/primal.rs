//! V from (AᵀA + γI)V = AᵀY, the samples in blocks that do not depend on the number of threads.

use super::rectifier::{Rectifier, preactivation_rows};
use super::{Results, inner};
use crate::control::Control;
use crate::linalg::dense::Cholesky;
use crate::training::coordinates::Coordinates;
use faer::linalg::matmul::{matmul, triangular};
use faer::prelude::*;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Numbers of a chunk of activations: it stays in the cache.
const CHUNK: usize = 1 << 15;
const FEWEST_ROWS: usize = 64;
/// Multiplications that are worth a block of their own, and blocks at most.
const BLOCK: f64 = 4e6;
const MOST_BLOCKS: f64 = 8.0;

pub(super) struct Primal {
    blocks: Vec<Block>,
    system: Mat<f64>,
    factor: Cholesky,
}

/// Some of the samples, and sums over them.
struct Block {
    from: usize,
    rows: usize,
    /// Rows of a chunk.
    chunk: usize,
    preactivation: Vec<f64>,
    activation: Vec<f64>,
    gram: Mat<f64>,
    target: Mat<f64>,
    gradient: Mat<f64>,
    /// W of these samples, by column.
    residual: Mat<f64>,
    /// Of sparse features: the slopes −WV of these samples, by column.
    slopes: Vec<f64>,
    fit: f64,
}

impl Primal {
    pub fn new(at: &Coordinates, width: usize) -> Self {
        let (n, c, k) = (at.samples(), at.targets.ncols(), at.rank());
        let work = n as f64 * width as f64 * (0.5 * width as f64 + 3.0 * at.cost() + 2.0 * c as f64);
        let count = ((work / BLOCK).clamp(1.0, MOST_BLOCKS) as usize).min(n);
        let chunk = (CHUNK / width.max(1)).max(FEWEST_ROWS);
        let blocks = (0..count)
            .map(|b| {
                let (from, to) = (b * n / count, (b + 1) * n / count);
                let size = chunk.min(to - from) * width;
                let dense = at.whitened().is_some();
                Block {
                    from,
                    rows: to - from,
                    chunk,
                    preactivation: vec![0.0; size],
                    activation: vec![0.0; size],
                    gram: Mat::zeros(width, width),
                    target: Mat::zeros(width, c),
                    gradient: if dense { Mat::zeros(k, width) } else { Mat::new() },
                    residual: Mat::zeros(to - from, c),
                    slopes: if dense { Vec::new() } else { vec![0.0; (to - from) * width] },
                    fit: 0.0,
                }
            })
            .collect();
        Self { blocks, system: Mat::zeros(width, width), factor: Cholesky::default() }
    }

    /// AᵀA (its lower triangle) and AᵀY at directions (k × m by column). `None` where it is told to stop.
    pub fn normal_equations(
        mut self,
        at: &Coordinates,
        hidden: &[f64],
        control: &Control,
    ) -> Option<(Mat<f64>, Mat<f64>)> {
        let width = self.system.nrows();
        let z = MatRef::from_column_major_slice(hidden, at.rank(), width);
        let known = at.whitened().is_none().then(|| at.preactivation(z));
        let rectifier = &Rectifier::sharp(width);
        let samples =
            Samples { at, z, known: known.as_ref().map(|known| known.as_ref()), rectifier, control };
        let mut target = Mat::zeros(width, at.targets.ncols());
        self.gather(&samples, &mut target);
        (!control.should_stop()).then_some((self.system, target))
    }

    fn gather(&mut self, samples: &Samples<'_>, target: &mut Mat<f64>) {
        self.blocks.par_iter_mut().for_each(|block| block.gather(samples));
        self.system.fill(0.0);
        target.fill(0.0);
        for block in &self.blocks {
            for j in 0..self.system.ncols() {
                let (sum, part) =
                    (&mut self.system.col_as_slice_mut(j)[j..], &block.gram.col_as_slice(j)[j..]);
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
            *target += &block.target;
        }
    }

    /// False where it fails or is told to stop.
    pub fn evaluate(
        &mut self,
        at: &Coordinates,
        hidden: &[f64],
        rectifier: &Rectifier,
        control: &Control,
        results: &mut Results,
        gradient: Option<&mut [f64]>,
    ) -> bool {
        let width = self.system.nrows();
        let z = MatRef::from_column_major_slice(hidden, at.rank(), width);
        let mut known = at.whitened().is_none().then(|| at.preactivation(z));
        let samples =
            Samples { at, z, known: known.as_ref().map(|known| known.as_ref()), rectifier, control };
        self.gather(&samples, &mut results.output);
        if control.should_stop() || !self.factor.factorize(&self.system, at.weight_decay) {
            return false;
        }
        self.factor.solve(results.output.as_mut());
        let (output, wanted) = (results.output.as_ref(), gradient.is_some());
        self.blocks.par_iter_mut().for_each(|block| block.spread(&samples, output, wanted));
        results.fit = self.blocks.iter().map(|block| block.fit).sum();
        for block in &self.blocks {
            results.residual.subrows_mut(block.from, block.rows).copy_from(&block.residual);
        }
        if let Some(gradient) = gradient {
            let mut gradient = MatMut::from_column_major_slice_mut(gradient, at.rank(), width);
            if let Some(known) = &mut known {
                for block in &self.blocks {
                    for (slopes, known) in block.slopes.chunks_exact(block.rows).zip(known.col_iter_mut()) {
                        let rows = known.subrows_mut(block.from, block.rows);
                        rows.iter_mut().zip(slopes).for_each(|(to, slope)| *to = *slope);
                    }
                }
                at.gradient_into(known.as_ref(), gradient);
            } else {
                gradient.fill(0.0);
                self.blocks.iter().for_each(|block| gradient += &block.gradient);
            }
        }
        !control.should_stop()
    }
}

/// What the blocks share.
struct Samples<'a> {
    at: &'a Coordinates,
    z: MatRef<'a, f64>,
    known: Option<MatRef<'a, f64>>,
    rectifier: &'a Rectifier,
    control: &'a Control,
}

impl Block {
    /// The chunks: first row, rows.
    fn chunks(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (rows, chunk) = (self.rows, self.chunk);
        (0..rows).step_by(chunk).map(move |from| (from, chunk.min(rows - from)))
    }

    fn activate(&mut self, samples: &Samples<'_>, from: usize, rows: usize) {
        let size = rows * samples.z.ncols();
        let (t, a) = (&mut self.preactivation[..size], &mut self.activation[..size]);
        preactivation_rows(samples.at, samples.z, samples.known, self.from + from, t);
        samples.rectifier.activate(0, rows, t, a);
    }

    /// AᵀA (its lower triangle) and AᵀY.
    fn gather(&mut self, samples: &Samples<'_>) {
        let width = samples.z.ncols();
        self.gram.fill(0.0);
        self.target.fill(0.0);
        for (from, rows) in self.chunks() {
            if samples.control.should_stop() {
                return;
            }
            self.activate(samples, from, rows);
            let a = MatRef::from_column_major_slice(&self.activation[..rows * width], rows, width);
            let y = samples.at.targets.subrows(self.from + from, rows);
            triangular::matmul(
                self.gram.as_mut(),
                triangular::BlockStructure::TriangularLower,
                Accum::Add,
                a.transpose(),
                triangular::BlockStructure::Rectangular,
                a,
                triangular::BlockStructure::Rectangular,
                1.0,
                Par::Seq,
            );
            matmul(self.target.as_mut(), Accum::Add, a.transpose(), y, 1.0, Par::Seq);
        }
    }

    /// W, ⟨Y, W⟩ and, where it is wanted, the gradient without the weight decay.
    fn spread(&mut self, samples: &Samples<'_>, output: MatRef<'_, f64>, wanted: bool) {
        let width = samples.z.ncols();
        self.fit = 0.0;
        self.gradient.fill(0.0);
        let kept = self.rows <= self.chunk;
        for (from, rows) in self.chunks() {
            if samples.control.should_stop() {
                return;
            }
            if !kept {
                self.activate(samples, from, rows);
            }
            let size = rows * width;
            let a = MatMut::from_column_major_slice_mut(&mut self.activation[..size], rows, width);
            let y = samples.at.targets.subrows(self.from + from, rows);
            let mut w = self.residual.subrows_mut(from, rows);
            w.copy_from(y);
            matmul(w.rb_mut(), Accum::Add, a.as_ref(), output, -1.0, Par::Seq);
            self.fit += inner(y, w.as_ref());
            if !wanted {
                continue;
            }
            matmul(a, Accum::Replace, w.as_ref(), output.transpose(), -1.0, Par::Seq);
            let slopes = &mut self.activation[..size];
            samples.rectifier.slope(0, rows, &self.preactivation[..size], slopes);
            match samples.at.whitened() {
                Some(space) => {
                    let slopes = MatRef::from_column_major_slice(slopes, rows, width);
                    let x = space.features.subrows(self.from + from, rows);
                    matmul(self.gradient.as_mut(), Accum::Add, x.transpose(), slopes, 1.0, Par::Seq);
                }
                None => {
                    for (all, part) in self.slopes.chunks_exact_mut(self.rows).zip(slopes.chunks_exact(rows))
                    {
                        all[from..from + rows].copy_from_slice(part);
                    }
                }
            }
        }
    }
}
