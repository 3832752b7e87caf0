//! `relucert compare`.

use super::arguments::CompareOptions;
use super::certify::{load_as, load_data, start_threads};
use super::files::SaveFolder;
use super::{MISSED, SUCCESS, complain, interrupt, json, print};
use crate::render::pictures::comparison;
use crate::render::table;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use relucert::baselines::descent::DescentSettings;
use relucert::baselines::gated::GatedSettings;
use relucert::certificate::ProofSettings;
use relucert::compare::{CompareSettings, ComparedMethod, Comparison, Outcome, Row, compare};
use relucert::data::{Dataset, Task};
use relucert::training::TrainingSettings;
use relucert::{CertifySettings, Control, Error, Result, write_whole};
use std::time::Duration;

pub(super) fn run(options: &CompareOptions) -> Result<u8> {
    let common = &options.common;
    let control = match common.time_limit {
        Some(limit) => Control::new().within(limit),
        None => Control::new(),
    };
    let settings = settings(options)?;
    let (training, test) = sets(options)?;
    start_threads(common.threads)?;
    let folder = common.save.as_deref().map(SaveFolder::prepare).transpose()?;
    training.notes().iter().for_each(|note| complain(note));
    let outcome = interrupt::install(&control, folder.as_ref()).and_then(|()| {
        let bar = Bar::new(common.quiet);
        let comparison =
            compare(&training, test.as_ref(), common.gamma, &settings, &control, &mut |row| bar.show(row))
                .map_err(|error| Error::Input(format!("{}: {error}", common.data)));
        bar.0.finish_and_clear();
        finish(options, &training.description(), &comparison?, folder.as_ref())
    });
    if let (Err(_), Some(folder)) = (&outcome, &folder) {
        folder.discard();
    }
    outcome
}

fn settings(options: &CompareOptions) -> Result<CompareSettings> {
    let common = &options.common;
    let methods = if options.methods.is_empty() {
        ComparedMethod::ALL.to_vec()
    } else {
        options.methods.iter().map(|name| name.parse()).collect::<Result<_>>()?
    };
    Ok(CompareSettings {
        methods,
        seed: common.seed,
        certify: CertifySettings {
            tolerance: common.tolerance,
            blocks: common.blocks,
            training: TrainingSettings { effort: common.effort, ..TrainingSettings::default() },
            proof: ProofSettings {
                failure_probability: common.failure_probability,
                ..ProofSettings::default()
            },
            ..CertifySettings::default()
        },
        descent: DescentSettings { width: options.width, ..DescentSettings::default() },
        gated: GatedSettings { patterns: options.patterns, ..GatedSettings::default() },
        published_protocol: options.published_protocol,
        ..CompareSettings::default()
    })
}

/// The training set, and the test set if there is one, prepared alike.
fn sets(options: &CompareOptions) -> Result<(Dataset, Option<Dataset>)> {
    let common = &options.common;
    let whole = load_data(common, &common.data)?;
    let (mut training, mut test) = match (&options.test, options.test_share) {
        (Some(name), _) => {
            // A few test samples may not show by themselves what the target means.
            let task = if whole.is_classification() { Task::Classification } else { Task::Regression };
            let test = load_as(common, name, task)?
                .aligned_with(&whole)
                .map_err(|error| Error::Input(format!("{name}: {error}")))?;
            (whole, Some(test))
        }
        (None, Some(share)) => {
            let (training, test) = whole
                .split(share, common.seed)
                .map_err(|error| Error::Input(format!("{}: {error}", common.data)))?;
            (training, Some(test))
        }
        (None, None) => (whole, None),
    };
    if common.standardize {
        test = test.map(|test| test.standardized_like(&training)).transpose()?;
        training = training.standardized();
    }
    if common.bias {
        (training, test) = (training.with_bias(), test.map(Dataset::with_bias));
    }
    Ok((training, test))
}

fn finish(
    options: &CompareOptions,
    understood: &str,
    comparison: &Comparison,
    folder: Option<&SaveFolder>,
) -> Result<u8> {
    let object = json(comparison)?;
    if let Some(folder) = folder {
        let picture = comparison::draw(&options.common.data, comparison)?;
        interrupt::undisturbed(|| {
            for (name, text) in [("compare.json", &object), ("compare.svg", &picture)] {
                write_whole(&folder.path().join(name), |file| file.write_all(text.as_bytes()))?;
            }
            Ok(())
        })?;
    }
    if options.common.json {
        print(&object)?;
    } else {
        let mut text = table::comparison(comparison, understood);
        if let Some(folder) = folder {
            text += &format!("saved         {}\n", folder.path().display());
        }
        print(&text)?;
    }
    let any = comparison.rows.iter().any(|row| matches!(row.status, Outcome::Done | Outcome::Unconverged));
    Ok(if any { SUCCESS } else { MISSED })
}

/// Which method has ended, on standard error where that is a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        if !bar.is_hidden() {
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self(bar)
    }

    fn show(&self, row: &Row) {
        self.0.set_message(format!("{}: {} after {:.1} s", row.method, row.status.as_str(), row.seconds));
    }
}
