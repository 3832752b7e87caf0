//! What a saved run proves, found out anew from its files, and whether its report claims more.

use crate::bounds::{Gap, LowerBound, UpperBound};
use crate::certificate::{Certificate, Grade, Proof, ProofSettings, prove_convolution, prove_with};
use crate::error::{Error, Result};
use crate::io::convolution::is_convolutional;
use crate::io::{
    load_certificate, load_convolutional_network, load_convolutional_problem, load_network, load_problem,
};
use crate::problem::convolution::{ConvolutionalNetwork, ConvolutionalProblem};
use crate::problem::{Network, TrainingProblem};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;

/// Relative slack allowed to a claim that another machine rounded in another order; a gap is allowed twice that of itself.
const ROUNDING: f64 = 1e-9;

/// A run as it was saved: what its files say, none of it believed.
#[derive(Clone, Debug)]
pub struct Saved {
    layers: Layers,
    certificate: Certificate,
    claim: Option<Claim>,
}

/// A problem, and a network if there is one.
#[derive(Clone, Debug)]
enum Layers {
    Plain(TrainingProblem, Option<Network>),
    Convolutional(ConvolutionalProblem, Option<ConvolutionalNetwork>),
}

impl Layers {
    fn load(folder: &Path) -> Result<Self> {
        let (problem, network) = (folder.join("problem.npz"), folder.join("network.npz"));
        if !is_convolutional(&problem)? {
            return Ok(Self::Plain(load_problem(&problem)?, optional(load_network(&network))?));
        }
        let problem = load_convolutional_problem(&problem)?;
        let network = optional(load_convolutional_network(&network, problem.shape().blocks()))?;
        Ok(Self::Convolutional(problem, network))
    }

    /// Samples, features, outputs, weight decay.
    fn shape(&self) -> (usize, usize, usize, f64) {
        match self {
            Self::Plain(problem, _) => {
                (problem.samples(), problem.inputs(), problem.outputs(), problem.weight_decay())
            }
            Self::Convolutional(problem, _) => {
                (problem.samples(), problem.shape().inputs(), problem.outputs(), problem.weight_decay())
            }
        }
    }

    fn prove(&self, certificate: &Certificate, settings: &ProofSettings) -> Result<Proof> {
        match self {
            Self::Plain(problem, _) => prove_with(problem, certificate, settings),
            Self::Convolutional(problem, _) if certificate.is_by_branch() => {
                prove_convolution(problem, certificate.dual().w.as_ref(), settings)
            }
            Self::Convolutional(..) => Err(Error::Refused(
                "of a convolutional problem W alone is a certificate, marked branch".into(),
            )),
        }
    }

    /// Objective of the network, rounded upwards, and its width.
    fn network(&self) -> Result<Option<(UpperBound, usize)>> {
        match self {
            Self::Plain(problem, Some(network)) => Ok(Some((objective(problem, network)?, network.width()))),
            Self::Convolutional(problem, Some(network)) => {
                if !network.fits(problem.shape(), problem.outputs()) {
                    return Err(Error::Refused("network.npz does not fit the filters of problem.npz".into()));
                }
                Ok(Some((network.objective_upper(problem), network.width())))
            }
            _ => Ok(None),
        }
    }
}

/// What a saved run proves, and what the report beside it claims.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// n.
    pub samples: usize,
    /// d, with the bias column.
    pub features: usize,
    /// c.
    pub outputs: usize,
    /// γ.
    pub gamma: f64,
    /// The lower bound that is proved.
    pub lower_bound: LowerBound,
    /// What it rests on.
    pub grade: Grade,
    /// Probability that it is wrong: 0 unless the grade is probabilistic.
    pub failure_probability: f64,
    /// Blocks of samples that it was proved by.
    pub blocks: usize,
    /// Objective of the network, rounded upwards; null without one.
    pub upper_bound: Option<UpperBound>,
    /// m; null without a network.
    pub network_width: Option<usize>,
    /// Null without a network, or without a proof.
    pub gap: Option<Gap>,
    /// The lower bound of the report; null without a report.
    pub claimed_lower_bound: Option<f64>,
    /// The objective of the report.
    pub claimed_upper_bound: Option<f64>,
    /// The gap of the report.
    pub claimed_gap: Option<f64>,
    /// Whether a bound is proved, and everything that the report claims.
    pub proved: bool,
    /// One line on the first thing that is not; none where `proved`. Not in the JSON object.
    #[serde(skip)]
    pub objection: Option<String>,
}

/// The figures of a report that the files must bear out.
#[derive(Clone, Debug, Deserialize)]
struct Claim {
    lower_bound: f64,
    upper_bound: Option<f64>,
    gap: Option<f64>,
    grade: Option<Grade>,
    gamma: Option<f64>,
    samples: Option<usize>,
    features: Option<usize>,
    outputs: Option<usize>,
}

impl Saved {
    /// A run that came otherwise than in files, without a report.
    pub fn new(problem: TrainingProblem, certificate: Certificate, network: Option<Network>) -> Self {
        Self { layers: Layers::Plain(problem, network), certificate, claim: None }
    }

    /// Reads `problem.npz` and `certificate.npz` of a folder, and `network.npz` and `report.json` if they are there.
    ///
    /// Errors: a file that is missing, or is not what it should be.
    pub fn load(folder: &Path) -> Result<Self> {
        Ok(Self {
            layers: Layers::load(folder)?,
            certificate: load_certificate(&folder.join("certificate.npz"))?,
            claim: claim(&folder.join("report.json"))?,
        })
    }

    /// Whether there is a report to compare with.
    pub fn has_report(&self) -> bool {
        self.claim.is_some()
    }

    /// Proves the certificate, evaluates the network, and compares what the report claims with both.
    ///
    /// Errors: a certificate that does not prove what it claims, a network that does not fit, settings out of range.
    pub fn judge(&self, settings: &ProofSettings) -> Result<Verdict> {
        let claim = self.claim.as_ref();
        let proof = self.layers.prove(&self.certificate, settings)?;
        let network = self.layers.network()?;
        let upper_bound = network.map(|(upper, _)| upper);
        let (samples, features, outputs, gamma) = self.layers.shape();
        let gap = upper_bound.filter(|_| proof.grade() != Grade::None);
        let mut verdict = Verdict {
            samples,
            features,
            outputs,
            gamma,
            lower_bound: proof.lower_bound(),
            grade: proof.grade(),
            failure_probability: proof.failure_probability(),
            blocks: proof.blocks(),
            upper_bound,
            network_width: network.map(|(_, width)| width),
            gap: gap.map(|upper| Gap::between(upper, proof.lower_bound())),
            claimed_lower_bound: claim.map(|claim| claim.lower_bound),
            claimed_upper_bound: claim.and_then(|claim| claim.upper_bound),
            claimed_gap: claim.and_then(|claim| claim.gap),
            proved: false,
            objection: None,
        };
        verdict.objection = match verdict.grade {
            Grade::None => Some("the files do not prove a bound".into()),
            _ => claim.and_then(|claim| objection(claim, &verdict)),
        };
        verdict.proved = verdict.objection.is_none();
        Ok(verdict)
    }
}

/// The objective of the network, rounded upwards.
fn objective(problem: &TrainingProblem, network: &Network) -> Result<UpperBound> {
    let shape = (network.hidden().nrows(), network.output().nrows());
    if shape != (problem.inputs(), problem.outputs()) {
        return Err(Error::Refused(format!(
            "network.npz is for {} features and {} outputs, and problem.npz has {} and {}",
            shape.0,
            shape.1,
            problem.inputs(),
            problem.outputs()
        )));
    }
    Ok(network.objective_upper(problem))
}

/// The first thing that the report claims and the files do not prove.
fn objection(claim: &Claim, verdict: &Verdict) -> Option<String> {
    let shape = [
        ("samples", claim.samples, verdict.samples),
        ("features", claim.features, verdict.features),
        ("outputs", claim.outputs, verdict.outputs),
    ];
    for (what, claimed, found) in shape {
        if let Some(claimed) = claimed.filter(|claimed| *claimed != found) {
            return Some(format!("report.json is of {claimed} {what}, and problem.npz has {found}"));
        }
    }
    if let Some(gamma) = claim.gamma.filter(|gamma| *gamma != verdict.gamma) {
        let found = verdict.gamma;
        return Some(format!("report.json is of weight decay {gamma}, and problem.npz of {found}"));
    }
    if claim.lower_bound > verdict.lower_bound.value() + ROUNDING * claim.lower_bound.abs() {
        let proved = verdict.lower_bound;
        return Some(format!(
            "report.json claims the lower bound {}, and the files prove {proved}",
            claim.lower_bound
        ));
    }
    if claim.grade == Some(Grade::Verified) && verdict.grade == Grade::Probabilistic {
        return Some(
            "report.json claims a verified bound, and here the files prove a probabilistic one".into(),
        );
    }
    let Some(upper) = verdict.upper_bound else {
        let claims = claim.upper_bound.is_some() || claim.gap.is_some();
        return claims.then(|| "report.json claims an objective, and network.npz is missing".into());
    };
    if let Some(claimed) = claim.upper_bound
        && claimed < upper.value() - ROUNDING * upper.value()
    {
        return Some(format!(
            "report.json claims the objective {claimed}, and that of network.npz is {upper}"
        ));
    }
    match (claim.gap, verdict.gap) {
        (Some(claimed), Some(gap)) if claimed < gap.value() - 2.0 * ROUNDING => {
            Some(format!("report.json claims the gap {claimed}, and the files prove {gap:e}"))
        }
        _ => None,
    }
}

/// Nothing where there is no such file.
fn optional<T>(loaded: Result<T>) -> Result<Option<T>> {
    match loaded {
        Ok(value) => Ok(Some(value)),
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the report claims.
fn claim(path: &Path) -> Result<Option<Claim>> {
    let read = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.into(), source });
    let Some(text) = optional(read)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Error::Input(format!("{}: not a report: {error}; save the run again", path.display()))
    })
}
