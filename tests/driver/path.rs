//! Paths of weight decays: where they begin, bounds between bounds, folds and choices.

use crate::common::{gaussian, problem};
use faer::Mat;
use relucert::data::{Dataset, TeacherSettings, teacher};
use relucert::path::{Gammas, Path, PathSettings, Preparing, least_zero_decay, trace};
use relucert::training::{TrainingSettings, train};
use relucert::{Control, Network};

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|k| format!("{prefix}{k}")).collect()
}

fn data(seed: u64, samples: usize, features: usize) -> Dataset {
    let settings = TeacherSettings { samples, features, outputs: 1, width: 3, noise: 0.2, seed };
    teacher(&settings).unwrap()
}

fn path(data: &Dataset, settings: &PathSettings) -> Path {
    trace(data, settings, &Control::new(), &mut |_| {}).unwrap()
}

#[test]
fn the_least_weight_decay_without_neurons_is_the_largest_pull_over_all_directions() {
    let training = TrainingSettings::default();
    for (seed, d) in [(1, 1), (2, 2), (3, 3), (4, 5)] {
        let (x, y) = (gaussian(seed, 12, d), gaussian(seed + 50, 12, 2));
        // Whatever the weight decay of the problem that is asked.
        let found = least_zero_decay(&problem(&x, &y, 7.0), &training, &Control::new()).unwrap();
        let proved = found.proved.expect("few dimensions");
        assert!(found.estimate <= proved && proved <= 1.002 * found.estimate, "{found:?}");
        let pull = |u: &Mat<f64>| {
            let activation = &x * u;
            let activation = Mat::from_fn(12, 1, |i, _| activation[(i, 0)].max(0.0));
            (y.transpose() * &activation).norm_l2() / u.norm_l2()
        };
        let tried = (0..20_000).map(|k| pull(&gaussian(1000 + k, d, 1))).fold(0.0, f64::max);
        assert!(tried <= proved, "{tried} {found:?}");
        assert!(tried >= 0.8 * found.estimate, "{tried} {found:?}");
        // Below it a neuron pays, above it none does.
        let below = problem(&x, &y, 0.95 * found.estimate);
        assert!(train(&below, &training, &Control::new()).width() > 0);
        let above = problem(&x, &y, 1.001 * proved);
        assert_eq!(train(&above, &training, &Control::new()).width(), 0);
    }
}

#[test]
fn bounds_stay_below_every_network_and_follow_from_each_other() {
    let data = data(3, 40, 2);
    let settings = PathSettings {
        gammas: Gammas::Range { from: 20.0, to: 0.05, count: 9 },
        bounds: 3,
        folds: 0,
        preparing: Preparing { standardize: true, bias: true },
        ..PathSettings::default()
    };
    let path = path(&data, &settings);
    assert_eq!((path.points.len(), path.asked), (9, 9));
    assert_eq!(path.points.iter().filter(|point| point.is_certified).count(), 3);
    let whole = data.standardized().with_bias();
    for point in &path.points {
        let lower = point.lower_bound.expect("bounds were asked for");
        let problem = whole.problem(point.gamma).unwrap();
        // Not only the networks of the path: those trained from nothing, and those of its other weight decays.
        let mut networks = vec![train(&problem, &TrainingSettings::default(), &Control::new())];
        networks.extend(path.points.iter().map(|other| other.network.clone()));
        networks.push(Network::empty(3, 1));
        for network in networks {
            assert!(network.objective_upper(&problem) >= lower.value(), "{}", point.gamma);
        }
        assert!(point.cross_validated().is_none());
    }
    // In three dimensions the certified ones are within their tolerance, and those between not far from it.
    for point in &path.points {
        let gap = 1.0 - point.lower_bound.unwrap().value() / point.upper_bound.value();
        assert!(gap < if point.is_certified { 0.021 } else { 0.35 }, "{} {gap}", point.gamma);
    }
    assert!(path.least_error().is_none() && path.one_standard_error().is_none());
}

#[test]
fn networks_of_a_path_are_no_worse_than_those_from_nothing() {
    let data = data(5, 120, 6);
    let settings = PathSettings {
        gammas: Gammas::Range { from: 40.0, to: 0.2, count: 8 },
        bounds: 0,
        folds: 4,
        preparing: Preparing { standardize: true, bias: true },
        ..PathSettings::default()
    };
    let path = path(&data, &settings);
    let whole = data.standardized().with_bias();
    let mut product = 1.0;
    for point in &path.points {
        let problem = whole.problem(point.gamma).unwrap();
        let ratio = point.upper_bound.value()
            / train(&problem, &TrainingSettings::default(), &Control::new()).objective(&problem);
        assert!(ratio < 1.01, "{}: {ratio}", point.gamma);
        product *= ratio;
    }
    assert!(product < 1.01, "{product}");
}

#[test]
fn folds_hold_back_each_sample_once_and_classes_evenly() {
    // One feature tells the class, but for one sample, which is wrong whenever it is held back.
    let n = 40;
    let x = Mat::from_fn(n, 1, |i, _| if i % 4 == 0 { 1.0 } else { -1.0 });
    let mut labels: Vec<usize> = (0..n).map(|i| usize::from(i % 4 == 0)).collect();
    labels[7] = 1;
    let data = Dataset::classification(x, &labels, names("x", 1), names("c", 2)).unwrap();
    let settings = PathSettings {
        gammas: Gammas::List(vec![0.1, 1.0]),
        bounds: 0,
        folds: 5,
        preparing: Preparing { standardize: false, bias: true },
        ..PathSettings::default()
    };
    let path = path(&data, &settings);
    assert_eq!(path.points.iter().map(|point| point.gamma).collect::<Vec<_>>(), [1.0, 0.1]);
    for point in &path.points {
        assert_eq!(point.fold_errors.len(), 5);
        let mut errors = point.fold_errors.clone();
        errors.sort_by(f64::total_cmp);
        assert_eq!(errors[..4], [0.0; 4]);
        assert!((errors[4] - 1.0 / 8.0).abs() < 0.02, "{errors:?}");
        let (mean, error) = point.cross_validated().unwrap();
        assert!((mean - errors[4] / 5.0).abs() < 1e-12 && (error - mean).abs() < 1e-12, "{mean} {error}");
    }
    // Of equal errors the larger weight decay.
    assert_eq!((path.least_error(), path.one_standard_error()), (Some(0), Some(0)));
}

#[test]
fn a_path_that_is_stopped_ends_with_what_is_done() {
    let data = data(6, 60, 4);
    let control = Control::new();
    let settings = PathSettings { bounds: 0, folds: 2, ..PathSettings::default() };
    let stopping = control.clone();
    let stopped = trace(&data, &settings, &control, &mut |done| {
        if done.trained == 3 {
            stopping.cancel();
        }
    });
    let stopped = stopped.unwrap();
    assert_eq!((stopped.points.len(), stopped.asked), (3, 20));
    let whole = path(&data, &settings);
    for (a, b) in stopped.points.iter().zip(&whole.points) {
        assert_eq!((a.gamma, a.upper_bound, &a.fold_errors), (b.gamma, b.upper_bound, &b.fold_errors));
    }
}
