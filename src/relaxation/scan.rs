//! Blocked search for violated pairs: products in single precision find what may be violated, double precision decides.

use super::Lifting;
use super::pairs::{BLOCK, PairKey, PairSet};
use crate::linalg::dense::product;
use crate::linalg::vector::dot;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// A violated pair and its normalised product, which is negative.
#[derive(Clone, Copy, Debug)]
pub struct Violation {
    /// The pair.
    pub key: PairKey,
    /// ⟨p_i, p_j⟩, for nearly opposite forms (⟨p_i, p_j⟩ − ⟨p_i, p̄_i⟩)/t.
    pub value: f64,
}

/// Forms whose products with a block are formed at a time: the products stay in the cache.
const TILE: usize = 1024;
/// Cosine below which a pair is looked at in double precision whatever its product: −7/8, and the error of single precision.
const NEAR: f32 = -0.874;
/// Twice the unit roundoff of single precision: of a product of two vectors, for each of their entries.
const SINGLE: f64 = 1.2e-7;
/// Violations of one form, times those kept, at which the list is cut short.
const PILE: usize = 16;

/// The worst `per_form` violations below `−tolerance` of every base form, each pair once.
///
/// `rows` holds the base forms at the factor (2G × columns, row-major). A pair is passed over where its product in single
/// precision exceeds −tolerance by more than all rounding; every other one is decided in double precision, so that the
/// pairs are those of a scan in double precision. Time O(G²(columns + rank)), memory O(G).
pub fn scan_violations(
    lifting: &Lifting,
    rows: &[f64],
    columns: usize,
    tolerance: f64,
    per_form: usize,
) -> Vec<Violation> {
    let scan = Scan::new(lifting, rows, columns, tolerance, per_form);
    // A block never straddles α and β, so that its directions are one block of X.
    let blocks = |half: usize| (0..scan.groups).step_by(BLOCK).map(move |first| first + half);
    let firsts: Vec<usize> = blocks(0).chain(blocks(scan.groups)).collect();
    let found: Vec<Vec<Violation>> = firsts.into_par_iter().map(|first| scan.block(first)).collect();
    found.concat()
}

/// What all blocks of a scan share.
struct Scan<'a> {
    lifting: &'a Lifting,
    rows: &'a [f64],
    groups: usize,
    columns: usize,
    tolerance: f64,
    per_form: usize,
    /// Forms and directions in single precision, row-major.
    single: Vec<f32>,
    directions: Vec<f32>,
    /// ‖p‖ of every form, enlarged by what single precision errs by.
    norm: Vec<f32>,
    /// ⟨α_g, β_g⟩.
    own: Vec<f64>,
}

impl<'a> Scan<'a> {
    fn new(lifting: &'a Lifting, rows: &'a [f64], columns: usize, tolerance: f64, per_form: usize) -> Self {
        let groups = lifting.groups();
        let forms = 2 * groups;
        let row = |i: usize| &rows[i * columns..][..columns];
        let directions = (0..groups).flat_map(|g| lifting.geometry.direction(g)).map(|v| *v as f32).collect();
        Self {
            lifting,
            rows,
            groups,
            columns,
            tolerance,
            per_form,
            single: rows[..forms * columns].iter().map(|v| *v as f32).collect(),
            directions,
            norm: (0..forms).map(|i| (1.001 * dot(row(i), row(i)).sqrt()) as f32).collect(),
            own: (0..groups).map(|g| dot(row(g), row(g + groups))).collect(),
        }
    }

    fn row(&self, form: usize) -> &[f64] {
        &self.rows[form * self.columns..][..self.columns]
    }

    /// The violations of the forms of one block, each with forms after it.
    fn block(&self, first: usize) -> Vec<Violation> {
        let (groups, k) = (self.groups, self.lifting.hidden_dimension());
        let forms = 2 * groups;
        let end = if first < groups { groups } else { forms };
        let count = BLOCK.min(end - first);
        let mut worst: Vec<Vec<Violation>> = vec![Vec::new(); count];
        let (mut products, mut cosines) = (Mat::<f32>::zeros(count, TILE), Mat::<f32>::zeros(count, TILE));
        // Bounds on the error of a product, but for the norm of the other form.
        let error: Vec<f32> = (first..first + count)
            .map(|i| (SINGLE * (self.columns + 4) as f64) as f32 * self.norm[i])
            .collect();
        // A tolerance beyond the range of single precision leaves everything to double precision.
        let limit = if self.tolerance > 1e-30 { -(self.tolerance as f32) * 0.999_999 } else { f32::INFINITY };
        let mut from = first + 1;
        while from < forms {
            let half = if from < groups { groups } else { forms };
            let width = TILE.min(half - from);
            let sign: f32 = if (first < groups) == (from < groups) { 1.0 } else { -1.0 };
            let mine = MatRef::from_row_major_slice(
                &self.single[first * self.columns..][..count * self.columns],
                count,
                self.columns,
            );
            let others = MatRef::from_row_major_slice(
                &self.single[from * self.columns..][..width * self.columns],
                width,
                self.columns,
            );
            let tile = |m: &mut Mat<f32>, a: MatRef<'_, f32>, b: MatRef<'_, f32>| {
                let out: MatMut<'_, f32> = m.as_mut().subcols_mut(0, width);
                matmul(out, Accum::Replace, a, b.transpose(), 1.0f32, Par::Seq);
            };
            tile(&mut products, mine, others);
            let directions = |g: usize, rows: usize| {
                MatRef::from_row_major_slice(&self.directions[g * k..][..rows * k], rows, k)
            };
            tile(&mut cosines, directions(first % groups, count), directions(from % groups, width));
            for (local, (p, c)) in products.col_iter().zip(cosines.col_iter()).take(width).enumerate() {
                let j = from + local;
                let (Some(p), Some(c)) = (p.try_as_col_major(), c.try_as_col_major()) else { continue };
                self.column(first, j, sign, p.as_slice(), c.as_slice(), limit, &error, &mut worst);
            }
            from += width;
        }
        for list in &mut worst {
            keep_worst(list, self.per_form);
            list.sort_unstable_by(|a, b| a.value.total_cmp(&b.value).then(a.key.cmp(&b.key)));
        }
        worst.concat()
    }

    /// The products of a block with one form j.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "a column of a tile, and what it is judged by")]
    fn column(
        &self,
        first: usize,
        j: usize,
        sign: f32,
        products: &[f32],
        cosines: &[f32],
        limit: f32,
        error: &[f32],
        worst: &mut [Vec<Violation>],
    ) {
        const LANES: usize = 16;
        let norm = self.norm[j];
        // What is not a number is looked at too.
        let passes = |p: f32, c: f32, e: f32| !(p - e * norm >= limit && sign * c >= NEAR);
        let chunks = products.chunks(LANES).zip(cosines.chunks(LANES)).zip(error.chunks(LANES));
        for (chunk, ((p, c), e)) in chunks.enumerate() {
            let mut any = false;
            for ((p, c), e) in p.iter().zip(c).zip(e) {
                any |= passes(*p, *c, *e);
            }
            if !any {
                continue;
            }
            for (lane, ((p, c), e)) in p.iter().zip(c).zip(e).enumerate() {
                let i = first + chunk * LANES + lane;
                if passes(*p, *c, *e) && i < j && j != i + self.groups {
                    self.decide(i, j, &mut worst[i - first]);
                }
            }
        }
    }

    /// Takes a pair in if it is violated, in double precision.
    fn decide(&self, i: usize, j: usize, worst: &mut Vec<Violation>) {
        let groups = self.groups;
        let sign = if (i < groups) == (j < groups) { 1.0 } else { -1.0 };
        let geometry = &self.lifting.geometry;
        let cosine = dot(geometry.direction(i % groups), geometry.direction(j % groups));
        let sum2 = 2.0 + 2.0 * sign * cosine;
        let product = dot(self.row(i), self.row(j));
        let value = if sum2 < 0.25 {
            // The floor only keeps a cancelled angle from inventing a violation.
            (product - self.own[i % groups]) / sum2.max(1e-12).sqrt()
        } else {
            product
        };
        if value < -self.tolerance {
            worst.push(Violation { key: (i as u32, j as u32), value });
            if worst.len() > PILE * self.per_form {
                keep_worst(worst, self.per_form);
            }
        }
    }
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
