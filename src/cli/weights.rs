//! Networks that come from elsewhere.

use faer::Mat;
use relucert::io::load_network;
use relucert::{Error, Network, Result};
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// U (d × m) and V (c × m) of an .npz or .safetensors file.
pub(super) fn load(path: &Path) -> Result<Network> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "npz" => load_network(path),
        "safetensors" => {
            let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
            let wrong = |what: String| Error::Input(format!("{}: {what}", path.display()));
            let tensors = SafeTensors::deserialize(&bytes)
                .map_err(|error| wrong(format!("not a safetensors file ({error}); save it again")))?;
            let matrix = |name: &str| matrix(&tensors, name).map_err(&wrong);
            Network::new(matrix("U")?, matrix("V")?)
        }
        _ => Err(Error::Input(format!(
            "{}: a network is read from .npz or .safetensors; save the arrays U and V as one of them",
            path.display()
        ))),
    }
}

/// A tensor of two dimensions in double, single or brain precision.
fn matrix(tensors: &SafeTensors<'_>, name: &str) -> std::result::Result<Mat<f64>, String> {
    let Ok(tensor) = tensors.tensor(name) else {
        let names: Vec<&str> = tensors.names().into_iter().take(10).collect();
        return Err(format!(
            "no tensor {name} (it has: {}); name the hidden weights U, the output weights V",
            names.join(", ")
        ));
    };
    let data = tensor.data();
    let values: Vec<f64> = match tensor.dtype() {
        Dtype::F64 => {
            data.chunks_exact(8).filter_map(|c| Some(f64::from_le_bytes(c.try_into().ok()?))).collect()
        }
        Dtype::F32 => {
            data.chunks_exact(4).filter_map(|c| Some(f32::from_le_bytes(c.try_into().ok()?).into())).collect()
        }
        Dtype::BF16 => data.chunks_exact(2).map(|c| f32::from_le_bytes([0, 0, c[0], c[1]]).into()).collect(),
        other => return Err(format!("tensor {name} has type {other:?}; save it as F64 or F32")),
    };
    match *tensor.shape() {
        [rows, columns]
            if rows.checked_mul(columns) == Some(values.len()) && rows.max(columns) <= 1 << 32 =>
        {
            Ok(Mat::from_fn(rows, columns, |i, j| values[i * columns + j]))
        }
        _ => Err(format!("tensor {name} has shape {:?}; it must have two dimensions", tensor.shape())),
    }
}
