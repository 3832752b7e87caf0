//! Runs by branch and bound that go on from a file.

use super::tools::{assert_honest, noisy, run, settings};
use crate::common::{gaussian, problem};
use relucert::report::{Report, Status};
use relucert::{
    Certified, CertifySettings, Checkpoint, Control, Method, Observer, Progress, Silent, TrainingProblem,
    certify,
};
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::time::Duration;
use zip::write::FileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

fn keeping(settings: CertifySettings, path: &Path) -> CertifySettings {
    let checkpoint = Checkpoint { interval: Duration::ZERO, ..Checkpoint::new(path) };
    CertifySettings { checkpoint: Some(checkpoint), ..settings }
}

/// A report without what differs from run to run.
fn figures(certified: &Certified) -> Report {
    let mut report = certified.report.clone();
    (report.seconds, report.peak_memory_bytes, report.overrun) = (Default::default(), None, None);
    report
}

/// A finished run is read back, is proved again and says the same.
fn assert_read_back(problem: &TrainingProblem, settings: &CertifySettings, path: &Path, first: &Certified) {
    let before = fs::read(path).unwrap();
    let again = certify(problem, settings, &Control::new(), &mut Silent).unwrap();
    assert_eq!(figures(first), figures(&again));
    assert_eq!(first.network.hidden(), again.network.hidden());
    assert_eq!(first.network.output(), again.network.output());
    assert_eq!(first.certificate.dual().w, again.certificate.dual().w);
    assert_eq!(first.proof.lower_bound(), again.proof.lower_bound());
    assert!(fs::read(path).unwrap() == before, "a finished run is written anew");
}

#[test]
fn a_finished_run_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let problem = noisy(150, 3, 2, 0.01);
    for (name, method) in [("branch", Method::Branch), ("auto", Method::Auto)] {
        let path = folder.path().join(name).with_extension("npz");
        let settings = keeping(CertifySettings { method, ..settings(1e-3, u64::MAX) }, &path);
        let first = run(&problem, &settings);
        assert_eq!(first.report.status, Status::Converged);
        assert!(first.report.branch.is_some());
        assert_read_back(&problem, &settings, &path, &first);
    }
}

#[test]
fn a_finished_run_of_more_samples_than_one_factor_takes_is_read_back() {
    // The relaxation would divide these into blocks.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.npz");
    let problem = noisy(6000, 2, 1, 0.03);
    for method in [Method::Branch, Method::Auto] {
        let settings = keeping(CertifySettings { method, ..settings(1e-2, u64::MAX) }, &path);
        let first = run(&problem, &settings);
        assert_eq!(first.report.status, Status::Converged);
        assert_read_back(&problem, &settings, &path, &first);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_finished_run_that_took_both_roads_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.npz");
    let (x, y) = (gaussian(1, 30, 6), gaussian(2, 30, 2));
    let problem = problem(&x, &y, 0.1);
    // Far too few visits for branch and bound.
    let settings = keeping(CertifySettings { method: Method::Auto, ..settings(1e-3, 100_000) }, &path);
    let first = run(&problem, &settings);
    assert!(first.report.branch.is_some() && first.report.relaxation_value.is_some());
    assert_read_back(&problem, &settings, &path, &first);
}

/// Cancels once so many cells were looked at in a search after a bound was proved.
struct Stopper(Control, u64);

impl Observer for Stopper {
    fn progress(&mut self, progress: &Progress) {
        if progress.lower_bound > 0.0 && progress.cells.is_some_and(|cells| cells >= self.1) {
            self.0.cancel();
        }
    }
}

#[test]
fn a_stopped_run_goes_on_and_reaches_the_tolerance() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.npz");
    let problem = noisy(200, 4, 2, 0.01);
    let settings = keeping(settings(1e-3, u64::MAX), &path);
    let mut objective = f64::INFINITY;
    for cells in [1, 1000, 3000] {
        let control = Control::new();
        let mut stopper = Stopper(control.clone(), cells);
        let stopped = certify(&problem, &settings, &control, &mut stopper).unwrap();
        assert_honest(&problem, &stopped, 1e-3);
        assert_eq!(stopped.report.status, Status::Cancelled);
        assert!(stopped.report.lower_bound > 0.0);
        // No network is lost.
        assert!(stopped.report.upper_bound <= objective);
        objective = stopped.report.upper_bound.value();
    }
    let resumed = run(&problem, &settings);
    assert_eq!(resumed.report.status, Status::Converged);
    assert!(resumed.report.upper_bound <= objective);
    assert_read_back(&problem, &settings, &path, &resumed);
}

#[test]
fn the_bound_of_a_stopped_run_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.npz");
    let problem = noisy(200, 5, 2, 0.01);
    let settings = keeping(settings(1e-4, u64::MAX), &path);
    let control = Control::new();
    let stopped = certify(&problem, &settings, &control, &mut Stopper(control.clone(), 30_000)).unwrap();
    assert_eq!(stopped.report.status, Status::Cancelled);
    let bound = stopped.report.lower_bound.value();
    // Stopped as soon as it has a bound again.
    let control = Control::new();
    let resumed = certify(&problem, &settings, &control, &mut Stopper(control.clone(), 1)).unwrap();
    assert_honest(&problem, &resumed, 1e-4);
    assert!(resumed.report.lower_bound >= bound * (1.0 - 1e-9), "{} {bound}", resumed.report.lower_bound);
    // Stopped before that nothing is proved, and nothing is lost.
    let control = Control::new();
    control.cancel();
    let nothing = certify(&problem, &settings, &control, &mut Silent).unwrap();
    assert_honest(&problem, &nothing, 1e-4);
    let control = Control::new();
    let resumed = certify(&problem, &settings, &control, &mut Stopper(control.clone(), 1)).unwrap();
    assert!(resumed.report.lower_bound >= bound * (1.0 - 1e-9), "{} {bound}", resumed.report.lower_bound);
}

#[test]
fn a_stopped_run_of_auto_takes_the_same_road_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.npz");
    let problem = noisy(200, 3, 2, 0.01);
    let settings = CertifySettings { method: Method::Auto, ..settings(1e-3, u64::MAX) };
    let whole = run(&problem, &settings).report;
    assert!(whole.relaxation_value.is_none() && whole.status == Status::Converged);
    let settings = keeping(settings, &path);
    let control = Control::new();
    let stopped = certify(&problem, &settings, &control, &mut Stopper(control.clone(), 1)).unwrap();
    assert_eq!(stopped.report.status, Status::Cancelled);
    let resumed = run(&problem, &settings).report;
    assert_eq!((resumed.method, resumed.status), (whole.method, whole.status));
    assert!(resumed.relaxation_value.is_none() && resumed.gap <= 1e-3);
}

/// Changes the numbers of an array of doubles, and mends the archive's checksums.
fn forge(bytes: &[u8], array: &str, change: impl Fn(usize, f64) -> f64) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut found = false;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if entry.name() == format!("{array}.npy") {
            let header = 10 + usize::from(u16::from_le_bytes([content[8], content[9]]));
            for (index, bytes) in content[header..].chunks_exact_mut(8).enumerate() {
                let value = f64::from_le_bytes((&*bytes).try_into().unwrap());
                bytes.copy_from_slice(&change(index, value).to_le_bytes());
            }
            found = true;
        }
        let options = FileOptions::default().compression_method(CompressionMethod::Stored);
        writer.start_file(entry.name(), options).unwrap();
        writer.write_all(&content).unwrap();
    }
    assert!(found, "no array {array}");
    writer.finish().unwrap().into_inner()
}

#[test]
fn what_a_file_claims_is_proved_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.npz");
    let problem = noisy(100, 3, 1, 0.01);
    let settings = keeping(settings(1e-3, u64::MAX), &path);
    let refused = |bytes: Vec<u8>, about: &str| {
        fs::write(&path, bytes).unwrap();
        let outcome = certify(&problem, &settings, &Control::new(), &mut Silent);
        let error = outcome.map(|found| found.report).unwrap_err().to_string();
        assert!(error.contains("damaged checkpoint") && error.lines().count() == 1, "{about}: {error}");
    };
    let control = Control::new();
    certify(&problem, &settings, &control, &mut Stopper(control.clone(), 1)).unwrap();
    let stopped = fs::read(&path).unwrap();
    // The first level that is proved, twice the weight decay, leaves W room.
    refused(forge(&stopped, "W", |_, value| 3.0 * value), "W of a run that was stopped");
    refused(forge(&stopped, "W", |_, _| f64::NAN), "a W that is no number");
    fs::write(&path, &stopped).unwrap();
    run(&problem, &settings);
    let finished = fs::read(&path).unwrap();
    refused(forge(&finished, "W", |_, value| 1.1 * value), "W of a run that ended");
    let at = |index: usize, value: f64| move |k: usize, old: f64| if k == index { value } else { old };
    for (array, index, value) in [
        ("search", 0, 0.5),
        ("search", 1, f64::NAN),
        ("search", 2, -1.0),
        ("search", 3, 9.0),
        ("search", 4, f64::INFINITY),
        ("search", 5, 1.0),
        ("figures", 7, 3.0),
        ("figures", 7, f64::NAN),
    ] {
        refused(forge(&finished, array, at(index, value)), &format!("{array} {index}"));
    }
    fs::write(&path, &finished).unwrap();
    assert_eq!(run(&problem, &settings).report.status, Status::Converged);
}
