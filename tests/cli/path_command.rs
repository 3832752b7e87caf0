//! `relucert path`: table, files, choices.

use crate::predict::{relucert, text};
use std::fs;

#[test]
fn a_path_is_told_saved_and_drawn_and_its_network_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "path",
        "iris",
        "--standardize",
        "--bias",
        "--gammas",
        "50:0.5:5",
        "--folds",
        "3",
        "--bounds",
        "2",
        "--quiet",
        "--save",
        "out",
    ];
    let output = relucert(folder.path(), &arguments);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(told.contains("relucert certify iris --standardize --bias --gamma "), "{told}");
    let read = |name: &str| fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    let path: serde_json::Value = serde_json::from_str(&read("path.json")).unwrap();
    let points = path["points"].as_array().unwrap();
    assert_eq!(points.len(), 5);
    let number = |point: &serde_json::Value, key: &str| point[key].as_f64().unwrap();
    for (k, pair) in points.windows(2).enumerate() {
        assert!(number(&pair[0], "gamma") > number(&pair[1], "gamma"));
        // With less weight decay every network is worth less.
        assert!(number(&pair[0], "lower_bound") >= number(&pair[1], "lower_bound"), "{k}");
    }
    for point in points {
        assert!(number(point, "lower_bound") <= number(point, "upper_bound"), "{point}");
        assert!((0.0..1.0).contains(&number(point, "error")));
    }
    assert_eq!(points.iter().filter(|point| point["certified"] == true).count(), 2);
    let least = path["least_error_gamma"].as_f64().unwrap();
    assert!(path["one_standard_error_gamma"].as_f64().unwrap() >= least);
    let errors: Vec<f64> = points.iter().map(|point| number(point, "error")).collect();
    let best = errors.iter().copied().fold(f64::INFINITY, f64::min);
    let chosen = points.iter().find(|point| number(point, "gamma") == least).unwrap();
    assert_eq!(number(chosen, "error"), best);
    assert_eq!(read("path.csv").lines().count(), 6);
    let picture = read("path.svg");
    assert!(roxmltree::Document::parse(&picture).is_ok() && picture.contains("one standard error"));
    let predicted = relucert(folder.path(), &["predict", "out", "iris", "--output", "p.csv"]);
    assert!(text(&predicted.stdout).contains("accuracy 9"), "{}", text(&predicted.stdout));
    let again = relucert(folder.path(), &[&arguments[..11], &["--threads", "1", "--json"]].concat());
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["points"], path["points"], "another number of threads");
}

#[test]
fn grids_and_folds_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (extra, part) in [
        (&["--gammas", "1:0.1"][..], "FROM:TO:COUNT"),
        (&["--gammas", "1,-2"], "positive"),
        (&["--folds", "1"], "folds"),
        (&["--folds", "80"], "half the number of samples"),
    ] {
        let output = relucert(folder.path(), &[&["path", "iris", "--quiet"], extra].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(part) && error.lines().count() == 1, "{error}");
    }
}
