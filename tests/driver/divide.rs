//! Divide and certify: what the blocks add up to.

use crate::common::problem;
use faer::Mat;
use relucert::certificate::{Grade, prove};
use relucert::certify_by_interior_point;
use relucert::data::{TeacherSettings, teacher};
use relucert::interior_point::ReferenceSettings;
use relucert::io::{save_certificate, save_problem, verify};
use relucert::training::TrainingSettings;
use relucert::{Blocks, Certified, CertifySettings, Control, Error, Silent, TrainingProblem, certify};

fn teacher_problem(samples: usize, gamma: f64, seed: u64) -> TrainingProblem {
    let settings = TeacherSettings { samples, features: 4, outputs: 2, seed, ..TeacherSettings::default() };
    teacher(&settings).unwrap().problem(gamma).unwrap()
}

fn divided(problem: &TrainingProblem, blocks: Blocks, control: &Control) -> relucert::Result<Certified> {
    let training = TrainingSettings {
        width: 12,
        starts: 1,
        iterations: 100,
        rounds: 2,
        seed: 0,
        ..TrainingSettings::default()
    };
    let settings = CertifySettings { blocks, training, ..CertifySettings::default() };
    certify(problem, &settings, control, &mut Silent)
}

#[test]
fn blocks_bound_the_whole_and_fewer_blocks_bound_it_better() {
    let problem = teacher_problem(64, 0.6, 1);
    let training =
        TrainingSettings { width: 12, starts: 1, iterations: 100, rounds: 2, ..TrainingSettings::default() };
    let whole = certify_by_interior_point(
        &problem,
        &ReferenceSettings::default(),
        &training,
        &Control::new(),
        &mut |_| {},
    )
    .unwrap();
    let value = whole.report.relaxation_value.unwrap() * (1.0 + 1e-7);
    let bounds: Vec<f64> = [1, 2, 4]
        .into_iter()
        .map(|blocks| {
            let certified = divided(&problem, Blocks::Count(blocks), &Control::new()).unwrap();
            let report = &certified.report;
            assert_eq!((report.blocks, report.grade), (blocks, Grade::Verified));
            assert!(report.lower_bound <= value, "{blocks} blocks: {} above {value}", report.lower_bound);
            assert!(report.solver_gap.unwrap() <= 1e-3, "{blocks} blocks: {report:?}");
            assert_eq!(report.dividing_loss.is_some(), blocks > 1);
            // The certificate proves itself, whole.
            let proof = prove(&problem, &certified.certificate).unwrap();
            assert_eq!(proof.lower_bound(), report.lower_bound);
            report.lower_bound.value()
        })
        .collect();
    assert!(bounds[0] > bounds[1] && bounds[1] > bounds[2], "{bounds:?}");
}

#[test]
fn the_estimate_of_what_dividing_lost_is_of_the_right_size() {
    let problem = teacher_problem(96, 1.0, 2);
    let whole = divided(&problem, Blocks::Count(1), &Control::new()).unwrap().report;
    let halves = divided(&problem, Blocks::Count(2), &Control::new()).unwrap().report;
    let lost = 1.0 - halves.relaxation_value.unwrap() / whole.relaxation_value.unwrap();
    let estimate = halves.dividing_loss.unwrap();
    assert!(estimate > 0.3 * lost && estimate < 3.0 * lost, "lost {lost}, by estimate {estimate}");
    assert!(!halves.meets(1e-3), "a loss of {estimate} is not within a thousandth");
}

#[test]
fn a_saved_certificate_of_blocks_is_proved_again_and_a_pair_across_blocks_is_not() {
    let problem = teacher_problem(40, 0.5, 3);
    let certified = divided(&problem, Blocks::Count(3), &Control::new()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    save_problem(&folder.path().join("problem.npz"), &problem).unwrap();
    save_certificate(&folder.path().join("certificate.npz"), &certified.certificate).unwrap();
    let proof = verify(folder.path()).unwrap();
    assert_eq!(proof.lower_bound(), certified.report.lower_bound);
    let partition = certified.certificate.partition().unwrap();
    let mut dual = certified.certificate.dual().clone();
    let other = partition.block().iter().position(|k| *k != partition.block()[0]).unwrap();
    dual.pairs.push([0, other]);
    dual.n.push(1e-9);
    let forged = relucert::certificate::Certificate::of_blocks(dual, partition.clone());
    assert!(matches!(prove(&problem, &forged), Err(Error::Refused(_))));
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let problem = teacher_problem(60, 0.6, 4);
    let runs: Vec<(Vec<u64>, u64)> = [1, 2, 8]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let run = || divided(&problem, Blocks::Count(3), &Control::new()).unwrap();
            let certified = pool.install(run);
            let dual = certified.certificate.dual();
            let bits = dual.y.iter().chain(&dual.n).map(|v| v.to_bits()).collect();
            (bits, certified.report.lower_bound.value().to_bits())
        })
        .collect();
    assert!(runs[0].1 != 0 && runs[0] == runs[1] && runs[0] == runs[2]);
}

#[test]
fn a_run_stopped_at_once_has_a_bound_that_holds() {
    let problem = teacher_problem(40, 0.5, 5);
    let control = Control::new();
    control.cancel();
    let certified = divided(&problem, Blocks::Count(4), &control).unwrap();
    let report = &certified.report;
    assert!(report.lower_bound >= 0.0 && report.lower_bound <= report.upper_bound);
    assert_eq!((report.blocks, report.unsolved_blocks, report.dividing_loss), (4, 4, None));
    assert_eq!(prove(&problem, &certified.certificate).unwrap().lower_bound(), report.lower_bound);
}

#[test]
fn blocks_out_of_range_are_refused() {
    let small = problem(&Mat::from_fn(6, 2, |i, j| (i + j) as f64), &Mat::full(6, 1, 1.0), 0.1);
    for blocks in [0, 4, 7] {
        let outcome = divided(&small, Blocks::Count(blocks), &Control::new());
        assert!(matches!(outcome, Err(Error::Parameter { name: "blocks", .. })), "{blocks}");
    }
}
