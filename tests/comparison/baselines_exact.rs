//! Frank–Wolfe, the copositive relaxation and the closed form, against the optimum over all activation patterns.

use crate::common::{gaussian, problem, published_problem};
use faer::Mat;
use relucert::baselines::arrangements::{Arrangement, ArrangementSettings};
use relucert::baselines::copositive::{self, CopositiveSettings};
use relucert::baselines::frank_wolfe::{self, FrankWolfeSettings};
use relucert::baselines::{arrangements, soft_threshold};
use relucert::{Control, Network, TrainingProblem};
use std::time::Duration;

/// The optimum to nine digits, and its network.
fn optimum(problem: &TrainingProblem) -> (f64, Network) {
    let settings = ArrangementSettings { tolerance: 1e-9, ..Default::default() };
    let found = arrangements::solve(problem, &settings, &Control::new()).unwrap();
    assert!(found.converged, "{} {}", found.lower, found.upper);
    (found.upper, found.network)
}

fn norm(network: &Network) -> f64 {
    (0..network.width()).map(|k| network.hidden().col(k).norm_l2() * network.output().col(k).norm_l2()).sum()
}

/// An orthonormal n × n matrix.
fn orthogonal(seed: u64, n: usize) -> Mat<f64> {
    faer::linalg::solvers::Qr::new(gaussian(seed, n, n).as_ref()).compute_Q()
}

#[test]
fn frank_wolfe_reaches_the_optimum_with_weight_decay() {
    for (seed, n, d, c, gamma) in
        [(1, 15, 2, 2, 0.5), (2, 12, 3, 1, 0.5), (3, 10, 1, 3, 0.2), (4, 8, 4, 2, 1.0)]
    {
        let problem = problem(&gaussian(seed, n, d), &gaussian(10 + seed, n, c), gamma);
        let (value, _) = optimum(&problem);
        let found = frank_wolfe::solve(&problem, &FrankWolfeSettings::default(), &Control::new()).unwrap();
        assert!(found.converged && found.iterations > 0, "{seed}: {found:?}");
        assert!(found.lower <= value * (1.0 + 1e-8), "{seed}: {} above {value}", found.lower);
        assert!(found.lower >= value * (1.0 - 0.05), "{seed}: {} far below {value}", found.lower);
        assert!(found.upper >= value * (1.0 - 1e-8), "{seed}: {} below {value}", found.upper);
        assert!(
            found.upper - value <= found.gap + 1e-9 * value,
            "{seed}: the gap does not bound the distance"
        );
        assert!(found.gap <= 1e-2 * found.upper * (1.0 + 1e-6));
        let objective = found.network.objective(&problem);
        assert!((objective - found.upper).abs() <= 1e-9 * found.upper);
    }
}

#[test]
fn frank_wolfe_reaches_the_optimum_of_the_constrained_problem() {
    // at t = the norm of the optimum with weight decay, the constrained optimum is its loss
    let problem = problem(&gaussian(5, 15, 2), &gaussian(6, 15, 2), 0.5);
    let (value, network) = optimum(&problem);
    let radius = norm(&network);
    let loss = value - 0.5 * radius;
    let settings = FrankWolfeSettings { radius: Some(radius), ..Default::default() };
    let found = frank_wolfe::solve(&problem, &settings, &Control::new()).unwrap();
    assert!(found.converged, "{found:?}");
    assert!(norm(&found.network) <= radius * (1.0 + 1e-9));
    let residual = found.network.predict(problem.features()) - problem.targets();
    let reached = 0.5 * residual.squared_norm_l2();
    assert!(reached >= loss * (1.0 - 1e-7) && reached - loss <= found.gap + 1e-8 * loss, "{reached} {loss}");
    assert!(found.lower <= value && found.upper >= value * (1.0 - 1e-9));
}

#[test]
fn frank_wolfe_stops_when_told_and_refuses_what_it_cannot_do() {
    let problem = problem(&gaussian(7, 20, 2), &gaussian(8, 20, 2), 0.1);
    let found =
        frank_wolfe::solve(&problem, &FrankWolfeSettings::default(), &Control::new().within(Duration::ZERO))
            .unwrap();
    assert!(!found.converged && found.iterations == 0 && found.lower < found.upper);
    for settings in [
        FrankWolfeSettings { radius: Some(-1.0), ..Default::default() },
        FrankWolfeSettings { tolerance: 2.0, ..Default::default() },
        FrankWolfeSettings { max_cells: 3, ..Default::default() },
    ] {
        assert!(frank_wolfe::solve(&problem, &settings, &Control::new()).is_err());
    }
}

fn relaxation(problem: &TrainingProblem) -> f64 {
    let found = copositive::solve(problem, &CopositiveSettings::default(), &Control::new()).unwrap();
    assert!(found.converged, "{} {} after {} steps", found.lower, found.gap, found.steps);
    // W is feasible for training's dual, whatever the multipliers, and has this value
    let arrangement = Arrangement::new(problem, 100_000).unwrap();
    assert!(arrangement.dual_norm(found.w.as_ref()).unwrap() <= problem.weight_decay());
    let value: f64 = (0..problem.samples())
        .flat_map(|i| (0..problem.outputs()).map(move |j| (i, j)))
        .map(|at| found.w[at] * (problem.targets()[at] - 0.5 * found.w[at]))
        .sum();
    assert!((value - found.lower).abs() <= 1e-12 * value);
    found.lower
}

#[test]
fn in_a_plane_the_copositive_relaxation_is_exact() {
    for (seed, n, d, c, gamma) in [(11, 12, 2, 1, 0.3), (12, 10, 2, 3, 0.5), (13, 9, 1, 2, 0.2)] {
        let problem = problem(&gaussian(seed, n, d), &gaussian(20 + seed, n, c), gamma);
        let (value, bound) = (optimum(&problem).0, relaxation(&problem));
        assert!(bound <= value * (1.0 + 1e-9) && bound >= value * (1.0 - 1e-5), "{seed}: {bound} {value}");
    }
}

#[test]
fn in_more_dimensions_the_copositive_relaxation_is_a_lower_bound() {
    for (seed, n, d, c, gamma) in [(31, 8, 3, 1, 0.3), (32, 7, 3, 2, 0.5), (33, 6, 4, 1, 0.2)] {
        let problem = problem(&gaussian(seed, n, d), &gaussian(20 + seed, n, c), gamma);
        let (value, bound) = (optimum(&problem).0, relaxation(&problem));
        println!("{seed}: {bound} {value}");
        assert!(bound <= value * (1.0 + 1e-9) && bound >= 0.9 * value, "{seed}: {bound} {value}");
    }
}

#[test]
fn the_copositive_relaxation_stops_when_told_and_refuses_what_is_too_large() {
    let problem = problem(&gaussian(41, 10, 2), &gaussian(42, 10, 1), 0.1);
    let control = Control::new().within(Duration::ZERO);
    let found = copositive::solve(&problem, &CopositiveSettings::default(), &control).unwrap();
    assert!(!found.converged && found.lower == 0.0);
    for settings in [
        CopositiveSettings { max_unknowns: 9, ..Default::default() },
        CopositiveSettings { max_cells: 3, ..Default::default() },
        CopositiveSettings { tolerance: 0.0, ..Default::default() },
    ] {
        assert!(copositive::solve(&problem, &settings, &Control::new()).is_err());
    }
}

#[test]
fn a_published_problem_by_frank_wolfe_and_by_the_copositive_relaxation() {
    let Some(problem) = published_problem("random_00", 0.1) else { return };
    let (value, _) = optimum(&problem);
    // far from the end of its road, the bounds hold all the same
    let settings = FrankWolfeSettings { max_iterations: 1000, ..Default::default() };
    let found = frank_wolfe::solve(&problem, &settings, &Control::new()).unwrap();
    assert!(!found.converged && found.iterations == 1000);
    assert!(found.lower <= value && found.lower >= 0.5 * value, "{} {value}", found.lower);
    assert!(found.upper >= value && found.upper <= 2.0 * value, "{} {value}", found.upper);
    let bound = relaxation(&problem);
    assert!(bound <= value && bound >= value * (1.0 - 1e-5), "{bound} {value}");
}

fn closed_form(x: &Mat<f64>, y: &Mat<f64>, gamma: f64) {
    let problem = problem(x, y, gamma);
    let found = soft_threshold::solve(&problem).unwrap();
    let (value, _) = optimum(&problem);
    assert!((found.value - value).abs() <= 1e-8 * value, "{} {value}", found.value);
    let objective = found.network.objective(&problem);
    assert!((objective - found.value).abs() <= 1e-8 * value, "{objective} {}", found.value);
}

#[test]
fn the_closed_form_is_the_optimum_of_orthogonal_samples() {
    // labels; one class; classes of one size, whose singular vectors are not unique; a weight decay beyond one singular value
    let x = Mat::from_fn(4, 4, |i, j| 1.7 * orthogonal(51, 4)[(i, j)]);
    let label = |classes: [usize; 4]| Mat::from_fn(4, 3, |i, j| f64::from(u8::from(classes[i] == j)));
    for (classes, gamma) in
        [([0, 0, 0, 1], 0.3), ([1, 1, 1, 1], 0.3), ([0, 1, 0, 1], 0.3), ([0, 0, 0, 1], 1.9)]
    {
        closed_form(&x, &label(classes), gamma);
    }
    // two overlapping outputs: the second singular vector has both signs, and yet M is completely positive
    let y = Mat::from_fn(4, 2, |i, j| [[1.0, 0.3], [0.8, 0.2], [0.3, 1.2], [0.2, 0.7]][i][j]);
    closed_form(&x, &y, 0.1);
    // more features than samples
    let wide = Mat::from_fn(3, 5, |i, j| 0.6 * orthogonal(52, 5)[(i, j)]);
    closed_form(&wide, &Mat::from_fn(3, 1, |i, _| 1.0 + i as f64), 0.2);
    // nothing pays
    let problem = problem(&wide, &Mat::full(3, 1, 1.0), 100.0);
    let found = soft_threshold::solve(&problem).unwrap();
    assert_eq!(found.network.width(), 0);
    assert!((found.value - problem.zero_objective()).abs() <= 1e-12);
}

#[test]
fn the_closed_form_is_refused_where_it_is_not_exact() {
    let refusal =
        |x: &Mat<f64>, y: &Mat<f64>| soft_threshold::solve(&problem(x, y, 0.1)).unwrap_err().to_string();
    let y = Mat::full(3, 1, 1.0);
    assert!(refusal(&gaussian(61, 3, 3), &y).contains("orthogonal samples"));
    assert!(refusal(&Mat::zeros(3, 3), &y).contains("orthogonal samples"));
    // both signs in one output: neurons would have to be negative, and the optimum is above the formula
    let (x, y) = (Mat::identity(3, 3), Mat::from_fn(3, 1, |i, _| [3.0, -1.0, 4.0][i]));
    assert!(refusal(&x, &y).contains("opposite sign"));
    // three overlapping positive outputs: complete positivity is not decided
    let y = Mat::from_fn(3, 3, |i, j| if i == j { 2.0 } else { 0.9 });
    assert!(refusal(&x, &y).contains("share 3 singular vectors"));
}
