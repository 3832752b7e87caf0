//! Sample-visits per second of the search of branch and bound: criterion prints elements, and an element is a visit.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relucert::certificate::branch::{NeuronClaim, SearchSettings};
use relucert::data::{TeacherSettings, teacher};
use relucert::training::{TrainingSettings, train};
use relucert::{Control, TrainingProblem};
use std::time::Duration;

/// Features, outputs and ε.
const CASES: [(usize, usize, f64); 4] = [(4, 1, 0.01), (4, 3, 0.03), (8, 1, 0.7), (8, 3, 3.0)];
/// Cells at which a search ends, closed or not: with eight features and three outputs it would take minutes.
const CELLS: u64 = 30_000;
/// Samples of the searches that show how the cost grows with them, and their ε.
const GROWTH: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const GROWTH_EPSILON: f64 = 0.3;
const SAMPLES: usize = 1000;

fn problem(samples: usize, features: usize, outputs: usize) -> TrainingProblem {
    let settings = TeacherSettings { samples, features, outputs, ..TeacherSettings::default() };
    teacher(&settings).and_then(|data| data.problem(0.01 * samples as f64)).expect("the settings are sound")
}

fn claim(problem: &TrainingProblem) -> NeuronClaim<'_> {
    let network = train(problem, &TrainingSettings::default(), &Control::new());
    let residual = problem.targets() - network.predict_for(problem.stored_features());
    NeuronClaim::new(problem, residual).expect("few dimensions")
}

fn search(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(5));
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        for (features, outputs, epsilon) in CASES {
            let problem = problem(SAMPLES, features, outputs);
            let claim = claim(&problem);
            let level = (1.0 + epsilon) * problem.weight_decay();
            let (settings, control) =
                (SearchSettings { cells: CELLS, ..SearchSettings::default() }, Control::new());
            let run = || claim.search(level, &settings, &control, &mut |_| {});
            let found = pool.install(run);
            group.throughput(Throughput::Elements(found.visits));
            let name = format!("d = {features}, c = {outputs}, {threads} threads, {} cells", found.cells);
            group.bench_function(name, |bencher| bencher.iter(|| pool.install(run)));
        }
    }
    group.finish();
}

/// One level of ever more samples of one teacher, on all threads: visits, and the power of n between the first and each.
fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("growth");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
    let mut first = None;
    for samples in GROWTH {
        let problem = problem(samples, 4, 1);
        let claim = claim(&problem);
        let level = (1.0 + GROWTH_EPSILON) * problem.weight_decay();
        let (settings, control) = (SearchSettings::default(), Control::new());
        let run = || claim.search(level, &settings, &control, &mut |_| {});
        let visits = run().visits as f64;
        let (base, least) = *first.get_or_insert((samples as f64, visits));
        if samples > GROWTH[0] {
            let power = (visits / least).ln() / (samples as f64 / base).ln();
            println!("n = {samples}: {visits:.0} visits, n^{power:.3} from {base}");
        }
        group.bench_function(format!("n = {samples}"), |bencher| bencher.iter(run));
    }
    group.finish();
}

criterion_group!(benches, search, growth);
criterion_main!(benches);
