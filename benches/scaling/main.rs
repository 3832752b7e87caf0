//! Scaling study: time, memory, pairs, rank and iterations against n, d and c; the gap against time; the bound against
//! the size of the blocks. Writes CSV and SVG under target/scaling/; `docs/scaling.md` reads them.
//!
//! cargo bench --bench scaling                 minutes
//! cargo bench --bench scaling -- large        half an hour: up to 5,000 samples in one piece, 100,000 divided
//! cargo bench --bench scaling -- prices       an hour: what rounds of prices win, by the number and size of blocks
//!
//! Every run is a process of its own, so that its peak memory is its own.

mod case;
mod plots;

use case::{Case, Row};
use std::error::Error;
use std::path::{Path, PathBuf};

/// What is measured.
struct Study {
    whole: &'static [usize],
    divided: &'static [usize],
    block: usize,
    features: &'static [usize],
    outputs: &'static [usize],
    /// Samples where d and c vary.
    middle: usize,
    /// Samples that are divided into ever smaller blocks.
    shared: usize,
    parts: &'static [usize],
    traced: usize,
}

const SMALL: Study = Study {
    whole: &[100, 200, 400, 800],
    divided: &[400, 800, 1600, 3200],
    block: 200,
    features: &[5, 10, 20, 40],
    outputs: &[1, 3, 10],
    middle: 200,
    shared: 800,
    parts: &[1, 2, 4, 8, 16],
    traced: 400,
};

const LARGE: Study = Study {
    whole: &[250, 500, 1_000, 2_000, 3_500, 5_000],
    divided: &[1_000, 3_000, 10_000, 30_000, 100_000],
    block: 1_000,
    features: &[10, 20, 50, 100],
    outputs: &[1, 3, 10],
    middle: 1_000,
    shared: 4_000,
    parts: &[1, 2, 4, 8, 16],
    traced: 1_000,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "one") {
        return case::run_here(&arguments[place + 1..]);
    }
    // `cargo test --benches` runs this too, and wants nothing measured.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/scaling");
    std::fs::create_dir_all(&folder)?;
    if arguments.iter().any(|argument| argument == "prices") {
        return prices(&folder);
    }
    let large = arguments.iter().any(|argument| argument == "large");
    let study = if large { LARGE } else { SMALL };
    let base = Case { samples: 0, features: 10, outputs: 3, blocks: 1, tolerance: 1e-2, rounds: 0 };
    let at = |samples: usize| Case { samples, ..base };
    let series = |name: &'static str, cases: Vec<Case>| -> Result<(&'static str, Vec<Row>), Box<dyn Error>> {
        let mut rows = Vec::new();
        for case in cases {
            // What is too large for this machine is left out, and said so.
            match case.measure() {
                Ok((row, _)) => rows.push(row),
                Err(error) => eprintln!("{name}, {} samples: {error}", case.samples),
            }
        }
        case::write_rows(&folder.join(format!("{name}.csv")), &rows)?;
        Ok((name, rows))
    };
    let divided = |n: &usize| Case { blocks: n.div_ceil(study.block), ..at(*n) };
    let whole = series("samples", study.whole.iter().map(|n| at(*n)).collect())?;
    let blocks = series("samples-divided", study.divided.iter().map(divided).collect())?;
    let features = series(
        "features",
        study.features.iter().map(|d| Case { features: *d, ..at(study.middle) }).collect(),
    )?;
    let outputs =
        series("outputs", study.outputs.iter().map(|c| Case { outputs: *c, ..at(study.middle) }).collect())?;
    let parts =
        series("block-size", study.parts.iter().map(|k| Case { blocks: *k, ..at(study.shared) }).collect())?;
    let (_, trace) = Case { tolerance: 1e-3, ..at(study.traced) }.measure()?;
    case::write_trace(&folder.join("trace.csv"), &trace)?;

    plots::growth(
        &folder.join("samples.svg"),
        "samples n",
        |row| row.samples as f64,
        &[("in one piece", &whole.1), ("divided", &blocks.1)],
    )?;
    plots::growth(
        &folder.join("features.svg"),
        "features d",
        |row| row.features as f64,
        &[("in one piece", &features.1)],
    )?;
    plots::growth(
        &folder.join("outputs.svg"),
        "outputs c",
        |row| row.outputs as f64,
        &[("in one piece", &outputs.1)],
    )?;
    plots::block_size(&folder.join("block-size.svg"), &parts.1)?;
    plots::trace(&folder.join("trace.svg"), &trace)?;
    println!("written to {}", folder.display());
    Ok(())
}

/// Blocks and samples of each where prices are studied.
const PRICED: [(usize, usize); 9] =
    [(2, 250), (4, 250), (10, 250), (30, 250), (100, 250), (4, 500), (4, 1_000), (4, 2_000), (2, 4_000)];
const ROUNDS: usize = 4;

fn prices(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut rounds = Vec::new();
    for (blocks, size) in PRICED {
        let case = Case {
            samples: blocks * size,
            features: 10,
            outputs: 3,
            blocks,
            tolerance: 2e-3,
            rounds: ROUNDS,
        };
        rounds.push(case.rounds()?);
        for round in
            rounds.iter().flatten().filter(|round| (round.samples, round.blocks) == (blocks * size, blocks))
        {
            println!(
                "{blocks:3} blocks of {size:4}, round {}: bound {:10.3}, won {:6.2} %, cost {:5.2}",
                round.round,
                round.lower_bound,
                100.0 * round.won,
                round.cost
            );
        }
        case::write_rounds(&folder.join("prices.csv"), &rounds.concat())?;
        plots::prices(&folder.join("prices.svg"), &rounds)?;
    }
    println!("written to {}", folder.display());
    Ok(())
}
