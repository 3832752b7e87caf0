//! The Frank–Wolfe algorithm of Sahiner et al. (ICLR 2021, section 4.2 and algorithm 1; arXiv 2012.13329), in low rank.
//!
//! Over the patterns D_i and their cones K_i, the constrained problem is min ½‖Σ D_iXV_i − Y‖² over Σ‖V_i‖_{K_i,*} ≤ t. A step
//! goes towards t·uvᵀ with the u of largest ‖Wᵀ(Xu)₊‖, ‖u‖ = 1, over all cones: W = Y − Σ D_iXV_i is the residual, and each
//! cone's maximum is a principal component under its inequalities. Here that maximum is exact (see
//! [`arrangements`](super::arrangements)) and the step is by exact line search.
//!
//! With weight decay instead of t, the same steps are taken in (Z, τ): min ½‖Z − Y‖² + γτ over ‖Z‖_K ≤ τ ≤ T, where T = (value so
//! far)/γ bounds the norm of an optimum (Harchaoui, Juditsky and Nemirovski, Math. Program. 152, 2015). Both stop by
//! the Frank–Wolfe gap, which bounds the distance to the optimum.

use super::arrangements::{Arrangement, scaled_bound};
use crate::linalg::product;
use crate::vector::dot;
use crate::{Control, Error, Network, Result, TrainingProblem};
use faer::{Mat, MatRef};

/// How far to go.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct FrankWolfeSettings {
    /// t, the bound Σ‖u‖‖v‖ ≤ t of the constrained problem, positive; none for weight decay (default).
    pub radius: Option<f64>,
    /// Gap, as a fraction of the objective, at which a run ends (default 1e-3; the gap falls like one over the iterations).
    pub tolerance: f64,
    /// Most iterations (default 100 000).
    pub max_iterations: usize,
    /// Most cells of all dimensions of the arrangement (default 500 000).
    pub max_cells: usize,
}

impl Default for FrankWolfeSettings {
    fn default() -> Self {
        Self { radius: None, tolerance: 1e-3, max_iterations: 100_000, max_cells: 500_000 }
    }
}

impl FrankWolfeSettings {
    fn check(&self) -> Result<()> {
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            let value = self.tolerance.to_string();
            return Err(Error::Parameter { name: "tolerance", value, range: "between 0 and 1" });
        }
        if let Some(radius) = self.radius.filter(|t| !(*t > 0.0 && t.is_finite())) {
            return Err(Error::Parameter { name: "radius", value: radius.to_string(), range: "positive" });
        }
        Ok(())
    }
}

/// What Frank–Wolfe found.
#[derive(Clone, Debug)]
pub struct FrankWolfeSolution {
    /// The network of the last iterate; Σ‖u‖‖v‖ ≤ t in the constrained problem.
    pub network: Network,
    /// The network's training objective ½‖·‖² + (γ/2)(‖U‖² + ‖V‖²), an upper bound on p*.
    pub upper: f64,
    /// A lower bound on p*, in floating point: the best of the iterates' residuals, scaled to dual feasibility.
    pub lower: f64,
    /// The Frank–Wolfe gap: the last iterate of the problem that was solved is this close to its optimum, at most.
    pub gap: f64,
    /// Steps taken.
    pub iterations: usize,
    /// Whether the gap fell below the tolerance.
    pub converged: bool,
}

/// Runs Frank–Wolfe; `control` is asked before every step, and stopping is not an error.
///
/// Fails where the data have too many patterns (see [`Arrangement::new`]).
pub fn solve(
    problem: &TrainingProblem,
    settings: &FrankWolfeSettings,
    control: &Control,
) -> Result<FrankWolfeSolution> {
    settings.check()?;
    let arrangement = Arrangement::new(problem, settings.max_cells)?;
    let gamma = problem.weight_decay();
    let mut iterate = Iterate::new(problem, &arrangement);
    let (mut lower, mut iterations): (f64, usize) = (0.0, 0);
    let (gap, converged) = loop {
        let norm = iterate.norm();
        let w = &iterate.residual;
        let objective = 0.5 * w.squared_norm_l2() + gamma * norm;
        let best = arrangement.best(w.as_ref());
        lower = lower.max(scaled_bound(w.as_ref(), problem.targets(), gamma, best.value));
        // what one unit of norm is charged, and the most of it that may be had
        let (price, radius) = settings.radius.map_or((gamma, objective / gamma), |t| (0.0, t));
        let target = if best.value > price { radius } else { 0.0 };
        let fit = dot(&iterate.flat_residual(), &iterate.prediction);
        let gap = target * (best.value - price) - (fit - price * norm);
        let solved = objective - if settings.radius.is_some() { gamma * norm } else { 0.0 };
        if gap <= settings.tolerance * solved {
            break (gap, true);
        }
        if iterations >= settings.max_iterations || control.should_stop() {
            break (gap, false);
        }
        iterate.step(&best.direction, target, gap);
        iterations += 1;
    };
    let network = iterate.network()?;
    let upper = network.objective(problem);
    Ok(FrankWolfeSolution { network, upper, lower, gap: gap.max(0.0), iterations, converged })
}

/// Σ a_k o_kᵀ with a_k = (Xz_k)₊, ‖z_k‖ = 1.
struct Iterate<'a> {
    problem: &'a TrainingProblem,
    arrangement: &'a Arrangement,
    directions: Vec<Vec<f64>>,
    outputs: Vec<Vec<f64>>,
    /// The prediction by column, n·c values.
    prediction: Vec<f64>,
    residual: Mat<f64>,
}

impl<'a> Iterate<'a> {
    fn new(problem: &'a TrainingProblem, arrangement: &'a Arrangement) -> Self {
        Self {
            problem,
            arrangement,
            directions: Vec::new(),
            outputs: Vec::new(),
            prediction: vec![0.0; problem.samples() * problem.outputs()],
            residual: problem.targets().to_owned(),
        }
    }

    fn norm(&self) -> f64 {
        self.outputs.iter().map(|o| dot(o, o).sqrt()).sum()
    }

    fn flat_residual(&self) -> Vec<f64> {
        self.residual.col_iter().flat_map(|column| column.iter()).copied().collect()
    }

    /// Towards `target` along z and its best output, as far as lowers the objective most: the slope is −gap.
    fn step(&mut self, z: &[f64], target: f64, gap: f64) {
        let direction = MatRef::from_column_major_slice(z, z.len(), 1);
        let activation = self.arrangement.space.activations(direction);
        let pull = product(self.residual.transpose(), activation.as_ref());
        let length = pull.norm_l2();
        let scale = if length > 0.0 { target / length } else { 0.0 };
        let output: Vec<f64> = pull.col(0).iter().map(|p| p * scale).collect();
        let n = self.problem.samples();
        let change: Vec<f64> = (0..self.prediction.len())
            .map(|at| activation[(at % n, 0)] * output[at / n] - self.prediction[at])
            .collect();
        let curvature = dot(&change, &change);
        let share = if curvature > 0.0 { (gap / curvature).clamp(0.0, 1.0) } else { 1.0 };
        self.prediction.iter_mut().zip(&change).for_each(|(p, d)| *p += share * d);
        let targets = self.problem.targets();
        self.residual = Mat::from_fn(n, output.len(), |i, j| targets[(i, j)] - self.prediction[j * n + i]);
        self.outputs.iter_mut().flatten().for_each(|o| *o *= 1.0 - share);
        // outputs of one direction add up, which can only shorten them
        let place = self.directions.iter().position(|d| d.as_slice() == z).unwrap_or_else(|| {
            self.directions.push(z.to_vec());
            self.outputs.push(vec![0.0; output.len()]);
            self.outputs.len() - 1
        });
        self.outputs[place].iter_mut().zip(&output).for_each(|(o, v)| *o += share * v);
    }

    fn network(&self) -> Result<Network> {
        let kept: Vec<usize> =
            (0..self.outputs.len()).filter(|&k| self.outputs[k].iter().any(|o| *o != 0.0)).collect();
        let rank = self.arrangement.rank();
        let directions = Mat::from_fn(rank, kept.len(), |i, k| self.directions[kept[k]][i]);
        let lengths: Vec<f64> =
            kept.iter().map(|&k| dot(&self.outputs[k], &self.outputs[k]).powf(0.25)).collect();
        let output =
            Mat::from_fn(self.problem.outputs(), kept.len(), |j, k| self.outputs[kept[k]][j] / lengths[k]);
        self.arrangement.space.network(directions.as_ref(), &lengths, output)
    }
}
