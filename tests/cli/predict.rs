//! A saved network on other data.

use assert_cmd::Command;
use relucert::data::{CsvOptions, load};
use relucert::io::load_network;
use std::fs;
use std::path::Path;
use std::process::Output;

pub fn relucert(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("relucert").unwrap();
    command.current_dir(folder).args(arguments).timeout(std::time::Duration::from_secs(120));
    command.output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Trains on iris, standardised and with a bias.
pub fn iris(folder: &Path) {
    let arguments =
        ["certify", "iris", "--gamma", "5", "--standardize", "--bias", "--quiet", "--save", "out"];
    let output = relucert(folder, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn the_training_data_are_predicted_as_the_network_itself_does_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    iris(folder.path());
    let output = relucert(folder.path(), &["predict", "out", "iris", "--output", "p.csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let prepared = load("iris", &CsvOptions::default()).unwrap().standardized().with_bias();
    let outputs =
        load_network(&folder.path().join("out/network.npz")).unwrap().predict_for(prepared.features());
    let table = fs::read_to_string(folder.path().join("p.csv")).unwrap();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("predicted_species,output_setosa,output_versicolor,output_virginica"));
    let mut right = 0;
    for (i, line) in lines.enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let values: Vec<f64> = cells[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(values, (0..3).map(|j| outputs[(i, j)]).collect::<Vec<_>>(), "row {i}");
        let class = prepared.target_names().iter().position(|name| name == cells[0]).unwrap();
        assert!(values.iter().all(|value| *value <= values[class]));
        right += usize::from(prepared.targets()[(i, class)] == 1.0);
    }
    assert!(right > 130);
    let told = text(&output.stdout);
    assert!(told.contains(&format!("{right} of 150 samples")), "{told}");
}

#[test]
fn columns_come_by_name_in_any_order_and_targets_only_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    iris(folder.path());
    let of = |name: &str, table: &str| {
        fs::write(folder.path().join(name), table).unwrap();
        let output = relucert(folder.path(), &["predict", "out", name]);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, plain, error) =
        of("a.csv", "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n6.3,3.3,6.0,2.5\n");
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let (_, mixed, error) = of(
        "b.csv",
        "species;note;petal_width;petal_length;sepal_width;sepal_length\nsetosa;x;0,2;1,4;3,5;5,1\nrose;y;2,5;6;3,3;6,3\n",
    );
    assert_eq!(mixed, plain);
    assert!(error.contains("rose") && error.contains("1 of 2 samples"), "{error}");
    // One row, no header.
    let (_, one, error) = of("c.csv", "5.1,3.5,1.4,0.2\n");
    assert!(plain.starts_with(&one), "{one} {error}");
    let (code, _, error) = of("d.csv", "sepal_length,sepal_width,petal_length\n5.1,3.5,1.4\n");
    assert!(code == Some(2) && error.contains("petal_width") && error.lines().count() == 1, "{error}");
}

#[test]
fn a_regression_tells_its_error() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("{i},{},{}\n", (i * 7) % 11, 0.5 * i as f64 + 0.25);
    fs::write(folder.path().join("t.csv"), "a,b,y\n".to_owned() + &(0..30).map(row).collect::<String>())
        .unwrap();
    let arguments =
        ["certify", "t.csv", "--gamma", "0.1", "--bias", "--standardize", "--save", "out", "--quiet"];
    relucert(folder.path(), &arguments);
    let output = relucert(folder.path(), &["predict", "out", "t.csv", "--output", "p.csv"]);
    assert!(text(&output.stdout).contains("root mean square"), "{}", text(&output.stdout));
    let table = fs::read_to_string(folder.path().join("p.csv")).unwrap();
    assert_eq!(table.lines().next(), Some("predicted_y"));
    let close =
        table.lines().skip(1).zip(0..).all(|(line, i): (&str, usize)| {
            (line.parse::<f64>().unwrap() - (0.5 * i as f64 + 0.25)).abs() < 0.5
        });
    assert!(close, "{table}");
}

#[test]
fn a_folder_or_model_that_is_none_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    iris(folder.path());
    let model = folder.path().join("out/model.json");
    let good = fs::read_to_string(&model).unwrap();
    for (spoilt, part) in [
        (good.replace("\"schema\": 1", "\"schema\": 9"), "layout 9"),
        (good.replacen("\"deviation\": 0.", "\"deviation\": -0.", 1), "scaling"),
        (good.replace("\"bias\": true", "\"bias\": false"), "5 inputs"),
        ("{".into(), "not a model"),
    ] {
        fs::write(&model, spoilt).unwrap();
        let output = relucert(folder.path(), &["predict", "out", "iris"]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(part) && error.lines().count() == 1, "{error}");
    }
    let output = relucert(folder.path(), &["predict", "nothing", "iris"]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("--save"));
}
