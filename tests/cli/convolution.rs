//! `--image`: what it prints, saves and refuses.

use std::process::{Command, Output};

fn relucert(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_relucert")).args(arguments).output().unwrap()
}

const SIGNALS: [&str; 11] =
    ["digits", "--first", "20", "--image", "8x8", "--filter", "1x2", "--gamma", "2", "--tolerance", "1e-2"];

#[test]
fn a_run_is_saved_and_verified() {
    let folder = std::env::temp_dir().join(format!("relucert-image-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let path = folder.to_str().unwrap();
    let ran = relucert(&[&["certify"], &SIGNALS[..], &["--save", path]].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("filters       1x2 on images of 8x8x1"));
    let verified = relucert(&["verify", path]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stderr));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_enumeration_judges_the_road() {
    let ran = relucert(&[&["compare"], &SIGNALS[..], &["--methods", "branch,exact,ntk", "--json"]].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let rows: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let [branch, exact, kernel] = [0, 1, 2].map(|row| &rows["rows"][row]);
    let (lower, estimate) =
        (branch["bound"]["lower_bound"].as_f64().unwrap(), exact["estimate"]["value"].as_f64().unwrap());
    let optimum = exact["objective"].as_f64().unwrap();
    assert!(lower <= optimum && lower >= 0.99 * optimum * (1.0 - 1e-9), "{lower} {optimum}");
    assert!(branch["objective"].as_f64().unwrap() >= estimate * (1.0 - 1e-9));
    assert!((optimum - estimate) <= 1e-6 * optimum);
    assert_eq!(kernel["status"], "not_applicable");
}

#[test]
fn what_does_not_combine_is_one_line() {
    for (extra, word) in [
        (&["--bias"][..], "--bias"),
        (&["--blocks", "3"], "--blocks"),
        (&["--cuts", "auto"], "--cuts"),
        (&["--prices", "auto"], "--prices"),
        (&["--method", "low-rank"], "relaxation"),
        (&["--pool", "3x3"], "3x3"),
        (&["--pool", "most"], "pool"),
    ] {
        let ran = relucert(&[&["certify"], &SIGNALS[..], extra].concat());
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(2), "{told}");
        assert_eq!(told.trim_end().lines().count(), 1, "{told}");
        assert!(told.contains(word), "{told}");
    }
    let many = relucert(&["certify", "digits", "--first", "99999999999999", "--gamma", "1"]);
    assert!(String::from_utf8_lossy(&many.stderr).contains("ask for fewer"));
    assert_eq!(many.status.code(), Some(2));
    let wrong_size = relucert(&["certify", "digits", "--image", "8x9", "--filter", "2x2", "--gamma", "1"]);
    assert_eq!(wrong_size.status.code(), Some(2));
    let lonely = relucert(&["certify", "digits", "--image", "8x8", "--gamma", "1"]);
    assert_eq!(lonely.status.code(), Some(2));
}
