//! `relucert compare`: what it prints, what it writes and what it refuses.

use assert_cmd::Command;
use std::fs;
use std::path::Path;
use std::process::Output;

const TRAINING: &str =
    "a,b,y\n0.3,1,red\n-1.2,1,blue\n0.9,1,red\n-0.4,1,blue\n1.7,1,red\n-0.8,1,blue\n0.5,1,red\n";
const TEST: &str = "a,b,y\n-0.9,1,blue\n0.8,1,red\n-0.2,1,blue\n";

fn relucert(folder: &Path, arguments: &[&str]) -> Output {
    fs::write(folder.join("training.csv"), TRAINING).expect("writable");
    fs::write(folder.join("test.csv"), TEST).expect("writable");
    Command::cargo_bin("relucert")
        .expect("built")
        .current_dir(folder)
        .args(["compare", "training.csv", "--gamma", "0.2"])
        .args(arguments)
        .timeout(std::time::Duration::from_secs(120))
        .output()
        .expect("it ran")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_table_has_a_line_for_each_method() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let methods = ["--methods", "ntk,certify,gated"];
    let output = relucert(folder.path(), &[&methods[..], &["--test", "test.csv"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].contains("7 samples, 3 for the test"), "{table}");
    assert!(lines[2].starts_with("method") && lines[2].contains("test acc"), "{table}");
    for (line, name) in lines[3..6].iter().zip(["ntk", "certify", "gated"]) {
        assert!(line.starts_with(name) && line.ends_with("done"), "{table}");
    }
    // a bound in the row that proves one, and in no other
    let bound = |line: &str| line.split_whitespace().nth(1).map(String::from);
    assert_eq!(bound(lines[3]).as_deref(), Some("-"), "{table}");
    assert!(bound(lines[4]).and_then(|word| word.parse::<f64>().ok()).is_some(), "{table}");
    assert_eq!(bound(lines[5]).as_deref(), Some("-"), "{table}");
    assert!(!table.contains("published"), "{table}");
}

#[test]
fn json_and_files_say_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arguments =
        ["--methods", "train,nngp", "--test-share", "0.3", "--json", "--save", "out", "--published-protocol"];
    let output = relucert(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let object: serde_json::Value = serde_json::from_str(&printed).expect("one JSON object");
    assert_eq!(object["schema"], 1);
    assert_eq!(object["score"], "accuracy");
    assert_eq!((object["samples"].as_u64(), object["test_samples"].as_u64()), (Some(5), Some(2)));
    let rows = object["rows"].as_array().expect("rows");
    assert_eq!((&rows[0]["method"], &rows[1]["method"]), (&"train".into(), &"nngp".into()));
    assert!(rows[0]["objective"].is_f64() && rows[0]["bound"].is_null());
    assert!(rows[1]["objective"].is_null() && rows[1]["published_protocol_accuracy"].is_f64());
    assert_eq!(fs::read_to_string(folder.path().join("out/compare.json")).expect("written"), printed);
    let picture = fs::read_to_string(folder.path().join("out/compare.svg")).expect("written");
    let document = roxmltree::Document::parse(&picture).expect("well-formed XML");
    let words: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .filter_map(|node| node.text())
        .map(str::trim)
        .collect();
    for word in ["train", "nngp", "Methods compared"] {
        assert!(words.contains(&word), "{word}: {words:?}");
    }
    assert_eq!(fs::read_dir(folder.path().join("out")).expect("readable").count(), 3);
}

#[test]
fn what_cannot_be_compared_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let other = folder.path().join("other.csv");
    for (content, arguments, parts) in [
        ("", &["--methods", "sdg"][..], &["'sdg'", "adam"][..]),
        ("", &["--test", "none.csv"], &["none.csv", "no such file"]),
        ("", &["--test", "test.csv", "--test-share", "0.2"], &["--test"]),
        ("", &["--test-share", "1"], &["--test-share", "between 0 and 1"]),
        ("a,b,y\n1,1,red\n2,1,pink\n", &["--test", "other.csv"], &["other.csv", "'pink'"]),
        ("a,y\n1,red\n2,blue\n", &["--test", "other.csv"], &["other.csv", "features"]),
    ] {
        fs::write(&other, content).expect("writable");
        let output = relucert(folder.path(), &[arguments, &["--save", "out"]].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{arguments:?}: {error}");
        for part in parts {
            assert!(error.contains(part), "{arguments:?}: {error:?} lacks {part:?}");
        }
        assert!(output.stdout.is_empty() && !folder.path().join("out").exists(), "{arguments:?}");
    }
}

#[test]
fn a_run_out_of_time_says_what_was_stopped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = relucert(folder.path(), &["--time-limit", "1ms", "--methods", "adam,certify,ntk"]);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("stopped"), "{}", text(&output.stdout));
}
