//! Forms made of the |x_iᵀu| alone: if x_k = Σ_i a_i x_i then Σ_i |a_i| s_i − s_k ≥ 0 on every neuron.

use crate::error::{Error, Result};

/// Sublinear forms ℓ_f = Σ_i |a_i| s_i − s_k, one for each representation x_k = Σ_i a_i x_i of a sample by others.
///
/// Nothing is claimed about the equalities: [`DualPoint::check`](super::DualPoint::check) looks at them, and the slack
/// pays for what they miss by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CutForms {
    target: Vec<usize>,
    end: Vec<usize>,
    index: Vec<usize>,
    coefficient: Vec<f64>,
}

impl CutForms {
    /// No forms yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From the arrays of a certificate: targets (f), and rows in CSR (f + 1 offsets, indices, coefficients).
    pub fn from_rows(
        target: Vec<usize>,
        offsets: &[usize],
        index: Vec<usize>,
        coefficient: Vec<f64>,
    ) -> Result<Self> {
        let ascending = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        let fit = offsets.len() == target.len() + 1
            && offsets[0] == 0
            && offsets.last() == Some(&index.len())
            && index.len() == coefficient.len();
        if !(fit && ascending) {
            return Err(Error::Shape {
                what: "certificate forms",
                expected: "one more offset than targets, from 0 up to the number of indices and coefficients"
                    .into(),
                actual: format!(
                    "{} targets, {} offsets, {} indices, {} coefficients",
                    target.len(),
                    offsets.len(),
                    index.len(),
                    coefficient.len()
                ),
            });
        }
        Ok(Self { target, end: offsets[1..].to_vec(), index, coefficient })
    }

    /// Appends the form of x_target = Σ coefficient · x_index and returns its number f.
    pub fn push(&mut self, target: usize, row: impl IntoIterator<Item = (usize, f64)>) -> usize {
        self.target.push(target);
        for (index, coefficient) in row {
            self.index.push(index);
            self.coefficient.push(coefficient);
        }
        self.end.push(self.index.len());
        self.len() - 1
    }

    /// Number of forms.
    pub fn len(&self) -> usize {
        self.target.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.target.is_empty()
    }

    /// The sample k of each form.
    pub fn targets(&self) -> &[usize] {
        &self.target
    }

    /// Where the rows begin and the last one ends, f + 1 values.
    pub fn offsets(&self) -> impl Iterator<Item = usize> + '_ {
        std::iter::once(0).chain(self.end.iter().copied())
    }

    /// The samples i of all rows.
    pub fn indices(&self) -> &[usize] {
        &self.index
    }

    /// The a_i of all rows.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficient
    }

    /// (i, a_i) of one form.
    pub fn row(&self, form: usize) -> impl Iterator<Item = (usize, f64)> + Clone + '_ {
        let from = if form == 0 { 0 } else { self.end[form - 1] };
        let range = from..self.end[form];
        self.index[range.clone()].iter().copied().zip(self.coefficient[range].iter().copied())
    }

    /// The samples of one form: those of the row, then the target.
    pub fn samples(&self, form: usize) -> impl Iterator<Item = usize> + '_ {
        self.row(form).map(|(i, _)| i).chain([self.target[form]])
    }

    /// Checks ranges and values for n samples: rows not empty, without their own target and without a sample twice.
    pub(super) fn check(&self, n: usize) -> Result<()> {
        let mut last = vec![usize::MAX; n];
        for (form, &target) in self.target.iter().enumerate() {
            let refuse = |why: &str| Err(Error::Refused(format!("form {form} {why}")));
            if self.samples(form).any(|i| i >= n) {
                return refuse(&format!("has a sample out of range, there are {n}"));
            }
            last[target] = form;
            let mut empty = true;
            for (i, coefficient) in self.row(form) {
                if !coefficient.is_finite() {
                    return refuse("has a coefficient that is not finite");
                }
                if std::mem::replace(&mut last[i], form) == form {
                    return refuse(&format!("names sample {i} twice"));
                }
                empty = false;
            }
            if empty {
                return refuse("has no coefficients");
            }
        }
        Ok(())
    }
}
