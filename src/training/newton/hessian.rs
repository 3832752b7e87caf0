//! The second derivatives of the objective in hidden and output weights together.

use crate::control::Control;
use crate::training::coordinates::Coordinates;
use crate::training::projection::Rectifier;
use crate::training::whitened::Whitened;
use faer::linalg::matmul::{matmul, triangular};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Numbers of a chunk of columns, and pieces that the samples are divided into.
const CHUNK: usize = 1 << 16;
const FEWEST_ROWS: usize = 32;
const PIECES: usize = 4;
/// Multiplications of one assembly at most: beyond that a part of the samples stands for all.
const WORK: f64 = 1e9;

/// Hidden weights (k × m by column), output weights (Vᵀ, m × c), the residual W and the rounding of the kinks.
pub(super) struct Place<'a> {
    pub at: &'a Coordinates,
    pub space: &'a Whitened,
    pub hidden: &'a [f64],
    pub output: MatRef<'a, f64>,
    pub residual: MatRef<'a, f64>,
    pub rectifier: &'a Rectifier,
}

/// Sums over samples: all that the second derivatives need.
struct Sums {
    /// Of the columns (x_i σ'(t_ij), σ(t_ij)) of each neuron with each other: m(k + 1) square, its lower triangle.
    gram: Mat<f64>,
    /// Xᵀ diag(σ') W of each neuron, k × mc.
    moments: Mat<f64>,
    /// Σ of −(w_i·v) σ'' x xᵀ over samples on rounded kinks, k × mk: where that is positive, and where it is negative.
    convex: Mat<f64>,
    concave: Mat<f64>,
}

/// The second derivatives, neuron by neuron k hidden weights and then c output weights: with and without the negative
/// curvature of the kinks. Lower triangles.
pub(super) struct Hessian {
    pub full: Mat<f64>,
    pub convex: Mat<f64>,
}

/// Unknowns of so many neurons.
pub(super) fn unknowns(at: &Coordinates, width: usize) -> usize {
    width * (at.rank() + at.targets.ncols())
}

/// Multiplications of an assembly.
pub(super) fn cost(at: &Coordinates, width: usize) -> f64 {
    let columns = (width * (at.rank() + 1)) as f64;
    (0.5 * columns * columns * at.samples() as f64).min(WORK)
}

/// `None` where it is told to stop.
pub(super) fn assemble(place: &Place<'_>, control: &Control) -> Option<Hessian> {
    let (n, k, c) = (place.at.samples(), place.at.rank(), place.at.targets.ncols());
    let m = place.hidden.len() / k;
    let columns = (m * (k + 1)) as f64;
    let stride = (0.5 * columns * columns * n as f64 / WORK).ceil().max(1.0) as usize;
    let used = n.div_ceil(stride);
    let pieces = PIECES.min(used);
    let sums: Vec<Sums> = (0..pieces)
        .into_par_iter()
        .map(|p| Sums::over(place, p * used / pieces..(p + 1) * used / pieces, stride, control))
        .collect();
    if control.should_stop() {
        return None;
    }
    let mut sums = sums.into_iter();
    let mut total = sums.next()?;
    for part in sums {
        total.gram += part.gram;
        total.moments += part.moments;
        total.convex += part.convex;
        total.concave += part.concave;
    }
    // Samples left out are stood for by those taken.
    let weight = n as f64 / used as f64;
    let (s, v) = (total.gram.as_ref(), place.output);
    let order = m * (k + c);
    let mut full = Mat::zeros(order, order);
    let entry = |i: usize, j: usize| weight * if i >= j { s[(i, j)] } else { s[(j, i)] };
    for l in 0..m {
        for j in l..m {
            let (row, column) = (j * (k + c), l * (k + c));
            let inner: f64 = (0..c).map(|t| v[(j, t)] * v[(l, t)]).sum();
            let (first, second) = (j * (k + 1), l * (k + 1));
            for b in 0..k {
                for a in 0..k {
                    full[(row + a, column + b)] = inner * entry(first + a, second + b);
                }
                let mixed = entry(first + k, second + b);
                for t in 0..c {
                    full[(row + k + t, column + b)] = mixed * v[(l, t)];
                }
            }
            let both = entry(first + k, second + k);
            for t in 0..c {
                for a in 0..k {
                    full[(row + a, column + k + t)] = entry(first + a, second + k) * v[(j, t)];
                }
                full[(row + k + t, column + k + t)] = both;
            }
        }
    }
    let gamma = place.at.weight_decay;
    for j in 0..m {
        let from = j * (k + c);
        for a in 0..k {
            full[(from + a, from + a)] += gamma * place.space.metric[a];
        }
        for t in 0..c {
            full[(from + k + t, from + k + t)] += gamma;
            for a in 0..k {
                full[(from + k + t, from + a)] -= weight * total.moments[(a, j * c + t)];
            }
        }
    }
    let mut convex = full.clone();
    for j in 0..m {
        let from = j * (k + c);
        for b in 0..k {
            for a in b..k {
                let (up, down) = (total.convex[(a, j * k + b)], total.concave[(a, j * k + b)]);
                convex[(from + a, from + b)] += weight * up;
                full[(from + a, from + b)] += weight * (up + down);
            }
        }
    }
    Some(Hessian { full, convex })
}

impl Sums {
    /// Over the samples i·stride with i in the range.
    fn over(place: &Place<'_>, range: std::ops::Range<usize>, stride: usize, control: &Control) -> Self {
        let (k, c) = (place.at.rank(), place.at.targets.ncols());
        let m = place.hidden.len() / k;
        let columns = m * (k + 1);
        let mut sums = Self {
            gram: Mat::zeros(columns, columns),
            moments: Mat::zeros(k, m * c),
            convex: Mat::zeros(k, m * k),
            concave: Mat::zeros(k, m * k),
        };
        let z = MatRef::from_column_major_slice(place.hidden, k, m);
        let most = (CHUNK / columns.max(1)).max(FEWEST_ROWS);
        let (mut x, mut w) = (vec![0.0; most * k], vec![0.0; most * c]);
        let (mut t, mut slopes) = (vec![0.0; most * m], vec![0.0; most * m]);
        let mut stacked = vec![0.0; most * columns];
        for from in range.clone().step_by(most) {
            if control.should_stop() {
                break;
            }
            let rows = most.min(range.end - from);
            for (j, x) in x[..rows * k].chunks_exact_mut(rows).enumerate() {
                let all = place.space.features.col_as_slice(j);
                x.iter_mut().enumerate().for_each(|(i, x)| *x = all[(from + i) * stride]);
            }
            for (j, w) in w[..rows * c].chunks_exact_mut(rows).enumerate() {
                w.iter_mut().enumerate().for_each(|(i, w)| *w = place.residual[((from + i) * stride, j)]);
            }
            let (t, slopes) = (&mut t[..rows * m], &mut slopes[..rows * m]);
            let x_rows = MatRef::from_column_major_slice(&x[..rows * k], rows, k);
            let out = MatMut::from_column_major_slice_mut(t, rows, m);
            matmul(out, Accum::Replace, x_rows, z, 1.0, Par::Seq);
            slopes.fill(1.0);
            place.rectifier.slope(0, rows, t, slopes);
            let stacked = &mut stacked[..rows * columns];
            for j in 0..m {
                let (slope, t) = (&slopes[j * rows..][..rows], &t[j * rows..][..rows]);
                let block = &mut stacked[j * (k + 1) * rows..][..(k + 1) * rows];
                for (column, x) in block.chunks_exact_mut(rows).zip(x[..rows * k].chunks_exact(rows)) {
                    column.iter_mut().zip(slope).zip(x).for_each(|((b, s), x)| *b = s * x);
                }
                place.rectifier.activate(j, rows, t, &mut block[k * rows..]);
            }
            let stacked = MatRef::from_column_major_slice(stacked, rows, columns);
            triangular::matmul(
                sums.gram.as_mut(),
                triangular::BlockStructure::TriangularLower,
                Accum::Add,
                stacked.transpose(),
                triangular::BlockStructure::Rectangular,
                stacked,
                triangular::BlockStructure::Rectangular,
                1.0,
                Par::Seq,
            );
            let residual = MatRef::from_column_major_slice(&w[..rows * c], rows, c);
            for j in 0..m {
                let masked = stacked.subcols(j * (k + 1), k);
                let out = sums.moments.subcols_mut(j * c, c);
                matmul(out, Accum::Add, masked.transpose(), residual, 1.0, Par::Seq);
                let (t, width) = (&t[j * rows..][..rows], place.rectifier.width(j));
                for i in (0..rows).filter(|&i| place.rectifier.is_on_kink(j, t[i])) {
                    let pull: f64 = (0..c).map(|q| w[q * rows + i] * place.output[(j, q)]).sum();
                    let curvature = -pull / width;
                    let to = if curvature > 0.0 { &mut sums.convex } else { &mut sums.concave };
                    for b in 0..k {
                        let scale = curvature * x[b * rows + i];
                        (b..k).for_each(|a| to[(a, j * k + b)] += scale * x[a * rows + i]);
                    }
                }
            }
        }
        sums
    }
}
