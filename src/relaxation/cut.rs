//! Sublinear forms: if a direction is x_k = Σ b_i x_i then Σ|b_i| s_i − s_k ≥ 0 on every neuron.

use super::{LiftedForms, Lifting};
use std::collections::BTreeMap;

/// A representation of one direction by others, and the form that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// k, a direction.
    pub target: usize,
    /// (i, b_i) with x_k = Σ b_i x_i over the unit directions, ascending in i.
    pub support: Vec<(usize, f64)>,
}

/// What the equality of a representation may miss by, as a part of its terms.
const EQUALITY: f64 = 1e-9;

impl Cut {
    /// Whether this is a representation of a direction of the lifted problem by others, up to rounding.
    pub(super) fn fits(&self, lifting: &Lifting) -> bool {
        let ascending = self.support.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let in_range = |g: usize| g < lifting.groups();
        let others = self.support.iter().all(|(i, b)| in_range(*i) && *i != self.target && b.is_finite());
        if self.support.is_empty() || !ascending || !others || !in_range(self.target) {
            return false;
        }
        let mut rest = lifting.geometry.direction(self.target).to_vec();
        for &(i, b) in &self.support {
            rest.iter_mut().zip(lifting.geometry.direction(i)).for_each(|(r, x)| *r -= b * x);
        }
        let size = 1.0 + self.support.iter().map(|(_, b)| b.abs()).sum::<f64>();
        rest.iter().all(|r| r.abs() <= EQUALITY * size)
    }

    /// Coefficients of Σ|b_i| s_i − s_k on δ, and their length t.
    ///
    /// Along the path that all its directions share to the root only Σ|b_i| − 1 is left, which is small.
    fn coefficients(&self, lifting: &Lifting) -> (BTreeMap<usize, f64>, f64) {
        let mut tail = BTreeMap::new();
        let own = (self.target, -1.0);
        for (g, weight) in self.support.iter().map(|(i, b)| (*i, b.abs())).chain([own]) {
            for (node, coefficient) in lifting.forest.path(g) {
                *tail.entry(node).or_insert(0.0) += weight * coefficient;
            }
        }
        let length = tail.values().map(|c| c * c).sum::<f64>().sqrt().max(1e-12);
        (tail, length)
    }

    /// What the form is divided by to make it of order one.
    pub(crate) fn scale(&self, lifting: &Lifting) -> f64 {
        self.coefficients(lifting).1
    }

    /// Appends (Σ|b_i| s_i − s_k)/t in the coordinates (u, δ) and gives t.
    pub(super) fn push_form(&self, lifting: &Lifting, forms: &mut LiftedForms) -> f64 {
        let (tail, scale) = self.coefficients(lifting);
        forms.push(vec![0.0; lifting.hidden_dimension()], tail.into_iter().map(|(g, c)| (g, c / scale)));
        scale
    }
}
