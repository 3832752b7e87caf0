//! A data set in memory: features, targets and their names.

use crate::{Error, Result, TrainingProblem};
use faer::{Mat, MatRef};

/// What the target columns of a data set mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Task {
    /// Decide from the target: one column of text or of whole numbers is a class, anything else is regression.
    #[default]
    Auto,
    /// Targets are real numbers.
    Regression,
    /// The one target column is a class, encoded one-hot.
    Classification,
}

/// Features X (n × d), targets Y (n × c) and the names of their columns.
///
/// In a classification the columns of Y are one-hot and named by their class.
#[derive(Clone, Debug)]
pub struct Dataset {
    features: Mat<f64>,
    targets: Mat<f64>,
    feature_names: Vec<String>,
    target_names: Vec<String>,
    classification: bool,
    bias: bool,
}

impl Dataset {
    /// A regression data set; one name for each column of X (n × d) and of Y (n × c).
    pub fn regression(
        features: Mat<f64>,
        targets: Mat<f64>,
        feature_names: Vec<String>,
        target_names: Vec<String>,
    ) -> Result<Self> {
        for (what, array, names) in
            [("feature names", &features, &feature_names), ("target names", &targets, &target_names)]
        {
            if array.ncols() != names.len() {
                return Err(Error::Shape {
                    what,
                    expected: format!("{}, one for each column", array.ncols()),
                    actual: names.len().to_string(),
                });
            }
        }
        if features.nrows() != targets.nrows() {
            return Err(Error::Shape {
                what: "targets",
                expected: format!("{} rows, one for each sample", features.nrows()),
                actual: format!("{} rows", targets.nrows()),
            });
        }
        Ok(Self { features, targets, feature_names, target_names, classification: false, bias: false })
    }

    /// A classification data set: `labels[i]` indexes `class_names`; Y is one-hot, n × (number of classes).
    pub fn classification(
        features: Mat<f64>,
        labels: &[usize],
        feature_names: Vec<String>,
        class_names: Vec<String>,
    ) -> Result<Self> {
        if let Some(&label) = labels.iter().find(|&&label| label >= class_names.len()) {
            return Err(Error::Parameter {
                name: "label",
                value: label.to_string(),
                range: "less than the number of classes",
            });
        }
        let targets =
            Mat::from_fn(
                labels.len(),
                class_names.len(),
                |row, class| {
                    if labels[row] == class { 1.0 } else { 0.0 }
                },
            );
        let mut dataset = Self::regression(features, targets, feature_names, class_names)?;
        dataset.classification = true;
        Ok(dataset)
    }

    /// Every feature with mean 0 and population standard deviation 1 (ddof = 0); a constant feature becomes 0.
    ///
    /// The bias column, if there is one, stays as it is.
    pub fn standardized(mut self) -> Self {
        let columns = self.features.ncols() - usize::from(self.bias);
        for column in self.features.get_mut(.., ..columns).col_iter_mut() {
            if let Some(column) = column.try_as_col_major_mut() {
                standardize(column.as_slice_mut());
            }
        }
        self
    }

    /// The same data with a last feature, `bias`, that is 1 for every sample; unchanged if it has one.
    pub fn with_bias(mut self) -> Self {
        if !self.bias {
            let (samples, columns) = self.features.shape();
            self.features.resize_with(samples, columns + 1, |_, _| 1.0);
            self.feature_names.push("bias".into());
            self.bias = true;
        }
        self
    }

    /// The training problem of these features and targets with weight decay γ > 0.
    ///
    /// Fails on fewer than two samples, on features that are all zero and on values that are not finite.
    pub fn problem(&self, weight_decay: f64) -> Result<TrainingProblem> {
        if self.samples() < 2 {
            return Err(Error::Input(format!("{} sample(s) only; at least two are needed", self.samples())));
        }
        if self.features.col_iter().all(|column| column.iter().all(|&value| value == 0.0)) {
            return Err(Error::Input(
                "every feature is zero in every sample, so a network can only predict zero; add a bias column or a feature that varies"
                    .into(),
            ));
        }
        TrainingProblem::new(self.features.clone(), self.targets.clone(), weight_decay)
    }

    /// X, n × d.
    pub fn features(&self) -> MatRef<'_, f64> {
        self.features.as_ref()
    }

    /// Y, n × c.
    pub fn targets(&self) -> MatRef<'_, f64> {
        self.targets.as_ref()
    }

    /// Names of the columns of X.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// Names of the columns of Y; the class labels in a classification.
    pub fn target_names(&self) -> &[String] {
        &self.target_names
    }

    /// Whether Y is one-hot.
    pub fn is_classification(&self) -> bool {
        self.classification
    }

    /// Whether the last feature is the bias column of ones.
    pub fn has_bias(&self) -> bool {
        self.bias
    }

    /// n.
    pub fn samples(&self) -> usize {
        self.features.nrows()
    }
}

/// Works on the column divided by its largest magnitude, so that no square overflows.
fn standardize(values: &mut [f64]) {
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let first = values.first().copied().unwrap_or(0.0);
    // Compared exactly: the mean of equal values is rounded, and would leave noise to be blown up to 1.
    if values.iter().all(|&value| value == first) {
        values.fill(0.0);
        return;
    }
    values.iter_mut().for_each(|value| *value /= largest);
    let count = values.len() as f64;
    // Twice: the second time takes off the rounding of the first mean, which a narrow column would blow up.
    for _ in 0..2 {
        let mean = values.iter().sum::<f64>() / count;
        values.iter_mut().for_each(|value| *value -= mean);
    }
    let deviation = (values.iter().map(|value| value * value).sum::<f64>() / count).sqrt();
    values.iter_mut().for_each(|value| *value /= deviation);
}
