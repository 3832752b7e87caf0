//! Training and test sets that belong together.

use super::Dataset;
use crate::error::{Error, Result};
use faer::Mat;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;

impl Dataset {
    /// A training and a test set: a random share of the samples, in (0, 1), is for the test.
    ///
    /// The test set has the nearest whole number of samples, at least one; the training set at least two.
    /// In both the samples keep their order. Same seed, same split.
    pub fn split(&self, test_share: f64, seed: u64) -> Result<(Self, Self)> {
        if !(test_share > 0.0 && test_share < 1.0) {
            return Err(Error::Parameter {
                name: "test share",
                value: format!("{test_share:?}"),
                range: "between 0 and 1",
            });
        }
        let samples = self.samples();
        if samples < 3 {
            return Err(Error::Input(format!(
                "{samples} samples are too few to set some aside for a test; give a test set of its own"
            )));
        }
        let test = ((samples as f64 * test_share).round() as usize).clamp(1, samples - 2);
        let mut order: Vec<usize> = (0..samples).collect();
        order.shuffle(&mut Pcg64::seed_from_u64(seed));
        let (mut out, mut kept) = (order[..test].to_vec(), order[test..].to_vec());
        out.sort_unstable();
        kept.sort_unstable();
        let take = |rows: &[usize]| self.select(rows).ok_or(Error::Numerical("the split of the samples"));
        Ok((take(&kept)?, take(&out)?))
    }

    /// This test set with its classes in the order of the training set's.
    ///
    /// Fails where the columns do not fit: another number of features, other targets, or a class the training set lacks.
    pub fn aligned_with(self, training: &Self) -> Result<Self> {
        if self.features().ncols() != training.features().ncols() {
            return Err(Error::Shape {
                what: "features of the test set",
                expected: format!("{} columns, as in the training set", training.features().ncols()),
                actual: self.features().ncols().to_string(),
            });
        }
        if self.is_classification() != training.is_classification() {
            let kind = |data: &Self| if data.is_classification() { "a class" } else { "a number" };
            return Err(Error::Input(format!(
                "the target is {} in the training set and {} in the test set; say which with the task",
                kind(training),
                kind(&self)
            )));
        }
        if !training.is_classification() {
            return if self.targets().ncols() == training.targets().ncols() {
                Ok(self)
            } else {
                Err(Error::Shape {
                    what: "targets of the test set",
                    expected: format!("{} columns, as in the training set", training.targets().ncols()),
                    actual: self.targets().ncols().to_string(),
                })
            };
        }
        let mut place = Vec::with_capacity(self.target_names().len());
        for class in self.target_names() {
            let found = training.target_names().iter().position(|name| name == class);
            place.push(found.ok_or_else(|| {
                Error::Input(format!(
                    "class '{class}' of the test set does not occur in the training set; drop its samples"
                ))
            })?);
        }
        let mut targets = Mat::zeros(self.samples(), training.targets().ncols());
        for (from, &to) in place.iter().enumerate() {
            targets.col_mut(to).copy_from(self.targets().col(from));
        }
        Ok(self.with_targets(targets, training.target_names().to_vec()))
    }
}
