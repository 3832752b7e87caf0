//! Pairs added as they are violated.

use super::backtrack::BacktrackPoint;
use super::dense;
use super::operator::Operator;
use super::point::Point;
use super::run::InteriorPointRun;
use crate::relaxation::{LiftedForms, PairKey, scan_cuts, scan_violations};
use std::collections::HashMap;

/// Below this gap the point is too close to the boundary to take in new pairs.
const LATE: f64 = 1e-6;
/// Then the run goes back to a point whose gap is this many times larger (conventional, as are the other two).
const LATE_RETURN: f64 = 100.0;
/// A violation more than this many times the gap is not taken in at the point itself.
const ABRUPT: f64 = 30.0;

/// Pairs not held that a point violates.
pub(super) struct Violated {
    pub keys: Vec<PairKey>,
    /// The worst of them, against 1 + the mean square of a form.
    worst: f64,
}

impl InteriorPointRun<'_> {
    /// Keeps the point if it is well ahead of the last one kept.
    pub fn remember(&self, earlier: &mut Vec<BacktrackPoint>, distance: f64, infeasibility: f64) {
        if infeasibility < distance && BacktrackPoint::is_due(earlier, distance) {
            earlier.push(BacktrackPoint {
                distance,
                point: self.point.clone(),
                keys: self.pairs.keys.clone(),
            });
        }
    }

    /// Scans all pairs at the primal point.
    pub fn violated(&self) -> Violated {
        let Some((values, columns)) = self.evaluated(&self.point, &self.pairs.forms) else {
            return Violated { keys: Vec::new(), worst: 0.0 };
        };
        let forms = self.lifting.base.len();
        let size = 1.0 + values[..forms * columns].iter().map(|v| v * v).sum::<f64>() / forms as f64;
        let tolerance = self.settings.tolerance * size;
        let mut worst = 0.0_f64;
        let count = self.settings.pairs_per_form;
        let cuts = scan_cuts(self.lifting, &self.pairs, &values, columns, tolerance, count);
        let keys = scan_violations(self.lifting, &values, columns, tolerance, count)
            .into_iter()
            .chain(cuts)
            .filter(|violation| self.pairs.keys.binary_search(&violation.key).is_err())
            .map(|violation| {
                worst = worst.max(-violation.value / size);
                violation.key
            })
            .collect();
        Violated { keys, worst }
    }

    /// Forms at a factor of a point, row-major, and the number of its columns.
    fn evaluated(&self, point: &Point, forms: &LiftedForms) -> Option<(Vec<f64>, usize)> {
        let factor = dense::factor_nearly(point.primal.as_ref(), self.par)?;
        let (order, columns) = (self.lifting.order(), factor.ncols());
        let rows: Vec<f64> = (0..order * columns).map(|i| factor[(i / columns, i % columns)]).collect();
        let mut values = vec![0.0; forms.len() * columns];
        forms.evaluate(&rows, columns, &mut values);
        Some((values, columns))
    }

    /// Adds the violated pairs, at an earlier point if this one is too near the boundary; gives its gap.
    pub fn grow(&mut self, violated: &Violated, earlier: &mut Vec<BacktrackPoint>, distance: f64) -> f64 {
        let late = if distance < LATE { LATE_RETURN * distance } else { 0.0 };
        let abrupt = if violated.worst > ABRUPT * distance { violated.worst } else { 0.0 };
        let mut from = distance;
        if late.max(abrupt) > 0.0 && !earlier.is_empty() {
            let wanted = late.max(abrupt);
            let keep = earlier.iter().rposition(|point| point.distance >= wanted).unwrap_or(0);
            earlier.truncate(keep + 1);
            if earlier[keep].distance > distance {
                from = earlier[keep].distance;
                self.restore(&earlier[keep]);
            }
        }
        self.extend(&violated.keys);
        from
    }

    /// Goes back to the earliest point kept, with all pairs found since; false if there is none.
    pub fn rescue(&mut self, earlier: &mut Vec<BacktrackPoint>) -> bool {
        earlier.truncate(1);
        earlier.iter().for_each(|point| self.restore(point));
        !earlier.is_empty()
    }

    /// Goes back to an earlier point; pairs that came since start like new ones.
    fn restore(&mut self, earlier: &BacktrackPoint) {
        let keep: Vec<bool> =
            self.pairs.keys.iter().map(|key| earlier.keys.binary_search(key).is_ok()).collect();
        let newer: Vec<PairKey> =
            self.pairs.keys.iter().zip(&keep).filter(|(_, keep)| !**keep).map(|(key, _)| *key).collect();
        self.pairs.retain(self.lifting, &keep);
        self.point = earlier.point.clone();
        self.extend(&newer);
    }

    /// Adds pairs; each starts where its product is, but at least as far inside as the worst is outside.
    fn extend(&mut self, keys: &[PairKey]) {
        let before: HashMap<PairKey, usize> =
            self.pairs.keys.iter().copied().enumerate().map(|(e, key)| (key, e)).collect();
        let free = self.point.dual.len() - self.point.products.len();
        self.pairs.add(self.lifting, keys);
        let operator = Operator::new(self.lifting, &self.pairs);
        let image = operator.apply(operator.times_forms(self.point.primal.as_ref()).as_ref());
        let mu =
            dense::inner(self.point.primal.as_ref(), self.point.slack.as_ref()) / operator.order() as f64;
        let floor = image[free..].iter().fold(mu.sqrt(), |worst, product| worst.max(-product));
        let mut dual = self.point.dual[..free].to_vec();
        let mut products = Vec::with_capacity(self.pairs.len());
        for (key, image) in self.pairs.keys.iter().zip(&image[free..]) {
            match before.get(key) {
                Some(&old) => {
                    products.push(self.point.products[old]);
                    dual.push(self.point.dual[free + old]);
                }
                None => {
                    let product = image.max(floor);
                    products.push(product);
                    dual.push(mu / product);
                }
            }
        }
        self.point.dual = dual;
        self.point.products = products;
    }
}
