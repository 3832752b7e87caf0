//! How well predictions fit.

use crate::data::Dataset;
use faer::{Mat, MatRef};

/// What the scores of a comparison are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Score {
    /// Part of the samples whose largest output (the first of several) is their class: larger is better.
    Accuracy,
    /// ‖prediction − Y‖² / ‖Y − mean of the training targets‖²: smaller is better, 1 is predicting the mean.
    RelativeSquaredError,
}

impl Score {
    pub(super) fn of(data: &Dataset) -> Self {
        if data.is_classification() { Self::Accuracy } else { Self::RelativeSquaredError }
    }

    /// The name that the JSON object carries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::RelativeSquaredError => "relative_squared_error",
        }
    }
}

/// The score of predictions (n × c) against targets (n × c); `means` has the c means of the training targets.
///
/// `None` where it is not a number: no sample, or targets that are all equal to the means.
pub fn score(
    kind: Score,
    prediction: MatRef<'_, f64>,
    targets: MatRef<'_, f64>,
    means: &[f64],
) -> Option<f64> {
    let (n, c) = targets.shape();
    let value = match kind {
        Score::Accuracy => {
            let right = (0..n).filter(|&i| largest(prediction, i) == largest(targets, i)).count();
            right as f64 / n as f64
        }
        Score::RelativeSquaredError => {
            let spread = Mat::from_fn(n, c, |i, j| targets[(i, j)] - means[j]).squared_norm_l2();
            Mat::from_fn(n, c, |i, j| prediction[(i, j)] - targets[(i, j)]).squared_norm_l2() / spread
        }
    };
    value.is_finite().then_some(value)
}

/// Index of the first largest value of a row.
fn largest(matrix: MatRef<'_, f64>, row: usize) -> usize {
    (1..matrix.ncols()).fold(0, |best, j| if matrix[(row, j)] > matrix[(row, best)] { j } else { best })
}

/// The published accuracy (arXiv 2410.22311, experiments): a sample counts as right if exactly the outputs of its class are
/// above a threshold, and the threshold 0, 0.01, …, 0.99 is the one that is best *on these very labels*.
///
/// It is optimistic, and no estimate of the accuracy on new data. Zero for no samples.
pub fn published_accuracy(prediction: MatRef<'_, f64>, one_hot: MatRef<'_, f64>) -> f64 {
    let (n, c) = one_hot.shape();
    let right = |threshold: f64| {
        (0..n)
            .filter(|&i| (0..c).all(|j| (prediction[(i, j)] > threshold) == (one_hot[(i, j)] > 0.5)))
            .count()
    };
    let most = (0..100).map(|percent| right(f64::from(percent) / 100.0)).max().unwrap_or(0);
    if n == 0 { 0.0 } else { most as f64 / n as f64 }
}
