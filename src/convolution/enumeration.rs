//! Training to global optimality by the activation patterns of the patches (Sahiner et al., ICLR 2021): the judge for filters of
//! up to three weights and few patches.
//!
//! As without convolutions ([`crate::baselines::arrangements`]): the residual's largest |W̃ᵀ(Xu)₊| over all u is found from
//! every cell of the arrangement of patches, filters above the level are added, and all lengths are chosen best. A filter
//! has the pooled responses of each block as a column of its own.

use crate::baselines::arrangements::lasso::Lasso;
use crate::baselines::arrangements::{Arrangement, ArrangementSettings, Peak, scaled_bound};
use crate::control::Control;
use crate::error::Result;
use crate::linalg::dense::product;
use crate::linalg::vector::dot;
use crate::problem::convolution::{ConvolutionalNetwork, ConvolutionalProblem, Lifted};
use faer::{Mat, MatRef};

/// Filters added in one round at most, how far apart, and the part of the largest length that is none.
const ADDED: usize = 30;
const APART: f64 = 0.05;
const NEGLIGIBLE: f64 = 1e-5;

/// The optimum between two values, and a network that has the upper one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Enumerated {
    /// The best network found.
    pub network: ConvolutionalNetwork,
    /// A lower bound on the optimum but for rounding, which is not accounted for.
    pub lower: f64,
    /// The objective of the network.
    pub upper: f64,
    /// Activation patterns of the patches.
    pub patterns: usize,
    /// Rounds of adding filters.
    pub rounds: usize,
    /// Whether (upper − lower)/upper fell below the tolerance.
    pub converged: bool,
}

/// Trains to global optimality. `control` is asked before every round; stopping is no error.
///
/// Errors: more cells than the settings allow, more patches than fit.
pub fn solve(
    problem: &ConvolutionalProblem,
    settings: &ArrangementSettings,
    control: &Control,
) -> Result<Enumerated> {
    settings.check()?;
    let lifted = problem.lifted()?;
    let at = Arrangement::new(lifted.patches(), settings.max_cells)?;
    let pooled = problem.shape().pooled() as f64;
    let (y, gamma, level) = (problem.targets(), problem.weight_decay(), lifted.patches().weight_decay());
    let zero = problem.zero_objective();
    let mut atoms = Atoms { at: &at, problem, lifted: &lifted, directions: Vec::new(), squares: Vec::new() };
    let mut found = Enumerated {
        network: ConvolutionalNetwork::empty(problem.shape(), problem.outputs()),
        lower: 0.0,
        upper: zero,
        patterns: at.patterns().len(),
        rounds: 0,
        converged: zero == 0.0,
    };
    let mut accuracy = 1e-3 * zero;
    while !found.converged {
        let responses = atoms.responses();
        let lasso = Lasso { activation: responses.as_ref(), targets: y, weight_decay: gamma };
        let w = lasso.solve(&mut atoms.squares, accuracy)?;
        let network = atoms.network(&responses, w.as_ref())?;
        let value = network.objective(problem);
        if value < found.upper {
            (found.upper, found.network) = (value, network);
        }
        let (best, peaks) = at.peaks(lifted.weights(w.as_ref()).as_ref(), level);
        let bound = scaled_bound(w.as_ref(), y, gamma, best.value / pooled);
        found.lower = found.lower.max(bound).min(found.upper);
        let gap = (found.upper - found.lower) / found.upper;
        found.converged = gap <= settings.tolerance;
        if found.converged || found.rounds >= settings.max_rounds || control.should_stop() {
            break;
        }
        atoms.drop();
        atoms.add(&peaks, gap);
        accuracy = 0.01 * gap.max(settings.tolerance) * found.upper;
        found.rounds += 1;
    }
    Ok(found)
}

/// Unit directions held, and the squared lengths of their filters.
struct Atoms<'a> {
    at: &'a Arrangement,
    problem: &'a ConvolutionalProblem,
    lifted: &'a Lifted<'a>,
    directions: Vec<f64>,
    squares: Vec<f64>,
}

impl Atoms<'_> {
    fn matrix(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.directions, self.at.rank(), self.squares.len())
    }

    /// The means over blocks, n × a·m.
    fn responses(&self) -> Mat<f64> {
        let shape = self.problem.shape();
        let (blocks, pooled, m) = (shape.blocks(), shape.pooled(), self.squares.len());
        let activation = self.at.space.activations(self.matrix());
        Mat::from_fn(self.lifted.problem().samples(), blocks * m, |i, f| {
            let first = (i * blocks + f / m) * pooled;
            let rows = self.lifted.place()[first..first + pooled].iter().flatten();
            rows.map(|&row| activation[(row, f % m)]).sum::<f64>() / pooled as f64
        })
    }

    fn network(&self, responses: &Mat<f64>, w: MatRef<'_, f64>) -> Result<ConvolutionalNetwork> {
        let (m, c) = (self.squares.len(), self.problem.outputs());
        let lengths: Vec<f64> = self.squares.iter().map(|s| s.sqrt()).collect();
        let pull = product(w.transpose(), responses.as_ref());
        let gamma = self.problem.weight_decay();
        let output = Mat::from_fn(c, pull.ncols(), |o, f| pull[(o, f)] * lengths[f % m] / gamma);
        let filters = self.at.space.network(self.matrix(), &lengths, Mat::zeros(1, m))?;
        ConvolutionalNetwork::new(filters.hidden().to_owned(), output, self.problem.shape().blocks())
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
            if added.len() < ADDED && added.iter().all(|other| dot(other, &peak.direction) < apart) {
                added.push(&peak.direction);
            }
        }
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
