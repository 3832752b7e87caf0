//! The slack with v kept as a variable: a sparse Z-matrix A over the samples, a side B and a head H, scaled, with bounds
//! on what rounding has done to B and H.

use super::super::cholesky::gamma;
use super::super::prove::{head_magnitude, proved_basis, scales as scales_of};
use crate::dual::{DualPoint, accurate_product, power_of_two};
use crate::error::{Error, Result};
use crate::linalg::z_matrix::{ROWS, ZMatrix, width};
use crate::problem::TrainingProblem;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

/// More than any underflow leaves of an entry of A, B or R, and of H: 2^-400 and 2^-300.
pub(super) const TINY: f64 = 3.872_591_914_849_318e-121;
const TINY_HEAD: f64 = 4.909_093_465_297_727e-91;

/// A, B and H of the form hᵀHh + 2sᵀBh + sᵀAs, scaled by powers of two to a diagonal about 1.
pub(crate) struct Assembly {
    /// A but for its diagonal.
    pub(crate) matrix: ZMatrix,
    /// The diagonal of A, exact.
    pub(crate) diagonal: Vec<f64>,
    /// Most pairs that join two samples.
    pub(super) joined: usize,
    /// B, n rows of [`width`] columns of which the first d + c count.
    pub(crate) side: Vec<f64>,
    /// |computed B − B| at most, alike.
    pub(super) side_error: Vec<f64>,
    /// H; both triangles.
    pub(crate) head: Mat<f64>,
    /// |computed H − H| at most.
    pub(super) head_error: Mat<f64>,
    /// The powers of two of the samples, n.
    pub(crate) scale: Vec<f64>,
    /// G = XV, not scaled.
    pub(crate) g: Mat<f64>,
}

/// What one sample has to do with another through the pairs that join them.
#[derive(Clone, Copy)]
struct Link {
    other: u32,
    /// Whether the form of this sample, and that of the other, is a β.
    betas: [bool; 2],
    multiplier: f64,
}

impl Assembly {
    /// Of a point without cuts and of values in range, in which every sample takes part. `head` is the matrix M.
    pub(crate) fn new(
        problem: &TrainingProblem,
        dual: &DualPoint,
        head: Option<MatRef<'_, f64>>,
    ) -> Result<Self> {
        Self::with_scales(problem, dual, head, None)
    }

    /// With given powers of two for the samples (n) and for all of the head, whatever the diagonal is then: nothing is to be
    /// proved of it.
    pub(crate) fn with_scales(
        problem: &TrainingProblem,
        dual: &DualPoint,
        head: Option<MatRef<'_, f64>>,
        scales: Option<(&[f64], f64)>,
    ) -> Result<Self> {
        let (n, d, c) = (problem.samples(), problem.inputs(), problem.outputs());
        if !dual.cuts.is_empty() || n >= u32::MAX as usize {
            return Err(Error::Refused("cuts are left to a factorisation".into()));
        }
        // A negative multiplier would make the sample block no Z-matrix, and what the rounding is paid with negative.
        let is_pair = |[a, b]: &[usize; 2]| a % n != b % n && *a < 2 * n && *b < 2 * n;
        if dual.n.len() != dual.pairs.len()
            || !dual.n.iter().all(|m| *m >= 0.0)
            || !dual.pairs.iter().all(is_pair)
        {
            return Err(Error::Refused("pairs or multipliers that no certificate has".into()));
        }
        let basis = proved_basis(problem)?;
        let g = accurate_product(problem.features(), basis.v.as_ref());
        let size = head_magnitude(problem.features(), g.as_ref(), basis.v.as_ref());
        // −y_i/2, exact; the scale too.
        let plain: Vec<f64> = dual.y.iter().map(|y| -0.5 * y).collect();
        let scale = match scales {
            Some((samples, _)) => samples.to_vec(),
            None => scales_of(plain.iter().copied())?,
        };
        let diagonal: Vec<f64> = plain.iter().zip(&scale).map(|(value, s)| value * s * s).collect();
        if scales.is_none() && !diagonal.iter().all(|value| is_about_one(*value)) {
            return Err(Error::Refused("the multipliers y are too far apart for a positive vector".into()));
        }
        let (start, links) = links(dual);
        let gathered = Gathered::new(dual, &start, &links, g.as_ref(), size.as_ref(), &scale);
        drop(links);
        let Gathered { matrix, joined, side: by_features, side_size, kernel, kernel_size } = gathered;
        let longest = matrix.longest_row();
        let terms = TermCount { samples: n, inputs: d, outputs: c, joined, longest };
        let parts = HeadParts {
            v: basis.v.as_ref(),
            m: head,
            g: g.as_ref(),
            size: size.as_ref(),
            w: dual.w.as_ref(),
            gamma: problem.weight_decay(),
        };
        let (mut head, mut head_error) = parts.assemble(&kernel, &kernel_size, &terms);
        drop((kernel, kernel_size));
        let k = d + c;
        let head_scale = match scales {
            Some((_, unit)) => vec![unit; k],
            None => scales_of((0..k).map(|j| head[(j, j)]))?,
        };
        for j in 0..k {
            for i in 0..k {
                head[(i, j)] = head[(i, j)] * head_scale[i] * head_scale[j];
                head_error[(i, j)] = head_error[(i, j)] * head_scale[i] * head_scale[j] + TINY_HEAD;
            }
        }
        if scales.is_none() && !(0..k).all(|j| is_about_one(head[(j, j)])) {
            return Err(Error::Refused("the head of the slack is out of range for a positive vector".into()));
        }
        let columns = width(k);
        let (mut side, mut side_error) = (vec![0.0; n * columns], vec![0.0; n * columns]);
        let factor = 1.01 * gamma(joined + longest + 8);
        side.par_chunks_mut(columns).zip(side_error.par_chunks_mut(columns)).enumerate().for_each(
            |(i, (side, error))| {
                let s = scale[i];
                for j in 0..d {
                    side[j] = by_features[i * d + j] * head_scale[j];
                    error[j] = factor * side_size[i * d + j] * head_scale[j] + TINY;
                }
                for j in d..k {
                    side[j] = -0.5 * dual.w[(i, j - d)] * s * head_scale[j];
                    error[j] = TINY;
                }
            },
        );
        Ok(Self { matrix, diagonal, joined, side, side_error, head, head_error, scale, g })
    }

    /// n.
    pub(crate) fn samples(&self) -> usize {
        self.diagonal.len()
    }

    /// d + c.
    pub(crate) fn order(&self) -> usize {
        self.head.nrows()
    }

    /// Columns that a row of the side is stored in.
    pub(crate) fn width(&self) -> usize {
        width(self.order())
    }
}

/// What a power of two as scale leaves of a positive number: a quarter to one, unless its exponent was cut off.
fn is_about_one(value: f64) -> bool {
    (0.2..=1.1).contains(&value)
}

/// The pairs at each sample, sorted by the other: row i is from `start[i]` to `start[i + 1]`.
fn links(dual: &DualPoint) -> (Vec<usize>, Vec<Link>) {
    let n = dual.y.len();
    let mut start = vec![0usize; n + 1];
    for pair in &dual.pairs {
        pair.iter().for_each(|form| start[form % n + 1] += 1);
    }
    (0..n).for_each(|i| start[i + 1] += start[i]);
    let nothing = Link { other: 0, betas: [false; 2], multiplier: 0.0 };
    let (mut next, mut links) = (start.clone(), vec![nothing; start[n]]);
    for (&[a, b], &multiplier) in dual.pairs.iter().zip(&dual.n) {
        for (a, b) in [(a, b), (b, a)] {
            let (i, betas) = (a % n, [a >= n, b >= n]);
            links[next[i]] = Link { other: (b % n) as u32, betas, multiplier };
            next[i] += 1;
        }
    }
    let mut rest = links.as_mut_slice();
    let mut rows = Vec::with_capacity(n);
    for ends in start.windows(2) {
        let (row, after) = rest.split_at_mut(ends[1] - ends[0]);
        rows.push(row);
        rest = after;
    }
    rows.into_par_iter().for_each(|row| row.sort_unstable_by_key(|link| (link.other, link.betas)));
    (start, links)
}

/// What the rows of the kernel give: A, and the products of the rest with G.
struct Gathered {
    matrix: ZMatrix,
    joined: usize,
    /// S K_sg G, n × d by rows, and its magnitude with Ḡ; S are the scales of the samples.
    side: Vec<f64>,
    side_size: Vec<f64>,
    /// K_gg G, n × d by rows, and its magnitude.
    kernel: Vec<f64>,
    kernel_size: Vec<f64>,
}

impl Gathered {
    fn new(
        dual: &DualPoint,
        start: &[usize],
        links: &[Link],
        g: MatRef<'_, f64>,
        size: MatRef<'_, f64>,
        scale: &[f64],
    ) -> Self {
        let (n, d) = (g.nrows(), g.ncols());
        let row_of = |i: usize| links[start[i]..start[i + 1]].chunk_by(|a, b| a.other == b.other);
        let mut ends = vec![0usize; n + 1];
        let mut joined = 1;
        for i in 0..n {
            let mut count = 0;
            for group in row_of(i) {
                count += 1;
                joined = joined.max(group.len());
            }
            ends[i + 1] = ends[i] + count;
        }
        let mut column = vec![0u32; ends[n]];
        let mut value = vec![0.0; ends[n]];
        // Rows of G are read in no order: they should lie in one piece.
        let (g, size) = (by_rows(g), by_rows(size));
        let product = || vec![0.0; n * d];
        let (mut side, mut side_size, mut kernel, mut kernel_size) =
            (product(), product(), product(), product());
        let rows = split_rows(&ends, &mut column, &mut value);
        rows.into_par_iter()
            .zip(side.par_chunks_mut(d).zip(side_size.par_chunks_mut(d)))
            .zip(kernel.par_chunks_mut(d).zip(kernel_size.par_chunks_mut(d)))
            .enumerate()
            .for_each(|(i, (((column, value), (side, side_size)), (kernel, kernel_size)))| {
                for (place, group) in row_of(i).enumerate() {
                    let other = group[0].other as usize;
                    let (mut total, mut crossed, mut among) = (0.0, 0.0, 0.0);
                    for link in group {
                        // −N/4 on s_i s_j; the signs are those of g in the forms.
                        let quarter = 0.25 * link.multiplier;
                        total += quarter;
                        crossed += if link.betas[1] { quarter } else { -quarter };
                        among += if link.betas[0] == link.betas[1] { -quarter } else { quarter };
                    }
                    column[place] = other as u32;
                    value[place] = total * scale[i] * scale[other];
                    let (g, size) = (&g[other * d..][..d], &size[other * d..][..d]);
                    for k in 0..d {
                        side[k] += crossed * g[k];
                        side_size[k] += total * size[k];
                        kernel[k] += among * g[k];
                    }
                }
                kernel_size.copy_from_slice(side_size);
                let half = 0.5 * dual.y[i];
                for k in 0..d {
                    kernel[k] += half * g[i * d + k];
                    kernel_size[k] += half.abs() * size[i * d + k];
                    side[k] *= scale[i];
                    side_size[k] *= scale[i];
                }
            });
        Self { matrix: ZMatrix { start: ends, column, value }, joined, side, side_size, kernel, kernel_size }
    }
}

fn split_rows<'a>(
    ends: &[usize],
    mut column: &'a mut [u32],
    mut value: &'a mut [f64],
) -> Vec<(&'a mut [u32], &'a mut [f64])> {
    let mut rows = Vec::with_capacity(ends.len() - 1);
    for ends in ends.windows(2) {
        let (columns, after) = column.split_at_mut(ends[1] - ends[0]);
        let (values, rest) = value.split_at_mut(ends[1] - ends[0]);
        rows.push((columns, values));
        (column, value) = (after, rest);
    }
    rows
}

fn by_rows(matrix: MatRef<'_, f64>) -> Vec<f64> {
    let d = matrix.ncols();
    let mut rows = vec![0.0; matrix.nrows() * d];
    for (j, column) in matrix.col_iter().enumerate() {
        column.iter().enumerate().for_each(|(i, value)| rows[i * d + j] = *value);
    }
    rows
}

/// What the counts of roundings are made of.
struct TermCount {
    samples: usize,
    inputs: usize,
    outputs: usize,
    joined: usize,
    longest: usize,
}

/// Roundings that a monomial meets in a sum over samples made by [`sum_of_products`].
pub(super) fn additions(samples: usize) -> usize {
    ROWS + samples.div_ceil(ROWS)
}

/// PᵀQ over the rows of both, in pieces of [`ROWS`] rows that are added up one after another.
///
/// P and Q have so many rows, stored one after another in the widths given; the first `p` and `q` columns count.
pub(crate) fn sum_of_products(
    rows: usize,
    (left, left_width, p): (&[f64], usize, usize),
    (right, right_width, q): (&[f64], usize, usize),
) -> Mat<f64> {
    let piece = |first: usize| {
        let count = ROWS.min(rows - first);
        let take = |values: &[f64], width: usize, columns: usize| {
            let values = &values[first * width..][..count * width];
            MatRef::from_row_major_slice(values, count, width).subcols(0, columns).to_owned()
        };
        let (left, right) = (take(left, left_width, p), take(right, right_width, q));
        let mut product = Mat::zeros(p, q);
        matmul(product.as_mut(), Accum::Replace, left.transpose(), right.as_ref(), 1.0, Par::Seq);
        product
    };
    // As many pieces at a time as make the memory small and the order fixed.
    let firsts: Vec<usize> = (0..rows).step_by(ROWS).collect();
    let mut sum = Mat::zeros(p, q);
    for firsts in firsts.chunks(64) {
        let parts: Vec<Mat<f64>> = firsts.par_iter().map(|first| piece(*first)).collect();
        for part in parts {
            for j in 0..q {
                for i in 0..p {
                    sum[(i, j)] += part[(i, j)];
                }
            }
        }
    }
    sum
}

/// What H is made of.
struct HeadParts<'a> {
    v: MatRef<'a, f64>,
    m: Option<MatRef<'a, f64>>,
    g: MatRef<'a, f64>,
    /// Ḡ.
    size: MatRef<'a, f64>,
    w: MatRef<'a, f64>,
    gamma: f64,
}

impl HeadParts<'_> {
    /// H, and the bound on its error; not scaled, both triangles computed by themselves.
    fn assemble(&self, kernel: &[f64], kernel_size: &[f64], terms: &TermCount) -> (Mat<f64>, Mat<f64>) {
        let (n, d, c) = (terms.samples, terms.inputs, terms.outputs);
        let absolute = |m: MatRef<'_, f64>| Mat::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)].abs());
        let zero = Mat::zeros(d + c, d + c);
        let m = self.m.unwrap_or(zero.as_ref());
        let (plain, size) = (
            self.parts(self.v, m, self.g, self.w, kernel, -1.0, n),
            self.parts(
                absolute(self.v).as_ref(),
                absolute(m).as_ref(),
                self.size,
                absolute(self.w).as_ref(),
                kernel_size,
                1.0,
                n,
            ),
        );
        let roundings = terms.joined + terms.longest + additions(n) + 2 * d + c + 30;
        let factor = 1.01 * gamma(roundings);
        let error = Mat::from_fn(d + c, d + c, |i, j| factor * size[(i, j)]);
        (plain, error)
    }

    /// γVᵀV + VᵀM_uuV + GᵀK, VᵀM_uv ± ½GᵀW and γI + M_vv, put together.
    #[expect(clippy::too_many_arguments, reason = "once with the numbers and once with their magnitudes")]
    fn parts(
        &self,
        v: MatRef<'_, f64>,
        m: MatRef<'_, f64>,
        g: MatRef<'_, f64>,
        w: MatRef<'_, f64>,
        kernel: &[f64],
        sign: f64,
        n: usize,
    ) -> Mat<f64> {
        let (d, c) = (g.ncols(), w.ncols());
        let product = |a: MatRef<'_, f64>, b: MatRef<'_, f64>| {
            let mut out = Mat::zeros(a.nrows(), b.ncols());
            matmul(out.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
            out
        };
        let g = by_rows(g);
        let data = sum_of_products(n, (&g, d, d), (kernel, d, d));
        let cross = sum_of_products(n, (&g, d, d), (&by_rows(w), c, c));
        let gram = product(v.transpose(), v);
        let mv = product(m.subcols(0, d), v);
        let vmv = product(v.transpose(), mv.subrows(0, d));
        Mat::from_fn(d + c, d + c, |i, j| match (i < d, j < d) {
            (true, true) => self.gamma * gram[(i, j)] + vmv[(i, j)] + data[(i, j)],
            (true, false) => mv[(j, i)] + sign * 0.5 * cross[(i, j - d)],
            (false, true) => mv[(i, j)] + sign * 0.5 * cross[(j, i - d)],
            (false, false) => m[(i, j)] + if i == j { self.gamma } else { 0.0 },
        })
    }
}

/// The power of two that brings a positive number between a quarter and one.
pub(super) fn unit_scale(value: f64) -> f64 {
    power_of_two(1.0 / value.sqrt())
}
