//! Products of the Hessian with a direction, without forming it.

use super::Factor;
use super::lagrangian::{AugmentedLagrangian, Workspace};
use crate::lifting::Constraint;
use crate::vector::{axpy, dot};

/// Scratch of [`hessian_product`], reused between calls.
#[derive(Clone, Debug, Default)]
pub struct ProductScratch {
    forms: Vec<f64>,
    rows: Vec<f64>,
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
    let c = lifting.outputs;
    let (dr, dv) = direction.split_at(factor.order * r);
    let v = factor.v();
    scratch.forms.resize(work.p.len(), 0.0);
    set.forms.evaluate(dr, r, &mut scratch.forms);
    scratch.rows.clear();
    scratch.rows.resize(work.p.len(), 0.0);
    out.fill(0.0);
    let (out_r, out_v) = out.split_at_mut(factor.order * r);
    for (f, fit) in lifting.fit.iter().enumerate() {
        let at = fit.form * r;
        let (p, dp) = (&work.p[at..][..r], &scratch.forms[at..][..r]);
        let row = &mut scratch.rows[at..][..r];
        for j in 0..c {
            let (vj, dvj) = (&v[j * r..][..r], &dv[j * r..][..r]);
            let change = fit.weight * fit.weight * (dot(dp, vj) + dot(p, dvj));
            let misfit = fit.weight * work.misfit[f * c + j];
            axpy(change, vj, row);
            axpy(misfit, dvj, row);
            let out_j = &mut out_v[j * r..][..r];
            axpy(change, p, out_j);
            axpy(misfit, dp, out_j);
        }
    }
    axpy(lifting.output_decay, dv, out_v);
    let mut add = |constraint: &Constraint, curvature: f64, weight: f64| {
        let mut slope = 0.0;
        for (a, b, sign) in constraint.terms() {
            slope += sign
                * (dot(&work.p[a * r..][..r], &scratch.forms[b * r..][..r])
                    + dot(&scratch.forms[a * r..][..r], &work.p[b * r..][..r]));
        }
        for (a, b, sign) in constraint.terms() {
            for (a, b) in [(a, b), (b, a)] {
                let row = &mut scratch.rows[a * r..][..r];
                axpy(sign * curvature * slope, &work.p[b * r..][..r], row);
                axpy(sign * weight, &scratch.forms[b * r..][..r], row);
            }
        }
    };
    for (constraint, &weight) in set.equalities.iter().zip(&work.equality_weight) {
        add(constraint, lagrangian.equality_penalty, weight);
    }
    for (e, constraint) in set.pairs.iter().enumerate() {
        if work.next[e] > 0.0 {
            add(constraint, work.curvature[e], -work.next[e]);
        }
    }
    set.forms.accumulate_adjoint(&scratch.rows, r, out_r);
    for (a, gamma) in lifting.head_decay.iter().enumerate() {
        axpy(*gamma, &dr[a * r..][..r], &mut out_r[a * r..][..r]);
    }
}
