//! The sparse part of the dual slack over (g, s): multipliers of equalities and pairs.

use super::form::Forms;

/// Symmetric sparse matrix K over (g, s), order 2n: zᵀKz = −2 Σ y_i α_iβ_i − 2 Σ_k N_k p_a p_b.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) start: Vec<usize>,
    pub(crate) index: Vec<usize>,
    pub(crate) value: Vec<f64>,
    /// Sum of the absolute values of what was added up in each entry.
    pub(crate) magnitude: Vec<f64>,
    /// Most contributions in one entry.
    pub(crate) contributions: usize,
}

impl Kernel {
    /// α_iβ_i = (s_i² − g_i²)/4 puts −y_i/2 on s_i² and +y_i/2 on g_i²; a pair puts −N c_i c_j on both triangles.
    pub(crate) fn new(forms: &Forms, y: &[f64], pairs: &[[usize; 2]], multipliers: &[f64]) -> Self {
        let n = forms.samples();
        let each = |mut visit: Box<dyn FnMut(usize, usize, f64) + '_>| {
            for (i, y) in y.iter().enumerate() {
                visit(i, i, 0.5 * y);
                visit(n + i, n + i, -0.5 * y);
            }
            for (pair, multiplier) in pairs.iter().zip(multipliers) {
                for (i, a) in forms.row(pair[0]) {
                    for (j, b) in forms.row(pair[1]) {
                        visit(i, j, -(multiplier * (a * b)));
                        visit(j, i, -(multiplier * (a * b)));
                    }
                }
            }
        };
        let mut start = vec![0usize; 2 * n + 1];
        each(Box::new(|i, _, _| start[i + 1] += 1));
        for i in 0..2 * n {
            start[i + 1] += start[i];
        }
        let mut next = start.clone();
        let mut entries = vec![(0usize, 0.0f64); start[2 * n]];
        each(Box::new(|i, j, v| {
            entries[next[i]] = (j, v);
            next[i] += 1;
        }));
        let mut kernel = Self {
            start: vec![0],
            index: Vec::new(),
            value: Vec::new(),
            magnitude: Vec::new(),
            contributions: 1,
        };
        for i in 0..2 * n {
            let row = &mut entries[start[i]..start[i + 1]];
            row.sort_by_key(|entry| entry.0);
            for group in row.chunk_by(|a, b| a.0 == b.0) {
                kernel.index.push(group[0].0);
                kernel.value.push(group.iter().map(|entry| entry.1).sum());
                kernel.magnitude.push(group.iter().map(|entry| entry.1.abs()).sum());
                kernel.contributions = kernel.contributions.max(group.len());
            }
            kernel.start.push(kernel.index.len());
        }
        kernel
    }

    /// Row i as (column, value).
    pub(crate) fn row(&self, i: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.start[i]..self.start[i + 1];
        self.index[range.clone()].iter().copied().zip(self.value[range].iter().copied())
    }

    /// out = Kz.
    pub(crate) fn apply(&self, z: &[f64], out: &mut [f64]) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = self.row(i).map(|(j, v)| v * z[j]).sum();
        }
    }

    /// out = |K|z with the magnitudes in place of the entries.
    pub(crate) fn apply_magnitude(&self, z: &[f64], out: &mut [f64]) {
        for (i, out) in out.iter_mut().enumerate() {
            let range = self.start[i]..self.start[i + 1];
            *out = range.map(|k| self.magnitude[k] * z[self.index[k]]).sum();
        }
    }

    /// Most entries in a row.
    pub(crate) fn longest_row(&self) -> usize {
        self.start.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0)
    }
}
