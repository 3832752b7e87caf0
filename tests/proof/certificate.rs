//! What a certificate promises, checked without the code that made it.

use faer::{Mat, Side};
use proptest::prelude::*;
use relucert::certificate::{Certificate, Grade, prove};
use relucert::dual::{DualPoint, Slack};
use relucert::interior_point::{ReferenceSettings, solve_lifted};
use relucert::io::{save_certificate, save_problem, verify};
use relucert::linalg::lanczos::SymmetricOperator;
use relucert::relaxation::Lifting;
use relucert::repair::{RepairSettings, certify_dual, dual_point, repair};
use relucert::{Control, Network, TrainingProblem};

/// The published form, by the contract's own line, as a dense matrix in (u, s): an independent assembly.
fn contract_matrix(problem: &TrainingProblem, dual: &DualPoint) -> Mat<f64> {
    let (n, d, c) = (problem.samples(), problem.inputs(), problem.outputs());
    let x = problem.features();
    let gamma = problem.weight_decay();
    let form = |k: usize| {
        let (i, sign) = if k < n { (k, 1.0) } else { (k - n, -1.0) };
        Mat::from_fn(d + n, 1, |r, _| {
            if r < d { 0.5 * sign * x[(i, r)] } else { f64::from(u8::from(r - d == i)) * 0.5 }
        })
    };
    let mut q = Mat::from_fn(d + n, d + n, |i, j| if i == j && i < d { gamma } else { 0.0 });
    for k in 0..c {
        let mut a = Mat::zeros(d + n, 1);
        for i in 0..n {
            a += dual.w[(i, k)] * form(i);
        }
        q -= (1.0 / gamma) * &a * a.transpose();
    }
    for i in 0..n {
        let (a, b) = (form(i), form(n + i));
        q -= dual.y[i] * (&a * b.transpose() + &b * a.transpose());
    }
    for (pair, value) in dual.pairs.iter().zip(&dual.n) {
        let (a, b) = (form(pair[0]), form(pair[1]));
        q -= *value * (&a * b.transpose() + &b * a.transpose());
    }
    q
}

fn least_eigenvalue(q: &Mat<f64>) -> f64 {
    q.self_adjoint_eigen(Side::Lower).unwrap().S().column_vector()[0]
}

/// A deterministic stream of numbers in [−1, 1).
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn matrix(&mut self, rows: usize, columns: usize, scale: f64) -> Mat<f64> {
        Mat::from_fn(rows, columns, |_, _| scale * self.next())
    }
}

/// Random features with, by kind, zero, duplicate, antiparallel and nearly parallel rows or dependent columns.
fn random_problem(
    stream: &mut Stream,
    n: usize,
    d: usize,
    kind: u32,
    scale: f64,
    gamma: f64,
) -> TrainingProblem {
    let mut x = stream.matrix(n, d, 1.0);
    for j in 0..d {
        if kind & 1 != 0 {
            x[(0, j)] = 0.0;
        }
        if kind & 2 != 0 && n > 2 {
            x[(2, j)] = x[(1, j)];
        }
        if kind & 4 != 0 && n > 4 {
            x[(4, j)] = -2.0 * x[(3, j)];
        }
        if kind & 8 != 0 && n > 5 {
            x[(5, j)] = x[(1, j)] * (1.0 + 1e-7) + 1e-8 * stream.next();
        }
    }
    if kind & 16 != 0 && d > 1 {
        for i in 0..n {
            x[(i, d - 1)] = 1e-9 * stream.next() + x[(i, 0)];
        }
    }
    let x = Mat::from_fn(n, d, |i, j| scale * x[(i, j)]);
    TrainingProblem::new(x, stream.matrix(n, 2, 1.5), gamma).unwrap()
}

fn random_dual(stream: &mut Stream, problem: &TrainingProblem, size: f64) -> DualPoint {
    let n = problem.samples();
    let largest = problem.features().norm_max();
    let unit = if largest > 0.0 { problem.weight_decay() / largest.powi(2) } else { 1.0 };
    let y = (0..n).map(|_| unit * (stream.next() - 0.8)).collect();
    let mut dual = DualPoint { w: stream.matrix(n, 2, size), y, ..DualPoint::zero(n, 2) };
    for a in 0..2 * n {
        for b in 0..a {
            if a % n != b % n && stream.next() > 0.3 {
                dual.pairs.push([a, b]);
                dual.n.push(0.05 * unit * (stream.next() + 1.0));
            }
        }
    }
    for i in 0..n {
        for k in 0..2 {
            dual.w[(i, k)] = 0.3 * dual.w[(i, k)] + 0.7 * problem.targets()[(i, k)] * size;
        }
    }
    dual
}

/// Gradient descent from a random start; returns objectives of networks met on the way.
fn train(stream: &mut Stream, problem: &TrainingProblem, width: usize) -> f64 {
    let scale = problem.features().norm_max().max(1e-30).sqrt();
    let (n, d) = (problem.samples(), problem.inputs());
    // With U = U'/scale² · …: balanced weights, so that large and small features are trained alike.
    let mut u = stream.matrix(d, width, 1.0 / scale);
    let mut v = stream.matrix(2, width, 1.0 / scale);
    let mut best = problem.zero_objective();
    let gamma = problem.weight_decay();
    let mut step = 0.1 / (scale * scale * n as f64).max(gamma);
    let mut last = f64::INFINITY;
    for _ in 0..300 {
        // A step far too long ends in infinity.
        let Ok(network) = Network::new(u.clone(), v.clone()) else { break };
        let value = network.objective(problem);
        if value.is_finite() {
            best = best.min(value);
        }
        step *= if value <= last { 1.05 } else { 0.5 };
        last = value;
        let pre = problem.features() * &u;
        let act = Mat::from_fn(n, width, |i, j| pre[(i, j)].max(0.0));
        let residual = &act * v.transpose() - problem.targets();
        let back = &residual * &v;
        let masked = Mat::from_fn(n, width, |i, j| if pre[(i, j)] > 0.0 { back[(i, j)] } else { 0.0 });
        let gu = problem.features().transpose() * &masked + gamma * &u;
        let gv = residual.transpose() * &act + gamma * &v;
        u -= step * gu;
        v -= step * gv;
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bound_exceeds_any_network(
        seed in any::<u64>(), n in 1usize..12, d in 1usize..8, kind in 0u32..32,
        scale in prop::sample::select(vec![1.0, 1e-8, 1e8, 1e3]),
        gamma in prop::sample::select(vec![0.1, 1.0, 0.01, 1e-6, 1e6]),
        size in prop::sample::select(vec![1.0, 0.3, 3.0]),
    ) {
        let mut stream = Stream(seed);
        let problem = random_problem(&mut stream, n, d, kind, scale, gamma);
        let dual = random_dual(&mut stream, &problem, size);
        let (certificate, proof) = certify_dual(&problem, &dual).unwrap();
        prop_assert_eq!(proof.grade(), Grade::Verified);
        prop_assert!(proof.lower_bound() >= 0.0);
        let best = (1..4).map(|width| train(&mut stream, &problem, 2 * width)).fold(f64::INFINITY, f64::min);
        prop_assert!(proof.lower_bound() <= best * (1.0 + 1e-12), "{} > {}", proof.lower_bound(), best);
        let (inner, square) = certificate.dual().inner_products(&problem);
        prop_assert!(proof.lower_bound() <= (inner - 0.5 * square).max(0.0));
        // The contract, by an independent assembly (up to the rounding of that assembly).
        let q = contract_matrix(&problem, certificate.dual());
        prop_assert!(least_eigenvalue(&q) >= -1e-13 * q.norm_max() * (n + d) as f64);
    }

    #[test]
    fn the_operator_is_the_contracts_matrix(seed in any::<u64>(), n in 2usize..12, d in 1usize..8, kind in 0u32..16) {
        let mut stream = Stream(seed);
        let problem = random_problem(&mut stream, n, d, kind, 1.0, 0.3);
        let dual = random_dual(&mut stream, &problem, 1.0);
        let slack = Slack::new(&problem, &dual).unwrap();
        // (u, s) = diag(V, I)·diag(scale)·(u', s').
        let basis = Mat::from_fn(d + n, d + n, |i, j| {
            let entry = if i < d && j < d { slack.basis()[(i, j)] } else { f64::from(u8::from(i == j)) };
            entry * slack.scale()[j]
        });
        let expected = basis.transpose() * contract_matrix(&problem, &dual) * &basis;
        let dense = slack.dense();
        let norm = expected.norm_max();
        prop_assert!((&expected - &dense).norm_max() < 1e-11 * norm);
        let mut out = vec![0.0; d + n];
        for k in 0..d + n {
            let unit: Vec<f64> = (0..d + n).map(|i| f64::from(u8::from(i == k))).collect();
            slack.apply(&unit, &mut out);
            for (i, value) in out.iter().enumerate() {
                prop_assert!((value - dense[(i, k)]).abs() < 1e-11 * norm);
            }
        }
    }
}

/// A problem in the plane with the interior-point solver's dual point, and the value of its relaxation.
fn good_point() -> (TrainingProblem, DualPoint, f64) {
    let mut stream = Stream(20);
    let (x, y) = (stream.matrix(25, 2, 1.0), stream.matrix(25, 5, 5.0));
    let problem = TrainingProblem::new(x, y, 0.1).unwrap();
    let lifting = Lifting::new(&problem).unwrap();
    let settings = ReferenceSettings::default();
    let solution = solve_lifted(&lifting, &settings, &Control::new(), &mut |_| ()).unwrap();
    assert!(solution.gap <= 1e-6, "{}", solution.gap);
    let residual: Vec<f64> = solution.fit_residual.iter().map(|w| -w).collect();
    let dual = dual_point(&problem, &lifting, &solution.pairs, &residual);
    (problem, dual, solution.value)
}

#[test]
fn a_good_dual_point_keeps_its_value() {
    let (problem, dual, value) = good_point();
    let (certificate, proof) = certify_dual(&problem, &dual).unwrap();
    assert_eq!(proof.grade(), Grade::Verified);
    assert!(proof.lower_bound() <= value * (1.0 + 1e-6), "{}", proof.lower_bound());
    assert!(proof.lower_bound() >= value * (1.0 - 1e-4), "{}", proof.lower_bound());
    assert!(least_eigenvalue(&contract_matrix(&problem, certificate.dual())) > -1e-14);
}

#[test]
fn a_good_point_survives_a_change_of_units() {
    let (problem, dual, value) = good_point();
    for scale in [1e-8, 1e8] {
        // u → u/scale with γ → γ·scale² on both would change V; scale X and γ together and W with γ = scale·γ.
        let x = Mat::from_fn(problem.samples(), problem.inputs(), |i, j| scale * problem.features()[(i, j)]);
        let moved =
            TrainingProblem::new(x, problem.targets().to_owned(), problem.weight_decay() * scale).unwrap();
        // s → scale·s: W stays, y and N divide by scale.
        let point = DualPoint {
            w: dual.w.clone(),
            y: dual.y.iter().map(|v| v / scale).collect(),
            pairs: dual.pairs.clone(),
            n: dual.n.iter().map(|v| v / scale).collect(),
            ..DualPoint::zero(0, 0)
        };
        let (_, proof) = certify_dual(&moved, &point).unwrap();
        assert!(proof.lower_bound() >= value * (1.0 - 1e-4), "{scale:e}: {}", proof.lower_bound());
        assert!(proof.lower_bound() <= value * (1.0 + 1e-6));
    }
}

#[test]
fn damaged_certificates_are_refused() {
    let (problem, dual, _) = good_point();
    // Repaired with no more in hand than the proof needs, the point sits on the boundary.
    let (certificate, _) = certify_dual(&problem, &dual).unwrap();
    let sound = certificate.dual().clone();
    type Damage<'a> = (&'a str, &'a dyn Fn(&mut DualPoint));
    let damage: [Damage<'_>; 10] = [
        ("W larger", &|p| p.w = Mat::from_fn(p.w.nrows(), p.w.ncols(), |i, j| 1.0001 * p.w[(i, j)])),
        ("negative N", &|p| p.n[0] = -1e-12),
        ("index out of range", &|p| p.pairs[0] = [0, 50]),
        ("form with itself", &|p| p.pairs[0] = [3, 3]),
        ("form with its complement", &|p| p.pairs[0] = [3, 28]),
        ("pair twice", &|p| p.pairs[1] = [p.pairs[0][1], p.pairs[0][0]]),
        ("NaN in W", &|p| p.w[(3, 0)] = f64::NAN),
        ("NaN in y", &|p| p.y[3] = f64::NAN),
        ("infinite N", &|p| p.n[2] = f64::INFINITY),
        ("y moved", &|p| p.y[3] += 1e-3),
    ];
    assert!(prove(&problem, &Certificate::new(sound.clone())).is_ok());
    for (what, change) in damage {
        let mut point = sound.clone();
        change(&mut point);
        assert!(prove(&problem, &Certificate::new(point)).is_err(), "{what} was accepted");
    }
    let mut short = sound.clone();
    short.y.pop();
    assert!(prove(&problem, &Certificate::new(short)).is_err());
}

#[test]
fn an_eigenvalue_of_minus_1e_13_of_the_trace_is_not_verified() {
    // One sample, x = 1, W = w: the slack is [[γ + y/2 − k, −k], [−k, −y/2 − k]], k = w²/4γ, with γ = 1.
    // Its trace is γ − 2k and its determinant −(y/2)² − y/2 − k, zero at y = −1 and k = ¼.
    let problem = TrainingProblem::new(Mat::full(1, 1, 1.0), Mat::full(1, 1, 2.0), 1.0).unwrap();
    let prove_at = |w: f64| {
        let point = DualPoint { w: Mat::full(1, 1, w), y: vec![-1.0], ..DualPoint::zero(1, 1) };
        (least_eigenvalue(&contract_matrix(&problem, &point)), prove(&problem, &Certificate::new(point)))
    };
    let (least, outcome) = prove_at((1.0f64 + 1e-13).sqrt());
    assert!(least < 0.0 && least > -1e-13);
    assert!(outcome.is_err(), "{least:e}");
    let (least, outcome) = prove_at((1.0f64 - 1e-12).sqrt());
    assert!(least > 0.0 && outcome.is_ok(), "{least:e}");
}

#[test]
fn zero_point_and_unused_samples() {
    let mut stream = Stream(7);
    let problem = random_problem(&mut stream, 6, 3, 0, 1.0, 0.5);
    let zero = Certificate::new(DualPoint::zero(6, 2));
    let proof = prove(&problem, &zero).unwrap();
    assert_eq!(
        (proof.lower_bound().value(), proof.grade(), proof.failure_probability()),
        (0.0, Grade::Verified, 0.0)
    );
    // Only sample 2 takes part: the others leave the form altogether.
    let mut point = DualPoint::zero(6, 2);
    point.w[(2, 0)] = 1e-3;
    point.y[2] = -1e-3;
    assert_eq!(prove(&problem, &Certificate::new(point)).unwrap().grade(), Grade::Verified);
}

#[test]
fn one_sample_is_solved_exactly() {
    // x = 1, Y = 2, γ = 1: the prediction z costs γz, so p* = ½ + 1 at z = 1; the dual optimum is W = 1, y = −1.
    let problem = TrainingProblem::new(Mat::full(1, 1, 1.0), Mat::full(1, 1, 2.0), 1.0).unwrap();
    let dual = DualPoint { w: Mat::full(1, 1, 1.0), y: vec![-1.0], ..DualPoint::zero(1, 1) };
    let bound = certify_dual(&problem, &dual).unwrap().1.lower_bound();
    assert!(bound <= 1.5 && bound > 1.5 - 1e-9, "{bound}");
    // From W = Y and nothing else the shift of y has to be found.
    let dual = DualPoint { w: Mat::full(1, 1, 2.0), ..DualPoint::zero(1, 1) };
    let bound = certify_dual(&problem, &dual).unwrap().1.lower_bound();
    assert!(bound <= 1.5 && bound > 1.4, "{bound}");
}

#[test]
fn samples_without_features_are_worth_their_targets() {
    let mut stream = Stream(3);
    for d in [1, 3] {
        let problem = TrainingProblem::new(Mat::zeros(4, d), stream.matrix(4, 2, 1.0), 0.3).unwrap();
        let dual = DualPoint { w: problem.targets().to_owned(), ..DualPoint::zero(4, 2) };
        let (_, proof) = certify_dual(&problem, &dual).unwrap();
        assert!(proof.lower_bound() <= problem.zero_objective());
        assert!(proof.lower_bound() >= problem.zero_objective() * (1.0 - 1e-8), "{}", proof.lower_bound());
    }
}

#[test]
fn a_repair_is_an_estimate_and_close_to_its_proof() {
    let mut stream = Stream(11);
    let problem = random_problem(&mut stream, 10, 3, 0, 1.0, 2.0);
    let dual = DualPoint { w: problem.targets().to_owned(), ..DualPoint::zero(10, 2) };
    let repaired = repair(&problem, &dual, &RepairSettings::default(), &Control::new()).unwrap();
    let (_, proof) = certify_dual(&problem, &dual).unwrap();
    assert!(repaired.tau > 0.0 && repaired.tau <= 1.0);
    assert!(proof.lower_bound() > 0.0);
    assert!(
        (repaired.estimated_bound - proof.lower_bound().value()).abs() < 1e-6 * proof.lower_bound().value()
    );
}

#[test]
fn files_round_trip_and_verify() {
    let (problem, dual, _) = good_point();
    let (certificate, proof) = certify_dual(&problem, &dual).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (p, c) = (folder.path().join("problem.npz"), folder.path().join("certificate.npz"));
    save_problem(&p, &problem).unwrap();
    save_certificate(&c, &certificate).unwrap();
    let first = std::fs::read(&c).unwrap();
    save_certificate(&c, &certificate).unwrap();
    assert_eq!(first, std::fs::read(&c).unwrap());
    assert_eq!(verify(folder.path()).unwrap().lower_bound(), proof.lower_bound());
    // Every truncation and many flipped bytes: an error or the same bound, never a panic or a larger bound.
    for cut in (0..first.len()).step_by(97) {
        std::fs::write(&c, &first[..cut]).unwrap();
        assert!(verify(folder.path()).is_err());
    }
    for at in (0..first.len()).step_by(61) {
        let mut bytes = first.clone();
        bytes[at] ^= 0x41;
        std::fs::write(&c, &bytes).unwrap();
        if let Ok(again) = verify(folder.path()) {
            assert!(again.lower_bound().value() <= proof.lower_bound().value() * (1.0 + 1e-9));
        }
    }
    std::fs::remove_file(&c).unwrap();
    let message = verify(folder.path()).unwrap_err().to_string();
    assert!(message.contains("certificate.npz") && !message.contains('\n'), "{message}");
}
