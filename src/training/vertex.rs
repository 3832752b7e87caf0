//! Fewer neurons for the same predictions: of fixed directions at most nc + 1 are needed (Carathéodory's theorem).

use super::coordinates::Coordinates;
use super::neurons::ROUNDING;
use super::projection::Projection;
use crate::control::Control;
use faer::linalg::triangular_solve::solve_upper_triangular_in_place;
use faer::{Mat, MatRef, Par};

/// Equations nc + 1 up to which this is worth its while: it takes O((nc)² m) operations.
const MOST: usize = 1500;
/// A diagonal entry of R below this part of the first one is zero.
const RANK: f64 = 1e-11;

/// Leaves at most nc + 1 of the neurons (k × m by column): moves their strengths ‖u‖‖v‖ along combinations that change
/// neither the predictions nor the total strength, until those that are not needed have none.
///
/// Does nothing where there are no more neurons than that, or where rounding would raise the objective.
pub(super) fn reduce(at: &Coordinates, hidden: &mut Vec<f64>, control: &Control) {
    let k = at.rank();
    let equations = at.samples() * at.targets.ncols() + 1;
    if hidden.len() / k <= equations || equations > MOST {
        return;
    }
    let mut projection = Projection::new(at, hidden.len() / k, control);
    let before = projection.value(hidden);
    let (strengths, columns) = contributions(at, hidden, projection.output());
    let shares = redistribute(&columns);
    let mut fewer = Vec::new();
    for ((u, share), strength) in hidden.chunks_exact(k).zip(shares).zip(strengths) {
        if share > 0.0 {
            let scale = (share * strength).sqrt() / at.norm(u);
            fewer.extend(u.iter().map(|z| z * scale));
        }
    }
    if fewer.is_empty() || !fewer.iter().all(|z| z.is_finite()) || control.should_stop() {
        return;
    }
    if Projection::new(at, fewer.len() / k, control).value(&fewer) <= before * (1.0 + ROUNDING) {
        *hidden = fewer;
    }
}

/// For each neuron s = ‖u‖‖v‖, and the column of its predictions (n for each output) and of s.
fn contributions(at: &Coordinates, hidden: &[f64], output: MatRef<'_, f64>) -> (Vec<f64>, Mat<f64>) {
    let (k, n) = (at.rank(), at.samples());
    let mut columns = Mat::zeros(n * output.ncols() + 1, hidden.len() / k);
    let mut activation = vec![0.0; n];
    let mut strengths = Vec::with_capacity(columns.ncols());
    for (j, u) in hidden.chunks_exact(k).enumerate() {
        let strength = at.norm(u) * output.row(j).norm_l2();
        at.activate(u, &mut activation);
        let column = columns.col_as_slice_mut(j);
        for (o, part) in column[..n * output.ncols()].chunks_exact_mut(n.max(1)).enumerate() {
            part.iter_mut().zip(&activation).for_each(|(part, a)| *part = a.max(0.0) * output[(j, o)]);
        }
        column[n * output.ncols()] = strength;
        strengths.push(strength);
    }
    (strengths, columns)
}

/// Shares σ ≥ 0 with Σ σ_k column_k = Σ column_k, of which no more are positive than the rank of the columns.
///
/// Columns outside a basis are written in it, and taken out one after the other; where that would make a share of the
/// basis negative, the two change places (the pivot of the simplex method).
fn redistribute(columns: &Mat<f64>) -> Vec<f64> {
    let m = columns.ncols();
    let factors = columns.col_piv_qr();
    let (r, order) = (factors.thin_R(), factors.P().arrays().0);
    let rank = (0..r.nrows().min(m)).take_while(|&i| r[(i, i)].abs() > RANK * r[(0, 0)].abs()).count();
    let mut shares = vec![1.0; m];
    if rank == 0 {
        return shares;
    }
    let mut tableau = r.submatrix(0, rank, rank, m - rank).to_owned();
    let triangle = r.submatrix(0, 0, rank, rank);
    solve_upper_triangular_in_place(triangle, tableau.as_mut(), Par::Seq);
    let mut basis: Vec<usize> = order[..rank].to_vec();
    for j in 0..m - rank {
        let (place, column) = (order[rank + j], tableau.col_as_slice(j).to_vec());
        let mut step = shares[place];
        let mut leaves = None;
        for (i, t) in column.iter().enumerate().filter(|(_, t)| **t < 0.0) {
            let most = shares[basis[i]] / -t;
            if most < step {
                (step, leaves) = (most, Some(i));
            }
        }
        for (i, t) in column.iter().enumerate() {
            shares[basis[i]] = (shares[basis[i]] + step * t).max(0.0);
        }
        shares[place] -= step;
        let Some(i) = leaves else {
            shares[place] = 0.0;
            continue;
        };
        shares[basis[i]] = 0.0;
        basis[i] = place;
        for other in j + 1..m - rank {
            let entries = tableau.col_as_slice_mut(other);
            let factor = entries[i] / column[i];
            entries.iter_mut().zip(&column).for_each(|(entry, t)| *entry -= t * factor);
            entries[i] = factor;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::redistribute;
    use crate::system::stream::{Purpose, generator};
    use faer::Mat;
    use rand::RngExt;

    #[test]
    fn the_sum_stays_and_few_shares_are_left() {
        let mut rng = generator(0, Purpose::Neurons, 0);
        for (rows, columns, rank) in [(5, 9, 5), (7, 40, 7), (6, 30, 3), (12, 12, 4), (3, 2, 2), (4, 6, 0)] {
            let a = Mat::from_fn(rows, rank, |_, _| rng.random_range(-1.0..1.0));
            let b = Mat::from_fn(rank, columns, |_, _| rng.random_range(0.0..1.0));
            let matrix = &a * &b;
            let shares = redistribute(&matrix);
            let sum = |shares: &[f64]| &matrix * Mat::from_fn(columns, 1, |j, _| shares[j]);
            let moved = sum(&shares) - sum(&vec![1.0; columns]);
            assert!(moved.norm_max() <= 1e-9, "{rows} × {columns} of rank {rank}: {}", moved.norm_max());
            assert!(shares.iter().all(|share| *share >= 0.0));
            let left = shares.iter().filter(|share| **share > 0.0).count();
            assert!(rank == 0 || left <= rank, "{rows} × {columns} of rank {rank}: {left}");
        }
    }
}
