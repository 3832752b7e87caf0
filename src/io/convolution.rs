//! A convolutional problem and its network as .npz files that `numpy.load` reads.

use super::archive::Archive;
use super::files::{array, matrix, open, write};
use super::members::{CONVOLUTION, NETWORK};
use crate::error::Result;
use crate::problem::convolution::{ConvolutionShape, ConvolutionalNetwork, ConvolutionalProblem, Pooling};
use std::io::{Read, Seek};
use std::path::Path;

/// Writes `problem.npz` of a convolutional problem: X (n × HWC, images), Y (n × c), gamma, image (H, W, C), filter (A, B),
/// stride (1 number) and pool (P, Q), the last four int64.
pub fn save_convolutional_problem(path: &Path, problem: &ConvolutionalProblem) -> Result<()> {
    let shape = problem.shape();
    write(path, |out| {
        matrix(out, "X", problem.images())?;
        matrix(out, "Y", problem.targets())?;
        array(out, "gamma", &[], std::iter::once(problem.weight_decay()))?;
        let rows: [(&str, &[usize]); 4] = [
            ("image", &shape.image()),
            ("filter", &shape.filter()),
            ("stride", &[shape.stride()]),
            ("pool", &shape.pool()),
        ];
        for (name, numbers) in rows {
            array(out, name, &[numbers.len() as u64], numbers.iter().map(|k| *k as i64))?;
        }
        Ok(())
    })
}

/// Writes `network.npz` of a convolutional network: U (h × m) and V (c × a·m), neuron j answering block q with column q·m + j.
pub fn save_convolutional_network(path: &Path, network: &ConvolutionalNetwork) -> Result<()> {
    write(path, |out| {
        matrix(out, "U", network.filters())?;
        matrix(out, "V", network.output())
    })
}

/// Whether a `problem.npz` is that of a convolutional problem.
#[cfg(feature = "serde")]
pub(crate) fn is_convolutional(path: &Path) -> Result<bool> {
    Ok(open(path)?.has("image"))
}

/// Reads what [`save_convolutional_problem`] wrote; everything is checked again, and any other array is refused.
pub fn load_convolutional_problem(path: &Path) -> Result<ConvolutionalProblem> {
    let mut file = open(path)?.only(&[CONVOLUTION])?;
    let (x, y) = (file.matrix("X")?, file.matrix("Y")?);
    let (shape, gamma) = file.array::<f64>("gamma")?;
    let ([] | [1], [gamma]) = (shape.as_slice(), gamma.as_slice()) else {
        return Err(file.bad("gamma must be a single number"));
    };
    let image = numbers(&mut file, "image")?;
    let filter = numbers(&mut file, "filter")?;
    let [stride] = numbers(&mut file, "stride")?;
    let [rows, columns] = numbers(&mut file, "pool")?;
    let shape = ConvolutionShape::new(image, filter, stride, Pooling::Blocks(rows, columns))
        .map_err(|error| file.bad(&error.to_string()))?;
    ConvolutionalProblem::new(shape, x.as_ref(), y, *gamma)
}

/// Reads what [`save_convolutional_network`] wrote, for a shape with so many blocks of positions.
pub fn load_convolutional_network(path: &Path, blocks: usize) -> Result<ConvolutionalNetwork> {
    let mut file = open(path)?.only(&[NETWORK])?;
    ConvolutionalNetwork::new(file.matrix_of_either("U")?, file.matrix_of_either("V")?, blocks)
}

/// A row of so many numbers from 0.
fn numbers<const N: usize>(file: &mut Archive<'_, impl Read + Seek>, name: &str) -> Result<[usize; N]> {
    let (shape, values) = file.array::<i64>(name)?;
    let numbers: Option<Vec<usize>> = values.iter().map(|value| usize::try_from(*value).ok()).collect();
    match numbers.map(<[usize; N]>::try_from) {
        Some(Ok(numbers)) if shape.len() == 1 => Ok(numbers),
        _ => Err(file.bad(&format!("{name} must be a row of {N} numbers from 0"))),
    }
}
