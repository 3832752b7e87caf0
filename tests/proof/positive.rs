//! The proof by a positive vector against the dense one.

use crate::common::gaussian;
use faer::{Mat, Side};
use relucert::certificate::{Certificate, Grade, ProofSettings, prove_with};
use relucert::data::{TeacherSettings, teacher};
use relucert::dual::{DualPoint, Slack};
use relucert::{CertifySettings, Control, Method, Silent, TrainingProblem, certify};

/// No factorisation of the whole, and no time for Lanczos.
fn by_vector() -> ProofSettings {
    ProofSettings { dense_limit: Some(0), sparse: false, max_steps: 1, ..Default::default() }
}

fn dense() -> ProofSettings {
    ProofSettings { sparse: false, positive: false, ..Default::default() }
}

fn accepts(problem: &TrainingProblem, dual: &DualPoint, settings: &ProofSettings) -> Option<f64> {
    let proof = prove_with(problem, &Certificate::new(dual.clone()), settings).ok()?;
    (proof.grade() == Grade::Verified).then(|| proof.lower_bound().value())
}

fn scaled(dual: &DualPoint, t: f64) -> DualPoint {
    DualPoint { w: Mat::from_fn(dual.w.nrows(), dual.w.ncols(), |i, k| t * dual.w[(i, k)]), ..dual.clone() }
}

/// Multipliers that the relaxation has made, of problems of many sizes.
fn solved(seed: usize) -> (TrainingProblem, DualPoint) {
    let (n, d, c) = (20 + 3 * (seed % 17), 1 + seed % 6, 1 + seed % 3);
    let settings =
        TeacherSettings { samples: n, features: d, outputs: c, seed: seed as u64, ..Default::default() };
    let gamma = n as f64 * [0.3, 0.05, 0.01][seed % 3];
    let problem = teacher(&settings).unwrap().problem(gamma).unwrap();
    let settings = CertifySettings { method: Method::Relaxation, tolerance: 1e-2, ..Default::default() };
    let certified = certify(&problem, &settings, &Control::new(), &mut Silent).unwrap();
    (problem, certified.certificate.into_dual())
}

/// The largest scale of W that is accepted, from a power of ten below the one that is.
fn largest(problem: &TrainingProblem, dual: &DualPoint, settings: &ProofSettings) -> f64 {
    let (mut low, mut high) = (0.9, 1.1);
    if accepts(problem, &scaled(dual, low), settings).is_none() {
        return 0.0;
    }
    for _ in 0..30 {
        let middle = 0.5 * (low + high);
        *if accepts(problem, &scaled(dual, middle), settings).is_some() { &mut low } else { &mut high } =
            middle;
    }
    low
}

#[test]
fn a_hundred_certificates_are_accepted_as_far_as_by_the_dense_proof() {
    let mut pairs = 0;
    for seed in 0..100 {
        let (problem, dual) = solved(seed);
        pairs += dual.pairs.len();
        let (by_dense, by_vector) =
            (largest(&problem, &dual, &dense()), largest(&problem, &dual, &by_vector()));
        assert!(by_dense > 0.9, "{seed}");
        assert!(by_vector >= by_dense * (1.0 - 1e-6), "{seed}: {by_vector} against {by_dense}");
        // It may accept more, up to what eigenvalues tell.
        let least = least_eigenvalue(&problem, &scaled(&dual, by_vector));
        assert!(least > -1e-13, "{seed}: {by_vector} against {by_dense}, {least:e}");
        // The bound itself is worked out alike.
        let inside = scaled(&dual, by_dense * (1.0 - 1e-6));
        assert_eq!(
            accepts(&problem, &inside, &dense()),
            accepts(&problem, &inside, &self::by_vector()),
            "{seed}"
        );
    }
    assert!(pairs > 5_000, "{pairs}");
}

/// More samples than one piece of rows has, and more columns than one vector.
#[test]
fn many_samples_are_accepted_as_far_as_by_the_dense_proof() {
    let settings = TeacherSettings { samples: 1100, features: 9, outputs: 2, ..Default::default() };
    let problem = teacher(&settings).unwrap().problem(11.0).unwrap();
    let settings = CertifySettings { method: Method::LowRank, tolerance: 5e-2, ..Default::default() };
    let dual = certify(&problem, &settings, &Control::new(), &mut Silent).unwrap().certificate.into_dual();
    let (by_dense, by_vector) = (largest(&problem, &dual, &dense()), largest(&problem, &dual, &by_vector()));
    assert!(by_dense > 0.9 && by_vector >= by_dense * (1.0 - 1e-6), "{by_vector} against {by_dense}");
    let least = least_eigenvalue(&problem, &scaled(&dual, by_vector));
    assert!(least > -1e-13, "{by_vector} against {by_dense}, {least:e}");
}

fn least_eigenvalue(problem: &TrainingProblem, dual: &DualPoint) -> f64 {
    Slack::new(problem, dual).unwrap().dense().self_adjoint_eigenvalues(Side::Lower).unwrap()[0]
}

/// Pairs added, multipliers moved from one to another, W turned, y raised: what is accepted has no negative eigenvalue.
#[test]
fn no_forged_certificate_is_accepted() {
    let settings = TeacherSettings { samples: 150, features: 5, outputs: 2, ..Default::default() };
    let problem = teacher(&settings).unwrap().problem(1.5).unwrap();
    let settings = CertifySettings { method: Method::Relaxation, tolerance: 1e-2, ..Default::default() };
    let dual = certify(&problem, &settings, &Control::new(), &mut Silent).unwrap().certificate.into_dual();
    assert!(accepts(&problem, &dual, &by_vector()).is_some() && dual.pairs.len() > 300);
    let (n, random) = (150, gaussian(3, 400, 4));
    let (mut accepted, mut refused) = (0, 0);
    for k in 0..400 {
        let mut forged = dual.clone();
        let at = |j: usize, size: usize| (1e3 * random[(k, j)].abs()) as usize % size;
        let size = 10f64.powf(-8.0 * (k as f64 / 400.0)) * random[(k, 3)];
        match k % 5 {
            0 => {
                let pair = [at(0, 2 * n), at(1, 2 * n)];
                let known = forged.pairs.iter().any(|p| *p == pair || *p == [pair[1], pair[0]]);
                if known || pair[0] % n == pair[1] % n {
                    continue;
                }
                forged.pairs.push(pair);
                forged.n.push(size.abs());
            }
            1 => forged.y[at(0, n)] += size,
            2 => forged.w[(at(0, n), at(1, 2))] += size,
            3 => {
                let place = at(0, dual.n.len());
                forged.n[place] *= (5.0 * size).exp();
            }
            _ => {
                let (a, b) = (at(0, dual.n.len()), at(1, dual.n.len()));
                forged.pairs.swap(a, b);
            }
        }
        let least = least_eigenvalue(&problem, &forged);
        let taken = accepts(&problem, &forged, &by_vector());
        assert!(taken.is_none() || least > -1e-13, "{k}: {least:e}");
        assert!(taken.is_some() || accepts(&problem, &forged, &dense()).is_none(), "{k}: {least:e}");
        *if taken.is_some() { &mut accepted } else { &mut refused } += 1;
    }
    assert!(accepted > 30 && refused > 30, "{accepted} {refused}");
}

/// Values at the ends of the range, where products underflow or overflow, are refused or accepted as by the dense proof.
#[test]
fn the_ends_of_the_range_are_no_trap() {
    let base = |x: f64, y: f64, w: f64, pair: f64, gamma: f64| {
        let problem = TrainingProblem::new(
            Mat::from_fn(6, 2, |i, j| x * (1.0 + (i * 3 + j * 5 % 7) as f64)),
            gaussian(1, 6, 1),
            gamma,
        )
        .unwrap();
        let mut dual = DualPoint::zero(6, 1);
        dual.y = vec![y; 6];
        dual.w = Mat::from_fn(6, 1, |i, _| w * (1.0 + i as f64));
        dual.pairs = vec![[0, 1], [0, 7], [6, 1], [6, 7], [2, 9]];
        dual.n = vec![pair; 5];
        (problem, dual)
    };
    let power = |e: i32| 2f64.powi(e);
    for e in [-1070, -1022, -700, -400, -200, -100, -30, 0, 30, 90, 99] {
        for (x, y, w, pair, gamma) in [
            (power(e.min(99)), -1e-3, 1e-3, 1e-5, 1.0),
            (1.0, -power(e), 1e-3, 1e-5, power(99)),
            (1.0, -1e-3, power(e), 1e-5, 1.0),
            (1.0, -1e-3, 1e-3, power(e), 1.0),
            (1e-3, -1e-3, 1e-3, 1e-5, power(e.max(-100))),
            (power(-200), -power(e), power(e / 2), 0.0, 1.0),
        ] {
            let (problem, dual) = base(x, y, w, pair, gamma);
            let taken = accepts(&problem, &dual, &by_vector());
            let known = accepts(&problem, &dual, &dense());
            assert!(taken.is_none() || known == taken, "2^{e}: {x:e} {y:e} {w:e} {pair:e} {gamma:e}");
        }
    }
}
