//! Problems whose best network has no neurons.

use faer::Mat;
use relucert::certificate::Grade;
use relucert::data::{TeacherSettings, teacher};
use relucert::report::Status;
use relucert::{CertifySettings, Control, Method, Silent, TrainingProblem, certify};

fn relaxation() -> CertifySettings {
    CertifySettings { method: Method::Relaxation, ..CertifySettings::default() }
}

fn check(problem: &TrainingProblem) {
    let found = certify(problem, &relaxation(), &Control::new(), &mut Silent).unwrap();
    let report = &found.report;
    assert_eq!((report.status, report.grade), (Status::Converged, Grade::Verified));
    assert!(report.lower_bound <= report.upper_bound);
    assert!(report.lower_bound >= problem.zero_objective() * (1.0 - 1e-3), "{}", report.lower_bound);
    assert!(report.gap <= 1e-3);
}

#[test]
fn a_weight_decay_too_large_for_any_neuron() {
    let data = teacher(&TeacherSettings { samples: 40, features: 3, ..TeacherSettings::default() }).unwrap();
    check(&data.problem(1e3).unwrap());
}

#[test]
fn features_that_are_all_zero() {
    check(&TrainingProblem::new(Mat::zeros(3, 2), Mat::full(3, 1, 2.0), 0.1).unwrap());
}

/// The bound is weak there, and the status says why; nothing panics and nothing is claimed.
#[test]
fn a_weight_decay_beyond_what_a_proof_handles_is_not_called_converged() {
    let data = teacher(&TeacherSettings { samples: 12, features: 3, ..TeacherSettings::default() }).unwrap();
    for (gamma, status) in [(1e300, Status::Unproved), (1e40, Status::Unproved), (1e-300, Status::Stalled)] {
        let problem = data.problem(gamma).unwrap();
        let found = certify(&problem, &relaxation(), &Control::new(), &mut Silent).unwrap();
        let report = &found.report;
        assert!(
            0.0 <= report.lower_bound.value() && report.lower_bound.value() <= report.upper_bound.value(),
            "{report:?}"
        );
        assert!(report.gap > 0.5 && !report.meets(1e-3), "{report:?}");
        assert_eq!(report.status, status, "{gamma}");
    }
    assert!(data.problem(-1e300).unwrap_err().to_string().contains("gamma = -1e300"));
}
