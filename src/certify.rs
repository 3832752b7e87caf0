//! The whole road: train, relax, bound, prove, round, report.

use crate::certificate::{self, Certificate, Proof, ProofSettings, certify_dual_with};
use crate::divide::Division;
use crate::relax::{check_size, relax};
use crate::report::{Report, Seconds};
use crate::settings::CertifySettings;
use crate::training::{TrainingSettings, polish, train};
use crate::{Control, Error, Network, Observer, Result, TrainingProblem};
use faer::{Mat, MatRef};
use std::path::Path;
use std::time::Instant;

/// A network, a certificate with its proof, and the report of the run.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The best network found.
    pub network: Network,
    /// The dual point that proves the lower bound.
    pub certificate: Certificate,
    /// The proof made from the certificate.
    pub proof: Proof,
    /// The figures.
    pub report: Report,
}

impl Certified {
    /// Writes `problem.npz`, `network.npz` and `certificate.npz` into a folder, each whole or not at all.
    pub fn save(&self, problem: &TrainingProblem, folder: &Path) -> Result<()> {
        certificate::save_problem(&folder.join("problem.npz"), problem)?;
        certificate::save_network(&folder.join("network.npz"), &self.network)?;
        certificate::save_certificate(&folder.join("certificate.npz"), &self.certificate)
    }
}

/// Trains a network, solves the relaxation and proves a lower bound on the objective of every network.
///
/// Stops at the tolerance, when `control` says so (then with the best bound so far), or when nothing improves.
pub fn certify(
    problem: &TrainingProblem,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<Certified> {
    run(problem, None, settings, control, observer)
}

/// Solves the relaxation and proves how far a network that comes from elsewhere is from optimal: the report has its
/// objective, rounded upwards, as the upper bound, and the network is returned as it came.
///
/// Errors: as [`certify`], and a network whose shape (U d × m, V c × m) does not fit or whose objective is not finite.
pub fn certify_network(
    problem: &TrainingProblem,
    network: &Network,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<Certified> {
    let (hidden, output) = (network.hidden().nrows(), network.output().nrows());
    if (hidden, output) != (problem.inputs(), problem.outputs()) {
        return Err(Error::Shape {
            what: "network",
            expected: format!("{} features and {} outputs", problem.inputs(), problem.outputs()),
            actual: format!("U for {hidden} features and V for {output} outputs"),
        });
    }
    problem.dense_features()?;
    if !network.objective_upper(problem).is_finite() {
        return Err(Error::Input(
            "the objective of the network overflows; divide its weights by a constant".into(),
        ));
    }
    run(problem, Some(network), settings, control, observer)
}

fn run(
    problem: &TrainingProblem,
    given: Option<&Network>,
    settings: &CertifySettings,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<Certified> {
    settings.check()?;
    problem.dense_features()?;
    let blocks = settings.blocks.count(problem.samples())?;
    check_size(problem, blocks)?;
    let training = TrainingSettings { seed: settings.seed, ..settings.training.clone() };
    let started = Instant::now();
    let network = given.map_or_else(|| train(problem, &training, control), Network::clone);
    let mut seconds = Seconds { round: started.elapsed().as_secs_f64(), ..Seconds::default() };
    if blocks > 1 {
        let run = Division { problem, network: &network, settings, control, started };
        let divided = run.certify(blocks, observer, &mut seconds)?;
        let (certificate, proof) = (divided.certificate, divided.proof);
        let report = Report::assemble(problem, &network, &proof, &divided.relaxed, seconds);
        return Ok(Certified { network, certificate, proof, report });
    }

    let solving = Instant::now();
    let relaxation = relax(problem, &network, settings, control, observer, started)?;
    seconds.solve = solving.elapsed().as_secs_f64();

    let certifying = Instant::now();
    let proving =
        ProofSettings { time: control.remaining().or(settings.proof.time), ..settings.proof.clone() };
    let (certificate, proof) = certify_dual_with(problem, &relaxation.dual, &proving)?;
    seconds.certify = certifying.elapsed().as_secs_f64();

    let rounding = Instant::now();
    let network = match relaxation.hidden {
        Some(hidden) if given.is_none() && !control.should_stop() => {
            let polished = polish(problem, beside(network.hidden(), &hidden).as_ref(), &training, control);
            if polished.objective(problem) < network.objective(problem) { polished } else { network }
        }
        _ => network,
    };
    seconds.round += rounding.elapsed().as_secs_f64();

    let report = Report::assemble(problem, &network, &proof, &relaxation.relaxed, seconds);
    Ok(Certified { network, certificate, proof, report })
}

/// [A B].
fn beside(a: MatRef<'_, f64>, b: &Mat<f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols() + b.ncols(), |i, j| {
        if j < a.ncols() { a[(i, j)] } else { b[(i, j - a.ncols())] }
    })
}
