//! What a shift η of y leads to, without a factorisation of the samples: a positive vector shows that the sample block is
//! positive definite, and d + c solutions by conjugate gradients leave a Schur complement of the head.

use crate::certificate::positive::{Assembly, sum_of_products};
use crate::dual::{Basis, DualPoint, leverage, power_of_two};
use crate::error::Result;
use crate::linalg::conjugate::{Conjugate, Step};
use crate::linalg::dense::{Cholesky, product, symmetric_eigen};
use crate::problem::TrainingProblem;
use faer::Mat;
use rayon::prelude::*;

/// Most products for a positive vector, and for the solutions.
const MOST_STEPS: usize = 3000;
/// Products between two looks at the positive vector.
const LOOK: usize = 8;
/// Eigenvectors of the head that a model is made of, at most.
const MOST_VECTORS: usize = 6;
/// Rows of a result that one thread computes at a time.
const ROWS: usize = 512;

/// The slack of a point, ready for shifts.
pub(super) struct Shifts {
    assembly: Assembly,
    /// G in the scales of s and of the head, n rows of d: s_i² − g_i² is scaled as a whole.
    g: Vec<f64>,
    /// γ in the scale of the head.
    unit: f64,
    /// The solutions of the last shift, from which those of the next are sought.
    last: Vec<f64>,
    /// Products with many vectors so far.
    pub(super) products: usize,
}

/// The least eigenvalues of the head's Schur complement over γ, and how they change with η.
pub(super) struct Outcome {
    /// All d, ascending.
    pub(super) values: Vec<f64>,
    /// Of the lowest of them, `count` columns by rows: s and g of their eigenvectors, so that the derivative of the form with
    /// respect to η_i is s_i s_iᵀ − g_i g_iᵀ.
    pub(super) s: Vec<f64>,
    pub(super) g: Vec<f64>,
    pub(super) count: usize,
}

pub(super) enum Evaluated {
    Fine(Outcome),
    /// The sample block, or the part of v, is not positive definite: p with pᵀ(A + η)p ≤ 0, where one was met.
    Negative(Option<Vec<f64>>),
}

impl Shifts {
    pub(super) fn new(problem: &TrainingProblem, dual: &DualPoint) -> Result<Self> {
        let basis = Basis::of(problem);
        let g = crate::dual::accurate_product(problem.features(), basis.v.as_ref());
        let leverage = leverage(g.as_ref(), &basis.singular);
        drop(g);
        let n = problem.samples();
        // y goes like the inverse of the leverage: with its root as scale the diagonal is about 1.
        let entry = |i: usize| 0.5 * dual.y[i].abs();
        let held: Vec<f64> = (0..n).map(|i| entry(i) * leverage[i]).filter(|value| *value > 0.0).collect();
        let mean = if held.is_empty() { 1.0 } else { held.iter().sum::<f64>() / held.len() as f64 };
        let scale: Vec<f64> = (0..n)
            .map(|i| match leverage[i] > 0.0 {
                true => power_of_two((leverage[i] / mean).sqrt()),
                false => power_of_two(1.0 / entry(i).sqrt()),
            })
            .collect();
        let head = power_of_two(1.0 / problem.weight_decay().sqrt());
        let assembly = Assembly::with_scales(problem, dual, None, Some((&scale, head)))?;
        let d = problem.inputs();
        let g = (0..n * d).map(|k| assembly.g[(k / d, k % d)] / scale[k / d] * head).collect();
        let size = assembly.side.len();
        let unit = problem.weight_decay() * head * head;
        Ok(Self { assembly, g, unit, last: vec![0.0; size], products: 0 })
    }

    pub(super) fn samples(&self) -> usize {
        self.assembly.samples()
    }

    /// d.
    fn inputs(&self) -> usize {
        self.g.len() / self.samples()
    }

    /// The diagonal of the sample block, of either sign.
    pub(super) fn diagonal(&self) -> &[f64] {
        &self.assembly.diagonal
    }

    /// What one unit of each scaled η is of y's own.
    pub(super) fn unscaled(&self, eta: &[f64]) -> Vec<f64> {
        eta.iter().zip(&self.assembly.scale).map(|(eta, s)| eta / (s * s)).collect()
    }

    fn shifted(&self, eta: &[f64]) -> Vec<f64> {
        self.assembly.diagonal.iter().zip(eta).map(|(a, e)| a + e).collect()
    }

    /// z > 0 with (A + η)z ≥ half of the diagonal; or a direction in which A + η is not positive.
    pub(super) fn positive_vector(&self, eta: &[f64]) -> std::result::Result<Vec<f64>, Option<Vec<f64>>> {
        let diagonal = self.shifted(eta);
        if let Some(i) = (0..diagonal.len()).find(|&i| diagonal[i] <= 0.0 || diagonal[i].is_nan()) {
            let mut direction = vec![0.0; diagonal.len()];
            direction[i] = 1.0;
            return Err(Some(direction));
        }
        let mut solver = Conjugate::new(&self.assembly.matrix, &diagonal, diagonal.clone(), 1);
        loop {
            let step = solver.step(1e-12);
            if let Step::Negative(_) = step {
                return Err(Some(solver.direction(0)));
            }
            let last = step == Step::Done || solver.steps >= MOST_STEPS;
            if last || solver.steps.is_multiple_of(LOOK) {
                let good = solver.x.iter().all(|z| *z > 0.0)
                    && solver.residual.iter().zip(&diagonal).all(|(r, a)| *r <= 0.5 * a);
                if good {
                    return Ok(solver.x);
                }
                if last {
                    return Err(None);
                }
            }
        }
    }

    /// (A + η)z.
    pub(super) fn times(&self, eta: &[f64], z: &[f64]) -> Vec<f64> {
        let mut image = vec![0.0; z.len()];
        self.assembly.matrix.times(&self.shifted(eta), z, 1, &mut image);
        image
    }

    /// The outcome of a shift, with solutions to this tolerance.
    pub(super) fn evaluate(&mut self, eta: &[f64], tolerance: f64) -> Evaluated {
        let z = match self.positive_vector(eta) {
            Ok(z) => z,
            Err(direction) => return Evaluated::Negative(direction),
        };
        let diagonal = self.shifted(eta);
        let image = self.times(eta, &z);
        let floor: Vec<f64> = image.iter().zip(&z).map(|(t, z)| t / z).collect();
        let (n, d, k, width) =
            (self.samples(), self.inputs(), self.assembly.order(), self.assembly.width());
        let side = &self.assembly.side;
        let mut solver = Conjugate::new(&self.assembly.matrix, &diagonal, side.clone(), width);
        solver.x.copy_from_slice(&self.last);
        solver.resume(side);
        loop {
            match solver.step(tolerance) {
                Step::Going if solver.steps < MOST_STEPS => {}
                Step::Negative(column) => return Evaluated::Negative(Some(solver.direction(column))),
                Step::Going | Step::Done => break,
            }
        }
        self.products += solver.steps;
        // B + R and R over the roots of δ; the residual of the recurrence is good enough here.
        let sum: Vec<f64> = side.iter().zip(&solver.residual).map(|(b, r)| b + r).collect();
        let mut rest = std::mem::take(&mut solver.residual);
        rest.par_chunks_mut(width).zip(&floor).for_each(|(row, floor)| {
            let root = 1.0 / floor.sqrt();
            row.iter_mut().for_each(|value| *value *= root);
        });
        let x = std::mem::take(&mut solver.x);
        drop(solver);
        let taken = sum_of_products(n, (&x, width, k), (&sum, width, k));
        let tail = sum_of_products(n, (&rest, width, k), (&rest, width, k));
        drop((sum, rest));
        let weighted: Vec<f64> = (0..n * d).map(|at| eta[at / d] * self.g[at]).collect();
        let shift = sum_of_products(n, (&self.g, d, d), (&weighted, d, d));
        drop(weighted);
        let head = &self.assembly.head;
        let schur = Mat::from_fn(k, k, |i, j| {
            let mean = |m: &Mat<f64>| 0.5 * (m[(i, j)] + m[(j, i)]);
            let shift = if i < d && j < d { shift[(i, j)] } else { 0.0 };
            mean(head) - mean(&taken) - tail[(i, j)] - shift
        });
        let outcome = self.eigen(&schur, &x);
        self.last = x;
        outcome.map_or(Evaluated::Negative(None), Evaluated::Fine)
    }

    /// v eliminated from the head, and the lowest eigenvectors.
    fn eigen(&self, schur: &Mat<f64>, x: &[f64]) -> Option<Outcome> {
        let (n, d, k, width) =
            (self.samples(), self.inputs(), self.assembly.order(), self.assembly.width());
        let outputs = schur.as_ref().submatrix(d, d, k - d, k - d).to_owned();
        let cross = schur.as_ref().submatrix(d, 0, k - d, d);
        let mut cholesky = Cholesky::default();
        if !cholesky.factorize(&outputs, 0.0) {
            return None;
        }
        let solved = cholesky.solution(cross);
        let taken = product(cross.transpose(), solved.as_ref());
        let inner = Mat::from_fn(d, d, |i, j| (schur[(i, j)] - 0.5 * (taken[(i, j)] + taken[(j, i)])) / self.unit);
        if !(0..d).all(|j| (0..d).all(|i| inner[(i, j)].is_finite())) {
            return None;
        }
        let (values, vectors) = symmetric_eigen(inner.as_ref())?;
        let count = d.min(MOST_VECTORS);
        let root = 1.0 / self.unit.sqrt();
        let u = Mat::from_fn(d, count, |i, j| root * vectors[(i, j)]);
        let v = product(solved.as_ref(), u.as_ref());
        let heads = Mat::from_fn(k, count, |i, j| if i < d { u[(i, j)] } else { -v[(i - d, j)] });
        let (mut s, mut g) = (vec![0.0; n * count], vec![0.0; n * count]);
        s.par_chunks_mut(ROWS * count).zip(g.par_chunks_mut(ROWS * count)).enumerate().for_each(
            |(chunk, (s, g))| {
                for (local, (s, g)) in s.chunks_exact_mut(count).zip(g.chunks_exact_mut(count)).enumerate() {
                    let i = chunk * ROWS + local;
                    let (x, own) = (&x[i * width..][..k], &self.g[i * d..][..d]);
                    for l in 0..count {
                        s[l] = -(0..k).map(|j| x[j] * heads[(j, l)]).sum::<f64>();
                        g[l] = (0..d).map(|j| own[j] * u[(j, l)]).sum();
                    }
                }
            },
        );
        values.first().is_some_and(|least| least.is_finite()).then_some(Outcome { values, s, g, count })
    }
}
