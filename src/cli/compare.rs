//! `relucert compare`.

use super::arguments::CompareOptions;
use super::certify::{prepared, reading, start_threads, taken};
use super::files::SaveFolder;
use super::progress::Plain;
use super::{MISSED, SUCCESS, complain, interrupt, json, print};
use crate::render::pictures::comparison;
use crate::render::table;
use relucert::baselines::descent::DescentSettings;
use relucert::baselines::gated::GatedSettings;
use relucert::certificate::ProofSettings;
use relucert::compare::{
    CompareSettings, ComparedMethod, Comparison, Outcome, Row, compare, compare_convolutional,
};
use relucert::data::{Dataset, Task, load};
use relucert::training::TrainingSettings;
use relucert::{CertifySettings, Control, Error, Result, write_whole};

pub(super) fn run(options: &CompareOptions) -> Result<u8> {
    let common = &options.common;
    let control = match common.time_limit {
        Some(limit) => Control::new().within(limit),
        None => Control::new(),
    };
    let shape = options.convolution.shape()?;
    let mut settings = settings(options)?;
    if shape.is_some() {
        super::convolution::check(common)?;
        if options.methods.is_empty() {
            settings.methods = ComparedMethod::CONVOLUTIONAL.to_vec();
        }
    }
    let (training, test) = sets(options)?;
    start_threads(common.threads)?;
    let folder = common.save.as_deref().map(SaveFolder::prepare).transpose()?;
    training.notes().iter().for_each(|note| complain(note));
    let outcome = interrupt::install(&control, folder.as_ref()).and_then(|()| {
        let mut shown = Plain::new(&common.progress, "train")?;
        let (test, gamma) = (test.as_ref(), common.gamma);
        let mut observer = |row: &Row| shown.say(&told(row));
        let comparison = match &shape {
            Some(shape) => {
                compare_convolutional(&training, test, shape, gamma, &settings, &control, &mut observer)
            }
            None => compare(&training, test, gamma, &settings, &control, &mut observer),
        }
        .map_err(|error| Error::Input(format!("{}: {error}", common.input.data)));
        shown.finish();
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
    let mut given = CompareSettings::default();
    if let Some(cells) = options.max_cells {
        (given.exact.max_cells, given.frank_wolfe.max_cells, given.copositive.max_cells) =
            (cells, cells, cells);
    }
    if let Some(unknowns) = options.max_unknowns {
        given.copositive.max_unknowns = unknowns;
    }
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
        ..given
    })
}

/// The training set, and the test set if there is one, prepared alike.
fn sets(options: &CompareOptions) -> Result<(Dataset, Option<Dataset>)> {
    let common = &options.common;
    let whole = load(&common.input.data, &reading(&common.input, common.input.task.into()))?;
    let whole = taken(&common.input, whole)?;
    let (mut training, mut test) = match (&options.test, options.test_share) {
        (Some(name), _) => {
            // A few test samples may not show by themselves what the target means.
            let task = if whole.is_classification() { Task::Classification } else { Task::Regression };
            let test = load(name, &reading(&common.input, task))?
                .aligned_with(&whole)
                .map_err(|error| Error::Input(format!("{name}: {error}")))?;
            (whole, Some(test))
        }
        (None, Some(share)) => {
            let (training, test) = whole
                .split(share, common.seed)
                .map_err(|error| Error::Input(format!("{}: {error}", common.input.data)))?;
            (training, Some(test))
        }
        (None, None) => (whole, None),
    };
    if common.input.standardize {
        test = test.map(|test| test.standardized_like(&training)).transpose()?;
    }
    if common.input.bias {
        test = test.map(Dataset::with_bias);
    }
    training = prepared(&common.input, training);
    Ok((training, test))
}

fn finish(
    options: &CompareOptions,
    understood: &str,
    comparison: &Comparison,
    folder: Option<&SaveFolder>,
) -> Result<u8> {
    let object = json(comparison)?;
    let rows = table::csv(comparison)?;
    if let Some(folder) = folder {
        let picture = comparison::draw(&options.common.input.data, comparison)?;
        interrupt::undisturbed(|| {
            for (name, text) in [("compare.json", &object), ("compare.csv", &rows), ("compare.svg", &picture)]
            {
                write_whole(&folder.path().join(name), |file| file.write_all(text.as_bytes()))?;
            }
            Ok(())
        })?;
    }
    if options.csv {
        print(&rows)?;
    } else if options.common.json {
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

/// Which method has ended.
fn told(row: &Row) -> String {
    format!("{}: {} after {:.1} s", row.method, row.status.as_str(), row.seconds)
}
