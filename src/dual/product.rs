//! Matrix products as if in twice the working precision, for heads that cancel.

use super::basis::Basis;
use faer::{Mat, MatRef};
use rayon::prelude::*;

/// 2^27 + 1, Veltkamp's constant.
const SPLIT: f64 = 134_217_729.0;

#[inline(always)]
fn split(a: f64) -> (f64, f64) {
    let c = SPLIT * a;
    let high = c - (c - a);
    (high, a - high)
}

/// XV with every entry as Dot2 gives it (Ogita, Rump, Oishi, SISC 26, 2005, Algorithm 5.3).
///
/// Error of an entry without underflow: u|result| + γ_d²(|X||V|) (their Proposition 5.5), u = 2⁻⁵³.
pub(crate) fn accurate_product(x: MatRef<'_, f64>, v: MatRef<'_, f64>) -> Mat<f64> {
    let (n, d) = (x.nrows(), x.ncols());
    if Basis::is_plain(v) {
        return x.to_owned();
    }
    let columns: Vec<Vec<f64>> = (0..v.ncols())
        .into_par_iter()
        .map(|j| {
            let (mut sum, mut rest) = (vec![0.0f64; n], vec![0.0f64; n]);
            for k in 0..d {
                let b = v[(k, j)];
                let (bh, bl) = split(b);
                let column = x.col(k);
                for i in 0..n {
                    let a = column[i];
                    let (ah, al) = split(a);
                    let p = a * b;
                    let product_error = al * bl - (((p - ah * bh) - al * bh) - ah * bl);
                    let s = sum[i];
                    let t = s + p;
                    let z = t - s;
                    let sum_error = (s - (t - z)) + (p - z);
                    sum[i] = t;
                    rest[i] += product_error + sum_error;
                }
            }
            sum.iter().zip(&rest).map(|(s, r)| s + r).collect()
        })
        .collect();
    Mat::from_fn(n, v.ncols(), |i, j| columns[j][i])
}
