//! `relucert verify`.

use super::arguments::VerifyOptions;
use super::{MISSED, SUCCESS, complain, json, print};
use crate::render::summary;
use relucert::certificate::{Grade, ProofSettings, prove_with};
use relucert::io::{load_certificate, load_problem};
use relucert::{Error, Result};
use serde::{Deserialize, Serialize};

/// Relative slack allowed to a claim that was rounded or proved in another order.
const ROUNDING: f64 = 1e-9;

#[derive(Serialize)]
struct Verdict {
    samples: usize,
    features: usize,
    outputs: usize,
    gamma: f64,
    lower_bound: f64,
    grade: Grade,
    failure_probability: f64,
    blocks: usize,
    claimed_lower_bound: Option<f64>,
}

/// The one figure of a report that the files must bear out.
#[derive(Deserialize)]
struct Claim {
    lower_bound: f64,
}

pub(super) fn run(options: &VerifyOptions) -> Result<u8> {
    let problem = load_problem(&options.dir.join("problem.npz"))?;
    let certificate = load_certificate(&options.dir.join("certificate.npz"))?;
    let settings = ProofSettings {
        failure_probability: options.failure_probability,
        seed: options.seed,
        ..ProofSettings::default()
    };
    let proof = prove_with(&problem, &certificate, &settings)?;
    let verdict = Verdict {
        samples: problem.samples(),
        features: problem.inputs(),
        outputs: problem.outputs(),
        gamma: problem.weight_decay(),
        lower_bound: proof.lower_bound(),
        grade: proof.grade(),
        failure_probability: proof.failure_probability(),
        blocks: proof.blocks(),
        claimed_lower_bound: claim(options)?,
    };
    if options.json {
        print(&json(&verdict)?)?;
    } else {
        print(&format!(
            "problem       {} samples, {} features, {} outputs, weight decay {}\nlower bound   {} for every network of any width, {}\n",
            verdict.samples,
            verdict.features,
            verdict.outputs,
            summary::plain(verdict.gamma),
            summary::figures(verdict.lower_bound),
            summary::grade(verdict.grade, proof.failure_probability()),
        ))?;
    }
    if verdict.grade == Grade::None {
        complain("the files do not prove a bound");
        return Ok(MISSED);
    }
    if let Some(claimed) = verdict.claimed_lower_bound
        && claimed > verdict.lower_bound + ROUNDING * claimed.abs()
    {
        complain(&format!("report.json claims {claimed}, more than the files prove"));
        return Ok(MISSED);
    }
    Ok(SUCCESS)
}

/// What `report.json` claims; a folder without one is as good.
fn claim(options: &VerifyOptions) -> Result<Option<f64>> {
    let path = options.dir.join("report.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { path, source }),
    };
    let claim: Claim = serde_json::from_str(&text)
        .map_err(|error| Error::Input(format!("{}: not a report: {error}", path.display())))?;
    Ok(Some(claim.lower_bound))
}
