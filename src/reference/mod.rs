//! A dense primal-dual interior-point solver: the independent reference of the low-rank one.
//!
//! It solves the relaxation on the lifted matrix Λ itself, of order q = rank X + G + c, with pairs added as
//! they are violated:
//!
//! min ½‖A_fit(Λ) − t‖² + ⟨C, Λ⟩ subject to A_eq(Λ) = 0, A_pair(Λ) ≥ 0, Λ ⪰ 0;
//! max ⟨w, t⟩ − ½‖w‖² subject to C − A*(w, y, N) = S ⪰ 0, N ≥ 0.
//!
//! Infeasible path following with the HKM direction (Helmberg, Rendl, Vanderbei and Wolkowicz 1996; Kojima,
//! Shindoh and Hara 1997; Monteiro 1997) and Mehrotra's predictor and corrector. With m = (fit rows)·c + G + |E|
//! an iteration costs m³/3 for the Cholesky factorisation of the Schur complement, O(m²) to form it and O(q³)
//! besides; memory is 8m² bytes and a little. Practical to n ≈ 1000.

mod dense;
mod newton;
mod operator;
mod point;
mod schur;
mod settings;

pub use settings::{ReferenceIteration, ReferenceSettings, ReferenceSolution, ReferenceStatus};

use crate::lifting::{Lifting, PairKey, PairSet, scan_violations};
use crate::{Control, Error, Result, TrainingProblem};
use faer::{Mat, Par};
use operator::Operator;
use point::{Point, Residuals};
use std::collections::HashMap;
use std::time::Instant;

/// Solves the relaxation of a training problem to high accuracy.
///
/// `observer` is told of every iteration. Stopping through `control`, running out of iterations and numerical
/// trouble are not errors: the best point so far comes back with the status that says so.
pub fn solve(
    problem: &TrainingProblem,
    settings: &ReferenceSettings,
    control: &Control,
    observer: &mut dyn FnMut(&ReferenceIteration),
) -> Result<ReferenceSolution> {
    let lifting = Lifting::new(problem)?;
    solve_lifted(&lifting, settings, control, observer)
}

/// [`solve`] on a problem that is already lifted.
pub fn solve_lifted(
    lifting: &Lifting,
    settings: &ReferenceSettings,
    control: &Control,
    observer: &mut dyn FnMut(&ReferenceIteration),
) -> Result<ReferenceSolution> {
    settings.check()?;
    let pairs = PairSet::new(lifting, settings.neighbours);
    if lifting.fit_targets.iter().all(|&t| t == 0.0) {
        return Ok(ReferenceSolution::zero(lifting, pairs));
    }
    Run::new(lifting, settings, pairs).run(control, observer)
}

/// The state of a run.
struct Run<'a> {
    lifting: &'a Lifting,
    settings: &'a ReferenceSettings,
    par: Par,
    cost: Mat<f64>,
    pairs: PairSet,
    point: Point,
    began: Instant,
    iteration: usize,
}

/// Best point of the run by its worst measure.
struct Best {
    merit: f64,
    point: Point,
    residuals: Residuals,
}

/// Relative gap below which violated pairs are looked for, while there is room to move.
const FIRST_SCAN: f64 = 0.3;
/// Relative gap of the point that is kept to return to when pairs turn out violated late.
const RETURN_GAP: f64 = 3e-2;
/// Additions below this gap return to that point.
const LATE_GAP: f64 = 1e-5;
/// Iterations without progress after which a run is stalled.
const PATIENCE: usize = 15;

impl<'a> Run<'a> {
    fn new(lifting: &'a Lifting, settings: &'a ReferenceSettings, pairs: PairSet) -> Self {
        let par = if settings.parallelism > 1 { Par::rayon(settings.parallelism) } else { Par::Seq };
        let began = Instant::now();
        let cost = point::cost(lifting);
        let point = point::start(lifting, &Operator::new(lifting, &pairs), &cost, par);
        Self { lifting, settings, par, cost, pairs, point, began, iteration: 0 }
    }

    fn run(
        mut self,
        control: &Control,
        observer: &mut dyn FnMut(&ReferenceIteration),
    ) -> Result<ReferenceSolution> {
        let mut schur = schur::Schur::new();
        let mut best: Option<Best> = None;
        let env = |k: &str, d: f64| std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
        let mut refuges: Vec<(f64, Point, Vec<PairKey>)> = Vec::new();
        let mut next_scan = env("FIRST", 0.7);
        let mut since_best = 0;
        let (mut primal_step, mut dual_step) = (0.0, 0.0);
        let status = loop {
            let pairs = std::mem::replace(&mut self.pairs, PairSet::new(self.lifting, 0));
            let operator = Operator::new(self.lifting, &pairs);
            self.pairs = pairs;
            let times_forms = operator.times_forms(self.point.primal.as_ref());
            let residuals =
                Residuals::new(self.lifting, &operator, &self.cost, &self.point, &times_forms);
            let line = self.line(&residuals, primal_step, dual_step);
            observer(&line);
            let merit = line.gap.max(line.primal_infeasibility).max(line.dual_infeasibility);
            if !merit.is_finite() {
                break ReferenceStatus::Breakdown;
            }
            if line.gap < refuges.last().map_or(RETURN_GAP, |r| 0.3 * r.0) {
                refuges.push((line.gap, self.point.clone(), self.pairs.keys.clone()));
            }
            let done = merit <= self.settings.tolerance;
            if done || line.gap < next_scan {
                next_scan = env("SCAN", 1.0) * line.gap;
                let violated = self.violated();
                if !violated.is_empty() {
                    if self.pairs.len() + violated.len() > self.settings.max_pairs {
                        best = Some(Best { merit, point: self.point.clone(), residuals });
                        break ReferenceStatus::PairLimit;
                    }
                    let far = env("BACK", 1e2) * line.gap;
                    while refuges.len() > 1 && refuges[refuges.len() - 1].0 < far { refuges.pop(); }
                    if line.gap < env("LATE", LATE_GAP) && let Some((gap, point, keys)) = refuges.last().cloned() {
                        self.restore(point, &keys);
                        next_scan = env("SCAN", 1.0) * gap;
                    }
                    self.extend(&violated);
                    (best, since_best) = (None, 0);
                    continue;
                }
                if done {
                    best = Some(Best { merit, point: self.point.clone(), residuals });
                    break ReferenceStatus::Solved;
                }
            }
            since_best += 1;
            if best.as_ref().is_none_or(|b| merit < 0.9 * b.merit) {
                since_best = 0;
            }
            if self.iteration >= self.settings.max_iterations {
                break ReferenceStatus::IterationLimit;
            }
            if since_best > PATIENCE {
                break ReferenceStatus::Stalled;
            }
            if control.should_stop() {
                break if control.is_cancelled() { ReferenceStatus::Cancelled } else { ReferenceStatus::TimeLimit };
            }
            let before = self.point.clone();
            let step = newton::iterate(
                &operator,
                &self.cost,
                &mut self.point,
                &residuals,
                &times_forms,
                &mut schur,
                self.par,
            );
            if best.as_ref().is_none_or(|b| merit < b.merit) {
                best = Some(Best { merit, point: before, residuals });
            }
            match step {
                Ok(step) => (primal_step, dual_step) = (step.primal, step.dual),
                Err(newton::Breakdown) => break ReferenceStatus::Breakdown,
            }
            self.iteration += 1;
        };
        let best = best.ok_or(Error::Numerical("the first iteration of the interior-point method"))?;
        self.finish(status, best)
    }

    fn line(&self, residuals: &Residuals, primal_step: f64, dual_step: f64) -> ReferenceIteration {
        let value = self.lifting.unscale(residuals.value);
        let dual_value = self.lifting.unscale(residuals.dual_value);
        ReferenceIteration {
            iteration: self.iteration,
            value,
            dual_value,
            gap: (value - dual_value).abs() / value.abs().max(f64::MIN_POSITIVE),
            primal_infeasibility: residuals.primal_infeasibility,
            dual_infeasibility: residuals.dual_infeasibility,
            mu: residuals.mu,
            primal_step,
            dual_step,
            pairs: self.pairs.len(),
            seconds: self.began.elapsed().as_secs_f64(),
        }
    }

    /// Pairs not held that the primal point violates.
    fn violated(&self) -> Vec<PairKey> {
        let Some(factor) = dense::factor(self.point.primal.as_ref(), self.par) else { return Vec::new() };
        let (order, columns) = (self.lifting.order(), factor.ncols());
        let rows: Vec<f64> = (0..order * columns).map(|i| factor[(i / columns, i % columns)]).collect();
        let forms = self.lifting.base.len();
        let mut values = vec![0.0; forms * columns];
        self.lifting.base.evaluate(&rows, columns, &mut values);
        let square = values.iter().map(|v| v * v).sum::<f64>() / forms as f64;
        let near = std::env::var("NEAR").map_or(0.0, |v| v.parse().unwrap());
        let tolerance = self.settings.tolerance * (1.0 + square) - near * (dense::inner(self.point.primal.as_ref(), self.point.slack.as_ref()) / factor.ncols() as f64).sqrt();
        scan_violations(self.lifting, &values, columns, tolerance, self.settings.pairs_per_form)
            .into_iter()
            .map(|violation| violation.key)
            .filter(|key| self.pairs.keys.binary_search(key).is_err())
            .collect()
    }

    /// Goes back to an earlier point; pairs that came since start like new ones.
    fn restore(&mut self, point: Point, keys: &[PairKey]) {
        let free = self.point.dual.len() - self.point.products.len();
        let held: Vec<PairKey> = std::mem::take(&mut self.pairs.keys);
        self.pairs.keys = held;
        let _ = (free, keys);
        self.point = point;
        let keep: Vec<bool> = self.pairs.keys.iter().map(|k| keys.binary_search(k).is_ok()).collect();
        let dropped: Vec<PairKey> =
            self.pairs.keys.iter().zip(&keep).filter(|(_, k)| !**k).map(|(key, _)| *key).collect();
        self.pairs.retain(self.lifting, &keep);
        self.extend(&dropped);
    }

    /// Adds pairs; each starts where its product is, but at least a little inside.
    fn extend(&mut self, keys: &[PairKey]) {
        let before: HashMap<PairKey, usize> =
            self.pairs.keys.iter().copied().enumerate().map(|(e, key)| (key, e)).collect();
        let free = self.point.dual.len() - self.point.products.len();
        let trace = dense::inner(self.point.primal.as_ref(), self.point.slack.as_ref());
        self.pairs.add(self.lifting, keys);
        let operator = Operator::new(self.lifting, &self.pairs);
        let image = operator.apply(operator.times_forms(self.point.primal.as_ref()).as_ref());
        let mu = trace / operator.order() as f64;
        let mut dual = self.point.dual[..free].to_vec();
        let mut products = Vec::with_capacity(self.pairs.len());
        let floor = image[free..].iter().fold(mu.sqrt() * std::env::var("ROOT").map_or(1.0, |v| v.parse::<f64>().unwrap()), |worst, k| worst.max(-k)) * std::env::var("FLOOR").map_or(1.0, |v| v.parse().unwrap());
        for (e, key) in self.pairs.keys.iter().enumerate() {
            match before.get(key) {
                Some(&old) => {
                    products.push(self.point.products[old]);
                    dual.push(self.point.dual[free + old]);
                }
                None => {
                    let product = image[free + e].max(floor);
                    products.push(product);
                    dual.push(mu / product);
                }
            }
        }
        self.point.dual = dual;
        self.point.products = products;
    }

    fn finish(mut self, status: ReferenceStatus, best: Best) -> Result<ReferenceSolution> {
        let status = match status {
            ReferenceStatus::Stalled | ReferenceStatus::Breakdown
                if best.merit <= self.settings.reduced_tolerance =>
            {
                ReferenceStatus::AlmostSolved
            }
            other => other,
        };
        self.point = best.point;
        let line = self.line(&best.residuals, 0.0, 0.0);
        if std::env::var_os("STAT").is_some() {
            let sh = |v: &[f64]| v.iter().map(|v| format!("{v:.1e}")).collect::<Vec<_>>().join(" ");
            let (a, u) = dense::eigen(self.point.primal.as_ref(), true, self.par).unwrap();
            let (b, w) = dense::eigen(self.point.slack.as_ref(), true, self.par).unwrap();
            eprintln!("primal eig {}\nslack eig {}", sh(&a), sh(&b));
            eprintln!("primal top vec {}", u.col(u.ncols()-1).iter().map(|v| format!("{:.1e}", v)).collect::<Vec<_>>().join(" "));
            eprintln!("slack top vec {}", w.col(w.ncols()-1).iter().map(|v| format!("{:.1e}", v)).collect::<Vec<_>>().join(" "));
            eprintln!("diag primal {}", (0..a.len()).map(|i| self.point.primal[(i,i)]).map(|v| format!("{:.1e}", v)).collect::<Vec<_>>().join(" "));
            eprintln!("diag slack {}", (0..a.len()).map(|i| self.point.slack[(i,i)]).map(|v| format!("{:.1e}", v)).collect::<Vec<_>>().join(" "));
            let f = self.lifting.fit_targets.len(); let g = f + self.pairs.equalities.len();
            eprintln!("w {:.1e} y {:.1e} n {:.1e} kap {:.1e} cost {:.1e} theta min {:.1e}", self.point.dual[..f].iter().fold(0.0f64, |m, v| m.max(v.abs())), self.point.dual[f..g].iter().fold(0.0f64, |m, v| m.max(v.abs())), self.point.dual[g..].iter().fold(0.0f64, |m, v| m.max(v.abs())), self.point.products.iter().fold(0.0f64, |m, v| m.max(v.abs())), dense::largest(self.cost.as_ref()), self.lifting.forest.parent.iter().flatten().map(|p| p.1).fold(1.0, f64::min));
        }
        let free = self.point.dual.len() - self.point.products.len();
        let fits = self.lifting.fit_targets.len();
        self.pairs.equality_multipliers.copy_from_slice(&self.point.dual[fits..free]);
        self.pairs.multipliers.copy_from_slice(&self.point.dual[free..]);
        let rank = dense::eigen(self.point.primal.as_ref(), false, self.par).map_or(0, |(values, _)| {
            let largest = values.last().copied().unwrap_or(0.0);
            values.iter().filter(|v| **v > 1e-5 * largest).count()
        });
        Ok(ReferenceSolution {
            status,
            value: line.value,
            dual_value: line.dual_value,
            gap: line.gap,
            primal_infeasibility: line.primal_infeasibility,
            dual_infeasibility: line.dual_infeasibility,
            iterations: self.iteration,
            rank,
            fit_residual: self.point.dual[..fits].to_vec(),
            pairs: self.pairs,
            seconds: self.began.elapsed().as_secs_f64(),
        })
    }
}
