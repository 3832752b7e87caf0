//! The bound against the exact optimum over all arrangements, and against networks.

use super::tools::{run, settings};
use crate::common::{gaussian, problem, published_problem};
use faer::Mat;
use relucert::baselines::arrangements::{ArrangementSettings, ArrangementSolution, solve};
use relucert::report::Status;
use relucert::{Certified, Control, TrainingProblem};

fn optimum(problem: &TrainingProblem) -> ArrangementSolution {
    let found = solve(problem, &ArrangementSettings::default(), &Control::new()).unwrap();
    assert!(found.converged && found.upper - found.lower <= 1e-6 * found.upper);
    found
}

/// The bound may not be above the optimum, nor the network's objective below it.
fn assert_encloses(certified: &Certified, exact: &ArrangementSolution, name: &str) {
    let report = &certified.report;
    assert!(report.lower_bound <= exact.upper, "{name}: {} above {}", report.lower_bound, exact.upper);
    assert!(report.upper_bound >= exact.lower, "{name}: {} below {}", report.upper_bound, exact.lower);
}

#[test]
fn published_instances_agree_with_the_exact_optimum() {
    for name in ["random_00", "random_01", "random_02", "random_03", "random_04", "spiral"] {
        for gamma in [0.1, 0.01] {
            let Some(problem) = published_problem(name, gamma) else { continue };
            let exact = optimum(&problem);
            let name = format!("{name}, {gamma}");
            let certified = run(&problem, &settings(1e-4, u64::MAX));
            assert_eq!(certified.report.status, Status::Converged, "{name}");
            assert_encloses(&certified, &exact, &name);
            // Both ends of a gap of 10⁻⁶, and of that of the enumeration.
            let certified = run(&problem, &settings(1e-6, u64::MAX));
            assert_eq!(certified.report.status, Status::Converged, "{name}");
            assert_encloses(&certified, &exact, &name);
            let report = &certified.report;
            assert!(report.lower_bound >= exact.lower * (1.0 - 1.1e-6), "{name}: {}", report.lower_bound);
            assert!(report.upper_bound <= exact.upper * (1.0 + 1.1e-6), "{name}: {}", report.upper_bound);
        }
    }
}

#[test]
fn random_problems_of_two_and_three_dimensions_agree_with_the_exact_optimum() {
    for seed in 0..18 {
        let (d, c) = (2 + seed as usize % 2, 1 + seed as usize % 3);
        let n = 5 + (7 * seed as usize) % if d == 2 { 40 } else { 20 };
        let (x, y) = (gaussian(seed, n, d), gaussian(100 + seed, n, c));
        let problem = problem(&x, &y, [0.3, 0.05, 1.0][seed as usize / 2 % 3]);
        let exact = optimum(&problem);
        let certified = run(&problem, &settings(1e-4, u64::MAX));
        let name = format!("seed {seed}");
        assert_eq!(certified.report.status, Status::Converged, "{name}: {:?}", certified.report);
        assert_encloses(&certified, &exact, &name);
        assert!(certified.report.lower_bound >= exact.lower * (1.0 - 1.1e-4), "{name}");
    }
}

#[test]
fn small_problems_of_every_kind_end_proved_or_with_an_honest_status() {
    let mut proved = 0;
    for seed in 0..48 {
        let k = seed as usize;
        let (n, d, c) = (5 + (13 * k) % 56, 1 + k % 4, 1 + (k / 4) % 3);
        let (x, y) = (gaussian(seed, n, d), gaussian(200 + seed, n, c));
        let gamma = [1e-9, 1e-3, 0.01, 0.1, 1.0, 30.0][k % 6];
        let problem = problem(&x, &y, gamma);
        let certified = run(&problem, &settings(1e-3, 3_000_000));
        let report = &certified.report;
        assert!(matches!(report.status, Status::Converged | Status::Budget | Status::Stalled), "{report:?}");
        proved += usize::from(report.status == Status::Converged);
        if d <= 2 && gamma >= 0.01 {
            assert_encloses(&certified, &optimum(&problem), &format!("seed {seed}"));
        }
    }
    assert!(proved >= 24, "{proved} of 48");
}

#[test]
fn where_nothing_is_worth_its_weight_decay_the_bound_is_that_of_no_network() {
    for (seed, n, d, c) in [(1, 5, 1, 1), (2, 30, 2, 3), (3, 60, 4, 2), (4, 40, 3, 1)] {
        let (x, y) = (gaussian(seed, n, d), gaussian(10 + seed, n, c));
        // |Yᵀ(Xu)₊| ≤ ‖X‖‖Y‖.
        let problem = problem(&x, &y, 1.01 * x.norm_l2() * y.norm_l2());
        let certified = run(&problem, &settings(1e-9, u64::MAX));
        assert_eq!(certified.network.width(), 0);
        let zero = problem.zero_objective();
        assert!(certified.report.lower_bound >= zero * (1.0 - 1e-9) && certified.report.lower_bound <= zero);
    }
}

#[test]
fn a_weight_decay_so_small_that_the_samples_are_interpolated() {
    for (seed, n, d, c) in [(1, 3, 3, 1), (2, 4, 4, 2), (3, 6, 2, 1)] {
        let (x, y) = (gaussian(20 + seed, n, d), gaussian(30 + seed, n, c));
        for gamma in [1e-3, 1e-6, 1e-9, 1e-12] {
            let problem = problem(&x, &y, gamma);
            let certified = run(&problem, &settings(1e-2, 10_000_000));
            let report = &certified.report;
            // A multiple of the weight decay, for the network and for the bound.
            assert!(report.upper_bound <= 1e3 * gamma, "{report:?}");
            assert_encloses(&certified, &optimum(&problem), &format!("{gamma}"));
        }
    }
}

#[test]
fn problems_with_nothing_in_them() {
    let (x, zeros) = (gaussian(1, 6, 2), Mat::<f64>::zeros(6, 2));
    let nothing_to_learn = run(&problem(&x, &zeros, 0.1), &settings(1e-3, u64::MAX));
    assert_eq!((nothing_to_learn.report.lower_bound.value(), nothing_to_learn.network.width()), (0.0, 0));
    let nothing_to_learn_from = problem(&zeros, &x, 0.1);
    let certified = run(&nothing_to_learn_from, &settings(1e-9, u64::MAX));
    assert!(certified.report.lower_bound >= nothing_to_learn_from.zero_objective() * (1.0 - 1e-9));
    let one = problem(&Mat::full(1, 1, 2.0), &Mat::full(1, 1, 3.0), 0.5);
    let certified = run(&one, &settings(1e-6, u64::MAX));
    // ½(1 − t)²y² + γty/x at t = 1 − γ/(xy).
    let t = 1.0 - 0.5 / 6.0;
    let exact = 0.5 * (1.0 - t) * (1.0 - t) * 9.0 + 0.5 * t * 1.5;
    assert!((certified.report.lower_bound.value() - exact).abs() <= 1.1e-6 * exact);
}
