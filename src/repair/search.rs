//! From any dual point to one that is feasible up to rounding: shifts η of y and a damping τ.

use super::iterative;
use super::settings::RepairSettings;
use super::shift::Shifter;
use crate::certificate::positive::is_cheaper;
use crate::control::Control;
use crate::dual::{DualPoint, Slack};
use crate::error::Result;
use crate::linalg::lanczos::{LanczosSettings, smallest_eigenpairs};
use crate::problem::{HeadDecay, TrainingProblem};
use faer::Mat;

/// Where the best damping τ is below this, every profile of shifts is tried (conventional, as are those that follow).
const POOR: f64 = 0.5;
/// Powers of ten of a profile that are tried: the least, the first and the greatest.
const LEAST: f64 = -12.0;
const LIKELY: f64 = -4.0;
const GREATEST: f64 = 30.0;
/// A rise of the least eigenvalue by less than this part of it counts as none.
const LITTLE: f64 = 0.05;
/// Golden sections of a line.
const SECTIONS: usize = 6;

/// A repaired dual point: feasible as far as floating point can tell. An estimate, not a proof.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Repaired {
    /// (tW, τ(y − 2η), τN).
    pub dual: DualPoint,
    /// τ in (0, 1]; 1 means that nothing was lost to infeasibility. 0 where only W = 0 was found.
    pub tau: f64,
    /// t⟨W, Y⟩ − (t²/2)‖W‖², the bound if the repaired point is feasible.
    pub estimated_bound: f64,
}

/// Finds η ≥ 0 and τ such that τ[q + Σ η_i(s_i² − (x_iᵀu)²)] + (1 − τ)γ|u|² ⪰ 0, with t ≤ √τ the best scale of W.
///
/// s_i² = (x_iᵀu)² on every neuron, so the η term only moves y. Errors if the point is malformed; a point
/// that cannot be repaired comes back as the zero point, whose bound is 0.
///
/// Up to some 2,500 samples, and with cuts, dense in the samples if there are pairs: n² doubles and several Cholesky
/// factorisations of order n. Beyond, linear in the pairs: conjugate gradients and a bundle method. When `control` says so the search ends, within its grace, with the best shift so far; without one that is the zero point.
pub fn repair(
    problem: &TrainingProblem,
    dual: &DualPoint,
    settings: &RepairSettings,
    control: &Control,
) -> Result<Repaired> {
    Ok(ShiftSearch::until(problem, None, dual, settings, control)?.finish(problem, settings.margin, 0.0))
}

/// [`repair`] where (u, v) has this weight decay in the place of γ: then t = τ, because v cannot be scaled alone.
pub(crate) fn repair_priced(
    problem: &TrainingProblem,
    head: &HeadDecay,
    dual: &DualPoint,
    settings: &RepairSettings,
    control: &Control,
) -> Result<Repaired> {
    Ok(ShiftSearch::until(problem, Some(head), dual, settings, control)?.finish(
        problem,
        settings.margin,
        0.0,
    ))
}

/// The shift found for a dual point, from which a repaired point with any margin follows.
pub(crate) struct ShiftSearch {
    dual: DualPoint,
    worth: Worth,
    /// None where only W = 0 is left.
    found: Option<Found>,
}

/// The best shift, and the least eigenvalue there.
enum Found {
    /// With the margin that the shifter has.
    Dense { shifter: Shifter, eta: Vec<f64>, least: f64 },
    Iterative(iterative::Found),
}

/// Part of τ that is left for a proof by a positive vector: the residuals of its solutions (conventional).
const ITERATIVE_ROOM: f64 = 1e-7;

/// What a damping leaves of the bound.
#[derive(Clone, Copy)]
struct Worth {
    /// ⟨W, Y⟩ and ‖W‖².
    inner: f64,
    square: f64,
    /// Whether (u, v) has a weight decay of its own: then v cannot be scaled alone.
    priced: bool,
}

impl Worth {
    /// The best scale t of W for this τ, and the bound.
    fn of(self, tau: f64) -> (f64, f64) {
        let t = if self.priced { tau } else { tau.sqrt().min(self.inner / self.square) };
        (t, t * self.inner - 0.5 * t * t * self.square)
    }
}

impl ShiftSearch {
    pub(crate) fn new(
        problem: &TrainingProblem,
        head: Option<&HeadDecay>,
        dual: &DualPoint,
        settings: &RepairSettings,
    ) -> Result<Self> {
        Self::until(problem, head, dual, settings, &Control::new())
    }

    /// As [`ShiftSearch::new`], with a search that can be stopped.
    pub(crate) fn until(
        problem: &TrainingProblem,
        head: Option<&HeadDecay>,
        dual: &DualPoint,
        settings: &RepairSettings,
        control: &Control,
    ) -> Result<Self> {
        dual.check(problem)?;
        let (inner, square) = dual.inner_products(problem);
        let least = head.map_or(problem.weight_decay(), HeadDecay::least);
        let dual = free_zero_rows(problem, dual, least);
        let worth = Worth { inner, square, priced: head.is_some() };
        let mut shift = Self { dual, worth, found: None };
        let worthwhile = inner > 0.0 && square > 0.0 && (inner / square).is_finite();
        let possible = worthwhile && shift.dual.check(problem).is_ok();
        let order = problem.inputs() + problem.outputs();
        let plain = head.is_none() && shift.dual.cuts.is_empty();
        let cheaper = || is_cheaper(problem.samples(), shift.dual.pairs.len(), order);
        if possible && plain && settings.iterative.unwrap_or_else(cheaper) {
            let worth = |least: f64| worth.of(damping(least)).1;
            let found = iterative::search(problem, &shift.dual, settings, control, worth)?;
            shift.found = found.map(Found::Iterative);
        } else if possible {
            let shifter = Shifter::new(problem, &shift.dual, head, settings.margin)?;
            let grace = settings.grace;
            let mut search = Search { shifter: &shifter, worth, settings, control, grace, best: None };
            search.run(problem, &shift.dual);
            let best = search.best;
            shift.found = best.map(|Best { eta, least, .. }| Found::Dense { shifter, eta, least });
        }
        Ok(shift)
    }

    /// The repaired point with this margin for the rounding of a proof, and with τ lowered by a further part: that adds
    /// as much of γ|u|², which no shift can.
    pub(crate) fn finish(&mut self, problem: &TrainingProblem, margin: f64, part: f64) -> Repaired {
        self.try_finish(problem, margin, part).unwrap_or_else(|| Repaired {
            dual: DualPoint::zero(problem.samples(), problem.outputs()),
            tau: 0.0,
            estimated_bound: 0.0,
        })
    }

    fn try_finish(&mut self, problem: &TrainingProblem, margin: f64, part: f64) -> Option<Repaired> {
        let (total, least): (Vec<f64>, f64) = match self.found.as_mut()? {
            Found::Dense { shifter, eta, least } => {
                if shifter.margin != margin {
                    shifter.margin = margin;
                    *least = shifter.outcome(eta, false)?.least;
                }
                (eta.iter().zip(shifter.margin(eta)).map(|(e, m)| e + m).collect(), *least)
            }
            Found::Iterative(found) => {
                let (total, least) = found.with_margin(margin)?;
                (total, least - ITERATIVE_ROOM)
            }
        };
        let tau = damping(least) * (1.0 - part);
        let (t, estimated_bound) = self.worth.of(tau);
        let w = Mat::from_fn(self.dual.w.nrows(), self.dual.w.ncols(), |i, j| t * self.dual.w[(i, j)]);
        let y = self.dual.y.iter().zip(total).map(|(y, e)| tau * (y - 2.0 * e)).collect();
        let n = self.dual.n.iter().map(|value| tau * value).collect();
        let dual = DualPoint { w, y, pairs: self.dual.pairs.clone(), n, cuts: self.dual.cuts.clone() };
        (dual.check(problem).is_ok() && tau > 0.0).then_some(Repaired { dual, tau, estimated_bound })
    }
}

/// τC + (1 − τ)γ ⪰ 0 with ν = λ_min(C)/γ: 1 if ν ≥ 0, else 1/(1 − ν).
fn damping(least: f64) -> f64 {
    if least >= 0.0 { 1.0 } else { 1.0 / (1.0 - least) }
}

/// A zero row has α = β = 0 on every neuron: its pairs go, and y takes all its share of W at no cost.
///
/// `least` is the least weight decay of any direction of (u, v).
fn free_zero_rows(problem: &TrainingProblem, dual: &DualPoint, least: f64) -> DualPoint {
    let (x, n) = (problem.features(), problem.samples());
    let zero: Vec<bool> = (0..n).map(|i| (0..x.ncols()).all(|j| x[(i, j)] == 0.0)).collect();
    let mut dual = dual.clone();
    let count = zero.iter().filter(|z| **z).count();
    if count == 0 {
        return dual;
    }
    let forms = dual.forms();
    let free = |form: &usize| forms.row(*form).all(|(index, _)| !zero[index % n]);
    let keep: Vec<bool> = dual.pairs.iter().map(|pair| pair.iter().all(free)).collect();
    let mut kept = keep.iter();
    dual.pairs.retain(|_| *kept.next().unwrap_or(&true));
    let mut kept = keep.iter();
    dual.n.retain(|_| *kept.next().unwrap_or(&true));
    for i in (0..n).filter(|i| zero[*i]) {
        // |a + w s|² ≤ (1 + ε)|a|² + (1 + 1/ε)|w|²s² with ε = 1e-10 shared by all zero rows.
        let square: f64 = (0..dual.w.ncols()).map(|j| dual.w[(i, j)].powi(2)).sum();
        let share = 0.25 / least * square * count as f64 * 1e10;
        dual.y[i] = -2.0 * share.max(problem.weight_decay());
    }
    dual
}

struct Search<'a> {
    shifter: &'a Shifter,
    worth: Worth,
    settings: &'a RepairSettings,
    control: &'a Control,
    /// Multiplications left once asked to stop.
    grace: f64,
    best: Option<Best>,
}

/// The best shift so far, with the least eigenvalue there and its supergradient.
#[derive(Clone)]
struct Best {
    least: f64,
    eta: Vec<f64>,
    gradient: Vec<f64>,
}

impl Search<'_> {
    /// Whether what was found is good enough, or has to be.
    fn done(&self) -> bool {
        self.best.as_ref().is_some_and(|best| damping(best.least) >= 1.0 - self.settings.tolerance)
            || (self.grace <= 0.0 && self.control.should_stop())
    }

    fn run(&mut self, problem: &TrainingProblem, dual: &DualPoint) {
        let leverage = &self.shifter.leverage;
        let even: Vec<f64> = leverage.iter().map(|l| if *l > 0.0 { 1.0 / l } else { 0.0 }).collect();
        // Where a shift is known to be needed, none is not worth its factorisation.
        if self.settings.likely.is_none() {
            self.consider(vec![0.0; even.len()]);
            if self.done() {
                return;
            }
        }
        self.line(&even);
        // On nearly everything measured the ascent from the even profile wins; the others are for hard cases.
        let poor = self.best.as_ref().is_none_or(|best| damping(best.least) < POOR);
        if poor && self.settings.likely.is_none() && !self.done() {
            let diagonal = self.shifter.diagonal.clone();
            self.line(&diagonal);
            // Numbers out of all proportion overflow here; what was found so far is then the answer.
            if let Ok(profile) = negative_profile(problem, dual, &even) {
                self.line(&profile);
            }
        }
        self.ascend(&even);
    }

    /// η = t·profile, t by steps of a hundred and then by golden section: the least eigenvalue is concave in t.
    fn line(&mut self, profile: &[f64]) {
        let price = self.shifter.price(profile);
        if !(price > 0.0 && price.is_finite()) {
            return;
        }
        let unit: Vec<f64> = profile.iter().map(|p| p / price).collect();
        let likely = match self.settings.likely {
            // Less than an even shift against the lowest eigenvalue is often enough, and it costs less.
            Some(likely) => ((likely * price).log10() - 1.0).clamp(LEAST, GREATEST),
            None => LIKELY,
        };
        let guessed = self.settings.likely.is_some();
        let (stride, sections) = if guessed { (1.0, 0) } else { (2.0, SECTIONS) };
        let mut at = |exponent: f64| self.consider(unit.iter().map(|p| p * 10f64.powf(exponent)).collect());
        // Too small a t leaves the s block indefinite, which counts as −∞; too large a one costs what it is worth.
        let first = at(likely);
        let mut top = (first, likely);
        for direction in [-stride, stride] {
            // Concave: what rose one way falls the other; and less of what is too little is too little.
            if top.0 > first || (first == f64::NEG_INFINITY && direction < 0.0) {
                continue;
            }
            loop {
                let exponent = top.1 + direction;
                if !(LEAST..=GREATEST).contains(&exponent) {
                    break;
                }
                let value = at(exponent);
                let risen = value > top.0;
                // The first shift that works is kept where it was guessed, and a gain that is next to nothing is the last.
                let last =
                    guessed && risen && !(value - top.0 > LITTLE * top.0.abs() && top.0 > f64::NEG_INFINITY);
                if risen || (value == f64::NEG_INFINITY && top.0 == value && direction > 0.0) {
                    top = (value, exponent);
                } else {
                    break;
                }
                if last {
                    break;
                }
            }
        }
        if top.0 == f64::NEG_INFINITY || sections == 0 {
            return;
        }
        let (mut low, mut high) = (top.1 - stride, top.1 + stride);
        let ratio = 0.618_033_988_75;
        let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
        let (mut fa, mut fb) = (at(a), at(b));
        for _ in 0..sections {
            if fa >= fb && fa > f64::NEG_INFINITY {
                (high, b, fb) = (b, a, fa);
                a = high - ratio * (high - low);
                fa = at(a);
            } else {
                (low, a, fa) = (a, b, fb);
                b = low + ratio * (high - low);
                fb = at(b);
            }
        }
    }

    /// Least eigenvalue at η, kept if it is the best so far; nothing is factored once the search is done.
    fn consider(&mut self, eta: Vec<f64>) -> f64 {
        if self.done() {
            return f64::NEG_INFINITY;
        }
        if self.control.should_stop() {
            self.grace -= self.shifter.cost();
        }
        // The gradient costs next to nothing beside the factorisation, which the ascent would have to repeat for it.
        let Some(outcome) = self.shifter.outcome(&eta, true) else { return f64::NEG_INFINITY };
        if outcome.least > self.best.as_ref().map_or(f64::NEG_INFINITY, |best| best.least) {
            self.best = Some(Best { least: outcome.least, eta, gradient: outcome.gradient });
        }
        outcome.least
    }

    /// Multiplicative ascent on η along the supergradient s_i² − (x_iᵀu)² of the least eigenvalue.
    fn ascend(&mut self, even: &[f64]) {
        let mut step = 0.5f64;
        for turn in 0..self.settings.ascent_steps {
            let Some(Best { least, eta, gradient }) = self.best.clone() else { return };
            let bound = self.worth.of(damping(least)).1;
            let promising =
                turn == 0 || self.settings.promising.as_ref().is_none_or(|range| range.contains(&bound));
            if self.done() || step < 1e-3 || !promising {
                return;
            }
            let slope: Vec<f64> = gradient.iter().zip(even).map(|(g, e)| g * e).collect();
            let largest = slope.iter().fold(0.0f64, |a, s| a.max(s.abs()));
            if largest.is_nan() || largest <= 0.0 {
                return;
            }
            let mut improved = false;
            while step >= 1e-3 && !self.done() {
                let trial =
                    eta.iter().zip(&slope).map(|(e, s)| e * (step * 4.0 * s / largest).exp()).collect();
                if self.consider(trial) > least {
                    improved = true;
                    break;
                }
                step *= 0.5;
            }
            if improved {
                step = (2.0 * step).min(1.0);
            }
        }
    }
}

/// Σ |λ|·s_i² over the estimated negative eigenpairs of the scaled slack, above a twentieth of the even profile.
fn negative_profile(problem: &TrainingProblem, dual: &DualPoint, even: &[f64]) -> Result<Vec<f64>> {
    let slack = Slack::new(problem, dual)?;
    let d = problem.inputs();
    let settings = LanczosSettings { count: 8, max_steps: 120, tolerance: 1e-6, seed: 0 };
    let found = smallest_eigenpairs(&slack, &settings)?;
    let mut profile = vec![0.0; even.len()];
    for (k, value) in found.values.iter().enumerate().filter(|(_, value)| **value < 0.0) {
        for (i, profile) in profile.iter_mut().enumerate() {
            *profile += -value * found.vectors[(d + i, k)].powi(2);
        }
    }
    let mean = (profile.iter().sum::<f64>() / even.len() as f64).max(f64::MIN_POSITIVE);
    Ok(profile.iter().zip(even).map(|(p, e)| e * (p / mean + 0.05)).collect())
}
