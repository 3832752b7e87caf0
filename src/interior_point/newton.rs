//! One predictor-corrector iteration (HKM direction; Mehrotra 1992, Todd, Toh and Tütüncü 1998).

use super::dense;
use super::operator::Operator;
use super::point::{Point, Residuals, scaled_largest};
use super::schur::Schur;
use faer::{Mat, MatRef, Par};

/// A Newton direction.
struct Direction {
    primal: Mat<f64>,
    slack: Mat<f64>,
    dual: Vec<f64>,
    products: Vec<f64>,
}

/// What one iteration did.
pub(super) struct Step {
    pub primal: f64,
    pub dual: f64,
}

/// Why an iteration could not be made.
#[derive(Debug)]
pub(super) struct Breakdown;

/// What stays the same from one iteration to the next.
pub(super) struct Frame<'a> {
    pub operator: &'a Operator<'a>,
    /// C.
    pub cost: &'a Mat<f64>,
    /// Natural size of the diagonal of S.
    pub scale: &'a [f64],
    /// Relative accuracy of the run.
    pub tolerance: f64,
    pub par: Par,
}

/// Everything of one iteration that both of its solves share.
struct System<'a> {
    operator: &'a Operator<'a>,
    point: &'a Point,
    residuals: &'a Residuals,
    inverse: Mat<f64>,
    schur: &'a Schur,
    ratio: Vec<f64>,
    /// Relative residual of a solve.
    accuracy: f64,
    par: Par,
}

impl System<'_> {
    /// sym(Λ D S⁻¹).
    fn scaled(&self, d: MatRef<'_, f64>) -> Mat<f64> {
        let left = dense::product(self.point.primal.as_ref(), d, self.par);
        let mut out = dense::product(left.as_ref(), self.inverse.as_ref(), self.par);
        dense::symmetrize(&mut out);
        out
    }

    /// M·y, through the matrices rather than the entries: what the update will really do.
    fn multiply(&self, y: &[f64]) -> Vec<f64> {
        let x = self.scaled(self.operator.adjoint(y).as_ref());
        let mut out = self.operator.apply(self.operator.times_forms(x.as_ref()).as_ref());
        for (k, (out, y)) in out.iter_mut().zip(y).enumerate() {
            if k < self.operator.fits {
                *out += y;
            } else if k >= self.operator.free {
                *out += self.ratio[k - self.operator.free] * y;
            }
        }
        out
    }

    /// The direction towards complementarity `target`, with second-order terms of an earlier direction.
    fn direction(&self, target: f64, corrector: Option<&Direction>) -> Direction {
        let (operator, point) = (self.operator, self.point);
        let mut base = &self.inverse * faer::Scale(target) - &point.primal;
        base -= self.scaled(self.residuals.dual.as_ref());
        if let Some(d) = corrector {
            let cross = dense::product(d.primal.as_ref(), d.slack.as_ref(), self.par);
            let mut second = dense::product(cross.as_ref(), self.inverse.as_ref(), self.par);
            dense::symmetrize(&mut second);
            base -= second;
        }
        let free = operator.free;
        let drift: Vec<f64> = (0..point.products.len())
            .map(|e| {
                let second = corrector.map_or(0.0, |d| d.dual[free + e] * d.products[e]);
                (target - second) / point.dual[free + e] - point.products[e]
            })
            .collect();
        let image = operator.apply(operator.times_forms(base.as_ref()).as_ref());
        let mut right: Vec<f64> = self.residuals.primal.iter().zip(&image).map(|(r, a)| r - a).collect();
        for (right, drift) in right[free..].iter_mut().zip(&drift) {
            *right += drift;
        }
        let dual = self.solve(&right);
        let change = operator.adjoint(&dual);
        let slack = &self.residuals.dual - &change;
        let primal = base + self.scaled(change.as_ref());
        let products = (0..drift.len()).map(|e| drift[e] - self.ratio[e] * dual[free + e]).collect();
        Direction { primal, slack, dual, products }
    }

    /// M⁻¹ b by preconditioned conjugate gradients: the factor is M's own, so this is iterative refinement.
    fn solve(&self, b: &[f64]) -> Vec<f64> {
        let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let goal = self.accuracy * norm(b);
        let mut x = vec![0.0; b.len()];
        let mut r = b.to_vec();
        let (mut best, mut best_norm) = (x.clone(), f64::INFINITY);
        let mut p: Vec<f64> = Vec::new();
        let mut rz = 0.0;
        for round in 0..REFINEMENTS {
            let z = self.schur.solve(&r, self.par);
            let next = dot(&r, &z);
            if round == 0 {
                p = z;
            } else {
                let beta = next / rz;
                p.iter_mut().zip(&z).for_each(|(p, z)| *p = z + beta * *p);
            }
            rz = next;
            let mp = self.multiply(&p);
            let alpha = rz / dot(&p, &mp);
            if !(alpha.is_finite() && alpha > 0.0) {
                if round == 0 {
                    return p;
                }
                break;
            }
            x.iter_mut().zip(&p).for_each(|(x, p)| *x += alpha * p);
            r.iter_mut().zip(&mp).for_each(|(r, mp)| *r -= alpha * mp);
            let size = norm(&r);
            if size < best_norm {
                best_norm = size;
                best.copy_from_slice(&x);
            }
            if size <= goal {
                break;
            }
        }
        best
    }
}

/// Relative residual of a solve, as a part of the run's tolerance.
const REFINED: f64 = 1e-5;
/// Most steps of refinement of one solve.
const REFINEMENTS: usize = 15;
/// Fraction of the way to the boundary after a full predictor step.
const FRACTION: f64 = 0.98;
/// Fraction of the way to the boundary after a predictor step of length zero (both conventional).
const SHORT_FRACTION: f64 = 0.9;

/// Moves the point by one predictor-corrector step.
pub(super) fn iterate(
    frame: &Frame<'_>,
    point: &mut Point,
    residuals: &Residuals,
    times_forms: &Mat<f64>,
    schur: &mut Schur,
) -> Result<Step, Breakdown> {
    let Frame { operator, cost, scale, tolerance, par } = *frame;
    let free = operator.free;
    let slack_factor = dense::factor(point.slack.as_ref(), par).ok_or(Breakdown)?;
    let primal_factor = dense::factor(point.primal.as_ref(), par).ok_or(Breakdown)?;
    let slack_inverse_factor = dense::inverse_lower(slack_factor.as_ref(), par);
    let primal_inverse_factor = dense::inverse_lower(primal_factor.as_ref(), par);
    let inverse = dense::product(slack_inverse_factor.transpose(), slack_inverse_factor.as_ref(), par);
    let ratio: Vec<f64> = point.products.iter().zip(&point.dual[free..]).map(|(k, n)| k / n).collect();
    let mut diagonal = vec![0.0; operator.rows()];
    diagonal[..operator.fits].fill(1.0);
    diagonal[free..].copy_from_slice(&ratio);
    let inverse_forms = operator.times_forms(inverse.as_ref());
    if !schur.factor(operator, times_forms.as_ref(), inverse_forms.as_ref(), &diagonal, par) {
        return Err(Breakdown);
    }
    let accuracy = (REFINED * tolerance).max(1e-13);
    let system = System { operator, point, residuals, inverse, schur, ratio, accuracy, par };
    let lengths = |d: &Direction| {
        let primal = to_boundary(primal_inverse_factor.as_ref(), d.primal.as_ref(), par)
            .min(to_bound(&point.products, &d.products));
        let dual = to_boundary(slack_inverse_factor.as_ref(), d.slack.as_ref(), par)
            .min(to_bound(&point.dual[free..], &d.dual[free..]));
        (primal, dual)
    };
    let predictor = system.direction(0.0, None);
    let (ap, ad) = lengths(&predictor);
    let (ap, ad) = (ap.min(1.0), ad.min(1.0));
    let mut after = dense::inner(
        (&point.primal + &predictor.primal * faer::Scale(ap)).as_ref(),
        (&point.slack + &predictor.slack * faer::Scale(ad)).as_ref(),
    );
    for e in 0..point.products.len() {
        after += (point.products[e] + ap * predictor.products[e])
            * (point.dual[free + e] + ad * predictor.dual[free + e]);
    }
    let after = after / (operator.order() + point.products.len()) as f64;
    let shortest = ap.min(ad);
    let power = if shortest > 0.6 { 3 } else { 2 };
    let mut sigma = (after / residuals.mu).max(0.0).powi(power).clamp(1e-6, 1.0);
    if shortest < 0.1 {
        sigma = sigma.max(0.3);
    }
    // What the predictor could not do, the corrector should not try either.
    let sigma = sigma.max((1.0 - shortest).powi(3));
    let direction = system.direction(sigma * residuals.mu, Some(&predictor));
    let (ap, ad) = lengths(&direction);
    // A short predictor step tells of poor centrality: stay further from the boundary then.
    let fraction = SHORT_FRACTION + (FRACTION - SHORT_FRACTION) * shortest;
    let (mut ap, mut ad) = ((fraction * ap).min(1.0), (fraction * ad).min(1.0));
    if !(ap.is_finite() && ad.is_finite()) {
        return Err(Breakdown);
    }

    let primal = advance(&point.primal, &direction.primal, &mut ap, par).ok_or(Breakdown)?;
    let slack = advance(&point.slack, &direction.slack, &mut ad, par).ok_or(Breakdown)?;
    point.primal = primal;
    point.slack = slack;
    point.products.iter_mut().zip(&direction.products).for_each(|(k, d)| *k += ap * d);
    point.dual.iter_mut().zip(&direction.dual).for_each(|(y, d)| *y += ad * d);
    // Once the dual residual is down to rounding the slack is recomputed, so that rounding cannot accumulate in it.
    let mut exact = cost - operator.adjoint(&point.dual);
    if scaled_largest(&(&exact - &point.slack), scale) <= 1e-11 {
        dense::symmetrize(&mut exact);
        if dense::factor(exact.as_ref(), par).is_some() {
            point.slack = exact;
        }
    }
    Ok(Step { primal: ap, dual: ad })
}

/// X + αD, with α cut back should rounding leave the cone.
fn advance(x: &Mat<f64>, d: &Mat<f64>, step: &mut f64, par: Par) -> Option<Mat<f64>> {
    for _ in 0..20 {
        let mut next = x + d * faer::Scale(*step);
        dense::symmetrize(&mut next);
        if dense::factor(next.as_ref(), par).is_some() {
            return Some(next);
        }
        *step *= 0.8;
    }
    None
}

/// Largest α with X + αD ⪰ 0, for X = LLᵀ and L⁻¹ given.
fn to_boundary(inverse_factor: MatRef<'_, f64>, d: MatRef<'_, f64>, par: Par) -> f64 {
    let left = dense::product(inverse_factor, d, par);
    let mut scaled = dense::product(left.as_ref(), inverse_factor.transpose(), par);
    dense::symmetrize(&mut scaled);
    match dense::eigenvalues(scaled.as_ref(), par) {
        Some(values) if values[0] < 0.0 => -values[0].recip(),
        Some(_) => f64::INFINITY,
        None => f64::NAN,
    }
}

/// Largest α with x + αd ≥ 0.
fn to_bound(x: &[f64], d: &[f64]) -> f64 {
    x.iter().zip(d).filter(|(_, d)| **d < 0.0).map(|(x, d)| -x / d).fold(f64::INFINITY, f64::min)
}
