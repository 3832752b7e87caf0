//! What the command line prints of bounds, and what `relucert verify` makes of the files beside a certificate.

use assert_cmd::Command;
use faer::Mat;
use relucert::Network;
use relucert::io::{load_certificate, load_network, save_certificate, save_network};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

/// Its bound, 0.08762069196799985, and its network's objective, 0.08762069196800001, are both rounded to 0.087620692.
const SIMPLE: &str = "x,y\n1,0.123456\n-1,0.4\n";

fn relucert(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("relucert")
        .unwrap()
        .current_dir(folder)
        .args(arguments)
        .timeout(std::time::Duration::from_secs(120))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What follows the word at the beginning of a line, up to the next space.
fn figure(text: &str, label: &str) -> f64 {
    let rest = text.lines().find_map(|line| line.strip_prefix(label));
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no {label} in {text}"))
}

const OBJECTIVE: &str = "network       objective ";
const BOUND: &str = "lower bound   ";
const GAP: &str = "gap           ";

#[test]
fn no_bound_is_printed_above_the_proved_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("simple.csv"), SIMPLE).unwrap();
    let arguments = ["certify", "simple.csv", "--gamma", "10", "--method", "relaxation", "--save", "out"];
    let output = relucert(folder.path(), &arguments);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.contains("lower bound   0.087620691 on the objective"), "{printed}");
    assert!(printed.contains("objective 0.087620692 with 0 neurons"), "{printed}");
    assert!(printed.contains("gap           0.001 %"), "{printed}");
    let verified = text(&relucert(folder.path(), &["verify", "out"]).stdout);
    assert!(verified.contains("lower bound   0.087620691 for every network"), "{verified}");
    let picture = fs::read_to_string(folder.path().join("out/progress.svg")).unwrap();
    assert!(picture.contains("objective of the network 0.087620692, lower bound 0.087620691 "));
    let compared =
        relucert(folder.path(), &["compare", "simple.csv", "--gamma", "10", "--methods", "certify,train"]);
    let table = text(&compared.stdout);
    let row = table.lines().find(|line| line.starts_with("certify")).unwrap();
    assert_eq!(row.split_whitespace().nth(1), Some("0.087620691"), "{table}");
    assert!(table.contains("no network: objective 0.087620692"), "{table}");
}

#[test]
fn the_figures_of_many_runs_are_on_their_side() {
    let folder = tempfile::tempdir().unwrap();
    let mut above = 0;
    for k in 0..24 {
        let scale = [1.0, 1e-8, 1e8, 0.37][k % 4];
        let cell = |i: usize, j: usize| (((k + 1) * 31 + 7 * i + 3 * j) as f64 * 0.7).sin() * scale;
        let rows = (0..3).map(|i| format!("{},{},{}\n", cell(i, 0), cell(i, 1), cell(i, 2)));
        fs::write(folder.path().join("d.csv"), "a,b,y\n".to_owned() + &rows.collect::<String>()).unwrap();
        let gamma = format!("{:e}", [1.0, 0.1, 0.01][k % 3] * (scale * scale).clamp(1e-6, 1e6));
        let save = format!("run{k}");
        let arguments = ["certify", "d.csv", "--gamma", &gamma, "--time-limit", "10s", "--save", &save];
        let output = relucert(folder.path(), &arguments);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{}", text(&output.stderr));
        let report = fs::read_to_string(folder.path().join(&save).join("report.json")).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        let stored = |key: &str| report[key].as_f64().unwrap();
        let verified = relucert(folder.path(), &["verify", &save]);
        assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
        for printed in [text(&output.stdout), text(&verified.stdout)] {
            // A decimal above the bound cannot be read as a number below it.
            assert!(figure(&printed, BOUND) <= stored("lower_bound"), "{printed} {report}");
            assert!(figure(&printed, OBJECTIVE) >= stored("upper_bound"), "{printed} {report}");
            assert!(figure(&printed, GAP) >= 100.0 * stored("gap") * (1.0 - 1e-15), "{printed} {report}");
        }
        let nearest: f64 = format!("{:.7e}", stored("lower_bound")).parse().unwrap();
        above += usize::from(nearest > stored("lower_bound"));
    }
    assert!(above > 4, "rounding to nearest would have passed: {above}");
}

struct Saved {
    folder: tempfile::TempDir,
    report: Value,
}

impl Saved {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = "a,b,y\n0.3,1,0.8\n-1.2,1,0.1\n0.9,1,1.4\n-0.4,1,0.5\n1.7,1,2.1\n-0.8,1,0.9\n";
        fs::write(folder.path().join("data.csv"), data).unwrap();
        let arguments = ["certify", "data.csv", "--gamma", "0.1", "--json", "--save", "out"];
        let output = relucert(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let report = serde_json::from_slice(&output.stdout).unwrap();
        Self { folder, report }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("out").join(name)
    }

    /// Report.json with another value.
    fn claim(&self, key: &str, value: impl Into<Value>) {
        let mut report = self.report.clone();
        report[key] = value.into();
        fs::write(self.file("report.json"), report.to_string()).unwrap();
    }

    fn number(&self, key: &str) -> f64 {
        self.report[key].as_f64().unwrap()
    }

    /// The status, what was printed, and one line of complaint or none.
    fn verify(&self) -> (i32, String, String) {
        let output = relucert(self.folder.path(), &["verify", "out"]);
        let error = text(&output.stderr);
        assert!(error.lines().count() <= 1, "{error}");
        (output.status.code().unwrap(), text(&output.stdout), error)
    }

    fn assert_verdict(&self, status: i32, parts: &[&str]) {
        let (code, printed, error) = self.verify();
        assert_eq!(code, status, "{printed}{error}");
        for part in parts {
            assert!(printed.contains(part) || error.contains(part), "{part:?} is missing: {printed}{error}");
        }
        assert_eq!(error.is_empty(), status == 0, "{error}");
    }
}

#[test]
fn bound_objective_and_gap_are_proved_anew() {
    let saved = Saved::new();
    saved.assert_verdict(0, &["claims no more than this", "6 samples, 2 features, 1 outputs"]);
    let (_, printed, _) = saved.verify();
    for (label, key, scale) in
        [(BOUND, "lower_bound", 1.0), (OBJECTIVE, "upper_bound", 1.0), (GAP, "gap", 100.0)]
    {
        let stored = scale * saved.number(key);
        assert!((figure(&printed, label) - stored).abs() <= 1e-3 + 1e-7 * stored, "{printed}");
    }
    let verdict = relucert(saved.folder.path(), &["verify", "out", "--json"]);
    let verdict: Value = serde_json::from_slice(&verdict.stdout).unwrap();
    for key in ["lower_bound", "upper_bound", "gap"] {
        assert_eq!(verdict[key], saved.report[key], "{key}");
        assert_eq!(verdict[format!("claimed_{key}")], saved.report[key], "{key}");
    }
    assert_eq!((&verdict["proved"], &verdict["grade"]), (&true.into(), &"verified".into()));
}

#[test]
fn a_report_that_claims_more_than_the_files_prove_is_found_out() {
    let saved = Saved::new();
    let (lower, upper, gap) = (saved.number("lower_bound"), saved.number("upper_bound"), saved.number("gap"));
    let less = |value: f64| value * (1.0 - 1e-8);
    saved.claim("upper_bound", less(upper));
    saved.assert_verdict(1, &["report.json claims the objective", "claims more than this", "lower bound   "]);
    saved.claim("lower_bound", lower * (1.0 + 1e-8));
    saved.assert_verdict(1, &["report.json claims the lower bound"]);
    saved.claim("gap", gap - 1e-8);
    saved.assert_verdict(1, &["report.json claims the gap"]);
    saved.claim("gamma", 0.2);
    saved.assert_verdict(1, &["weight decay 0.2", "weight decay 0.1"]);
    saved.claim("samples", 7);
    saved.assert_verdict(1, &["7 samples"]);
    let output = relucert(saved.folder.path(), &["verify", "out", "--json"]);
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdict["proved"], false);
    // Less is not more.
    saved.claim("lower_bound", 0.5 * lower);
    saved.assert_verdict(0, &[]);
    saved.claim("upper_bound", 2.0 * upper);
    saved.assert_verdict(0, &[]);

    // The report is honest, and the network is not the one it is about.
    saved.claim("samples", 6);
    let kept = fs::read(saved.file("network.npz")).unwrap();
    save_network(&saved.file("network.npz"), &Network::empty(2, 1)).unwrap();
    saved.assert_verdict(1, &["report.json claims the objective", "with 0 neurons"]);
    save_network(&saved.file("network.npz"), &Network::empty(3, 1)).unwrap();
    saved.assert_verdict(1, &["network.npz is for 3 features"]);
    fs::write(saved.file("network.npz"), kept).unwrap();
    saved.assert_verdict(0, &[]);
    let network = load_network(&saved.file("network.npz")).unwrap();
    let hidden = Mat::from_fn(2, network.width(), |i, j| 1.001 * network.hidden()[(i, j)]);
    let moved = Network::new(hidden, network.output().to_owned()).unwrap();
    save_network(&saved.file("network.npz"), &moved).unwrap();
    saved.assert_verdict(1, &["report.json claims the objective"]);
}

#[test]
fn what_is_not_there_is_said_and_not_compared() {
    let saved = Saved::new();
    fs::remove_file(saved.file("network.npz")).unwrap();
    saved.assert_verdict(1, &["network.npz is missing", "network       none"]);
    fs::remove_file(saved.file("report.json")).unwrap();
    saved.assert_verdict(0, &["network       none", "report        none", "lower bound   "]);
    let (_, printed, _) = saved.verify();
    assert!(!printed.contains("gap    "), "{printed}");
    let saved = Saved::new();
    fs::remove_file(saved.file("report.json")).unwrap();
    saved.assert_verdict(
        0,
        &["report        none: without report.json nothing was compared", "gap           "],
    );
}

#[test]
fn a_refuted_certificate_and_an_unreadable_file_have_different_ends() {
    let saved = Saved::new();
    let path = saved.file("certificate.npz");
    let honest = fs::read(&path).unwrap();
    let certificate = load_certificate(&path).unwrap();
    let mut dual = certificate.into_dual();
    dual.w = Mat::from_fn(dual.w.nrows(), 1, |i, _| 1.5 * dual.w[(i, 0)]);
    save_certificate(&path, &relucert::certificate::Certificate::new(dual)).unwrap();
    let (code, printed, error) = saved.verify();
    assert_eq!((code, printed.as_str()), (1, ""), "{error}");
    assert!(error.contains("refused"), "{error}");

    fs::write(&path, &honest[..honest.len() / 2]).unwrap();
    saved.assert_verdict(2, &["certificate.npz"]);
    fs::write(&path, &honest).unwrap();
    saved.assert_verdict(0, &[]);
    for text in ["{}", "no JSON", r#"{"lower_bound": "1"}"#] {
        fs::write(saved.file("report.json"), text).unwrap();
        saved.assert_verdict(2, &["report.json", "not a report"]);
    }
    saved.claim("samples", 6);
    fs::write(saved.file("network.npz"), b"PK").unwrap();
    saved.assert_verdict(2, &["network.npz"]);
    for name in ["certificate.npz", "problem.npz"] {
        fs::remove_file(saved.file(name)).unwrap();
        saved.assert_verdict(2, &[".npz"]);
    }
    let nowhere = relucert(saved.folder.path(), &["verify", "nowhere"]);
    assert_eq!(nowhere.status.code(), Some(2));
}
