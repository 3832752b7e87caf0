//! The iterate, its residuals, and where it starts.

use super::dense;
use super::operator::Operator;
use crate::lifting::Lifting;
use faer::{Mat, Par};
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
    /// Largest entry of the dual residual, against the largest of C.
    pub dual_infeasibility: f64,
}

/// C: half the weight decay of u and v.
pub(super) fn cost(lifting: &Lifting) -> Mat<f64> {
    let mut c = Mat::zeros(lifting.order() + lifting.outputs, lifting.order() + lifting.outputs);
    for (a, decay) in lifting.head_decay.iter().enumerate() {
        c[(a, a)] = 0.5 * decay;
    }
    for j in lifting.order()..c.nrows() {
        c[(j, j)] = 0.5 * lifting.output_decay;
    }
    c
}

impl Residuals {
    /// Evaluates the point; `times_forms` is ΛFᵀ.
    pub fn new(
        lifting: &Lifting,
        operator: &Operator<'_>,
        cost: &Mat<f64>,
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
            dual_infeasibility: dense::largest(dual.as_ref()) / dense::largest(cost.as_ref()),
            primal,
            dual,
            value,
            dual_value: linear,
            mu,
        }
    }
}

/// The second moment of random neurons with every s at its true |Xu|, thickened by the identity: it satisfies all
/// constraints strictly but the equalities, and those exactly before the thickening.
pub(super) fn start(lifting: &Lifting, operator: &Operator<'_>, cost: &Mat<f64>, par: Par) -> Point {
    let q = operator.order();
    let (head, groups) = (lifting.head(), lifting.groups());
    let env = |k: &str, d: f64| std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let neurons = 8 * q;
    let mut generator = Pcg64::seed_from_u64(0);
    let mut sample = vec![0.0; q * neurons];
    let mut s = vec![0.0; groups];
    for column in sample.chunks_exact_mut(q) {
        column.iter_mut().for_each(|v| *v = StandardNormal.sample(&mut generator));
        let (u, rest) = column.split_at_mut(head);
        for g in 0..groups {
            s[g] = lifting.geometry.direction(g).iter().zip(&*u).map(|(a, b)| a * b).sum::<f64>().abs();
        }
        lifting.forest.to_differences(&mut s, 1);
        rest[..groups].copy_from_slice(&s);
    }
    let factor = faer::MatRef::from_column_major_slice(&sample, q, neurons);
    let size = env("XI", 1.0);
    let mut primal = dense::product(factor, factor.transpose(), par);
    let (thick, mom) = (env("THICK", 0.1), env("MOM", 1.0));
    for j in 0..q {
        for i in 0..q {
            primal[(i, j)] *= size * mom / neurons as f64;
        }
        primal[(j, j)] += size * thick;
    }
    dense::symmetrize(&mut primal);
    let eta = env("ETA", 1.0) * dense::largest(cost.as_ref()).max(env("ETAMIN", 0.01));
    let slack = if env("CENT", 0.0) > 0.0 {
        let l = dense::factor(primal.as_ref(), par).unwrap();
        let li = dense::inverse_lower(l.as_ref(), par);
        let mut s = dense::product(li.transpose(), li.as_ref(), par);
        s *= faer::Scale(eta * size);
        s
    } else {
        Mat::from_fn(q, q, |i, j| if i == j { eta } else { 0.0 })
    };
    let image = operator.apply(operator.times_forms(primal.as_ref()).as_ref());
    let floor = env("KFLOOR", 0.1) * size;
    let products: Vec<f64> = image[operator.free..].iter().map(|k| k.max(floor)).collect();
    let mut dual = vec![0.0; operator.rows()];
    for (n, k) in dual[operator.free..].iter_mut().zip(&products) {
        *n = eta * size / k;
    }
    Point { primal, slack, dual, products }
}
