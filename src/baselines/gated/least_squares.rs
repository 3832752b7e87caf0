//! Nonnegative least squares with few rows and many columns.

use crate::linalg::dense::ThinSvd;
use faer::Mat;

/// Gradients below this count as zero, for columns and targets of order one.
const TOLERANCE: f64 = 1e-13;
/// Singular values below this part of the largest count as zero.
const RANK: f64 = 1e-14;

/// Ex − f at the x ≥ 0 that minimises its length, by the active set method of Lawson and Hanson (1974, chapter 23).
///
/// At most as many columns as rows are in use at a time, so that a step costs one pass over the columns.
pub(super) fn residual(columns: &[Vec<f64>], target: &[f64]) -> Vec<f64> {
    let mut used: Vec<usize> = Vec::new();
    let mut x: Vec<f64> = Vec::new();
    let mut rest: Vec<f64> = target.iter().map(|f| -f).collect();
    for _ in 0..20 * (target.len() + 5) {
        let gain = |j: usize| -columns[j].iter().zip(&rest).map(|(e, r)| e * r).sum::<f64>();
        let best = (0..columns.len())
            .filter(|j| !used.contains(j))
            .map(|j| (gain(j), j))
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let Some((most, entering)) = best else { break };
        if most <= TOLERANCE {
            break;
        }
        used.push(entering);
        x.push(0.0);
        let mut first = true;
        loop {
            let Some(trial) = solution(columns, &used, target) else { return rest };
            // The column that came in must get a weight; if rounding says no, nothing is left to gain.
            if first && trial.last().is_some_and(|last| *last <= 0.0) {
                used.pop();
                x.pop();
                return rest;
            }
            first = false;
            let share = x
                .iter()
                .zip(&trial)
                .filter(|(_, trial)| **trial <= 0.0)
                .map(|(x, trial)| x / (x - trial))
                .fold(1.0, f64::min);
            x.iter_mut().zip(&trial).for_each(|(x, trial)| *x += share * (trial - *x));
            if share == 1.0 && trial.iter().all(|trial| *trial > 0.0) {
                break;
            }
            // Those that reached zero leave.
            let leaving: Vec<bool> =
                x.iter().zip(&trial).map(|(x, trial)| *trial <= 0.0 && *x <= 1e-15).collect();
            let mut keep = leaving.iter().map(|leaves| !leaves);
            used.retain(|_| keep.next().unwrap_or(true));
            let mut keep = leaving.iter().map(|leaves| !leaves);
            x.retain(|_| keep.next().unwrap_or(true));
            if !leaving.contains(&true) || used.is_empty() {
                break;
            }
        }
        rest = target.iter().map(|f| -f).collect();
        for (&j, x) in used.iter().zip(&x) {
            rest.iter_mut().zip(&columns[j]).for_each(|(r, e)| *r += e * x);
        }
    }
    rest
}

/// The least squares solution over the columns in use.
fn solution(columns: &[Vec<f64>], used: &[usize], target: &[f64]) -> Option<Vec<f64>> {
    let matrix = Mat::from_fn(target.len(), used.len(), |i, j| columns[used[j]][i]);
    let svd = ThinSvd::new(matrix.as_ref())?;
    let mut x = vec![0.0; used.len()];
    for (k, &size) in svd.singular.iter().enumerate() {
        if size > RANK * svd.singular[0] {
            let along: f64 = svd.u.col(k).iter().zip(target).map(|(u, f)| u * f).sum();
            x.iter_mut().zip(svd.v.col(k).iter()).for_each(|(x, v)| *x += along / size * v);
        }
    }
    Some(x)
}
