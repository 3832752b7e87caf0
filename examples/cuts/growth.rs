//! Seconds against the number of samples, in blocks of a fixed size: with and without cuts.

use crate::sets::smooth;
use crate::whole::timed;
use relucert::{Control, Cuts, Result};

/// Samples of a block, and most cuts for each.
const BLOCK: usize = 25;
const CUTS: usize = 50;
/// Weight decay for each sample.
const DECAY: f64 = 2e-3;

pub fn table() -> Result<()> {
    println!(
        "| n | blocks | published | solver's seconds | with cuts | more | cuts | solver's seconds | times | a sample, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for samples in [250, 500, 1000, 2000, 4000] {
        let problem = smooth(samples, 3, DECAY * samples as f64)?;
        let blocks = samples / BLOCK;
        let (plain, _) = timed(&problem, blocks, Cuts::None, &Control::new())?;
        let (tight, _) = timed(&problem, blocks, Cuts::Count(CUTS), &Control::new())?;
        let seconds = |report: &relucert::Report| report.seconds.solve + report.seconds.certify;
        println!(
            "| {samples} | {blocks} | {:.4} | {:.1} | {:.4} | {:.1} % | {} | {:.1} | {:.1} | {:.2} |",
            plain.lower_bound,
            seconds(&plain),
            tight.lower_bound,
            100.0 * (tight.lower_bound.value() / plain.lower_bound.value() - 1.0),
            tight.cuts,
            seconds(&tight),
            seconds(&tight) / seconds(&plain),
            1e3 * seconds(&tight) / samples as f64,
        );
    }
    Ok(())
}
