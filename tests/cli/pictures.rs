//! The pictures that `--save` writes: there, well formed, and readable without anything beside them.

use assert_cmd::Command;
use std::fs;
use std::path::Path;

const DATA: &str = "a,b,y\n0.3,1,0.8\n-1.2,1,0.1\n0.9,1,1.4\n-0.4,1,0.5\n1.7,1,2.1\n-0.8,1,0.9\n";

fn save(folder: &Path, command: &str, data: &str, text: &str, extra: &[&str]) {
    fs::write(folder.join(data), text).expect("writable");
    let output = Command::cargo_bin("relucert")
        .expect("built")
        .current_dir(folder)
        .arg(command)
        .args(if command == "certify" { &["--method", "relaxation"][..] } else { &[] })
        .args([data, "--gamma", "0.1", "--task", "regression", "--save", "out"])
        .args(extra)
        .timeout(std::time::Duration::from_secs(120))
        .output()
        .expect("it ran");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{error}");
}

/// All words of a picture, which must be well-formed XML, and the number of its circles.
fn words(path: &Path) -> (String, usize) {
    let text = fs::read_to_string(path).expect("written");
    let document = roxmltree::Document::parse(&text).expect("well-formed XML");
    assert_eq!(document.root_element().tag_name().name(), "svg");
    let named = |name: &'static str| document.descendants().filter(move |node| node.has_tag_name(name));
    let words: Vec<&str> = named("text").filter_map(|node| node.text()).map(str::trim).collect();
    (words.join("\n"), named("circle").count())
}

fn assert_labelled(words: &str, labels: &[&str]) {
    for label in labels {
        assert!(words.contains(label), "{label:?} is missing: {words}");
    }
}

#[test]
fn a_run_leaves_pictures_that_stand_alone() {
    for command in ["certify", "reference"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        save(folder.path(), command, "a <b> & 'c'.csv", DATA, &[]);
        let out = folder.path().join("out");
        let what = ["a <b> & 'c'.csv: 6 samples, 2 features, 1 outputs, weight decay 0.1"];
        let (progress, circles) = words(&out.join("progress.svg"));
        assert_labelled(&progress, &what);
        assert_labelled(
            &progress,
            &[
                "Progress of the certificate",
                "objective of the network ",
                "proved in floating point",
                "objective",
                "value of the relaxation",
                "lower bound, estimated while running",
                "lower bound at the end",
                "seconds",
                "infeasibility",
            ],
        );
        // Three for each level: value, bound, infeasibility.
        assert!(circles >= 6 && circles % 3 == 0, "{circles}");
        let (spectrum, circles) = words(&out.join("spectrum.svg"));
        assert_labelled(&spectrum, &what);
        assert_labelled(
            &spectrum,
            &["The 8 lowest eigenvalues", "dual slack", "proved positive semidefinite", "estimates"],
        );
        assert_eq!(circles, 8, "one for each sample and each feature");
        let report = fs::read_to_string(out.join("report.json")).expect("written");
        let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
        let bound = report["lower_bound"].as_f64().expect("a number");
        let shown = progress.split("lower bound ").nth(1).and_then(|rest| rest.split(' ').next());
        let shown: f64 = shown.expect("a bound").parse().expect("a number");
        assert!((shown - bound).abs() <= 1e-7 * bound, "{shown} {bound}");
    }
}

#[test]
fn a_run_without_a_level_leaves_pictures_too() {
    let zero = "a,b,y\n1,2,0\n3,4,0\n-1,0,0\n";
    let cases: [(&str, &str, &[&str]); 3] = [
        ("zero.csv", zero, &[]),
        ("late.csv", DATA, &["--time-limit", "0.001ms"]),
        ("cold.csv", DATA, &["--quiet"]),
    ];
    for (data, text, extra) in cases {
        let folder = tempfile::tempdir().expect("a temporary folder");
        save(folder.path(), "certify", data, text, extra);
        let (progress, _) = words(&folder.path().join("out/progress.svg"));
        assert_labelled(&progress, &[data, "objective", "seconds"]);
        let silent = progress.contains("no level");
        assert_eq!(silent, data != "cold.csv", "{progress}");
        let (spectrum, _) = words(&folder.path().join("out/spectrum.svg"));
        assert_labelled(&spectrum, &[data, "lowest eigenvalues"]);
        let left: Vec<_> = fs::read_dir(folder.path().join("out")).expect("readable").collect();
        assert_eq!(left.len(), 8, "no temporary file is left: {left:?}");
    }
}
