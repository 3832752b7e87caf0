//! The closed form by soft-thresholded singular values, where it is exact (Sahiner et al., ICLR 2021, section 3.4;
//! arXiv 2012.13329).
//!
//! If XXᵀ = s²I, the activations of unit neurons are exactly s·{a ≥ 0, |a| ≤ 1}: (Xu)₊ is no longer than s|u|, and u = Xᵀa/s²
//! has (Xu)₊ = a ≥ 0. So with δ = γ/s the training problem is
//!
//! min over a_k ≥ 0, v_k of ½‖Σ a_k v_kᵀ − Y‖² + δ Σ |a_k||v_k|  ≥  min over Z of ½‖Z − Y‖² + δ‖Z‖_*,
//!
//! and the right side is solved by Z = Σ (σ_j − δ)₊ p_j q_jᵀ for Y = Σ σ_j p_j q_jᵀ. Both are equal exactly when Z is a sum of
//! a_k v_kᵀ with a_k ≥ 0 and Σ|a_k||v_k| = ‖Z‖_*, which is the case exactly when M = Σ (σ_j − δ)₊ p_j p_jᵀ = Σ a_k a_kᵀ is
//! completely positive (v_k = Σ_j q_j p_jᵀa_k then). That is easy to see, and to factor, where M has no negative entry and
//! falls into blocks of rank one or two: the rows of a factor of such a block are vectors of a plane at no obtuse angles,
//! and a turn brings them into the positive quadrant. The paper's case of singular vectors p_j ≥ 0 has blocks of rank one.

use crate::error::{Error, Result};
use crate::linalg::dense::{ThinSvd, product};
use crate::problem::{Network, TrainingProblem};
use faer::{Mat, MatRef};

/// Relative accuracy to which XXᵀ = s²I and M ≥ 0 must hold.
const ACCURACY: f64 = 1e-9;

/// The optimum in closed form.
#[derive(Clone, Debug)]
pub struct SoftThreshold {
    /// An optimal network; its objective is the value but for rounding.
    pub network: Network,
    /// p* = ½ Σ min(σ_j, γ/s)² + (γ/s) Σ (σ_j − γ/s)₊.
    pub value: f64,
}

/// Solves a problem whose samples are orthogonal and of one length, and whose targets have the right signs.
///
/// An input error where XXᵀ is no multiple of the identity, or where complete positivity is not seen: a negative entry
/// of M (then p* is above the closed form), or a block of M of rank above two.
pub fn solve(problem: &TrainingProblem) -> Result<SoftThreshold> {
    let x = problem.dense_features()?;
    let length = whitened(x)?;
    let threshold = problem.weight_decay() / length;
    let svd = ThinSvd::new(problem.targets());
    let ThinSvd { u: p, singular, v: q } =
        svd.ok_or(Error::Numerical("the singular values of the targets"))?;
    let kept = singular.iter().take_while(|sigma| **sigma > threshold).count();
    let loss: f64 = singular.iter().map(|sigma| 0.5 * sigma.min(threshold).powi(2)).sum();
    let norm: f64 = singular[..kept].iter().map(|sigma| sigma - threshold).sum();
    let factor = Mat::from_fn(x.nrows(), kept, |i, j| p[(i, j)] * (singular[j] - threshold).sqrt());
    let activations = nonnegative_factor(factor.as_ref())?;
    // v = Q Pᵀa, and |u| = |a|/s is balanced against |v| = |a| by √s
    let v =
        product(product(q.subcols(0, kept), p.subcols(0, kept).transpose()).as_ref(), activations.as_ref());
    let u = product(x.transpose(), activations.as_ref());
    let network = Network::new(
        Mat::from_fn(u.nrows(), u.ncols(), |i, k| u[(i, k)] * length.powf(-1.5)),
        Mat::from_fn(v.nrows(), v.ncols(), |j, k| v[(j, k)] * length.powf(-0.5)),
    )?;
    Ok(SoftThreshold { network, value: loss + threshold * norm })
}

/// s of XXᵀ = s²I.
fn whitened(x: MatRef<'_, f64>) -> Result<f64> {
    let n = x.nrows();
    let squared = x.squared_norm_l2() / n as f64;
    for i in 0..n {
        for j in 0..=i {
            let inner = x.row(i) * x.row(j).transpose();
            let expected = if i == j { squared } else { 0.0 };
            // squared = 0 as well: no sample has a length then
            if (inner - expected).abs() > ACCURACY * squared || squared == 0.0 {
                return Err(Error::Input(format!(
                    "features: the product of samples {j} and {i} is {inner:.3e} where {expected:.3e} is needed: the closed form \
                     holds for orthogonal samples of one length; whiten the features, or use the arrangements"
                )));
            }
        }
    }
    Ok(squared.sqrt())
}

/// A ≥ 0 with AAᵀ = FFᵀ for blocks of rank one and two.
fn nonnegative_factor(factor: MatRef<'_, f64>) -> Result<Mat<f64>> {
    let n = factor.nrows();
    let m = product(factor, factor.transpose());
    let size = (0..n).map(|i| m[(i, i)]).fold(0.0, f64::max);
    for i in 0..n {
        for j in 0..i {
            if m[(i, j)] < -ACCURACY * size {
                return Err(Error::Input(format!(
                    "targets: samples {j} and {i} would have to share neurons of opposite sign (entry {:.3e} of {size:.3e}): \
                     the closed form is only a lower bound here; use the arrangements",
                    m[(i, j)]
                )));
            }
        }
    }
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let mut seen = vec![false; n];
    for first in 0..n {
        if seen[first] || m[(first, first)] <= ACCURACY * size {
            continue;
        }
        let mut block = vec![first];
        seen[first] = true;
        let mut next = 0;
        while next < block.len() {
            let i = block[next];
            for (j, seen) in seen.iter_mut().enumerate() {
                if !*seen && m[(i, j)] > ACCURACY * size {
                    *seen = true;
                    block.push(j);
                }
            }
            next += 1;
        }
        columns.extend(quadrant(factor, &block, size)?);
    }
    Ok(Mat::from_fn(n, columns.len(), |i, k| columns[k][i]))
}

/// The rows of F in one block, seen in their plane and turned into the positive quadrant: at most two columns.
fn quadrant(factor: MatRef<'_, f64>, block: &[usize], size: f64) -> Result<Vec<Vec<f64>>> {
    let rows = Mat::from_fn(block.len(), factor.ncols(), |i, j| factor[(block[i], j)]);
    let svd = ThinSvd::new(rows.as_ref()).ok_or(Error::Numerical("a block of the targets"))?;
    let rank = svd.singular.iter().filter(|s| **s > (ACCURACY * size).sqrt()).count();
    if rank > 2 {
        return Err(Error::Input(format!(
            "targets: {} samples share {rank} singular vectors, and the closed form is known for two; use the arrangements",
            block.len()
        )));
    }
    let coordinate = |i: usize, j: usize| if j < rank { svd.u[(i, j)] * svd.singular[j] } else { 0.0 };
    // relative to the first row no angle is beyond a right one, so none wraps
    let angle = |i: usize| {
        let (a, b, c, d) = (coordinate(0, 0), coordinate(0, 1), coordinate(i, 0), coordinate(i, 1));
        (a * d - b * c).atan2(a * c + b * d)
    };
    let lowest = (0..block.len()).map(angle).fold(f64::INFINITY, f64::min);
    let mut columns = vec![vec![0.0; factor.nrows()]; rank];
    for (i, &sample) in block.iter().enumerate() {
        let length = coordinate(i, 0).hypot(coordinate(i, 1));
        let (sin, cos) = (angle(i) - lowest).sin_cos();
        for (column, part) in columns.iter_mut().zip([cos, sin]) {
            column[sample] = (length * part).max(0.0);
        }
    }
    Ok(columns)
}
