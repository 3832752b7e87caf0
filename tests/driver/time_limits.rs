//! Runs with limits: what is never lost, and what the report says where a limit could not be kept.

use assert_cmd::cargo::cargo_bin;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::certificate::Grade;
use relucert::data::{CsvOptions, TeacherSettings, load, teacher};
use relucert::dual::DualPoint;
use relucert::repair::{RepairSettings, certify_dual, repair};
use relucert::report::Status;
use relucert::training::TrainingSettings;
use relucert::{
    Blocks, CertifySettings, Checkpoint, Control, Method, Observer, Progress, Silent, TrainingProblem,
    certify,
};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn relucert(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(cargo_bin("relucert"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

fn report(output: &Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(report: &Value, name: &str) -> f64 {
    report[name].as_f64().unwrap_or_else(|| panic!("{name} in {report}"))
}

/// The bound of W = tY, which takes no solver.
fn free_bound(problem: &TrainingProblem) -> f64 {
    let zero = DualPoint::zero(problem.samples(), problem.outputs());
    let targets = DualPoint { w: problem.targets().to_owned(), ..zero };
    let repaired = repair(problem, &targets, &RepairSettings::default(), &Control::new()).unwrap();
    certify_dual(problem, &repaired.dual).unwrap().1.lower_bound().value()
}

#[test]
fn no_limit_and_no_division_costs_the_bound_that_takes_no_solver() {
    let digits = load("digits", &CsvOptions::default()).unwrap().standardized().problem(18.0).unwrap();
    let free = free_bound(&digits) * (1.0 - 1e-4);
    assert!(free > 23.16, "{free}");
    let folder = tempfile::tempdir().unwrap();
    let digits = ["certify", "digits", "--gamma", "18", "--standardize", "--quiet"];
    for limits in [&["--time-limit", "500ms"][..], &["--time-limit", "1ms", "--blocks", "7"]] {
        let report = report(&relucert(folder.path(), &[&digits[..], limits, &["--json"]].concat()));
        assert!(number(&report, "lower_bound") >= free, "{limits:?}: {report}");
        assert_eq!((&report["status"], &report["grade"]), (&"time_limit".into(), &"verified".into()));
        // No relaxation was solved, so that there is no value of one.
        for name in ["relaxation_value", "solver_gap", "primal_infeasibility"] {
            assert!(report[name].is_null(), "{name} in {report}");
        }
    }
    let save = ["--time-limit", "1ms", "--save", "out"];
    let text = relucert(folder.path(), &[&digits[..], &save].concat());
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("relaxation    none"), "{text}");
    let verified = relucert(folder.path(), &["verify", "out", "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn small_blocks_do_not_cost_it_either() {
    let settings = TeacherSettings { samples: 60, features: 5, outputs: 2, ..TeacherSettings::default() };
    let problem = teacher(&settings).unwrap().problem(6.0).unwrap();
    let free = free_bound(&problem) * (1.0 - 1e-4);
    for blocks in [2, 10, 30] {
        let settings = CertifySettings { blocks: Blocks::Count(blocks), ..CertifySettings::default() };
        let found = certify(&problem, &settings, &Control::new(), &mut Silent).unwrap().report;
        assert!(found.lower_bound >= free && found.lower_bound <= found.upper_bound, "{found:?}");
        assert_eq!((found.blocks, found.grade), (blocks, Grade::Verified));
    }
}

fn small_training() -> TrainingSettings {
    TrainingSettings { width: 8, starts: 1, iterations: 50, rounds: 1, ..TrainingSettings::default() }
}

/// Stops the run after a number of reports.
struct Stopper(Control, usize);

impl Observer for Stopper {
    fn progress(&mut self, _: &Progress) {
        self.1 -= 1;
        if self.1 == 0 {
            self.0.cancel();
        }
    }
}

#[test]
fn a_run_stopped_at_once_has_the_bound_of_the_checkpoint_that_it_began_from() {
    let settings = TeacherSettings { samples: 40, features: 3, outputs: 2, ..TeacherSettings::default() };
    let problem = teacher(&settings).unwrap().problem(0.4).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let checkpoint =
        Checkpoint { interval: Duration::ZERO, ..Checkpoint::new(folder.path().join("run.npz")) };
    let settings = CertifySettings {
        tolerance: 1e-5,
        method: Method::LowRank,
        training: small_training(),
        checkpoint: Some(checkpoint),
        ..CertifySettings::default()
    };
    let control = Control::new();
    let mut stopper = Stopper(control.clone(), 6);
    let before = certify(&problem, &settings, &control, &mut stopper).unwrap().report;
    assert_eq!(before.status, Status::Cancelled);
    assert!(before.lower_bound > 1.01 * free_bound(&problem), "{before:?}");
    let late = Control::new().within(Duration::ZERO);
    let after = certify(&problem, &settings, &late, &mut Silent).unwrap().report;
    assert_eq!(after.status, Status::TimeLimit);
    assert!(after.lower_bound >= before.lower_bound.value() * (1.0 - 1e-9), "{after:?}");
}

#[test]
fn a_checkpoint_decides_the_blocks_of_a_run_with_another_limit() {
    let folder = tempfile::tempdir().unwrap();
    let synth =
        ["synth", "teacher", "--samples", "1400", "--features", "3", "--outputs", "2", "--output", "d.csv"];
    assert!(relucert(folder.path(), &synth).status.success());
    let run = [
        "certify",
        "d.csv",
        "--target",
        "y1,y2",
        "--gamma",
        "14",
        "--tolerance",
        "1e-6",
        "--json",
        "--method",
        "relaxation",
        "--quiet",
    ];
    let short = ["--time-limit", "1s"];
    // What the limit alone leads to.
    let alone = report(&relucert(folder.path(), &[&run[..], &short].concat()));
    assert!(number(&alone, "blocks") > 1.0, "{alone}");
    // Begun without a limit, killed, and gone on with one.
    let keep = ["--checkpoint", "run.npz", "--checkpoint-interval", "1ms"];
    let mut command = Command::new(cargo_bin("relucert"));
    command.current_dir(folder.path()).args(run).args(keep).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    while !folder.path().join("run.npz").exists() && begun.elapsed() < Duration::from_secs(300) {
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = report(&relucert(folder.path(), &[&run[..], &keep, &short].concat()));
    assert_eq!(number(&resumed, "blocks"), 1.0, "{resumed}");
    // A number that was asked for is not silently another.
    let other = relucert(folder.path(), &[&run[..], &keep, &["--blocks", "3"]].concat());
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("another number of blocks"));
}

/// Two classes of 685 samples with the shape of the bank notes' wavelet statistics, one in ten of which is there again but for
/// its eighth digit.
fn bank_notes(path: &Path) {
    let mut rng = Pcg64::seed_from_u64(1);
    let mut normal = || -> f64 { rng.sample(StandardNormal) };
    let mut text = "variance,skewness,curtosis,entropy,class\n".to_owned();
    let mut last = [0.0; 4];
    let mut class = 0;
    for i in 0..685 {
        if i % 10 == 1 {
            last = last.map(|value| value * (1.0 + 1e-8 * normal()));
        } else {
            class = usize::from(normal() > 0.14);
            let sign = if class == 0 { 1.0 } else { -1.0 };
            let skewness = 1.6 + sign * 2.6 + 5.2 * normal();
            last = [
                0.2 + sign * 2.1 + 2.0 * normal(),
                skewness,
                1.5 - 0.78 * (skewness - 1.6) + 0.016 * skewness * skewness + 1.2 * normal(),
                -1.2 - 0.0135 * skewness * skewness + 1.3 * normal(),
            ];
        }
        let name = ["genuine", "forged"][class];
        writeln!(text, "{},{},{},{},{name}", last[0], last[1], last[2], last[3]).unwrap();
    }
    fs::write(path, text).unwrap();
}

#[test]
fn nearly_equal_samples_do_not_cost_the_proof() {
    let folder = tempfile::tempdir().unwrap();
    bank_notes(&folder.path().join("notes.csv"));
    let run = [
        "certify",
        "notes.csv",
        "--standardize",
        "--bias",
        "--gamma",
        "68.5",
        "--method",
        "relaxation",
        "--json",
        "--quiet",
        "--save",
        "out",
    ];
    let output = relucert(folder.path(), &run);
    let report = report(&output);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!((&report["status"], &report["grade"]), (&"converged".into(), &"verified".into()));
    assert_eq!((number(&report, "samples"), number(&report, "features")), (685.0, 5.0));
    assert!(number(&report, "solver_gap") <= 1e-3, "{report}");
    assert!(report["cause"].is_null());
    assert_eq!(relucert(folder.path(), &["verify", "out"]).status.code(), Some(0));
}

#[test]
fn a_bound_that_could_not_be_proved_names_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let synth = ["synth", "teacher", "--samples", "12", "--features", "3", "--output", "d.csv"];
    assert!(relucert(folder.path(), &synth).status.success());
    let run = ["certify", "d.csv", "--target", "y1,y2,y3", "--gamma", "1e40", "--method", "relaxation"];
    let text = relucert(folder.path(), &run);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("status")).unwrap();
    assert!(line.contains("unproved: ") && line.contains("2^100"), "{line}");
}

/// Hundreds of neurons' worth of work in steps of all kinds, each under a limit far too short for it.
#[test]
fn a_run_ends_a_tenth_and_a_second_after_its_limit_or_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    for (name, samples, features) in [("plane.csv", "200", "2"), ("large.csv", "2500", "20")] {
        let synth = ["synth", "teacher", "--samples", samples, "--features", features, "--output", name];
        assert!(relucert(folder.path(), &synth).status.success());
    }
    let plane = ["certify", "plane.csv", "--bias", "--gamma", "0.02"];
    let large = ["certify", "large.csv", "--gamma", "25"];
    let runs = [(&plane, "100ms"), (&plane, "3s")];
    for (run, limit) in runs {
        late_or_explained(folder.path(), run, &["--blocks", "1", "--cuts", "8"], limit);
    }
    for (blocks, limit) in [("1", "100ms"), ("1", "4s"), ("2", "4s")] {
        late_or_explained(folder.path(), &large, &["--blocks", blocks], limit);
    }
}

fn late_or_explained(folder: &Path, run: &[&str], more: &[&str], limit: &str) {
    let seconds: f64 = match limit.strip_suffix("ms") {
        Some(number) => number.parse::<f64>().unwrap() / 1e3,
        None => limit.trim_end_matches('s').parse().unwrap(),
    };
    let begun = Instant::now();
    let common = ["--target", "y1,y2,y3", "--time-limit", limit, "--json", "--quiet"];
    let report = report(&relucert(folder, &[run, more, &common].concat()));
    let late = begun.elapsed().as_secs_f64() - seconds;
    assert!(number(&report, "lower_bound") > 0.0, "{report}");
    // Starting and ending the process is not in the report's hands.
    assert!(late <= 0.1 * seconds + 1.5 || report["overrun"].is_string(), "{late} s late: {report}");
}

#[test]
fn what_kept_a_run_from_ending_in_time_is_said() {
    let settings = TeacherSettings { samples: 20, features: 3, outputs: 1, ..TeacherSettings::default() };
    let problem = teacher(&settings).unwrap().problem(0.2).unwrap();
    let settings = CertifySettings {
        method: Method::Relaxation,
        training: small_training(),
        ..CertifySettings::default()
    };
    let run = |control: &Control| certify(&problem, &settings, control, &mut Silent).unwrap().report;
    assert_eq!(run(&Control::new()).overrun, None);
    let control = Control::new().within(Duration::from_millis(10));
    std::thread::sleep(Duration::from_millis(1_100));
    let report = run(&control);
    assert!(report.overrun.as_ref().is_some_and(|line| line.contains("reading the data")), "{report:?}");
    assert!(report.lower_bound > 0.0);
}
