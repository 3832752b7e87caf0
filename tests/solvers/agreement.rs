//! Two solvers that share no iteration must agree, and no bound of either may pass any value of either.

use faer::Mat;
use relucert::certificate::{Certificate, Grade, prove};
use relucert::certify_by_interior_point;
use relucert::data::{TeacherSettings, teacher};
use relucert::dual::DualPoint;
use relucert::interior_point::ReferenceSettings;
use relucert::repair::certify_dual;
use relucert::report::Status;
use relucert::training::TrainingSettings;
use relucert::{Certified, CertifySettings, Control, Error, Method, Silent, TrainingProblem, certify};
use std::time::{Duration, Instant};

/// What is asked of a run on one problem.
struct Case {
    name: String,
    problem: TrainingProblem,
    /// Relative accuracy of the interior-point value and of its certified bound.
    reference: f64,
    /// Relative accuracy of the low-rank value and of its certified bound; none where it may stop early.
    low_rank: Option<f64>,
}

fn training() -> TrainingSettings {
    // The network is only an upper bound here, not what is tested.
    TrainingSettings { width: 20, starts: 1, iterations: 200, rounds: 3, ..TrainingSettings::default() }
}

fn interior_point(problem: &TrainingProblem) -> Certified {
    certify_by_interior_point(
        problem,
        &ReferenceSettings::default(),
        &training(),
        &Control::new(),
        &mut |_| {},
    )
    .unwrap()
}

fn low_rank(problem: &TrainingProblem, limit: Duration) -> Certified {
    let settings =
        CertifySettings { training: training(), method: Method::LowRank, ..CertifySettings::default() };
    certify(problem, &settings, &Control::new().within(limit), &mut Silent).unwrap()
}

fn teacher_problem(n: usize, d: usize, c: usize, gamma: f64, seed: u64) -> TrainingProblem {
    let settings =
        TeacherSettings { samples: n, features: d, outputs: c, seed, ..TeacherSettings::default() };
    teacher(&settings).unwrap().problem(gamma).unwrap()
}

/// Solves by both and checks everything that must hold between them; gives the interior-point run.
fn agree(case: &Case) -> Certified {
    let started = Instant::now();
    let reference = interior_point(&case.problem);
    let between = started.elapsed();
    let limit = if case.low_rank.is_some() { 120 } else { 3 };
    let low = low_rank(&case.problem, Duration::from_secs(limit));
    let (r, l) = (&reference.report, &low.report);
    println!(
        "{}: interior point {:.9} (bound {:.2e} below) {:.2} s; low rank {:.9} (bound {:.2e} below) {} {:.2} s",
        case.name,
        r.relaxation_value.unwrap(),
        r.solver_gap.unwrap(),
        between.as_secs_f64(),
        l.relaxation_value.unwrap_or(f64::NAN),
        l.solver_gap.unwrap_or(f64::NAN),
        l.status.as_str(),
        (started.elapsed() - between).as_secs_f64()
    );
    let name = &case.name;
    assert_eq!((r.status, r.grade), (Status::Converged, Grade::Verified), "{name}");
    assert_eq!(l.grade, Grade::Verified, "{name}");
    assert!(
        r.solver_gap.unwrap().abs() <= case.reference.max(PROOF),
        "{name}: loses {:e}",
        r.solver_gap.unwrap()
    );
    assert!(
        r.primal_infeasibility.unwrap() <= case.reference,
        "{name}: {:e}",
        r.primal_infeasibility.unwrap()
    );
    let value = r.relaxation_value.unwrap();
    if let Some(tolerance) = case.low_rank {
        assert_eq!(l.status, Status::Converged, "{name}");
        assert!(
            (l.relaxation_value.unwrap() - value).abs() <= tolerance * value,
            "{name}: the values differ"
        );
        assert!(
            value - l.lower_bound.value() <= 2.0 * tolerance * value,
            "{name}: the low-rank bound is loose"
        );
    }
    // A relaxation's value counts as an upper bound of the relaxation once its own error is added.
    let value_error = case.reference * value;
    let uppers =
        [value + value_error, r.upper_bound.value(), l.upper_bound.value(), case.problem.zero_objective()];
    for lower in [r.lower_bound, l.lower_bound] {
        assert!(lower >= 0.0, "{name}");
        for upper in uppers {
            assert!(lower <= upper * (1.0 + 1e-15), "{name}: bound {lower} above {upper}");
        }
    }
    reference
}

/// What margin and shift of a proof may cost.
const PROOF: f64 = 1e-3;

#[test]
fn published_random_sets() {
    for name in ["random_00", "random_01", "random_02", "random_03", "random_04"] {
        for gamma in [0.1, 0.01] {
            let Some(problem) = crate::common::published_problem(name, gamma) else { return };
            agree(&Case { name: format!("{name} {gamma}"), problem, reference: 1e-7, low_rank: Some(2e-3) });
        }
    }
}

#[test]
fn published_spiral_and_iris() {
    // Value and relative width of the published table; its digits end where the last argument says.
    for (name, gamma, value, width, digit) in [
        ("spiral", 0.1, 16.243526, 1e-6, 1e-6),
        ("spiral", 0.01, 11.85226, 2e-5, 1e-5),
        ("iris_train", 0.1, 1.67177, 3e-5, 1e-5),
        ("iris_train", 0.01, 0.31379, 4e-4, 1e-5),
    ] {
        let Some(problem) = crate::common::published_problem(name, gamma) else { return };
        let case = Case { name: format!("{name} {gamma}"), problem, reference: 1e-6, low_rank: None };
        let found = agree(&case).report.relaxation_value.unwrap();
        assert!((found - value).abs() <= value * (width + 1e-6) + 0.5 * digit, "{found} is not {value}");
    }
}

#[test]
fn weight_decay_from_a_thousandth_to_a_thousand() {
    for gamma in [1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3] {
        let problem = teacher_problem(25, 3, 2, gamma, 1);
        agree(&Case {
            name: format!("teacher 25 × 4 → 2, γ = {gamma}"),
            problem,
            reference: 1e-7,
            low_rank: Some(2e-3),
        });
    }
}

#[test]
fn many_outputs_and_many_features() {
    for (n, d, c, gamma, low_rank) in
        [(30, 5, 10, 1.0, Some(2e-3)), (20, 33, 2, 1.0, Some(2e-3)), (175, 33, 1, 10.0, Some(2e-3))]
    {
        let problem = teacher_problem(n, d, c, gamma, 2);
        let name = format!("teacher {n} × {} → {c}, γ = {gamma}", d + 1);
        agree(&Case { name, problem, reference: 1e-7, low_rank });
    }
}

/// Large enough that the Newton systems are solved by conjugate gradients.
#[test]
fn newton_systems_without_a_matrix() {
    let problem = teacher_problem(120, 10, 3, 1.2, 3);
    agree(&Case { name: "teacher 120 × 11 → 3".into(), problem, reference: 1e-7, low_rank: Some(2e-3) });
}

/// Refused, and what a repair makes of it is no better than the optimum.
fn assert_harmless(what: &str, problem: &TrainingProblem, damaged: DualPoint, optimum: f64) {
    let proof = prove(problem, &Certificate::new(damaged.clone()));
    assert!(matches!(proof, Err(Error::Refused(_))), "{what}: {proof:?}");
    if let Ok((_, repaired)) = certify_dual(problem, &damaged) {
        assert!(repaired.lower_bound() <= optimum, "{what}: repaired to {}", repaired.lower_bound());
    }
}

#[test]
fn a_damaged_dual_point_is_refused() {
    for (n, d, c, gamma) in [(20, 3, 2, 0.3), (25, 2, 1, 0.05)] {
        let problem = teacher_problem(n, d, c, gamma, 4);
        let certified = interior_point(&problem);
        let optimum = certified.report.relaxation_value.unwrap() * (1.0 + 1e-7);
        let sound = certified.certificate.dual().clone();
        assert!(prove(&problem, &Certificate::new(sound.clone())).is_ok());
        assert!(
            certified.report.solver_gap.unwrap() <= 1e-5,
            "too loose to be damaged: {}",
            certified.report.solver_gap.unwrap()
        );

        for factor in [1.0001, 1.01, 2.0] {
            let w = Mat::from_fn(n, c, |i, j| factor * sound.w[(i, j)]);
            assert_harmless(&format!("W × {factor}"), &problem, DualPoint { w, ..sound.clone() }, optimum);
        }
        let largest = (0..sound.n.len()).max_by(|a, b| sound.n[*a].total_cmp(&sound.n[*b])).unwrap();
        let mut negated = sound.clone();
        negated.n[largest] = -negated.n[largest];
        assert_harmless("a negated multiplier", &problem, negated, optimum);
        let mut without = sound.clone();
        without.n[largest] = 0.0;
        assert_harmless("a lost multiplier", &problem, without, optimum);
        for sign in [1.0, -1.0] {
            let mut shifted = sound.clone();
            let i = (0..n).max_by(|a, b| sound.y[*a].abs().total_cmp(&sound.y[*b].abs())).unwrap();
            shifted.y[i] += sign * 0.1 * shifted.y[i].abs();
            assert_harmless(&format!("y {i} shifted by {sign}"), &problem, shifted, optimum);
        }
        let mut exchanged = sound.clone();
        exchanged.y.reverse();
        assert_harmless("y in another order", &problem, exchanged, optimum);
    }
}
