//! From a gated to a ReLU network: cone decompositions.

use super::{GatedNetwork, Patterns};
use crate::linalg::ThinSvd;
use crate::{Control, Error, Network, Result, TrainingProblem};
use faer::{Mat, MatRef};
use rayon::prelude::*;

/// Sweeps of one decomposition.
const SWEEPS: usize = 200;
/// Relative violation of the cone that is left alone.
const TOLERANCE: f64 = 1e-6;
/// Singular values below this part of the largest are rounding.
const RANK: f64 = 1e-9;

/// The ReLU network of a gated one (Mishkin et al. 2022, arXiv 2202.01331, section 4, "cone decompositions").
///
/// On the cone K of a pattern, {u : (2D − I)Xu ≥ 0}, gated and ReLU neurons agree. Each singular pair (z, v) of Z_i is
/// split as z = a − b with a, b ∈ K and the shortest b, which gives the neurons (a, v) and (b, −v). The network predicts on
/// the training data what the gated one does, up to the tolerance of the cones; its weight decay is larger.
///
/// Errors: a gated network that is not over these patterns. Stopped early, the decompositions are rougher.
pub fn cone_decomposition(
    problem: &TrainingProblem,
    patterns: &Patterns,
    gated: &GatedNetwork,
    control: &Control,
) -> Result<Network> {
    let (x, c) = (problem.dense_features()?, problem.outputs());
    let fits = gated.outputs == c && gated.weights.nrows() == x.ncols();
    if !fits || gated.active.iter().any(|&i| i >= patterns.count()) {
        return Err(Error::Input("the gated network is not over these patterns; solve it anew".into()));
    }
    let pieces: Vec<Vec<(Vec<f64>, Vec<f64>)>> = gated
        .active
        .par_iter()
        .enumerate()
        .map(|(place, &pattern)| {
            let block = gated.weights.subcols(place * c, c);
            let Some(svd) = ThinSvd::new(block) else { return Vec::new() };
            let mut neurons = Vec::new();
            for (k, &size) in svd.singular.iter().enumerate() {
                if size > RANK * svd.singular[0] && size > 0.0 {
                    let z: Vec<f64> = svd.u.col(k).iter().map(|u| u * size).collect();
                    let [a, b] = split(x, patterns, pattern, &z, control);
                    let v = svd.v.col(k);
                    neurons.push((a, v.iter().copied().collect()));
                    neurons.push((b, v.iter().map(|v| -v).collect()));
                }
            }
            neurons
        })
        .collect();
    let neurons: Vec<(Vec<f64>, Vec<f64>)> =
        pieces.into_iter().flatten().filter(|(u, _)| u.iter().any(|u| *u != 0.0)).collect();
    balanced(problem, &neurons)
}

/// A network of neurons (u, v) with |v| = 1, lengths shared equally between u and v.
pub(super) fn balanced(problem: &TrainingProblem, neurons: &[(Vec<f64>, Vec<f64>)]) -> Result<Network> {
    let scale: Vec<f64> =
        neurons.iter().map(|(u, _)| u.iter().map(|u| u * u).sum::<f64>().sqrt().sqrt()).collect();
    let hidden = Mat::from_fn(problem.inputs(), neurons.len(), |a, j| neurons[j].0[a] / scale[j]);
    let output = Mat::from_fn(problem.outputs(), neurons.len(), |k, j| neurons[j].1[k] * scale[j]);
    Network::new(hidden, output)
}

/// z = a − b with both in the cone: b is the shortest with Ab ≥ (−Az)₊ for A = (2D − I)X, by Hildreth's method
/// (coordinate ascent in the multipliers λ ≥ 0 of b = Aᵀλ).
pub(super) fn split(
    x: MatRef<'_, f64>,
    patterns: &Patterns,
    pattern: usize,
    z: &[f64],
    control: &Control,
) -> [Vec<f64>; 2] {
    let (n, d) = x.shape();
    // Row-major, signed.
    let mut rows = vec![0.0; n * d];
    for (i, row) in rows.chunks_exact_mut(d).enumerate() {
        let sign = if patterns.is_active(pattern, i) { 1.0 } else { -1.0 };
        row.iter_mut().enumerate().for_each(|(a, value)| *value = sign * x[(i, a)]);
    }
    let dot = |row: &[f64], u: &[f64]| -> f64 { row.iter().zip(u).map(|(a, b)| a * b).sum() };
    let squared: Vec<f64> = rows.chunks_exact(d).map(|row| dot(row, row)).collect();
    let wanted: Vec<f64> = rows.chunks_exact(d).map(|row| (-dot(row, z)).max(0.0)).collect();
    let most = wanted.iter().copied().fold(0.0, f64::max);
    let mut b = vec![0.0; d];
    let mut multipliers = vec![0.0_f64; n];
    for _ in 0..SWEEPS {
        let mut worst = 0.0_f64;
        for (i, row) in rows.chunks_exact(d).enumerate() {
            if squared[i] == 0.0 {
                continue;
            }
            let short = wanted[i] - dot(row, &b);
            worst = worst.max(short);
            let next = (multipliers[i] + short / squared[i]).max(0.0);
            let change = next - multipliers[i];
            if change != 0.0 {
                multipliers[i] = next;
                b.iter_mut().zip(row).for_each(|(b, a)| *b += change * a);
            }
        }
        if worst <= TOLERANCE * most || control.should_stop() {
            break;
        }
    }
    let a = z.iter().zip(&b).map(|(z, b)| z + b).collect();
    [a, b]
}
