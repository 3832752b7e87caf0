//! From the solver's multipliers to a dual point in the original coordinates.

use super::DualPoint;
use crate::TrainingProblem;
use crate::lifting::{Lifting, PairSet};
use faer::Mat;

/// Stiffness that ties the s of merged samples to their representative's, relative to the entries of the slack
/// that hold the direction: what is lost is about its inverse, and a greater one costs digits in the proof.
const TIE: f64 = 1e3;

/// The dual point of a lifted problem's multipliers. `misfit` holds w_f p_f Vᵀ − t_f, one row a row of the loss.
///
/// Samples merged into one direction are told apart again: W is the residual of each, y and N go to the longest
/// sample of the direction, and the others' s is tied to it by the identity (with unit directions)
/// (s_i − s_r)²/4 = α_iβ_i + α_rβ_r − α_iβ_r − β_iα_r, whose last two terms are pairs with N ≥ 0.
/// Multipliers that overflow on the way leave only the zero point.
pub fn dual_point(problem: &TrainingProblem, lifting: &Lifting, set: &PairSet, misfit: &[f64]) -> DualPoint {
    let (n, c, groups) = (problem.samples(), problem.outputs(), lifting.groups());
    let geometry = &lifting.geometry;
    let mut prediction = vec![0.0; 2 * groups * c];
    let mut squares = vec![0.0; groups];
    for (f, fit) in lifting.fit.iter().enumerate() {
        for j in 0..c {
            let e = misfit[f * c + j];
            prediction[fit.form * c + j] = (lifting.fit_targets[f * c + j] + e) / fit.weight;
            squares[fit.form % groups] += (fit.weight * e).powi(2);
        }
    }
    let w = Mat::from_fn(n, c, |i, j| {
        let link = &geometry.samples[i];
        let scale = geometry.target_scale * geometry.fit_scale(link);
        problem.targets()[(i, j)] - link.form(groups).map_or(0.0, |form| scale * prediction[form * c + j])
    });

    let mut representative: Vec<Option<usize>> = vec![None; groups];
    for (i, link) in geometry.samples.iter().enumerate() {
        if let Some(g) = link.group
            && representative[g].is_none_or(|r| geometry.samples[r].length < link.length)
        {
            representative[g] = Some(i);
        }
    }
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
    let mut pairs = Vec::with_capacity(set.len());
    let mut multipliers = Vec::with_capacity(set.len());
    for (&(a, b), &value) in set.keys.iter().zip(&plain_n) {
        let (a, b) = (a as usize, b as usize);
        if let (Some(i), Some(j)) = (representative[a % groups], representative[b % groups])
            && value > 0.0
        {
            pairs.push([form_of(i, a >= groups), form_of(j, b >= groups)]);
            multipliers.push(value * unit / (length(i) * length(j)));
        }
    }
    let mut held: Vec<f64> =
        plain_y.iter().zip(&squares).map(|(y, s)| y.abs() + s / lifting.output_decay).collect();
    for (&(a, b), &value) in set.keys.iter().zip(&plain_n) {
        held[a as usize % groups] += value;
        held[b as usize % groups] += value;
    }
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
    if finite { DualPoint { w, y, pairs, n: multipliers } } else { DualPoint::zero(n, c) }
}
