//! Stand-in: a network without neurons and a bound of zero.

use crate::report::{Grade, Report, Seconds, Status};
use crate::{Control, Network, Observer, Result, TrainingProblem};
use std::path::Path;

/// Settings of [`certify`].
#[derive(Clone, Debug)]
pub struct CertifySettings {
    /// Relative gap to reach; 1e-3.
    pub tolerance: f64,
    /// Seed; 0.
    pub seed: u64,
    /// Largest rank; no limit.
    pub rank_limit: Option<usize>,
}

impl Default for CertifySettings {
    fn default() -> Self {
        Self { tolerance: 1e-3, seed: 0, rank_limit: None }
    }
}

/// A network and the report of its bound.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The network.
    pub network: Network,
    /// The figures.
    pub report: Report,
}

/// Stand-in for the solver.
pub fn certify(
    problem: &TrainingProblem,
    _settings: &CertifySettings,
    control: &Control,
    _observer: &mut dyn Observer,
) -> Result<Certified> {
    let network = Network::empty(problem.inputs(), problem.outputs());
    let upper_bound = network.objective(problem);
    let status = if control.should_stop() { Status::TimeLimit } else { Status::Stalled };
    let report = Report {
        schema: Report::SCHEMA,
        samples: problem.samples(),
        features: problem.inputs(),
        outputs: problem.outputs(),
        gamma: problem.weight_decay(),
        upper_bound,
        network_width: 0,
        relaxation_value: upper_bound,
        primal_infeasibility: 0.0,
        lower_bound: 0.0,
        grade: Grade::None,
        failure_probability: 0.0,
        gap: 1.0,
        solver_gap: 1.0,
        blocks: 1,
        rank: 0,
        pairs: 0,
        active_pairs: 0,
        status,
        seconds: Seconds::default(),
        peak_memory_bytes: crate::report::peak_memory_bytes(),
    };
    Ok(Certified { network, report })
}

impl Certified {
    /// Stand-in.
    pub fn save(&self, _problem: &TrainingProblem, _dir: &Path) -> Result<()> {
        Ok(())
    }
}
