//! Saved networks for other programs, and networks of other programs.

use crate::predict::{iris, relucert, text};
use faer::Mat;
use safetensors::SafeTensors;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The outputs that `predict` writes.
fn predicted(folder: &Path) -> Mat<f64> {
    let output = relucert(folder, &["predict", "out", "iris"]);
    let rows: Vec<Vec<f64>> = text(&output.stdout)
        .lines()
        .skip(1)
        .map(|line| line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect())
        .collect();
    Mat::from_fn(rows.len(), 3, |i, j| rows[i][j])
}

fn features() -> Mat<f64> {
    let iris = relucert::data::load("iris", &relucert::data::CsvOptions::default()).unwrap();
    iris.features().to_dense().unwrap().into_owned()
}

#[test]
fn safetensors_of_the_features_as_they_are_say_what_predict_says() {
    let folder = tempfile::tempdir().unwrap();
    iris(folder.path());
    let wanted = predicted(folder.path());
    for (extra, tolerance) in [(&[][..], 1e-13), (&["--single"], 1e-5)] {
        let output = relucert(folder.path(), &[&["export", "out", "n.safetensors"], extra].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let bytes = fs::read(folder.path().join("n.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let take = |name: &str| -> (Vec<usize>, Vec<f64>) {
            let tensor = tensors.tensor(name).unwrap();
            let data = tensor.data();
            let values = match tensor.dtype() {
                safetensors::Dtype::F64 => {
                    data.chunks(8).map(|c| f64::from_le_bytes(c.try_into().unwrap())).collect()
                }
                _ => data.chunks(4).map(|c| f32::from_le_bytes(c.try_into().unwrap()).into()).collect(),
            };
            (tensor.shape().to_vec(), values)
        };
        let ((shape, w1), (_, b1), (_, w2), (_, b2)) =
            (take("fc1.weight"), take("fc1.bias"), take("fc2.weight"), take("fc2.bias"));
        let (m, d) = (shape[0], shape[1]);
        let x = features();
        for i in 0..150 {
            for j in 0..3 {
                let hidden = |k: usize| (0..d).map(|l| w1[k * d + l] * x[(i, l)]).sum::<f64>() + b1[k];
                let value = (0..m).map(|k| w2[j * m + k] * hidden(k).max(0.0)).sum::<f64>() + b2[j];
                assert!((value - wanted[(i, j)]).abs() < tolerance, "{i} {j}: {value} {}", wanted[(i, j)]);
            }
        }
    }
    let output = relucert(folder.path(), &["export", "out", "n.pt"]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains(".onnx"));
}

/// What onnxruntime says, where python has it.
const ONNX: &str = "\
import sys
try:
    import numpy, onnxruntime
except ImportError:
    sys.exit(77)
x = numpy.loadtxt('x.csv', delimiter=',')
for name, kind, tolerance in (('n.onnx', numpy.float64, 1e-12), ('s.onnx', numpy.float32, 1e-5)):
    session = onnxruntime.InferenceSession(name)
    found = session.run(['outputs'], {'features': x.astype(kind)})[0]
    worst = abs(found - numpy.loadtxt('p.csv', delimiter=',')).max()
    assert worst < tolerance, (name, worst)
";

#[test]
fn onnxruntime_says_of_an_onnx_file_what_predict_says() {
    let folder = tempfile::tempdir().unwrap();
    iris(folder.path());
    relucert(folder.path(), &["export", "out", "n.onnx"]);
    relucert(folder.path(), &["export", "out", "s.onnx", "--single"]);
    let table = |matrix: &Mat<f64>| -> String {
        let row =
            |i: usize| (0..matrix.ncols()).map(|j| matrix[(i, j)].to_string()).collect::<Vec<_>>().join(",");
        (0..matrix.nrows()).map(|i| row(i) + "\n").collect()
    };
    fs::write(folder.path().join("x.csv"), table(&features())).unwrap();
    fs::write(folder.path().join("p.csv"), table(&predicted(folder.path()))).unwrap();
    // What every reader of protocol buffers finds: names of the graph, and the weights after them.
    let bytes = fs::read(folder.path().join("n.onnx")).unwrap();
    for name in ["features", "fc1.weight", "MatMul", "Relu", "outputs", "virginica"] {
        assert!(bytes.windows(name.len()).any(|window| window == name.as_bytes()), "{name}");
    }
    let python = std::env::var("RELUCERT_PYTHON").unwrap_or_else(|_| "python3".into());
    let run = Command::new(python).current_dir(folder.path()).args(["-c", ONNX]).output();
    match run {
        Ok(output) if output.status.success() => {}
        Ok(output) if output.status.code() == Some(77) => eprintln!("no onnxruntime: skipped"),
        Ok(output) => panic!("{}", text(&output.stderr)),
        Err(_) => eprintln!("no python: skipped"),
    }
}

/// A safetensors file of single precision.
fn layers(path: &Path, tensors: &[(&str, &[usize], Vec<f32>)]) {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), data)| {
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), data).unwrap();
        (*name, view)
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn layers_of_torch_are_certified_with_their_biases() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), "a,y\n-1,0.5\n0,0.75\n1,2.25\n2,4.5\n").unwrap();
    let path = folder.path().join("n.safetensors");
    // 2·(x − 0.5)₊ + 0.75
    let tensors: [(&str, &[usize], Vec<f32>); 4] = [
        ("net.0.weight", &[1, 1], vec![1.0]),
        ("net.0.bias", &[1], vec![-0.5]),
        ("net.2.weight", &[1, 1], vec![2.0]),
        ("net.2.bias", &[1], vec![0.75]),
    ];
    layers(&path, &tensors);
    let common = [
        "certify",
        "t.csv",
        "--task",
        "regression",
        "--gamma",
        "0.5",
        "--quiet",
        "--network",
        "n.safetensors",
    ];
    let output = relucert(folder.path(), &[&common[..], &["--bias", "--json"]].concat());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let residuals = [0.25, 0.0, -0.5, -0.75];
    let loss: f64 = residuals.iter().map(|r: &f64| 0.5 * r * r).sum();
    // ‖u‖² + ‖v‖² of the neuron, and 2·0.75 of the one that is the bias of the output.
    let weights = 1.0 + 0.25 + 4.0 + 2.0 * 0.75;
    let upper = report["upper_bound"].as_f64().unwrap();
    assert!((upper - (loss + 0.25 * weights)).abs() < 1e-9, "{upper}");
    assert_eq!(report["network_width"], 2);
    // Without the column of ones there is no place for them.
    let output = relucert(folder.path(), &common);
    assert!(
        output.status.code() == Some(2) && text(&output.stderr).contains("--bias"),
        "{}",
        text(&output.stderr)
    );
    layers(&path, &tensors[..3]);
    assert!(matches!(
        relucert(folder.path(), &[&common[..], &["--bias"]].concat()).status.code(),
        Some(0 | 3)
    ));
    layers(&path, &tensors[..2]);
    let output = relucert(folder.path(), &[&common[..], &["--bias"]].concat());
    assert!(
        output.status.code() == Some(2) && text(&output.stderr).contains("torch.nn.Linear"),
        "{}",
        text(&output.stderr)
    );
}
