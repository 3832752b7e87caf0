//! The best parabola above ω|x·u| on a cell, sample by sample.
//!
//! With x·u = t + δ, |δ| ≤ r, z = |t|/r and σ² = v/r² (v being the mean of δ² over the cell's corners):
//!
//! - ω > 0 and 2z ≤ 1 − σ²: |t + δ| ≤ ((t + δ)²/s + s)/2 for every s > 0; s² = t² + v is the best on average.
//! - ω > 0 otherwise: |t| + δ' + k(δ' − e)² with δ' = δ sgn t, e = v/r and k = 2(1 − z)/((1 + σ²)²r), which meets the
//!   other branch at δ' = −r and is above it because there it rises.
//! - ω < 0 and z < σ²: |t + δ| ≥ tδ/r + δ²/r, through both ends and the kink.
//! - ω < 0 otherwise: |t + δ| ≥ |t| + δ'.
//!
//! Only the condition 2z ≥ 1 − σ² of the second is needed for it to hold; which v ≤ r² is taken matters for quality alone,
//! as long as all coefficients of a sample take the same.

use super::samples::{Block, Stand};
use pulp::{Simd, WithSimd};

/// v is never below this part of r²: by Cauchy and Schwarz it is at least r²/d. It is never above r² either.
const LEAST_VARIANCE: f64 = 1.0 / 16.0;
/// A range below 2⁻²⁰⁰ is taken for 2⁻²⁰⁰, so that nothing underflows; a parabola for more range holds for less.
const LEAST_RANGE: f64 = f64::from_bits((1023 - 200) << 52);

/// Parabolas above |x·u| and below it for t ≥ 0: value, slope, curvature. A settled sample has z = 1 and lines.
pub(super) struct Parabolas<V> {
    pub above: [V; 3],
    pub below: [V; 3],
    /// min(z, 1).
    pub part: V,
    /// |t|.
    pub distance: V,
}

#[inline(always)]
pub(super) fn parabolas<S: Simd>(simd: S, t: S::f64s, r: S::f64s, v: S::f64s) -> Parabolas<S::f64s> {
    let (zero, half) = (simd.splat_f64s(0.0), simd.splat_f64s(0.5));
    let (one, two) = (simd.splat_f64s(1.0), simd.splat_f64s(2.0));
    let at = simd.abs_f64s(t);
    let r = simd.max_f64s(r, simd.splat_f64s(LEAST_RANGE));
    let r2 = simd.mul_f64s(r, r);
    // Between its bounds, however much its moves rounded: one σ² must serve all coefficients of a parabola.
    let v = simd.min_f64s(simd.max_f64s(v, simd.mul_f64s(simd.splat_f64s(LEAST_VARIANCE), r2)), r2);
    let s = simd.sqrt_f64s(simd.mul_add_f64s(at, at, v));
    // One division for 1/r, 1/(r² + v) and 1/s.
    let sum = simd.add_f64s(r2, v);
    let sum_s = simd.mul_f64s(sum, s);
    let inverse = simd.div_f64s(one, simd.mul_f64s(r, sum_s));
    let ri = simd.mul_f64s(inverse, sum_s);
    let rest = simd.mul_f64s(inverse, r);
    let si = simd.mul_f64s(rest, sum);
    // 1/(1 + σ²).
    let o = simd.mul_f64s(r2, simd.mul_f64s(rest, s));
    let z = simd.min_f64s(simd.mul_f64s(at, ri), one);
    let s2 = simd.mul_f64s(simd.mul_f64s(v, ri), ri);
    // Above, both branches touched.
    let slope_a = simd.mul_f64s(at, si);
    let value_a = simd.mul_f64s(half, simd.mul_add_f64s(at, slope_a, s));
    let curve_a = simd.mul_f64s(half, si);
    // Above, one branch touched and the end of the other met.
    let oo = simd.mul_f64s(simd.mul_f64s(o, o), simd.mul_f64s(two, ri));
    let k = simd.mul_f64s(simd.sub_f64s(one, z), oo);
    let e = simd.mul_f64s(s2, r);
    let ke = simd.mul_f64s(k, e);
    let both = simd.less_than_or_equal_f64s(simd.mul_f64s(two, z), simd.sub_f64s(one, s2));
    let above = [
        simd.select_f64s(both, value_a, simd.mul_add_f64s(ke, e, at)),
        simd.select_f64s(both, slope_a, simd.sub_f64s(one, simd.mul_f64s(two, ke))),
        simd.select_f64s(both, curve_a, k),
    ];
    let kink = simd.less_than_f64s(z, s2);
    let below =
        [simd.select_f64s(kink, zero, at), simd.select_f64s(kink, z, one), simd.select_f64s(kink, ri, zero)];
    Parabolas { above, below, part: z, distance: at }
}

/// w times one of two parabolas, the slope with the sign of t.
#[inline(always)]
pub(super) fn weigh<S: Simd>(
    simd: S,
    w: S::f64s,
    mask: S::m64s,
    [a, b]: [[S::f64s; 3]; 2],
    t: S::f64s,
) -> [S::f64s; 3] {
    let sign = simd.and_f64s(t, simd.splat_f64s(-0.0));
    [
        simd.mul_f64s(w, simd.select_f64s(mask, a[0], b[0])),
        simd.mul_f64s(simd.xor_f64s(w, sign), simd.select_f64s(mask, a[1], b[1])),
        simd.mul_f64s(w, simd.select_f64s(mask, a[2], b[2])),
    ]
}

/// Where the samples stand on a child of a cell: u₀ moved by `step` along a feature, its half-width halved to |step|.
#[derive(Clone, Copy)]
pub(super) struct Child {
    pub axis: usize,
    pub step: f64,
}

/// The stand of a block's samples on a child, from that on its parent.
pub(super) struct Move<'a> {
    pub block: &'a Block,
    pub child: Child,
    pub from: &'a Stand,
    pub to: &'a mut Stand,
}

impl WithSimd for Move<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { block, child, from, to } = self;
        let len = block.len();
        let x = S::as_simd_f64s(block.x(child.axis)).0;
        let n = x.len();
        let (t, r) = (&S::as_simd_f64s(&from.t[..len]).0[..n], &S::as_simd_f64s(&from.r[..len]).0[..n]);
        let v = &S::as_simd_f64s(&from.v[..len]).0[..n];
        let (to_t, to_r) = (S::as_mut_simd_f64s(&mut to.t[..len]).0, S::as_mut_simd_f64s(&mut to.r[..len]).0);
        let to_v = &mut S::as_mut_simd_f64s(&mut to.v[..len]).0[..n];
        let (to_t, to_r) = (&mut to_t[..n], &mut to_r[..n]);
        let half = child.step.abs();
        let step = simd.splat_f64s(child.step);
        let (shrink, narrow) = (simd.splat_f64s(-half), simd.splat_f64s(-3.0 * half * half));
        for i in 0..n {
            to_t[i] = simd.mul_add_f64s(step, x[i], t[i]);
            to_r[i] = simd.mul_add_f64s(shrink, simd.abs_f64s(x[i]), r[i]);
            to_v[i] = simd.mul_add_f64s(narrow, simd.mul_f64s(x[i], x[i]), v[i]);
        }
    }
}

/// Sums of one output's pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Single {
    /// Σ w|t|.
    pub centre: f64,
    /// Σ of the values of the parabolas above w|x·u| and above −w|x·u|.
    pub values: [f64; 2],
    /// Samples of the block that are not settled.
    pub unsettled: f64,
}

/// The pass of one output: the parabolas of the sides asked for, and the importance |w|(1 − z) of each sample.
pub(super) struct SinglePass<'a, const PLUS: bool, const MINUS: bool> {
    pub block: &'a Block,
    pub stand: &'a Stand,
    /// Slopes and curvatures of either side, and the importance.
    pub slopes: [&'a mut [f64]; 2],
    pub curves: [&'a mut [f64]; 2],
    pub importance: &'a mut [f64],
}

impl<const PLUS: bool, const MINUS: bool> WithSimd for SinglePass<'_, PLUS, MINUS> {
    type Output = Single;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Single {
        let Self { block, stand, slopes: [fp, fm], curves: [gp, gm], importance } = self;
        let len = block.len();
        let w = S::as_simd_f64s(block.w(0)).0;
        let n = w.len();
        let (t, r) = (&S::as_simd_f64s(&stand.t[..len]).0[..n], &S::as_simd_f64s(&stand.r[..len]).0[..n]);
        let v = &S::as_simd_f64s(&stand.v[..len]).0[..n];
        let (fp, fm) = (&mut S::as_mut_simd_f64s(fp).0[..n], &mut S::as_mut_simd_f64s(fm).0[..n]);
        let (gp, gm) = (&mut S::as_mut_simd_f64s(gp).0[..n], &mut S::as_mut_simd_f64s(gm).0[..n]);
        let importance = &mut S::as_mut_simd_f64s(importance).0[..n];
        let (zero, one) = (simd.splat_f64s(0.0), simd.splat_f64s(1.0));
        let (mut centre, mut above, mut below, mut count) = (zero, zero, zero, zero);
        for i in 0..n {
            let p = parabolas(simd, t[i], r[i], v[i]);
            let w = w[i];
            let up = simd.greater_than_f64s(w, zero);
            if PLUS {
                let [value, slope, curve] = weigh(simd, w, up, [p.above, p.below], t[i]);
                (fp[i], gp[i]) = (slope, curve);
                above = simd.add_f64s(above, value);
            }
            if MINUS {
                let [value, slope, curve] = weigh(simd, simd.neg_f64s(w), up, [p.below, p.above], t[i]);
                (fm[i], gm[i]) = (slope, curve);
                below = simd.add_f64s(below, value);
            }
            importance[i] = simd.mul_f64s(simd.abs_f64s(w), simd.sub_f64s(one, p.part));
            centre = simd.mul_add_f64s(w, p.distance, centre);
            let unsettled = simd.less_than_f64s(p.distance, r[i]);
            count = simd.add_f64s(count, simd.select_f64s(unsettled, one, zero));
        }
        Single {
            centre: simd.reduce_sum_f64s(centre),
            values: [simd.reduce_sum_f64s(above), simd.reduce_sum_f64s(below)],
            unsettled: simd.reduce_sum_f64s(count),
        }
    }
}
