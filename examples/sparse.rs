//! Certifies sparse features that are never filled.
//!
//! `cargo run --release --example sparse` is a small case. With arguments: samples, features, density, γ, and then, each
//! optional, blocks (0: as many as the program chooses), seconds, and a folder to save to:
//! `cargo run --release --example sparse -- 20000 5000 0.002 240 250 1200`. The word `whitening` in place of the numbers
//! compares the coordinates of the training instead.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::io::verify;
use relucert::peak_memory_bytes;
use relucert::training::{TrainingSettings, Whitening, descent};
use relucert::{Blocks, CertifySettings, Control, Features, Observer, Progress, TrainingProblem, certify};
use sprs::CsMat;
use std::path::Path;
use std::time::{Duration, Instant};

/// Rows of unit length with positive entries, as weighted words have; column j is drawn with a density of j^(−2/3), and a
/// teacher of three neurons looks at the columns that are drawn often. Targets with noise of the standard deviation 0.1.
fn documents(samples: usize, features: usize, density: f64, gamma: f64) -> relucert::Result<TrainingProblem> {
    let mut rng = Pcg64::seed_from_u64(1);
    let entries = ((features as f64 * density).round() as usize).clamp(1, features);
    let teacher = Mat::<f64>::from_fn(features, 3, |j, _| {
        let weight: f64 = rng.sample(StandardNormal);
        weight / (1.0 + 20.0 * j as f64 / features as f64)
    });
    let mut rows = CsMat::empty(sprs::CompressedStorage::CSR, features);
    let mut y = Mat::zeros(samples, 1);
    for i in 0..samples {
        let mut columns = std::collections::BTreeSet::new();
        while columns.len() < entries {
            columns.insert((features as f64 * rng.random::<f64>().powi(3)) as usize);
        }
        let columns: Vec<usize> = columns.into_iter().collect();
        let mut values: Vec<f64> = columns.iter().map(|_| 0.2 + rng.random::<f64>()).collect();
        let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        values.iter_mut().for_each(|value| *value /= length);
        for (k, sign) in [(0, 1.0), (1, 1.0), (2, -1.0)] {
            let z: f64 = columns.iter().zip(&values).map(|(&j, value)| teacher[(j, k)] * value).sum();
            y[(i, 0)] += sign * z.max(0.0);
        }
        let noise: f64 = rng.sample(StandardNormal);
        y[(i, 0)] += 0.1 * noise;
        rows = rows.append_outer_csvec(sprs::CsVec::new(features, columns, values).view());
    }
    TrainingProblem::new(rows, y, gamma)
}

/// A line for each group of blocks.
struct Lines;

impl Observer for Lines {
    fn progress(&mut self, p: &Progress) {
        if let Some((solved, blocks)) = p.blocks {
            eprintln!(
                "{:7.1} s  {solved} of {blocks} blocks  bound {:.4}  network {:.4}",
                p.seconds, p.lower_bound, p.upper_bound
            );
        }
    }
}

/// The same with columns in units of their own, a hundred apart at most, and one that is in every sample.
fn uneven(problem: &TrainingProblem) -> relucert::Result<TrainingProblem> {
    let Features::Sparse(x) = problem.stored_features() else { return Ok(problem.clone()) };
    let columns = x.cols() + 1;
    let mut rows = CsMat::empty(sprs::CompressedStorage::CSR, columns);
    for row in x.outer_iterator() {
        let mut scaled = sprs::CsVec::<f64>::empty(columns);
        row.iter().for_each(|(j, value)| scaled.append(j, value * 10f64.powi((j % 3) as i32 - 1)));
        scaled.append(columns - 1, 1.0);
        rows = rows.append_outer_csvec(scaled.view());
    }
    TrainingProblem::new(rows, problem.targets().to_owned(), problem.weight_decay())
}

/// Descents from the same starts in several coordinates: mean objectives of four, and seconds of one of 200 iterations.
fn whitening() -> relucert::Result<()> {
    const SEEDS: u64 = 4;
    println!(
        "samples × features, density, columns | coordinates | after 25, 50, 100, 200 iterations | seconds"
    );
    for (samples, features, density) in [(2000, 400, 0.02), (2000, 1000, 0.01)] {
        let even = documents(samples, features, density, 2.0)?;
        for (name, problem) in [("alike", even.clone()), ("uneven", uneven(&even)?)] {
            for whitening in [Whitening::Exact, Whitening::Randomised, Whitening::Columns, Whitening::None] {
                let (mut line, mut seconds) = (String::new(), 0.0);
                for iterations in [25, 50, 100, 200] {
                    let started = Instant::now();
                    let descend = |seed| {
                        let settings =
                            TrainingSettings { width: 20, iterations, seed, ..TrainingSettings::default() };
                        descent(&problem, whitening, &settings).map_or(f64::NAN, |(value, _)| value)
                    };
                    line += &format!(" {:.3}", (0..SEEDS).map(descend).sum::<f64>() / SEEDS as f64);
                    seconds = started.elapsed().as_secs_f64() / SEEDS as f64;
                }
                println!("{samples} × {features}, {density}, {name} | {whitening:?} |{line} | {seconds:.2}");
            }
        }
    }
    Ok(())
}

fn main() -> relucert::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "whitening") {
        return whitening();
    }
    let number = |place: usize, default: f64| {
        arguments.get(place).and_then(|word| word.parse::<f64>().ok()).unwrap_or(default)
    };
    let (samples, features) = (number(0, 60.0) as usize, number(1, 200.0) as usize);
    let (density, gamma) = (number(2, 0.03), number(3, 1.0));
    let started = Instant::now();
    let problem = documents(samples, features, density, gamma)?;
    println!("{samples} × {features}, γ {gamma}: ½‖Y‖² = {:.4}", problem.zero_objective());
    let blocks = match number(4, 0.0) as usize {
        0 => Blocks::Auto,
        count => Blocks::Count(count),
    };
    let settings = CertifySettings { blocks, tolerance: 3e-2, ..CertifySettings::default() };
    let control = Control::new().within(Duration::from_secs_f64(number(5, 60.0)));
    let certified = certify(&problem, &settings, &control, &mut Lines)?;
    let report = &certified.report;
    println!(
        "objective {:.4} ({} neurons), lower bound {:.4} ({}), relaxation {:.4}, gap {:.2}, {} blocks, dividing lost {}",
        report.upper_bound,
        report.network_width,
        report.lower_bound,
        report.grade.name(),
        report.relaxation_value.unwrap_or(f64::NAN),
        report.gap,
        report.blocks,
        report.dividing_loss.map_or("an unknown part".into(), |loss| format!("about {:.1} %", 100.0 * loss)),
    );
    println!(
        "{:.1} s (training {:.1}, relaxation {:.1}, proof {:.1}), peak memory {} MB",
        started.elapsed().as_secs_f64(),
        report.seconds.round,
        report.seconds.solve,
        report.seconds.certify,
        peak_memory_bytes().unwrap_or(0) / 1_000_000,
    );
    if let Some(folder) = arguments.get(6) {
        let folder = Path::new(folder);
        certified.save(&problem, folder)?;
        let proving = Instant::now();
        let proof = verify(folder)?;
        println!(
            "verified from the files: {:.4} ({}) in {:.1} s",
            proof.lower_bound(),
            proof.grade().name(),
            proving.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
