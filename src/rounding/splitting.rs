//! Davis–Yin three-operator splitting on the factors of the lifted matrix.

use super::LiftedFactor;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::dense::{Cholesky, product};
use crate::problem::{Network, TrainingProblem};
use faer::{Mat, MatRef};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;

/// Settings of [`round`].
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct SplittingSettings {
    /// Iterations at most. Default 1000, as published.
    pub iterations: usize,
    /// Columns of the factor, and neurons of the network, at least the rank of the solution. Default 60.
    pub columns: usize,
    /// Stops when one iteration moves the factor by less than this part of its norm. Default 1e-8.
    pub tolerance: f64,
    /// Seed of the rotation of the first factor. Default 0.
    pub seed: u64,
}

impl Default for SplittingSettings {
    fn default() -> Self {
        Self { iterations: 1000, columns: 60, tolerance: 1e-8, seed: 0 }
    }
}

/// One iterate: a factor W with XU = α − β, and the objective of its network.
#[derive(Clone, Debug)]
pub struct Iterate {
    /// From 0.
    pub iteration: usize,
    /// The network of the rows u and v of W, as it is.
    pub network: Network,
    /// Its objective on the training data.
    pub objective: f64,
    /// ½‖WWᵀ − Λ‖².
    pub distance: f64,
    /// Distance of W from α, β ≥ 0, α∘β = 0, relative to ‖W‖.
    pub infeasibility: f64,
}

/// What the splitting came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rounded {
    /// The iterate with the best objective on the training data.
    pub best: Iterate,
    /// The last iterate.
    pub last: Iterate,
}

/// Rounds Λ = RRᵀ to a network by looking for the W nearest to it, min ½‖WWᵀ − Λ‖², in the intersection of
/// C = {Xu = α − β} and M = {α, β ≥ 0, α∘β = 0} (columns each).
///
/// Davis and Yin (2017): W = P_C(Z), V = P_M(2W − Z − t∇f(W)), Z ← Z + V − W with ∇f(W) = 2(WWᵀ − Λ)W and
/// t = 1/‖Λ‖, as in arXiv 2410.22311. M is not convex, so that nothing is promised. Everything works on the rows of
/// the factors: an iteration costs O(n(d + r)·columns) operations and no n × n matrix is made.
///
/// Λ has many factors RQ with QQᵀ = I; a random Q spreads the solution over as many columns as are asked for.
/// `observer` sees every iterate. Errors: a solution that does not fit the problem or is not finite.
pub fn round(
    problem: &TrainingProblem,
    solution: &LiftedFactor,
    settings: &SplittingSettings,
    control: &Control,
    observer: &mut dyn FnMut(&Iterate),
) -> Result<Rounded> {
    let target = Stacked::of(problem, solution)?;
    let gram = product(target.0.transpose(), target.0.as_ref());
    let norm = gram.norm_l2();
    if !norm.is_finite() {
        return Err(Error::Input("the solution of the relaxation is not finite; scale the data".into()));
    }
    let plane = Plane::new(problem)?;
    let step = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    let columns = settings.columns.max(solution.columns()).max(1);
    let mut z = spread(target.0.as_ref(), columns, settings.seed);
    let mut best: Option<Iterate> = None;
    let mut iteration = 0;
    loop {
        let mut w = z.clone();
        plane.project(&mut w);
        let (square, cross) = (product(w.transpose(), w.as_ref()), product(target.0.transpose(), w.as_ref()));
        let mut gradient = product(w.as_ref(), square.as_ref());
        gradient -= &product(target.0.as_ref(), cross.as_ref());
        let mut v = Mat::from_fn(w.nrows(), columns, |i, j| {
            2.0 * w[(i, j)] - z[(i, j)] - 2.0 * step * gradient[(i, j)]
        });
        project_activations(&mut v, problem.samples());
        let distance = 0.5
            * (square.squared_norm_l2() - 2.0 * cross.squared_norm_l2() + gram.squared_norm_l2()).max(0.0);
        let iterate = plane.iterate(problem, &w, iteration, distance)?;
        observer(&iterate);
        let moved = (&v - &w).norm_l2();
        z += &v - &w;
        iteration += 1;
        let still = moved <= settings.tolerance * w.norm_l2();
        let better = best.as_ref().is_none_or(|best| iterate.objective < best.objective);
        if better {
            best = Some(iterate.clone());
        }
        if still || iteration >= settings.iterations || control.should_stop() || !moved.is_finite() {
            let best = best.unwrap_or_else(|| iterate.clone());
            return Ok(Rounded { best, last: iterate });
        }
    }
}

/// The nearest point of M, column by column: of each pair α, β the larger stays, if it is positive (rows 0…n and n…2n).
pub fn project_activations(factor: &mut Mat<f64>, samples: usize) {
    for mut column in factor.col_iter_mut() {
        for i in 0..samples {
            let (alpha, beta) = (column[i], column[samples + i]);
            let keep_alpha = alpha >= beta;
            column[i] = if keep_alpha { alpha.max(0.0) } else { 0.0 };
            column[samples + i] = if keep_alpha { 0.0 } else { beta.max(0.0) };
        }
    }
}

/// The rows α, β, u, v of a factor in one matrix.
struct Stacked(Mat<f64>);

impl Stacked {
    fn of(problem: &TrainingProblem, factor: &LiftedFactor) -> Result<Self> {
        let (n, d, c, r) = (problem.samples(), problem.inputs(), problem.outputs(), factor.columns());
        let parts = [&factor.alpha, &factor.beta, &factor.hidden, &factor.output];
        if parts.iter().zip([n, n, d, c]).any(|(part, rows)| part.shape() != (rows, r)) {
            return Err(Error::Shape {
                what: "solution of the relaxation",
                expected: format!("α, β of {n}, u of {d} and v of {c} rows, with as many columns each"),
                actual: parts.map(|part| format!("{} × {}", part.nrows(), part.ncols())).join(", "),
            });
        }
        let mut stacked = Mat::zeros(2 * n + d + c, r);
        let mut from = 0;
        for part in parts {
            stacked.submatrix_mut(from, 0, part.nrows(), r).copy_from(part);
            from += part.nrows();
        }
        Ok(Self(stacked))
    }
}

/// The subspace C = {Xu = α − β}, with the factorisation that its projection needs.
struct Plane<'a> {
    features: MatRef<'a, f64>,
    /// Of 2I + XᵀX.
    factor: Cholesky,
}

impl<'a> Plane<'a> {
    fn new(problem: &'a TrainingProblem) -> Result<Self> {
        let features = problem.dense_features()?;
        let gram = product(features.transpose(), features);
        let mut factor = Cholesky::default();
        if !factor.factorize(&gram, 2.0) {
            return Err(Error::Numerical("the projection onto Xu = α − β"));
        }
        Ok(Self { features, factor })
    }

    /// z − Mᵀ(MMᵀ)⁻¹Mz with M = [−I, I, X, 0], where (2I + XXᵀ)⁻¹m = ½(m − X(2I + XᵀX)⁻¹Xᵀm).
    fn project(&self, z: &mut Mat<f64>) {
        let (n, d, columns) = (self.features.nrows(), self.features.ncols(), z.ncols());
        let mut defect = product(self.features, z.submatrix(2 * n, 0, d, columns));
        for j in 0..columns {
            for i in 0..n {
                defect[(i, j)] += z[(n + i, j)] - z[(i, j)];
            }
        }
        let inner = self.factor.solution(product(self.features.transpose(), defect.as_ref()).as_ref());
        defect -= &product(self.features, inner.as_ref());
        let back = product(self.features.transpose(), defect.as_ref());
        for j in 0..columns {
            for i in 0..n {
                z[(i, j)] += 0.5 * defect[(i, j)];
                z[(n + i, j)] -= 0.5 * defect[(i, j)];
            }
            for a in 0..d {
                z[(2 * n + a, j)] -= 0.5 * back[(a, j)];
            }
        }
    }

    fn iterate(
        &self,
        problem: &TrainingProblem,
        w: &Mat<f64>,
        iteration: usize,
        distance: f64,
    ) -> Result<Iterate> {
        let (n, d, c, columns) = (problem.samples(), problem.inputs(), problem.outputs(), w.ncols());
        let hidden = w.submatrix(2 * n, 0, d, columns).to_owned();
        let output = w.submatrix(2 * n + d, 0, c, columns).to_owned();
        let network =
            Network::new(hidden, output).map_err(|_| Error::Numerical("the splitting, which diverged"))?;
        let mut nearest = w.clone();
        project_activations(&mut nearest, n);
        let infeasibility = (&nearest - w).norm_l2() / w.norm_l2().max(f64::MIN_POSITIVE);
        let objective = network.objective(problem);
        Ok(Iterate { iteration, network, objective, distance, infeasibility })
    }
}

/// RQ with a random Q (r × columns) of orthonormal rows; R itself where there are no more columns.
fn spread(factor: MatRef<'_, f64>, columns: usize, seed: u64) -> Mat<f64> {
    let r = factor.ncols();
    if columns <= r {
        return factor.to_owned();
    }
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(r);
    while rows.len() < r {
        let mut row: Vec<f64> = (0..columns).map(|_| rng.sample(StandardNormal)).collect();
        // Twice is enough for Gram and Schmidt.
        for _ in 0..2 {
            for other in &rows {
                let inner: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(other).for_each(|(a, b)| *a -= inner * b);
            }
        }
        let norm = row.iter().map(|a| a * a).sum::<f64>().sqrt();
        if norm > 0.0 {
            row.iter_mut().for_each(|a| *a /= norm);
            rows.push(row);
        }
    }
    let q = Mat::from_fn(r, columns, |i, j| rows[i][j]);
    product(factor, q.as_ref())
}
