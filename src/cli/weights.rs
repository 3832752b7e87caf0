//! Networks that come from elsewhere.

use faer::Mat;
use relucert::io::load_network;
use relucert::{Error, Network, Result};
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// U (d × m) and V (c × m) of an .npz or .safetensors file, for d inputs of which the last is the bias if there is one.
pub(super) fn load(path: &Path, inputs: usize, has_bias: bool) -> Result<Network> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "npz" => load_network(path),
        "safetensors" => {
            let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
            let wrong = |what: String| Error::Input(format!("{}: {what}", path.display()));
            let tensors = SafeTensors::deserialize(&bytes)
                .map_err(|error| wrong(format!("not a safetensors file ({error}); save it again")))?;
            if let Some(layers) = Layers::find(&tensors).map_err(&wrong)? {
                let (hidden, output) = layers.folded(inputs, has_bias).map_err(&wrong)?;
                return Network::new(hidden, output);
            }
            let matrix = |name: &str| matrix(&tensors, name).map_err(&wrong);
            Network::new(matrix("U")?, matrix("V")?)
        }
        _ => Err(Error::Input(format!(
            "{}: a network is read from .npz or .safetensors; save the arrays U and V as one of them",
            path.display()
        ))),
    }
}

/// Two layers as torch.nn.Linear keeps them: x ↦ W₂ (W₁x + b₁)₊ + b₂.
struct Layers {
    names: [String; 2],
    /// W₁, m × d, and W₂, c × m.
    weights: [Mat<f64>; 2],
    biases: [Vec<f64>; 2],
}

impl Layers {
    /// The two tensors `….weight` of two dimensions with their `….bias`; none where there are no two, as under the names U and V.
    fn find(tensors: &SafeTensors<'_>) -> std::result::Result<Option<Self>, String> {
        let mut names: Vec<&str> =
            tensors.names().into_iter().filter_map(|name| name.strip_suffix(".weight")).collect();
        names.sort_unstable();
        if names.len() < 2 {
            return Ok(None);
        }
        let [first, second] = names[..] else {
            return Err(format!(
                "{} layers ({}); a two-layer network has two, such as fc1.weight and fc2.weight",
                names.len(),
                names.join(", ")
            ));
        };
        let layer = |name: &str| {
            let weight = matrix(tensors, &format!("{name}.weight"))?;
            let bias_name = format!("{name}.bias");
            let bias = match tensors.tensor(&bias_name) {
                Ok(_) => values(tensors, &bias_name)?.1,
                Err(_) => vec![0.0; weight.nrows()],
            };
            if bias.len() != weight.nrows() {
                return Err(format!(
                    "{bias_name} has {} entries, and {name}.weight {} rows; save the layer again",
                    bias.len(),
                    weight.nrows()
                ));
            }
            Ok((name.to_owned(), weight, bias))
        };
        let (mut one, mut two) = (layer(first)?, layer(second)?);
        // By name the first is the hidden one, unless only the other order fits.
        if two.1.ncols() != one.1.nrows() {
            std::mem::swap(&mut one, &mut two);
        }
        if two.1.ncols() != one.1.nrows() {
            return Err(format!(
                "{first}.weight and {second}.weight do not follow each other: their shapes do not fit"
            ));
        }
        Ok(Some(Self { names: [one.0, two.0], weights: [one.1, two.1], biases: [one.2, two.2] }))
    }

    /// U and V with the biases folded in: b₁ are the weights of the bias column, and b₂ one more neuron that only sees that.
    fn folded(&self, inputs: usize, has_bias: bool) -> std::result::Result<(Mat<f64>, Mat<f64>), String> {
        let ([first, second], [b1, b2]) = (&self.weights, &self.biases);
        let (features, width) = (first.ncols(), first.nrows());
        let is_biased = b1.iter().chain(b2).any(|b| *b != 0.0);
        if is_biased && !has_bias {
            return Err(format!(
                "{}.bias or {}.bias is not zero; ask for --bias, whose column they become weights of",
                self.names[0], self.names[1]
            ));
        }
        if features != inputs && !(has_bias && features + 1 == inputs) {
            return Err(format!(
                "{}.weight takes {features} features, and the run has {}",
                self.names[0],
                if has_bias { format!("{} and the bias", inputs - 1) } else { inputs.to_string() }
            ));
        }
        // In the end ‖u‖ = ‖v‖, which is least weight decay.
        let size = b2.iter().map(|b| b * b).sum::<f64>().sqrt().sqrt();
        let extra = usize::from(size > 0.0);
        let hidden = Mat::from_fn(inputs, width + extra, |j, k| {
            let is_bias = has_bias && j + 1 == inputs;
            match k < width {
                true => (if j < features { first[(k, j)] } else { 0.0 }) + if is_bias { b1[k] } else { 0.0 },
                false => f64::from(u8::from(is_bias)) * size,
            }
        });
        let output = Mat::from_fn(second.nrows(), width + extra, |i, k| {
            if k < width { second[(i, k)] } else { b2[i] / size }
        });
        Ok((hidden, output))
    }
}

/// A tensor of two dimensions.
fn matrix(tensors: &SafeTensors<'_>, name: &str) -> std::result::Result<Mat<f64>, String> {
    let (shape, values) = values(tensors, name)?;
    match shape[..] {
        [rows, columns]
            if rows.checked_mul(columns) == Some(values.len()) && rows.max(columns) <= 1 << 32 =>
        {
            Ok(Mat::from_fn(rows, columns, |i, j| values[i * columns + j]))
        }
        _ => Err(format!("tensor {name} has shape {shape:?}; it must have two dimensions")),
    }
}

/// Shape and values of a tensor in double, single or brain precision.
fn values(tensors: &SafeTensors<'_>, name: &str) -> std::result::Result<(Vec<usize>, Vec<f64>), String> {
    let Ok(tensor) = tensors.tensor(name) else {
        let names: Vec<&str> = tensors.names().into_iter().take(10).collect();
        return Err(format!(
            "no tensor {name} (it has: {}); name the hidden weights U, the output weights V, or both as torch.nn.Linear does",
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
    Ok((tensor.shape().to_vec(), values))
}
