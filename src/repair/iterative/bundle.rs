//! A model of the least eigenvalue as a function of η: what has been evaluated, each as a matrix of the lowest
//! eigenvectors, and directions in which the sample block was not positive. A step maximises the least of them.

use super::outcome::Outcome;
use crate::linalg::dense::{product, symmetric_eigen, symmetric_eigenvalues};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

/// Steps of the accelerated projected gradients (conventional), and the change that ends them.
const TURNS: usize = 400;
const STILL: f64 = 1e-9;
/// Samples that one thread handles at a time.
const ROWS: usize = 512;

/// ν(η) ≤ λ_min(diag(values) + Σ_i (η − centre)_i (s_i s_iᵀ − g_i g_iᵀ)).
pub(super) struct Model {
    eta: Vec<f64>,
    values: Vec<f64>,
    s: Vec<f64>,
    g: Vec<f64>,
    count: usize,
}

impl Model {
    pub(super) fn new(eta: Vec<f64>, outcome: Outcome) -> Self {
        let Outcome { mut values, s, g, count } = outcome;
        values.truncate(count);
        Self { eta, values, s, g, count }
    }

    /// From p with pᵀ(A + η)p = `value`.
    pub(super) fn cut(eta: Vec<f64>, value: f64, p: Vec<f64>) -> Self {
        let g = vec![0.0; p.len()];
        Self { eta, values: vec![value], s: p, g, count: 1 }
    }

    /// Entries of the upper triangle.
    fn size(&self) -> usize {
        self.count * (self.count + 1) / 2
    }

    /// The entries of s_i s_iᵀ − g_i g_iᵀ, off the diagonal times √2.
    fn features(&self, i: usize, out: &mut [f64]) {
        let p = self.count;
        let (s, g) = (&self.s[i * p..][..p], &self.g[i * p..][..p]);
        let mut at = 0;
        for a in 0..p {
            for b in a..p {
                let weight = if a == b { 1.0 } else { std::f64::consts::SQRT_2 };
                out[at] = weight * (s[a] * s[b] - g[a] * g[b]);
                at += 1;
            }
        }
    }
}

/// A symmetric matrix from its upper triangle, off the diagonal times √2.
fn unpacked(packed: &[f64], p: usize) -> Mat<f64> {
    let place = |a: usize, b: usize| a * p - a * (a + 1) / 2 + b;
    Mat::from_fn(p, p, |i, j| {
        let (a, b) = (i.min(j), i.max(j));
        packed[place(a, b)] * if a == b { 1.0 } else { std::f64::consts::FRAC_1_SQRT_2 }
    })
}

/// A step from the centre, and the least eigenvalue that the models foresee there.
pub(super) struct Foreseen {
    pub(super) step: Vec<f64>,
    pub(super) value: f64,
}

/// max over x of min_k λ_min(M_k(centre + x)) − Σ x_i²/(2 t w_i), `weight` being the w_i.
pub(super) fn foresee(models: &[Model], centre: &[f64], weight: &[f64], t: f64) -> Option<Foreseen> {
    let sizes: Vec<usize> = models.iter().map(Model::size).collect();
    let total: usize = sizes.iter().sum();
    let (gram, constant) = gram(models, centre, weight, total);
    let gram = Mat::from_fn(total, total, |i, j| t * gram[(i, j)]);
    let largest = symmetric_eigenvalues(gram.as_ref())?.last().copied()?.max(1e-14);
    let times = |v: &[f64]| -> Vec<f64> {
        let image = product(gram.as_ref(), MatRef::from_column_major_slice(v, total, 1));
        (0..total).map(|i| image[(i, 0)]).collect()
    };
    let mut v = projected(models, &vec![0.0; total])?;
    let (mut ahead, mut momentum) = (v.clone(), 1.0f64);
    for _ in 0..TURNS {
        let slope = times(&ahead);
        let trial: Vec<f64> =
            (0..total).map(|i| ahead[i] - (constant[i] + slope[i]) / largest).collect();
        let next = projected(models, &trial)?;
        let turned: f64 = (0..total).map(|i| (ahead[i] - next[i]) * (next[i] - v[i])).sum();
        if turned > 0.0 {
            momentum = 1.0;
        }
        let following = 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt());
        let part = (momentum - 1.0) / following;
        let moved: f64 = (0..total).map(|i| (next[i] - v[i]).powi(2)).sum();
        ahead = (0..total).map(|i| next[i] + part * (next[i] - v[i])).collect();
        (v, momentum) = (next, following);
        if moved.sqrt() < STILL {
            break;
        }
    }
    let n = centre.len();
    let mut step = vec![0.0; n];
    step.par_chunks_mut(ROWS).enumerate().for_each(|(chunk, step)| {
        let mut features = vec![0.0; total];
        for (local, step) in step.iter_mut().enumerate() {
            let i = chunk * ROWS + local;
            all_features(models, i, &mut features);
            *step = t * weight[i] * features.iter().zip(&v).map(|(f, v)| f * v).sum::<f64>();
        }
    });
    // Of M_k at the step: the constant and what the gram makes of v.
    let image = times(&v);
    let mut value = f64::INFINITY;
    let mut first = 0;
    for (model, size) in models.iter().zip(&sizes) {
        let packed: Vec<f64> = (first..first + size).map(|at| constant[at] + image[at]).collect();
        value = value.min(*symmetric_eigenvalues(unpacked(&packed, model.count).as_ref())?.first()?);
        first += size;
    }
    Some(Foreseen { step, value })
}

fn all_features(models: &[Model], i: usize, out: &mut [f64]) {
    let mut first = 0;
    for model in models {
        model.features(i, &mut out[first..first + model.size()]);
        first += model.size();
    }
}

/// FᵀWF, and the models at the centre.
fn gram(models: &[Model], centre: &[f64], weight: &[f64], total: usize) -> (Mat<f64>, Vec<f64>) {
    let n = centre.len();
    let piece = |first: usize| {
        let rows = ROWS.min(n - first);
        let (mut plain, mut weighted) = (vec![0.0; rows * total], vec![0.0; rows * total]);
        let mut moved = vec![0.0; total];
        for (local, (plain, weighted)) in
            plain.chunks_exact_mut(total).zip(weighted.chunks_exact_mut(total)).enumerate()
        {
            let i = first + local;
            all_features(models, i, plain);
            plain.iter().zip(weighted).for_each(|(f, out)| *out = weight[i] * f);
            let mut at = 0;
            for model in models {
                let away = centre[i] - model.eta[i];
                for _ in 0..model.size() {
                    moved[at] += away * plain[at];
                    at += 1;
                }
            }
        }
        let (plain, weighted) = (
            MatRef::from_row_major_slice(&plain, rows, total),
            MatRef::from_row_major_slice(&weighted, rows, total),
        );
        let mut product = Mat::zeros(total, total);
        matmul(product.as_mut(), Accum::Replace, plain.transpose(), weighted, 1.0, Par::Seq);
        (product, moved)
    };
    let firsts: Vec<usize> = (0..n).step_by(ROWS).collect();
    let (mut sum, mut constant) = (Mat::zeros(total, total), vec![0.0; total]);
    for firsts in firsts.chunks(32) {
        let parts: Vec<(Mat<f64>, Vec<f64>)> = firsts.par_iter().map(|first| piece(*first)).collect();
        for (product, moved) in &parts {
            sum += product;
            constant.iter_mut().zip(moved).for_each(|(sum, part)| *sum += part);
        }
    }
    let mut first = 0;
    for model in models {
        let mut at = first;
        for a in 0..model.count {
            constant[at] += model.values[a];
            at += model.count - a;
        }
        first += model.size();
    }
    (sum, constant)
}

/// The nearest matrices P_k ⪰ 0 whose traces add up to one.
fn projected(models: &[Model], packed: &[f64]) -> Option<Vec<f64>> {
    let mut parts = Vec::with_capacity(models.len());
    let mut first = 0;
    for model in models {
        parts.push(symmetric_eigen(unpacked(&packed[first..first + model.size()], model.count).as_ref())?);
        first += model.size();
    }
    let mut all: Vec<f64> = parts.iter().flat_map(|(values, _)| values.iter().copied()).collect();
    all.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut sum, mut level) = (0.0, 0.0);
    for (k, value) in all.iter().enumerate() {
        sum += value;
        let here = (sum - 1.0) / (k + 1) as f64;
        if *value > here {
            level = here;
        }
    }
    let mut out = Vec::with_capacity(packed.len());
    for (values, vectors) in &parts {
        let p = values.len();
        let weight: Vec<f64> = values.iter().map(|value| (value - level).max(0.0)).collect();
        for a in 0..p {
            for b in a..p {
                let entry: f64 = (0..p).map(|l| weight[l] * vectors[(a, l)] * vectors[(b, l)]).sum();
                out.push(entry * if a == b { 1.0 } else { std::f64::consts::SQRT_2 });
            }
        }
    }
    Some(out)
}
