//! The passes of several outputs, where a direction v of output space is fixed on each cell.

use super::envelope::{parabolas, weigh};
use super::rounding::UNIT;
use super::samples::{Block, Stand};
use pulp::{Simd, WithSimd};

/// Most outputs whose sums are kept in registers at once.
const TOGETHER: usize = 4;

/// The sums Σ w_j|t|; returns how many samples are not settled.
pub(super) struct CentrePass<'a> {
    pub block: &'a Block,
    pub stand: &'a Stand,
    /// c sums.
    pub centre: &'a mut [f64],
}

impl WithSimd for CentrePass<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { block, stand, centre } = self;
        let len = block.len();
        let t = S::as_simd_f64s(&stand.t[..len]).0;
        let mut from = 0;
        while from < centre.len() {
            let size = (centre.len() - from).min(TOGETHER);
            let weights: [&[S::f64s]; TOGETHER] = std::array::from_fn(|j| {
                &S::as_simd_f64s(block.w((from + j).min(centre.len() - 1))).0[..t.len()]
            });
            let mut sums = [simd.splat_f64s(0.0); TOGETHER];
            for i in 0..t.len() {
                let at = simd.abs_f64s(t[i]);
                for j in 0..TOGETHER {
                    sums[j] = simd.mul_add_f64s(weights[j][i], at, sums[j]);
                }
            }
            for j in 0..size {
                centre[from + j] = simd.reduce_sum_f64s(sums[j]);
            }
            from += size;
        }
        let r = &S::as_simd_f64s(&stand.r[..len]).0[..t.len()];
        let (zero, one) = (simd.splat_f64s(0.0), simd.splat_f64s(1.0));
        let mut count = zero;
        for i in 0..t.len() {
            let unsettled = simd.less_than_f64s(simd.abs_f64s(t[i]), r[i]);
            count = simd.add_f64s(count, simd.select_f64s(unsettled, one, zero));
        }
        simd.reduce_sum_f64s(count)
    }
}

/// Sums of a pass along v.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Along {
    /// Σ of the values of the parabolas above ω|x·u|, ω = v·w.
    pub values: f64,
    /// How far Σ ω|x·u| may fall below its chords.
    pub fall: f64,
    /// How far the part of Σ w|x·u| across v may be from its chords.
    pub spread: f64,
}

/// The pass along a direction v: parabolas above ω|x·u|, and chords of |x·u| for the part across v.
///
/// |x·u| lies in |t| + (min(z, 1) sgn t) δ + (r − |t|)₊ [−z, 1].
pub(super) struct AlongPass<'a> {
    pub block: &'a Block,
    pub stand: &'a Stand,
    /// c entries.
    pub direction: &'a [f64],
    pub slope: &'a mut [f64],
    pub curve: &'a mut [f64],
    pub importance: &'a mut [f64],
    /// Slope of the chord.
    pub chord: &'a mut [f64],
    /// Middle of the chord's band above |t|.
    pub middle: &'a mut [f64],
    /// ω.
    pub along: &'a mut [f64],
}

impl WithSimd for AlongPass<'_> {
    type Output = Along;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Along {
        let Self { block, stand, direction, slope, curve, importance, chord, middle, along } = self;
        let len = block.len();
        let [t, r, v] = [&stand.t, &stand.r, &stand.v].map(|column| S::as_simd_f64s(&column[..len]).0);
        let n = t.len();
        let (r, v) = (&r[..n], &v[..n]);
        let [slope, curve, importance, chord, middle, along] =
            [slope, curve, importance, chord, middle, along]
                .map(|column| &mut S::as_mut_simd_f64s(&mut column[..len]).0[..n]);
        let zero = simd.splat_f64s(0.0);
        let half = simd.splat_f64s(0.5);
        let one = simd.splat_f64s(1.0);
        // |w|² − ω² loses its leading digits, and v is a unit vector only nearly: this part of |w|² is more than both.
        let padded = simd.splat_f64s(1.0 + 8.0 * (direction.len() as f64 + 2.0) * UNIT);
        let (mut values, mut fall, mut spread) = (zero, zero, zero);
        along.fill(zero);
        // |w|² for the moment.
        chord.fill(zero);
        for (j, &weight) in direction.iter().enumerate() {
            let weight = simd.splat_f64s(weight);
            let w = &S::as_simd_f64s(block.w(j)).0[..n];
            for i in 0..n {
                along[i] = simd.mul_add_f64s(weight, w[i], along[i]);
                chord[i] = simd.mul_add_f64s(w[i], w[i], chord[i]);
            }
        }
        for i in 0..n {
            let p = parabolas(simd, t[i], r[i], v[i]);
            let w = along[i];
            let up = simd.greater_than_f64s(w, zero);
            let value;
            [value, slope[i], curve[i]] = weigh(simd, w, up, [p.above, p.below], t[i]);
            values = simd.add_f64s(values, value);
            importance[i] = simd.mul_f64s(simd.abs_f64s(w), simd.sub_f64s(one, p.part));
            let room = simd.max_f64s(simd.sub_f64s(r[i], p.distance), zero);
            let drop = simd.select_f64s(up, simd.mul_f64s(w, p.part), simd.neg_f64s(w));
            fall = simd.mul_add_f64s(drop, room, fall);
            let across = simd.max_f64s(simd.negate_mul_add_f64s(w, w, simd.mul_f64s(padded, chord[i])), zero);
            let halfway = simd.mul_f64s(half, room);
            let width = simd.mul_f64s(halfway, simd.add_f64s(one, p.part));
            spread = simd.mul_add_f64s(simd.sqrt_f64s(across), width, spread);
            middle[i] = simd.mul_f64s(halfway, simd.sub_f64s(one, p.part));
            chord[i] = simd.xor_f64s(p.part, simd.and_f64s(t[i], simd.splat_f64s(-0.0)));
        }
        Along {
            values: simd.reduce_sum_f64s(values),
            fall: simd.reduce_sum_f64s(fall),
            spread: simd.reduce_sum_f64s(spread),
        }
    }
}

/// For each output Σ w_j m, m being the middles; and the rows w_j·chord, whose moments are the linear part of the chords.
pub(super) struct ChordPass<'a> {
    pub block: &'a Block,
    pub chord: &'a [f64],
    pub middle: &'a [f64],
    /// c rows.
    pub rows: &'a mut [f64],
    /// c sums.
    pub offsets: &'a mut [f64],
}

impl WithSimd for ChordPass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { block, chord, middle, rows, offsets } = self;
        let len = block.len();
        let chord = S::as_simd_f64s(&chord[..len]).0;
        let middle = &S::as_simd_f64s(&middle[..len]).0[..chord.len()];
        for (j, (row, offset)) in rows.chunks_exact_mut(len.max(1)).zip(offsets).enumerate() {
            let w = &S::as_simd_f64s(block.w(j)).0[..chord.len()];
            let row = &mut S::as_mut_simd_f64s(row).0[..chord.len()];
            let mut sum = simd.splat_f64s(0.0);
            for i in 0..chord.len() {
                row[i] = simd.mul_f64s(w[i], chord[i]);
                sum = simd.mul_add_f64s(w[i], middle[i], sum);
            }
            *offset = simd.reduce_sum_f64s(sum);
        }
    }
}
