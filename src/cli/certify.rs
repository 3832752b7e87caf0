//! `relucert certify`.

use super::arguments::{CertifyOptions, DataOptions, NetworkOptions};
use super::files::SaveFolder;
use super::progress::LiveLine;
use super::provenance::of_run;
use super::{MISSED, SUCCESS, complain, interrupt, json, print, weights};
use crate::render::pictures::{self, Moment};
use crate::render::provenance::Provenance;
use crate::render::{page, summary};
use relucert::certificate::ProofSettings;
use relucert::data::{CsvOptions, Dataset, Source, Task};
use relucert::training::TrainingSettings;
use relucert::{
    Certified, CertifySettings, Checkpoint, Control, Error, Method, Report, Result, TrainingProblem, certify,
    certify_network, write_whole,
};
use serde::Serialize;
use std::time::Instant;

pub(super) fn run(options: &NetworkOptions) -> Result<u8> {
    let given = options.network.as_deref();
    let checkpoint = options
        .checkpoint
        .as_ref()
        .map(|path| Checkpoint { interval: options.checkpoint_interval, ..Checkpoint::new(path) });
    let (method, memory_limit, options) = (options.method, options.memory_limit, &options.common);
    run_with(options, method, |problem, control| {
        let bias = options.input.bias;
        let network = given.map(|path| weights::load(path, problem.inputs(), bias)).transpose()?;
        let settings = CertifySettings {
            tolerance: options.tolerance,
            seed: options.seed,
            blocks: options.blocks,
            prices: options.prices,
            cuts: options.cuts,
            training: TrainingSettings { effort: options.effort, ..TrainingSettings::default() },
            method,
            proof: ProofSettings {
                failure_probability: options.failure_probability,
                ..ProofSettings::default()
            },
            memory_limit,
            checkpoint,
            ..CertifySettings::default()
        };
        let mut line = LiveLine::new(&options.progress)?;
        let outcome = match &network {
            Some(network) => certify_network(problem, network, &settings, control, &mut line),
            None => certify(problem, &settings, control, &mut line),
        };
        let history = line.finish();
        Ok((outcome?, history))
    })
}

/// Loads, solves by the solver given, saves and prints.
pub(super) fn run_with(
    options: &CertifyOptions,
    method: Method,
    solver: impl FnOnce(&TrainingProblem, &Control) -> Result<(Certified, Vec<Moment>)>,
) -> Result<u8> {
    let start = Instant::now();
    let control = match options.time_limit {
        Some(limit) => Control::new().within(limit),
        None => Control::new(),
    };
    let (source, dataset, problem) = prepare(options)?;
    let loading = start.elapsed().as_secs_f64();
    start_threads(options.threads)?;
    let folder = options.save.as_deref().map(SaveFolder::prepare).transpose()?;
    dataset.notes().iter().for_each(|note| complain(note));
    let outcome = interrupt::install(&control, folder.as_ref())
        .and_then(|()| solver(&problem, &control))
        .and_then(|(mut certified, history)| {
            certified.report.seconds.load = loading;
            let run = Run { options, source: &source, dataset: &dataset, problem: &problem, method };
            run.finish(&certified, &history, folder.as_ref())
        });
    if let (Err(_), Some(folder)) = (&outcome, &folder) {
        folder.discard();
    }
    outcome
}

pub(super) fn start_threads(threads: Option<usize>) -> Result<()> {
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .map_err(|error| Error::Input(format!("cannot start {threads} threads: {error}")))?;
    }
    Ok(())
}

/// The problem, and the data that it is made of.
fn prepare(options: &CertifyOptions) -> Result<(Source, Dataset, TrainingProblem)> {
    let source = Source::read(&options.input.data)?;
    let dataset = source.parse(&reading(&options.input, options.input.task.into()))?;
    let dataset = taken(&options.input, dataset)?;
    let dataset = prepared(&options.input, dataset);
    let problem = dataset
        .problem(options.gamma)
        .map_err(|error| Error::Input(format!("{}: {error}", source.name())))?;
    Ok((source, dataset, problem))
}

/// How a data set is read.
pub(super) fn reading(options: &DataOptions, task: Task) -> CsvOptions {
    let (targets, drop, features) = (options.target.clone(), options.drop.clone(), options.features.clone());
    CsvOptions { targets, task, drop, features }
}

/// The samples that were asked for.
pub(super) fn taken(options: &DataOptions, dataset: Dataset) -> Result<Dataset> {
    let Some(first) = options.first else { return Ok(dataset) };
    let there = dataset.samples();
    let taken = (first <= there).then(|| dataset.select(&(0..first).collect::<Vec<_>>())).flatten();
    taken.ok_or_else(|| {
        Error::Input(format!("{}: --first {first} of {there} samples; ask for fewer", options.data))
    })
}

/// A data set as it was read, standardised and with a bias column as asked for.
pub(super) fn prepared(options: &DataOptions, mut dataset: Dataset) -> Dataset {
    if options.standardize {
        dataset = dataset.standardized();
    }
    if options.bias {
        dataset = dataset.with_bias();
    }
    dataset
}

/// What was asked for.
struct Run<'a> {
    options: &'a CertifyOptions,
    source: &'a Source,
    dataset: &'a Dataset,
    problem: &'a TrainingProblem,
    method: Method,
}

/// The object that `--json` prints and `report.json` holds.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    #[serde(flatten)]
    pub(super) report: &'a Report,
    pub(super) provenance: &'a Provenance,
}

impl Run<'_> {
    /// Saves and prints.
    fn finish(&self, certified: &Certified, history: &[Moment], folder: Option<&SaveFolder>) -> Result<u8> {
        let (options, report) = (self.options, &certified.report);
        let provenance = of_run(options, self.method, self.source);
        let object = json(&Told { report, provenance: &provenance })?;
        if let Some(folder) = folder {
            let mut texts = pictures::draw(self.source.name(), self.problem, certified, history)?;
            texts.push(("report.html", page::draw(&provenance, self.dataset, certified, history)?));
            texts.push(("model.json", json(&self.dataset.preparation())?));
            texts.push(("report.json", object.clone()));
            interrupt::undisturbed(|| {
                certified.save(self.problem, folder.path())?;
                for (name, text) in &texts {
                    write_whole(&folder.path().join(name), |file| file.write_all(text.as_bytes()))?;
                }
                Ok(())
            })?;
        }
        if options.json {
            print(&object)?;
        } else {
            let understood = self.dataset.description();
            let mut text =
                format!("data          {understood}\n") + &summary::report(report, options.tolerance);
            if let Some(folder) = folder {
                text += &format!("saved         {}\n", folder.path().display());
            }
            print(&text)?;
        }
        Ok(if report.meets(options.tolerance) { SUCCESS } else { MISSED })
    }
}
