//! Shifts and scales of features, learnt from one data set and applied to it or to another.

use crate::problem::Features;
use sprs::CsMat;

/// Mean 0 and population standard deviation 1 for dense columns; standard deviation 1 for sparse ones.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Scaling(Vec<Column>);

/// value ↦ ((value / largest − first mean) − second mean) / deviation, or 0 for a constant column.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Column {
    largest: f64,
    means: [f64; 2],
    deviation: f64,
    constant: bool,
}

impl Column {
    /// value ↦ factor · value + shift, but for rounding.
    fn line(&self) -> (f64, f64) {
        if self.constant {
            return (0.0, 0.0);
        }
        (1.0 / self.largest / self.deviation, -(self.means[0] + self.means[1]) / self.deviation)
    }

    fn is_usable(&self) -> bool {
        let scales = [self.largest, self.deviation];
        scales.iter().all(|scale| scale.is_finite() && *scale > 0.0)
            && self.means.iter().all(|mean| mean.is_finite())
    }

    const NONE: Self = Self { largest: 1.0, means: [0.0; 2], deviation: 1.0, constant: false };

    /// Works on the column divided by its largest magnitude, so that no square overflows.
    fn learn(mut values: Vec<f64>) -> Self {
        let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let first = values.first().copied().unwrap_or(0.0);
        // Compared exactly: the mean of equal values is rounded, and would leave noise to be blown up to 1.
        if values.iter().all(|&value| value == first) {
            return Self { constant: true, ..Self::NONE };
        }
        values.iter_mut().for_each(|value| *value /= largest);
        let count = values.len() as f64;
        // Twice: the second time takes off the rounding of the first mean, which a narrow column would blow up.
        let means = [(); 2].map(|()| {
            let mean = values.iter().sum::<f64>() / count;
            values.iter_mut().for_each(|value| *value -= mean);
            mean
        });
        let deviation = (values.iter().map(|value| value * value).sum::<f64>() / count).sqrt();
        Self { largest, means, deviation, constant: false }
    }

    fn apply(&self, value: f64) -> f64 {
        if self.constant {
            return 0.0;
        }
        ((value / self.largest - self.means[0]) - self.means[1]) / self.deviation
    }
}

impl Scaling {
    /// Learns from every column but the bias.
    pub(super) fn of(features: &Features, has_bias: bool) -> Self {
        let columns = features.ncols() - usize::from(has_bias);
        match features {
            Features::Dense(features) => {
                Self((0..columns).map(|j| Column::learn(features.col(j).iter().copied().collect())).collect())
            }
            Features::Sparse(features) => Self(sparse_columns(features, columns)),
        }
    }

    /// Factor and shift of each column, but for rounding.
    pub(super) fn lines(&self) -> impl Iterator<Item = (f64, f64)> {
        self.0.iter().map(Column::line)
    }

    /// Whether it is one of so many columns, with numbers that can be divided by; it may come from a file.
    pub(super) fn fits(&self, columns: usize) -> bool {
        self.0.len() == columns && self.0.iter().all(Column::is_usable)
    }

    /// Scales the first columns, as many as were learnt from.
    pub(super) fn apply(&self, features: &mut Features) {
        match features {
            Features::Dense(features) => {
                for (j, column) in self.0.iter().enumerate() {
                    features.col_mut(j).iter_mut().for_each(|value| *value = column.apply(*value));
                }
            }
            Features::Sparse(features) => {
                let by_row = features.is_csr();
                for (outer, mut vector) in features.outer_iterator_mut().enumerate() {
                    for (inner, value) in vector.iter_mut() {
                        if let Some(column) = self.0.get(if by_row { inner } else { outer }) {
                            *value = *value / column.largest / column.deviation;
                        }
                    }
                }
            }
        }
    }
}

/// Population standard deviations of the first columns, counting the zeros that are not stored.
fn sparse_columns(features: &CsMat<f64>, columns: usize) -> Vec<Column> {
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
    (0..columns)
        .map(|column| {
            if largest[column] == 0.0 {
                return Column::NONE;
            }
            let constant = equal[column] && stored[column] == samples;
            let deviation = (squares[column] / count).sqrt();
            let deviation = if constant || deviation == 0.0 { 1.0 } else { deviation };
            Column { largest: largest[column], deviation, ..Column::NONE }
        })
        .collect()
}
