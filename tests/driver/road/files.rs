//! What is saved of a proof by branch and bound, and what is made of such files.

use super::tools::{relucert, report, run, settings, text};
use crate::common::{gaussian, problem};
use faer::Mat;
use npyz::WriterBuilder;
use relucert::certificate::{Certificate, Grade, ProofSettings, prove, prove_with};
use relucert::io::{load_certificate, load_network, load_problem, save_certificate, save_network};
use relucert::{Network, TrainingProblem};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Iris by branch and bound, saved under `out`.
fn iris() -> (tempfile::TempDir, serde_json::Value) {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["certify", "iris", "--gamma", "4.5", "--standardize", "--method", "branch", "--tolerance", "5e-3"];
    let report = report(folder.path(), &[&arguments[..], &["--save", "out"]].concat(), &[0]);
    (folder, report)
}

/// What `verify` ends with, and what it says of it in one line.
fn verify(folder: &Path, more: &[&str]) -> (i32, String, String) {
    let begun = Instant::now();
    let output = relucert(folder, &[&["verify", "out"], more].concat());
    // Whatever the file, and however loaded the machine.
    assert!(begun.elapsed() < Duration::from_secs(120));
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// The certificate with W multiplied by a number.
fn scaled(certificate: &Certificate, factor: f64) -> Certificate {
    let w = &certificate.dual().w;
    Certificate::of_claim(Mat::from_fn(w.nrows(), w.ncols(), |i, j| factor * w[(i, j)]))
}

#[test]
fn w_and_the_marker_are_saved_and_verified() {
    let (folder, report) = iris();
    assert_eq!(report["method"], "branch");
    let path = folder.path().join("out/certificate.npz");
    let archive = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
    let mut names: Vec<&str> = archive.file_names().collect();
    names.sort_unstable();
    assert_eq!(names, ["W.npy", "branch.npy"]);
    let certificate = load_certificate(&path).unwrap();
    assert!(certificate.is_by_branch() && certificate.partition().is_none());
    let (status, said, error) = verify(folder.path(), &[]);
    assert_eq!((status, error.as_str()), (0, ""));
    assert!(said.contains("claims no more than this") && said.contains("proved in floating point"), "{said}");
    // Saved again it has the same bytes.
    let again = folder.path().join("again.npz");
    save_certificate(&again, &certificate).unwrap();
    assert!(fs::read(&again).unwrap() == fs::read(&path).unwrap());
    let (status, said, _) = verify(folder.path(), &["--json"]);
    let verdict: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &verdict["proved"], &verdict["grade"]), (0, &true.into(), &"verified".into()));
    assert_eq!(verdict["lower_bound"], report["lower_bound"]);
}

#[test]
fn a_w_above_what_holds_is_refused() {
    let (folder, _) = iris();
    let path = folder.path().join("out/certificate.npz");
    let (certificate, problem) =
        (load_certificate(&path).unwrap(), load_problem(&folder.path().join("out/problem.npz")).unwrap());
    // The multiple that is still proved, between 1 and 2.
    let settings = ProofSettings {
        search: relucert::certificate::branch::SearchSettings { visits: 100_000_000, ..Default::default() },
        ..ProofSettings::default()
    };
    let is_proved = |factor: f64| {
        let proof = prove_with(&problem, &scaled(&certificate, factor), &settings);
        proof.is_ok_and(|proof| proof.grade() == Grade::Verified)
    };
    let (mut low, mut high) = (1.0f64, 2.0f64);
    assert!(is_proved(low) && !is_proved(high));
    while high / low > 1.0 + 2e-6 {
        let middle = (low * high).sqrt();
        if is_proved(middle) { low = middle } else { high = middle }
    }
    for factor in [high * (1.0 + 1e-6), high * (1.0 + 1e-3), 2.0, 1e100] {
        save_certificate(&path, &scaled(&certificate, factor)).unwrap();
        let (status, said, error) = verify(folder.path(), &["--max-cells", "10000000"]);
        assert_eq!((status, error.lines().count()), (1, 1), "{factor}: {said}{error}");
        assert!(!said.contains("proved in floating point"), "{factor}: {said}");
    }
    // Without the slack of W, still what the search can tell apart.
    save_certificate(&path, &scaled(&certificate, low)).unwrap();
    assert_eq!(verify(folder.path(), &[]).0, 0);
}

#[test]
fn a_budget_of_one_cell_proves_nothing() {
    let (folder, _) = iris();
    let (status, said, error) = verify(folder.path(), &["--max-cells", "1"]);
    assert_eq!((status, error.lines().count()), (1, 1), "{said}{error}");
    assert!(said.contains("not proved") && error.contains("do not prove a bound"), "{said}{error}");
    let (status, said, _) = verify(folder.path(), &["--max-cells", "1", "--json"]);
    let verdict: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &verdict["proved"], &verdict["grade"]), (1, &false.into(), &"none".into()));
    assert_eq!((&verdict["lower_bound"], &verdict["gap"]), (&0.0.into(), &serde_json::Value::Null));
    assert_eq!(verify(folder.path(), &["--max-cells", "0"]).0, 1);
}

#[test]
fn a_report_that_claims_more_than_w_proves_is_found_out() {
    let (folder, mut report) = iris();
    for key in ["lower_bound", "gap", "upper_bound"] {
        let honest = report[key].clone();
        let factor = if key == "lower_bound" { 1.0 + 1e-6 } else { 1.0 - 1e-4 };
        report[key] = (honest.as_f64().unwrap() * factor).into();
        fs::write(folder.path().join("out/report.json"), report.to_string()).unwrap();
        let (status, _, error) = verify(folder.path(), &[]);
        assert_eq!((status, error.lines().count()), (1, 1), "{key}: {error}");
        report[key] = honest;
    }
}

type Archive = zip::ZipWriter<fs::File>;
type Arrays<'a> = &'a dyn Fn(&mut Archive);

fn create(path: &Path) -> Archive {
    zip::ZipWriter::new(fs::File::create(path).unwrap())
}

fn put_any<T: npyz::AutoSerialize + Copy>(out: &mut Archive, name: &str, shape: &[u64], values: &[T]) {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape);
    let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    out.start_file(format!("{name}.npy"), zip::write::FileOptions::default()).unwrap();
    out.write_all(&bytes).unwrap();
}

fn put(out: &mut Archive, name: &str, shape: &[u64], values: &[f64]) {
    put_any(out, name, shape, values);
}

fn put_whole(out: &mut Archive, name: &str, shape: &[u64], values: &[i64]) {
    put_any(out, name, shape, values);
}

#[test]
fn what_is_beside_the_marker_or_in_it_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("certificate.npz");
    let w = [0.1, 0.2, 0.3];
    let cases: [(&str, Arrays<'_>); 12] = [
        ("y comes with branch", &|out| put(out, "y", &[3], &[0.0; 3])),
        ("pairs comes with branch", &|out| put_whole(out, "pairs", &[0, 2], &[])),
        ("N comes with branch", &|out| put(out, "N", &[0], &[])),
        ("block comes with branch", &|out| put_whole(out, "block", &[3], &[0; 3])),
        ("head comes with branch", &|out| put(out, "head", &[1, 1, 1], &[0.0])),
        ("form_target comes with branch", &|out| put_whole(out, "form_target", &[0], &[])),
        ("cells", &|out| put(out, "cells", &[1], &[0.0])),
        ("must be the number 1", &|out| put_whole(out, "branch", &[], &[2])),
        ("must be the number 1", &|out| put_whole(out, "branch", &[], &[0])),
        ("must be the number 1", &|out| put_whole(out, "branch", &[2], &[1, 1])),
        ("must be the number 1", &|out| put_whole(out, "branch", &[1, 1], &[1])),
        ("branch", &|out| put(out, "branch", &[], &[1.0])),
    ];
    for (said, more) in cases {
        let mut out = create(&path);
        put(&mut out, "W", &[3, 1], &w);
        if !said.contains("must be") && said != "branch" {
            put_whole(&mut out, "branch", &[], &[1]);
        }
        more(&mut out);
        out.finish().unwrap();
        let error = load_certificate(&path).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(said) && error.lines().count() == 1, "{said}: {error}");
    }
    // Both shapes of one number are read.
    for shape in [&[][..], &[1]] {
        let mut out = create(&path);
        put(&mut out, "W", &[3, 1], &w);
        put_whole(&mut out, "branch", shape, &[1]);
        out.finish().unwrap();
        assert!(load_certificate(&path).unwrap().is_by_branch());
    }
}

#[test]
fn a_w_that_is_no_w_is_refused() {
    let (folder, _) = iris();
    let path = folder.path().join("out/certificate.npz");
    let w = load_certificate(&path).unwrap().into_dual().w;
    let with = |value: f64| {
        let mut w = w.clone();
        w[(17, 1)] = value;
        w
    };
    let wrong = [
        with(f64::NAN),
        with(f64::INFINITY),
        w.subrows(1, w.nrows() - 1).to_owned(),
        w.subcols(1, w.ncols() - 1).to_owned(),
        Mat::zeros(0, 0),
    ];
    for w in wrong {
        let about = format!("{} × {}", w.nrows(), w.ncols());
        // Built by hand: nothing says that a writer would not refuse it.
        let mut out = create(&path);
        let values: Vec<f64> =
            (0..w.nrows()).flat_map(|i| (0..w.ncols()).map(move |j| (i, j))).map(|at| w[at]).collect();
        put(&mut out, "W", &[w.nrows() as u64, w.ncols() as u64], &values);
        put_whole(&mut out, "branch", &[], &[1]);
        out.finish().unwrap();
        let (status, said, error) = verify(folder.path(), &[]);
        assert!(matches!(status, 1 | 2) && error.lines().count() == 1, "{about}: {status} {said}{error}");
        assert!(said.is_empty(), "{about}: {said}");
    }
    // A W that is nothing claims nothing, and that is true.
    save_certificate(&path, &Certificate::of_claim(Mat::zeros(w.nrows(), w.ncols()))).unwrap();
    fs::remove_file(folder.path().join("out/report.json")).unwrap();
    let (status, said, error) = verify(folder.path(), &[]);
    assert!(status == 0 && said.contains("lower bound   0 "), "{status}: {said}{error}");
}

#[test]
fn a_certificate_of_other_data_proves_nothing_more_than_it_holds() {
    let (x, y) = (gaussian(1, 25, 3), gaussian(2, 25, 2));
    let problem = problem(&x, &y, 0.2);
    let found = run(&problem, &settings(1e-4, u64::MAX));
    let w = &found.certificate.dual().w;
    // The same W for lighter weight decay, longer samples and more dimensions: its claim is false there.
    let lighter = TrainingProblem::new(x.clone(), y.clone(), 0.199).unwrap();
    let longer = TrainingProblem::new(Mat::from_fn(25, 3, |i, j| 1.01 * x[(i, j)]), y.clone(), 0.2).unwrap();
    for other in [lighter, longer] {
        let error = prove(&other, &Certificate::of_claim(w.clone())).map(|proof| proof.lower_bound());
        assert!(error.is_err(), "{error:?}");
    }
    let wide = TrainingProblem::new(gaussian(3, 25, 20), y, 0.2).unwrap();
    let error = prove(&wide, &Certificate::of_claim(w.clone())).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("16") && error.lines().count() == 1, "{error}");
}

#[test]
fn somebody_elses_network_is_judged_as_it_came() {
    let (folder, own) = iris();
    let network = load_network(&folder.path().join("out/network.npz")).unwrap();
    let problem = load_problem(&folder.path().join("out/problem.npz")).unwrap();
    let arguments =
        ["certify", "iris", "--gamma", "4.5", "--standardize", "--tolerance", "5e-3", "--network"];
    let worse =
        Mat::from_fn(network.output().nrows(), network.width(), |i, j| 0.9 * network.output()[(i, j)]);
    let worse = Network::new(network.hidden().to_owned(), worse).unwrap();
    let none = Network::empty(problem.inputs(), problem.outputs());
    for (name, network, status) in [("good.npz", network, 0), ("worse.npz", worse, 3), ("none.npz", none, 3)]
    {
        save_network(&folder.path().join(name), &network).unwrap();
        for method in ["branch", "auto"] {
            let save = format!("of-{method}-{name}");
            let more = [name, "--method", method, "--save", &save];
            let report = report(folder.path(), &[&arguments[..], &more].concat(), &[status]);
            assert_eq!(report["method"], "branch");
            let figure = |key: &str| report[key].as_f64().unwrap();
            assert_eq!(figure("upper_bound"), network.objective_upper(&problem).value());
            assert!(figure("upper_bound") >= network.objective(&problem));
            // The search improves a network of its own: the bound is as good whatever it was given.
            let least = own["upper_bound"].as_f64().unwrap() * (1.0 - 5e-3) * (1.0 - 5e-3);
            assert!(figure("lower_bound") >= least, "{report}");
            assert!(figure("lower_bound") <= own["upper_bound"].as_f64().unwrap());
            let kept = load_network(&folder.path().join(&save).join("network.npz")).unwrap();
            assert_eq!((kept.hidden(), kept.output()), (network.hidden(), network.output()));
            let verified = relucert(folder.path(), &["verify", &save]);
            assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
        }
    }
}

/// Python with numpy; none, loudly, where there is none.
fn python() -> Option<&'static str> {
    for name in ["python3", "python"] {
        if Command::new(name)
            .args(["-c", "import numpy"])
            .output()
            .is_ok_and(|output| output.status.success())
        {
            return Some(name);
        }
    }
    eprintln!("SKIPPED: docs/check.py was not tried, for want of python3 with numpy");
    None
}

#[test]
fn the_check_in_python_accepts_what_holds_and_nothing_else() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    // The four columns as they are: cheap.
    let arguments = ["certify", "iris", "--gamma", "4.5", "--method", "branch", "--tolerance", "2e-2"];
    report(folder.path(), &[&arguments[..], &["--save", "out"]].concat(), &[0]);
    let check = || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/check.py");
        let output = Command::new(python).arg(script).arg(&out).output().unwrap();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    };
    let (holds, said) = check();
    assert!(holds && said.contains("the certificate holds"), "{said}");
    let certificate = load_certificate(&out.join("certificate.npz")).unwrap();
    save_certificate(&out.join("certificate.npz"), &scaled(&certificate, 1.05)).unwrap();
    let (holds, said) = check();
    assert!(!holds && said.contains("REFUSED"), "{said}");
    // One large entry more.
    let mut w = certificate.dual().w.clone();
    w[(3, 0)] += 10.0;
    save_certificate(&out.join("certificate.npz"), &Certificate::of_claim(w)).unwrap();
    let (holds, said) = check();
    assert!(!holds && said.contains("REFUSED"), "{said}");
    // A report that claims more.
    save_certificate(&out.join("certificate.npz"), &certificate).unwrap();
    assert!(check().0);
    let mut report: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
    report["lower_bound"] = (1.001 * report["lower_bound"].as_f64().unwrap()).into();
    fs::write(out.join("report.json"), report.to_string()).unwrap();
    let (holds, said) = check();
    assert!(!holds && said.contains("claims"), "{said}");
}
