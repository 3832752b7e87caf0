//! Dense vector kernels on slices.

/// Inner product, in eight running sums so that it vectorises; the order is fixed.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (mut x, mut y) = (a.chunks_exact(8), b.chunks_exact(8));
    for (x, y) in x.by_ref().zip(y.by_ref()) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let (mut x, mut y) = (x.remainder(), y.remainder());
    if let (Some((x4, x_rest)), Some((y4, y_rest))) = (x.split_first_chunk::<4>(), y.split_first_chunk::<4>())
    {
        (0..4).for_each(|lane| sums[lane] += x4[lane] * y4[lane]);
        (x, y) = (x_rest, y_rest);
    }
    let rest: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (b + f)) + ((c + g) + (d + h)) + rest
}

/// y += a·x.
#[inline(always)]
pub(crate) fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// Numbers from which a pass over them is shared between two threads (conventional).
pub(crate) const PARALLEL: usize = 1 << 14;

/// Does both, on two threads where `worth` says so: the caller's split of the work must not depend on the number of
/// threads.
#[inline(always)]
pub(crate) fn both(worth: bool, first: impl FnOnce() + Send, second: impl FnOnce() + Send) {
    if worth {
        rayon::join(first, second);
    } else {
        first();
        second();
    }
}
