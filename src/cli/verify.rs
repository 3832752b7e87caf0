//! `relucert verify`.

use super::arguments::VerifyOptions;
use super::{SUCCESS, UNPROVED, complain, json, print};
use crate::render::summary;
use relucert::certificate::branch::SearchSettings;
use relucert::certificate::{Grade, ProofSettings, prove_with};
use relucert::io::{load_certificate, load_network, load_problem};
use relucert::{Error, Gap, LowerBound, Network, Result, TrainingProblem, UpperBound};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;

/// Relative slack allowed to a claim that another machine rounded in another order; a gap is allowed twice that of itself.
const ROUNDING: f64 = 1e-9;

/// What the files prove, found out anew, and what the report beside them says.
#[derive(Serialize)]
struct Verdict {
    samples: usize,
    features: usize,
    outputs: usize,
    gamma: f64,
    lower_bound: LowerBound,
    grade: Grade,
    failure_probability: f64,
    blocks: usize,
    /// Objective of network.npz; null without that file.
    upper_bound: Option<UpperBound>,
    network_width: Option<usize>,
    /// Null without a network, or without a proof.
    gap: Option<Gap>,
    claimed_lower_bound: Option<f64>,
    claimed_upper_bound: Option<f64>,
    claimed_gap: Option<f64>,
    /// Whether a bound is proved, and everything that the report claims.
    proved: bool,
}

/// The figures of a report that the files must bear out.
#[derive(Deserialize)]
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

pub(super) fn run(options: &VerifyOptions) -> Result<u8> {
    let problem = load_problem(&options.dir.join("problem.npz"))?;
    let certificate = load_certificate(&options.dir.join("certificate.npz"))?;
    let network = optional(load_network(&options.dir.join("network.npz")))?;
    let claim = claim(&options.dir.join("report.json"))?;
    let settings = ProofSettings {
        failure_probability: options.failure_probability,
        seed: options.seed,
        search: SearchSettings { cells: options.max_cells, ..SearchSettings::default() },
        ..ProofSettings::default()
    };
    // Everything was read: what fails from here on is the proof.
    let judged = prove_with(&problem, &certificate, &settings).and_then(|proof| {
        let upper_bound = network.as_ref().map(|network| objective(&problem, network)).transpose()?;
        Ok((proof, upper_bound))
    });
    let (proof, upper_bound) = match judged {
        Ok(judged) => judged,
        Err(error) => {
            complain(&error.to_string());
            return Ok(UNPROVED);
        }
    };
    let gap = upper_bound.filter(|_| proof.grade() != Grade::None);
    let mut verdict = Verdict {
        samples: problem.samples(),
        features: problem.inputs(),
        outputs: problem.outputs(),
        gamma: problem.weight_decay(),
        lower_bound: proof.lower_bound(),
        grade: proof.grade(),
        failure_probability: proof.failure_probability(),
        blocks: proof.blocks(),
        upper_bound,
        network_width: network.as_ref().map(Network::width),
        gap: gap.map(|upper| Gap::between(upper, proof.lower_bound())),
        claimed_lower_bound: claim.as_ref().map(|claim| claim.lower_bound),
        claimed_upper_bound: claim.as_ref().and_then(|claim| claim.upper_bound),
        claimed_gap: claim.as_ref().and_then(|claim| claim.gap),
        proved: false,
    };
    let objection = if verdict.grade == Grade::None {
        Some("the files do not prove a bound".into())
    } else {
        claim.as_ref().and_then(|claim| objection(claim, &verdict))
    };
    verdict.proved = objection.is_none();
    print(&if options.json { json(&verdict)? } else { in_words(&verdict, claim.is_some()) })?;
    if let Some(objection) = objection {
        complain(&objection);
        return Ok(UNPROVED);
    }
    Ok(SUCCESS)
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
        let found = summary::plain(verdict.gamma);
        return Some(format!(
            "report.json is of weight decay {}, and problem.npz of {found}",
            summary::plain(gamma)
        ));
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

fn in_words(verdict: &Verdict, reported: bool) -> String {
    let mut text = format!(
        "problem       {} samples, {} features, {} outputs, weight decay {}\n",
        verdict.samples,
        verdict.features,
        verdict.outputs,
        summary::plain(verdict.gamma),
    );
    text += &match (verdict.upper_bound, verdict.network_width) {
        (Some(upper), Some(width)) => format!("network       objective {upper} with {width} neurons\n"),
        _ => "network       none: without network.npz there is no objective and no gap\n".into(),
    };
    text += &format!(
        "lower bound   {} for every network of any width, {}\n",
        verdict.lower_bound,
        summary::grade(verdict.grade, verdict.failure_probability),
    );
    if let Some(gap) = verdict.gap {
        text += &format!("gap           {gap}: no network improves on this one by more\n");
    }
    text += match (reported, verdict.proved) {
        (false, _) => "report        none: without report.json nothing was compared\n",
        (true, true) => "report        claims no more than this\n",
        (true, false) => "report        claims more than this\n",
    };
    text
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
