//! `relucert certify`.

use super::arguments::{CertifyOptions, NetworkOptions};
use super::files::SaveFolder;
use super::progress::LiveLine;
use super::{MISSED, SUCCESS, complain, interrupt, json, print, weights};
use crate::render::pictures::{self, Moment};
use crate::render::summary;
use relucert::certificate::ProofSettings;
use relucert::data::{CsvOptions, Dataset, Task, load};
use relucert::training::TrainingSettings;
use relucert::{
    Certified, CertifySettings, Checkpoint, Control, Error, Result, TrainingProblem, certify,
    certify_network, write_whole,
};
use std::time::Instant;

pub(super) fn run(options: &NetworkOptions) -> Result<u8> {
    let given = options.network.as_deref();
    let checkpoint = options
        .checkpoint
        .as_ref()
        .map(|path| Checkpoint { interval: options.checkpoint_interval, ..Checkpoint::new(path) });
    let (method, memory_limit, options) = (options.method, options.memory_limit, &options.common);
    run_with(options, |problem, control| {
        let network = given.map(weights::load).transpose()?;
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
        let mut line = LiveLine::new(options.quiet);
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
    solver: impl FnOnce(&TrainingProblem, &Control) -> Result<(Certified, Vec<Moment>)>,
) -> Result<u8> {
    let start = Instant::now();
    let control = match options.time_limit {
        Some(limit) => Control::new().within(limit),
        None => Control::new(),
    };
    let (problem, dataset) = prepare(options)?;
    let loading = start.elapsed().as_secs_f64();
    start_threads(options.threads)?;
    let folder = options.save.as_deref().map(SaveFolder::prepare).transpose()?;
    dataset.notes().iter().for_each(|note| complain(note));
    let outcome = interrupt::install(&control, folder.as_ref())
        .and_then(|()| solver(&problem, &control))
        .and_then(|(mut certified, history)| {
            certified.report.seconds.load = loading;
            finish(options, &dataset.description(), &problem, &certified, &history, folder.as_ref())
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

/// A data set as it is read.
pub(super) fn load_data(options: &CertifyOptions, name: &str) -> Result<Dataset> {
    load_as(options, name, options.task.into())
}

pub(super) fn load_as(options: &CertifyOptions, name: &str, task: Task) -> Result<Dataset> {
    let (targets, drop, features) = (options.target.clone(), options.drop.clone(), options.features.clone());
    load(name, &CsvOptions { targets, task, drop, features })
}

/// The problem, and the data that it is made of.
fn prepare(options: &CertifyOptions) -> Result<(TrainingProblem, Dataset)> {
    let mut dataset = load_data(options, &options.data)?;
    if options.standardize {
        dataset = dataset.standardized();
    }
    if options.bias {
        dataset = dataset.with_bias();
    }
    let problem =
        dataset.problem(options.gamma).map_err(|error| Error::Input(format!("{}: {error}", options.data)))?;
    Ok((problem, dataset))
}

fn finish(
    options: &CertifyOptions,
    understood: &str,
    problem: &TrainingProblem,
    certified: &Certified,
    history: &[Moment],
    folder: Option<&SaveFolder>,
) -> Result<u8> {
    let report = &certified.report;
    let object = json(report)?;
    if let Some(folder) = folder {
        let pictures = pictures::draw(&options.data, problem, certified, history)?;
        interrupt::undisturbed(|| {
            certified.save(problem, folder.path())?;
            for (name, text) in pictures.iter().chain([&("report.json", object.clone())]) {
                write_whole(&folder.path().join(name), |file| file.write_all(text.as_bytes()))?;
            }
            Ok(())
        })?;
    }
    if options.json {
        print(&object)?;
    } else {
        let mut text = format!("data          {understood}\n") + &summary::report(report, options.tolerance);
        if let Some(folder) = folder {
            text += &format!("saved         {}\n", folder.path().display());
        }
        print(&text)?;
    }
    Ok(if report.meets(options.tolerance) { SUCCESS } else { MISSED })
}
