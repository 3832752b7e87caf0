//! Cross-validation: samples dealt into folds, and the error on the part that was held back.

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::problem::Network;
use crate::system::stream::{Purpose, generator};
use faer::MatRef;
use rand::seq::SliceRandom;

/// The training and the held-back part of one fold, prepared as the training part says.
pub(super) struct Fold {
    pub(super) training: Dataset,
    pub(super) test: Dataset,
}

/// Standardising and bias, learnt anew on every training part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Preparing {
    /// Features with mean 0 and standard deviation 1.
    pub standardize: bool,
    /// A last feature that is 1.
    pub bias: bool,
}

impl Preparing {
    pub(super) fn prepared(self, dataset: Dataset) -> Dataset {
        let dataset = if self.standardize { dataset.standardized() } else { dataset };
        if self.bias { dataset.with_bias() } else { dataset }
    }
}

/// Deals the samples into `count` folds at random from the seed: of a classification each class by itself, so that every
/// fold has its share.
pub(super) fn deal(dataset: &Dataset, count: usize, preparing: Preparing, seed: u64) -> Result<Vec<Fold>> {
    let n = dataset.samples();
    if count == 0 {
        return Ok(Vec::new());
    }
    if count == 1 || count > n / 2 {
        return Err(Error::Parameter {
            name: "folds",
            value: count.to_string(),
            range: "0 for none, or from 2 to half the number of samples",
        });
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut generator(seed, Purpose::Folds, 0));
    if dataset.is_classification() {
        // Stable: within a class the order stays random.
        order.sort_by_key(|&sample| largest(dataset.targets(), sample));
    }
    let mut fold_of = vec![0; n];
    order.iter().enumerate().for_each(|(place, &sample)| fold_of[sample] = place % count);
    (0..count)
        .map(|fold| {
            let part = |held: bool| {
                let rows: Vec<usize> = (0..n).filter(|&i| (fold_of[i] == fold) == held).collect();
                dataset.select(&rows).ok_or(Error::Numerical("the folds of the samples"))
            };
            let (training, mut test) = (part(false)?, part(true)?);
            if preparing.standardize {
                test = test.standardized_like(&training)?;
            }
            if preparing.bias {
                test = test.with_bias();
            }
            Ok(Fold { training: preparing.prepared(training), test })
        })
        .collect()
}

/// Part of the samples put into another class, or the mean over the samples of ‖prediction − target‖².
pub(super) fn error(network: &Network, data: &Dataset) -> f64 {
    let outputs = network.predict_for(data.features());
    let n = data.samples() as f64;
    if data.is_classification() {
        let wrong = (0..data.samples())
            .filter(|&i| largest(outputs.as_ref(), i) != largest(data.targets(), i))
            .count();
        return wrong as f64 / n;
    }
    (outputs - data.targets()).squared_norm_l2() / n
}

/// Index of the first largest value of a row.
fn largest(matrix: MatRef<'_, f64>, row: usize) -> usize {
    (1..matrix.ncols()).fold(0, |best, j| if matrix[(row, j)] > matrix[(row, best)] { j } else { best })
}

/// The mean of the folds' errors and its standard error, the deviation between folds over √k.
pub(super) fn mean_and_error(errors: &[f64]) -> (f64, f64) {
    let count = errors.len() as f64;
    let mean = errors.iter().sum::<f64>() / count;
    let variance = errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}
