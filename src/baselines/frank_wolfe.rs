//! The Frank–Wolfe algorithm of Sahiner et al. (ICLR 2021, section 4.2 and algorithm 1; arXiv 2012.13329), in low rank.
//!
//! Over the patterns D_i and their cones K_i, the constrained problem is min ½‖Σ D_iXV_i − Y‖² over Σ‖V_i‖_{K_i,*} ≤ t. A step
//! goes towards t·uvᵀ with the u of largest ‖Wᵀ(Xu)₊‖, ‖u‖ = 1, over all cones: W = Y − Σ D_iXV_i is the residual, and each
//! cone's maximum is a principal component under its inequalities. Here that maximum is exact (see
//! [`arrangements`](super::arrangements)) and the step is by exact line search.
//!
//! With weight decay instead of t, the problem is min ½‖Z − Y‖² + γτ over ‖Z‖_K ≤ τ ≤ T, where T = (value so far)/γ bounds the
//! norm of an optimum, and a step goes to the best point among all combinations of 0, the iterate and the new atom
//! (Harchaoui, Juditsky and Nemirovski, Math. Program. 152, 2015). Both stop by the Frank–Wolfe gap, which bounds the
//! distance to the optimum.

use super::arrangements::{Arrangement, scaled_bound};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::dense::product;
use crate::linalg::vector::dot;
use crate::problem::{Network, TrainingProblem};
use faer::{Mat, MatRef};

/// How far to go.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct FrankWolfeSettings {
    /// t, the bound Σ‖u‖‖v‖ ≤ t of the constrained problem, positive; none for weight decay (default).
    pub radius: Option<f64>,
    /// Gap, as a fraction of the objective, at which a run ends (default 1e-2; it falls like one over the iterations).
    pub tolerance: f64,
    /// Most iterations (default 10 000).
    pub max_iterations: usize,
    /// Most cells of all dimensions of the arrangement (default 500 000).
    pub max_cells: usize,
}

impl Default for FrankWolfeSettings {
    fn default() -> Self {
        Self { radius: None, tolerance: 1e-2, max_iterations: 10_000, max_cells: 500_000 }
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
#[non_exhaustive]
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
        iterate.step(&best.direction, norm, settings.radius);
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

    /// ρ·(what there is) + σ·a oᵀ with a = (Xz)₊ and its best output o, ‖o‖ = 1: ρ and σ lower the objective most, along the
    /// segment towards norm t or, with weight decay, among all ρ, σ ≥ 0.
    fn step(&mut self, z: &[f64], norm: f64, radius: Option<f64>) {
        let direction = MatRef::from_column_major_slice(z, z.len(), 1);
        let activation = self.arrangement.space.activations(direction);
        let pull = product(self.residual.transpose(), activation.as_ref());
        let length = pull.norm_l2().max(f64::MIN_POSITIVE);
        let output: Vec<f64> = pull.col(0).iter().map(|p| p / length).collect();
        let (n, y) = (self.problem.samples(), self.problem.targets());
        let size = self.prediction.len();
        let atom: Vec<f64> = (0..size).map(|at| activation[(at % n, 0)] * output[at / n]).collect();
        let (zz, za, aa) =
            (dot(&self.prediction, &self.prediction), dot(&self.prediction, &atom), dot(&atom, &atom));
        let fit = |p: &[f64]| (0..size).map(|at| p[at] * y[(at % n, at / n)]).sum::<f64>();
        let (zy, ay) = (fit(&self.prediction), fit(&atom));
        let (rho, sigma) = match radius {
            Some(t) => {
                let share = segment(t * (ay - za) - zy + zz, t * t * aa - 2.0 * t * za + zz);
                (1.0 - share, t * share)
            }
            None => {
                let gamma = self.problem.weight_decay();
                quadrant([zz, za, aa], [zy - gamma * norm, ay - gamma])
            }
        };
        self.prediction.iter_mut().zip(&atom).for_each(|(p, a)| *p = rho * *p + sigma * a);
        self.residual = Mat::from_fn(n, output.len(), |i, j| y[(i, j)] - self.prediction[j * n + i]);
        self.outputs.iter_mut().flatten().for_each(|o| *o *= rho);
        // outputs of one direction add up, which can only shorten them
        let place = self.directions.iter().position(|d| d.as_slice() == z).unwrap_or_else(|| {
            self.directions.push(z.to_vec());
            self.outputs.push(vec![0.0; output.len()]);
            self.outputs.len() - 1
        });
        self.outputs[place].iter_mut().zip(&output).for_each(|(o, v)| *o += sigma * v);
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

/// The best part of the way for a slope (of what is gained) and a curvature.
fn segment(slope: f64, curvature: f64) -> f64 {
    if curvature > 0.0 { (slope / curvature).clamp(0.0, 1.0) } else { 0.0 }
}

/// The x ≥ 0 of least ½(q₀x₀² + 2q₁x₀x₁ + q₂x₁²) − bᵀx.
fn quadrant(q: [f64; 3], b: [f64; 2]) -> (f64, f64) {
    let alone = |b: f64, q: f64| if q > 0.0 { (b / q).max(0.0) } else { 0.0 };
    let value =
        |x: f64, y: f64| 0.5 * (q[0] * x * x + 2.0 * q[1] * x * y + q[2] * y * y) - b[0] * x - b[1] * y;
    let determinant = q[0] * q[2] - q[1] * q[1];
    let mut choices = vec![(alone(b[0], q[0]), 0.0), (0.0, alone(b[1], q[2]))];
    if determinant > 1e-14 * q[0] * q[2] {
        let both = ((b[0] * q[2] - b[1] * q[1]) / determinant, (b[1] * q[0] - b[0] * q[1]) / determinant);
        if both.0 >= 0.0 && both.1 >= 0.0 {
            choices.push(both);
        }
    }
    choices.into_iter().min_by(|x, y| value(x.0, x.1).total_cmp(&value(y.0, y.1))).unwrap_or((1.0, 0.0))
}
