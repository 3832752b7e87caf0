//! One run, in a process of its own.

use relucert::data::{TeacherSettings, teacher};
use relucert::{
    Blocks, CertifySettings, Control, Method, Observer, Prices, Progress, certify, estimated_memory_bytes,
};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::Path;
use std::process::Command;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Teacher data at γ = n/100.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub samples: usize,
    pub features: usize,
    pub outputs: usize,
    pub blocks: usize,
    pub tolerance: f64,
    /// Rounds of prices.
    pub rounds: usize,
}

/// A line of the CSV files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub samples: usize,
    pub features: usize,
    pub outputs: usize,
    pub blocks: usize,
    pub tolerance: f64,
    pub threads: usize,
    /// Training and polishing the network.
    pub train_seconds: f64,
    pub solve_seconds: f64,
    pub certify_seconds: f64,
    /// Newton steps; of a divided run 0.
    pub iterations: usize,
    pub rank: usize,
    pub pairs: usize,
    pub active_pairs: usize,
    pub relaxation_value: f64,
    pub lower_bound: f64,
    pub upper_bound: f64,
    pub solver_gap: f64,
    pub dividing_loss: Option<f64>,
    pub grade: String,
    pub status: String,
    pub peak_memory_bytes: u64,
    pub estimated_memory_bytes: u64,
}

/// A level of the solver.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Moment {
    pub seconds: f64,
    pub value: f64,
    /// Estimated on the way; proved at the end, which is the last line.
    pub lower_bound: f64,
    pub iterations: usize,
    /// Whether it is a round of prices.
    pub priced: bool,
}

/// A round of prices, or, as round 0, the blocks without.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Round {
    pub samples: usize,
    pub blocks: usize,
    pub round: usize,
    pub lower_bound: f64,
    /// Best bound so far, over that of round 0.
    pub won: f64,
    /// Seconds of the blocks and of the rounds so far, over those of the blocks.
    pub cost: f64,
}

impl Case {
    /// The rounds of a run: the best bound so far and what it took, both against the blocks without prices.
    pub fn rounds(&self) -> Outcome<Vec<Round>> {
        let (row, moments) = self.measure()?;
        let Some(first) = moments.iter().position(|moment| moment.priced) else { return Ok(Vec::new()) };
        let base = moments[first];
        let blocks = moments[..first].last().map_or(0.0, |last| last.seconds - row.train_seconds);
        let mut best = base.lower_bound;
        let rounds = moments[first..].iter().filter(|moment| moment.priced).enumerate();
        Ok(rounds
            .map(|(round, moment)| {
                best = best.max(moment.lower_bound);
                Round {
                    samples: self.samples,
                    blocks: self.blocks,
                    round,
                    lower_bound: moment.lower_bound,
                    won: best / base.lower_bound - 1.0,
                    cost: 1.0 + (moment.seconds - base.seconds) / blocks,
                }
            })
            .collect())
    }
}

#[derive(Default)]
struct Log(Vec<Moment>);

impl Observer for Log {
    fn progress(&mut self, progress: &Progress) {
        self.0.push(Moment {
            seconds: progress.seconds,
            value: progress.value,
            lower_bound: progress.lower_bound,
            iterations: match (progress.blocks, progress.price_round) {
                (None, None) => progress.iteration,
                _ => 0,
            },
            priced: progress.price_round.is_some(),
        });
    }
}

impl Case {
    /// Runs it in a process of its own.
    pub fn measure(&self) -> Outcome<(Row, Vec<Moment>)> {
        let sizes = [self.samples, self.features, self.outputs, self.blocks, self.rounds];
        let output = Command::new(std::env::current_exe()?)
            .arg("one")
            .args(sizes.map(|size| size.to_string()))
            .arg(self.tolerance.to_string())
            .stderr(std::process::Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("the run ended with {}", output.status).into());
        }
        let measured: (Row, Vec<Moment>) = serde_json::from_slice(&output.stdout)?;
        let row = &measured.0;
        eprintln!(
            "n {:6} d {:3} c {:2} K {:3}: solve {:7.2} s, train {:6.2} s, {} pairs, rank {}, gap {:.2e}, {} MB ({} estimated)",
            row.samples,
            row.features,
            row.outputs,
            row.blocks,
            row.solve_seconds + row.certify_seconds,
            row.train_seconds,
            row.pairs,
            row.rank,
            row.solver_gap,
            row.peak_memory_bytes / 1_000_000,
            row.estimated_memory_bytes / 1_000_000,
        );
        Ok(measured)
    }
}

/// The other side of [`Case::measure`]: the row and the levels as JSON on standard output.
pub fn run_here(arguments: &[String]) -> Outcome<()> {
    let [samples, features, outputs, blocks, rounds, tolerance] = arguments else {
        return Err("one SAMPLES FEATURES OUTPUTS BLOCKS ROUNDS TOLERANCE".into());
    };
    let (samples, features, outputs) = (samples.parse()?, features.parse()?, outputs.parse()?);
    let (blocks, tolerance) = (blocks.parse()?, tolerance.parse()?);
    let data = TeacherSettings { samples, features, outputs, seed: 1, ..TeacherSettings::default() };
    let problem = teacher(&data)?.problem(samples as f64 / 100.0)?;
    let prices = Prices::Rounds(rounds.parse()?);
    let settings = CertifySettings {
        method: Method::Relaxation,
        tolerance,
        blocks: Blocks::Count(blocks),
        prices,
        ..CertifySettings::default()
    };
    let mut log = Log::default();
    let certified = certify(&problem, &settings, &Control::new(), &mut log)?;
    let (report, threads) = (certified.report, std::thread::available_parallelism()?.get());
    let row = Row {
        samples,
        features: problem.inputs(),
        outputs,
        blocks,
        tolerance,
        threads,
        train_seconds: report.seconds.round,
        solve_seconds: report.seconds.solve,
        certify_seconds: report.seconds.certify,
        iterations: log.0.last().map_or(0, |moment| moment.iterations),
        rank: report.rank,
        pairs: report.pairs,
        active_pairs: report.active_pairs,
        relaxation_value: report.relaxation_value.unwrap_or(report.upper_bound.value()),
        lower_bound: report.lower_bound.value(),
        upper_bound: report.upper_bound.value(),
        solver_gap: report.solver_gap.unwrap_or(report.gap.value()),
        dividing_loss: report.dividing_loss,
        grade: report.grade.name().into(),
        status: report.status.as_str().into(),
        peak_memory_bytes: report.peak_memory_bytes.unwrap_or(0),
        estimated_memory_bytes: estimated_memory_bytes(
            samples,
            problem.inputs(),
            outputs,
            blocks,
            blocks.min(2 * threads),
        ),
    };
    let last = Moment {
        seconds: report.seconds.round + report.seconds.solve + report.seconds.certify,
        value: report.relaxation_value.unwrap_or(report.upper_bound.value()),
        lower_bound: report.lower_bound.value(),
        iterations: row.iterations,
        priced: false,
    };
    log.0.push(last);
    println!("{}", serde_json::to_string(&(row, log.0))?);
    Ok(())
}

pub fn write_rows(path: &Path, rows: &[Row]) -> Outcome<()> {
    write(path, rows)
}

pub fn write_rounds(path: &Path, rounds: &[Round]) -> Outcome<()> {
    write(path, rounds)
}

pub fn write_trace(path: &Path, moments: &[Moment]) -> Outcome<()> {
    write(path, moments)
}

fn write<T: Serialize>(path: &Path, lines: &[T]) -> Outcome<()> {
    let mut writer = csv::Writer::from_path(path)?;
    lines.iter().try_for_each(|line| writer.serialize(line))?;
    Ok(writer.flush()?)
}
