//! The group lasso over fixed directions, by the smaller of its two systems.

use crate::control::Control;
use crate::linalg::dense::{Cholesky, product};
use crate::training::coordinates::Coordinates;
use crate::training::projection::normal_equations;
use faer::linalg::matmul::triangular;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, Mat, MatRef, Par};

/// So few samples that their system is always the one to solve.
const FEW: usize = 300;
/// Multiplications from which a product is shared between two threads.
const PARALLEL: usize = 1 << 22;

pub(super) struct Model {
    pub weight_decay: f64,
    energy: f64,
    samples: usize,
    form: Form,
}

enum Form {
    /// AᵀA and AᵀY: the system is γI + DAᵀAD with D = diag(√η).
    Neurons { gram: Mat<f64>, target: Mat<f64> },
    /// A and Y: the system is K = γI + A diag(η) Aᵀ.
    Samples { activation: Mat<f64>, targets: Mat<f64> },
}

/// What is known at one η.
pub(super) struct Point {
    pub value: f64,
    /// AᵀW, m × c.
    pub pull: Mat<f64>,
    factor: Cholesky,
    /// The neurons whose η is positive: those of the system of neurons.
    support: Vec<usize>,
}

impl Point {
    /// The derivative of the value with respect to each η: γ/2 − ‖Wᵀa‖²/2γ.
    pub fn slopes(&self, model: &Model) -> Vec<f64> {
        let (gamma, width) = (model.weight_decay, self.pull.nrows());
        (0..width)
            .map(|j| 0.5 * gamma - 0.5 * self.pull.row(j).iter().map(|p| p * p).sum::<f64>() / gamma)
            .collect()
    }
}

impl Model {
    /// For directions of length one (k × m by column). `None` where it is told to stop.
    pub fn new(at: &Coordinates, unit: &[f64], control: &Control) -> Option<Self> {
        let (n, width) = (at.samples(), unit.len() / at.rank());
        let form = if n <= width.max(FEW) {
            let mut activation = at.preactivation(MatRef::from_column_major_slice(unit, at.rank(), width));
            for column in activation.col_iter_mut() {
                column.iter_mut().for_each(|a| *a = a.max(0.0));
            }
            Form::Samples { activation, targets: at.targets.clone() }
        } else {
            let (gram, target) = normal_equations(at, unit, control)?;
            Form::Neurons { gram, target }
        };
        Some(Self { weight_decay: at.weight_decay, energy: at.targets.squared_norm_l2(), samples: n, form })
    }

    /// Multiplications that it took to set it up, roughly.
    pub fn cost_of_start(&self) -> f64 {
        match &self.form {
            Form::Neurons { gram, .. } => self.samples as f64 * 0.5 * (gram.nrows() as f64).powi(2),
            Form::Samples { .. } => 0.0,
        }
    }

    /// Multiplications of a Newton step, roughly.
    pub fn cost_of_step(&self, eta: &[f64]) -> f64 {
        let support = eta.iter().filter(|eta| **eta > 0.0).count() as f64;
        let others = match &self.form {
            Form::Neurons { .. } => 1.3 * support.powi(3),
            Form::Samples { activation, .. } => {
                let n = activation.nrows() as f64;
                n * n * (support + n / 6.0) + 0.5 * n * support * support
            }
        };
        others + support.powi(3) / 6.0
    }

    /// ‖a_j‖², which bounds the curvature along η_j where ‖Wᵀa_j‖ is about γ.
    pub fn energy_of(&self, j: usize) -> f64 {
        match &self.form {
            Form::Neurons { gram, .. } => gram[(j, j)],
            Form::Samples { activation, .. } => activation.col(j).squared_norm_l2(),
        }
    }

    /// `None` where the factorisation fails.
    pub fn at(&self, eta: &[f64]) -> Option<Point> {
        let point = match &self.form {
            Form::Neurons { gram, target } => self.by_neurons(gram, target, eta),
            Form::Samples { activation, targets } => self.by_samples(activation, targets, eta),
        }?;
        point.value.is_finite().then_some(point)
    }

    /// With (γI + DAᵀAD)s = DAᵀY: AᵀW = AᵀY − AᵀADs, which is γs/√η where η > 0.
    fn by_neurons(&self, gram: &Mat<f64>, target: &Mat<f64>, eta: &[f64]) -> Option<Point> {
        let (gamma, targets) = (self.weight_decay, target.ncols());
        let support: Vec<usize> = (0..eta.len()).filter(|&j| eta[j] > 0.0).collect();
        let root: Vec<f64> = support.iter().map(|&j| eta[j].sqrt()).collect();
        let mut system = Mat::zeros(support.len(), support.len());
        for (b, &l) in support.iter().enumerate() {
            let (from, to) = (gram.col_as_slice(l), system.col_as_slice_mut(b));
            for (a, &k) in support.iter().enumerate().skip(b) {
                to[a] = root[a] * from[k] * root[b];
            }
        }
        let mut factor = Cholesky::default();
        if !factor.factorize(&system, gamma) {
            return None;
        }
        let right = Mat::from_fn(support.len(), targets, |a, c| root[a] * target[(support[a], c)]);
        let solved = factor.solution(right.as_ref());
        let mut fit = self.energy;
        for (s, t) in solved.col_iter().zip(right.col_iter()) {
            fit -= s.iter().zip(t.iter()).map(|(s, t)| s * t).sum::<f64>();
        }
        let mut back = Mat::zeros(eta.len(), targets);
        for (a, &k) in support.iter().enumerate() {
            (0..targets).for_each(|c| back[(k, c)] = root[a] * solved[(a, c)]);
        }
        let mut pull = target - product(gram.as_ref(), back.as_ref());
        for (a, &k) in support.iter().enumerate() {
            (0..targets).for_each(|c| pull[(k, c)] = gamma * solved[(a, c)] / root[a]);
        }
        let value = 0.5 * fit + 0.5 * gamma * eta.iter().sum::<f64>();
        Some(Point { value, pull, factor, support })
    }

    fn by_samples(&self, activation: &Mat<f64>, targets: &Mat<f64>, eta: &[f64]) -> Option<Point> {
        let gamma = self.weight_decay;
        let support: Vec<usize> = (0..eta.len()).filter(|&j| eta[j] > 0.0).collect();
        let (n, m) = (activation.nrows(), support.len());
        let scaled = Mat::from_fn(n, m, |i, a| activation[(i, support[a])] * eta[support[a]].sqrt());
        let mut system = Mat::zeros(n, n);
        lower_product(&mut system, scaled.as_ref(), scaled.transpose());
        let mut factor = Cholesky::default();
        if !factor.factorize(&system, gamma) {
            return None;
        }
        let mut residual = factor.solution(targets.as_ref());
        residual.col_iter_mut().for_each(|w| w.iter_mut().for_each(|w| *w *= gamma));
        let fit: f64 = residual
            .col_iter()
            .zip(targets.col_iter())
            .map(|(w, y)| w.iter().zip(y.iter()).map(|(w, y)| w * y).sum::<f64>())
            .sum();
        let pull = product(activation.transpose(), residual.as_ref());
        let value = 0.5 * fit + 0.5 * gamma * eta.iter().sum::<f64>();
        Some(Point { value, pull, factor, support })
    }

    /// AᵀK⁻¹A for the neurons in `free` (a part of the support): its lower triangle.
    ///
    /// By neurons it is D⁻¹(I − γM⁻¹)D⁻¹ with M = γI + DAᵀAD, which does not cancel where γ is small.
    pub fn resolvent(&self, point: &Point, eta: &[f64], free: &[usize]) -> Mat<f64> {
        match &self.form {
            Form::Neurons { .. } => {
                let (size, gamma) = (point.support.len(), self.weight_decay);
                let place: Vec<usize> =
                    free.iter().map(|j| point.support.binary_search(j).unwrap_or(0)).collect();
                let mut inverse = Mat::identity(size, size);
                solve_lower_triangular_in_place(
                    point.factor.lower(),
                    inverse.as_mut(),
                    shared(size * size * size),
                );
                let columns = Mat::from_fn(size, free.len(), |i, a| inverse[(i, place[a])]);
                let mut resolvent = Mat::zeros(free.len(), free.len());
                lower_product(&mut resolvent, columns.transpose(), columns.as_ref());
                let root: Vec<f64> = free.iter().map(|&j| eta[j].sqrt()).collect();
                for b in 0..free.len() {
                    for a in b..free.len() {
                        let unit = if a == b { 1.0 } else { 0.0 };
                        resolvent[(a, b)] = (unit - gamma * resolvent[(a, b)]) / (root[a] * root[b]);
                    }
                }
                resolvent
            }
            Form::Samples { activation, .. } => {
                let n = activation.nrows();
                let mut columns = Mat::from_fn(n, free.len(), |i, a| activation[(i, free[a])]);
                let par = shared(n * n * free.len());
                solve_lower_triangular_in_place(point.factor.lower(), columns.as_mut(), par);
                let mut resolvent = Mat::zeros(free.len(), free.len());
                lower_product(&mut resolvent, columns.transpose(), columns.as_ref());
                resolvent
            }
        }
    }
}

/// Whether so many multiplications are shared between two threads: a constant, because bits depend on it.
fn shared(work: usize) -> Par {
    if work < PARALLEL { Par::Seq } else { Par::rayon(2) }
}

/// The lower triangle of AB.
fn lower_product(to: &mut Mat<f64>, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    let par = shared(a.nrows() * a.ncols() * b.ncols());
    let (lower, full) =
        (triangular::BlockStructure::TriangularLower, triangular::BlockStructure::Rectangular);
    triangular::matmul(to.as_mut(), lower, Accum::Replace, a, full, b, full, 1.0, par);
}
