//! A run killed outright (kill −9) at whatever moment goes on to the same result.

use assert_cmd::cargo::cargo_bin;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin("relucert"));
    command.current_dir(folder).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn bound(folder: &Path, arguments: &[&str]) -> f64 {
    let output = command(folder, arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{arguments:?}: {error}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["grade"], "verified");
    report["lower_bound"].as_f64().unwrap()
}

/// Kills the run again and again, later and later, until one comes to its end; then its bound, and how many were killed.
fn killed_and_resumed(folder: &Path, arguments: &[&str], seed: u64) -> (f64, usize) {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut longest = 0.05;
    let mut killed = 0;
    loop {
        let mut child = command(folder, arguments).spawn().unwrap();
        std::thread::sleep(Duration::from_secs_f64(longest * rng.random_range(0.3..1.0)));
        match child.try_wait().unwrap() {
            Some(status) => {
                let output = child.wait_with_output().unwrap();
                let error = String::from_utf8_lossy(&output.stderr);
                assert!(matches!(status.code(), Some(0 | 3)), "after {killed} kills: {error}");
                break;
            }
            None => {
                // On Unix this is SIGKILL.
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
            }
        }
        longest *= 1.3;
    }
    // What was killed while it wrote leaves nothing behind in the end.
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(names.iter().all(|name| !name.contains("part")), "{names:?}");
    (bound(folder, arguments), killed)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let synth =
        ["synth", "teacher", "--samples", "90", "--features", "3", "--outputs", "2", "--output", "data.csv"];
    assert!(command(folder.path(), &synth).status().unwrap().success());
    folder
}

const DATA: [&str; 9] =
    ["certify", "data.csv", "--target", "y1,y2", "--gamma", "0.9", "--json", "--quiet", "--blocks"];
const KEEP: [&str; 4] = ["--checkpoint", "run.npz", "--checkpoint-interval", "1ms"];

#[test]
fn blocks_go_on_with_the_same_bits() {
    let folder = folder();
    let whole = bound(folder.path(), &[&DATA[..], &["6"]].concat());
    let (resumed, killed) = killed_and_resumed(folder.path(), &[&DATA[..], &["6"], &KEEP].concat(), 1);
    assert!(killed >= 2, "{killed} kills");
    assert_eq!(whole.to_bits(), resumed.to_bits(), "{whole} {resumed}");
}

#[test]
fn a_single_factor_goes_on_to_the_same_bound() {
    let folder = folder();
    let whole = bound(folder.path(), &[&DATA[..], &["1"]].concat());
    let (resumed, killed) = killed_and_resumed(folder.path(), &[&DATA[..], &["1"], &KEEP].concat(), 2);
    assert!(killed >= 2, "{killed} kills");
    assert!((whole - resumed).abs() <= 1e-3 * whole, "{whole} {resumed}");
}
