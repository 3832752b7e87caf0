//! `relucert certify --image`: networks with a convolutional first layer.

use super::arguments::{CertifyOptions, NetworkOptions};
use super::certify::{self as plain, Told, prepared, reading, start_threads, taken};
use super::files::SaveFolder;
use super::progress::Plain;
use super::provenance::of_run;
use super::{MISSED, SUCCESS, complain, interrupt, json, print};
use crate::render::summary;
use relucert::convolution::{ConvolutionSettings, Convolved, certify};
use relucert::data::Source;
use relucert::training::TrainingSettings;
use relucert::{
    Blocks, Control, ConvolutionalProblem, Cuts, Error, Method, Prices, Result, convolution_report,
    save_convolution, write_whole,
};
use std::time::Instant;

/// Refuses what does not combine with convolutions.
pub(super) fn check(options: &CertifyOptions) -> Result<()> {
    let wrong = [
        (options.input.bias, "--bias"),
        (!matches!(options.blocks, Blocks::Auto | Blocks::Count(1)), "--blocks"),
        (options.prices != Prices::None, "--prices"),
        (options.cuts != Cuts::None, "--cuts"),
    ];
    match wrong.into_iter().find(|(given, _)| *given) {
        Some((_, name)) => {
            Err(Error::Input(format!("{name} does not combine with --image; leave one of them out")))
        }
        None => Ok(()),
    }
}

pub(super) fn run(options: &NetworkOptions) -> Result<u8> {
    let start = Instant::now();
    let Some(shape) = options.convolution.shape()? else { return plain::run(options) };
    for (given, name) in
        [(options.network.is_some(), "--network"), (options.checkpoint.is_some(), "--checkpoint")]
    {
        if given {
            return Err(Error::Input(format!("{name} does not combine with --image; leave one of them out")));
        }
    }
    if !matches!(options.method, Method::Auto | Method::Branch) {
        return Err(Error::Input(
            "--image has branch and bound only; there is no relaxation for convolutions, leave --method out"
                .into(),
        ));
    }
    let options = &options.common;
    check(options)?;
    let control = match options.time_limit {
        Some(limit) => Control::new().within(limit),
        None => Control::new(),
    };
    let source = Source::read(&options.input.data)?;
    let dataset = source.parse(&reading(&options.input, options.input.task.into()))?;
    let dataset = prepared(&options.input, taken(&options.input, dataset)?);
    let named = |error: Error| Error::Input(format!("{}: {error}", source.name()));
    let features = dataset.features().to_dense().map_err(named)?;
    let problem = ConvolutionalProblem::new(
        shape,
        features.as_ref().as_ref(),
        dataset.targets().to_owned(),
        options.gamma,
    )
    .map_err(named)?;
    let loading = start.elapsed().as_secs_f64();
    start_threads(options.threads)?;
    let folder = options.save.as_deref().map(SaveFolder::prepare).transpose()?;
    dataset.notes().iter().for_each(|note| complain(note));
    let outcome = interrupt::install(&control, folder.as_ref()).and_then(|()| {
        let training =
            TrainingSettings { effort: options.effort, seed: options.seed, ..TrainingSettings::default() };
        let settings = ConvolutionSettings { training, ..ConvolutionSettings::default() };
        let started = Instant::now();
        let mut shown = Plain::new(&options.progress, "training")?;
        let mut last = f64::NAN;
        let found = certify(&problem, options.tolerance, &settings, &control, &mut |progress| {
            if progress.epsilon != last {
                last = progress.epsilon;
                shown.say(&format!("search at {:.4} of the weight decay", 1.0 + last));
            }
        });
        shown.finish();
        let (found, seconds) = (found?, started.elapsed().as_secs_f64());
        finish(
            options,
            &source,
            &problem,
            &dataset.description(),
            &found,
            ([loading, seconds], &control),
            folder.as_ref(),
        )
    });
    if let (Err(_), Some(folder)) = (&outcome, &folder) {
        folder.discard();
    }
    outcome
}

fn finish(
    options: &CertifyOptions,
    source: &Source,
    problem: &ConvolutionalProblem,
    understood: &str,
    found: &Convolved,
    ([loading, seconds], control): ([f64; 2], &Control),
    folder: Option<&SaveFolder>,
) -> Result<u8> {
    let mut report = convolution_report(problem, found, seconds, control);
    report.seconds.load = loading;
    let provenance = of_run(options, Method::Branch, source);
    let object = json(&Told { report: &report, provenance: &provenance })?;
    if let Some(folder) = folder {
        interrupt::undisturbed(|| {
            save_convolution(problem, found, folder.path())?;
            write_whole(&folder.path().join("report.json"), |file| file.write_all(object.as_bytes()))
        })?;
    }
    if options.json {
        print(&object)?;
    } else {
        let shape = problem.shape();
        let ([h, w, c], [a, b], [p, q]) = (shape.image(), shape.filter(), shape.pool());
        let mut text = format!("data          {understood}\n");
        text += &format!(
            "filters       {a}x{b} on images of {h}x{w}x{c}, stride {}, {} positions, averages of {p}x{q} of them\n",
            shape.stride(),
            shape.positions()
        );
        text += &summary::report(&report, options.tolerance);
        if let Some(folder) = folder {
            text += &format!("saved         {}\n", folder.path().display());
        }
        print(&text)?;
    }
    Ok(if report.meets(options.tolerance) { SUCCESS } else { MISSED })
}
