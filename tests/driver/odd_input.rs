//! Odd but legal problems, drawn at random: no bound is ever above a network, and the saved files prove it again.
//!
//! `RELUCERT_ODD_CASES` sets the number of cases.

use faer::Mat;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use relucert::certificate::Grade;
use relucert::io::{load_network, load_problem, verify};
use relucert::report::Status;
use relucert::training::{TrainingSettings, train};
use relucert::{CertifySettings, Control, Method, Network, Silent, TrainingProblem, certify};
use std::time::Duration;

const CASES: u32 = 200;

#[derive(Clone, Debug)]
struct Odd {
    samples: usize,
    inputs: usize,
    outputs: usize,
    seed: u64,
    features: usize,
    targets: usize,
    feature_exponent: i32,
    target_exponent: i32,
    gamma_exponent: i32,
    /// The run is stopped after so many milliseconds, at the latest.
    limit: u64,
}

fn odd() -> impl Strategy<Value = Odd> {
    let sizes = (2..=12_usize, 1..=6_usize, prop_oneof![8 => 1..=4_usize, 1 => Just(30_usize)]);
    let gamma = prop_oneof![20 => -6..=6, 1 => Just(-300), 1 => Just(300)];
    let exponents = (prop_oneof![Just(0), -8..=8], prop_oneof![2 => Just(0), 1 => -4..=4], gamma);
    let limit = prop_oneof![8 => Just(2000_u64), 1 => Just(0), 1 => 1..100_u64];
    (sizes, any::<u64>(), 0..9_usize, 0..5_usize, exponents, limit).prop_map(
        |((samples, inputs, outputs), seed, features, targets, exponents, limit)| Odd {
            samples,
            inputs,
            outputs,
            seed,
            features,
            targets,
            feature_exponent: exponents.0,
            target_exponent: exponents.1,
            gamma_exponent: exponents.2,
            limit,
        },
    )
}

fn problem(odd: &Odd) -> TrainingProblem {
    let mut rng = rand_pcg::Pcg64::seed_from_u64(odd.seed);
    let (n, d, c) = (odd.samples, odd.inputs, odd.outputs);
    let mut normal = |rows, columns| {
        let mut matrix = Mat::zeros(rows, columns);
        for row in 0..rows {
            for column in 0..columns {
                matrix[(row, column)] = rng.sample::<f64, _>(StandardNormal);
            }
        }
        matrix
    };
    let mut x: Mat<f64> = normal(n, d);
    let noise: Mat<f64> = normal(n, c);
    for i in 0..n {
        for j in 0..d {
            x[(i, j)] = match odd.features {
                1 => x[(i % 3, j)],
                2 => x[(i, 0)],
                3 => x[(0, j)] * (i as f64 - 3.0),
                4 => {
                    if i % 2 == 0 {
                        0.0
                    } else {
                        x[(i, j)]
                    }
                }
                5 => x[(i, j)].round(),
                6 => {
                    if j == 0 {
                        1.0
                    } else {
                        x[(i, j)]
                    }
                }
                7 => x[(0, j)] + 1e-9 * x[(i, j)],
                8 => x[(i, j)] * 10.0_f64.powi(4 * (j as i32 % 3) - 4),
                _ => x[(i, j)],
            };
        }
    }
    let scale = 10.0_f64.powi(odd.feature_exponent);
    x = Mat::from_fn(n, d, |i, j| scale * x[(i, j)]);
    let scale = 10.0_f64.powi(odd.target_exponent);
    let y = Mat::from_fn(n, c, |i, k| match odd.targets {
        1 => scale,
        2 => 0.0,
        3 => f64::from(u8::from(i % c == k)),
        4 => -scale * noise[(i, k)].abs(),
        _ => scale * noise[(i, k)],
    });
    TrainingProblem::new(x, y, 10.0_f64.powi(odd.gamma_exponent)).expect("legal")
}

fn check(odd: &Odd) -> Result<(), TestCaseError> {
    let problem = problem(odd);
    let control = Control::new().within(Duration::from_millis(odd.limit));
    // So small that it is the interior-point method's unless told otherwise.
    let method = [Method::Auto, Method::LowRank][(odd.seed % 2) as usize];
    let settings = CertifySettings { method, ..CertifySettings::default() };
    let result = certify(&problem, &settings, &control, &mut Silent);
    let certified = result.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let report = &certified.report;
    let lower = report.lower_bound.value();
    prop_assert!(0.0 <= lower && lower <= report.upper_bound.value(), "{report:?}");
    prop_assert!(certified.network.objective(&problem) <= report.upper_bound.value(), "{report:?}");
    // A weak bound has another status.
    let close = report.gap.value().min(report.solver_gap.unwrap_or(f64::INFINITY)) <= 2e-3;
    prop_assert!(close || report.status != Status::Converged, "{report:?}");

    let settings = TrainingSettings { starts: 1, rounds: 2, seed: odd.seed, ..TrainingSettings::default() };
    let trained = train(&problem, &settings, &Control::new().within(Duration::from_millis(200)));
    let mut networks = vec![trained, Network::empty(problem.inputs(), problem.outputs())];
    let mut rng = rand_pcg::Pcg64::seed_from_u64(odd.seed ^ 1);
    for size in [1e-3, 0.1, 1.0] {
        let mut draw = |rows| Mat::from_fn(rows, 3, |_, _| size * rng.sample::<f64, _>(StandardNormal));
        networks.push(Network::new(draw(problem.inputs()), draw(problem.outputs())).expect("consistent"));
    }
    for network in &networks {
        let objective = network.objective_upper(&problem).value();
        prop_assert!(lower <= objective, "{lower} > {objective}: {report:?}");
    }

    let folder = tempfile::tempdir().expect("a temporary folder");
    certified.save(&problem, folder.path()).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let saved = load_problem(&folder.path().join("problem.npz")).expect("saved");
    let network = load_network(&folder.path().join("network.npz")).expect("saved");
    prop_assert_eq!(network.objective_upper(&saved), report.upper_bound);
    let proof = verify(folder.path()).expect("readable");
    if report.grade == Grade::None {
        prop_assert_eq!(lower, 0.0);
    } else {
        prop_assert_eq!(proof.grade(), report.grade);
        prop_assert_eq!(proof.lower_bound(), lower);
    }
    Ok(())
}

#[test]
fn no_bound_is_above_a_network() {
    let cases = std::env::var("RELUCERT_ODD_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 30, ..Config::default() };
    let result = TestRunner::new(config).run(&odd(), |odd| check(&odd));
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Drawn once: multipliers that overflow on their way back to the original coordinates.
#[test]
fn multipliers_that_overflow_end_in_the_zero_point() {
    let odd = Odd {
        samples: 5,
        inputs: 1,
        outputs: 2,
        seed: 7_610_869_447_228_464_137,
        features: 2,
        targets: 0,
        feature_exponent: -6,
        target_exponent: 3,
        gamma_exponent: -300,
        limit: 2000,
    };
    if let Err(error) = check(&odd) {
        panic!("{error}");
    }
}

/// Drawn once: weight decay so large that the interior-point method's value overflows.
#[test]
fn a_value_that_overflows_has_not_converged() {
    let odd = Odd {
        samples: 2,
        inputs: 1,
        outputs: 30,
        seed: 4_433_749_409_720_736_466,
        features: 2,
        targets: 1,
        feature_exponent: -7,
        target_exponent: 0,
        gamma_exponent: 300,
        limit: 2000,
    };
    if let Err(error) = check(&odd) {
        panic!("{error}");
    }
}
