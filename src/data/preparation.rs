//! What was done to a training set, kept so that it can be done to other data.

use super::scaling::Scaling;
use super::text::listed;
use super::{CsvOptions, Dataset, Task};
use crate::error::{Error, Result};
use crate::problem::Features;
use faer::Mat;

/// From the columns of a file to the features X of a network: names, scaling, bias; and what its outputs are.
///
/// Its serde form is `model.json`, which `certify --save` writes beside `network.npz`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Preparation {
    /// Version of this layout: [`Preparation::SCHEMA`].
    schema: u32,
    /// Columns that are features, in the order of X, without the bias.
    features: Vec<String>,
    /// Columns that are targets: of a classification one.
    targets: Vec<String>,
    /// Classes in the order of the outputs; null in a regression.
    classes: Option<Vec<String>>,
    /// Each value becomes ((value / largest − means[0]) − means[1]) / deviation, and 0 in a constant column.
    scalings: Vec<Scaling>,
    /// Whether a last feature is 1 for every sample.
    bias: bool,
    /// Of an svmlight file, the number of its first feature: 0 or 1.
    first_index: Option<usize>,
}

impl Dataset {
    /// What was done to this data set since it was read.
    pub fn preparation(&self) -> Preparation {
        let columns = self.feature_names().len() - usize::from(self.has_bias());
        Preparation {
            schema: Preparation::SCHEMA,
            features: self.feature_names()[..columns].to_vec(),
            targets: self.target_columns().to_vec(),
            classes: self.is_classification().then(|| self.target_names().to_vec()),
            scalings: self.scalings().to_vec(),
            bias: self.has_bias(),
            first_index: self.first_index(),
        }
    }
}

impl Preparation {
    /// The layout described here.
    pub const SCHEMA: u32 = 1;

    /// Columns that are features, in the order of X, without the bias.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// Columns that are targets: of a classification one.
    pub fn targets(&self) -> &[String] {
        &self.targets
    }

    /// Classes in the order of the outputs; none in a regression.
    pub fn classes(&self) -> Option<&[String]> {
        self.classes.as_deref()
    }

    /// Whether a last feature is 1 for every sample.
    pub fn has_bias(&self) -> bool {
        self.bias
    }

    pub(super) fn first_index(&self) -> Option<usize> {
        self.first_index
    }

    /// d: features with the bias.
    pub fn inputs(&self) -> usize {
        self.features.len() + usize::from(self.bias)
    }

    /// c.
    pub fn outputs(&self) -> usize {
        self.classes.as_ref().map_or(self.targets.len(), Vec::len)
    }

    /// What the scaling does to each feature, value ↦ factor · value + shift, but for rounding.
    pub fn lines(&self) -> Vec<(f64, f64)> {
        let mut lines = vec![(1.0, 0.0); self.features.len()];
        for scaling in &self.scalings {
            for (line, (factor, shift)) in lines.iter_mut().zip(scaling.lines()) {
                *line = (line.0 * factor, line.1 * factor + shift);
            }
        }
        lines
    }

    /// Refuses what no training set leaves behind: it may come from a file.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::Input(format!("the model {what}; save the run again")));
        if self.schema != Self::SCHEMA {
            return wrong(&format!(
                "has layout {}, and this program reads layout {}",
                self.schema,
                Self::SCHEMA
            ));
        }
        if self.features.is_empty() || self.outputs() == 0 {
            return wrong("has no features or no outputs");
        }
        if !self.scalings.iter().all(|scaling| scaling.fits(self.features.len())) {
            return wrong("has a scaling that does not fit its features");
        }
        Ok(())
    }

    /// How to read a file of the same columns.
    pub(super) fn options(&self) -> CsvOptions {
        CsvOptions {
            targets: self.targets.clone(),
            task: if self.classes.is_some() { Task::Classification } else { Task::Regression },
            drop: Vec::new(),
            features: self.features.clone(),
        }
    }

    /// Does to data as they were read what was done to the training set.
    ///
    /// Classes come in the order of the training set; a sample of a class that it lacks has no target, and a note says so.
    /// Fails where the number of features or outputs is another.
    pub fn apply(&self, data: Dataset) -> Result<Dataset> {
        self.check()?;
        if data.features().ncols() != self.features.len() {
            return Err(Error::Shape {
                what: "features",
                expected: format!("{} columns, as the model has", self.features.len()),
                actual: data.features().ncols().to_string(),
            });
        }
        let mut data = self.with_known_classes(data)?;
        for scaling in &self.scalings {
            data = data.scaled(scaling);
        }
        Ok(if self.bias { data.with_bias() } else { data })
    }

    fn with_known_classes(&self, mut data: Dataset) -> Result<Dataset> {
        let Some(classes) = self.classes.as_ref().filter(|_| data.targets().ncols() > 0) else {
            return match data.targets().ncols() {
                0 => Ok(data),
                count if count == self.outputs() => Ok(data),
                count => Err(Error::Shape {
                    what: "targets",
                    expected: format!("{} columns, as the model has", self.outputs()),
                    actual: count.to_string(),
                }),
            };
        };
        let mut targets = Mat::zeros(data.samples(), classes.len());
        let mut unknown = Vec::new();
        for (from, class) in data.target_names().iter().enumerate() {
            match classes.iter().position(|known| known == class) {
                Some(to) => targets.col_mut(to).copy_from(data.targets().col(from)),
                None => unknown.push(class.clone()),
            }
        }
        if !unknown.is_empty() {
            data.add_note(format!(
                "classes that the training set lacks count as wrong: {}",
                listed(&unknown)
            ));
        }
        Ok(data.with_targets(targets, classes.clone()))
    }
}

/// Sparse features with as many columns as the model has: a file of few samples need not mention the last ones.
pub(super) fn widened(data: Dataset, columns: usize) -> Dataset {
    let Features::Sparse(matrix) = data.features() else { return data };
    if matrix.cols() >= columns {
        return data;
    }
    let by_rows = matrix.to_csr();
    let (indptr, indices, values) = by_rows.into_raw_storage();
    let wide = sprs::CsMat::new((data.samples(), columns), indptr, indices, values);
    let names = (1..=columns).map(|column| format!("x{column}")).collect();
    data.with_features(wide.into(), names)
}
