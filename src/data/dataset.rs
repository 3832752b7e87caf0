//! A data set in memory: features, targets and their names.

use super::scaling::Scaling;
use super::text::listed;
use crate::error::{Error, Result};
use crate::problem::{Features, TrainingProblem};
use faer::{Mat, MatRef};
use sprs::CsMat;

/// What the target columns of a data set mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Task {
    /// Decide from the target: one column of text is a class, and so is one of at most 20 different whole numbers with at least
    /// five samples each on average; other whole numbers are an error, and anything else is regression.
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
    features: Features,
    targets: Mat<f64>,
    feature_names: Vec<String>,
    target_names: Vec<String>,
    /// Columns of the file that the targets come from.
    target_columns: Vec<String>,
    classification: bool,
    /// What was done to the features, in this order; the bias column stays out of it.
    scalings: Vec<Scaling>,
    bias: bool,
    first_index: Option<usize>,
    notes: Vec<String>,
}

impl Dataset {
    /// A regression data set; one name for each column of X (n × d, dense or sparse) and of Y (n × c).
    pub fn regression(
        features: impl Into<Features>,
        targets: Mat<f64>,
        feature_names: Vec<String>,
        target_names: Vec<String>,
    ) -> Result<Self> {
        let features = features.into();
        for (what, columns, names) in [
            ("feature names", features.ncols(), &feature_names),
            ("target names", targets.ncols(), &target_names),
        ] {
            if columns != names.len() {
                return Err(Error::Shape {
                    what,
                    expected: format!("{columns}, one for each column"),
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
        Ok(Self {
            features,
            targets,
            feature_names,
            target_columns: target_names.clone(),
            target_names,
            classification: false,
            scalings: Vec::new(),
            bias: false,
            first_index: None,
            notes: Vec::new(),
        })
    }

    /// A classification data set: `labels[i]` indexes `class_names`; Y is one-hot, n × (number of classes).
    pub fn classification(
        features: impl Into<Features>,
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
        dataset.target_columns = vec!["class".into()];
        Ok(dataset)
    }

    /// Every feature with mean 0 and population standard deviation 1 (ddof = 0); a constant feature becomes 0.
    ///
    /// The bias column, if there is one, stays as it is. Sparse features are divided by their standard deviation but
    /// not centred, which would fill them; a constant one that is not zero becomes 1 or −1. A note says so.
    pub fn standardized(self) -> Self {
        let scaling = Scaling::of(&self.features, self.bias);
        self.scaled(&scaling)
    }

    /// This data set, shifted and scaled as its training set was.
    ///
    /// `training` is the training set as it was before it was standardised, with the same columns.
    pub fn standardized_like(self, training: &Self) -> Result<Self> {
        let columns = |data: &Self| data.features.ncols() - usize::from(data.bias);
        if columns(&self) != columns(training) {
            return Err(Error::Shape {
                what: "features",
                expected: format!("{} columns, as in the training set", columns(training)),
                actual: columns(&self).to_string(),
            });
        }
        let scaling = Scaling::of(&training.features, training.bias);
        Ok(self.scaled(&scaling))
    }

    pub(super) fn scaled(mut self, scaling: &Scaling) -> Self {
        scaling.apply(&mut self.features);
        self.scalings.push(scaling.clone());
        if self.features.is_sparse() {
            self.notes.push("sparse features were scaled but not centred, which would fill them".into());
        }
        self
    }

    /// This data set with a last feature, `bias`, that is 1 for every sample; unchanged if it has one.
    pub fn with_bias(mut self) -> Self {
        if !self.bias {
            match &mut self.features {
                Features::Dense(features) => {
                    let (samples, columns) = features.shape();
                    features.resize_with(samples, columns + 1, |_, _| 1.0);
                }
                Features::Sparse(features) => *features = append_ones(features),
            }
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
        if self.features.is_zero() {
            return Err(Error::Input(
                "every feature is zero in every sample, so a network can only predict zero; add a bias column or a feature that varies"
                    .into(),
            ));
        }
        TrainingProblem::new(self.features.clone(), self.targets.clone(), weight_decay)
    }

    /// X, n × d, dense or sparse.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// What was understood of the target, for people: `regression, 1 output: y` or `classification, 3 classes: a, b, c`.
    pub fn description(&self) -> String {
        let (count, names) = (self.target_names.len(), listed(&self.target_names));
        let (task, what) = match (self.classification, count) {
            (true, 1) => ("classification", "class"),
            (true, _) => ("classification", "classes"),
            (false, 1) => ("regression", "output"),
            (false, _) => ("regression", "outputs"),
        };
        format!("{task}, {count} {what}: {names}")
    }

    /// What the reader had to assume, one line each, for people.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Some of the samples, in the order given; `None` if one is not there.
    pub fn select(&self, samples: &[usize]) -> Option<Self> {
        if samples.iter().any(|&sample| sample >= self.samples()) {
            return None;
        }
        let targets = Mat::from_fn(samples.len(), self.targets.ncols(), |i, j| self.targets[(samples[i], j)]);
        Some(Self { features: self.features.rows(samples), targets, ..self.clone_names() })
    }

    /// Other targets for the same samples.
    pub(super) fn with_targets(self, targets: Mat<f64>, target_names: Vec<String>) -> Self {
        Self { targets, target_names, ..self }
    }

    /// Everything but the values.
    fn clone_names(&self) -> Self {
        Self {
            features: Mat::zeros(0, 0).into(),
            targets: Mat::zeros(0, 0),
            feature_names: self.feature_names.clone(),
            target_names: self.target_names.clone(),
            target_columns: self.target_columns.clone(),
            scalings: self.scalings.clone(),
            classification: self.classification,
            bias: self.bias,
            first_index: self.first_index,
            notes: self.notes.clone(),
        }
    }

    /// This data set, its targets read from columns of these names.
    pub(super) fn with_target_columns(self, target_columns: Vec<String>) -> Self {
        Self { target_columns, ..self }
    }

    /// This data set, its features numbered from this on in the file.
    pub(super) fn numbered_from(self, first_index: usize) -> Self {
        Self { first_index: Some(first_index), ..self }
    }

    pub(super) fn first_index(&self) -> Option<usize> {
        self.first_index
    }

    /// Other features for the same samples.
    pub(super) fn with_features(self, features: Features, feature_names: Vec<String>) -> Self {
        Self { features, feature_names, ..self }
    }

    pub(super) fn scalings(&self) -> &[Scaling] {
        &self.scalings
    }

    pub(super) fn add_note(&mut self, note: String) {
        self.notes.push(note);
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

    /// Names of the columns that the targets were read from: of a classification one, that of the labels.
    pub fn target_columns(&self) -> &[String] {
        &self.target_columns
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

/// In compressed rows, with a last column of ones.
fn append_ones(features: &CsMat<f64>) -> CsMat<f64> {
    let features = features.to_csr();
    let (samples, columns) = features.shape();
    let mut indptr = vec![0];
    let mut indices = Vec::with_capacity(features.nnz() + samples);
    let mut values = Vec::with_capacity(features.nnz() + samples);
    for row in features.outer_iterator() {
        for (column, value) in row.iter() {
            indices.push(column);
            values.push(*value);
        }
        indices.push(columns);
        values.push(1.0);
        indptr.push(indices.len());
    }
    CsMat::new((samples, columns + 1), indptr, indices, values)
}
