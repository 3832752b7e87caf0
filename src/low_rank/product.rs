//! Products of the Hessian with a direction, without forming it.

use super::Factor;
use super::lagrangian::{AugmentedLagrangian, Workspace};
use crate::linalg::vector::{PARALLEL, axpy, dot};
use crate::relaxation::Constraint;
use pulp::Arch;
use std::ops::Range;

/// A pair matters to the Hessian from this fraction of the penalty, or of the largest multiplier, on.
const NEGLIGIBLE: f64 = 1e-5;

/// Scratch of [`hessian_product`], reused between calls.
#[derive(Clone, Debug, Default)]
pub struct ProductScratch {
    forms: Vec<f64>,
    rows: Vec<f64>,
    /// The second half's, where two threads share the work.
    others: Vec<f64>,
    /// The pairs that count; all of them until [`ProductScratch::neglect`] says otherwise.
    live: Option<Vec<usize>>,
}

impl ProductScratch {
    /// From here on products leave out the pairs that hardly matter at this point: far inside with what multiplier
    /// the smoothing gives them, they are nine in ten where many pairs are held.
    pub(super) fn neglect(&mut self, lagrangian: &AugmentedLagrangian<'_>, work: &Workspace) {
        let largest = work.next.iter().fold(0.0, |m: f64, t| m.max(*t));
        let (steep, heavy) = (NEGLIGIBLE * lagrangian.hinge.penalty, NEGLIGIBLE * largest);
        let live = self.live.get_or_insert_default();
        live.clear();
        live.extend((0..work.next.len()).filter(|&e| work.curvature[e] > steep || work.next[e] > heavy));
    }

    /// The pairs that [`ProductScratch::neglect`] left.
    pub(super) fn live(&self) -> &[usize] {
        self.live.as_deref().unwrap_or_default()
    }
}

/// out = H·direction at the point the workspace was evaluated for; cost of about two gradients.
///
/// Directions are laid out as the factor: R (order × r) then V (outputs × r), row-major.
pub fn hessian_product(
    lagrangian: &AugmentedLagrangian<'_>,
    factor: &Factor,
    work: &Workspace,
    direction: &[f64],
    scratch: &mut ProductScratch,
    out: &mut [f64],
) {
    let (lifting, set, r) = (lagrangian.lifting, lagrangian.set, factor.columns);
    let (dr, dv) = direction.split_at(factor.order * r);
    scratch.forms.resize(work.p.len(), 0.0);
    set.forms.evaluate(dr, r, &mut scratch.forms);
    scratch.rows.clear();
    scratch.rows.resize(work.p.len(), 0.0);
    out.fill(0.0);
    let (out_r, out_v) = out.split_at_mut(factor.order * r);
    let ProductScratch { forms, rows, others, live } = scratch;
    let (forms, live, pairs) = (&forms[..], live.as_deref(), set.pairs.len());
    let pairs = live.map_or(pairs, <[usize]>::len);
    // The widest vectors the machine has; sums keep their order, so that the result is the same on all.
    if rows.len() < PARALLEL {
        Arch::new().dispatch(|| {
            loss_rows(lagrangian, factor, work, dv, forms, rows, out_v);
            equality_rows(lagrangian, work, r, forms, rows);
            pair_rows(lagrangian, work, r, live, 0..pairs, forms, rows);
        });
    } else {
        // Each half has rows of its own, whether or not there is a thread for it.
        others.clear();
        others.resize(rows.len(), 0.0);
        let middle = pairs / 2;
        rayon::join(
            || {
                Arch::new().dispatch(|| {
                    loss_rows(lagrangian, factor, work, dv, forms, rows, out_v);
                    pair_rows(lagrangian, work, r, live, middle..pairs, forms, rows);
                });
            },
            || {
                Arch::new().dispatch(|| {
                    equality_rows(lagrangian, work, r, forms, others);
                    pair_rows(lagrangian, work, r, live, 0..middle, forms, others);
                });
            },
        );
        axpy(1.0, others, rows);
    }
    set.forms.accumulate_adjoint(rows, r, out_r);
    for (a, gamma) in lifting.hidden_decay.iter().enumerate() {
        axpy(*gamma, &dr[a * r..][..r], &mut out_r[a * r..][..r]);
    }
    lifting.add_coupling(dr, dv, r, out_r, out_v);
}

/// What the loss puts into the forms' rows and into the rows of V.
#[inline(always)]
fn loss_rows(
    lagrangian: &AugmentedLagrangian<'_>,
    factor: &Factor,
    work: &Workspace,
    dv: &[f64],
    forms: &[f64],
    rows: &mut [f64],
    out_v: &mut [f64],
) {
    let (lifting, r, v) = (lagrangian.lifting, factor.columns, factor.v());
    let c = lifting.outputs;
    for (f, fit) in lifting.fit.iter().enumerate() {
        let at = fit.form * r;
        let (p, dp) = (&work.p[at..][..r], &forms[at..][..r]);
        let row = &mut rows[at..][..r];
        for j in 0..c {
            let (vj, dvj) = (&v[j * r..][..r], &dv[j * r..][..r]);
            let change = fit.weight * fit.weight * (dot(dp, vj) + dot(p, dvj));
            let residual = fit.weight * work.residual[f * c + j];
            axpy(change, vj, row);
            axpy(residual, dvj, row);
            let out_j = &mut out_v[j * r..][..r];
            axpy(change, p, out_j);
            axpy(residual, dp, out_j);
        }
    }
    axpy(lifting.output_decay, dv, out_v);
}

/// What the equalities put into the forms' rows.
#[inline(always)]
fn equality_rows(
    lagrangian: &AugmentedLagrangian<'_>,
    work: &Workspace,
    r: usize,
    forms: &[f64],
    rows: &mut [f64],
) {
    for (constraint, &weight) in lagrangian.set.equalities.iter().zip(&work.equality_weight) {
        add(constraint, lagrangian.equality_penalty, weight, &work.p, forms, rows, r);
    }
}

/// What some of the pairs (of the live ones, if they are known) put into the forms' rows.
#[inline(always)]
fn pair_rows(
    lagrangian: &AugmentedLagrangian<'_>,
    work: &Workspace,
    r: usize,
    live: Option<&[usize]>,
    some: Range<usize>,
    forms: &[f64],
    rows: &mut [f64],
) {
    for place in some {
        let e = live.map_or(place, |live| live[place]);
        if work.next[e] > 0.0 {
            add(&lagrangian.set.pairs[e], work.curvature[e], -work.next[e], &work.p, forms, rows, r);
        }
    }
}

/// One constraint's part: curvature · g gᵀ and weight times the second derivative, applied to the direction's forms.
#[inline(always)]
fn add(
    constraint: &Constraint,
    curvature: f64,
    weight: f64,
    p: &[f64],
    forms: &[f64],
    rows: &mut [f64],
    r: usize,
) {
    let mut slope = 0.0;
    for (a, b, sign) in constraint.terms() {
        slope += sign
            * (dot(&p[a * r..][..r], &forms[b * r..][..r]) + dot(&forms[a * r..][..r], &p[b * r..][..r]));
    }
    for (a, b, sign) in constraint.terms() {
        for (a, b) in [(a, b), (b, a)] {
            let row = &mut rows[a * r..][..r];
            axpy(sign * curvature * slope, &p[b * r..][..r], row);
            axpy(sign * weight, &forms[b * r..][..r], row);
        }
    }
}
