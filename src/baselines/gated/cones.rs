//! From a gated to a ReLU network: cone decompositions.

use super::{GatedNetwork, Patterns, least_squares};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::dense::ThinSvd;
use crate::problem::{Network, TrainingProblem};
use faer::{Mat, MatRef};
use rayon::prelude::*;

/// Singular values below this part of the largest are rounding.
const RANK: f64 = 1e-9;

/// The ReLU network of a gated one (Mishkin et al. 2022, arXiv 2202.01331, section 4, "cone decompositions").
///
/// On the cone K of a pattern, {u : (2D − I)Xu ≥ 0}, gated and ReLU neurons agree. Each singular pair (z, v) of Z_i is
/// split as z = a − b with a, b ∈ K and the shortest b, which gives the neurons (a, v) and (b, −v). The network predicts on
/// the training data what the gated one does, up to the tolerance of the cones; its weight decay is larger.
///
/// Errors: a gated network that is not over these patterns. Stopped early, it leaves patterns out.
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
            if control.should_stop() {
                return Vec::new();
            }
            let block = gated.weights.subcols(place * c, c);
            let Some(svd) = ThinSvd::new(block) else { return Vec::new() };
            let mut neurons = Vec::new();
            for (k, &size) in svd.singular.iter().enumerate() {
                if size > RANK * svd.singular[0] && size > 0.0 {
                    let z: Vec<f64> = svd.u.col(k).iter().map(|u| u * size).collect();
                    let [a, b] = split(x, patterns, pattern, &z);
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

/// z = a − b with both in the cone: b is the shortest with Ab ≥ (−Az)₊ for A = (2D − I)X.
///
/// A least distance problem, and so a nonnegative least squares problem (Lawson and Hanson 1974, chapter 23): with E the
/// columns (aᵢ, wᵢ) and f = (0, 1), the residual r = Eλ − f at the best λ ≥ 0 has b = −r_{1…d}/r_{d+1}.
pub(super) fn split(x: MatRef<'_, f64>, patterns: &Patterns, pattern: usize, z: &[f64]) -> [Vec<f64>; 2] {
    let d = x.ncols();
    let size = z.iter().map(|z| z * z).sum::<f64>().sqrt();
    if size == 0.0 {
        return [z.to_vec(), z.to_vec()];
    }
    // Unit rows, for a z of length one.
    let columns: Vec<Vec<f64>> = (0..x.nrows())
        .filter_map(|i| {
            let length = x.row(i).norm_l2();
            let sign = if patterns.is_active(pattern, i) { 1.0 } else { -1.0 };
            let mut column: Vec<f64> = x.row(i).iter().map(|x| sign * x / length).collect();
            let along: f64 = column.iter().zip(z).map(|(a, z)| a * z / size).sum();
            column.push((-along).max(0.0));
            (length > 0.0).then_some(column)
        })
        .collect();
    let mut target = vec![0.0; d + 1];
    target[d] = 1.0;
    let residual = least_squares::residual(&columns, &target);
    let b: Vec<f64> = residual[..d].iter().map(|r| -size * r / residual[d]).collect();
    if !b.iter().all(|b| b.is_finite()) {
        return [z.to_vec(), vec![0.0; d]];
    }
    [z.iter().zip(&b).map(|(z, b)| z + b).collect(), b]
}
