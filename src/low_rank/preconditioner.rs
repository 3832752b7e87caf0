//! The block-diagonal part of the Hessian, one r × r block a row of the factor: a preconditioner.

use super::Factor;
use super::lagrangian::{AugmentedLagrangian, Workspace};
use crate::linalg::vector::{PARALLEL, axpy, both, dot};
use crate::relaxation::{Constraint, LiftedForms};

/// Blocks at one point, inverted for one regularisation.
#[derive(Debug, Default)]
pub(super) struct BlockPreconditioner {
    columns: usize,
    /// Coefficient of the identity in each block of R, by absolute value: it may be negative in H.
    diagonal: Vec<f64>,
    /// The positive semidefinite part of each block, row-major, the blocks of R and one for all rows of V.
    blocks: Vec<f64>,
    inverse: Vec<f64>,
    /// The constraints' part that the rows of u share.
    shared: Vec<f64>,
    slots: Vec<usize>,
    gradient: Vec<f64>,
}

impl BlockPreconditioner {
    /// Collects the blocks at a point, with these of the pairs.
    pub(super) fn collect(
        &mut self,
        lagrangian: &AugmentedLagrangian<'_>,
        factor: &Factor,
        work: &Workspace,
        live: &[usize],
    ) {
        let (lifting, set, r) = (lagrangian.lifting, lagrangian.set, factor.columns);
        let order = factor.order;
        self.columns = r;
        self.diagonal.clear();
        self.diagonal.extend_from_slice(&lifting.hidden_decay);
        self.diagonal.resize(order + 1, 0.0);
        let outputs = lifting.hidden_dimension()..lifting.hidden_dimension() + lifting.outputs;
        let largest = outputs.map(|a| lifting.coupling_entry(a, a)).fold(0.0, f64::max);
        self.diagonal[order] = lifting.output_decay + largest;
        (0..lifting.hidden_dimension()).for_each(|a| self.diagonal[a] += lifting.coupling_entry(a, a));
        self.blocks.clear();
        self.blocks.resize((order + 1) * r * r, 0.0);
        self.shared.clear();
        self.shared.resize(r * r, 0.0);
        self.loss(lagrangian, factor, work);
        for (constraint, &weight) in set.equalities.iter().zip(&work.equality_weight) {
            self.constraint(&set.forms, constraint, lagrangian.equality_penalty, weight, &work.p);
        }
        for &e in live {
            self.constraint(&set.forms, &set.pairs[e], work.curvature[e], -work.next[e], &work.p);
        }
        for block in self.blocks.chunks_exact_mut(r * r).take(lifting.hidden_dimension()) {
            axpy(1.0, &self.shared, block);
        }
        self.diagonal.iter_mut().for_each(|value| *value = value.abs());
    }

    fn loss(&mut self, lagrangian: &AugmentedLagrangian<'_>, factor: &Factor, work: &Workspace) {
        let (lifting, r, order) = (lagrangian.lifting, factor.columns, factor.order);
        let mut gram = vec![0.0; r * r];
        for row in factor.v().chunks_exact(r) {
            rank_one(1.0, row, &mut gram);
        }
        let (rows, output) = self.blocks.split_at_mut(order * r * r);
        let mut weights = vec![0.0; order];
        for fit in &lifting.fit {
            let weight = fit.weight * fit.weight;
            rank_one(weight, &work.p[fit.form * r..][..r], output);
            for (w, h) in weights.iter_mut().zip(lifting.base.dense(fit.form)) {
                *w += weight * h * h;
            }
            let (index, coefficient) = lifting.base.tail(fit.form);
            for (&i, &x) in index.iter().zip(coefficient) {
                weights[lifting.hidden_dimension() + i] += weight * x * x;
            }
        }
        for (&weight, block) in weights.iter().zip(rows.chunks_exact_mut(r * r)) {
            axpy(weight, &gram, block);
        }
    }

    /// Adds one constraint: curvature · g gᵀ by rows, and weight times its second derivative.
    fn constraint(
        &mut self,
        forms: &LiftedForms,
        constraint: &Constraint,
        curvature: f64,
        weight: f64,
        p: &[f64],
    ) {
        let r = self.columns;
        let hidden = forms.dimension();
        // The whitened u has no preferred axis: its rows share the mean of their blocks.
        for (f, g, sign) in constraint.terms() {
            let (x, y) = (forms.dense(f), forms.dense(g));
            for (diagonal, (x, y)) in self.diagonal.iter_mut().zip(x.iter().zip(y)) {
                *diagonal += 2.0 * weight * sign * x * y;
            }
            let (p, q) = (&p[f * r..][..r], &p[g * r..][..r]);
            let mean = curvature / hidden as f64;
            rank_one(mean * dot(x, x), q, &mut self.shared);
            rank_one(mean * dot(y, y), p, &mut self.shared);
            let cross = mean * dot(x, y);
            for (row, (&a, &b)) in self.shared.chunks_exact_mut(r).zip(p.iter().zip(q)) {
                axpy(cross * a, q, row);
                axpy(cross * b, p, row);
            }
        }
        self.slots.clear();
        self.gradient.clear();
        for (f, g, sign) in constraint.terms() {
            for (form, other) in [(f, g), (g, f)] {
                let (index, coefficient) = forms.tail(form);
                let (others, values) = forms.tail(other);
                for (&i, &x) in index.iter().zip(coefficient) {
                    let slot = self.slots.iter().position(|s| *s == i).unwrap_or_else(|| {
                        self.slots.push(i);
                        self.gradient.resize(self.slots.len() * r, 0.0);
                        self.slots.len() - 1
                    });
                    axpy(sign * x, &p[other * r..][..r], &mut self.gradient[slot * r..][..r]);
                    for (_, &y) in others.iter().zip(values).filter(|(j, _)| **j == i) {
                        self.diagonal[hidden + i] += weight * sign * x * y;
                    }
                }
            }
        }
        for (slot, &i) in self.slots.iter().enumerate() {
            let block = &mut self.blocks[(hidden + i) * r * r..][..r * r];
            rank_one(curvature, &self.gradient[slot * r..][..r], block);
        }
    }

    /// Inverts the blocks with this regularisation.
    pub(super) fn invert(&mut self, regularization: f64) {
        let r = self.columns;
        self.inverse.clone_from(&self.blocks);
        let each = |blocks: &mut [f64], diagonal: &[f64]| {
            for (block, &diagonal) in blocks.chunks_exact_mut(r * r).zip(diagonal) {
                let trace: f64 = (0..r).map(|l| block[l * r + l]).sum();
                // Far above rounding, far below what matters: the block is positive definite for certain.
                let shift = diagonal + regularization + 1e-10 * trace + f64::MIN_POSITIVE;
                (0..r).for_each(|l| block[l * r + l] += shift);
                invert(block, r);
            }
        };
        let middle = self.diagonal.len() / 2;
        let (first, second) = self.inverse.split_at_mut(middle * r * r);
        let (low, high) = self.diagonal.split_at(middle);
        both(self.blocks.len() >= PARALLEL, || each(first, low), || each(second, high));
    }

    /// out = P⁻¹x.
    pub(super) fn apply(&self, x: &[f64], out: &mut [f64]) {
        let r = self.columns;
        let middle = x.len() / r / 2 * r;
        let (first, second) = out.split_at_mut(middle);
        both(
            x.len() >= PARALLEL,
            || self.apply_from(0, &x[..middle], first),
            || {
                self.apply_from(middle / r, &x[middle..], second);
            },
        );
    }

    /// Some of the rows, from that one on.
    fn apply_from(&self, start: usize, x: &[f64], out: &mut [f64]) {
        let r = self.columns;
        let last = self.diagonal.len() - 1;
        for (row, (x, out)) in x.chunks_exact(r).zip(out.chunks_exact_mut(r)).enumerate() {
            let block = &self.inverse[(start + row).min(last) * r * r..][..r * r];
            for (out, line) in out.iter_mut().zip(block.chunks_exact(r)) {
                *out = dot(line, x);
            }
        }
    }
}

/// block += weight · g gᵀ.
#[inline]
fn rank_one(weight: f64, g: &[f64], block: &mut [f64]) {
    for (row, &value) in block.chunks_exact_mut(g.len()).zip(g) {
        axpy(weight * value, g, row);
    }
}

/// Inverts a symmetric positive definite matrix in place, by Gauss–Jordan without pivots.
fn invert(block: &mut [f64], r: usize) {
    for k in 0..r {
        let inverse = 1.0 / block[k * r + k];
        block[k * r + k] = 1.0;
        block[k * r..][..r].iter_mut().for_each(|value| *value *= inverse);
        for i in (0..r).filter(|&i| i != k) {
            let (low, high) = block.split_at_mut(i.max(k) * r);
            let (row, pivot) = if i < k {
                (&mut low[i * r..][..r], &high[..r])
            } else {
                (&mut high[..r], &low[k * r..][..r])
            };
            let factor = row[k];
            row[k] = 0.0;
            axpy(-factor, pivot, row);
        }
    }
}
