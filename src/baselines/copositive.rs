//! The copositive relaxation of Sahiner et al. (ICLR 2021, section 4.3; arXiv 2012.13329), all patterns given.
//!
//! The dual of training is max ⟨W, Y⟩ − ½‖W‖² over ‖Wᵀ(Xu)₊‖ ≤ γ‖u‖ for all u: with M_i = XᵀD_iW, that γ²I − M_iM_iᵀ is
//! copositive on the cone {u : G_iu ≥ 0} of every pattern, G_i = (2D_i − I)X. The relaxation asks for more, a matrix N_i ≥ 0 with
//!
//! γ²I − M_iM_iᵀ − G_iᵀN_iG_i ⪰ 0,
//!
//! so its value is a lower bound on p*. (Its own dual has completely positive matrices u uᵀ of a cone replaced by U ⪰ 0 with
//! GUGᵀ ≥ 0, as in the paper.) In two dimensions a cone has two sides and copositive 2 × 2 matrices are sums of a
//! semidefinite and a nonnegative one: there it is exact. Rows of G_i that do not bound the cone are nonnegative combinations of
//! those that do, so N_i is needed on these alone.
//!
//! Solved by a barrier method in W and the N_i, with γN_i in place of N_i and the condition in the form
//! [γI − GᵀNG, M; Mᵀ, γI] ≻ 0. Every N_i occurs in one block alone and is eliminated from the Newton system, of order nc.

mod block;

use super::arrangements::Arrangement;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::dense::Cholesky;
use crate::problem::TrainingProblem;
use block::Block;
use faer::{Mat, MatRef};

/// The barrier weight shrinks by this factor after every centring.
const SHRINK: f64 = 0.2;
/// Newton decrement, relative to the barrier weight, at which a centre counts as found.
const CENTRED: f64 = 0.1;
/// Halvings of a step before giving up.
const HALVINGS: usize = 40;

/// How far to go.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct CopositiveSettings {
    /// Relative distance to the relaxation's optimum (default 1e-6).
    pub tolerance: f64,
    /// Most Newton steps (default 500).
    pub max_steps: usize,
    /// Most unknowns n·c of a Newton step (default 1000: a step costs patterns · (nc)²·rc operations).
    pub max_unknowns: usize,
    /// Most cells of all dimensions of the arrangement (default 20 000).
    pub max_cells: usize,
}

impl Default for CopositiveSettings {
    fn default() -> Self {
        Self { tolerance: 1e-6, max_steps: 500, max_unknowns: 1000, max_cells: 20_000 }
    }
}

/// What the relaxation says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CopositiveBound {
    /// A lower bound on p*, in floating point: the dual objective at a strictly feasible point.
    pub lower: f64,
    /// The optimum of the relaxation is at most `lower` + `gap` when `converged`.
    pub gap: f64,
    /// W, n × c.
    pub w: Mat<f64>,
    /// Patterns, one matrix inequality each.
    pub patterns: usize,
    /// Newton steps.
    pub steps: usize,
    /// Whether the tolerance was reached.
    pub converged: bool,
}

/// Solves the relaxation; `control` is asked before every step, and stopping is not an error.
///
/// Fails where the data have too many patterns, or samples times outputs.
pub fn solve(
    problem: &TrainingProblem,
    settings: &CopositiveSettings,
    control: &Control,
) -> Result<CopositiveBound> {
    if !(settings.tolerance > 0.0 && settings.tolerance < 1.0) {
        let value = settings.tolerance.to_string();
        return Err(Error::Parameter { name: "tolerance", value, range: "between 0 and 1" });
    }
    let (n, c, gamma) = (problem.samples(), problem.outputs(), problem.weight_decay());
    if n * c > settings.max_unknowns {
        return Err(Error::Input(format!(
            "{n} samples times {c} outputs are more than the copositive relaxation's limit of {} unknowns; take fewer samples or \
             raise max_unknowns (--max-unknowns)",
            settings.max_unknowns
        )));
    }
    let arrangement = Arrangement::new(problem, settings.max_cells)?;
    let mut blocks = Block::all(&arrangement, gamma);
    let weight: f64 = blocks.iter().map(|block| block.weight(c)).sum();
    let mut point = Barrier { problem, gamma, w: Mat::zeros(n, c) };
    let mut mu = problem.zero_objective().max(f64::MIN_POSITIVE) / weight.max(1.0);
    let mut bound = CopositiveBound {
        lower: 0.0,
        gap: f64::INFINITY,
        w: Mat::zeros(n, c),
        patterns: arrangement.patterns().len(),
        steps: 0,
        converged: false,
    };
    loop {
        if bound.steps >= settings.max_steps || control.should_stop() {
            break;
        }
        bound.steps += 1;
        let Some(decrement) = point.step(&mut blocks, mu)? else { break };
        let value = point.value();
        if value > bound.lower {
            bound.lower = value;
            bound.w = point.w.clone();
        }
        if decrement <= CENTRED * mu {
            // the distance of a centre to the optimum is the weight of the barrier
            bound.gap = mu * weight;
            if bound.gap <= settings.tolerance * bound.lower.max(f64::MIN_POSITIVE) || weight == 0.0 {
                bound.converged = true;
                break;
            }
            mu *= SHRINK;
        }
    }
    Ok(bound)
}

struct Barrier<'a> {
    problem: &'a TrainingProblem,
    gamma: f64,
    w: Mat<f64>,
}

impl Barrier<'_> {
    /// ⟨W, Y⟩ − ½‖W‖².
    fn value_at(&self, w: MatRef<'_, f64>) -> f64 {
        let mut value = 0.0;
        for (w, y) in w.col_iter().zip(self.problem.targets().col_iter()) {
            value += w.iter().zip(y.iter()).map(|(w, y)| w * (y - 0.5 * w)).sum::<f64>();
        }
        value
    }

    fn value(&self) -> f64 {
        self.value_at(self.w.as_ref())
    }

    /// One Newton step of ⟨W, Y⟩ − ½‖W‖² + μ·barrier; returns its decrement, none when no step rises any more.
    fn step(&mut self, blocks: &mut [Block], mu: f64) -> Result<Option<f64>> {
        let (n, c) = self.w.shape();
        let at = |i: usize, j: usize| j * n + i;
        let mut gradient = Mat::zeros(n * c, 1);
        for j in 0..c {
            for i in 0..n {
                gradient[(at(i, j), 0)] = self.problem.targets()[(i, j)] - self.w[(i, j)];
            }
        }
        let mut system = Mat::<f64>::identity(n * c, n * c);
        for block in blocks.iter_mut() {
            block
                .linearise(self.w.as_ref(), self.gamma)
                .ok_or(Error::Numerical("the copositive relaxation"))?;
            block.assemble(mu, &mut system, &mut gradient);
        }
        let mut factor = Cholesky::default();
        if !factor.factorize(&system, 0.0) {
            return Ok(None);
        }
        let solved = factor.solution(gradient.as_ref());
        let direction = Mat::from_fn(n, c, |i, j| solved[(at(i, j), 0)]);
        let mut decrement: f64 = (0..n * c).map(|k| gradient[(k, 0)] * solved[(k, 0)]).sum();
        for block in blocks.iter_mut() {
            decrement += mu * block.recover(direction.as_ref());
        }
        let here = self.value()
            + mu * blocks.iter().map(|b| b.barrier(self.w.as_ref(), self.gamma, 0.0)).sum::<f64>();
        let mut share = 1.0;
        for _ in 0..HALVINGS {
            let w = Mat::from_fn(n, c, |i, j| self.w[(i, j)] + share * direction[(i, j)]);
            let barrier: f64 = blocks.iter().map(|b| b.barrier(w.as_ref(), self.gamma, share)).sum();
            let there = self.value_at(w.as_ref()) + mu * barrier;
            // NaN and −∞ outside the feasible set
            if there >= here + 0.01 * share * decrement {
                self.w = w;
                blocks.iter_mut().for_each(|block| block.advance(share));
                return Ok(Some(decrement));
            }
            share *= 0.5;
        }
        Ok(None)
    }
}
