//! The whole road against published values, other routes to the same number, and odd inputs.

use crate::common::{gaussian, problem, published, run};
use faer::Mat;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;
use relucert::certificate::{Grade, prove};
use relucert::data::Dataset;
use relucert::low_rank::{LowRankSolver, SolverSettings, start};
use relucert::relaxation::Lifting;
use relucert::repair::{RepairSettings, certify_dual, dual_point, repair};
use relucert::report::Status;
use relucert::training::{TrainingSettings, polish, train};
use relucert::{
    Blocks, Certified, CertifySettings, Control, Method, Network, Silent, TrainingProblem, certify,
};

/// Value of the relaxation with its relative width, and the best trained network known.
struct Reference {
    data: &'static str,
    gamma: f64,
    value: f64,
    width: f64,
    network: f64,
}

const fn reference(data: &'static str, gamma: f64, value: f64, width: f64, network: f64) -> Reference {
    Reference { data, gamma, value, width, network }
}

/// Raw features, no bias: `docs/mathematics.md`, section 6.
const REFERENCES: [Reference; 14] = [
    reference("random_00", 0.1, 8.1014247, 1e-7, 8.90535),
    reference("random_00", 0.01, 0.84821447, 2e-7, 1.03282),
    reference("random_01", 0.1, 6.9150030, 1e-8, 7.68241),
    reference("random_01", 0.01, 0.73278160, 3e-7, 0.90915),
    reference("random_02", 0.1, 7.5978683, 7e-8, 8.02771),
    reference("random_02", 0.01, 0.79088429, 9e-8, 0.89068),
    reference("random_03", 0.1, 8.0455211, 2e-8, 8.35523),
    reference("random_03", 0.01, 0.82476577, 1e-8, 0.90358),
    reference("random_04", 0.1, 6.9514519, 9e-8, 7.61696),
    reference("random_04", 0.01, 0.71222468, 4e-7, 0.83480),
    reference("spiral", 0.1, 16.243526, 1e-6, 16.59336),
    reference("spiral", 0.01, 11.85226, 2e-5, 15.15903),
    reference("iris_train", 0.1, 1.67177, 3e-5, 2.53544),
    reference("iris_train", 0.01, 0.31379, 4e-4, 0.78769),
];

/// Half a unit of the eighth digit, to which the values are printed.
const PRINTED: f64 = 5e-8;

fn check_references(data: &str) {
    for case in REFERENCES.iter().filter(|case| case.data == data) {
        let Some((x, y)) = published(case.data) else { return };
        let report = run(&problem(&x, &y, case.gamma)).report;
        let name = format!("{} at {}: {:?} {:?}", case.data, case.gamma, report.status, report.seconds);
        let (lower, relaxed, upper) =
            (report.lower_bound.value(), report.relaxation_value.unwrap(), report.upper_bound.value());
        eprintln!("{name} lower/SDP {} value/SDP {}", lower / case.value, relaxed / case.value);
        assert_eq!(report.grade, Grade::Verified, "{name}");
        assert!(lower >= 0.999 * case.value, "{name}: {lower} against {}", case.value);
        assert!(lower <= case.value * (1.0 + case.width + PRINTED), "{name}: {lower} above {}", case.value);
        assert!((relaxed - case.value).abs() <= 1e-3 * case.value, "{name}: value {relaxed}");
        assert!(upper <= 1.01 * case.network, "{name}: network {upper} against {}", case.network);
        assert!(upper >= case.value * (1.0 - case.width - PRINTED), "{name}: network {upper} too good");
    }
}

macro_rules! published_values {
    ($($name:ident $data:literal),*) => {$(
        #[test]
        fn $name() {
            check_references($data);
        }
    )*};
}

published_values!(
    published_values_of_random_0 "random_00",
    published_values_of_random_1 "random_01",
    published_values_of_random_2 "random_02",
    published_values_of_random_3 "random_03",
    published_values_of_random_4 "random_04",
    published_values_of_spiral "spiral",
    published_values_of_iris "iris_train"
);

/// What every finished run must satisfy, whatever the data.
fn assert_sound(problem: &TrainingProblem, certified: &Certified) {
    let report = &certified.report;
    assert_eq!(report.grade, Grade::Verified);
    assert_eq!(prove(problem, &certified.certificate).unwrap().lower_bound(), report.lower_bound);
    assert!(report.lower_bound >= 0.0 && report.lower_bound <= report.upper_bound, "{report:?}");
    assert!(certified.network.objective(problem) <= report.upper_bound.value(), "{report:?}");
    assert!(report.upper_bound <= problem.zero_objective() * (1.0 + 1e-12), "{report:?}");
}

fn check_unseen(gamma: f64) {
    for seed in [71, 72] {
        // The published sets: targets quadratic in scale, and features of two dimensions.
        let x = gaussian(seed, 25, 2);
        let mixing = gaussian(seed + 1000, 2, 5);
        let noise = gaussian(seed + 2000, 25, 5);
        let y = Mat::from_fn(25, 5, |i, j| {
            let z = x[(i, 0)] * mixing[(0, j)] + x[(i, 1)] * mixing[(1, j)];
            4.0 * z.max(0.0) - 2.0 * (z * z).min(9.0) + noise[(i, j)]
        });
        let problem = problem(&x, &y, gamma);
        let certified = run(&problem);
        assert_sound(&problem, &certified);
        assert!(certified.report.solver_gap.unwrap() <= 1e-3, "seed {seed}, {gamma}: {:?}", certified.report);
    }
}

#[test]
fn unseen_random_sets_close_the_solver_gap() {
    check_unseen(0.1);
}

#[test]
fn unseen_random_sets_close_the_solver_gap_at_a_small_weight_decay() {
    check_unseen(0.01);
}

fn standardised(x: &Mat<f64>, y: &Mat<f64>, gamma: f64) -> TrainingProblem {
    let names = |prefix: &str, count: usize| (0..count).map(|k| format!("{prefix}{k}")).collect();
    Dataset::regression(x.clone(), y.clone(), names("x", x.ncols()), names("y", y.ncols()))
        .and_then(|data| data.standardized().with_bias().problem(gamma))
        .unwrap()
}

#[test]
fn standardised_iris_closes_the_gap() {
    let Some((x, y)) = published("iris_train") else { return };
    let problem = standardised(&x, &y, 5.0);
    let certified = run(&problem);
    assert_sound(&problem, &certified);
    let report = &certified.report;
    assert!(report.solver_gap.unwrap() <= 1e-3 && report.gap < 0.02, "{report:?}");
    assert_eq!(report.status, Status::Converged);
}

#[test]
fn shuffled_mnist_closes_the_solver_gap() {
    let Some((x, y)) = published("mnist_pca_train") else { return };
    let mut order: Vec<usize> = (0..x.nrows()).collect();
    order.shuffle(&mut Pcg64::seed_from_u64(0));
    let rows = |a: &Mat<f64>| Mat::from_fn(300, a.ncols(), |i, j| a[(order[i], j)]);
    let problem = standardised(&rows(&x), &rows(&y), 5.0);
    let certified = run(&problem);
    eprintln!("{:?}", certified.report);
    assert_sound(&problem, &certified);
    assert!(certified.report.solver_gap.unwrap() <= 1e-3, "{:?}", certified.report);
}

/// A problem small enough to be solved to four digits in a moment.
fn small(seed: u64) -> (Mat<f64>, Mat<f64>) {
    let (x, noise) = (gaussian(seed, 12, 3), gaussian(seed + 500, 12, 2));
    let y = Mat::from_fn(12, 2, |i, j| x[(i, j)].abs() + 0.5 * x[(i, 2)] + 0.3 * noise[(i, j)]);
    (x, y)
}

const SMALL_GAMMA: f64 = 0.4;

fn quick(problem: &TrainingProblem, tolerance: f64) -> Certified {
    let training = TrainingSettings {
        width: 8,
        starts: 1,
        iterations: 100,
        rounds: 2,
        seed: 0,
        ..TrainingSettings::default()
    };
    let settings =
        CertifySettings { method: Method::Relaxation, tolerance, training, ..CertifySettings::default() };
    certify(problem, &settings, &Control::new(), &mut Silent).unwrap()
}

/// Bound and value of two problems that must agree but for a constant.
fn assert_same(what: &str, one: &TrainingProblem, other: &TrainingProblem, constant: f64) {
    const TOLERANCE: f64 = 2e-4;
    let [a, b] = [one, other].map(|problem| {
        let certified = quick(problem, TOLERANCE);
        assert_sound(problem, &certified);
        assert!(certified.report.solver_gap.unwrap() <= TOLERANCE, "{what}: {:?}", certified.report);
        certified.report
    });
    for (x, y) in [
        (a.lower_bound.value(), b.lower_bound.value() - constant),
        (a.relaxation_value.unwrap(), b.relaxation_value.unwrap() - constant),
    ] {
        assert!((x - y).abs() <= 1.5 * TOLERANCE * b.relaxation_value.unwrap(), "{what}: {x} against {y}");
    }
}

#[test]
fn the_order_of_samples_and_the_axes_of_features_do_not_matter() {
    let (x, y) = small(1);
    let one = problem(&x, &y, SMALL_GAMMA);
    let reversed = |a: &Mat<f64>| Mat::from_fn(12, a.ncols(), |i, j| a[((5 * i + 3) % 12, j)]);
    assert_same("permutation", &one, &problem(&reversed(&x), &reversed(&y), SMALL_GAMMA), 0.0);
    let v = [0.6f64, -0.3, 0.5];
    let square: f64 = v.iter().map(|v| v * v).sum();
    let reflection = Mat::from_fn(3, 3, |i, j| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / square);
    assert_same("rotation", &one, &problem(&(&x * &reflection), &y, SMALL_GAMMA), 0.0);
}

#[test]
fn scaling_the_features_is_scaling_the_weight_decay() {
    let (x, y) = small(2);
    let one = problem(&x, &y, SMALL_GAMMA);
    for a in [1e-3, 7.0, 1e4] {
        let scaled = Mat::from_fn(12, 3, |i, j| a * x[(i, j)]);
        assert_same("homogeneity", &one, &problem(&scaled, &y, a * SMALL_GAMMA), 0.0);
    }
}

#[test]
fn a_feature_given_twice_is_the_feature_times_the_root_of_two() {
    let (x, y) = small(3);
    let twice = Mat::from_fn(12, 4, |i, j| x[(i, j.min(2))]);
    let stretched = Mat::from_fn(12, 3, |i, j| x[(i, j)] * if j == 2 { 2f64.sqrt() } else { 1.0 });
    assert_same("twice", &problem(&stretched, &y, SMALL_GAMMA), &problem(&twice, &y, SMALL_GAMMA), 0.0);
}

#[test]
fn a_sample_may_be_split_in_two_and_zero_samples_cost_their_targets() {
    let (x, y) = small(4);
    let one = problem(&x, &y, SMALL_GAMMA);
    let split = |a: &Mat<f64>| {
        Mat::from_fn(13, a.ncols(), |i, j| a[(i.min(11), j)] * if i >= 11 { 0.5f64.sqrt() } else { 1.0 })
    };
    assert_same("split", &one, &problem(&split(&x), &split(&y), SMALL_GAMMA), 0.0);
    let longer = |a: &Mat<f64>, last: f64| {
        Mat::from_fn(13, a.ncols(), |i, j| if i < 12 { a[(i, j)] } else { last * (1.0 + j as f64) })
    };
    // ½(0.7² + 1.4²)
    assert_same("zero row", &one, &problem(&longer(&x, 0.0), &longer(&y, 0.7), SMALL_GAMMA), 1.225);
}

#[test]
fn every_dual_point_bounds_every_network() {
    for (seed, gamma) in [(5, 0.05), (6, 0.4), (7, 2.0)] {
        let (x, y) = small(seed);
        let problem = problem(&x, &y, gamma);
        let control = Control::new();
        let training = TrainingSettings {
            width: 8,
            starts: 1,
            iterations: 100,
            rounds: 2,
            seed,
            ..TrainingSettings::default()
        };
        let trained = train(&problem, &training, &control);
        let random = Network::new(gaussian(seed, 3, 4), gaussian(seed + 1, 2, 4)).unwrap();
        let polished = polish(&problem, random.hidden(), &training, &control);
        let networks = [trained, random, polished, Network::empty(3, 2)];

        let lifting = Lifting::new(&problem).unwrap();
        let factor = start(&lifting, &networks[0], 8, seed);
        let mut solver = LowRankSolver::new(&lifting, SolverSettings::default(), factor).unwrap();
        let mut bounds = Vec::new();
        for _ in 0..12 {
            let level = solver.advance(&control);
            let dual = dual_point(&problem, &lifting, &level.multipliers, &level.residual);
            let repaired = repair(&problem, &dual, &RepairSettings::default(), &Control::new()).unwrap();
            let (certificate, proof) = certify_dual(&problem, &dual).unwrap();
            assert_eq!(proof.grade(), Grade::Verified);
            assert!(certificate.dual().n.iter().all(|n| *n >= 0.0));
            for network in &networks {
                let objective = network.objective(&problem);
                assert!(proof.lower_bound() <= objective, "{} {objective}", proof.lower_bound());
                assert!(repaired.estimated_bound <= objective * (1.0 + 1e-9), "{repaired:?} {objective}");
            }
            bounds.push(proof.lower_bound().value());
        }
        let best = networks.iter().map(|n| n.objective(&problem)).fold(f64::INFINITY, f64::min);
        let highest = bounds.iter().copied().fold(0.0, f64::max);
        assert!(highest > 0.5 * best, "the bounds must say something: {bounds:?} against {best}");
        assert!(bounds.first() != bounds.last(), "the stages must differ");
    }
}

#[test]
fn one_sample_is_solved_in_closed_form() {
    // One neuron along x: min over t of ½(|y| − t)² + γt/|x|.
    let x = Mat::from_fn(1, 3, |_, j| [0.3, -1.2, 0.4][j]);
    let y = Mat::from_fn(1, 2, |_, j| [1.5, -2.0][j]);
    let (length, target) = (1.69f64.sqrt(), 2.5);
    for gamma in [0.1, 1.0, 100.0] {
        let price: f64 = gamma / length;
        let optimum =
            if price < target { price * target - 0.5 * price * price } else { 0.5 * target * target };
        let problem = problem(&x, &y, gamma);
        let certified = run(&problem);
        assert_sound(&problem, &certified);
        let report = &certified.report;
        assert!(report.lower_bound <= optimum * (1.0 + 1e-12), "{report:?} {optimum}");
        assert!(report.lower_bound >= 0.999 * optimum, "{report:?} {optimum}");
        assert!((report.upper_bound.value() - optimum).abs() <= 1e-6 * optimum, "{report:?} {optimum}");
    }
}

#[test]
fn nothing_to_fit_and_nothing_to_fit_with() {
    let (x, y) = small(8);
    let zero_targets = problem(&x, &Mat::zeros(12, 2), 0.5);
    let certified = run(&zero_targets);
    assert_sound(&zero_targets, &certified);
    assert_eq!((certified.report.lower_bound.value(), certified.report.upper_bound.value()), (0.0, 0.0));

    let zero_features = problem(&Mat::zeros(12, 3), &y, 0.5);
    let certified = run(&zero_features);
    assert_sound(&zero_features, &certified);
    let optimum = zero_features.zero_objective();
    let report = &certified.report;
    assert!((report.upper_bound.value() - optimum).abs() <= 1e-9 * optimum, "{report:?}");
    assert!(report.lower_bound >= optimum * (1.0 - 1e-3), "every network predicts zero: {report:?}");
}

#[test]
fn more_features_than_samples() {
    let (x, y) = (gaussian(9, 5, 9), gaussian(10, 5, 2));
    let problem = problem(&x, &y, 0.3);
    let certified = run(&problem);
    assert_sound(&problem, &certified);
    assert!(certified.report.solver_gap.unwrap() <= 1e-3, "{:?}", certified.report);
}

#[test]
fn a_weight_decay_that_kills_every_neuron_leaves_the_zero_network() {
    let (x, y) = small(11);
    let problem = problem(&x, &y, 1e3);
    let certified = run(&problem);
    assert_sound(&problem, &certified);
    let optimum = problem.zero_objective();
    assert_eq!(certified.network.width(), 0);
    assert!(certified.report.lower_bound >= 0.999 * optimum, "{:?} {optimum}", certified.report);
}

#[test]
fn the_seconds_of_the_phases_add_up_to_those_of_the_run() {
    let (x, y) = small(5);
    let problem = problem(&x, &y, 0.1);
    for blocks in [1, 2] {
        let settings = CertifySettings { blocks: Blocks::Count(blocks), ..CertifySettings::default() };
        let started = std::time::Instant::now();
        let report = certify(&problem, &settings, &Control::new(), &mut Silent).unwrap().report;
        let wall = started.elapsed().as_secs_f64();
        let s = report.seconds;
        let sum = s.load + s.solve + s.certify + s.round;
        assert!(sum <= wall, "{sum} of {wall} s with {blocks} blocks");
        // What is left over is the report itself.
        assert!(sum >= 0.5 * wall, "{sum} of {wall} s with {blocks} blocks");
    }
}
