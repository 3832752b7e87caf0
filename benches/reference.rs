//! Seconds against n of both solvers on the same teacher data, so that the point where they cross can be read off.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use relucert::certify_by_interior_point;
use relucert::data::{TeacherSettings, teacher};
use relucert::interior_point::ReferenceSettings;
use relucert::training::TrainingSettings;
use relucert::{CertifySettings, Control, Silent, TrainingProblem, certify};
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

fn solvers(criterion: &mut Criterion) {
    // Both train a network too; a short training leaves the time to the solvers.
    let training =
        TrainingSettings { width: 20, starts: 1, iterations: 100, rounds: 0, ..Default::default() };
    let mut group = criterion.benchmark_group("teacher");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(2));
    for samples in [25, 50, 100, 150, 200, 300] {
        let problem = problem(samples);
        group.bench_with_input(BenchmarkId::new("low rank", samples), &problem, |bencher, problem| {
            let settings = CertifySettings { training: training.clone(), ..CertifySettings::default() };
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
