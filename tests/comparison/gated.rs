//! Gated networks, and the ReLU networks made of them.

use crate::common::{gaussian, problem};
use faer::Mat;
use relucert::baselines::gated::{GatedSettings, Patterns, cone_decomposition, constrained, solve};
use relucert::training::{TrainingSettings, train};
use relucert::{Control, TrainingProblem};

/// A direction in the middle of every cell that the samples cut a plane into.
fn all_gates(problem: &TrainingProblem) -> Mat<f64> {
    let x = problem.features();
    let mut angles: Vec<f64> = (0..x.nrows())
        .flat_map(|i| {
            let angle = x[(i, 1)].atan2(x[(i, 0)]);
            [1.0, 3.0].map(|quarter| {
                (angle + quarter * std::f64::consts::FRAC_PI_2).rem_euclid(std::f64::consts::TAU)
            })
        })
        .collect();
    angles.sort_by(f64::total_cmp);
    let next =
        |k: usize| if k + 1 < angles.len() { angles[k + 1] } else { angles[0] + std::f64::consts::TAU };
    Mat::from_fn(2, angles.len(), |i, k| {
        let middle = 0.5 * (angles[k] + next(k));
        if i == 0 { middle.cos() } else { middle.sin() }
    })
}

fn settings(patterns: usize) -> GatedSettings {
    GatedSettings { patterns, tolerance: 1e-5, seed: 3 }
}

/// (value, largest ‖XᵀD_iW‖₂) by the definitions, entry by entry; two outputs at most.
fn by_definition(
    problem: &TrainingProblem,
    patterns: &Patterns,
    active: &[usize],
    weights: &Mat<f64>,
) -> (f64, f64) {
    let (x, y, c) = (problem.features(), problem.targets(), problem.outputs());
    // singular values of a matrix of two columns: roots of a quadratic
    let singular = |m: &Mat<f64>| -> [f64; 2] {
        let dot = |i: usize, j: usize| (0..m.nrows()).map(|a| m[(a, i)] * m[(a, j)]).sum::<f64>();
        if c == 1 {
            return [dot(0, 0).sqrt(), 0.0];
        }
        let (a, b, d) = (dot(0, 0), dot(0, 1), dot(1, 1));
        let root = (0.25 * (a - d).powi(2) + b * b).sqrt();
        [0.5 * (a + d) + root, (0.5 * (a + d) - root).max(0.0)].map(f64::sqrt)
    };
    let mut residual = y.to_owned();
    let mut penalty = 0.0;
    for (place, &pattern) in active.iter().enumerate() {
        let block = Mat::from_fn(x.ncols(), c, |a, k| weights[(a, place * c + k)]);
        penalty += singular(&block).iter().sum::<f64>();
        for i in (0..x.nrows()).filter(|&i| patterns.is_active(pattern, i)) {
            for k in 0..c {
                residual[(i, k)] -= (0..x.ncols()).map(|a| x[(i, a)] * block[(a, k)]).sum::<f64>();
            }
        }
    }
    let mut largest = 0.0_f64;
    for pattern in 0..patterns.count() {
        let pull = Mat::from_fn(x.ncols(), c, |a, k| {
            (0..x.nrows())
                .filter(|&i| patterns.is_active(pattern, i))
                .map(|i| x[(i, a)] * residual[(i, k)])
                .sum::<f64>()
        });
        largest = largest.max(singular(&pull)[0]);
    }
    (0.5 * residual.squared_norm_l2() + problem.weight_decay() * penalty, largest)
}

#[test]
fn patterns_are_signs() {
    let problem = problem(&gaussian(1, 130, 3), &gaussian(2, 130, 1), 1.0);
    let gates = gaussian(3, 3, 7);
    let patterns = Patterns::of_gates(&problem, gates.as_ref()).unwrap();
    assert_eq!(patterns.count(), 7);
    for j in 0..7 {
        for i in 0..130 {
            let z: f64 = (0..3).map(|a| problem.features()[(i, a)] * gates[(a, j)]).sum();
            assert_eq!(patterns.is_active(j, i), z >= 0.0);
        }
    }
    // a multiple of a gate has the same pattern
    let twice = Mat::from_fn(3, 14, |i, j| gates[(i, j % 7)] * if j < 7 { 1.0 } else { 2.0 });
    assert_eq!(Patterns::of_gates(&problem, twice.as_ref()).unwrap().count(), 7);
}

#[test]
fn the_gated_optimum_satisfies_its_optimality_conditions() {
    // above 1024 samples the work is cut into pieces
    for (n, c, gamma) in [(60, 1, 2.0), (60, 2, 3.0), (1300, 2, 30.0)] {
        let x = gaussian(4, n, 4);
        let noise = gaussian(5, n, c);
        let y = Mat::from_fn(n, c, |i, k| (x[(i, k)] - x[(i, 2)]).max(0.0) + 0.3 * noise[(i, k)]);
        let problem = problem(&x, &y, gamma);
        let patterns = Patterns::gaussian(&problem, 40, 9).unwrap();
        let gated = solve(&problem, &patterns, &settings(40), &Control::new()).unwrap();
        assert!(gated.converged && !gated.active.is_empty());
        let (value, largest) = by_definition(&problem, &patterns, &gated.active, &gated.weights);
        assert!((value - gated.value).abs() < 1e-9 * value, "{value} {}", gated.value);
        // stationary: no pattern pulls harder than γ, to the square root of the gap
        assert!(largest <= gamma * 1.01, "n {n}: {largest} against {gamma}");
        assert!(gated.dual_value <= gated.value && gated.value - gated.dual_value <= 1.1e-5 * gated.value);
        // its own predictions give the fit that the value counts
        let fit = 0.5 * (gated.predict(problem.features()) - problem.targets()).squared_norm_l2();
        assert!(fit < gated.value);
    }
}

#[test]
fn a_larger_weight_decay_leaves_no_pattern() {
    let problem = problem(&gaussian(6, 30, 3), &gaussian(7, 30, 1), 1e4);
    let patterns = Patterns::gaussian(&problem, 20, 1).unwrap();
    let gated = solve(&problem, &patterns, &settings(20), &Control::new()).unwrap();
    assert!(gated.active.is_empty() && gated.converged);
    assert!((gated.value - problem.zero_objective()).abs() < 1e-12 * gated.value);
}

#[test]
fn with_every_pattern_of_a_plane_the_cones_give_the_best_network_there_is() {
    for seed in [11, 12] {
        let x = gaussian(seed, 18, 2);
        let problem = problem(&x, &gaussian(seed + 10, 18, 1), 0.5);
        // in a plane training is exact
        let best = train(&problem, &TrainingSettings::default(), &Control::new()).objective(&problem);
        let patterns = Patterns::of_gates(&problem, all_gates(&problem).as_ref()).unwrap();
        assert_eq!(patterns.count(), 36);
        let gated = solve(&problem, &patterns, &settings(36), &Control::new()).unwrap();
        assert!(gated.dual_value <= best * (1.0 + 1e-9), "{} above {best}", gated.dual_value);
        assert!(gated.value < 0.99 * best, "the cones must matter for the test to say anything");
        let tight = GatedSettings { tolerance: 1e-6, ..settings(36) };
        let network = constrained(&problem, &patterns, &gated, &tight, &Control::new()).unwrap();
        let found = network.objective(&problem);
        assert!(found >= best * (1.0 - 1e-9) && found <= best * 1.005, "{found} {best}");
    }
}

#[test]
fn a_cone_decomposition_predicts_what_the_gated_network_does() {
    let x = gaussian(21, 80, 3);
    let y = Mat::from_fn(80, 2, |i, k| (x[(i, k)] + 0.5 * x[(i, 2)]).max(0.0));
    let problem = problem(&x, &y, 1.0);
    let patterns = Patterns::gaussian(&problem, 30, 2).unwrap();
    let gated = solve(&problem, &patterns, &settings(30), &Control::new()).unwrap();
    let network = cone_decomposition(&problem, &patterns, &gated, &Control::new()).unwrap();
    let (ours, theirs) = (network.predict(problem.features()), gated.predict(problem.features()));
    assert!((&ours - &theirs).norm_l2() < 1e-3 * theirs.norm_l2(), "{}", (&ours - &theirs).norm_l2());
    assert!(network.objective(&problem) >= gated.dual_value);
    let error = constrained(&problem, &patterns, &gated, &settings(30), &Control::new()).unwrap_err();
    assert!(error.to_string().contains("2 outputs"));
}
