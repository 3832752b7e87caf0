//! `relucert verify`.

use super::arguments::VerifyOptions;
use super::{SUCCESS, UNPROVED, complain, json, print};
use crate::render::summary;
use relucert::certificate::ProofSettings;
use relucert::certificate::branch::SearchSettings;
use relucert::{Result, Saved, Verdict};

pub(super) fn run(options: &VerifyOptions) -> Result<u8> {
    let saved = Saved::load(&options.dir)?;
    let settings = ProofSettings {
        failure_probability: options.failure_probability,
        seed: options.seed,
        search: SearchSettings { cells: options.max_cells, ..SearchSettings::default() },
        ..ProofSettings::default()
    };
    // Everything was read: what fails from here on is the proof.
    let verdict = match saved.judge(&settings) {
        Ok(verdict) => verdict,
        Err(error) => {
            complain(&error.to_string());
            return Ok(UNPROVED);
        }
    };
    print(&if options.json { json(&verdict)? } else { in_words(&verdict, saved.has_report()) })?;
    if let Some(objection) = verdict.objection {
        complain(&objection);
        return Ok(UNPROVED);
    }
    Ok(SUCCESS)
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
