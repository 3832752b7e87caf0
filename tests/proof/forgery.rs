//! Certificates made against the random starts of a probabilistic proof: by somebody who knows them, and by bad luck.

use crate::common::gaussian;
use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use rayon::prelude::*;
use relucert::certificate::{
    BoundedOperator, Certificate, Grade, ProofSettings, prove, prove_with, semidefinite_except,
};
use relucert::data::{TeacherSettings, teacher};
use relucert::dual::DualPoint;
use relucert::io::{save_certificate, save_problem};
use relucert::repair::certify_dual_with;
use relucert::{Blocks, CertifySettings, Control, Silent, TrainingProblem, certify};
use std::collections::HashSet;
use std::f64::consts::PI;
use std::sync::Mutex;

/// Notes what Lanczos multiplies, and ends its Krylov space at once: the identity.
struct Listener {
    order: usize,
    heard: Mutex<Vec<Vec<f64>>>,
}

impl BoundedOperator for Listener {
    fn order(&self) -> usize {
        self.order
    }

    fn apply(&self, x: &[f64], out: &mut [f64]) {
        self.heard.lock().unwrap().push(x.to_vec());
        out.copy_from_slice(x);
    }

    fn above(&self) -> f64 {
        1.0 + 1e-12
    }

    fn error(&self) -> f64 {
        1e-14
    }
}

/// The starts that a seed stands for.
fn starts(order: usize, seed: u64) -> Vec<Vec<f64>> {
    let listener = Listener { order, heard: Mutex::default() };
    semidefinite_except(&listener, 1e-9, seed, 10).unwrap();
    listener.heard.into_inner().unwrap()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A problem and a claim beyond its optimum, whose slack has one negative direction: w, orthogonal to the features and to
/// every start of the seed.
fn forged(samples: usize, seed: u64) -> (TrainingProblem, DualPoint) {
    let x: Vec<f64> = (0..samples).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let order = samples + 1;
    let mut against = vec![x.clone()];
    against.extend(starts(order, seed).into_iter().map(|start| start[1..].to_vec()));
    // Orthogonal among themselves, so that one subtraction after the other does.
    for k in 0..against.len() {
        let (before, rest) = against.split_at_mut(k);
        for _ in 0..2 {
            for other in before.iter() {
                let part = dot(other, &rest[0]) / dot(other, other);
                rest[0].iter_mut().zip(other).for_each(|(a, b)| *a -= part * b);
            }
        }
    }
    let noise = gaussian(7, samples, 1);
    let mut w: Vec<f64> = (0..samples).map(|i| 1.0 + 0.1 * noise[(i, 0)]).collect();
    for _ in 0..3 {
        for other in &against {
            let part = dot(other, &w) / dot(other, other);
            w.iter_mut().zip(other).for_each(|(a, b)| *a -= part * b);
        }
    }
    // The slack is (γ − nη/2)u² + (η/2)|s|² − (1/4γ)(wᵀs)². Its diagonal over s is from 0.5 to 0.8, so that the powers of
    // two that scale it are the same for every sample; that of u is 0.8 after scaling too, so that every vector without w is
    // an eigenvector.
    let eta = 1.6;
    let gamma = 0.5 * eta * (samples as f64 + 4f64.powi((samples as f64).log2() as i32 / 2));
    let largest = w.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    let scale = (0.3 * 4.0 * gamma).sqrt() / largest;
    let w = Mat::from_fn(samples, 1, |i, _| scale * w[i]);
    let x = Mat::from_fn(samples, 1, |i, _| x[i]);
    let problem = TrainingProblem::new(x, w.clone(), gamma).unwrap();
    let dual = DualPoint { w, y: vec![-eta; samples], ..DualPoint::zero(samples, 1) };
    (problem, dual)
}

#[test]
fn who_knows_the_seed_can_forge_and_who_does_not_cannot() {
    let (problem, dual) = forged(2000, 0);
    let certificate = Certificate::new(dual);
    let chance = |seed| ProofSettings {
        dense_limit: Some(0),
        sparse: false,
        positive: false,
        seed,
        ..Default::default()
    };
    // The claim is false: a factorisation refuses it.
    assert!(prove(&problem, &certificate).is_err());
    // It is a forgery: whoever takes the seed that it was made for believes it.
    let deceived = prove_with(&problem, &certificate, &chance(Some(0))).unwrap();
    assert_eq!(deceived.grade(), Grade::Probabilistic);
    for _ in 0..20 {
        let refusal = prove_with(&problem, &certificate, &chance(None)).unwrap_err().to_string();
        assert!(refusal.starts_with("certificate refused"), "{refusal}");
    }
    // Neither is it believed where a certificate is made from a point of a stranger's.
    for _ in 0..5 {
        let (_, proof) = certify_dual_with(&problem, certificate.dual(), &chance(None)).unwrap();
        assert!(proof.lower_bound().value() < 0.9 * deceived.lower_bound().value());
    }
}

/// A run keeps to its seed, also where chance decides, and whoever verifies what it made draws other starts.
#[test]
fn a_run_repeats_itself_and_strangers_prove_it_again() {
    let data = TeacherSettings { samples: 300, features: 3, outputs: 1, ..TeacherSettings::default() };
    let problem = teacher(&data).unwrap().problem(60.0).unwrap();
    let proof = ProofSettings { dense_limit: Some(0), sparse: false, positive: false, ..Default::default() };
    for blocks in [1, 2] {
        let settings = CertifySettings {
            blocks: Blocks::Count(blocks),
            proof: proof.clone(),
            tolerance: 1e-2,
            ..CertifySettings::default()
        };
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| certify(&problem, &settings, &Control::new(), &mut Silent).unwrap())
        };
        let (one, two) = (run(1), run(2));
        let (a, b) = (one.certificate.dual(), two.certificate.dual());
        assert!(a.w == b.w && a.y == b.y && a.n == b.n && a.pairs == b.pairs);
        assert!(a.n.iter().all(|multiplier| *multiplier > 0.0));
        assert_eq!(one.proof.grade(), Grade::Probabilistic);
        assert!(one.proof.lower_bound() > 0.0);
        assert!(one.proof.failure_probability() <= proof.failure_probability * (1.0 + 1e-15));
        for _ in 0..20 {
            let again = prove_with(&problem, &one.certificate, &proof).unwrap();
            assert_eq!(again.lower_bound(), one.proof.lower_bound());
        }
    }
}

/// Ritz values that `steps` steps need for an overlap t, with B = 1: cosh((2k − 1) asinh √(⅞θ/(1 − θ))) = 1/t.
fn needed(steps: usize, overlap: f64) -> f64 {
    let ratio = ((1.0 / overlap).acosh() / (2 * steps - 1) as f64).sinh().powi(2) / 0.875;
    ratio / (1.0 + ratio)
}

/// A dual point whose slack has the eigenvalues that are hardest for Lanczos in so many steps, and one below zero that small
/// margins do not mend. Two samples and a pair of theirs have the eigenvalues a ± b of their own.
fn unlucky(pairs: usize, steps: usize, probability: f64, below: f64) -> (TrainingProblem, DualPoint) {
    let samples = 2 * pairs;
    let overlap = probability / (2.0 * (samples + 1) as f64 / PI).sqrt();
    let theta = 1.1 * needed(steps, overlap);
    let extreme =
        |j: usize| 1.0 - (1.0 - theta) * (1.0 - (j as f64 * PI / (2 * steps - 1) as f64).cos().powi(2));
    let mut dual = DualPoint::zero(samples, 1);
    for k in 0..pairs {
        // The largest with the smallest, so that all have nearly the same diagonal.
        let (low, high) = match k {
            0 => (-below, 1.0 + below),
            _ => (extreme(steps - 1 - k % (steps / 2)), extreme(k % (steps / 2))),
        };
        let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
        dual.y[2 * k] = -2.0 * middle;
        dual.y[2 * k + 1] = -2.0 * middle;
        dual.pairs.push([2 * k, 2 * k + 1]);
        dual.n.push(4.0 * half);
    }
    dual.w = Mat::from_fn(samples, 1, |_, _| 1e-9);
    let x = Mat::from_fn(samples, 1, |i, _| 1e-9 * (1.0 + i as f64));
    let targets = Mat::from_fn(samples, 1, |_, _| 1e-3);
    (TrainingProblem::new(x, targets, 1.0).unwrap(), dual)
}

/// A run tries one margin after another, each with starts of its own: here the first five are not enough, and each of them
/// passes about as often as the law allows.
#[test]
fn all_attempts_together_fail_as_rarely_as_they_say() {
    let (probability, steps, rounds) = (1e-2, 6, 2000);
    let settings = |seed, max_steps| ProofSettings {
        dense_limit: Some(0),
        sparse: false,
        positive: false,
        failure_probability: probability,
        seed: Some(seed),
        max_steps,
        ..Default::default()
    };
    // A certificate is made in three quarters of the steps.
    let (problem, dual) = unlucky(30, steps, probability, 0.03);
    let is_wrong = |seed: u64| {
        let (certificate, proof) = certify_dual_with(&problem, &dual, &settings(seed, 8)).unwrap();
        proof.grade() == Grade::Probabilistic && prove(&problem, &certificate).is_err()
    };
    let wrong = (0..rounds).into_par_iter().filter(|&seed| is_wrong(seed)).count();
    // Without a share for each attempt there would be several times as many, were they proofs one after another.
    let family: Vec<_> = [0.03, 0.028, 0.025, 0.02, 0.01]
        .into_iter()
        .map(|below| unlucky(30, steps, probability, below))
        .map(|(problem, dual)| (problem, Certificate::new(dual)))
        .collect();
    let passes = |seed: u64| {
        family.iter().enumerate().any(|(k, (problem, certificate))| {
            prove_with(problem, certificate, &settings(seed + rounds * k as u64, steps)).is_ok()
        })
    };
    let undivided = (0..rounds).into_par_iter().filter(|&seed| passes(seed)).count();
    let allowed = probability * rounds as f64;
    println!("wrong: {wrong}, of whole probabilities {undivided}, allowed {allowed}");
    assert!(wrong as f64 <= allowed + 3.0 * allowed.sqrt(), "{wrong} > {allowed}");
    assert!(undivided as f64 > 1.2 * allowed, "{undivided}: the attempts do not matter");
}

/// Pairs that fill every factorisation, of multipliers that do nothing.
fn with_idle_pairs(dual: DualPoint, multiplier: f64) -> DualPoint {
    let samples = dual.y.len();
    let mut rng = Pcg64::seed_from_u64(3);
    let mut seen = HashSet::new();
    while seen.len() < 6 * samples {
        let (a, b) = (rng.random_range(0..samples), rng.random_range(0..samples));
        if a != b {
            seen.insert([a.min(b), a.max(b)]);
        }
    }
    let mut pairs: Vec<[usize; 2]> = seen.into_iter().collect();
    pairs.sort_unstable();
    DualPoint { n: vec![multiplier; pairs.len()], pairs, ..dual }
}

/// The forgery at full size, by the command line: pairs make the factorisations give up, or would.
#[cfg(feature = "cli")]
#[test]
fn verify_refuses_a_forgery_whose_pairs_fill_every_factorisation() {
    let folder = tempfile::tempdir().unwrap();
    let (problem, dual) = forged(150_000, 0);
    save_problem(&folder.path().join("problem.npz"), &problem).unwrap();
    let verify = |seed: &[&str]| {
        let mut command = assert_cmd::Command::cargo_bin("relucert").unwrap();
        let output = command.arg("verify").arg(folder.path()).args(seed).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    // Pairs without a multiplier are nothing: a factorisation refuses what is left, whatever the seed.
    let idle = Certificate::new(with_idle_pairs(dual.clone(), 0.0));
    save_certificate(&folder.path().join("certificate.npz"), &idle).unwrap();
    let (status, _, message) = verify(&["--seed", "0"]);
    assert!(status != 0 && message.contains("certificate refused"), "{status}: {message}");
    // Those of a tiny one fill every factorisation. The positive vector needs none, and nothing is left to chance.
    let busy = Certificate::new(with_idle_pairs(dual, 1e-30));
    save_certificate(&folder.path().join("certificate.npz"), &busy).unwrap();
    for seed in [&["--seed", "0"][..], &[]] {
        let (status, told, message) = verify(seed);
        assert!(status != 0 && message.contains("certificate refused"), "{status}: {told} {message}");
    }
}
