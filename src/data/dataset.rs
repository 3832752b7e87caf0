//! A data set in memory: features, targets and their names.

use crate::{Error, Features, Result, TrainingProblem};
use faer::{Mat, MatRef};
use sprs::CsMat;

/// What the target columns of a data set mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
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
    features: Features,
    targets: Mat<f64>,
    feature_names: Vec<String>,
    target_names: Vec<String>,
    classification: bool,
    bias: bool,
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
            target_names,
            classification: false,
            bias: false,
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
        Ok(dataset)
    }

    /// Every feature with mean 0 and population standard deviation 1 (ddof = 0); a constant feature becomes 0.
    ///
    /// The bias column, if there is one, stays as it is. Sparse features are divided by their standard deviation but
    /// not centred, which would fill them; a constant one that is not zero becomes 1 or −1. A note says so.
    pub fn standardized(mut self) -> Self {
        let columns = self.features.ncols() - usize::from(self.bias);
        match &mut self.features {
            Features::Dense(features) => {
                for column in features.get_mut(.., ..columns).col_iter_mut() {
                    if let Some(column) = column.try_as_col_major_mut() {
                        standardize(column.as_slice_mut());
                    }
                }
            }
            Features::Sparse(features) => {
                scale_columns(features, columns);
                self.notes.push("sparse features were scaled but not centred, which would fill them".into());
            }
        }
        self
    }

    /// The same data with a last feature, `bias`, that is 1 for every sample; unchanged if it has one.
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

    /// What the reader had to assume, one line each, for people.
    pub fn notes(&self) -> &[String] {
        &self.notes
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

/// Divides the first columns by their population standard deviation, counting the zeros that are not stored.
fn scale_columns(features: &mut CsMat<f64>, columns: usize) {
    let (samples, width) = features.shape();
    let mut largest = vec![0.0_f64; width];
    for (value, (_, column)) in features.iter() {
        largest[column] = largest[column].max(value.abs());
    }
    let mut sums = vec![0.0; width];
    let mut stored = vec![0_usize; width];
    let mut equal = vec![true; width];
    let mut first = vec![0.0; width];
    for (value, (_, column)) in features.iter() {
        if stored[column] == 0 {
            first[column] = *value;
        }
        equal[column] &= *value == first[column];
        stored[column] += 1;
        if largest[column] > 0.0 {
            sums[column] += value / largest[column];
        }
    }
    let count = samples as f64;
    // Zeros that are not stored each add the square of the mean.
    let mean = |column: usize| sums[column] / count;
    let mut squares: Vec<f64> = (0..width)
        .map(|column| (samples - stored[column].min(samples)) as f64 * mean(column).powi(2))
        .collect();
    for (value, (_, column)) in features.iter() {
        if largest[column] > 0.0 {
            squares[column] += (value / largest[column] - mean(column)).powi(2);
        }
    }
    let by_row = features.is_csr();
    let scale = |column: usize| {
        if column >= columns || largest[column] == 0.0 {
            return (1.0, 1.0);
        }
        let constant = equal[column] && stored[column] == samples;
        let deviation = (squares[column] / count).sqrt();
        (largest[column], if constant || deviation == 0.0 { 1.0 } else { deviation })
    };
    for (outer, mut vector) in features.outer_iterator_mut().enumerate() {
        for (inner, value) in vector.iter_mut() {
            let (largest, deviation) = scale(if by_row { inner } else { outer });
            *value = *value / largest / deviation;
        }
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
