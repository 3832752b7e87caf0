//! The proof: from problem and dual point alone to a lower bound, all rounding paid for.

use super::cholesky::{UNIT, gamma, proves_semidefinite};
use crate::dual::{Basis, DualPoint, Slack, power_of_two};
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use crate::system::memory;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

/// Greatest order d + n of a slack that is repaired by dense factorisations: dozens of them, where a proof takes one.
pub const DENSE_LIMIT: usize = 3000;

/// Greatest order whose dense proof is tried where memory is plenty: beyond it the factorisation takes hours.
pub(super) const LARGEST_ORDER: u64 = 40_000;

/// Order d + n up to which a proof by a dense Cholesky factorisation fits in the memory that is free now.
///
/// The proof forms one matrix, 8(d + n)² bytes, and is given a fifth of the free memory for everything else.
pub fn dense_limit() -> usize {
    let numbers = memory::available() / 10;
    numbers.isqrt().min(LARGEST_ORDER) as usize
}

/// Whether the slack of a dual point is positive semidefinite, proved by a dense factorisation; Err says why not.
///
/// The values are in range and every sample takes part.
pub(super) fn slack_is_semidefinite(problem: &TrainingProblem, dual: &DualPoint) -> Result<()> {
    let slack = Slack::unscaled(problem, dual, &proved_basis(problem)?)?;
    let head = head_magnitude(problem.features(), slack.g.as_ref(), slack.v.as_ref());
    let magnitude = |z: &[f64]| slack.apply_magnitude(head.as_ref(), z);
    scaled_is_semidefinite(slack.lower(), slack.roundings(), magnitude)
}

/// A basis of feature space, proved to be one.
pub(super) fn proved_basis(problem: &TrainingProblem) -> Result<Basis> {
    let basis = Basis::of(problem);
    if is_nonsingular(basis.v.as_ref()) {
        Ok(basis)
    } else {
        Err(Error::Refused("the basis of feature space is not safely nonsingular".into()))
    }
}

/// Whether the exact matrix behind a computed one is positive semidefinite, proved; the memory of the matrix is reused.
///
/// `matrix` holds the lower triangle; `magnitude` gives P·z for z ≥ 0, P being the sums of the absolute values of all
/// monomials of the entries, none of which goes through more than `roundings` roundings (but for the factors XV).
pub(super) fn scaled_is_semidefinite(
    mut matrix: Mat<f64>,
    roundings: usize,
    magnitude: impl FnOnce(&[f64]) -> Vec<f64>,
) -> Result<()> {
    let scale = scales((0..matrix.nrows()).map(|k| matrix[(k, k)]))?;
    let row_error = row_errors(&magnitude(&scale), &scale, roundings);
    for (j, column) in matrix.col_iter_mut().enumerate() {
        for (value, s) in column.iter_mut().zip(&scale).skip(j) {
            *value = *value * s * scale[j];
        }
    }
    if proves_semidefinite(matrix, &row_error) { Ok(()) } else { Err(not_proved()) }
}

/// Powers of two that bring a diagonal near 1.
pub(super) fn scales(diagonal: impl Iterator<Item = f64>) -> Result<Vec<f64>> {
    let scale = |entry: f64| {
        if entry > 0.0 && entry.is_finite() {
            Ok(power_of_two(1.0 / entry.sqrt()))
        } else {
            Err(Error::Refused("the dual slack has a diagonal entry that is not positive".into()))
        }
    };
    diagonal.map(scale).collect()
}

/// Bounds on the row sums of |Â − A| after scaling, from P·scale.
pub(super) fn row_errors(magnitude: &[f64], scale: &[f64], roundings: usize) -> Vec<f64> {
    // 5 roundings stand for the errors of the two factors XV; 1.01 pays for the rounding of the magnitude.
    let factor = 1.01 * gamma(roundings + 5);
    magnitude.iter().zip(scale).map(|(m, s)| factor * m * s + 2f64.powi(-100)).collect()
}

pub(super) fn not_proved() -> Error {
    Error::Refused("the dual slack could not be proved positive semidefinite".into())
}

/// The problem and the point without the samples that occur nowhere in the form; None where every one occurs.
///
/// A sample with w_i = 0, y_i = 0 and no multiplier leaves α_i and β_i out altogether. The point must not be zero.
pub(super) fn taking_part(
    problem: &TrainingProblem,
    dual: &DualPoint,
) -> Result<Option<(TrainingProblem, DualPoint)>> {
    let occurs = occurring(dual);
    if occurs.iter().all(|occurs| *occurs) {
        return Ok(None);
    }
    let (n, samples) = (occurs.len(), (0..occurs.len()).filter(|&i| occurs[i]).collect::<Vec<_>>());
    let mut place = vec![0; n];
    samples.iter().enumerate().for_each(|(local, &i)| place[i] = local);
    let pairs = dual.pairs.iter().copied().zip(dual.n.iter().copied());
    let part = dual.restricted(&samples, &place, pairs.filter(|(_, multiplier)| *multiplier != 0.0));
    Ok(Some((problem.subset(&samples, problem.weight_decay())?, part)))
}

/// Nothing may overflow, and underflow must stay below 2^-100 after scaling.
pub(super) fn check_range(problem: &TrainingProblem, dual: &DualPoint) -> Result<()> {
    let limit = 2f64.powi(100);
    let vector = |v: &[f64]| v.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    let gamma = problem.weight_decay();
    let largest = [
        problem.stored_features().norm_max(),
        problem.targets().norm_max(),
        dual.w.norm_max(),
        vector(&dual.y),
        vector(&dual.n),
        vector(dual.cuts.coefficients()),
        gamma,
        1.0 / gamma,
    ];
    if largest.iter().all(|value| *value <= limit) {
        Ok(())
    } else {
        Err(Error::Refused("a value beyond 2^100 cannot be handled safely; rescale the problem".into()))
    }
}

/// Proves V nonsingular by ‖VᵀV − I‖_∞ < 1.
fn is_nonsingular(v: MatRef<'_, f64>) -> bool {
    let d = v.nrows();
    if Basis::is_plain(v) {
        return true;
    }
    // A NaN ends in a row sum that is not below ½.
    if v.norm_max() > 1.5 {
        return false;
    }
    let mut gram = Mat::zeros(d, d);
    matmul(gram.as_mut(), Accum::Replace, v.transpose(), v, 1.0, Par::Seq);
    // Rounding of a row sum of |VᵀV − I| is at most 2.25 d² γ_{d+2}, far below the ½ left.
    d <= 100_000
        && 2.25 * (d * d) as f64 * gamma(d + 2) < 0.1
        && (0..d).all(|i| {
            let row: f64 = (0..d).map(|j| (gram[(i, j)] - f64::from(u8::from(i == j))).abs()).sum();
            row < 0.5
        })
}

/// Ḡ with |Ĝ| ≤ Ḡ and |Ĝ − XV| ≤ 2u Ḡ: |Ĝ| + (γ_d²/u)|X||V|, generously rounded.
pub(super) fn head_magnitude(x: MatRef<'_, f64>, g: MatRef<'_, f64>, v: MatRef<'_, f64>) -> Mat<f64> {
    let (n, d) = (x.nrows(), x.ncols());
    if Basis::is_plain(v) {
        // G is X itself.
        return Mat::from_fn(n, d, |i, j| g[(i, j)].abs());
    }
    let absolute = |m: MatRef<'_, f64>| Mat::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)].abs());
    let (left, right) = (absolute(x), absolute(v));
    let mut product = Mat::zeros(n, d);
    matmul(product.as_mut(), Accum::Replace, left.as_ref(), right.as_ref(), 1.0, Par::Seq);
    let factor = 1.1 * gamma(d + 1) * gamma(d + 1) / UNIT;
    Mat::from_fn(n, d, |i, j| 1.01 * g[(i, j)].abs() + factor * product[(i, j)])
}

/// Whether s_i occurs in the form, for each sample. Asked of the stored numbers: products of theirs may underflow.
fn occurring(dual: &DualPoint) -> Vec<bool> {
    let (n, forms) = (dual.y.len(), dual.forms());
    let mut occurs: Vec<bool> =
        (0..n).map(|i| dual.y[i] != 0.0 || (0..dual.w.ncols()).any(|k| dual.w[(i, k)] != 0.0)).collect();
    for (pair, _) in dual.pairs.iter().zip(&dual.n).filter(|(_, multiplier)| **multiplier != 0.0) {
        for (index, _) in pair.iter().flat_map(|&k| forms.row(k)) {
            occurs[index % n] = true;
        }
    }
    occurs
}

/// ⟨W, Y⟩ − ½‖W‖², rounded downwards; None if it is not a number.
pub(crate) fn bound_below(problem: &TrainingProblem, dual: &DualPoint) -> Option<f64> {
    value_below(problem.targets(), dual.w.as_ref())
}

/// [`bound_below`] of W and Y, both n × c.
pub(super) fn value_below(targets: MatRef<'_, f64>, w: MatRef<'_, f64>) -> Option<f64> {
    let (mut sum, mut magnitude) = (0.0f64, 0.0f64);
    for j in 0..w.ncols() {
        for i in 0..w.nrows() {
            let (w, y) = (w[(i, j)], targets[(i, j)]);
            sum += w * (y - 0.5 * w);
            magnitude += w.abs() * (y.abs() + 0.5 * w.abs());
        }
    }
    // Each term goes through at most two roundings and the additions, in both sums; 2^-900 covers underflow.
    let terms = w.ncols() * w.nrows();
    let error = 1.01 * gamma(terms + 3) * magnitude + terms as f64 * 2f64.powi(-900);
    let bound = (sum - error.next_up()).next_down();
    (bound.is_finite() && terms < 1_000_000_000).then_some(bound)
}
