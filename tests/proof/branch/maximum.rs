//! The maximum of F(u) = |Wᵀ(Xu)₊|/|u| by enumeration, and the claim F ≤ M at one u in exact arithmetic.

use crate::exact::dyadic::Dyadic;
use faer::Mat;

type Square = Vec<Vec<f64>>;

/// F(u), rounded.
pub fn ratio(x: &Mat<f64>, w: &Mat<f64>, u: &[f64]) -> f64 {
    let norm = u.iter().map(|u| u * u).sum::<f64>().sqrt();
    let mut sum = vec![0.0; w.ncols()];
    for i in 0..x.nrows() {
        let t: f64 = u.iter().enumerate().map(|(k, u)| x[(i, k)] * u).sum();
        if t > 0.0 {
            sum.iter_mut().enumerate().for_each(|(j, sum)| *sum += w[(i, j)] * t);
        }
    }
    sum.iter().map(|sum| sum * sum).sum::<f64>().sqrt() / norm
}

/// Whether |Wᵀ(Xu)₊| ≤ M|u|, exactly.
pub fn holds(x: &Mat<f64>, w: &Mat<f64>, m: f64, u: &[f64]) -> bool {
    let u: Vec<Dyadic> = u.iter().map(|&u| Dyadic::new(u)).collect();
    let mut sum = vec![Dyadic::zero(); w.ncols()];
    for i in 0..x.nrows() {
        let products = u.iter().enumerate().map(|(k, u)| &Dyadic::new(x[(i, k)]) * u);
        let t = products.fold(Dyadic::zero(), |sum, term| &sum + &term);
        if !t.is_negative() {
            sum.iter_mut().enumerate().for_each(|(j, s)| *s = &*s + &(&Dyadic::new(w[(i, j)]) * &t));
        }
    }
    let square = |values: &[Dyadic]| values.iter().fold(Dyadic::zero(), |sum, v| &sum + &(v * v));
    let m = Dyadic::new(m);
    !(&(&(&m * &m) * &square(&u)) + &-&square(&sum)).is_negative()
}

/// Every place where F can be largest, with F there, the largest first.
///
/// On a cell of the arrangement F is |A_σ u|/|u|, A_σ = Σ_{i ∈ σ} w_i x_iᵀ, and a maximum inside the face on which the
/// samples S vanish is a top eigenvector of A_σᵀA_σ on their complement. All σ and all S with |S| < d are tried, also those
/// that no u has: F is evaluated as it is.
pub fn candidates(x: &Mat<f64>, w: &Mat<f64>) -> Vec<(f64, Vec<f64>)> {
    let (n, d) = (x.nrows(), x.ncols());
    let faces: Vec<Square> = (0..1usize << n)
        .filter(|set| (set.count_ones() as usize) < d)
        .map(|set| complement(x, (0..n).filter(|i| set >> i & 1 == 1)))
        .collect();
    let mut found = Vec::new();
    for sigma in 0..1usize << n {
        let mut square = vec![vec![0.0; d]; d];
        for j in 0..w.ncols() {
            let a: Vec<f64> = (0..d)
                .map(|k| (0..n).filter(|i| sigma >> i & 1 == 1).map(|i| w[(i, j)] * x[(i, k)]).sum())
                .collect();
            square
                .iter_mut()
                .zip(&a)
                .for_each(|(row, b)| row.iter_mut().zip(&a).for_each(|(s, a)| *s += a * b));
        }
        for face in &faces {
            let Some(u) = top(&product(face, &product(&square, face))).or_else(|| top(face)) else {
                continue;
            };
            for u in [u.clone(), u.iter().map(|u| -u).collect()] {
                found.push((ratio(x, w, &u), u));
            }
        }
    }
    found.retain(|(value, _)| value.is_finite());
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let largest = found.first().map_or(0.0, |first| first.0);
    found.retain(|(value, _)| *value >= largest * (1.0 - 1e-7));
    found.truncate(64);
    found
}

/// The projection on the complement of some rows.
fn complement(x: &Mat<f64>, rows: impl Iterator<Item = usize>) -> Square {
    let d = x.ncols();
    let mut p: Square = (0..d).map(|a| (0..d).map(|b| f64::from(u8::from(a == b))).collect()).collect();
    for i in rows {
        let row: Vec<f64> = (0..d).map(|k| x[(i, k)]).collect();
        let mut q: Vec<f64> = p.iter().map(|p| p.iter().zip(&row).map(|(p, x)| p * x).sum()).collect();
        let length = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
        let norm = length(&q);
        if norm <= 1e-12 * length(&row) {
            continue;
        }
        q.iter_mut().for_each(|q| *q /= norm);
        p.iter_mut().zip(&q).for_each(|(p, a)| p.iter_mut().zip(&q).for_each(|(p, b)| *p -= a * b));
    }
    p
}

fn product(a: &Square, b: &Square) -> Square {
    let d = b.len();
    let entry = |row: &Vec<f64>, j: usize| row.iter().zip(b).map(|(a, b)| a * b[j]).sum();
    a.iter().map(|row| (0..d).map(|j| entry(row, j)).collect()).collect()
}

/// A top eigenvector of a positive semidefinite matrix: the longest column of its power 2⁴⁰.
fn top(matrix: &Square) -> Option<Vec<f64>> {
    let mut power = matrix.clone();
    for _ in 0..40 {
        let largest = power.iter().flatten().fold(0.0f64, |largest, v| v.abs().max(largest));
        if largest == 0.0 || !largest.is_finite() {
            return None;
        }
        power.iter_mut().flatten().for_each(|v| *v /= largest);
        power = product(&power, &power);
    }
    let length = |j: usize| power.iter().map(|row| row[j] * row[j]).sum::<f64>();
    let best = (0..power.len()).max_by(|&a, &b| length(a).total_cmp(&length(b)))?;
    Some(power.iter().map(|row| row[best]).collect())
}
