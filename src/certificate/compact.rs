//! A dense problem of at most as many features as samples whose bounds hold for one with sparse features.
//!
//! With X Xᵀ ⪯ X'X'ᵀ there is a contraction C with X = X'C, so that every network on X is one on X' with the same
//! predictions and no larger weights, and a dual point that is feasible for X' is feasible for X
//! (docs/certificate.md, section 12).

use super::cholesky::{gamma, runs_through};
use crate::dual::power_of_two;
use crate::error::{Error, Result};
use crate::linalg::sparse;
use crate::problem::features::by_rows;
use crate::problem::{Features, Network, TrainingProblem};
use crate::system::memory;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Mat, MatRef, Par};
use rayon::prelude::*;
use sprs::CsMat;
use std::borrow::Cow;
use std::collections::HashMap;

/// Largest order of a Gram matrix.
const LARGEST: usize = 40_000;

/// A dense problem that stands for a sparse one, and the way between their hidden weights.
pub(crate) struct Compact<'a> {
    problem: Cow<'a, TrainingProblem>,
    way: Way,
}

enum Way {
    /// Features were dense already.
    Same,
    /// The columns kept, of so many; the others are zero in every sample.
    Columns(Vec<usize>, usize),
    /// L (r × r) with S X_R X_RᵀS ⪯ LLᵀ, and S X_R (r × d): the distinct samples, scaled.
    Gram { factor: Mat<f64>, rows: CsMat<f64> },
}

impl<'a> Compact<'a> {
    /// The problem itself where its features are dense; without the columns that are zero in every sample where those
    /// left are no more than the samples that differ; and else a factor of the Gram matrix in place of X.
    pub(crate) fn new(problem: &'a TrainingProblem) -> Result<Self> {
        let Features::Sparse(x) = problem.stored_features() else {
            return Ok(Self { problem: Cow::Borrowed(problem), way: Way::Same });
        };
        let x = by_rows(x);
        let columns = occupied_columns(&x);
        let (representative, distinct) = distinct_rows(&x);
        if columns.len() <= distinct.len() {
            return Self::of_columns(problem, &x, columns);
        }
        let (factor, scale) = gram_factor(&x, &distinct)?;
        let features = Mat::from_fn(x.rows(), distinct.len(), |i, j| match representative[i] {
            // Powers of two divide without rounding; nothing here is small enough to underflow.
            Some(r) if r >= j => factor[(r, j)] / scale[r],
            _ => 0.0,
        });
        let rows = scaled_rows(&x, &distinct, &scale);
        let dense = TrainingProblem::new(features, problem.targets().to_owned(), problem.weight_decay())?;
        Ok(Self { problem: Cow::Owned(dense.with_plain_basis()), way: Way::Gram { factor, rows } })
    }

    fn of_columns(problem: &TrainingProblem, x: &CsMat<f64>, columns: Vec<usize>) -> Result<Self> {
        // A problem without any features is not one: a column of zeros stays.
        let columns = if columns.is_empty() { vec![0] } else { columns };
        check_room(x.rows(), columns.len())?;
        let mut place = vec![0; x.cols()];
        columns.iter().enumerate().for_each(|(new, &old)| place[old] = new);
        let mut features = Mat::zeros(x.rows(), columns.len());
        for (value, (i, j)) in x.iter().filter(|(value, _)| **value != 0.0) {
            features[(i, place[j])] = *value;
        }
        let dense = TrainingProblem::new(features, problem.targets().to_owned(), problem.weight_decay())?;
        Ok(Self { problem: Cow::Owned(dense), way: Way::Columns(columns, x.cols()) })
    }

    /// The dense problem.
    pub(crate) fn problem(&self) -> &TrainingProblem {
        &self.problem
    }

    /// Takes hidden weights of the sparse problem (d × m) to the dense one: preactivations stay, norms do not grow.
    pub(crate) fn hidden(&self, u: MatRef<'_, f64>) -> Mat<f64> {
        match &self.way {
            Way::Same => u.to_owned(),
            Way::Columns(columns, _) => Mat::from_fn(columns.len(), u.ncols(), |i, j| u[(columns[i], j)]),
            Way::Gram { factor, rows } => {
                let mut t = sparse::times(rows, u);
                solve_lower_triangular_in_place(factor.as_ref(), t.as_mut(), Par::Seq);
                t
            }
        }
    }

    /// Takes hidden weights of the dense problem back (d × m): preactivations stay, up to the difference of the Gram
    /// matrices.
    pub(crate) fn original_hidden(&self, t: MatRef<'_, f64>) -> Mat<f64> {
        match &self.way {
            Way::Same => t.to_owned(),
            Way::Columns(columns, inputs) => {
                let mut u = Mat::zeros(*inputs, t.ncols());
                for (new, &old) in columns.iter().enumerate() {
                    (0..t.ncols()).for_each(|k| u[(old, k)] = t[(new, k)]);
                }
                u
            }
            Way::Gram { factor, rows } => {
                let mut w = t.to_owned();
                solve_upper_triangular_in_place(factor.transpose(), w.as_mut(), Par::Seq);
                sparse::times(&rows.to_csc().transpose_into(), w.as_ref())
            }
        }
    }

    /// A network of the sparse problem for the dense one.
    pub(crate) fn network(&self, network: &Network) -> Result<Network> {
        Network::new(self.hidden(network.hidden()), network.output().to_owned())
    }
}

/// The number of features of [`Compact`]'s problem, at most: what it takes is known before it is made.
pub(crate) fn most_inputs(problem: &TrainingProblem, samples: usize) -> usize {
    if problem.stored_features().is_sparse() { problem.inputs().min(samples) } else { problem.inputs() }
}

fn check_room(rows: usize, columns: usize) -> Result<()> {
    let bytes = 8 * (rows as u64).saturating_mul(columns as u64);
    // The matrix, its factor and the slack made of them.
    if columns <= LARGEST && bytes.saturating_mul(4) <= memory::available() {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "{rows} samples of sparse features take a dense matrix of {rows} × {columns}, which does not fit; divide the samples into blocks (--blocks)"
    )))
}

/// The columns that have an entry other than zero, ascending.
fn occupied_columns(x: &CsMat<f64>) -> Vec<usize> {
    let mut columns: Vec<usize> =
        x.iter().filter(|(value, _)| **value != 0.0).map(|(_, (_, column))| column).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// For each row its place among the rows that differ (none for a zero row), and those rows.
fn distinct_rows(x: &CsMat<f64>) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut known: HashMap<Vec<(usize, u64)>, usize> = HashMap::with_capacity(x.rows());
    let mut distinct = Vec::new();
    let mut place = Vec::with_capacity(x.rows());
    for (i, row) in x.outer_iterator().enumerate() {
        let key: Vec<(usize, u64)> =
            row.iter().filter(|(_, value)| **value != 0.0).map(|(j, value)| (j, value.to_bits())).collect();
        place.push((!key.is_empty()).then(|| {
            *known.entry(key).or_insert_with(|| {
                distinct.push(i);
                distinct.len() - 1
            })
        }));
    }
    (place, distinct)
}

/// S X_R for powers of two S.
fn scaled_rows(x: &CsMat<f64>, rows: &[usize], scale: &[f64]) -> CsMat<f64> {
    let mut taken = CsMat::empty(sprs::CompressedStorage::CSR, x.cols());
    for (&i, &s) in rows.iter().zip(scale) {
        if let Some(row) = x.outer_view(i) {
            taken = taken.append_outer_csvec(row.map(|value| value * s).view());
        }
    }
    taken
}

/// L and the powers of two S with S X_R X_RᵀS ⪯ LLᵀ, proved; R are the rows given, none of them zero.
///
/// The Gram matrix is computed by sparse products, scaled to a diagonal about 1, and enlarged by d on its diagonal: as
/// much as its rounding and that of its Cholesky factorisation may amount to. So LLᵀ exceeds the exact one.
fn gram_factor(x: &CsMat<f64>, rows: &[usize]) -> Result<(Mat<f64>, Vec<f64>)> {
    let order = rows.len();
    check_room(order, order)?;
    let mut gram = gram(x, rows);
    let scale: Vec<f64> = (0..order).map(|i| power_of_two(1.0 / gram[(i, i)].sqrt())).collect();
    for (j, column) in gram.col_iter_mut().enumerate() {
        column.iter_mut().zip(&scale).skip(j).for_each(|(value, s)| *value = *value * s * scale[j]);
    }
    let trace: f64 = (0..order).map(|i| gram[(i, i)]).sum();
    let enlarged = enlargement(order, longest_row(x, rows), trace);
    if enlarged.is_nan() || enlarged >= MOST {
        return Err(Error::Numerical("the Gram matrix of sparse features"));
    }
    for i in 0..order {
        gram[(i, i)] = (gram[(i, i)] + enlarged).next_up();
    }
    if !runs_through(&mut gram) {
        return Err(Error::Numerical("the Cholesky factorisation of the Gram matrix of sparse features"));
    }
    for (j, column) in gram.col_iter_mut().enumerate() {
        for (i, value) in column.iter_mut().enumerate() {
            // What is left above the diagonal is no part of the factor; far below rounding, scaling might underflow.
            if i < j || value.abs() < TINY {
                *value = 0.0;
            }
        }
    }
    Ok((gram, scale))
}

/// A greater enlargement would change the problem.
const MOST: f64 = 0.01;

/// Entries of a factor that are set to zero: 2^-400.
const TINY: f64 = 3.872_591_914_849_318e-121;

/// d of [`gram_factor`]: an entry of the Gram matrix errs by at most γ_p |x_i||x_j| with p the entries of the fullest row,
/// its factorisation by 2.1 γ_{N+4} √(b_ii b_jj); both bounds are matrices of rank one, whose norm is their trace.
fn enlargement(order: usize, longest: usize, trace: f64) -> f64 {
    // 0.01 is more than d adds to an entry of the trace; 1.1 pays for the rounding of all this and for the exact norms,
    // 2^-100 for every underflow.
    1.1 * (2.1 * gamma(order + 4) + gamma(longest + 2)) * (trace + MOST * order as f64) + 2f64.powi(-100)
}

fn longest_row(x: &CsMat<f64>, rows: &[usize]) -> usize {
    rows.iter().filter_map(|&i| x.outer_view(i)).map(|row| row.nnz()).max().unwrap_or(0)
}

/// The lower triangle of X_R X_Rᵀ, zeros above it. Each entry is one sum of products.
fn gram(x: &CsMat<f64>, rows: &[usize]) -> Mat<f64> {
    let order = rows.len();
    let chosen = scaled_rows(x, rows, &vec![1.0; order]);
    let by_columns = chosen.to_csc();
    let columns: Vec<Vec<f64>> = (0..order)
        .into_par_iter()
        .map(|i| {
            let mut column = vec![0.0; order - i];
            for (j, value) in chosen.outer_view(i).iter().flat_map(|row| row.iter()) {
                for (other, entry) in by_columns.outer_view(j).iter().flat_map(|column| column.iter()) {
                    if other >= i {
                        column[other - i] += value * entry;
                    }
                }
            }
            column
        })
        .collect();
    Mat::from_fn(order, order, |i, j| if i < j { 0.0 } else { columns[j][i - j] })
}
