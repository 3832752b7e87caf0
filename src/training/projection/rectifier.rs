//! The ReLU of each neuron, with its kink rounded off.

use crate::training::coordinates::Coordinates;
use faer::MatRef;
use pulp::Arch;

/// t₊, or where the kink is rounded over an interval of length ε: its slope rises there from zero to one.
#[derive(Clone)]
pub(in crate::training) struct Rectifier {
    /// ε of each neuron; zero for the true ReLU.
    width: Vec<f64>,
    /// Where the interval begins, as a part of ε below zero.
    offset: f64,
}

/// The interval [0, ε], so that the function lies below the ReLU, or [−ε/2, ε/2], so that it is the ReLU outside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::training) enum Rounding {
    Below,
    Centred,
}

impl Rectifier {
    /// The true ReLU for so many neurons.
    pub fn sharp(neurons: usize) -> Self {
        Self { width: vec![0.0; neurons], offset: 0.0 }
    }

    /// ε is this fraction of the root mean square of the preactivations of each neuron (k × m by column).
    pub fn rounded(at: &Coordinates, rounding: Rounding, fraction: f64, hidden: &[f64]) -> Self {
        if fraction == 0.0 {
            return Self::sharp(hidden.len() / at.rank());
        }
        let width = at.preactivation_size(hidden).iter().map(|size| fraction * size).collect();
        Self { width, offset: if rounding == Rounding::Centred { 0.5 } else { 0.0 } }
    }

    /// ε of one neuron.
    pub fn width(&self, neuron: usize) -> f64 {
        self.width[neuron]
    }

    /// Whether this preactivation of a neuron is on its rounded kink.
    #[inline(always)]
    pub fn is_on_kink(&self, neuron: usize, t: f64) -> bool {
        let from = -self.offset * self.width[neuron];
        t > from && t < from + self.width[neuron]
    }

    /// The activations of some samples for neurons `first`, `first` + 1, …: both by column, so many rows each.
    pub fn activate(&self, first: usize, rows: usize, preactivation: &[f64], activation: &mut [f64]) {
        Arch::new().dispatch(|| {
            let columns = preactivation.chunks_exact(rows).zip(activation.chunks_exact_mut(rows));
            for ((t, a), &e) in columns.zip(&self.width[first..]) {
                if e > 0.0 {
                    let inverse = 0.5 / e;
                    let shift = self.offset * e;
                    for (a, &t) in a.iter_mut().zip(t) {
                        let t = t + shift;
                        let inside = positive(t);
                        let inside = if inside < e { inside } else { e };
                        *a = inside * inside * inverse + positive(t - e);
                    }
                } else {
                    a.iter_mut().zip(t).for_each(|(a, &t)| *a = positive(t));
                }
            }
        });
    }

    /// Multiplies by the slopes there.
    pub fn slope(&self, first: usize, rows: usize, preactivation: &[f64], values: &mut [f64]) {
        Arch::new().dispatch(|| {
            let columns = preactivation.chunks_exact(rows).zip(values.chunks_exact_mut(rows));
            for ((t, s), &e) in columns.zip(&self.width[first..]) {
                if e > 0.0 {
                    let inverse = 1.0 / e;
                    for (s, &t) in s.iter_mut().zip(t) {
                        let slope = positive(t * inverse + self.offset);
                        *s *= if slope < 1.0 { slope } else { 1.0 };
                    }
                } else {
                    s.iter_mut().zip(t).for_each(|(s, &t)| *s = if t > 0.0 { *s } else { 0.0 });
                }
            }
        });
    }
}

/// t₊, one instruction.
#[inline(always)]
fn positive(t: f64) -> f64 {
    if t > 0.0 { t } else { 0.0 }
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
