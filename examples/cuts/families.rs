//! The reference solver with the forms of one family.

use crate::sets::{Sets, bank_notes, iris};
use relucert::interior_point::{ReferenceSettings, ReferenceSolution, solve_from, solve_lifted};
use relucert::relaxation::cuts::{nearest, random};
use relucert::relaxation::{Cut, Lifting, PairSet};
use relucert::training::{TrainingSettings, train};
use relucert::{Control, Cuts, Result, TrainingProblem};
use std::time::Instant;

pub fn table(sets: &Sets) -> Result<()> {
    let mut small = Vec::new();
    small.extend(sets.published("random_00", 0.01));
    small.extend(sets.published("random_01", 0.1));
    small.extend(sets.published("spiral", 0.01));
    small.push(("iris, every 6th".to_owned(), iris(24, 0.3)?));
    small.push(("bank notes-like".to_owned(), bank_notes(24, 0.3)?));
    println!(
        "| data | n, d | γ | published | seconds | nearest | forms, seconds | random | forms, seconds | separated | forms, seconds |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    small.iter().try_for_each(|(name, problem)| families(name, problem))
}

fn families(name: &str, problem: &TrainingProblem) -> Result<()> {
    let control = Control::new();
    let upper = train(problem, &TrainingSettings::default(), &control).objective(problem);
    let lifting = Lifting::new(problem)?;
    let settings = ReferenceSettings::default();
    let given = |cuts: Vec<Cut>| {
        let started = Instant::now();
        let mut pairs = PairSet::new(&lifting, settings.neighbours);
        pairs.add_cuts(&lifting, cuts);
        let solution = solve_from(&lifting, &settings, pairs, &control, &mut |_| ())?;
        Ok((solution, started.elapsed().as_secs_f64()))
    };
    let separated = || {
        let started = Instant::now();
        let settings = ReferenceSettings { cuts: Cuts::Auto, ..settings.clone() };
        let solution = solve_lifted(&lifting, &settings, &control, &mut |_| ())?;
        Ok((solution, started.elapsed().as_secs_f64()))
    };
    let column = |(solution, seconds): (ReferenceSolution, f64)| {
        let mark = if solution.status.is_solved() { "" } else { "?" };
        format!("{:.4}{mark} | {}, {seconds:.1}", solution.value / upper, solution.pairs.cuts().len())
    };
    let (published, seconds) = given(Vec::new())?;
    println!(
        "| {name} | {}, {} | {} | {:.4} | {seconds:.1} | {} | {} | {} |",
        problem.samples(),
        problem.inputs(),
        problem.weight_decay(),
        published.value / upper,
        column(given(nearest(&lifting))?),
        column(given(random(&lifting, 4, 0))?),
        column(separated()?),
    );
    Ok(())
}
