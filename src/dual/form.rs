//! Linear forms in (u, s), written as sparse rows over (g, s) with g = Xu.

use super::CutForms;

/// Linear forms p_k = Σ coef · (g, s)_index, where index i < n means g_i = x_iᵀu and n + i means s_i.
///
/// The first 2n are α_0 … α_{n−1}, β_0 … β_{n−1}; any further nonnegative form is one more row.
#[derive(Clone, Debug)]
pub struct Forms {
    samples: usize,
    start: Vec<usize>,
    index: Vec<usize>,
    coefficient: Vec<f64>,
}

impl Forms {
    /// α_i = (s_i + g_i)/2 and β_i = (s_i − g_i)/2 of n samples (mathematics: α = (s + Xu)/2, β = (s − Xu)/2).
    pub fn relu(samples: usize) -> Self {
        let mut forms =
            Self { samples, start: vec![0], index: Vec::with_capacity(4 * samples), coefficient: Vec::new() };
        for sign in [0.5, -0.5] {
            for i in 0..samples {
                forms.index.extend([i, samples + i]);
                forms.coefficient.extend([sign, 0.5]);
                forms.start.push(forms.index.len());
            }
        }
        forms
    }

    /// These forms, followed by a row Σ|a_i| s_i − s_k for every cut.
    pub(crate) fn with_cuts(mut self, cuts: &CutForms) -> Self {
        for (form, &target) in cuts.targets().iter().enumerate() {
            for (i, coefficient) in cuts.row(form) {
                self.index.push(self.samples + i);
                self.coefficient.push(coefficient.abs());
            }
            self.index.push(self.samples + target);
            self.coefficient.push(-1.0);
            self.start.push(self.index.len());
        }
        self
    }

    /// How many forms there are.
    pub fn count(&self) -> usize {
        self.start.len() - 1
    }

    /// n.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The entries (index into (g, s), coefficient) of form k.
    pub fn row(&self, k: usize) -> impl Iterator<Item = (usize, f64)> + Clone + '_ {
        let range = self.start[k]..self.start[k + 1];
        self.index[range.clone()].iter().copied().zip(self.coefficient[range].iter().copied())
    }

    /// Most entries in a row.
    pub fn longest_row(&self) -> usize {
        self.start.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0)
    }
}
