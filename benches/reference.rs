//! Seconds against n of both solvers on the same teacher data, so that the point where they cross can be read off.
//!
//! cargo bench --bench reference              up to 100 samples: minutes
//! cargo bench --bench reference -- large     150 to 300 samples: half an hour, since a dense solve of 300 takes a minute

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use relucert::certify_by_interior_point;
use relucert::data::{TeacherSettings, teacher};
use relucert::interior_point::ReferenceSettings;
use relucert::training::TrainingSettings;
use relucert::{CertifySettings, Control, Method, Silent, TrainingProblem, certify};
use std::time::Duration;

/// γ/n of every problem, which keeps the problems alike as n grows.
const WEIGHT_DECAY: f64 = 1.0 / 60.0;

/// Ten features and a bias, two outputs.
fn problem(samples: usize) -> TrainingProblem {
    let settings = TeacherSettings { samples, outputs: 2, ..TeacherSettings::default() };
    teacher(&settings)
        .and_then(|data| data.problem(WEIGHT_DECAY * samples as f64))
        .expect("the settings are sound")
}

const SIZES: [usize; 4] = [25, 35, 50, 100];
const LARGE: [usize; 3] = [150, 200, 300];

/// The larger sizes are a group of their own, so that criterion's filter by name finds them alone.
fn solvers(criterion: &mut Criterion) {
    if std::env::args().any(|argument| argument == "large") {
        measure(criterion, "large", &LARGE);
    } else {
        measure(criterion, "teacher", &SIZES);
    }
}

fn measure(criterion: &mut Criterion, name: &str, sizes: &[usize]) {
    // Both train a network too; a short training leaves the time to the solvers.
    let training =
        TrainingSettings { width: 20, starts: 1, iterations: 100, rounds: 0, ..Default::default() };
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(2));
    for &samples in sizes {
        let problem = problem(samples);
        group.bench_with_input(BenchmarkId::new("low rank", samples), &problem, |bencher, problem| {
            let settings = CertifySettings {
                method: Method::LowRank,
                training: training.clone(),
                ..CertifySettings::default()
            };
            bencher.iter(|| certify(problem, &settings, &Control::new(), &mut Silent));
        });
        group.bench_with_input(BenchmarkId::new("interior point", samples), &problem, |bencher, problem| {
            let settings = ReferenceSettings::default();
            bencher.iter(|| {
                certify_by_interior_point(problem, &settings, &training, &Control::new(), &mut |_| {})
            });
        });
    }
    group.finish();
}

criterion_group!(benches, solvers);
criterion_main!(benches);
