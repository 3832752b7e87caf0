//! Training: filters move by L-BFGS with the output weights eliminated, filters that pay are added, all lengths chosen best.

use super::ascent::{climb, ratios};
use super::coordinates::{Coordinates, beside, select, squares};
use super::projection::{pooled, project};
use crate::baselines::arrangements::lasso::Lasso;
use crate::control::Control;
use crate::error::Result;
use crate::problem::convolution::{ConvolutionalNetwork, ConvolutionalProblem};
use crate::system::stream::{Purpose, generator};
use crate::training::TrainingSettings;
use crate::training::lbfgs::{Limits, minimise};
use faer::{Mat, MatRef};
use rand::RngExt;
use rand_distr::StandardNormal;
use rayon::prelude::*;

/// Filters of a random start, and random directions to climb from: the best of many that are looked at, whose responses are so
/// many numbers at most.
const STARTS: usize = 48;
const CLIMBS: usize = 48;
const MOST_LOOKS: usize = 4096;
const LOOKS: usize = 1 << 22;
/// Pairs that L-BFGS remembers, its iterations when filters move between rounds, and what twenty of them have to win.
const MEMORY: usize = 20;
const MOVES: usize = 60;
const PROGRESS: (f64, f64) = (1e-2, 1e-6);
/// Filters added in a round, and those of them that climb further by themselves.
const ADDED: usize = 32;
const REFINED: usize = 16;
/// Unit filters closer than this are one.
const EQUAL: f64 = 1e-6;
/// Cosine above which two filters are one, those above which they are tried as one, and what that may cost, as a part of the
/// objective and of the square of the accuracy.
const SAME: f64 = 1.0 - 1e-4;
const CLUSTERS: [f64; 3] = [1.0 - 1e-2, 1.0 - 1e-3, SAME];
const MERGED: f64 = 0.2;
/// Rounds of a training and of an insertion, and the part of the accuracy that a few of them have to win.
const ROUNDS: usize = 30;
const WINDOW: usize = 3;
const SLOW: f64 = 0.02;
/// How far above 1 a ratio may be where nothing is left to add: as a part of the accuracy, and at most.
const COMPLETE: (f64, f64) = (0.1, 1e-4);
/// What the lengths may be off by, as a part of the objective: the square of the accuracy between these, because a violation wins
/// its square. Lengths below a part of the largest are none.
const LENGTHS: [f64; 2] = [1e-13, 1e-7];
const NEGLIGIBLE: f64 = 1e-5;
/// Samples up to which lengths are chosen by an interior-point method, whose systems are of that order.
const MOST_SAMPLES: usize = 2_000;

/// A part of the accuracy, and at most.
fn part((part, most): (f64, f64), accuracy: f64) -> f64 {
    (part * accuracy).min(most)
}

/// Trains from random starts. Never worse than the empty network.
///
/// `accuracy` is the relative gap that is aimed at: rounds that win much less than that are the last.
/// Of the settings `seed`, `starts`, `width` and `iterations` count. Errors: patches without principal axes.
pub fn train(
    problem: &ConvolutionalProblem,
    accuracy: f64,
    settings: &TrainingSettings,
    control: &Control,
) -> Result<ConvolutionalNetwork> {
    let empty = ConvolutionalNetwork::empty(problem.shape(), problem.outputs());
    if problem.zero_objective() == 0.0 || problem.images().norm_max() == 0.0 {
        return Ok(empty);
    }
    let at = Coordinates::new(problem)?;
    let width = if settings.width > 0 { settings.width } else { STARTS };
    let mut best: Option<(f64, Vec<f64>)> = None;
    for start in 0..settings.starts.max(1) {
        let mut filters = random(&at, width, settings.seed, start as u64);
        let value = descend(&at, &mut filters, settings.iterations, accuracy, control);
        if best.as_ref().is_none_or(|(least, _)| value < *least) {
            best = Some((value, filters));
        }
    }
    let filters = best.map(|(_, filters)| filters).unwrap_or_default();
    correct(&at, filters, &[], (1.0, accuracy), settings.seed, control)
        .map(|filters| finish(&at, &filters, empty))
}

/// Improves a network with new directions (h × k), such as filters that violate the claim of its residual, until a climb from
/// these and from random ones finds no larger ratio |W̃ᵀ(Xu)₊|/(PQ·γ|u|) than `enough`. Never worse than the network given.
pub fn insert(
    problem: &ConvolutionalProblem,
    network: &ConvolutionalNetwork,
    directions: MatRef<'_, f64>,
    (enough, accuracy): (f64, f64),
    settings: &TrainingSettings,
    control: &Control,
) -> Result<ConvolutionalNetwork> {
    let at = Coordinates::new(problem)?;
    let from: Vec<f64> =
        (0..directions.nrows()).flat_map(|k| directions.row(k).iter().copied().collect::<Vec<_>>()).collect();
    let filters = correct(&at, network.rows(), &from, (enough, accuracy), settings.seed, control)?;
    Ok(finish(&at, &filters, network.clone()))
}

/// The objective at filters (h × m) with the best output weights, and its gradient, for tests.
#[doc(hidden)]
pub fn projected_objective(
    problem: &ConvolutionalProblem,
    filters: MatRef<'_, f64>,
) -> Result<(f64, Mat<f64>)> {
    let at = Coordinates::new(problem)?;
    let rows: Vec<f64> =
        (0..filters.nrows()).flat_map(|k| filters.row(k).iter().copied().collect::<Vec<_>>()).collect();
    let z = at.pull(&rows);
    let mut slope = vec![0.0; rows.len()];
    let found = project(&at, &at.filters(&z), Some(&mut slope));
    let m = filters.ncols();
    let gradient = Mat::from_fn(filters.nrows(), m, |k, j| slope[k * m + j]);
    Ok((found.map_or(f64::INFINITY, |found| found.value), gradient))
}

/// Gaussian filters of the common length that is best for them, to within two.
fn random(at: &Coordinates<'_>, width: usize, seed: u64, number: u64) -> Vec<f64> {
    let mut rng = generator(seed, Purpose::Training, number);
    let z: Vec<f64> = (0..at.weights() * width).map(|_| rng.sample(StandardNormal)).collect();
    let filters = unit(&at.filters(&z), width);
    let scaled = |exponent: i32| filters.iter().map(|u| u * 2f64.powi(exponent)).collect::<Vec<f64>>();
    let value =
        |exponent: i32| project(at, &scaled(exponent), None).map_or(f64::INFINITY, |found| found.value);
    let values: Vec<(f64, i32)> = (-12..=12).step_by(2).map(|exponent| (value(exponent), exponent)).collect();
    let best = values.iter().min_by(|a, b| a.0.total_cmp(&b.0));
    scaled(best.map_or(0, |best| best.1))
}

/// Filters of length 1; those of length 0 stay.
fn unit(filters: &[f64], m: usize) -> Vec<f64> {
    let lengths: Vec<f64> = squares(filters, m).iter().map(|square| square.sqrt()).collect();
    let divided = |(index, u): (usize, &f64)| {
        let length = lengths[index % m];
        if length > 0.0 { u / length } else { 0.0 }
    };
    filters.iter().enumerate().map(divided).collect()
}

/// Lets all filters move; returns the objective.
fn descend(
    at: &Coordinates<'_>,
    filters: &mut Vec<f64>,
    iterations: usize,
    accuracy: f64,
    control: &Control,
) -> f64 {
    let mut z = at.pull(filters);
    let limits = Limits { memory: MEMORY, iterations, progress: part(PROGRESS, accuracy) };
    let function = |z: &[f64], gradient: &mut [f64]| {
        let mut slope = vec![0.0; z.len()];
        let found = project(at, &at.filters(z), Some(&mut slope));
        gradient.copy_from_slice(&at.gradient(&slope));
        found.map_or(f64::INFINITY, |found| found.value)
    };
    let value = minimise(&mut z, function, limits, control);
    *filters = at.filters(&z);
    value
}

/// Chooses all lengths best and drops filters without any; returns the objective.
fn lengthen(at: &Coordinates<'_>, filters: &mut Vec<f64>, accuracy: f64) -> f64 {
    let h = at.weights();
    let m = filters.len() / h;
    let given = |filters: &[f64]| project(at, filters, None).map_or(f64::INFINITY, |found| found.value);
    let value = given(filters);
    if m == 0 || at.problem.samples() > MOST_SAMPLES {
        return value;
    }
    let directions = unit(filters, m);
    let responses = pooled(at, &directions);
    let columns = at.patches.blocks * m;
    let lasso = Lasso {
        activation: MatRef::from_row_major_slice(&responses, at.problem.samples(), columns),
        targets: at.problem.targets(),
        weight_decay: at.problem.weight_decay(),
    };
    let mut eta = squares(filters, m);
    let mean = eta.iter().sum::<f64>() / m as f64;
    eta.iter_mut().for_each(|eta| *eta = eta.max(1e-3 * mean).max(f64::MIN_POSITIVE.sqrt()));
    let exact = (accuracy * accuracy).clamp(LENGTHS[0], LENGTHS[1]);
    if lasso.solve(&mut eta, exact * value).is_err() {
        return value;
    }
    let largest = eta.iter().copied().fold(0.0, f64::max);
    let above = |least: f64| {
        let kept: Vec<usize> = (0..m).filter(|&j| eta[j] > least).collect();
        let mut found = select(&directions, m, &kept);
        for row in found.chunks_exact_mut(kept.len().max(1)) {
            row.iter_mut().zip(&kept).for_each(|(u, &j)| *u *= eta[j].sqrt());
        }
        (given(&found), found)
    };
    // Without the least, unless they are of use.
    let (all, few) = (above(0.0), above(NEGLIGIBLE * largest));
    let most = all.0 * (1.0 + exact);
    let (after, found) = if few.0 <= most { few } else { all };
    if after <= value {
        *filters = found;
        return after;
    }
    value
}

/// Makes filters of a larger cosine one, where that costs no more than a part of the objective.
fn merge(at: &Coordinates<'_>, filters: &mut Vec<f64>, value: f64, same: f64, accuracy: f64) -> f64 {
    let (h, m) = (at.weights(), filters.len() / at.weights());
    let directions = unit(filters, m);
    let lengths = squares(filters, m);
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&a, &b| lengths[b].total_cmp(&lengths[a]).then(a.cmp(&b)));
    let mut kept: Vec<(usize, f64)> = Vec::new();
    for j in order {
        let cosine =
            |k: usize| (0..h).map(|row| directions[row * m + j] * directions[row * m + k]).sum::<f64>();
        match kept.iter_mut().find(|(k, _)| cosine(*k) > same) {
            Some((_, length)) => *length += lengths[j],
            None => kept.push((j, lengths[j])),
        }
    }
    if kept.len() == m {
        return value;
    }
    let chosen: Vec<usize> = kept.iter().map(|(j, _)| *j).collect();
    let mut merged = select(&directions, m, &chosen);
    for row in merged.chunks_exact_mut(kept.len()) {
        row.iter_mut().zip(&kept).for_each(|(u, (_, length))| *u *= length.sqrt());
    }
    let after = lengthen(at, &mut merged, accuracy);
    if after <= value * (1.0 + MERGED * accuracy * accuracy) {
        *filters = merged;
        return after;
    }
    value
}

/// Rounds: climb, add what pays, choose lengths, let all move; until nothing pays more than `enough`, or it wins too little.
fn correct(
    at: &Coordinates<'_>,
    mut filters: Vec<f64>,
    from: &[f64],
    (enough, accuracy): (f64, f64),
    seed: u64,
    control: &Control,
) -> Result<Vec<f64>> {
    let h = at.weights();
    let complete = 1.0 + part(COMPLETE, accuracy);
    let enough = enough.max(complete);
    let mut value = lengthen(at, &mut filters, accuracy);
    let mut values = vec![value];
    for round in 0..ROUNDS {
        if control.should_stop() {
            break;
        }
        let Some(found) = project(at, &filters, None) else { break };
        let mut rng = generator(seed, Purpose::Neurons, round as u64);
        let count = (LOOKS / at.responses(1)).clamp(CLIMBS, MOST_LOOKS);
        let drawn: Vec<f64> = (0..h * count).map(|_| rng.sample(StandardNormal)).collect();
        let drawn = at.filters(&drawn);
        let looked = ratios(at, found.residual.as_ref(), &drawn, None);
        let mut best: Vec<usize> = (0..count).collect();
        best.sort_by(|&a, &b| looked[b].total_cmp(&looked[a]).then(a.cmp(&b)));
        best.truncate(CLIMBS);
        let starts = beside(&select(&drawn, count, &best), from, h);
        let (climbed, mut heights) = climb(at, found.residual.as_ref(), &starts, control);
        // As they came too: a climb of many together may leave one of them lower than it was.
        let given = ratios(at, found.residual.as_ref(), from, None);
        heights.extend(given.iter().map(|square| square.sqrt()));
        let peaks = beside(&climbed, from, h);
        let m = heights.len();
        let mut order: Vec<usize> = (0..m).filter(|&j| heights[j] > complete).collect();
        order.sort_by(|&a, &b| heights[b].total_cmp(&heights[a]).then(a.cmp(&b)));
        if order.first().is_none_or(|&j| heights[j] <= enough) {
            break;
        }
        let directions = unit(&peaks, m);
        let mut chosen: Vec<usize> = Vec::new();
        for j in order {
            let cosine =
                |k: usize| (0..h).map(|row| directions[row * m + j] * directions[row * m + k]).sum::<f64>();
            if chosen.len() < ADDED && chosen.iter().all(|&k| cosine(k) < SAME) {
                chosen.push(j);
            }
        }
        let refined = refine(at, found.residual.as_ref(), &select(&directions, m, &chosen), control);
        let width = (filters.len() / h).max(1) as f64;
        let small = 0.1 * (filters.iter().map(|u| u * u).sum::<f64>() / width).sqrt();
        let small = if small > 0.0 { small } else { 1e-3 };
        let added: Vec<f64> = refined.iter().map(|u| u * small).collect();
        let mut trial = distinct(&beside(&added, &filters, h), h);
        let mut after = lengthen(at, &mut trial, accuracy);
        let corrected = (after, trial.clone());
        descend(at, &mut trial, MOVES, accuracy, control);
        after = lengthen(at, &mut trial, accuracy);
        for same in CLUSTERS {
            after = merge(at, &mut trial, after, same, accuracy);
        }
        // Where filters sit on kinks only the lengths have done any good.
        if corrected.0 < after {
            (after, trial) = corrected;
        }
        if after >= value {
            break;
        }
        (value, filters) = (after, trial);
        values.push(value);
        let old = values[values.len().saturating_sub(WINDOW + 1)];
        if values.len() > WINDOW && old - value < SLOW * accuracy * value {
            break;
        }
    }
    Ok(filters)
}

/// Filters (h rows) without those that point the way of an earlier one, whose length takes in theirs.
fn distinct(filters: &[f64], h: usize) -> Vec<f64> {
    let m = filters.len() / h;
    let (directions, lengths) = (unit(filters, m), squares(filters, m));
    let mut kept: Vec<(usize, f64)> = Vec::new();
    for j in 0..m {
        let apart = |k: usize| {
            (0..h).map(|row| (directions[row * m + j] - directions[row * m + k]).powi(2)).sum::<f64>()
        };
        match kept.iter_mut().find(|(k, _)| apart(*k) < EQUAL * EQUAL) {
            Some((_, length)) => *length += lengths[j],
            None => kept.push((j, lengths[j])),
        }
    }
    let chosen: Vec<usize> = kept.iter().map(|(j, _)| *j).collect();
    let mut found = select(&directions, m, &chosen);
    for row in found.chunks_exact_mut(kept.len().max(1)) {
        row.iter_mut().zip(&kept).for_each(|(u, (_, length))| *u *= length.sqrt());
    }
    found
}

/// Unit filters (h rows of m) that have climbed further, each by itself: the first to meet a kink stops a climb of several.
fn refine(at: &Coordinates<'_>, residual: MatRef<'_, f64>, filters: &[f64], control: &Control) -> Vec<f64> {
    let h = at.weights();
    let m = filters.len() / h;
    let climbed: Vec<Vec<f64>> = (0..m)
        .into_par_iter()
        .map(|j| {
            let own = select(filters, m, &[j]);
            if j < REFINED { unit(&climb(at, residual, &own, control).0, 1) } else { own }
        })
        .collect();
    (0..h).flat_map(|row| climbed.iter().map(move |own| own[row])).collect()
}

/// The network of the filters with the best output weights, each balanced so that |u| = ‖V‖; or the one given, if that is better.
fn finish(at: &Coordinates<'_>, filters: &[f64], given: ConvolutionalNetwork) -> ConvolutionalNetwork {
    let (problem, h) = (at.problem, at.weights());
    let m = filters.len() / h;
    let Some(found) = project(at, filters, None) else { return given };
    let (blocks, outputs) = (at.patches.blocks, problem.outputs());
    let lengths = squares(filters, m);
    let balance: Vec<f64> = (0..m)
        .map(|j| {
            let square: f64 = (0..blocks).map(|q| found.output.row(q * m + j).squared_norm_l2()).sum();
            let scale = (square / lengths[j]).powf(0.25);
            if scale.is_finite() && scale > 0.0 { scale } else { 1.0 }
        })
        .collect();
    let hidden = Mat::from_fn(h, m, |k, j| filters[k * m + j] * balance[j]);
    let output = Mat::from_fn(outputs, blocks * m, |o, f| found.output[(f, o)] / balance[f % m]);
    match ConvolutionalNetwork::new(hidden, output, blocks) {
        Ok(network) if network.objective(problem) < given.objective(problem) => network,
        _ => given,
    }
}

/// The largest ratio |W̃ᵀ(Xu)₊|/(PQ·γ|u|) of some directions (h × k) at a residual W.
pub(super) fn largest_ratio(
    problem: &ConvolutionalProblem,
    residual: MatRef<'_, f64>,
    directions: MatRef<'_, f64>,
) -> Result<f64> {
    let at = Coordinates::new(problem)?;
    let rows: Vec<f64> =
        (0..directions.nrows()).flat_map(|k| directions.row(k).iter().copied().collect::<Vec<_>>()).collect();
    let squares = ratios(&at, residual, &rows, None);
    Ok(squares.iter().copied().fold(0.0, f64::max).sqrt())
}
