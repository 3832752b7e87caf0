//! The lifted problem in the coordinates the solver works in.
//!
//! Samples become unit directions of a whitened feature space, parallel samples share one direction, and all
//! quantities are scaled so that the objective is of order one. With x = (u, s), s = |Xu| on a neuron, every
//! sample owns the nonnegative linear forms α = (s + Xu)/2 and β = (s − Xu)/2 (arXiv 2410.22311, section 3,
//! in the reduced order d + n + c). `docs/mathematics.md` derives the change of variables.

mod coupling;
mod cut;
pub mod cuts;
mod factor;
mod forms;
mod geometry;
mod near;
mod pairs;
mod scan;
mod tree;

pub use cut::Cut;
pub use factor::LiftedFactor;
pub use forms::LiftedForms;
pub use geometry::{Geometry, SampleLink};
pub use pairs::{Constraint, PairKey, PairSet};
pub use scan::{Violation, scan_cuts, scan_violations};
pub use tree::Forest;

use crate::error::Result;
use crate::problem::{Network, TrainingProblem};
use coupling::Coupling;
use faer::{Mat, MatRef};

/// One row of the loss: ½‖weight · p Vᵀ − target‖² for the form p of that index.
#[derive(Clone, Copy, Debug)]
pub struct FitRow {
    /// Index of the form among the base forms.
    pub form: usize,
    /// √Σρ² over the samples that share the form.
    pub weight: f64,
}

/// The scaled problem: min ½Σ‖w_f p_f Vᵀ − t_f‖² + ½tr(UᵀΓU) + (g/2)‖V‖² over the relaxation's cone.
#[derive(Debug)]
pub struct Lifting {
    /// Whitening, merging and scales.
    pub geometry: Geometry,
    /// Spanning forest of nearly parallel directions; it defines the coordinates of s.
    pub forest: Forest,
    /// The base forms α_0…α_{G−1}, β_0…β_{G−1} in the coordinates (u, δ).
    pub base: LiftedForms,
    /// Rows of the loss.
    pub fit: Vec<FitRow>,
    /// Targets of the rows of the loss, row-major, c values a row.
    pub fit_targets: Vec<f64>,
    /// Diagonal of Γ, the weight decay of the whitened u.
    pub hidden_decay: Vec<f64>,
    /// g, the weight decay of V.
    pub output_decay: f64,
    /// What a price adds to diag(Γ, gI); none without a price.
    coupling: Option<Coupling>,
    /// The objective of the training problem is `scale` × (scaled objective + `constant`).
    pub scale: f64,
    /// The part of the scaled loss that no network can change.
    pub constant: f64,
    /// c.
    pub outputs: usize,
}

impl Lifting {
    /// Builds the lifted problem; costs a thin SVD of X and a pass over pairs of directions.
    pub fn new(problem: &TrainingProblem) -> Result<Self> {
        Self::merging(problem, 0.0)
    }

    /// Builds the lifted problem with directions no further apart than `reach` (of unit vectors) merged. It differs from
    /// the exact one by a relative change of the data of that size.
    pub(crate) fn merging(problem: &TrainingProblem, reach: f64) -> Result<Self> {
        problem.dense_features()?;
        let mut geometry = Geometry::merging(problem, reach)?;
        let forest = Forest::new(&mut geometry);
        let base = forms::base_forms(&geometry, &forest);
        let outputs = problem.outputs();
        let groups = geometry.groups();
        let scale = geometry.target_scale * geometry.target_scale;

        let mut weight2 = vec![0.0; 2 * groups];
        let mut moment = vec![0.0; 2 * groups * outputs];
        let mut squares = 0.0;
        for (i, link) in geometry.samples.iter().enumerate() {
            let y = problem.targets().row(i);
            let inverse = 1.0 / geometry.target_scale;
            squares += y.iter().map(|v| (v * inverse).powi(2)).sum::<f64>();
            if let Some(form) = link.form(groups) {
                let rho = geometry.fit_scale(link);
                weight2[form] += rho * rho;
                for (m, v) in moment[form * outputs..][..outputs].iter_mut().zip(y.iter()) {
                    *m += rho * v * inverse;
                }
            }
        }
        let mut fit = Vec::new();
        let mut fit_targets = Vec::new();
        for (form, &w2) in weight2.iter().enumerate() {
            if w2 > 0.0 {
                let weight = w2.sqrt();
                fit.push(FitRow { form, weight });
                fit_targets.extend(moment[form * outputs..][..outputs].iter().map(|m| m / weight));
            }
        }
        let constant = 0.5 * (squares - fit_targets.iter().map(|t| t * t).sum::<f64>()).max(0.0);
        let hidden_decay = geometry.hidden_decay(problem.weight_decay());
        let output_decay = problem.weight_decay() * geometry.output_scale.powi(2) / scale;
        Ok(Self {
            geometry,
            forest,
            base,
            fit,
            fit_targets,
            hidden_decay,
            output_decay,
            coupling: None,
            scale,
            constant,
            outputs,
        })
    }

    /// Number of directions G, at most n.
    pub fn groups(&self) -> usize {
        self.geometry.groups()
    }

    /// Dimension of the whitened u, the numerical rank of X.
    pub fn hidden_dimension(&self) -> usize {
        self.geometry.rank
    }

    /// Order of the (u, δ) coordinates, dim u + G.
    pub fn order(&self) -> usize {
        self.hidden_dimension() + self.groups()
    }

    /// The objective of the training problem that belongs to a scaled objective.
    pub fn unscale(&self, value: f64) -> f64 {
        self.scale * (value + self.constant)
    }

    /// What one unit of a root's s² in the scaled problem is for a sample of the training problem, times its leverage.
    pub(crate) fn leverage_unit(&self) -> f64 {
        let unit = (self.geometry.target_scale / self.geometry.hidden_scale).powi(2);
        unit / self.geometry.samples.len().max(1) as f64
    }

    /// A network's neurons as columns of (u, δ) (order × m, row-major) and of V (c × m, row-major).
    ///
    /// Neurons are rebalanced on the way, which leaves the product and lowers the objective or keeps it.
    pub fn lift_network(&self, network: &Network) -> (Vec<f64>, Vec<f64>) {
        let (k, groups, m) = (self.hidden_dimension(), self.groups(), network.width());
        let mut factor = vec![0.0; self.order() * m];
        let mut output = vec![0.0; self.outputs * m];
        let whitened = self.geometry.whiten_hidden(network.hidden());
        for column in 0..m {
            let decay: f64 = (0..k).map(|a| self.hidden_decay[a] * whitened[(a, column)].powi(2)).sum();
            let scaled_v: f64 = network.output().col(column).iter().map(|v| v * v).sum::<f64>()
                * self.output_decay
                / self.geometry.output_scale.powi(2);
            let balance = if decay > 0.0 && scaled_v > 0.0 { (scaled_v / decay).powf(0.25) } else { 0.0 };
            for a in 0..k {
                factor[a * m + column] = whitened[(a, column)] * balance;
            }
            if balance > 0.0 {
                for j in 0..self.outputs {
                    output[j * m + column] =
                        network.output()[(j, column)] / (self.geometry.output_scale * balance);
                }
            }
        }
        let (hidden, tail) = factor.split_at_mut(k * m);
        for g in 0..groups {
            let direction = self.geometry.direction(g);
            for column in 0..m {
                let z: f64 = (0..k).map(|a| direction[a] * hidden[a * m + column]).sum();
                tail[g * m + column] = z.abs();
            }
        }
        self.forest.to_differences(tail, m);
        (factor, output)
    }

    /// Hidden weights in the original coordinates (d × r) of the u part of a factor (dim u × r, row-major).
    pub fn hidden_weights(&self, factor: &[f64], columns: usize) -> Mat<f64> {
        self.geometry.unwhiten_hidden(MatRef::from_row_major_slice(factor, self.hidden_dimension(), columns))
    }
    /// A factor, R over (u, δ) and V over the outputs, both row-major, in the coordinates of the training problem.
    pub(crate) fn original(&self, r: &[f64], v: &[f64], columns: usize) -> LiftedFactor {
        let (n, groups) = (self.geometry.samples.len(), self.groups());
        let mut forms = vec![0.0; self.base.len() * columns];
        self.base.evaluate(r, columns, &mut forms);
        // β of a sample is the other form of its direction.
        let sample = |other: usize| {
            Mat::from_fn(n, columns, |i, j| {
                let link = &self.geometry.samples[i];
                link.form(groups).map_or(0.0, |form| {
                    let form = (form + other * groups) % (2 * groups);
                    forms[form * columns + j] * link.length * self.geometry.hidden_scale
                })
            })
        };
        LiftedFactor {
            alpha: sample(0),
            beta: sample(1),
            hidden: self.hidden_weights(&r[..self.hidden_dimension() * columns], columns),
            output: Mat::from_fn(self.outputs, columns, |k, j| {
                v[k * columns + j] * self.geometry.output_scale
            }),
        }
    }
}
