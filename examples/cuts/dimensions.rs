//! How far cuts close the gap, by dimension and number of samples: the reference solver on small synthetic sets.

use crate::sets::smooth;
use relucert::interior_point::{ReferenceSettings, solve_lifted};
use relucert::relaxation::Lifting;
use relucert::training::{TrainingSettings, train};
use relucert::{Control, Cuts, Result};
use std::time::Instant;

/// Weight decay for each sample.
const DECAY: f64 = 5e-3;

pub fn table() -> Result<()> {
    println!("| d | n | published | with cuts | of the gap | forms | pairs | seconds |");
    println!("|---|---|---|---|---|---|---|---|");
    for d in 3..=6 {
        for samples in [12, 24, 48] {
            let problem = smooth(samples, d, DECAY * samples as f64)?;
            let control = Control::new();
            let training = TrainingSettings { starts: 20, ..TrainingSettings::default() };
            let upper = train(&problem, &training, &control).objective(&problem);
            let lifting = Lifting::new(&problem)?;
            let solve = |cuts| {
                let settings = ReferenceSettings { tolerance: 1e-5, cuts, ..ReferenceSettings::default() };
                solve_lifted(&lifting, &settings, &control, &mut |_| ())
            };
            let plain = solve(Cuts::None)?.value / upper;
            let started = Instant::now();
            let tight = solve(Cuts::Auto)?;
            let ratio = tight.value / upper;
            println!(
                "| {d} | {samples} | {plain:.4} | {ratio:.4} | {:.0} % | {} | {} | {:.1} |",
                100.0 * (ratio - plain) / (1.0 - plain),
                tight.pairs.cuts().len(),
                tight.pairs.len(),
                started.elapsed().as_secs_f64(),
            );
        }
    }
    Ok(())
}
