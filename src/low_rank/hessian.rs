//! The exact Hessian of the augmented Lagrangian, dense.
//!
//! Three parts: the dual slack ⊗ I, the Gauss–Newton terms of active pairs and equalities (one rank-one term
//! a constraint), and the loss, which couples everything through V. `docs/mathematics.md`, section 4.

use super::Factor;
use super::lagrangian::{AugmentedLagrangian, Workspace};
use crate::linalg::dense::product;
use crate::linalg::vector::axpy;
use crate::relaxation::{Constraint, LiftedForms, Lifting};
use faer::Mat;

/// Assembles Hessians at successive points, reusing its memory.
#[derive(Debug)]
pub struct HessianAssembler {
    /// Σ w_f² f fᵀ over the rows of the loss, order × order.
    loss_gram: Mat<f64>,
    slack: Mat<f64>,
    slot_of: Vec<usize>,
    slots: Vec<usize>,
    rows: Vec<f64>,
}

/// Calls `visit(coordinate, coefficient)` for the coefficients of a form over (u, δ).
#[inline]
fn for_each_coefficient(forms: &LiftedForms, form: usize, mut visit: impl FnMut(usize, f64)) {
    let hidden = forms.dense(form);
    for (a, &h) in hidden.iter().enumerate() {
        if h != 0.0 {
            visit(a, h);
        }
    }
    let (index, coefficient) = forms.tail(form);
    for (&i, &c) in index.iter().zip(coefficient) {
        visit(hidden.len() + i, c);
    }
}

impl HessianAssembler {
    /// Prepares for a lifted problem.
    pub fn new(lifting: &Lifting) -> Self {
        let order = lifting.order();
        Self {
            loss_gram: Mat::new(),
            slack: Mat::new(),
            slot_of: vec![usize::MAX; order],
            slots: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Both matrices are made when first needed: conjugate gradients alone need neither.
    fn form_loss_gram(&mut self, lifting: &Lifting) {
        let order = lifting.order();
        if self.loss_gram.nrows() == order {
            return;
        }
        self.loss_gram = Mat::zeros(order, order);
        for fit in &lifting.fit {
            let weight = fit.weight * fit.weight;
            for_each_coefficient(&lifting.base, fit.form, |b, y| {
                for_each_coefficient(&lifting.base, fit.form, |a, x| {
                    self.loss_gram[(a, b)] += weight * x * y;
                });
            });
        }
    }

    /// The quadratic form of the constraints and the hidden decay, order × order, symmetric: the dual slack
    /// without the loss, with multipliers as they would be updated at this point.
    pub fn constraint_form(&mut self, lagrangian: &AugmentedLagrangian<'_>, work: &Workspace) -> &Mat<f64> {
        let set = lagrangian.set;
        let order = lagrangian.lifting.order();
        if self.slack.nrows() == order {
            self.slack.fill(0.0);
        } else {
            self.slack = Mat::zeros(order, order);
        }
        for (a, gamma) in lagrangian.lifting.hidden_decay.iter().enumerate() {
            self.slack[(a, a)] = *gamma;
        }
        let hidden = lagrangian.lifting.hidden_dimension();
        for b in 0..hidden {
            (0..hidden).for_each(|a| self.slack[(a, b)] += lagrangian.lifting.coupling_entry(a, b));
        }
        let equalities = set.equalities.iter().zip(&work.equality_weight).map(|(c, &w)| (c, w));
        let pairs = set.pairs.iter().zip(&work.next).map(|(c, &t)| (c, -t));
        for (constraint, weight) in equalities.chain(pairs).filter(|(_, weight)| *weight != 0.0) {
            for (f, g, sign) in constraint.terms() {
                for_each_coefficient(&set.forms, f, |a, x| {
                    for_each_coefficient(&set.forms, g, |b, y| {
                        let value = weight * sign * x * y;
                        self.slack[(a, b)] += value;
                        self.slack[(b, a)] += value;
                    });
                });
            }
        }
        &self.slack
    }

    /// Fᵀ diag(w) residual, order × c, and the coupling of u with v: what V is multiplied by in the derivative with
    /// respect to R.
    pub fn loss_moment(lagrangian: &AugmentedLagrangian<'_>, work: &Workspace) -> Mat<f64> {
        let lifting = lagrangian.lifting;
        let c = lifting.outputs;
        let mut moment = Mat::zeros(lifting.order(), c);
        for (f, fit) in lifting.fit.iter().enumerate() {
            for_each_coefficient(&lifting.base, fit.form, |a, x| {
                for j in 0..c {
                    moment[(a, j)] += fit.weight * x * work.residual[f * c + j];
                }
            });
        }
        lifting.with_coupling(moment)
    }

    /// The dual slack of (u, δ): the constraint form less C G⁻¹ Cᵀ with C the moment and G = gI, or what a price makes of
    /// it.
    pub fn dual_slack(&mut self, lagrangian: &AugmentedLagrangian<'_>, work: &Workspace) -> Mat<f64> {
        let moment = Self::loss_moment(lagrangian, work);
        let product = product(lagrangian.lifting.over_outputs(&moment).as_ref(), moment.transpose());
        let form = self.constraint_form(lagrangian, work);
        Mat::from_fn(form.nrows(), form.ncols(), |a, b| form[(a, b)] - product[(a, b)])
    }

    /// Writes the lower triangle of the Hessian; variables are (R, V), row-major.
    pub fn assemble(
        &mut self,
        lagrangian: &AugmentedLagrangian<'_>,
        factor: &Factor,
        work: &Workspace,
        hessian: &mut Mat<f64>,
    ) {
        let (lifting, r, q) = (lagrangian.lifting, factor.columns, factor.order);
        let c = lifting.outputs;
        hessian.fill(0.0);
        self.form_loss_gram(lifting);
        self.constraint_form(lagrangian, work);
        let v = factor.v();
        let mut vtv = vec![0.0; r * r];
        for row in v.chunks_exact(r) {
            for l in 0..r {
                axpy(row[l], row, &mut vtv[l * r..][..r]);
            }
        }
        for b in 0..q {
            for a in b..q {
                let (slack, loss) = (self.slack[(a, b)], self.loss_gram[(a, b)]);
                if slack == 0.0 && loss == 0.0 {
                    continue;
                }
                for l in 0..r {
                    let column = &mut hessian.col_as_slice_mut(b * r + l)[a * r..][..r];
                    axpy(loss, &vtv[l * r..][..r], column);
                    column[l] += slack;
                }
            }
        }
        self.gauss_newton(lagrangian, work, r, hessian);
        self.output_block(lagrangian, factor, work, hessian, c);
    }

    fn gauss_newton(
        &mut self,
        lagrangian: &AugmentedLagrangian<'_>,
        work: &Workspace,
        r: usize,
        hessian: &mut Mat<f64>,
    ) {
        let set = lagrangian.set;
        for constraint in &set.equalities {
            self.rank_one(&set.forms, constraint, lagrangian.equality_penalty, work, r, hessian);
        }
        for (constraint, &curvature) in set.pairs.iter().zip(&work.curvature) {
            if curvature > 0.0 {
                self.rank_one(&set.forms, constraint, curvature, work, r, hessian);
            }
        }
    }

    /// Adds weight · g gᵀ for the derivative g of one constraint.
    fn rank_one(
        &mut self,
        forms: &LiftedForms,
        constraint: &Constraint,
        weight: f64,
        work: &Workspace,
        r: usize,
        hessian: &mut Mat<f64>,
    ) {
        self.slots.clear();
        self.rows.clear();
        for (f, g, sign) in constraint.terms() {
            for (form, other) in [(f, g), (g, f)] {
                let row = &work.p[other * r..][..r];
                for_each_coefficient(forms, form, |a, x| {
                    let slot = if self.slot_of[a] == usize::MAX {
                        self.slot_of[a] = self.slots.len();
                        self.slots.push(a);
                        self.rows.resize(self.slots.len() * r, 0.0);
                        self.slots.len() - 1
                    } else {
                        self.slot_of[a]
                    };
                    axpy(sign * x, row, &mut self.rows[slot * r..][..r]);
                });
            }
        }
        for (s, &b) in self.slots.iter().enumerate() {
            for (t, &a) in self.slots.iter().enumerate() {
                if a < b {
                    continue;
                }
                let row = &self.rows[t * r..][..r];
                for l in 0..r {
                    let factor = weight * self.rows[s * r + l];
                    axpy(factor, row, &mut hessian.col_as_slice_mut(b * r + l)[a * r..][..r]);
                }
            }
        }
        for &a in &self.slots {
            self.slot_of[a] = usize::MAX;
        }
    }

    /// The rows of V: its own block and the coupling with R.
    fn output_block(
        &self,
        lagrangian: &AugmentedLagrangian<'_>,
        factor: &Factor,
        work: &Workspace,
        hessian: &mut Mat<f64>,
        c: usize,
    ) {
        let (lifting, r, q) = (lagrangian.lifting, factor.columns, factor.order);
        let v = factor.v();
        let moment = Self::loss_moment(lagrangian, work);
        let mut weighted = vec![0.0; q * r];
        let mut gram = vec![0.0; r * r];
        for fit in &lifting.fit {
            let weight = fit.weight * fit.weight;
            let p = &work.p[fit.form * r..][..r];
            for_each_coefficient(&lifting.base, fit.form, |a, x| {
                axpy(weight * x, p, &mut weighted[a * r..][..r]);
            });
            for l in 0..r {
                axpy(weight * p[l], p, &mut gram[l * r..][..r]);
            }
        }
        for a in 0..q {
            for l in 0..r {
                let column = hessian.col_as_slice_mut(a * r + l);
                for j in 0..c {
                    let block = &mut column[(q + j) * r..][..r];
                    axpy(v[j * r + l], &weighted[a * r..][..r], block);
                    block[l] += moment[(a, j)];
                }
            }
        }
        for j in 0..c {
            for l in 0..r {
                let block = &mut hessian.col_as_slice_mut((q + j) * r + l)[(q + j) * r..][..r];
                axpy(1.0, &gram[l * r..][..r], block);
                block[l] += lifting.output_decay;
                let k = lifting.hidden_dimension();
                for i in j..c {
                    hessian[((q + i) * r + l, (q + j) * r + l)] += lifting.coupling_entry(k + i, k + j);
                }
            }
        }
    }
}
