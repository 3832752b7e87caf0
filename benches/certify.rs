//! What a certificate is made of, and the whole: teacher data, d = 10 and a bias, c = 3, γ/n = 1/60.
//!
//! Throughput: pairs a second for the gradient, unknowns for the Hessian, pairs looked at for the scan, products
//! for Lanczos, samples for the proof and for a whole certificate.

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use faer::Mat;
use relucert::certificate::prove;
use relucert::data::{TeacherSettings, teacher};
use relucert::dual::{DualPoint, Slack};
use relucert::linalg::lanczos::{LanczosSettings, smallest_eigenpairs};
use relucert::low_rank::{
    AugmentedLagrangian, HessianAssembler, Hinge, ProductScratch, Workspace, hessian_product, start,
};
use relucert::relaxation::{Lifting, PairSet, scan_violations};
use relucert::repair::certify_dual;
use relucert::training::{TrainingSettings, train};
use relucert::{CertifySettings, Control, Method, Silent, TrainingProblem, certify};
use std::hint::black_box;
use std::time::Duration;

const SIZES: [usize; 2] = [100, 300];
/// Columns of the factor: about the rank of the optimum.
const COLUMNS: usize = 14;

fn problem(samples: usize) -> TrainingProblem {
    let data = teacher(&TeacherSettings { samples, ..TeacherSettings::default() }).expect("valid settings");
    data.problem(samples as f64 / 60.0).expect("positive weight decay")
}

fn solver_kernels(c: &mut Criterion) {
    let mut group = c.benchmark_group("solver");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for n in SIZES {
        let problem = problem(n);
        let settings =
            TrainingSettings { starts: 1, rounds: 0, iterations: 50, ..TrainingSettings::default() };
        let network = train(&problem, &settings, &Control::new());
        let lifting = Lifting::new(&problem).expect("finite data");
        let factor = start(&lifting, &network, COLUMNS, 0);
        let set = PairSet::new(&lifting, 4);
        let lagrangian = AugmentedLagrangian {
            lifting: &lifting,
            set: &set,
            equality_penalty: 1.0,
            hinge: Hinge { penalty: 1.0, smoothing: 1e-4 },
        };
        let (mut work, mut gradient) = (Workspace::default(), Vec::new());
        group.throughput(Throughput::Elements(set.len() as u64));
        group.bench_function(BenchmarkId::new("value and gradient (pairs)", n), |b| {
            b.iter(|| {
                let value = lagrangian.value(&factor, &mut work);
                lagrangian.gradient(&factor, &mut work, &mut gradient);
                black_box(value)
            });
        });
        let size = factor.values.len();
        let mut assembler = HessianAssembler::new(&lifting);
        let mut hessian = Mat::zeros(size, size);
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("Hessian assembly (unknowns)", n), |b| {
            b.iter(|| assembler.assemble(&lagrangian, &factor, &work, black_box(&mut hessian)));
        });
        let (mut scratch, mut out) = (ProductScratch::default(), vec![0.0; size]);
        group.bench_function(BenchmarkId::new("Hessian product (unknowns)", n), |b| {
            b.iter(|| {
                hessian_product(&lagrangian, &factor, &work, &factor.values, &mut scratch, &mut out);
                black_box(&mut out);
            });
        });
        group.throughput(Throughput::Elements(2 * (n * n) as u64));
        group.bench_function(BenchmarkId::new("scan (pairs looked at)", n), |b| {
            b.iter(|| black_box(scan_violations(&lifting, &work.p, COLUMNS, 1e-3, 6)));
        });
    }
    group.finish();
}

fn proof_kernels(c: &mut Criterion) {
    let mut group = c.benchmark_group("proof");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for n in SIZES {
        let problem = problem(n);
        let guess = DualPoint { w: problem.targets().to_owned(), ..DualPoint::zero(n, problem.outputs()) };
        let (certificate, _) = certify_dual(&problem, &guess).expect("well formed");
        let slack = Slack::new(&problem, certificate.dual()).expect("well formed");
        let settings = LanczosSettings { count: 1, max_steps: 60, tolerance: 0.0, seed: 0 };
        group.throughput(Throughput::Elements(60));
        group.bench_function(BenchmarkId::new("Lanczos (products)", n), |b| {
            b.iter(|| black_box(smallest_eigenpairs(&slack, &settings)));
        });
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("verified Cholesky (samples)", n), |b| {
            b.iter(|| black_box(prove(&problem, &certificate)));
        });
    }
    group.finish();
}

fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("certify");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(10));
    let settings = CertifySettings {
        method: Method::Relaxation,
        tolerance: 5e-2,
        training: TrainingSettings { starts: 1, rounds: 3, iterations: 200, ..TrainingSettings::default() },
        ..CertifySettings::default()
    };
    for n in SIZES {
        let problem = problem(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("to 5 % (samples)", n), |b| {
            b.iter(|| black_box(certify(&problem, &settings, &Control::new(), &mut Silent)));
        });
    }
    group.finish();
}

criterion_group!(benches, solver_kernels, proof_kernels, whole);
criterion_main!(benches);
