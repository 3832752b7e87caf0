//! Sums over the samples of a block: Σ f x, Σ a|x| and Σ g x xᵀ, several columns at a time.

use super::samples::Block;
use pulp::{Simd, WithSimd};

/// Most features of a search.
pub(super) const MOST: usize = 16;

/// A row for each feature.
pub(super) type Vector = [f64; MOST];
/// Symmetric; the rows and columns of features that there are count.
pub(super) type Matrix = [[f64; MOST]; MOST];

/// Σ f x and Σ g x xᵀ over a block.
pub(super) struct Moments<'a> {
    pub block: &'a Block,
    pub d: usize,
    pub f: &'a [f64],
    pub g: &'a [f64],
    pub linear: &'a mut Vector,
    pub square: &'a mut Matrix,
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { block, d, f, g, linear, square } = self;
        let x = |from: usize| Columns { data: &block.columns()[from * block.len()..], len: block.len() };
        // Groups of at most four columns keep every sum in a register.
        let (mut groups, count) = groups(d);
        for a in 0..count {
            let (from, size) = groups[a];
            match size {
                1 => triangle::<S, 1>(simd, x(from), f, g, from, linear, square),
                2 => triangle::<S, 2>(simd, x(from), f, g, from, linear, square),
                3 => triangle::<S, 3>(simd, x(from), f, g, from, linear, square),
                _ => triangle::<S, 4>(simd, x(from), f, g, from, linear, square),
            }
            for &mut (other, width) in &mut groups[..a] {
                let at = (from, other);
                match (size, width) {
                    (1, 4) => rectangle::<S, 1, 4>(simd, x(from), x(other), g, at, square),
                    (2, 3) => rectangle::<S, 2, 3>(simd, x(from), x(other), g, at, square),
                    (2, 4) => rectangle::<S, 2, 4>(simd, x(from), x(other), g, at, square),
                    (3, 3) => rectangle::<S, 3, 3>(simd, x(from), x(other), g, at, square),
                    (3, 4) => rectangle::<S, 3, 4>(simd, x(from), x(other), g, at, square),
                    _ => rectangle::<S, 4, 4>(simd, x(from), x(other), g, at, square),
                }
            }
        }
    }
}

/// Consecutive columns: (first, how many), the larger groups first.
fn groups(d: usize) -> ([(usize, usize); 4], usize) {
    let count = d.div_ceil(4);
    let mut groups = [(0, 0); 4];
    let mut from = 0;
    for (k, group) in groups.iter_mut().take(count).enumerate() {
        let size = (d - from).div_ceil(count - k);
        *group = (from, size);
        from += size;
    }
    (groups, count)
}

#[derive(Clone, Copy)]
struct Columns<'a> {
    data: &'a [f64],
    len: usize,
}

impl<'a> Columns<'a> {
    #[inline(always)]
    fn vectors<S: Simd, const R: usize>(self) -> [&'a [S::f64s]; R] {
        std::array::from_fn(|k| S::as_simd_f64s(&self.data[k * self.len..][..self.len]).0)
    }
}

#[inline(always)]
fn triangle<S: Simd, const R: usize>(
    simd: S,
    x: Columns<'_>,
    f: &[f64],
    g: &[f64],
    from: usize,
    linear: &mut Vector,
    square: &mut Matrix,
) {
    let (columns, f, g) = (x.vectors::<S, R>(), S::as_simd_f64s(f).0, S::as_simd_f64s(g).0);
    let zero = simd.splat_f64s(0.0);
    let (mut l, mut q) = ([zero; R], [[zero; R]; R]);
    let n = f.len().min(g.len());
    let columns = columns.map(|column| &column[..n]);
    for i in 0..n {
        let x: [S::f64s; R] = std::array::from_fn(|k| columns[k][i]);
        for a in 0..R {
            l[a] = simd.mul_add_f64s(f[i], x[a], l[a]);
            let gx = simd.mul_f64s(g[i], x[a]);
            for b in 0..=a {
                q[a][b] = simd.mul_add_f64s(gx, x[b], q[a][b]);
            }
        }
    }
    for a in 0..R {
        linear[from + a] += simd.reduce_sum_f64s(l[a]);
        for b in 0..=a {
            let sum = simd.reduce_sum_f64s(q[a][b]);
            square[from + a][from + b] = sum;
            square[from + b][from + a] = sum;
        }
    }
}

#[inline(always)]
fn rectangle<S: Simd, const R: usize, const C: usize>(
    simd: S,
    x: Columns<'_>,
    y: Columns<'_>,
    g: &[f64],
    (row, column): (usize, usize),
    square: &mut Matrix,
) {
    let (left, right, g) = (x.vectors::<S, R>(), y.vectors::<S, C>(), S::as_simd_f64s(g).0);
    let mut q = [[simd.splat_f64s(0.0); C]; R];
    let n = g.len();
    let (left, right) = (left.map(|column| &column[..n]), right.map(|column| &column[..n]));
    for i in 0..n {
        let y: [S::f64s; C] = std::array::from_fn(|k| right[k][i]);
        for a in 0..R {
            let gx = simd.mul_f64s(g[i], left[a][i]);
            for b in 0..C {
                q[a][b] = simd.mul_add_f64s(gx, y[b], q[a][b]);
            }
        }
    }
    for a in 0..R {
        for b in 0..C {
            let sum = simd.reduce_sum_f64s(q[a][b]);
            square[row + a][column + b] = sum;
            square[column + b][row + a] = sum;
        }
    }
}

/// Σ f x over a block, for several f.
pub(super) struct Weighted<'a> {
    pub block: &'a Block,
    pub d: usize,
    /// Rows of factors, one for each sum.
    pub factors: &'a [f64],
    /// |x| in place of x.
    pub absolute: bool,
    pub sums: &'a mut [Vector],
}

impl WithSimd for Weighted<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { block, d, factors, absolute, sums } = self;
        let len = block.len();
        for (row, sum) in factors.chunks_exact(len.max(1)).zip(sums) {
            let f = S::as_simd_f64s(row).0;
            let mut from = 0;
            while from < d {
                let x = Columns { data: &block.columns()[from * len..], len };
                let size = (d - from).min(4);
                match (size, absolute) {
                    (4, false) => weigh::<S, 4, false>(simd, x, f, from, sum),
                    (3, false) => weigh::<S, 3, false>(simd, x, f, from, sum),
                    (2, false) => weigh::<S, 2, false>(simd, x, f, from, sum),
                    (_, false) => weigh::<S, 1, false>(simd, x, f, from, sum),
                    (4, true) => weigh::<S, 4, true>(simd, x, f, from, sum),
                    (3, true) => weigh::<S, 3, true>(simd, x, f, from, sum),
                    (2, true) => weigh::<S, 2, true>(simd, x, f, from, sum),
                    (_, true) => weigh::<S, 1, true>(simd, x, f, from, sum),
                }
                from += size;
            }
        }
    }
}

#[inline(always)]
fn size<S: Simd, const ABSOLUTE: bool>(simd: S, x: S::f64s) -> S::f64s {
    if ABSOLUTE { simd.abs_f64s(x) } else { x }
}

#[inline(always)]
fn weigh<S: Simd, const R: usize, const ABSOLUTE: bool>(
    simd: S,
    x: Columns<'_>,
    f: &[S::f64s],
    from: usize,
    sum: &mut Vector,
) {
    let columns = x.vectors::<S, R>().map(|column| &column[..f.len()]);
    let zero = simd.splat_f64s(0.0);
    let (mut even, mut odd) = ([zero; R], [zero; R]);
    let pairs = f.len() / 2 * 2;
    for i in (0..pairs).step_by(2) {
        for k in 0..R {
            even[k] = simd.mul_add_f64s(f[i], size::<S, ABSOLUTE>(simd, columns[k][i]), even[k]);
            odd[k] = simd.mul_add_f64s(f[i + 1], size::<S, ABSOLUTE>(simd, columns[k][i + 1]), odd[k]);
        }
    }
    if pairs < f.len() {
        for k in 0..R {
            even[k] = simd.mul_add_f64s(f[pairs], size::<S, ABSOLUTE>(simd, columns[k][pairs]), even[k]);
        }
    }
    for k in 0..R {
        sum[from + k] += simd.reduce_sum_f64s(simd.add_f64s(even[k], odd[k]));
    }
}
