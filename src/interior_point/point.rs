//! The iterate, its residuals, and where it starts.

use super::dense;
use super::operator::Operator;
use crate::relaxation::Lifting;
use faer::{Mat, MatRef, Par, Scale};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

/// A primal-dual point, strictly inside its cones.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// Λ, q × q, positive definite.
    pub primal: Mat<f64>,
    /// S, q × q, positive definite.
    pub slack: Mat<f64>,
    /// Multipliers: residual of the loss, equalities, pairs (the last positive).
    pub dual: Vec<f64>,
    /// Values of the pairs, positive.
    pub products: Vec<f64>,
}

/// What an iterate still lacks.
pub(super) struct Residuals {
    /// b − A(Λ) − (w, 0, −κ).
    pub primal: Vec<f64>,
    /// C − A*(y) − S.
    pub dual: Mat<f64>,
    /// Objective at Λ, without the constant.
    pub value: f64,
    /// Dual objective, without the constant.
    pub dual_value: f64,
    /// Mean complementarity.
    pub mu: f64,
    /// Largest violation of an equality or a pair, against 1 + the mean square of a form.
    pub primal_infeasibility: f64,
    /// Largest entry of the dual residual, in units of the natural size of S.
    pub dual_infeasibility: f64,
}

/// C: half the weight decay of u and v.
pub(super) fn cost(lifting: &Lifting) -> Mat<f64> {
    let mut c = Mat::zeros(lifting.order() + lifting.outputs, lifting.order() + lifting.outputs);
    for (a, decay) in lifting.hidden_decay.iter().enumerate() {
        c[(a, a)] = 0.5 * decay;
    }
    for j in lifting.order()..c.nrows() {
        c[(j, j)] = 0.5 * lifting.output_decay;
    }
    c
}

/// Natural size of the diagonal of S: C where it is not small. Weak directions of X have a large weight decay
/// each, and u is as much smaller there.
pub(super) fn slack_scale(lifting: &Lifting, cost: &Mat<f64>) -> Vec<f64> {
    let weakest = lifting.hidden_decay.iter().copied().fold(f64::INFINITY, f64::min);
    let floor = 0.5 * weakest.max(lifting.output_decay);
    (0..cost.nrows()).map(|i| cost[(i, i)].max(floor)).collect()
}

/// Largest entry of a symmetric matrix of the dimensions of S, in units of its natural size.
pub(super) fn scaled_largest(matrix: &Mat<f64>, scale: &[f64]) -> f64 {
    let mut largest = 0.0_f64;
    for (j, column) in matrix.col_iter().enumerate() {
        for (value, s) in column.iter().zip(scale) {
            largest = largest.max(value.abs() / (s * scale[j]).sqrt());
        }
    }
    largest
}

impl Residuals {
    /// Evaluates the point; `times_forms` is ΛFᵀ.
    pub fn new(
        lifting: &Lifting,
        operator: &Operator<'_>,
        cost: &Mat<f64>,
        scale: &[f64],
        point: &Point,
        times_forms: &Mat<f64>,
    ) -> Self {
        let (fits, free) = (operator.fits, operator.free);
        let image = operator.apply(times_forms.as_ref());
        let mut primal: Vec<f64> = image.iter().map(|v| -v).collect();
        for (k, residual) in primal.iter_mut().enumerate() {
            if k < fits {
                *residual += lifting.fit_targets[k] - point.dual[k];
            } else if k >= free {
                *residual += point.products[k - free];
            }
        }
        let mut dual = cost - operator.adjoint(&point.dual);
        dual -= &point.slack;
        let targets = &lifting.fit_targets;
        let loss: f64 = image[..fits].iter().zip(targets).map(|(z, t)| (z - t) * (z - t)).sum();
        let linear: f64 = point.dual[..fits].iter().zip(targets).map(|(w, t)| w * t - 0.5 * w * w).sum();
        let pairs: f64 = point.dual[free..].iter().zip(&point.products).map(|(n, k)| n * k).sum();
        let value = 0.5 * loss + dense::inner(cost.as_ref(), point.primal.as_ref());
        let mu = (dense::inner(point.primal.as_ref(), point.slack.as_ref()) + pairs)
            / (operator.order() + point.products.len()) as f64;
        let worst = image[fits..free]
            .iter()
            .map(|h| h.abs())
            .chain(image[free..].iter().map(|k| (-k).max(0.0)))
            .fold(0.0, f64::max);
        let groups = lifting.groups();
        let square: f64 = (0..2 * groups).map(|f| operator.square(f, times_forms.as_ref())).sum();
        Self {
            primal_infeasibility: worst / (1.0 + square / (2 * groups) as f64),
            dual_infeasibility: scaled_largest(&dual, scale),
            primal,
            dual,
            value,
            dual_value: linear,
            mu,
        }
    }
}

/// Neurons of the start, for each row of Λ.
const NEURONS: usize = 8;
/// Identity added to their second moment.
const THICKENING: f64 = 0.1;
/// Least value of a pair at the start.
const FLOOR: f64 = 0.1;

/// A start well inside the cones: the second moment of random neurons, thickened by the identity.
///
/// Neurons satisfy all constraints, so Λ starts near feasible; every s is their true |Xu|, and v is independent
/// of u. S starts at a multiple of the identity, with multipliers that give the pairs the same complementarity.
pub(super) fn start(lifting: &Lifting, operator: &Operator<'_>, scale: &[f64], par: Par) -> Point {
    let q = operator.order();
    let (hidden, groups) = (lifting.hidden_dimension(), lifting.groups());
    let neurons = NEURONS * q;
    let mu = scale[hidden..].iter().copied().fold(f64::INFINITY, f64::min);
    let weight: Vec<f64> = scale.iter().map(|s| mu / s).collect();
    let mut generator = Pcg64::seed_from_u64(0);
    let mut sample = vec![0.0; q * neurons];
    let mut s = vec![0.0; groups];
    for column in sample.chunks_exact_mut(q) {
        column.iter_mut().for_each(|v| *v = StandardNormal.sample(&mut generator));
        let (u, rest) = column.split_at_mut(hidden);
        u.iter_mut().zip(&weight).for_each(|(u, weight)| *u *= weight.sqrt());
        for (g, s) in s.iter_mut().enumerate() {
            *s = lifting.geometry.direction(g).iter().zip(&*u).map(|(a, b)| a * b).sum::<f64>().abs();
        }
        lifting.forest.to_differences(&mut s, 1);
        rest[..groups].copy_from_slice(&s);
    }
    let factor = MatRef::from_column_major_slice(&sample, q, neurons);
    let mut primal = dense::product(factor, factor.transpose(), par) * Scale(1.0 / neurons as f64);
    for j in 0..q {
        primal[(j, j)] += THICKENING * weight[j];
    }
    dense::symmetrize(&mut primal);
    let slack = Mat::from_fn(q, q, |i, j| if i == j { scale[i] } else { 0.0 });
    let image = operator.apply(operator.times_forms(primal.as_ref()).as_ref());
    let products: Vec<f64> = image[operator.free..].iter().map(|k| k.max(FLOOR)).collect();
    let mut dual = vec![0.0; operator.rows()];
    for (multiplier, product) in dual[operator.free..].iter_mut().zip(&products) {
        *multiplier = mu / product;
    }
    Point { primal, slack, dual, products }
}
