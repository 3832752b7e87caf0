//! Networks that come from elsewhere: their objective, and how far they are from optimal.
use crate::common::gaussian;
use assert_cmd::Command;
use faer::Mat;
use npyz::{WriteOptions, WriterBuilder};
use relucert::data::{CsvOptions, load};
use relucert::io::save_network;
use relucert::{CertifySettings, Control, Network, Silent, TrainingProblem, certify, certify_network};
use serde_json::Value;
use std::fs;
use std::path::Path;
use zip::ZipWriter;
use zip::write::FileOptions;

fn iris() -> TrainingProblem {
    load("iris", &CsvOptions::default()).unwrap().standardized().with_bias().problem(20.0).unwrap()
}

/// Weights that single precision holds exactly.
fn network(width: usize) -> Network {
    let round = |m: Mat<f64>| Mat::from_fn(m.nrows(), m.ncols(), |i, j| f64::from((0.3 * m[(i, j)]) as f32));
    Network::new(round(gaussian(1, 5, width)), round(gaussian(2, 3, width))).unwrap()
}

#[test]
fn its_objective_is_the_upper_bound_and_it_comes_back_as_it_was() {
    let (problem, network) = (iris(), network(4));
    let settings = CertifySettings { tolerance: 0.02, ..CertifySettings::default() };
    let ours = certify(&problem, &settings, &Control::new(), &mut Silent).unwrap();
    let found = certify_network(&problem, &network, &settings, &Control::new(), &mut Silent).unwrap();
    assert_eq!(found.report.upper_bound, network.objective_upper(&problem));
    assert_eq!(found.network.hidden(), network.hidden());
    // The bound does not depend on whose network it is, but for the solver's tolerance.
    assert!((found.report.lower_bound.value() / ours.report.lower_bound.value() - 1.0).abs() < 0.03);
    assert!(found.report.gap > 0.1 && found.report.upper_bound > ours.report.upper_bound);
    // The one that was trained is certified again as it is.
    let again = certify_network(&problem, &ours.network, &settings, &Control::new(), &mut Silent).unwrap();
    assert_eq!(again.report.upper_bound, ours.report.upper_bound);

    let empty = Network::empty(5, 3);
    let zero = certify_network(&problem, &empty, &settings, &Control::new(), &mut Silent).unwrap();
    assert!(zero.report.upper_bound >= problem.zero_objective());
    assert!(
        certify_network(&problem, &Network::empty(4, 3), &settings, &Control::new(), &mut Silent).is_err()
    );
    let huge = Network::new(Mat::full(5, 1, 1e300), Mat::full(3, 1, 1e300)).unwrap();
    let error = certify_network(&problem, &huge, &settings, &Control::new(), &mut Silent).unwrap_err();
    assert!(error.to_string().contains("overflows"), "{error}");
}

/// A safetensors file: its length, its table, its data.
fn safetensors(network: &Network, names: [&str; 2], kind: &str) -> Vec<u8> {
    let (mut table, mut data) = (Vec::new(), Vec::new());
    for (name, array) in names.iter().zip([network.hidden(), network.output()]) {
        let from = data.len();
        for i in 0..array.nrows() {
            for j in 0..array.ncols() {
                match kind {
                    "F64" => data.extend(array[(i, j)].to_le_bytes()),
                    _ => data.extend((array[(i, j)] as f32).to_le_bytes()),
                }
            }
        }
        table.push(format!(
            r#""{name}":{{"dtype":"{kind}","shape":[{},{}],"data_offsets":[{from},{}]}}"#,
            array.nrows(),
            array.ncols(),
            data.len()
        ));
    }
    let table = format!("{{{}}}", table.join(","));
    [&(table.len() as u64).to_le_bytes()[..], table.as_bytes(), &data].concat()
}

fn run(folder: &Path, file: &str) -> std::process::Output {
    let arguments = [
        "certify",
        "iris",
        "--gamma",
        "20",
        "--standardize",
        "--bias",
        "--tolerance",
        "0.1",
        "--json",
        "--quiet",
    ];
    Command::cargo_bin("relucert")
        .unwrap()
        .current_dir(folder)
        .args(arguments)
        .args(["--network", file])
        .timeout(std::time::Duration::from_secs(120))
        .output()
        .unwrap()
}

#[test]
fn every_format_is_read_alike_and_the_rest_refused_in_one_line() {
    let (folder, network) = (tempfile::tempdir().unwrap(), network(3));
    let folder = folder.path();
    let expected = network.objective_upper(&iris()).value();
    save_network(&folder.join("double.npz"), &network).unwrap();
    let mut writer = ZipWriter::new(fs::File::create(folder.join("single.npz")).unwrap());
    for (name, array) in [("U", network.hidden()), ("V", network.output())] {
        let shape = [array.nrows() as u64, array.ncols() as u64];
        writer.start_file(format!("{name}.npy"), FileOptions::default()).unwrap();
        let mut out =
            WriteOptions::new().default_dtype().shape(&shape).writer(&mut writer).begin_nd().unwrap();
        let (rows, columns) = (array.nrows(), array.ncols());
        let values = (0..rows * columns).map(|k| array[(k / columns, k % columns)] as f32);
        out.extend(values).unwrap();
        out.finish().unwrap();
    }
    writer.finish().unwrap();
    fs::write(folder.join("single.safetensors"), safetensors(&network, ["U", "V"], "F32")).unwrap();
    fs::write(folder.join("double.safetensors"), safetensors(&network, ["U", "V"], "F64")).unwrap();
    for file in ["double.npz", "single.npz", "single.safetensors", "double.safetensors"] {
        let output = run(folder, file);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{file}: {output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["upper_bound"].as_f64(), Some(expected), "{file}");
        assert_eq!(report["network_width"], 3);
        assert!(report["lower_bound"].as_f64().unwrap() < expected);
    }

    let good = safetensors(&network, ["U", "V"], "F32");
    fs::write(folder.join("names.safetensors"), safetensors(&network, ["0.weight", "V"], "F32")).unwrap();
    fs::write(folder.join("short.safetensors"), &good[..good.len() - 4]).unwrap();
    fs::write(folder.join("none.safetensors"), b"").unwrap();
    fs::write(folder.join("noise.npz"), vec![7; 300]).unwrap();
    fs::write(folder.join("weights.pt"), b"x").unwrap();
    let mut nan = good.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(folder.join("nan.safetensors"), nan).unwrap();
    save_network(&folder.join("other.npz"), &Network::empty(7, 3)).unwrap();
    for (file, part) in [
        ("names.safetensors", "0.weight"),
        ("short.safetensors", "safetensors"),
        ("none.safetensors", "safetensors"),
        ("nan.safetensors", "not finite"),
        ("noise.npz", "noise.npz"),
        ("weights.pt", ".safetensors"),
        ("other.npz", "5 features"),
        ("absent.npz", "absent.npz"),
    ] {
        let output = run(folder, file);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{file}: {error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{file}: {error}");
        assert!(error.contains(part), "{file}: {error}");
    }
}
