//! What the parts share.

use assert_cmd::Command;
use relucert::branch::{BranchSettings, BranchStatus};
use relucert::certificate::branch::SearchSettings;
use relucert::certificate::{Grade, prove};
use relucert::data::{TeacherSettings, teacher};
use relucert::report::{Road, Status};
use relucert::{Certified, CertifySettings, Control, Method, Silent, TrainingProblem, certify};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

/// By branch and bound, to a relative gap, with so many visits.
pub fn settings(tolerance: f64, visits: u64) -> CertifySettings {
    let branch = BranchSettings {
        search: SearchSettings { visits, ..SearchSettings::default() },
        ..BranchSettings::default()
    };
    CertifySettings { tolerance, method: Method::Branch, branch, ..CertifySettings::default() }
}

/// Runs without a limit of time, and looks whether the report is honest.
pub fn run(problem: &TrainingProblem, settings: &CertifySettings) -> Certified {
    let certified = certify(problem, settings, &Control::new(), &mut Silent).unwrap();
    assert_honest(problem, &certified, settings.tolerance);
    certified
}

/// Whether a report says what the files can bear out, and no more.
pub fn assert_honest(problem: &TrainingProblem, certified: &Certified, tolerance: f64) {
    let report = &certified.report;
    let about = format!(
        "{} × {}, {} outputs, weight decay {}: {report:?}",
        report.samples, report.features, report.outputs, report.gamma
    );
    assert!(report.lower_bound <= report.upper_bound, "{about}");
    assert!(report.upper_bound >= certified.network.objective(problem), "{about}");
    assert!(report.upper_bound <= problem.zero_objective() * (1.0 + 1e-12), "{about}");
    assert_eq!(report.grade, Grade::Verified, "{about}");
    assert_eq!(report.failure_probability, 0.0);
    // The certificate bears the bound out without the run.
    let again = prove(problem, &certified.certificate).unwrap();
    assert_eq!(again.lower_bound(), report.lower_bound, "{about}");
    let figures = report.branch.unwrap();
    assert_eq!(report.cells, Some(figures.cells));
    let is_close = report.gap <= tolerance;
    assert_eq!(figures.status == BranchStatus::Reached, is_close, "{about}");
    if report.method == Road::Branch && report.relaxation_value.is_none() {
        assert_eq!((report.solver_gap, report.primal_infeasibility), (None, None), "{about}");
        assert_eq!(report.status == Status::Converged, is_close, "{about}");
        assert_eq!(report.meets(tolerance), is_close, "{about}");
    }
    assert!(figures.forecast.is_none() || !is_close, "{about}");
}

/// Noisy targets of a teacher network; one of the features is the bias.
pub fn noisy(samples: usize, features: usize, outputs: usize, part: f64) -> TrainingProblem {
    let settings = TeacherSettings { samples, features, outputs, seed: 3, ..TeacherSettings::default() };
    teacher(&settings).unwrap().problem(part * samples as f64).unwrap()
}

pub fn relucert(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("relucert").unwrap();
    command.current_dir(folder).args(arguments).timeout(std::time::Duration::from_secs(300));
    command.output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The report of a run that must end with one of these statuses.
pub fn report(folder: &Path, arguments: &[&str], status: &[i32]) -> Value {
    let output = relucert(folder, &[arguments, &["--json", "--quiet"]].concat());
    let code = output.status.code().unwrap();
    assert!(
        status.contains(&code),
        "{arguments:?}: {code}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}
