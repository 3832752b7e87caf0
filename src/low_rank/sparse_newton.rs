//! The Newton system of few dimensions, factored without a matrix of its order: over s in the place of δ each pair joins two
//! directions, and pairs of directions that are near each other fill in little. u and V are a dense border.

use super::Factor;
use super::lagrangian::{AugmentedLagrangian, Workspace};
use crate::linalg::arrow::{Arrow, ArrowPattern};
use crate::linalg::vector::axpy;
use crate::relaxation::{Constraint, Forest, LiftedForms};
use faer::Mat;

/// Dimensions of u up to which a sparse factorisation is thought of: with more of them nearly everything fills in
/// (conventional).
pub(crate) const FEW_DIMENSIONS: usize = 4;
/// Least distance θ of neighbours: the rounding over s is 1/θ² as large as over δ.
const NEAREST: f64 = 1e-6;
/// Most numbers of a factor: 240 MB.
pub(crate) const MOST_SPARSE: usize = 30_000_000;
/// Pairs of less curvature, as a part of the penalty, and of a lesser multiplier, as a part of the largest, have no block of
/// their own: they fill in much and matter little (conventional).
const STRONG: [f64; 4] = [1e-3, 1e-2, 3e-2, 0.1];
/// Multiplications for each number of a column of the factor beyond which fewer pairs count as strong (conventional).
const BUDGET: f64 = 5e4;
/// Coefficients of s below this part of the largest are what is left of those that cancel.
const CANCELLED: f64 = 1e-12;

/// A factorisation of H + λI for up to four dimensions of u, with memory kept between points.
#[derive(Debug, Default)]
pub struct SparseNewton {
    arrow: Arrow,
    forms: SampleForms,
    columns: usize,
    /// Rows of u and of V.
    border: usize,
    nodes: Vec<f64>,
    head: Vec<f64>,
    scratch: Vec<f64>,
}

/// The forms over s: indices and coefficients.
#[derive(Debug, Default)]
struct SampleForms {
    start: Vec<usize>,
    entries: Vec<(usize, f64)>,
}

impl SampleForms {
    fn set(&mut self, forms: &LiftedForms, forest: &Forest) {
        let mut value = vec![0.0; forest.parent.len()];
        let mut touched = Vec::new();
        self.start.clear();
        self.entries.clear();
        self.start.push(0);
        for form in 0..forms.len() {
            let (index, coefficient) = forms.tail(form);
            let mut add = |g: usize, c: f64| {
                touched.push(g);
                value[g] += c;
            };
            for (&g, &c) in index.iter().zip(coefficient) {
                match forest.parent[g] {
                    Some((parent, theta)) => {
                        add(g, c / theta);
                        add(parent, -c / theta);
                    }
                    None => add(g, c),
                }
            }
            let largest = touched.iter().fold(0.0, |m: f64, g| m.max(value[*g].abs()));
            for g in touched.drain(..) {
                let c = std::mem::take(&mut value[g]);
                if c.abs() > CANCELLED * largest {
                    self.entries.push((g, c));
                }
            }
            self.start.push(self.entries.len());
        }
    }

    fn of(&self, form: usize) -> &[(usize, f64)] {
        &self.entries[self.start[form]..self.start[form + 1]]
    }
}

impl SparseNewton {
    /// Plans the factorisation at a point with these of the pairs, and gives its multiplications; none where it is not for
    /// this problem.
    pub fn plan(
        &mut self,
        lagrangian: &AugmentedLagrangian<'_>,
        columns: usize,
        work: &Workspace,
        live: &[usize],
    ) -> Option<f64> {
        let (lifting, set) = (lagrangian.lifting, lagrangian.set);
        let too_near = |parent: &Option<(usize, f64)>| parent.is_some_and(|(_, theta)| theta < NEAREST);
        let unfit = lifting.is_priced() || lifting.forest.parent.iter().any(too_near);
        if lifting.hidden_dimension() > FEW_DIMENSIONS || unfit || !set.cuts().is_empty() {
            return None;
        }
        self.forms.set(&set.forms, &lifting.forest);
        let border = (lifting.hidden_dimension() + lifting.outputs) * columns;
        let largest = work.next.iter().fold(0.0, |m: f64, t| m.max(*t));
        let budget = BUDGET * (lifting.groups() * columns) as f64;
        let mut pattern = None;
        for part in STRONG {
            let (steep, heavy) = (part * lagrangian.hinge.penalty, part * largest);
            let strong = |e: &&usize| work.curvature[**e] > steep || work.next[**e] > heavy;
            let edges = self.edges(lagrangian, live.iter().filter(strong));
            pattern = ArrowPattern::new(lifting.groups(), edges, MOST_SPARSE / (columns * columns));
            if pattern.as_ref().is_some_and(|pattern| pattern.work(columns, border) <= budget) {
                break;
            }
        }
        let pattern = pattern.filter(|pattern| pattern.entries(columns, border) <= MOST_SPARSE)?;
        let cost = pattern.work(columns, border);
        (self.columns, self.border) = (columns, border);
        self.arrow.reset(pattern, columns, border);
        Some(cost)
    }

    /// Directions that the equalities, these of the pairs and the forest join.
    fn edges<'a>(
        &self,
        lagrangian: &AugmentedLagrangian<'_>,
        pairs: impl Iterator<Item = &'a usize>,
    ) -> Vec<(usize, usize)> {
        let (lifting, set) = (lagrangian.lifting, lagrangian.set);
        let (mut edges, mut nodes) = (Vec::new(), Vec::new());
        for constraint in set.equalities.iter().chain(pairs.map(|e| &set.pairs[*e])) {
            nodes.clear();
            let forms = constraint.terms().flat_map(|(f, g, _)| [f, g]);
            forms.for_each(|form| nodes.extend(self.forms.of(form).iter().map(|(g, _)| *g)));
            nodes.sort_unstable();
            nodes.dedup();
            for (at, &i) in nodes.iter().enumerate() {
                edges.extend(nodes[at + 1..].iter().map(|j| (i, *j)));
            }
        }
        let parents = lifting.forest.parent.iter().enumerate();
        edges.extend(parents.filter_map(|(g, parent)| parent.map(|(p, _)| (g, p))));
        edges
    }

    /// Factors H + λI as planned, without the blocks that were not; false where that is not positive definite.
    pub fn factorize(
        &mut self,
        lagrangian: &AugmentedLagrangian<'_>,
        factor: &Factor,
        work: &Workspace,
        live: &[usize],
        regularization: f64,
    ) -> bool {
        self.arrow.clear();
        let (lifting, set, r) = (lagrangian.lifting, lagrangian.set, self.columns);
        let (k, groups) = (lifting.hidden_dimension(), lifting.groups());
        let mut sum = Assembly { arrow: &mut self.arrow, groups, columns: r };
        for (g, parent) in lifting.forest.parent.iter().enumerate() {
            match parent {
                Some((p, theta)) => {
                    let weight = regularization / (theta * theta);
                    sum.identity(g, g, weight);
                    sum.identity(*p, *p, weight);
                    sum.identity(g, *p, -weight);
                }
                None => sum.identity(g, g, regularization),
            }
        }
        for (a, decay) in lifting.hidden_decay.iter().enumerate() {
            sum.identity(groups + a, groups + a, decay + regularization);
        }
        for j in 0..lifting.outputs {
            let at = groups + k + j;
            sum.identity(at, at, lifting.output_decay + regularization);
        }
        let mut slots = Slots::default();
        for (constraint, &weight) in set.equalities.iter().zip(&work.equality_weight) {
            let curvature = lagrangian.equality_penalty;
            sum.constraint(&set.forms, &self.forms, constraint, curvature, weight, &work.p, &mut slots);
        }
        for &e in live {
            let (curvature, weight) = (work.curvature[e], -work.next[e]);
            sum.constraint(&set.forms, &self.forms, &set.pairs[e], curvature, weight, &work.p, &mut slots);
        }
        let mut gram = Mat::zeros(r, r);
        for row in factor.v().chunks_exact(r) {
            for m in 0..r {
                axpy(row[m], row, gram.col_as_slice_mut(m));
            }
        }
        for (f, fit) in lifting.fit.iter().enumerate() {
            slots.clear();
            slots.form(&lifting.base, &self.forms, fit.form, groups);
            let residual = &work.residual[f * lifting.outputs..][..lifting.outputs];
            sum.loss(&slots, fit.weight, &work.p[fit.form * r..][..r], residual, factor.v(), k, &gram);
        }
        self.arrow.factorize()
    }

    /// out ≈ (H + λI)⁻¹x, by the last factorisation; both laid out as the factor, `hidden` rows of u first. What was left out only
    /// makes xᵀ·out smaller.
    pub fn apply(&mut self, forest: &Forest, hidden: usize, x: &[f64], out: &mut [f64]) {
        let r = self.columns;
        let groups = forest.parent.len();
        let (u, rest) = x.split_at(hidden * r);
        let (delta, v) = rest.split_at(groups * r);
        self.nodes.clear();
        self.nodes.resize(groups * r, 0.0);
        // δ = Ds, so that the system over s has the right-hand side Dᵀx.
        for (g, parent) in forest.parent.iter().enumerate() {
            let row = &delta[g * r..][..r];
            match parent {
                Some((p, theta)) => {
                    axpy(1.0 / theta, row, &mut self.nodes[g * r..][..r]);
                    axpy(-1.0 / theta, row, &mut self.nodes[p * r..][..r]);
                }
                None => axpy(1.0, row, &mut self.nodes[g * r..][..r]),
            }
        }
        self.head.clear();
        self.head.extend(u.iter().chain(v));
        self.arrow.solve(&mut self.nodes, &mut self.head, &mut self.scratch);
        forest.to_differences(&mut self.nodes, r);
        let (u, rest) = out.split_at_mut(hidden * r);
        let (delta, v) = rest.split_at_mut(groups * r);
        delta.copy_from_slice(&self.nodes);
        u.copy_from_slice(&self.head[..hidden * r]);
        v.copy_from_slice(&self.head[hidden * r..]);
    }
}

/// Coordinates that a form or a constraint has a part in, nodes before rows of the border, with coefficients or rows of r
/// numbers.
#[derive(Default)]
struct Slots {
    coordinates: Vec<(usize, f64)>,
    places: Vec<usize>,
    rows: Vec<f64>,
}

impl Slots {
    fn clear(&mut self) {
        self.coordinates.clear();
        self.places.clear();
        self.rows.clear();
    }

    /// The coefficients of a form.
    fn form(&mut self, forms: &LiftedForms, samples: &SampleForms, form: usize, groups: usize) {
        self.coordinates.extend_from_slice(samples.of(form));
        let hidden = forms.dense(form).iter().enumerate().filter(|(_, x)| **x != 0.0);
        self.coordinates.extend(hidden.map(|(a, x)| (groups + a, *x)));
    }
}

/// What the entries of the matrix are added to.
///
/// Where the pattern has no block for two nodes, both diagonals are raised by what makes the matrix no smaller: it is positive
/// definite where H + λI is.
struct Assembly<'a> {
    arrow: &'a mut Arrow,
    groups: usize,
    columns: usize,
}

impl Assembly<'_> {
    /// value · I in the block of two coordinates.
    fn identity(&mut self, a: usize, b: usize, value: f64) {
        let r = self.columns;
        let (a, b) = (a.min(b), a.max(b));
        match (a.checked_sub(self.groups), b.checked_sub(self.groups)) {
            (None, None) => {
                if let Some((block, _)) = self.arrow.block(a, b) {
                    (0..r).for_each(|l| block[l * r + l] += value);
                } else {
                    self.identity(a, a, value.abs());
                    self.identity(b, b, value.abs());
                }
            }
            (None, Some(head)) => {
                let side = self.arrow.side(a);
                (0..r).for_each(|l| side[(head * r + l) * r + l] += value);
            }
            (Some(low), Some(high)) => {
                (0..r).for_each(|l| self.arrow.corner()[(high * r + l, low * r + l)] += value);
            }
            (Some(_), None) => {}
        }
    }

    /// weight · x yᵀ in the block of two coordinates, x the rows of the first.
    fn outer(&mut self, (a, x): (usize, &[f64]), (b, y): (usize, &[f64]), weight: f64) {
        let r = self.columns;
        let ((a, x), (b, y)) = if a <= b { ((a, x), (b, y)) } else { ((b, y), (a, x)) };
        match (a.checked_sub(self.groups), b.checked_sub(self.groups)) {
            (None, None) => {
                let Some((block, turned)) = self.arrow.block(a, b) else {
                    // (x, −y)(x, −y)ᵀ more.
                    self.outer((a, x), (a, x), weight);
                    self.outer((b, y), (b, y), weight);
                    return;
                };
                let (rows, columns) = if turned { (y, x) } else { (x, y) };
                for (row, value) in block.chunks_exact_mut(r).zip(rows) {
                    axpy(weight * value, columns, row);
                }
            }
            (None, Some(head)) => {
                let side = &mut self.arrow.side(a)[head * r * r..][..r * r];
                for (row, value) in side.chunks_exact_mut(r).zip(y) {
                    axpy(weight * value, x, row);
                }
            }
            (Some(low), Some(high)) => {
                for (m, value) in x.iter().enumerate() {
                    let column = self.arrow.corner().col_as_slice_mut(low * r + m);
                    axpy(weight * value, y, &mut column[high * r..][..r]);
                }
            }
            (Some(_), None) => {}
        }
    }

    /// One constraint: curvature · g gᵀ, and weight times its second derivative.
    #[expect(clippy::too_many_arguments, reason = "a constraint in its parts")]
    fn constraint(
        &mut self,
        forms: &LiftedForms,
        samples: &SampleForms,
        constraint: &Constraint,
        curvature: f64,
        weight: f64,
        p: &[f64],
        slots: &mut Slots,
    ) {
        let (r, groups) = (self.columns, self.groups);
        slots.clear();
        for (f, g, sign) in constraint.terms() {
            slots.coordinates.clear();
            slots.form(forms, samples, f, groups);
            let first = slots.coordinates.len();
            slots.form(forms, samples, g, groups);
            for (at, &(a, x)) in slots.coordinates.iter().enumerate() {
                let other = if at < first { g } else { f };
                let place = slots.places.iter().position(|place| *place == a).unwrap_or_else(|| {
                    slots.places.push(a);
                    slots.rows.resize(slots.places.len() * r, 0.0);
                    slots.places.len() - 1
                });
                axpy(sign * x, &p[other * r..][..r], &mut slots.rows[place * r..][..r]);
                for &(b, y) in slots.coordinates[first..].iter().filter(|_| at < first && weight != 0.0) {
                    self.identity(a, b, weight * sign * x * y * if a == b { 2.0 } else { 1.0 });
                }
            }
        }
        if curvature == 0.0 {
            return;
        }
        for (i, &a) in slots.places.iter().enumerate() {
            for (j, &b) in slots.places.iter().enumerate().skip(i) {
                self.outer((a, &slots.rows[i * r..][..r]), (b, &slots.rows[j * r..][..r]), curvature);
            }
        }
    }

    /// One row of the loss, with V as a variable.
    #[expect(clippy::too_many_arguments, reason = "a row of the loss in its parts")]
    fn loss(
        &mut self,
        slots: &Slots,
        weight: f64,
        p: &[f64],
        residual: &[f64],
        v: &[f64],
        hidden: usize,
        gram: &Mat<f64>,
    ) {
        let (r, square) = (self.columns, weight * weight);
        let mut unit = vec![0.0; r];
        for (at, &(a, x)) in slots.coordinates.iter().enumerate() {
            for &(b, y) in &slots.coordinates[at..] {
                for m in 0..r {
                    unit[m] = 1.0;
                    self.outer((a, &unit), (b, gram.col_as_slice(m)), square * x * y);
                    unit[m] = 0.0;
                }
            }
            for (j, residual) in residual.iter().enumerate() {
                let output = self.groups + hidden + j;
                self.outer((a, &v[j * r..][..r]), (output, p), square * x);
                self.identity(a, output, weight * x * residual);
            }
        }
        for j in 0..residual.len() {
            let output = self.groups + hidden + j;
            self.outer((output, p), (output, p), square);
        }
    }
}
