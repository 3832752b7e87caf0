//! The augmented Lagrangian of the factor: value and gradient.
//!
//! L(R, V) = ½Σ‖w_f p_f Vᵀ − t_f‖² + ½tr(UᵀΓU) + (g/2)‖V‖² − λᵀη + (σ_η/2)‖η‖² + Σ_e ψ(κ_e)
//! with equalities η, pair products κ and the (smoothed) hinge ψ of [`Hinge`]. V stays a variable: its block
//! is small, and the loss is then a polynomial whose Hessian is exact. `docs/mathematics.md`, section 4.

use super::Factor;
use crate::linalg::vector::{axpy, dot};
use crate::relaxation::{Constraint, Lifting, PairSet};

/// ψ(κ) = min over slack t > 0 of −μ log t − N(κ − t) + (σ/2)(κ − t)²; for μ = 0 the squared hinge
/// ((N − σκ)₊² − N²)/2σ of the classical augmented Lagrangian.
#[derive(Clone, Copy, Debug)]
pub struct Hinge {
    /// σ.
    pub penalty: f64,
    /// μ.
    pub smoothing: f64,
}

impl Hinge {
    /// ψ, the new multiplier −ψ′ ≥ 0 and the curvature ψ″ at κ for the multiplier N.
    #[inline]
    pub fn at(&self, kappa: f64, multiplier: f64) -> (f64, f64, f64) {
        let (sigma, mu) = (self.penalty, self.smoothing);
        let t = multiplier - sigma * kappa;
        if mu == 0.0 {
            let next = t.max(0.0);
            let value = (next * next - multiplier * multiplier) / (2.0 * sigma);
            return (value, next, if t > 0.0 { sigma } else { 0.0 });
        }
        let root = (t * t + 4.0 * sigma * mu).sqrt();
        let next = if t > 0.0 { 0.5 * (t + root) } else { 2.0 * sigma * mu / (root - t) };
        let slack = mu / next;
        let miss = kappa - slack;
        let value = -mu * slack.ln() - multiplier * miss + 0.5 * sigma * miss * miss;
        (value, next, sigma * next / root)
    }
}

/// The function that one level of the solver minimises.
#[derive(Clone, Copy, Debug)]
pub struct AugmentedLagrangian<'a> {
    /// The lifted problem.
    pub lifting: &'a Lifting,
    /// Constraints and their multipliers.
    pub set: &'a PairSet,
    /// σ_η, the penalty of the equalities.
    pub equality_penalty: f64,
    /// ψ for the pairs.
    pub hinge: Hinge,
}

/// Everything that value, gradient and Hessian share at one point; reused between points.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    /// Forms at the factor, row-major.
    pub p: Vec<f64>,
    /// w_f p_f Vᵀ − t_f, row-major.
    pub residual: Vec<f64>,
    /// η.
    pub equality: Vec<f64>,
    /// −λ + σ_η η, the weight of each equality in the gradient.
    pub equality_weight: Vec<f64>,
    /// κ.
    pub product: Vec<f64>,
    /// Next multipliers of the pairs.
    pub next: Vec<f64>,
    /// ψ″.
    pub curvature: Vec<f64>,
    /// Loss plus weight decay, without the penalty terms.
    pub objective: f64,
    dp: Vec<f64>,
}

impl<'a> AugmentedLagrangian<'a> {
    /// The value at a factor; fills the workspace.
    pub fn value(&self, factor: &Factor, work: &mut Workspace) -> f64 {
        let (lifting, set, r) = (self.lifting, self.set, factor.columns);
        let c = lifting.outputs;
        work.p.resize(set.forms.len() * r, 0.0);
        set.forms.evaluate(factor.r(), r, &mut work.p);
        work.residual.resize(lifting.fit.len() * c, 0.0);
        let v = factor.v();
        let mut loss = 0.0;
        for ((f, fit), out) in lifting.fit.iter().enumerate().zip(work.residual.chunks_exact_mut(c)) {
            let p = &work.p[fit.form * r..][..r];
            for (j, o) in out.iter_mut().enumerate() {
                *o = fit.weight * dot(p, &v[j * r..][..r]) - lifting.fit_targets[f * c + j];
                loss += *o * *o;
            }
        }
        let mut decay = lifting.output_decay * dot(v, v);
        for (a, gamma) in lifting.hidden_decay.iter().enumerate() {
            let row = &factor.r()[a * r..][..r];
            decay += gamma * dot(row, row);
        }
        decay += lifting.coupling_form(factor.r(), v, r);
        work.objective = 0.5 * (loss + decay);

        let mut value = work.objective;
        work.equality.clear();
        work.equality_weight.clear();
        for (constraint, lambda) in set.equalities.iter().zip(&set.equality_multipliers) {
            let eta = product(constraint, &work.p, r);
            value += eta * (0.5 * self.equality_penalty * eta - lambda);
            work.equality.push(eta);
            work.equality_weight.push(self.equality_penalty * eta - lambda);
        }
        work.product.clear();
        work.next.clear();
        work.curvature.clear();
        for (constraint, &multiplier) in set.pairs.iter().zip(&set.multipliers) {
            let kappa = product(constraint, &work.p, r);
            let (psi, next, curvature) = self.hinge.at(kappa, multiplier);
            value += psi;
            work.product.push(kappa);
            work.next.push(next);
            work.curvature.push(curvature);
        }
        value
    }

    /// The gradient at the point that [`AugmentedLagrangian::value`] was last called for.
    pub fn gradient(&self, factor: &Factor, work: &mut Workspace, gradient: &mut Vec<f64>) {
        let (lifting, set, r) = (self.lifting, self.set, factor.columns);
        let c = lifting.outputs;
        work.dp.clear();
        work.dp.resize(work.p.len(), 0.0);
        gradient.clear();
        gradient.resize(factor.values.len(), 0.0);
        let (dr, dv) = gradient.split_at_mut(factor.order * r);
        let v = factor.v();
        for (f, fit) in lifting.fit.iter().enumerate() {
            for j in 0..c {
                let e = fit.weight * work.residual[f * c + j];
                axpy(e, &v[j * r..][..r], &mut work.dp[fit.form * r..][..r]);
                axpy(e, &work.p[fit.form * r..][..r], &mut dv[j * r..][..r]);
            }
        }
        axpy(lifting.output_decay, v, dv);
        for (constraint, &weight) in set.equalities.iter().zip(&work.equality_weight) {
            scatter(constraint, weight, &work.p, &mut work.dp, r);
        }
        for (constraint, &next) in set.pairs.iter().zip(&work.next) {
            if next > 0.0 {
                scatter(constraint, -next, &work.p, &mut work.dp, r);
            }
        }
        set.forms.accumulate_adjoint(&mut work.dp, r, dr);
        for (a, gamma) in lifting.hidden_decay.iter().enumerate() {
            axpy(*gamma, &factor.r()[a * r..][..r], &mut dr[a * r..][..r]);
        }
        lifting.add_coupling(factor.r(), v, r, dr, dv);
    }
}

/// Value of a constraint at the forms' rows.
#[inline]
fn product(constraint: &Constraint, p: &[f64], r: usize) -> f64 {
    constraint.terms().map(|(a, b, sign)| sign * dot(&p[a * r..][..r], &p[b * r..][..r])).sum()
}

/// Adds weight times a constraint's derivative to the rows of dp.
#[inline]
fn scatter(constraint: &Constraint, weight: f64, p: &[f64], dp: &mut [f64], r: usize) {
    for (a, b, sign) in constraint.terms() {
        axpy(weight * sign, &p[b * r..][..r], &mut dp[a * r..][..r]);
        axpy(weight * sign, &p[a * r..][..r], &mut dp[b * r..][..r]);
    }
}
