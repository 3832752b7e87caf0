//! The same bits whatever the number of threads.

use crate::common::{gaussian, problem, published};
use faer::Mat;
use relucert::training::TrainingSettings;
use relucert::{Certified, CertifySettings, Control, Method, Silent, TrainingProblem, certify};

/// Everything a run hands out, but for times.
fn bits(certified: &Certified) -> Vec<u64> {
    let dual = certified.certificate.dual();
    let network = &certified.network;
    let mut bits = Vec::new();
    for array in [dual.w.as_ref(), network.hidden(), network.output()] {
        bits.extend(
            array.col_iter().flat_map(|column| column.iter().map(|v| v.to_bits()).collect::<Vec<_>>()),
        );
    }
    bits.extend(dual.y.iter().chain(&dual.n).map(|v| v.to_bits()));
    bits.extend(dual.pairs.iter().flatten().map(|k| *k as u64));
    let report = &certified.report;
    bits.extend(
        [report.lower_bound.value(), report.upper_bound.value(), report.relaxation_value.unwrap_or(0.0)]
            .map(f64::to_bits),
    );
    bits
}

fn assert_same_bits(problem: &TrainingProblem, settings: &CertifySettings) {
    let runs: Vec<Vec<u64>> = [1, 2, 8]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let certified =
                pool.install(|| certify(problem, settings, &Control::new(), &mut Silent).unwrap());
            assert!(certified.report.lower_bound > 0.0 && !certified.certificate.dual().n.is_empty());
            bits(&certified)
        })
        .collect();
    assert!(runs[0] == runs[1], "one thread against two");
    assert!(runs[0] == runs[2], "one thread against eight");
    let other = CertifySettings { seed: settings.seed + 1, ..settings.clone() };
    let other = certify(problem, &other, &Control::new(), &mut Silent).unwrap();
    assert!(runs[0] != bits(&other), "the comparison must be able to fail");
}

#[test]
fn a_small_problem() {
    let (x, noise) = (gaussian(1, 14, 3), gaussian(2, 14, 2));
    let y = Mat::from_fn(14, 2, |i, j| x[(i, j)].abs() + 0.3 * noise[(i, j)]);
    assert_same_bits(
        &problem(&x, &y, 0.2),
        &CertifySettings { method: Method::Relaxation, ..CertifySettings::default() },
    );
}

/// Large enough for the factorisations that are shared between threads.
#[test]
fn iris_to_a_loose_tolerance() {
    let Some((x, y)) = published("iris_train") else { return };
    let training = TrainingSettings {
        width: 20,
        starts: 2,
        iterations: 100,
        rounds: 2,
        seed: 0,
        ..TrainingSettings::default()
    };
    let settings = CertifySettings {
        method: Method::Relaxation,
        tolerance: 0.2,
        training,
        ..CertifySettings::default()
    };
    assert_same_bits(&problem(&x, &y, 0.5), &settings);
}

/// Large enough for Newton systems without a matrix.
#[test]
fn a_hundred_and_thirty_samples() {
    let (x, noise) = (gaussian(3, 130, 6), gaussian(4, 130, 2));
    let y = Mat::from_fn(130, 2, |i, j| x[(i, j)].abs() - x[(i, 2)].max(0.0) + 0.3 * noise[(i, j)]);
    let training = TrainingSettings {
        width: 20,
        starts: 1,
        iterations: 100,
        rounds: 1,
        seed: 0,
        ..TrainingSettings::default()
    };
    let settings = CertifySettings {
        method: Method::Relaxation,
        tolerance: 0.02,
        training,
        ..CertifySettings::default()
    };
    assert_same_bits(&problem(&x, &y, 3.0), &settings);
}
