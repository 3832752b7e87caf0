//! From the solver's multipliers to a dual point in the original coordinates.

use crate::dual::{CutForms, DualPoint, equality_holds};
use crate::linalg::dense::{Cholesky, product};
use crate::problem::TrainingProblem;
use crate::relaxation::{Cut, Lifting, PairSet};
use faer::Mat;

/// Stiffness that ties the s of merged samples to their representative's, relative to the entries of the slack
/// that hold the direction: what is lost is about its inverse, and a greater one costs digits in the proof.
const TIE: f64 = 1e3;

/// The dual point of a lifted problem's multipliers. `residual` holds w_f p_f Vᵀ − t_f, one row a row of the loss.
///
/// Samples merged into one direction are told apart again: W is the residual of each, y and N go to the longest
/// sample of the direction, and the others' s is tied to it by the identity (with unit directions)
/// (s_i − s_r)²/4 = α_iβ_i + α_rβ_r − α_iβ_r − β_iα_r, whose last two terms are pairs with N ≥ 0.
/// Multipliers that overflow on the way leave only the zero point.
pub fn dual_point(
    problem: &TrainingProblem,
    lifting: &Lifting,
    set: &PairSet,
    residual: &[f64],
) -> DualPoint {
    let (n, c, groups) = (problem.samples(), problem.outputs(), lifting.groups());
    let geometry = &lifting.geometry;
    let (w, squares) = residual_of_samples(problem, lifting, residual);
    let representative = longest_samples(lifting);
    let unit = (geometry.target_scale / geometry.hidden_scale).powi(2);
    let (plain_y, plain_n) = set.plain_multipliers(lifting);
    let length = |i: usize| geometry.samples[i].length;
    let mut y = vec![0.0; n];
    for (value, r) in plain_y.iter().zip(&representative) {
        if let Some(r) = *r {
            y[r] = value * unit / (length(r) * length(r));
        }
    }
    // Form of a sample that is the base form of its direction: swapped for a flipped sample.
    let form_of = |i: usize, beta: bool| if beta != geometry.samples[i].flipped { i + n } else { i };
    let (cuts, place) = cuts_of_samples(problem, lifting, set, &representative);
    let base = 2 * groups;
    // Index and longest sample of a base form or a cut; none for a cut that rounding has spoilt.
    let found = |key: u32| match (key as usize).checked_sub(base) {
        None => {
            let key = key as usize;
            representative[key % groups].map(|i| (form_of(i, key >= groups), i))
        }
        Some(cut) => place[cut].map(|number| (2 * n + number, cuts.targets()[number])),
    };
    let mut pairs = Vec::with_capacity(set.len());
    let mut multipliers = Vec::with_capacity(set.len());
    for (&(a, b), &value) in set.keys.iter().zip(&plain_n) {
        if let (Some((a, i)), Some((b, j))) = (found(a), found(b))
            && value > 0.0
        {
            pairs.push([a, b]);
            multipliers.push(value * unit / (length(i) * length(j)));
        }
    }
    let held = held(lifting, set, &plain_y, &plain_n, &squares);
    for (i, link) in geometry.samples.iter().enumerate() {
        let Some(r) = link.group.and_then(|g| representative[g]) else { continue };
        if r == i {
            continue;
        }
        let tie = 0.5 * TIE * unit * link.group.map_or(0.0, |g| held[g]);
        y[i] -= tie / (length(i) * length(i));
        y[r] -= tie / (length(r) * length(r));
        for beta in [false, true] {
            pairs.push([form_of(i, beta), form_of(r, !beta)]);
            multipliers.push(tie / (length(i) * length(r)));
        }
    }
    let finite = y.iter().chain(&multipliers).all(|value| value.is_finite()) && w.is_all_finite();
    if finite { DualPoint { w, y, pairs, n: multipliers, cuts } } else { DualPoint::zero(n, c) }
}

/// W, the residual of each sample, and the sum of the squares of the weighted residuals of each direction.
fn residual_of_samples(
    problem: &TrainingProblem,
    lifting: &Lifting,
    residual: &[f64],
) -> (Mat<f64>, Vec<f64>) {
    let (n, c, groups) = (problem.samples(), problem.outputs(), lifting.groups());
    let geometry = &lifting.geometry;
    let mut prediction = vec![0.0; 2 * groups * c];
    let mut squares = vec![0.0; groups];
    for (f, fit) in lifting.fit.iter().enumerate() {
        for j in 0..c {
            let e = residual[f * c + j];
            prediction[fit.form * c + j] = (lifting.fit_targets[f * c + j] + e) / fit.weight;
            squares[fit.form % groups] += (fit.weight * e).powi(2);
        }
    }
    let w = Mat::from_fn(n, c, |i, j| {
        let link = &geometry.samples[i];
        let scale = geometry.target_scale * geometry.fit_scale(link);
        problem.targets()[(i, j)] - link.form(groups).map_or(0.0, |form| scale * prediction[form * c + j])
    });
    (w, squares)
}

/// The longest sample of each direction.
fn longest_samples(lifting: &Lifting) -> Vec<Option<usize>> {
    let samples = &lifting.geometry.samples;
    let mut longest: Vec<Option<usize>> = vec![None; lifting.groups()];
    for (i, link) in samples.iter().enumerate() {
        if let Some(g) = link.group
            && longest[g].is_none_or(|r| samples[r].length < link.length)
        {
            longest[g] = Some(i);
        }
    }
    longest
}

/// What the multipliers hold each direction with, which a tie has to be stronger than.
fn held(
    lifting: &Lifting,
    set: &PairSet,
    plain_y: &[f64],
    plain_n: &[f64],
    squares: &[f64],
) -> Vec<f64> {
    let groups = lifting.groups();
    let mut held: Vec<f64> =
        plain_y.iter().zip(squares).map(|(y, s)| y.abs() + s / lifting.output_decay).collect();
    for (&(a, b), &value) in set.keys.iter().zip(plain_n) {
        for key in [a as usize, b as usize] {
            match key.checked_sub(2 * groups) {
                None => held[key % groups] += value,
                Some(cut) => {
                    let cut = &set.cuts()[cut];
                    held[cut.target] += value;
                    cut.support.iter().for_each(|(i, b)| held[*i] += b.abs() * value);
                }
            }
        }
    }
    held
}

/// The cuts over the longest samples of the directions, and the number of each; none for a cut whose equality rounding
/// has spoilt.
fn cuts_of_samples(
    problem: &TrainingProblem,
    lifting: &Lifting,
    set: &PairSet,
    representative: &[Option<usize>],
) -> (CutForms, Vec<Option<usize>>) {
    let mut cuts = CutForms::new();
    let place = set
        .cuts()
        .iter()
        .map(|cut| {
            let (target, row) = over_samples(problem, lifting, cut, representative)?;
            let mut alone = CutForms::new();
            alone.push(target, row.iter().copied());
            equality_holds(problem, &alone, 0).then(|| cuts.push(target, row))
        })
        .collect();
    (cuts, place)
}

/// The target and (i, a_i) with x_target = Σ a_i x_i, after one step of refinement in the original features.
fn over_samples(
    problem: &TrainingProblem,
    lifting: &Lifting,
    cut: &Cut,
    representative: &[Option<usize>],
) -> Option<(usize, Vec<(usize, f64)>)> {
    let samples = &lifting.geometry.samples;
    let signed = |i: usize| if samples[i].flipped { -samples[i].length } else { samples[i].length };
    let target = representative[cut.target]?;
    let mut row = Vec::with_capacity(cut.support.len());
    for &(g, b) in &cut.support {
        let i = representative[g]?;
        row.push((i, b * signed(target) / signed(i)));
    }
    let x = problem.features();
    let rest: Vec<f64> = (0..x.ncols())
        .map(|j| row.iter().fold(x[(target, j)], |sum, &(i, a)| (-a).mul_add(x[(i, j)], sum)))
        .collect();
    // Least squares over the unit directions of the support: a step that need not be accurate.
    let rest = lifting.geometry.whiten_features(&rest);
    let support = Mat::from_fn(rest.len(), row.len(), |a, l| lifting.geometry.direction(cut.support[l].0)[a]);
    let gram = product(support.transpose(), support.as_ref());
    let right = Mat::from_fn(rest.len(), 1, |a, _| rest[a]);
    let mut cholesky = Cholesky::default();
    if cholesky.factorize(&gram, 1e-14) {
        let step = cholesky.solution(product(support.transpose(), right.as_ref()).as_ref());
        row.iter_mut().enumerate().for_each(|(l, (i, a))| *a += step[(l, 0)] / signed(*i));
    }
    Some((target, row))
}
