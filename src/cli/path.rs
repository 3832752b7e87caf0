//! `relucert path`.

use super::arguments::PathOptions;
use super::certify::{reading, start_threads, taken};
use super::files::SaveFolder;
use super::progress::Plain;
use super::provenance::of_data;
use super::version::{NUMBER, REVISION};
use super::{SUCCESS, complain, interrupt, json, print};
use crate::render::path_table::Row;
use crate::render::provenance::Data;
use crate::render::{path_table, pictures};
use relucert::data::{Dataset, Source};
use relucert::io::save_network;
use relucert::path::{Path, PathProgress, PathSettings, Preparing, trace};
use relucert::training::TrainingSettings;
use relucert::{Control, Error, Result, write_whole};
use serde::Serialize;

/// The object that `--json` prints and `path.json` holds.
#[derive(Serialize)]
struct Told<'a> {
    schema: u32,
    samples: usize,
    /// From this weight decay on no neuron is of use: an estimate.
    least_zero_gamma: f64,
    /// The same, proved; null in many dimensions.
    least_zero_gamma_proved: Option<f64>,
    folds: usize,
    /// What the errors are: the part put into another class, or the mean squared error of a sample.
    error: &'static str,
    least_error_gamma: Option<f64>,
    one_standard_error_gamma: Option<f64>,
    points: Vec<Row>,
    version: &'static str,
    revision: Option<&'static str>,
    seed: u64,
    standardize: bool,
    bias: bool,
    data: &'a Data,
}

pub(super) fn run(options: &PathOptions) -> Result<u8> {
    let control = match options.time_limit {
        Some(limit) => Control::new().within(limit),
        None => Control::new(),
    };
    let source = Source::read(&options.input.data)?;
    let dataset = source.parse(&reading(&options.input, options.input.task.into()))?;
    let dataset = taken(&options.input, dataset)?;
    start_threads(options.threads)?;
    let folder = options.save.as_deref().map(SaveFolder::prepare).transpose()?;
    dataset.notes().iter().for_each(|note| complain(note));
    let outcome = interrupt::install(&control, folder.as_ref()).and_then(|()| {
        let mut plain = Plain::new(&options.progress, "training")?;
        let settings = settings(options);
        let path = trace(&dataset, &settings, &control, &mut |done| plain.say(&line(&done)))
            .map_err(|error| Error::Input(format!("{}: {error}", source.name())));
        plain.finish();
        finish(options, &source, &dataset, &path?, folder.as_ref())
    });
    if let (Err(_), Some(folder)) = (&outcome, &folder) {
        folder.discard();
    }
    outcome
}

fn settings(options: &PathOptions) -> PathSettings {
    PathSettings {
        gammas: options.gammas.clone(),
        folds: options.folds,
        preparing: Preparing { standardize: options.input.standardize, bias: options.input.bias },
        training: TrainingSettings { effort: options.effort, ..TrainingSettings::default() },
        bounds: options.bounds,
        seed: options.seed,
        ..PathSettings::default()
    }
}

fn line(done: &PathProgress) -> String {
    let (trained, of) = (done.trained, done.of);
    if done.proved > 0 {
        return format!("bound {} proved, at weight decay {:.4e}", done.proved, done.gamma);
    }
    let error = done.error.map_or(String::new(), |error| format!("  error {error:.4}"));
    format!("weight decay {trained} of {of}: {:.4e}{error}", done.gamma)
}

fn finish(
    options: &PathOptions,
    source: &Source,
    dataset: &Dataset,
    path: &Path,
    folder: Option<&SaveFolder>,
) -> Result<u8> {
    let rows = Row::all(path);
    let (least, within) = (path.least_error(), path.one_standard_error());
    let gamma = |place: Option<usize>| place.map(|place| path.points[place].gamma);
    let what = if dataset.is_classification() { "misclassified" } else { "mean_squared_error" };
    let table = path_table::csv(&rows, least, within)?;
    let text = path_table::text(path, &rows, &dataset.description(), what, &again(options));
    let picture = pictures::path::draw(source.name(), path, &rows, what)?;
    let object = json(&Told {
        schema: 1,
        samples: path.samples,
        least_zero_gamma: path.least_zero.estimate,
        least_zero_gamma_proved: path.least_zero.proved,
        folds: options.folds,
        error: what,
        least_error_gamma: gamma(least),
        one_standard_error_gamma: gamma(within),
        points: rows,
        version: NUMBER,
        revision: REVISION,
        seed: options.seed,
        standardize: options.input.standardize,
        bias: options.input.bias,
        data: &of_data(source),
    })?;
    if let Some(folder) = folder {
        let mut files = vec![("path.csv", table), ("path.svg", picture), ("path.json", object.clone())];
        let chosen = least.map(|place| &path.points[place].network);
        if chosen.is_some() {
            let prepared = super::certify::prepared(&options.input, dataset.clone());
            files.push(("model.json", json(&prepared.preparation())?));
        }
        interrupt::undisturbed(|| {
            for (name, text) in &files {
                write_whole(&folder.path().join(name), |file| file.write_all(text.as_bytes()))?;
            }
            chosen.map_or(Ok(()), |network| save_network(&folder.path().join("network.npz"), network))
        })?;
    }
    let saved = folder.map_or(String::new(), |folder| format!("saved         {}\n", folder.path().display()));
    print(&if options.json { object } else { text + &saved })?;
    if path.points.len() < path.asked {
        complain(&format!("stopped after {} of {} weight decays", path.points.len(), path.asked));
    }
    Ok(SUCCESS)
}

/// The command that certifies with the same data and preparation, up to the weight decay.
fn again(options: &PathOptions) -> String {
    let input = &options.input;
    let mut words = vec!["relucert certify".to_string(), quoted(&input.data)];
    for (name, list) in
        [("--target", &input.target), ("--drop", &input.drop), ("--features", &input.features)]
    {
        if !list.is_empty() {
            words.push(format!("{name} {}", quoted(&list.join(","))));
        }
    }
    if let Some(task) = input.task.asked() {
        words.push(format!("--task {task}"));
    }
    for (name, is_asked) in [("--standardize", input.standardize), ("--bias", input.bias)] {
        if is_asked {
            words.push(name.into());
        }
    }
    words.join(" ") + " --gamma"
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_./,:+".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
