//! What the command line understands of a data file, and says of it.

use assert_cmd::Command;
use std::fs;
use std::path::Path;
use std::process::Output;

fn relucert(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("relucert")
        .unwrap()
        .current_dir(folder)
        .args(arguments)
        .timeout(std::time::Duration::from_secs(120))
        .output()
        .unwrap()
}

/// Certifies at once what it is given: the status, what was printed and what was complained of.
fn certify(table: &str, extra: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("d.csv"), table).unwrap();
    let arguments = ["certify", "d.csv", "--gamma", "1e6", "--time-limit", "10s", "--quiet"];
    let output = relucert(folder.path(), &[&arguments[..], extra].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// So many samples, the target in turn one of so many whole numbers.
fn table(head: &str, samples: usize, row: impl Fn(usize) -> String) -> String {
    head.to_owned() + "\n" + &(0..samples).map(|i| row(i) + "\n").collect::<String>()
}

#[test]
fn whole_numbers_that_may_be_quantities_are_refused_and_the_option_is_named() {
    // Like scikit-learn's diabetes; like prices; a row number at the end.
    let cases = [
        (table("a,b,target", 442, |i| format!("0.{i},1,{}", 25 + i * 29 % 214)), "214 different"),
        (table("a,price", 30, |i| format!("0.{i},{}", 100 + 7 * i % 29)), "29 different"),
        (table("a,y,row_id", 60, |i| format!("0.{i},0.5,{i}")), "60 different"),
    ];
    for (table, part) in cases {
        let (code, printed, error) = certify(&table, &["--save", "out"]);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{error}");
        assert!(error.lines().count() == 1 && error.contains("d.csv"), "{error}");
        assert!(error.contains("--task") && error.contains(part), "{error}");
        let (code, printed, error) = certify(&table, &["--task", "regression"]);
        assert!(matches!(code, Some(0 | 3)), "{error}");
        assert!(printed.starts_with("data          regression, 1 output: "), "{printed}");
    }
}

#[test]
fn the_first_line_says_what_was_understood() {
    let classes = table("a,b,kind", 15, |i| format!("0.{i},1,{}", i % 3));
    let (code, printed, error) = certify(&classes, &[]);
    assert!(matches!(code, Some(0 | 3)) && error.is_empty(), "{error}");
    assert_eq!(printed.lines().next(), Some("data          classification, 3 classes: 0, 1, 2"));
    let (_, printed, _) = certify(&classes, &["--target", "kind,b"]);
    assert_eq!(printed.lines().next(), Some("data          regression, 2 outputs: kind, b"));
    let folder = tempfile::tempdir().unwrap();
    let output = relucert(folder.path(), &["certify", "iris", "--gamma", "1e6"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.starts_with("data          classification, 3 classes: setosa, versicolor, virginica\n"),
        "{text}"
    );
    let output = relucert(folder.path(), &["compare", "iris", "--gamma", "1e6", "--methods", "train"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.lines().next().unwrap().ends_with("classification, 3 classes: setosa, versicolor, virginica"),
        "{text}"
    );
}

#[test]
fn an_index_column_is_left_out_with_a_warning() {
    let indexed = table(",a,b,y", 12, |i| format!("{i},{},0.{i},1.{i}", i * i));
    let (code, printed, error) = certify(&indexed, &[]);
    assert!(matches!(code, Some(0 | 3)), "{error}");
    assert!(
        error.lines().count() == 1 && error.contains("column 1") && error.contains("left out"),
        "{error}"
    );
    assert!(printed.contains("12 samples, 2 features, 1 outputs"), "{printed}");
    let named = table("id,a,b,y", 12, |i| format!("{i},{},0.{i},1.{i}", i * i));
    let (_, printed, error) = certify(&named, &[]);
    assert!(printed.contains("3 features") && error.is_empty(), "{printed}{error}");
}

#[test]
fn columns_are_chosen_with_drop_and_features() {
    let text = table("id,a,remark,b,y", 12, |i| format!("{i},{},of note,0.{i},1.{i}", i * i));
    let (code, _, error) = certify(&text, &[]);
    assert_eq!(code, Some(2));
    assert!(error.contains("'remark'") && error.contains("drop"), "{error}");
    for extra in [&["--drop", "id,remark"][..], &["--features", "a,b"]] {
        let (code, printed, error) = certify(&text, extra);
        assert!(matches!(code, Some(0 | 3)) && error.is_empty(), "{error}");
        assert!(printed.contains("12 samples, 2 features, 1 outputs"), "{printed}");
    }
    for (extra, part) in [
        (&["--drop", "colour"][..], "'colour'"),
        (&["--features", "colour"], "'colour'"),
        (&["--drop", "y", "--target", "y"], "'y'"),
    ] {
        let (code, printed, error) = certify(&text, extra);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{error}");
        assert!(error.lines().count() == 1 && error.contains(part), "{error}");
    }
}

#[test]
fn a_test_set_is_read_as_the_training_set_was() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("0.{i},1,{}", i % 2);
    fs::write(folder.path().join("training.csv"), table("a,b,y", 12, row)).unwrap();
    fs::write(folder.path().join("test.csv"), table("a,b,y", 3, row)).unwrap();
    let arguments = ["compare", "training.csv", "--test", "test.csv", "--gamma", "1", "--methods", "train"];
    let output = relucert(folder.path(), &arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("12 samples, 3 for the test") && printed.contains("test acc"), "{printed}");
}
