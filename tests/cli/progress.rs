//! Progress where nobody looks at a terminal: the log of a batch system is never empty.

use crate::predict::text;
use assert_cmd::cargo::CommandCargoExt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A run of about ten seconds.
const LONG: [&str; 11] = [
    "certify",
    "digits",
    "--gamma",
    "60",
    "--standardize",
    "--method",
    "relaxation",
    "--time-limit",
    "6s",
    "--tolerance",
    "1e-6",
];

#[test]
fn a_long_run_says_something_within_two_seconds_and_logs_every_level() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let mut child = Command::cargo_bin("relucert")
        .unwrap()
        .current_dir(folder.path())
        .args(LONG)
        .args(["--log", "run.log"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().expect("a line").unwrap();
    // Two seconds, and what a busy machine adds.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(first.contains(" s  ") && !first.contains('\u{1b}'), "{first}");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(rest.len() < 20, "{rest:?}");
    assert!(child.wait().unwrap().code().is_some());
    let log = fs::read_to_string(folder.path().join("run.log")).unwrap();
    assert!(log.starts_with("seconds stage"), "{log}");
}

#[test]
fn none_is_none_and_a_log_is_written_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["certify", "iris", "--gamma", "20", "--method", "relaxation", "--log", "run.log"];
    for mode in [&["--quiet"][..], &["--progress", "none"]] {
        let output = crate::predict::relucert(folder.path(), &[&arguments[..], mode].concat());
        assert_eq!(text(&output.stderr), "");
        let log = fs::read_to_string(folder.path().join("run.log")).unwrap();
        assert!(log.lines().count() >= 2 && log.contains("relaxation"), "{log}");
    }
    let output =
        crate::predict::relucert(folder.path(), &[&arguments[..7], &["no/such/folder.log"]].concat());
    assert!(output.status.code() == Some(2) && text(&output.stderr).lines().count() == 1);
}
