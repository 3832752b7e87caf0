//! The ReLU of each neuron, with its kink rounded off.

use crate::training::coordinates::Coordinates;
use faer::MatRef;

/// t₊, or where the kink is rounded over [0, ε]: t²/2ε there and t − ε/2 beyond.
#[derive(Clone)]
pub(in crate::training) struct Rectifier {
    /// ε of each neuron; zero for the true ReLU.
    width: Vec<f64>,
}

impl Rectifier {
    /// The true ReLU for so many neurons.
    pub fn sharp(neurons: usize) -> Self {
        Self { width: vec![0.0; neurons] }
    }

    /// ε is this fraction of the root mean square of the preactivations of each neuron (k × m by column).
    pub fn rounded(at: &Coordinates, fraction: f64, hidden: &[f64]) -> Self {
        if fraction == 0.0 {
            return Self::sharp(hidden.len() / at.rank());
        }
        Self { width: at.preactivation_size(hidden).iter().map(|size| fraction * size).collect() }
    }

    /// ε of one neuron.
    pub fn width(&self, neuron: usize) -> f64 {
        self.width[neuron]
    }

    /// The activations of some samples for neurons `first`, `first` + 1, …: both by column, so many rows each.
    pub fn activate(&self, first: usize, rows: usize, preactivation: &[f64], activation: &mut [f64]) {
        let columns = preactivation.chunks_exact(rows).zip(activation.chunks_exact_mut(rows));
        for ((t, a), &e) in columns.zip(&self.width[first..]) {
            if e > 0.0 {
                let inverse = 0.5 / e;
                for (a, &t) in a.iter_mut().zip(t) {
                    let inside = t.max(0.0).min(e);
                    *a = inside * inside * inverse + (t - e).max(0.0);
                }
            } else {
                a.iter_mut().zip(t).for_each(|(a, t)| *a = t.max(0.0));
            }
        }
    }

    /// Multiplies by the slopes there.
    pub fn slope(&self, first: usize, rows: usize, preactivation: &[f64], values: &mut [f64]) {
        let columns = preactivation.chunks_exact(rows).zip(values.chunks_exact_mut(rows));
        for ((t, s), &e) in columns.zip(&self.width[first..]) {
            if e > 0.0 {
                let inverse = 1.0 / e;
                s.iter_mut().zip(t).for_each(|(s, t)| *s *= (t * inverse).max(0.0).min(1.0));
            } else {
                s.iter_mut().zip(t).for_each(|(s, t)| *s = if *t > 0.0 { *s } else { 0.0 });
            }
        }
    }
}

/// The preactivations of rows `from`, `from` + 1, … by column, as many rows as `out` has for the neurons of `z` (k × m).
///
/// `known` are those of all samples, of sparse features.
pub(in crate::training) fn preactivation_rows(
    at: &Coordinates,
    z: MatRef<'_, f64>,
    known: Option<MatRef<'_, f64>>,
    from: usize,
    out: &mut [f64],
) {
    let rows = out.len() / z.ncols().max(1);
    match known {
        Some(known) => {
            for (out, column) in out.chunks_exact_mut(rows).zip(known.col_iter()) {
                out.iter_mut().zip(column.subrows(from, rows).iter()).for_each(|(out, t)| *out = *t);
            }
        }
        None => at.preactivation_rows(z, from, rows, out),
    }
}
