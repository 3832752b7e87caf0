//! Blocks solved by separate processes that share nothing but folders, as machines would; gathered and proved in one place.
//!
//! cargo run --release --example distributed -- [SAMPLES [BLOCKS [PROCESSES]]]

use relucert::data::{TeacherSettings, teacher};
use relucert::training::{TrainingSettings, train};
use relucert::{BlockOutcome, BlockTask, Blocks, CertifySettings, Control, Division};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, folders)) if first == "solve" => {
            folders.iter().try_for_each(|folder| solve(folder.as_ref()))
        }
        _ => {
            let number = |place: usize, default: usize| {
                arguments.get(place).map_or(Ok(default), |text| text.parse::<usize>())
            };
            lead(number(0, 240)?, number(1, 4)?, number(2, 2)?.max(1))
        }
    }
}

/// What a worker does: nothing but its folders is needed, and nothing else is touched.
fn solve(folder: &Path) -> Result<(), Box<dyn Error>> {
    let outcome = BlockTask::load(folder)?.solve(&Control::new())?;
    outcome.save(folder)?;
    let figures = outcome.figures();
    println!(
        "process {}: block {}, bound {:.4}, {:.2} s",
        std::process::id(),
        outcome.block(),
        figures.lower_bound,
        figures.solve_seconds + figures.certify_seconds
    );
    Ok(())
}

/// Divides, hands the tasks out, and proves the whole from what comes back.
fn lead(samples: usize, blocks: usize, processes: usize) -> Result<(), Box<dyn Error>> {
    let data = TeacherSettings { samples, ..TeacherSettings::default() };
    let problem = teacher(&data)?.problem(samples as f64 / 60.0)?;
    let training = TrainingSettings { rounds: 5, ..TrainingSettings::default() };
    let network = train(&problem, &training, &Control::new());
    let settings = CertifySettings { blocks: Blocks::Count(blocks), ..CertifySettings::default() };
    let division = Division::new(&problem, &network, &settings)?;

    let place = tempfile::tempdir()?;
    let folders: Vec<PathBuf> =
        (0..division.blocks()).map(|block| place.path().join(format!("block-{block}"))).collect();
    for (block, folder) in folders.iter().enumerate() {
        std::fs::create_dir(folder)?;
        division.task(block)?.save(folder)?;
    }
    let program = std::env::current_exe()?;
    let workers: Vec<_> = (0..processes)
        .map(|worker| {
            let share = folders.iter().skip(worker).step_by(processes);
            Command::new(&program).arg("solve").args(share).spawn()
        })
        .collect::<Result<_, _>>()?;
    for mut worker in workers {
        if !worker.wait()?.success() {
            eprintln!("a worker failed; what it did not solve counts with the bound 0");
        }
    }

    // A block whose outcome is missing counts nothing; one that is damaged or forged is refused here.
    let outcomes = folders
        .iter()
        .filter(|folder| folder.join("outcome.json").exists())
        .map(|folder| BlockOutcome::load(folder))
        .collect::<relucert::Result<Vec<_>>>()?;
    let certified = division.gather(outcomes, &Control::new())?;
    let report = &certified.report;
    println!(
        "network {:.4}, lower bound {:.4} ({} blocks, {}), dividing lost about {:.1} %",
        report.upper_bound,
        report.lower_bound,
        report.blocks,
        report.grade.name(),
        100.0 * report.dividing_loss.unwrap_or(f64::NAN),
    );
    Ok(())
}
