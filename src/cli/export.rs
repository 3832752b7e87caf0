//! `relucert export`: a saved network for other programs, taking the features as they are in the data.

mod onnx;

use super::model::Model;
use super::{SUCCESS, print};
use clap::Args;
use faer::Mat;
use relucert::{Error, Result, write_whole};
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::collections::HashMap;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Standardising and the bias column become weights and biases of the first layer: the exported network takes the feature columns as
they are in the data, in the order of model.json. Its keys are those of torch.nn.Linear: fc1.weight, fc1.bias, fc2.weight, fc2.bias
(zero). ONNX has an input `features` and an output `outputs`.

Examples:
  relucert export out network.safetensors          for PyTorch
  relucert export out network.onnx --single        for onnxruntime, in single precision")]
pub(super) struct ExportOptions {
    /// Folder written by certify --save
    dir: PathBuf,
    /// File to write: its ending, .safetensors or .onnx, says the format
    file: PathBuf,
    /// Single precision instead of double
    #[arg(long)]
    single: bool,
}

/// x ↦ W₂ (W₁x + b)₊ for features x as they are in the data.
struct Layers {
    /// W₁, m × d.
    hidden: Mat<f64>,
    /// b, m.
    bias: Vec<f64>,
    /// W₂, c × m.
    output: Mat<f64>,
}

impl Layers {
    /// The scaling of the features and the bias column folded into the first layer.
    fn of(model: &Model) -> Self {
        let (u, lines) = (model.network.hidden(), model.preparation.lines());
        let (width, features) = (model.network.width(), lines.len());
        let bias = (0..width).map(|k| {
            let shifts: f64 = lines.iter().enumerate().map(|(j, (_, shift))| shift * u[(j, k)]).sum();
            if model.preparation.has_bias() { shifts + u[(features, k)] } else { shifts }
        });
        Self {
            hidden: Mat::from_fn(width, features, |k, j| lines[j].0 * u[(j, k)]),
            bias: bias.collect(),
            output: model.network.output().to_owned(),
        }
    }
}

/// Row by row, in single or double precision.
fn bytes(values: impl Iterator<Item = f64>, single: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        match single {
            true => bytes.extend((value as f32).to_le_bytes()),
            false => bytes.extend(value.to_le_bytes()),
        }
    }
    bytes
}

fn rows(matrix: &Mat<f64>) -> impl Iterator<Item = f64> {
    (0..matrix.nrows()).flat_map(move |i| (0..matrix.ncols()).map(move |j| matrix[(i, j)]))
}

pub(super) fn run(options: &ExportOptions) -> Result<u8> {
    let ending = options.file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let model = Model::load(&options.dir)?;
    let layers = Layers::of(&model);
    let content = match ending.to_ascii_lowercase().as_str() {
        "safetensors" => safetensors(&layers, &model, options.single)?,
        "onnx" => onnx::model(&layers, &model.preparation, options.single),
        _ => {
            return Err(Error::Input(format!(
                "{}: a network is written as .safetensors or .onnx; end the name with one of them",
                options.file.display()
            )));
        }
    };
    write_whole(&options.file, |file| file.write_all(&content))?;
    print(&format!(
        "exported      {} features, {} neurons, {} outputs into {}\n",
        layers.hidden.ncols(),
        layers.hidden.nrows(),
        layers.output.nrows(),
        options.file.display()
    ))?;
    Ok(SUCCESS)
}

fn safetensors(layers: &Layers, model: &Model, single: bool) -> Result<Vec<u8>> {
    let (width, features, outputs) = (layers.hidden.nrows(), layers.hidden.ncols(), layers.output.nrows());
    let tensors = [
        ("fc1.weight", vec![width, features], bytes(rows(&layers.hidden), single)),
        ("fc1.bias", vec![width], bytes(layers.bias.iter().copied(), single)),
        ("fc2.weight", vec![outputs, width], bytes(rows(&layers.output), single)),
        ("fc2.bias", vec![outputs], bytes(std::iter::repeat_n(0.0, outputs), single)),
    ];
    let failed = |error: safetensors::SafeTensorError| {
        Error::Input(format!("the network cannot be written as safetensors: {error}"))
    };
    let dtype = if single { Dtype::F32 } else { Dtype::F64 };
    let views = tensors
        .iter()
        .map(|(name, shape, data)| Ok((*name, TensorView::new(dtype, shape.clone(), data).map_err(failed)?)))
        .collect::<Result<Vec<_>>>()?;
    let told = serde_json::to_string(&model.preparation).unwrap_or_default();
    let about =
        HashMap::from([("format".to_string(), "pt".to_string()), ("relucert.model".to_string(), told)]);
    serialize(views, Some(about)).map_err(failed)
}
