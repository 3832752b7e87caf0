//! Directions of negative curvature of the dual slack of many samples, without a matrix of their order: a preconditioned
//! randomised block sketch (LOBPCG) over the slack as a sparse operator.
//!
//! A random block by itself hardly sees a negative eigenvector of the sample block, which sits on a few samples. So the block
//! begins with what is likely to be negative: the heads lifted through the sample block, [I; −A⁻¹B], and directions in which
//! conjugate gradients met negative curvature; random columns come last. The preconditioner is the head's Schur complement
//! and a few steps of conjugate gradients on the sample block.

use super::spectrum::Eigenpair;
use crate::certificate::positive::{Assembly, is_cheaper, sum_of_products};
use crate::dual::DualPoint;
use crate::linalg::conjugate::{Conjugate, Step};
use crate::linalg::dense::{product, symmetric_eigen};
use crate::linalg::z_matrix::width;
use crate::problem::TrainingProblem;
use crate::relaxation::{Lifting, PairSet};
use crate::system::stream::{Purpose, generator};
use faer::Mat;
use rand_distr::{Distribution, StandardNormal};

/// Columns kept from one step to the next.
const KEPT: usize = 8;
/// Random columns of the first block.
const RANDOM: usize = 3;
/// Directions of negative curvature of the sample block that are looked for, at most.
const MOST_NEGATIVE: usize = 6;
/// Steps of the block method.
const STEPS: usize = 4;
/// Steps of conjugate gradients in the preconditioner, and in the solutions behind it.
const INNER: usize = 10;
const MOST_STEPS: usize = 1000;
/// Residual of those solutions.
const TOLERANCE: f64 = 1e-3;
/// Shifts of the sample block, as parts of its mean diagonal: the first, and how it grows.
const FIRST_SHIFT: f64 = 1e-4;
const GROWTH: f64 = 4.0;
/// Directions of a block shorter than this part of the longest are left out (squares).
const DEPENDENT: f64 = 1e-12;

/// The lowest eigenpairs of the slack over (u, s), ascending, as far as the sketch finds them, as vectors of length one over
/// (u, δ) with their Rayleigh quotients there: eigenpairs of the latter where no two directions are near; none where the dense way is
/// cheaper or has to do: with cuts, prices, or directions that samples of either sign share.
pub fn lowest(lifting: &Lifting, set: &PairSet, residuals: &[f64], count: usize) -> Option<Vec<Eigenpair>> {
    let (groups, k, c) = (lifting.groups(), lifting.hidden_dimension(), lifting.outputs);
    if !set.cuts().is_empty() || lifting.is_priced() || !is_cheaper(groups, set.len(), k + c) {
        return None;
    }
    let operator = Operator::new(lifting, set, residuals)?;
    let (solid, negative) = operator.shifted_up()?;
    let start = operator.start(&solid, &negative)?;
    let found = operator.minimise(start, &solid)?;
    let mut pairs: Vec<Eigenpair> = (0..count.min(found.columns)).map(|l| operator.pair(lifting, &found, l)).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    Some(pairs)
}

/// The slack over (u, s) with v eliminated.
struct Operator {
    assembly: Assembly,
    /// Rows of u.
    head: usize,
    output_decay: f64,
}

/// Columns of vectors over (u, s): u as a matrix, s row by row.
#[derive(Clone)]
struct Block {
    u: Mat<f64>,
    s: Vec<f64>,
    columns: usize,
    width: usize,
}

impl Block {
    fn zeros(head: usize, samples: usize, columns: usize) -> Self {
        let width = width(columns);
        Self { u: Mat::zeros(head, columns), s: vec![0.0; samples * width], columns, width }
    }

    /// aᵀb.
    fn gram(&self, other: &Self) -> Mat<f64> {
        let samples = self.s.len() / self.width;
        let s = sum_of_products(
            samples,
            (&self.s, self.width, self.columns),
            (&other.s, other.width, other.columns),
        );
        s + product(self.u.transpose(), other.u.as_ref())
    }

    /// The columns of blocks side by side.
    fn joined(blocks: &[&Self]) -> Self {
        let first = blocks[0];
        let (head, samples) = (first.u.nrows(), first.s.len() / first.width);
        let mut all = Self::zeros(head, samples, blocks.iter().map(|block| block.columns).sum());
        let mut from = 0;
        for block in blocks {
            for j in 0..block.columns {
                (0..head).for_each(|i| all.u[(i, from + j)] = block.u[(i, j)]);
            }
            for (to, row) in all.s.chunks_exact_mut(all.width).zip(block.s.chunks_exact(block.width)) {
                to[from..from + block.columns].copy_from_slice(&row[..block.columns]);
            }
            from += block.columns;
        }
        all
    }

    /// The columns times a matrix.
    fn times(&self, factor: &Mat<f64>) -> Self {
        let (head, samples) = (self.u.nrows(), self.s.len() / self.width);
        let mut out = Self::zeros(head, samples, factor.ncols());
        out.u = product(self.u.as_ref(), factor.as_ref());
        for (to, row) in out.s.chunks_exact_mut(out.width).zip(self.s.chunks_exact(self.width)) {
            for (l, to) in to.iter_mut().take(factor.ncols()).enumerate() {
                *to = (0..self.columns).map(|j| row[j] * factor[(j, l)]).sum();
            }
        }
        out
    }
}

/// A sample block raised until it is positive definite, and the head's Schur complement over it.
struct Solid {
    diagonal: Vec<f64>,
    /// A⁻¹B, roughly, as the side is stored.
    solutions: Vec<f64>,
    /// |Schur complement|⁻¹ of u.
    inverse: Mat<f64>,
}

impl Operator {
    fn new(lifting: &Lifting, set: &PairSet, residuals: &[f64]) -> Option<Self> {
        let (groups, k, c) = (lifting.groups(), lifting.hidden_dimension(), lifting.outputs);
        // A direction is turned so that the form that the loss sees is its α.
        let mut turned: Vec<Option<bool>> = vec![None; groups];
        let mut w = Mat::zeros(groups, c);
        for (f, fit) in lifting.fit.iter().enumerate() {
            let g = fit.form % groups;
            if turned[g].replace(fit.form >= groups).is_some() {
                return None;
            }
            (0..c).for_each(|j| w[(g, j)] = -fit.weight * residuals[f * c + j]);
        }
        let is_turned = |g: usize| turned[g] == Some(true);
        let sign = |g: usize| if is_turned(g) { -1.0 } else { 1.0 };
        let features = Mat::from_fn(groups, k, |g, a| sign(g) * lifting.geometry.direction(g)[a]);
        let (y, multipliers) = set.plain_multipliers(lifting);
        let form = |key: u32| {
            let (g, beta) = (key as usize % groups, key as usize >= groups);
            if beta != is_turned(g) { g + groups } else { g }
        };
        let mut dual = DualPoint { w, y, ..DualPoint::zero(0, 0) };
        for (&(a, b), &value) in set.keys.iter().zip(&multipliers) {
            if value > 0.0 {
                dual.pairs.push([form(a), form(b)]);
                dual.n.push(value);
            }
        }
        let decay = lifting.output_decay;
        let problem = TrainingProblem::new(features, Mat::zeros(groups, c), decay).ok()?.with_plain_basis();
        let more = Mat::from_fn(k + c, k + c, |i, j| {
            if i == j && i < k { lifting.hidden_decay[i] - decay } else { 0.0 }
        });
        let scales = (vec![1.0; groups], 1.0);
        let assembly =
            Assembly::with_scales(&problem, &dual, Some(more.as_ref()), Some((&scales.0, scales.1))).ok()?;
        Some(Self { assembly, head: k, output_decay: decay })
    }

    fn samples(&self) -> usize {
        self.assembly.samples()
    }

    /// Sx for the columns of a block, v eliminated.
    fn apply(&self, x: &Block) -> Block {
        let (k, assembly) = (self.head, &self.assembly);
        let (order, side_width) = (assembly.order(), assembly.width());
        let mut out = Block::zeros(k, self.samples(), x.columns);
        assembly.matrix.times(&assembly.diagonal, &x.s, x.width, &mut out.s);
        let from_samples = sum_of_products(
            self.samples(),
            (&assembly.side, side_width, order),
            (&x.s, x.width, x.columns),
        );
        let head = &assembly.head;
        // What multiplies v, over its weight decay.
        let v = Mat::from_fn(order - k, x.columns, |j, l| {
            let inner: f64 = (0..k).map(|a| head[(k + j, a)] * x.u[(a, l)]).sum();
            (inner + from_samples[(k + j, l)]) / self.output_decay
        });
        for l in 0..x.columns {
            for a in 0..k {
                let own: f64 = (0..k).map(|b| head[(a, b)] * x.u[(b, l)]).sum();
                let outputs: f64 = (k..order).map(|j| head[(a, j)] * v[(j - k, l)]).sum();
                out.u[(a, l)] = own + from_samples[(a, l)] - outputs;
            }
        }
        let factor = Mat::from_fn(order, x.columns, |j, l| if j < k { x.u[(j, l)] } else { -v[(j - k, l)] });
        for (to, side) in out.s.chunks_exact_mut(out.width).zip(assembly.side.chunks_exact(side_width)) {
            for (l, to) in to.iter_mut().take(x.columns).enumerate() {
                *to += (0..order).map(|j| side[j] * factor[(j, l)]).sum::<f64>();
            }
        }
        out
    }

    /// The sample block with the least of some shifts that makes it positive definite, and what was negative before.
    fn shifted_up(&self) -> Option<(Solid, Vec<Vec<f64>>)> {
        let assembly = &self.assembly;
        let n = self.samples();
        let mean = assembly.diagonal.iter().map(|a| a.abs()).sum::<f64>() / n.max(1) as f64;
        let mut negative: Vec<Vec<f64>> = Vec::new();
        let mut shift = FIRST_SHIFT * mean;
        loop {
            let least = assembly.diagonal.iter().copied().fold(f64::INFINITY, f64::min);
            let diagonal: Vec<f64> = assembly.diagonal.iter().map(|a| a + shift).collect();
            if !(shift > 0.0 && shift < 1e4 * mean) {
                return None;
            }
            if least + shift <= 0.0 {
                for i in (0..n).filter(|i| diagonal[*i] <= 0.0) {
                    if negative.len() < MOST_NEGATIVE {
                        let mut direction = vec![0.0; n];
                        direction[i] = 1.0;
                        negative.push(direction);
                    }
                }
                shift *= GROWTH;
                continue;
            }
            match self.solid(diagonal) {
                Ok(solid) => return Some((solid, negative)),
                Err(direction) => {
                    if let Some(direction) = direction
                        && negative.len() < MOST_NEGATIVE
                    {
                        negative.push(direction);
                    }
                    shift *= GROWTH;
                }
            }
        }
    }

    /// Err with a direction of negative curvature, where one was met.
    fn solid(&self, diagonal: Vec<f64>) -> Result<Solid, Option<Vec<f64>>> {
        let assembly = &self.assembly;
        let (n, k, order) = (self.samples(), self.head, assembly.order());
        let mut solver = Conjugate::new(&assembly.matrix, &diagonal, diagonal.clone(), 1);
        loop {
            match solver.step(1e-4) {
                Step::Negative(_) => return Err(Some(solver.direction(0))),
                Step::Going if solver.steps < MOST_STEPS => {}
                _ if solver.x.iter().all(|z| *z > 0.0) => break,
                _ => return Err(None),
            }
        }
        let mut solver = Conjugate::new(&assembly.matrix, &diagonal, assembly.side.clone(), assembly.width());
        loop {
            match solver.step(TOLERANCE) {
                Step::Negative(column) => return Err(Some(solver.direction(column))),
                Step::Going if solver.steps < MOST_STEPS => {}
                _ => break,
            }
        }
        let solutions = std::mem::take(&mut solver.x);
        drop(solver);
        let taken = sum_of_products(
            n,
            (&solutions, assembly.width(), order),
            (&assembly.side, assembly.width(), order),
        );
        let full = Mat::from_fn(order, order, |i, j| assembly.head[(i, j)] - 0.5 * (taken[(i, j)] + taken[(j, i)]));
        // Of u alone: that of v is positive where the point is near the optimum.
        let (values, vectors) =
            symmetric_eigen(full.as_ref().submatrix(0, 0, k, k)).ok_or(None)?;
        let largest = values.iter().fold(0.0f64, |a, v| a.max(v.abs()));
        let inverse = Mat::from_fn(k, k, |i, j| {
            (0..k).map(|l| vectors[(i, l)] * vectors[(j, l)] / values[l].abs().max(1e-3 * largest)).sum()
        });
        Ok(Solid { diagonal, solutions, inverse })
    }

    /// Lifted heads, what was negative, and random columns smoothed by the sample block.
    fn start(&self, solid: &Solid, negative: &[Vec<f64>]) -> Option<Block> {
        let (n, k, order) = (self.samples(), self.head, self.assembly.order());
        let side_width = self.assembly.width();
        let mut block = Block::zeros(k, n, order + negative.len() + RANDOM);
        (0..k).for_each(|a| block.u[(a, a)] = 1.0);
        let mut rng = generator(n as u64, Purpose::Solver, 1);
        let width = block.width;
        for (i, row) in block.s.chunks_exact_mut(width).enumerate() {
            let solutions = &solid.solutions[i * side_width..][..order];
            row.iter_mut().zip(solutions).for_each(|(to, x)| *to = -x);
            negative.iter().enumerate().for_each(|(l, p)| row[order + l] = p[i]);
            for to in &mut row[order + negative.len()..][..RANDOM] {
                *to = StandardNormal.sample(&mut rng);
            }
        }
        // Columns of one length, so that none counts as dependent for being short.
        let gram = block.gram(&block);
        let scale = Mat::from_fn(block.columns, block.columns, |i, j| {
            if i == j { 1.0 / gram[(i, i)].sqrt().max(f64::MIN_POSITIVE) } else { 0.0 }
        });
        scale.is_all_finite().then(|| block.times(&scale))
    }

    /// Block steps from a start.
    fn minimise(&self, start: Block, solid: &Solid) -> Option<Block> {
        let (mut x, mut values, _) = self.ritz(&start)?;
        let mut before: Option<Block> = None;
        for _ in 0..STEPS {
            let image = self.apply(&x);
            let mut residual = image;
            for (l, value) in values.iter().enumerate().take(x.columns) {
                (0..self.head).for_each(|a| residual.u[(a, l)] -= value * x.u[(a, l)]);
            }
            for (r, x) in residual.s.chunks_exact_mut(residual.width).zip(x.s.chunks_exact(x.width)) {
                (0..values.len()).for_each(|l| r[l] -= values[l] * x[l]);
            }
            let step = self.preconditioned(&residual, solid)?;
            let basis = match &before {
                Some(before) => Block::joined(&[&x, &step, before]),
                None => Block::joined(&[&x, &step]),
            };
            let (next, next_values, factor) = self.ritz(&basis)?;
            // What the step adds to the old columns is the direction of the next.
            let kept = x.columns;
            let moved = Mat::from_fn(basis.columns, factor.ncols(), |i, j| {
                if i < kept { 0.0 } else { factor[(i, j)] }
            });
            before = Some(normalised(basis.times(&moved))?);
            (x, values) = (next, next_values);
        }
        Some(x)
    }

    /// The lowest Ritz vectors of a block, of length one, their values, and their coefficients.
    fn ritz(&self, basis: &Block) -> Option<(Block, Vec<f64>, Mat<f64>)> {
        let gram = basis.gram(basis);
        let form = basis.gram(&self.apply(basis));
        let (lengths, turns) = symmetric_eigen(gram.as_ref())?;
        let longest = lengths.last().copied()?;
        let kept: Vec<usize> = (0..lengths.len()).filter(|&l| lengths[l] > DEPENDENT * longest).collect();
        let unit = Mat::from_fn(basis.columns, kept.len(), |i, l| turns[(i, kept[l])] / lengths[kept[l]].sqrt());
        let small = product(unit.transpose(), product(form.as_ref(), unit.as_ref()).as_ref());
        let small = Mat::from_fn(kept.len(), kept.len(), |i, j| 0.5 * (small[(i, j)] + small[(j, i)]));
        let (values, vectors) = symmetric_eigen(small.as_ref())?;
        let count = KEPT.min(values.len());
        let factor = product(unit.as_ref(), vectors.as_ref().subcols(0, count));
        Some((basis.times(&factor), values[..count].to_vec(), factor))
    }

    /// The inverse of the raised slack, roughly, times a block.
    fn preconditioned(&self, x: &Block, solid: &Solid) -> Option<Block> {
        let assembly = &self.assembly;
        let (n, k, side_width) = (self.samples(), self.head, assembly.width());
        let mut solver = Conjugate::new(&assembly.matrix, &solid.diagonal, x.s.clone(), x.width);
        for _ in 0..INNER {
            if solver.step(TOLERANCE) != Step::Going {
                break;
            }
        }
        let mut out = Block { s: std::mem::take(&mut solver.x), ..Block::zeros(k, 0, x.columns) };
        drop(solver);
        let taken = sum_of_products(n, (&assembly.side, side_width, k), (&out.s, out.width, x.columns));
        let rest = Mat::from_fn(k, x.columns, |i, j| x.u[(i, j)] - taken[(i, j)]);
        out.u = product(solid.inverse.as_ref(), rest.as_ref());
        for (to, solutions) in out.s.chunks_exact_mut(out.width).zip(solid.solutions.chunks_exact(side_width)) {
            for (l, to) in to.iter_mut().take(x.columns).enumerate() {
                *to -= (0..k).map(|a| solutions[a] * out.u[(a, l)]).sum::<f64>();
            }
        }
        normalised(out)
    }

    /// Column l over (u, δ), of length one, with its Rayleigh quotient there.
    fn pair(&self, lifting: &Lifting, found: &Block, l: usize) -> Eigenpair {
        let one = Mat::from_fn(found.columns, 1, |i, _| f64::from(u8::from(i == l)));
        let x = found.times(&one);
        let form = x.gram(&self.apply(&x))[(0, 0)];
        let mut vector: Vec<f64> = (0..self.head).map(|a| x.u[(a, 0)]).collect();
        let mut s = x.s;
        lifting.forest.to_differences(&mut s, 1);
        vector.extend_from_slice(&s);
        let square: f64 = vector.iter().map(|v| v * v).sum();
        let factor = 1.0 / square.sqrt();
        vector.iter_mut().for_each(|v| *v *= factor);
        (form / square, vector)
    }
}

/// Columns of length one.
fn normalised(block: Block) -> Option<Block> {
    let gram = block.gram(&block);
    let scale = Mat::from_fn(block.columns, block.columns, |i, j| {
        if i == j && gram[(i, i)] > 0.0 { 1.0 / gram[(i, i)].sqrt() } else { 0.0 }
    });
    scale.is_all_finite().then(|| block.times(&scale))
}
