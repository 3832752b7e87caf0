//! Sample-visits per second of the search of branch and bound: criterion prints elements, and an element is a visit.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relucert::certificate::branch::{NeuronClaim, SearchSettings};
use relucert::data::{TeacherSettings, teacher};
use relucert::training::{TrainingSettings, train};
use relucert::{Control, TrainingProblem};
use std::time::Duration;

/// Features, outputs, and the ε of a search that takes a second or less.
const CASES: [(usize, usize, f64); 4] = [(4, 1, 0.01), (4, 3, 0.03), (8, 1, 0.7), (8, 3, 3.0)];
const SAMPLES: usize = 1000;

fn problem(features: usize, outputs: usize) -> TrainingProblem {
    let settings = TeacherSettings { samples: SAMPLES, features, outputs, ..TeacherSettings::default() };
    teacher(&settings).and_then(|data| data.problem(0.01 * SAMPLES as f64)).expect("the settings are sound")
}

fn search(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(5));
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        for (features, outputs, epsilon) in CASES {
            let problem = problem(features, outputs);
            let network = train(&problem, &TrainingSettings::default(), &Control::new());
            let residual = problem.targets() - network.predict_for(problem.stored_features());
            let claim = NeuronClaim::new(&problem, residual).expect("few dimensions");
            let level = (1.0 + epsilon) * problem.weight_decay();
            let (settings, control) = (SearchSettings::default(), Control::new());
            let run = || claim.search(level, &settings, &control, &mut |_| {});
            let found = pool.install(run);
            assert!(found.proved.is_some(), "a search that proves its level");
            group.throughput(Throughput::Elements(found.visits));
            let name = format!("d = {features}, c = {outputs}, {threads} threads, {} cells", found.cells);
            group.bench_function(name, |bencher| bencher.iter(|| pool.install(run)));
        }
    }
    group.finish();
}

criterion_group!(benches, search);
criterion_main!(benches);
