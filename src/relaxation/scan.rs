//! Blocked search for violated pairs.

use super::Lifting;
use super::pairs::{BLOCK, PairKey, PairSet};
use crate::linalg::dense::product;
use faer::linalg::matmul::matmul;
use faer::reborrow::ReborrowMut;
use faer::{Accum, Mat, MatRef, Par};

/// A violated pair and its normalised product, which is negative.
#[derive(Clone, Copy, Debug)]
pub struct Violation {
    /// The pair.
    pub key: PairKey,
    /// ⟨p_i, p_j⟩, for nearly opposite forms (⟨p_i, p_j⟩ − ⟨p_i, p̄_i⟩)/t.
    pub value: f64,
}

/// The worst `per_form` violations below `−tolerance` of every base form, each pair once.
///
/// `rows` holds the base forms at the factor (2G × columns, row-major). Time O(G²(columns + rank)),
/// memory O(G).
pub fn scan_violations(
    lifting: &Lifting,
    rows: &[f64],
    columns: usize,
    tolerance: f64,
    per_form: usize,
) -> Vec<Violation> {
    let (groups, k) = (lifting.groups(), lifting.hidden_dimension());
    let forms = 2 * groups;
    let p = MatRef::from_row_major_slice(&rows[..forms * columns], forms, columns);
    let mut directions = Vec::with_capacity(groups * k);
    for g in 0..groups {
        directions.extend_from_slice(lifting.geometry.direction(g));
    }
    let x = MatRef::from_row_major_slice(&directions, groups, k);
    let own: Vec<f64> =
        (0..groups).map(|g| (0..columns).map(|j| p[(g, j)] * p[(g + groups, j)]).sum()).collect();
    let mut products = Mat::zeros(BLOCK.min(forms), forms);
    let mut cosines = Mat::zeros(BLOCK.min(forms), groups);
    let mut worst: Vec<Violation> = Vec::new();
    let mut found = Vec::new();
    let mut first = 0;
    while first < forms {
        // A block never straddles α and β, so that its directions are one block of X.
        let rows = BLOCK.min(if first < groups { groups - first } else { forms - first });
        let mut k_block = products.subrows_mut(0, rows);
        matmul(k_block.rb_mut(), Accum::Replace, p.subrows(first, rows), p.transpose(), 1.0, Par::Seq);
        let mut c_block = cosines.subrows_mut(0, rows);
        let g0 = first % groups;
        matmul(c_block.rb_mut(), Accum::Replace, x.subrows(g0, rows), x.transpose(), 1.0, Par::Seq);
        for i in first..first + rows {
            worst.clear();
            let sign_i = if i < groups { 1.0 } else { -1.0 };
            for j in i + 1..forms {
                if j == i + groups {
                    continue;
                }
                let sign = sign_i * if j < groups { 1.0 } else { -1.0 };
                let sum2 = 2.0 + 2.0 * sign * c_block[(i - first, j % groups)];
                let product = k_block[(i - first, j)];
                let value = if sum2 < 0.25 {
                    // The floor only keeps a cancelled angle from inventing a violation.
                    (product - own[i % groups]) / sum2.max(1e-12).sqrt()
                } else {
                    product
                };
                if value < -tolerance {
                    worst.push(Violation { key: (i as u32, j as u32), value });
                }
            }
            keep_worst(&mut worst, per_form);
            found.extend_from_slice(&worst);
        }
        first += rows;
    }
    found
}

/// The worst `per_form` products below `−tolerance` of every cut with base forms and with the cuts after it.
///
/// `rows` holds the forms of the set at the factor (row-major). Time O(cuts · forms · columns), memory O(forms).
pub fn scan_cuts(
    lifting: &Lifting,
    set: &PairSet,
    rows: &[f64],
    columns: usize,
    tolerance: f64,
    per_form: usize,
) -> Vec<Violation> {
    let (base, cuts) = (lifting.base.len(), set.cuts().len());
    let (mut worst, mut found) = (Vec::new(), Vec::new());
    let matrix = |first: usize, count: usize| {
        MatRef::from_row_major_slice(&rows[first * columns..][..count * columns], count, columns)
    };
    for first in (0..cuts).step_by(BLOCK) {
        let block = matrix(set.form(lifting, base + first), BLOCK.min(cuts - first));
        let with_base = product(block, matrix(0, base).transpose());
        let with_cuts = product(block, matrix(set.form(lifting, base), cuts).transpose());
        for f in first..first + block.nrows() {
            worst.clear();
            let me = (base + f) as u32;
            let base = (0..base).map(|j| ((j as u32, me), with_base[(f - first, j)]));
            let others =
                (f + 1..cuts).map(|g| ((me, (lifting.base.len() + g) as u32), with_cuts[(f - first, g)]));
            for (key, value) in base.chain(others).filter(|(_, value)| *value < -tolerance) {
                worst.push(Violation { key, value });
            }
            keep_worst(&mut worst, per_form);
            found.extend_from_slice(&worst);
        }
    }
    found
}

fn keep_worst(violations: &mut Vec<Violation>, count: usize) {
    if violations.len() > count {
        violations.select_nth_unstable_by(count, |a, b| a.value.total_cmp(&b.value).then(a.key.cmp(&b.key)));
        violations.truncate(count);
    }
}
