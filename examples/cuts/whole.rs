//! The whole road without and with cuts.

use crate::sets::{Sets, bank_notes, smooth};
use relucert::{Blocks, CertifySettings, Control, Cuts, Report, Result, Silent, TrainingProblem, certify};
use std::time::{Duration, Instant};

/// Seconds after which a run stops with the best bound so far.
const LIMIT: Duration = Duration::from_secs(300);

pub fn table(sets: &Sets) -> Result<()> {
    let mut rows = Vec::new();
    for gamma in [0.1, 0.01] {
        for k in 0..5 {
            rows.extend(sets.published(&format!("random_{k:02}"), gamma));
        }
        rows.extend(sets.published("spiral", gamma));
        rows.extend(sets.published("iris_train", gamma));
    }
    let mut rows: Vec<_> = rows.into_iter().map(|(name, problem)| (name, problem, 1, Cuts::Auto)).collect();
    rows.push(("bank notes-like, 100".to_owned(), bank_notes(100, 1.0)?, 1, Cuts::Auto));
    rows.push(("bank notes-like".to_owned(), bank_notes(200, 2.0)?, 1, Cuts::Auto));
    rows.push(("three dimensions, 20 blocks".to_owned(), smooth(2000, 3, 4.0)?, 20, Cuts::Count(40)));
    println!(
        "| data | n, d | γ | network | published | seconds | with cuts | cuts | pairs | seconds | status |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (name, problem, blocks, cuts) in rows.iter().filter(|row| row.0.contains(&sets.only)) {
        let (plain, before) = timed(problem, *blocks, Cuts::None, &Control::new().within(LIMIT))?;
        let (tight, after) = timed(problem, *blocks, *cuts, &Control::new().within(LIMIT))?;
        let upper = if plain.upper_bound < tight.upper_bound { plain.upper_bound } else { tight.upper_bound };
        println!(
            "| {name} | {}, {} | {} | {upper:.5} | {:.4} | {before:.1} | {:.4} | {} | {} | {after:.1} | {} |",
            problem.samples(),
            problem.inputs(),
            problem.weight_decay(),
            plain.lower_bound.value() / upper.value(),
            tight.lower_bound.value() / upper.value(),
            tight.cuts,
            tight.pairs,
            tight.status.as_str(),
        );
    }
    Ok(())
}

/// A run and the seconds it took.
pub fn timed(
    problem: &TrainingProblem,
    blocks: usize,
    cuts: Cuts,
    control: &Control,
) -> Result<(Report, f64)> {
    let settings = CertifySettings { cuts, blocks: Blocks::Count(blocks), ..CertifySettings::default() };
    let started = Instant::now();
    let report = certify(problem, &settings, control, &mut Silent)?.report;
    Ok((report, started.elapsed().as_secs_f64()))
}
