//! How much sublinear forms raise the bound, family by family: `cargo run --release --example cuts -- FOLDER`.
//!
//! The folder holds random_00.csv … random_04.csv, spiral.csv and iris_train.csv of the published experiments (a set that
//! is not there is left out); iris and the synthetic sets need none. Prints two tables: the reference solver with
//! nearest, random and separated forms, and `certify` without and with cuts.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::cuts::{nearest, random};
use relucert::data::{CsvOptions, load};
use relucert::lifting::{Cut, Lifting, PairSet};
use relucert::reference::{ReferenceSettings, ReferenceSolution, solve_from, solve_lifted};
use relucert::training::{TrainingSettings, train};
use relucert::{Blocks, CertifySettings, Control, Cuts, Result, Silent, TrainingProblem, certify};
use std::path::Path;
use std::time::Instant;

type Error = Box<dyn std::error::Error>;

fn main() -> std::result::Result<(), Error> {
    let folder = std::env::args().nth(1).unwrap_or_default();
    let folder = Path::new(&folder);
    let published = |name: &str, gamma: f64| {
        let data = load(&folder.join(format!("{name}.csv")).to_string_lossy(), &options(name)).ok()?;
        Some((name.to_owned(), data.problem(gamma).ok()?))
    };
    let wanted = std::env::args().nth(2).unwrap_or_default();
    let mut small = Vec::new();
    small.extend(published("random_00", 0.01));
    small.extend(published("random_01", 0.1));
    small.extend(published("spiral", 0.01));
    small.push(("iris, every 6th".to_owned(), iris(24, 0.3)?));
    small.push(("bank notes-like, 24".to_owned(), bank_notes(24, 0.3)?));
    println!(
        "| data | n, d | γ | published | seconds | nearest | forms, seconds | random | forms, seconds | separated | forms, seconds |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (name, problem) in small.iter().filter(|set| set.0.contains(&wanted)) {
        families(name, problem)?;
    }

    let mut sets = Vec::new();
    for gamma in [0.1, 0.01] {
        for k in 0..5 {
            sets.extend(published(&format!("random_{k:02}"), gamma));
        }
        sets.extend(published("spiral", gamma));
        sets.extend(published("iris_train", gamma));
    }
    let mut sets: Vec<_> = sets.into_iter().map(|(name, problem)| (name, problem, 1, Cuts::Auto)).collect();
    sets.push(("bank notes-like, 200".to_owned(), bank_notes(200, 2.0)?, 1, Cuts::Auto));
    sets.push(("three dimensions, 20 blocks".to_owned(), three(2000, 4.0)?, 20, Cuts::Count(40)));
    println!("\n| data | n, d | γ | network | published | seconds | with cuts | cuts | seconds | status |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (name, problem, blocks, cuts) in sets.iter().filter(|set| set.0.contains(&wanted)) {
        whole_road(name, problem, *blocks, *cuts)?;
    }
    Ok(())
}

fn options(name: &str) -> CsvOptions {
    let targets =
        if name.starts_with("random") { (1..=5).map(|k| format!("y{k}")).collect() } else { Vec::new() };
    CsvOptions { targets, ..CsvOptions::default() }
}

/// Standardised iris with a bias, so many samples evenly spaced.
fn iris(count: usize, gamma: f64) -> Result<TrainingProblem> {
    let data = load("iris", &CsvOptions::default())?.standardized().with_bias().problem(gamma)?;
    let samples: Vec<usize> = (0..count).map(|k| k * data.samples() / count).collect();
    data.subset(&samples, gamma)
}

/// Four features of two overlapping classes, with the correlations of measurements of one thing.
fn bank_notes(samples: usize, gamma: f64) -> Result<TrainingProblem> {
    let mut rng = Pcg64::seed_from_u64(4);
    let mut x = Mat::zeros(samples, 5);
    let mut y = Mat::zeros(samples, 2);
    for i in 0..samples {
        let class = usize::from(i % 2 == 0);
        let side = if class == 0 { -1.0 } else { 1.0 };
        let mut noise = || rng.sample::<f64, _>(StandardNormal);
        let (a, b, c, d) = (noise(), noise(), noise(), noise());
        let row = [0.9 * side + a, 0.5 * side * a + b, -0.7 * b + 0.6 * c + 0.3 * a * a, 0.2 * side + d, 1.0];
        row.iter().enumerate().for_each(|(j, value)| x[(i, j)] = *value);
        y[(i, class)] = 1.0;
    }
    TrainingProblem::new(x, y, gamma)
}

/// A smooth function of the plane, with a bias.
fn three(samples: usize, gamma: f64) -> Result<TrainingProblem> {
    let mut rng = Pcg64::seed_from_u64(3);
    let mut x = Mat::<f64>::full(samples, 3, 1.0);
    for i in 0..samples {
        (0..2).for_each(|j| x[(i, j)] = rng.sample(StandardNormal));
    }
    let value = |i: usize| (2.0 * x[(i, 0)]).sin() + (x[(i, 0)] * x[(i, 1)]).cos();
    let y = Mat::from_fn(samples, 1, |i, _| value(i) + 0.1 * rng.sample::<f64, _>(StandardNormal));
    TrainingProblem::new(x, y, gamma)
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

fn whole_road(name: &str, problem: &TrainingProblem, blocks: usize, cuts: Cuts) -> Result<()> {
    let run = |cuts| {
        let settings = CertifySettings { cuts, blocks: Blocks::Count(blocks), ..CertifySettings::default() };
        let started = Instant::now();
        let report = certify(problem, &settings, &Control::new(), &mut Silent)?.report;
        Result::Ok((report, started.elapsed().as_secs_f64()))
    };
    let ((plain, before), (tight, after)) = (run(Cuts::None)?, run(cuts)?);
    let upper = plain.upper_bound.min(tight.upper_bound);
    println!(
        "| {name} | {}, {} | {} | {upper:.5} | {:.4} | {before:.1} | {:.4} | {} | {after:.1} | {} |",
        problem.samples(),
        problem.inputs(),
        problem.weight_decay(),
        plain.lower_bound / upper,
        tight.lower_bound / upper,
        tight.cuts,
        tight.status.as_str(),
    );
    Ok(())
}
