//! Blocked search for violated pairs.

use super::{Lifting, PairKey};
use faer::linalg::matmul::matmul;
use faer::reborrow::ReborrowMut;
use faer::{Accum, Mat, MatRef, Par};

/// Rows of a block of the scan; fixes the order of work whatever the number of threads.
pub(super) const BLOCK: usize = 256;

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
    let (groups, k) = (lifting.groups(), lifting.head());
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
            if worst.len() > per_form {
                worst.select_nth_unstable_by(per_form, |a, b| {
                    a.value.total_cmp(&b.value).then(a.key.cmp(&b.key))
                });
                worst.truncate(per_form);
            }
            found.extend_from_slice(&worst);
        }
        first += rows;
    }
    found
}
