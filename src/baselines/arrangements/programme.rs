//! The convex programme over all patterns, by a fully corrective conic Frank–Wolfe method.
//!
//! Matrices Z_i of a pattern are sums of atoms u vᵀ with u in its cone, so the programme has one atom for each direction u:
//! min ½‖Σ a_k v_kᵀ − Y‖² + γ Σ‖v_k‖ with a_k = (Xu_k)₊, ‖u_k‖ = 1. Each round solves it over the directions held (a group
//! lasso), and adds the peaks of ‖Wᵀ(Xu)₊‖ above γ for its residual W. If there is none, W is dual feasible and worth
//! the objective.

use super::lasso::Lasso;
use super::oracle::{Peak, scaled_bound};
use super::{Arrangement, ArrangementSettings};
use crate::control::Control;
use crate::error::Result;
use crate::linalg::dense::product;
use crate::linalg::vector::dot;
use crate::problem::{Network, TrainingProblem};
use faer::{Mat, MatRef};

/// Neurons added in one round at most.
const ADDED: usize = 30;
/// They are this far apart at least: one minus their cosine is this part of the relative gap.
const APART: f64 = 0.05;
/// Directions whose lengths are this small a part of the largest are dropped.
const NEGLIGIBLE: f64 = 1e-5;

/// p* between two values, and a network that has the upper one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ArrangementSolution {
    /// The best network found; it may have neurons that [`training::tidy`](crate::training::tidy) can merge.
    pub network: Network,
    /// A lower bound on p*: the dual objective at a scaled residual. Exact but for rounding, which is not accounted for.
    pub lower: f64,
    /// The objective of the network, an upper bound on p*.
    pub upper: f64,
    /// Activation patterns of the data, one for each full-dimensional cell.
    pub patterns: usize,
    /// Rounds of adding neurons.
    pub rounds: usize,
    /// Whether (upper − lower)/upper fell below the tolerance.
    pub converged: bool,
}

/// Trains to global optimality.
///
/// `control` is asked before every round; stopping, and running out of rounds, are not errors: the bounds so far come back.
/// Fails where the data have too many patterns (see [`Arrangement::new`]).
pub fn solve(
    problem: &TrainingProblem,
    settings: &ArrangementSettings,
    control: &Control,
) -> Result<ArrangementSolution> {
    settings.check()?;
    let at = Arrangement::new(problem, settings.max_cells)?;
    let mut atoms = Atoms { at: &at, problem, directions: Vec::new(), squares: Vec::new() };
    let mut solution = ArrangementSolution {
        network: Network::empty(problem.inputs(), problem.outputs()),
        lower: 0.0,
        upper: problem.zero_objective(),
        patterns: at.patterns().len(),
        rounds: 0,
        converged: problem.zero_objective() == 0.0,
    };
    let mut accuracy = 1e-3 * solution.upper;
    while !solution.converged {
        let w = atoms.correct(accuracy)?;
        let network = atoms.network(w.as_ref())?;
        let value = network.objective(problem);
        if value < solution.upper {
            solution.upper = value;
            solution.network = network;
        }
        let gamma = problem.weight_decay();
        let (best, peaks) = at.peaks(w.as_ref(), gamma);
        solution.lower = solution
            .lower
            .max(scaled_bound(w.as_ref(), problem.targets(), gamma, best.value))
            .min(solution.upper);
        let gap = (solution.upper - solution.lower) / solution.upper;
        solution.converged = gap <= settings.tolerance;
        if solution.converged || solution.rounds >= settings.max_rounds || control.should_stop() {
            break;
        }
        atoms.drop();
        atoms.add(&peaks, gap);
        accuracy = 0.01 * gap.max(settings.tolerance) * solution.upper;
        solution.rounds += 1;
    }
    Ok(solution)
}

/// Unit directions held, and the squared lengths of their neurons.
struct Atoms<'a> {
    at: &'a Arrangement,
    problem: &'a TrainingProblem,
    directions: Vec<f64>,
    squares: Vec<f64>,
}

impl Atoms<'_> {
    fn matrix(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.directions, self.at.rank(), self.squares.len())
    }

    /// The best lengths of all, to an accuracy in units of the objective; returns the residual W.
    fn correct(&mut self, accuracy: f64) -> Result<Mat<f64>> {
        let activation = self.at.space.activations(self.matrix());
        let problem = Lasso {
            activation: activation.as_ref(),
            targets: self.problem.targets(),
            weight_decay: self.problem.weight_decay(),
        };
        problem.solve(&mut self.squares, accuracy)
    }

    /// v_k = Wᵀa_k/γ for a_k = (Xu_k)₊.
    fn network(&self, w: MatRef<'_, f64>) -> Result<Network> {
        let lengths: Vec<f64> = self.squares.iter().map(|s| s.sqrt()).collect();
        let pull = product(w.transpose(), self.at.space.activations(self.matrix()).as_ref());
        let gamma = self.problem.weight_decay();
        let output = Mat::from_fn(pull.nrows(), pull.ncols(), |j, k| pull[(j, k)] * lengths[k] / gamma);
        self.at.space.network(self.matrix(), &lengths, output)
    }

    /// Forgets the directions that have no length to speak of.
    fn drop(&mut self) {
        let least = NEGLIGIBLE * self.squares.iter().copied().fold(0.0, f64::max);
        let kept: Vec<usize> = (0..self.squares.len()).filter(|&k| self.squares[k] > least).collect();
        let r = self.at.rank();
        self.directions = kept.iter().flat_map(|&k| &self.directions[k * r..(k + 1) * r]).copied().collect();
        self.squares = kept.iter().map(|&k| self.squares[k]).collect();
    }

    /// Adds the best peaks; the closer the optimum, the closer together they may be.
    fn add(&mut self, peaks: &[Peak], gap: f64) {
        let apart = 1.0 - APART * gap;
        let mut added: Vec<&[f64]> = Vec::new();
        for peak in peaks {
            if added.len() == ADDED {
                break;
            }
            if added.iter().all(|other| dot(other, &peak.direction) < apart) {
                added.push(&peak.direction);
            }
        }
        // an interior start: the new share what a hundredth of the norm is
        let total: f64 = self.squares.iter().sum();
        let norm =
            if total > 0.0 { total } else { self.problem.zero_objective() / self.problem.weight_decay() };
        let start = 0.01 * norm / added.len().max(1) as f64;
        self.squares.iter_mut().for_each(|s| *s = s.max(1e-3 * start));
        for direction in added {
            self.directions.extend_from_slice(direction);
            self.squares.push(start);
        }
    }
}
