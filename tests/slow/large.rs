//! Proofs at orders far beyond what the solver reaches: `cargo test --release --test slow -- --ignored --nocapture`.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::certificate::{Certificate, Grade, ProofSettings, dense_limit, prove_with};
use relucert::dual::DualPoint;
use relucert::peak_memory_bytes;
use relucert::{Features, TrainingProblem};
use std::time::Instant;

/// A random problem and a dual point that is feasible by diagonal dominance.
///
/// With y = −η each s_i has η/2 on the diagonal and each g_i = x_iᵀu as much taken off; a pair adds at most N/2 to a row.
/// η is so small that nη|x|²/2 stays far below γ, and |W|² so small against γη that the rank-c term is dominated.
fn dominated(n: usize, d: usize, steps: &[usize]) -> (TrainingProblem, DualPoint) {
    let mut rng = Pcg64::seed_from_u64(n as u64);
    let x = Mat::from_fn(n, d, |_, _| rng.sample::<f64, _>(StandardNormal));
    let y = Mat::from_fn(n, 3, |_, _| rng.sample::<f64, _>(StandardNormal));
    let problem = TrainingProblem::new(Features::from(x), y, n as f64 / 60.0).unwrap();
    // λ_max(XᵀX) is about n(1 + √(d/n))², so that η = γ/2n leaves about three quarters of γ.
    let eta = problem.weight_decay() / (2.0 * n as f64);
    let size = 0.3 * (problem.weight_decay() * eta / n as f64).sqrt();
    let mut dual = DualPoint { y: vec![-eta; n], ..DualPoint::zero(n, 3) };
    dual.w = Mat::from_fn(n, 3, |i, k| size * problem.targets()[(i, k)]);
    for i in 0..n {
        for step in steps {
            dual.pairs.push([i, (i + step) % n + n]);
            dual.n.push(0.02 * eta);
        }
    }
    (problem, dual)
}

fn check(n: usize) {
    let (problem, dual) = dominated(n, 20, &[1, 7, 31]);
    let started = Instant::now();
    let settings = ProofSettings { sparse: false, positive: false, ..ProofSettings::default() };
    let proof = prove_with(&problem, &Certificate::new(dual.clone()), &settings).unwrap();
    println!(
        "n = {n}: {:.1} s, bound {:.6}, peak memory {:.0} MiB, limit {}",
        started.elapsed().as_secs_f64(),
        proof.lower_bound(),
        peak_memory_bytes().unwrap_or(0) as f64 / f64::from(1 << 20),
        dense_limit()
    );
    assert_eq!(proof.grade(), Grade::Verified);
    assert!(proof.lower_bound() > 0.0);
    let larger = DualPoint { w: Mat::from_fn(n, 3, |i, k| 20.0 * dual.w[(i, k)]), ..dual };
    let started = Instant::now();
    assert!(prove_with(&problem, &Certificate::new(larger), &settings).is_err());
    println!("refused after {:.1} s", started.elapsed().as_secs_f64());
}

#[test]
fn beyond_one_panel_and_the_first_degree_of_parallelism() {
    check(1500);
}

#[test]
#[ignore = "takes a minute"]
fn five_thousand_samples() {
    check(5000);
}

#[test]
#[ignore = "takes minutes and 4 GiB"]
fn twenty_thousand_samples() {
    check(20_000);
}

#[test]
#[ignore = "takes minutes"]
fn a_hundred_thousand_samples_by_chance() {
    for n in [5000, 20_000, 100_000] {
        let (problem, dual) = dominated(n, 20, &[1, 7, 31]);
        let settings = ProofSettings {
            dense_limit: Some(0),
            sparse: false,
            positive: false,
            ..ProofSettings::default()
        };
        let started = Instant::now();
        let proof = prove_with(&problem, &Certificate::new(dual.clone()), &settings).unwrap();
        println!(
            "n = {n}: {:.1} s, bound {:.6}, {:?} {:e}, peak memory {:.0} MiB",
            started.elapsed().as_secs_f64(),
            proof.lower_bound(),
            proof.grade(),
            proof.failure_probability(),
            peak_memory_bytes().unwrap_or(0) as f64 / f64::from(1 << 20),
        );
        assert_eq!((proof.grade(), proof.failure_probability()), (Grade::Probabilistic, 1e-9));
        let larger = DualPoint { w: Mat::from_fn(n, 3, |i, k| 20.0 * dual.w[(i, k)]), ..dual };
        assert!(prove_with(&problem, &Certificate::new(larger), &settings).is_err());
    }
}

/// No dense matrix of this order is formed: the time and the memory show it.
fn check_sparse(n: usize, steps: &[usize], megabytes: u64) {
    let (problem, dual) = dominated(n, 20, steps);
    let settings = ProofSettings { dense_limit: Some(0), positive: false, ..ProofSettings::default() };
    let started = Instant::now();
    let proof = prove_with(&problem, &Certificate::new(dual.clone()), &settings).unwrap();
    let peak = peak_memory_bytes().unwrap_or(0) >> 20;
    println!(
        "n = {n}, pairs at {steps:?}: {:.1} s, bound {:.6}, peak memory {peak} MiB",
        started.elapsed().as_secs_f64(),
        proof.lower_bound(),
    );
    assert_eq!(proof.grade(), Grade::Verified);
    assert!(proof.lower_bound() > 0.0 && peak < megabytes);
    let mut larger = dual;
    larger.n[n / 2] *= 1000.0;
    let started = Instant::now();
    assert!(prove_with(&problem, &Certificate::new(larger), &settings).is_err());
    println!("refused after {:.1} s", started.elapsed().as_secs_f64());
}

#[test]
fn a_chain_of_thirty_thousand_samples() {
    check_sparse(30_000, &[1], 1000);
}

#[test]
#[ignore = "takes a minute"]
fn sparse_to_a_quarter_of_a_million_samples() {
    check_sparse(50_000, &[1, 7, 31], 2000);
    check_sparse(250_000, &[1], 4000);
    // A mesh, whose factor ends in a dense matrix.
    check_sparse(50_000, &[1, 224], 4000);
    // Four partners in all directions: much fill.
    check_sparse(20_000, &[1, 137, 2741, 7919], 8000);
}

/// No factorisation at all: time and memory are those of products with the pairs.
fn check_by_vector(n: usize, steps: &[usize], megabytes: u64) {
    let (problem, dual) = dominated(n, 10, steps);
    let settings = ProofSettings { dense_limit: Some(0), sparse: false, ..ProofSettings::default() };
    let started = Instant::now();
    let proof = prove_with(&problem, &Certificate::new(dual.clone()), &settings).unwrap();
    let peak = peak_memory_bytes().unwrap_or(0) >> 20;
    println!(
        "n = {n}, {} pairs a sample: {:.1} s, bound {:.6}, peak memory {peak} MiB",
        steps.len(),
        started.elapsed().as_secs_f64(),
        proof.lower_bound(),
    );
    assert_eq!(proof.grade(), Grade::Verified);
    assert!(proof.lower_bound() > 0.0 && peak < megabytes);
    let mut larger = dual;
    larger.n[n / 2] *= 1000.0;
    let started = Instant::now();
    assert!(prove_with(&problem, &Certificate::new(larger), &settings).is_err());
    println!("refused after {:.1} s", started.elapsed().as_secs_f64());
}

#[test]
fn ten_thousand_samples_by_a_positive_vector() {
    check_by_vector(10_000, &[1, 7, 31, 137, 977], 500);
}

#[test]
#[ignore = "takes a minute"]
fn a_hundred_thousand_samples_by_a_positive_vector() {
    check_by_vector(100_000, &[1, 7, 31, 137, 977, 1999, 3989, 7919, 15_859, 31_957], 1000);
    check_by_vector(250_000, &[1], 1000);
}

/// Copies of a certificate side by side, their samples shuffled, are one of as many times the weight decay: as hard as the
/// original for conjugate gradients, and in no order. `RELUCERT_COPIED` names a folder that `certify --save` wrote.
#[test]
#[ignore = "needs a saved certificate"]
fn copies_of_a_saved_certificate_by_a_positive_vector() {
    let Some(folder) = std::env::var_os("RELUCERT_COPIED").map(std::path::PathBuf::from) else { return };
    let copies: usize = std::env::var("RELUCERT_COPIES").ok().and_then(|k| k.parse().ok()).unwrap_or(10);
    let problem = relucert::io::load_problem(&folder.join("problem.npz")).unwrap();
    let one = relucert::io::load_certificate(&folder.join("certificate.npz")).unwrap().into_dual();
    let (n, c) = (problem.samples(), problem.outputs());
    let size = n * copies;
    // Multiplication by an odd number that has no factor in common with the size.
    let step = (size / 3..).find(|step| gcd(*step, size) == 1).unwrap();
    let place = |copy: usize, i: usize| (copy * n + i) * step % size;
    let mut source = vec![0; size];
    (0..copies).for_each(|k| (0..n).for_each(|i| source[place(k, i)] = i));
    let x = Mat::from_fn(size, problem.inputs(), |i, j| problem.features()[(source[i], j)]);
    let y = Mat::from_fn(size, c, |i, j| problem.targets()[(source[i], j)]);
    let whole = TrainingProblem::new(Features::from(x), y, problem.weight_decay() * copies as f64).unwrap();
    let mut dual = DualPoint::zero(size, c);
    // 10⁻⁶ of room, since γ times the copies may be rounded.
    dual.w = Mat::from_fn(size, c, |i, j| (1.0 - 5e-7) * one.w[(source[i], j)]);
    dual.y = source.iter().map(|i| (1.0 - 1e-6) * one.y[*i]).collect();
    for copy in 0..copies {
        let form = |form: usize| place(copy, form % n) + size * (form / n);
        dual.pairs.extend(one.pairs.iter().map(|pair| pair.map(form)));
        dual.n.extend(one.n.iter().map(|value| (1.0 - 1e-6) * value));
    }
    let settings = ProofSettings { dense_limit: Some(0), sparse: false, ..ProofSettings::default() };
    let started = Instant::now();
    let proof = prove_with(&whole, &Certificate::new(dual.clone()), &settings).unwrap();
    println!(
        "n = {size}, {} pairs: {:.1} s, bound {:.6}, {:?}, peak memory {} MiB",
        dual.pairs.len(),
        started.elapsed().as_secs_f64(),
        proof.lower_bound(),
        proof.grade(),
        peak_memory_bytes().unwrap_or(0) >> 20,
    );
    assert_eq!(proof.grade(), Grade::Verified);
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
