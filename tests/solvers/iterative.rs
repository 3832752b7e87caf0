//! The repair by conjugate gradients against the one by factorisations.

use faer::Mat;
use relucert::certificate::{Certificate, Grade, ProofSettings, prove_with};
use relucert::data::{TeacherSettings, teacher};
use relucert::dual::DualPoint;
use relucert::repair::{RepairSettings, repair};
use relucert::{CertifySettings, Control, Method, Silent, TrainingProblem, certify};

use crate::common::gaussian;

fn solved(samples: usize, seed: u64) -> (TrainingProblem, DualPoint) {
    let settings = TeacherSettings { samples, features: 6, outputs: 2, seed, ..Default::default() };
    let problem = teacher(&settings).unwrap().problem(samples as f64 / 50.0).unwrap();
    let settings = CertifySettings { method: Method::LowRank, tolerance: 3e-3, ..Default::default() };
    let certified = certify(&problem, &settings, &Control::new(), &mut Silent).unwrap();
    (problem, certified.certificate.into_dual())
}

/// Multipliers and W off by so much of themselves.
fn perturbed(dual: &DualPoint, size: f64, seed: u64) -> DualPoint {
    let (n, c, pairs) = (dual.y.len(), dual.w.ncols(), dual.n.len());
    let (of_pairs, of_samples) = (gaussian(seed, pairs, 1), gaussian(seed + 1, n, c + 1));
    DualPoint {
        w: Mat::from_fn(n, c, |i, k| dual.w[(i, k)] * (1.0 + size * of_samples[(i, k)])),
        y: (0..n).map(|i| dual.y[i] * (1.0 + size * of_samples[(i, c)])).collect(),
        n: (0..pairs).map(|k| dual.n[k] * (1.0 + size * of_pairs[(k, 0)]).max(0.0)).collect(),
        ..dual.clone()
    }
}

#[test]
fn the_two_repairs_end_alike() {
    for (samples, seed) in [(120, 1), (300, 2)] {
        let (problem, dual) = solved(samples, seed);
        let (inner, square) = dual.inner_products(&problem);
        let undisturbed = inner - 0.5 * square;
        for (size, most) in [(1e-4, 1e-3), (1e-3, 3e-3), (1e-2, 1e-2)] {
            let point = perturbed(&dual, size, seed);
            let of = |iterative: bool| {
                let settings =
                    RepairSettings { margin: 1e-9, iterative: Some(iterative), ..RepairSettings::default() };
                repair(&problem, &point, &settings, &Control::new()).unwrap()
            };
            let (dense, iterative) = (of(false), of(true));
            assert!(
                iterative.estimated_bound > dense.estimated_bound - most * undisturbed,
                "{samples}, {size}: {} against {} of {undisturbed}",
                iterative.estimated_bound,
                dense.estimated_bound
            );
            // What it calls feasible is.
            let settings = ProofSettings { sparse: false, positive: false, ..Default::default() };
            let proof = prove_with(&problem, &Certificate::new(iterative.dual), &settings).unwrap();
            assert_eq!(proof.grade(), Grade::Verified);
            assert!((proof.lower_bound().value() - iterative.estimated_bound).abs() < 1e-9 * undisturbed);
        }
    }
}

/// Far from feasible there is a shift all the same.
#[test]
fn a_point_that_is_far_off_is_repaired_as_well() {
    let (problem, dual) = solved(120, 3);
    let point = DualPoint { y: dual.y.iter().map(|y| -0.5 * y).collect(), ..dual };
    let settings = RepairSettings { iterative: Some(true), margin: 1e-9, ..RepairSettings::default() };
    let repaired = repair(&problem, &point, &settings, &Control::new()).unwrap();
    assert!(repaired.estimated_bound > 0.0 && repaired.tau > 0.0);
    let proof = relucert::certificate::prove(&problem, &Certificate::new(repaired.dual)).unwrap();
    assert!(proof.lower_bound().value() > 0.0);
}
