//! Trains a network without certifying it and prints one line of JSON: objective, neurons, the largest ratio that a search finds
//! (an estimate), and seconds.
//!
//! `cargo run --release --example train -- DATA GAMMA [--standardize] [--bias] [--regression] [--effort low|normal|high] [--width M]
//! [--starts S] [--seed K] [--seconds LIMIT] [--insert ROUNDS]`. DATA is a file, a built-in name, or `teacher:N:D:C`.

use faer::Mat;
use relucert::data::{CsvOptions, Task, TeacherSettings, load, teacher};
use relucert::training::{Effort, TrainingSettings, insert, stationarity, train};
use relucert::{Control, Error, Result, TrainingProblem};
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || Error::Input("DATA GAMMA, then options; see the head of examples/train.rs".into());
    let name = arguments.next().ok_or_else(usage)?;
    let gamma = number(&arguments.next().ok_or_else(usage)?)?;
    let (mut standardize, mut bias, mut regression) = (false, false, false);
    let (mut seconds, mut rounds) = (None, 0);
    let mut settings = TrainingSettings::default();
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| Error::Input(format!("{option} needs a value")));
        match option.as_str() {
            "--standardize" => standardize = true,
            "--bias" => bias = true,
            "--regression" => regression = true,
            "--effort" => {
                let wanted = value()?;
                let found = Effort::ALL.iter().find(|(_, name)| *name == wanted);
                settings.effort = found.ok_or_else(|| Error::Input("effort: low, normal or high".into()))?.0;
            }
            "--width" => settings.width = number(&value()?)? as usize,
            "--starts" => settings.starts = number(&value()?)? as usize,
            "--iterations" => settings.iterations = number(&value()?)? as usize,
            "--rounds" => settings.rounds = number(&value()?)? as usize,
            "--seed" => settings.seed = number(&value()?)? as u64,
            "--seconds" => seconds = Some(number(&value()?)?),
            "--insert" => rounds = number(&value()?)? as usize,
            other => return Err(Error::Input(format!("{other}: no such option"))),
        }
    }
    let problem = problem(&name, gamma, standardize, bias, regression)?;
    let control = match seconds {
        Some(seconds) => Control::new().within(Duration::from_secs_f64(seconds)),
        None => Control::new(),
    };
    let begin = Instant::now();
    let mut network = train(&problem, &settings, &control);
    let trained = begin.elapsed().as_secs_f64();
    for _ in 0..rounds {
        let nothing = Mat::zeros(problem.inputs(), 0);
        network = insert(&problem, &network, nothing.as_ref(), 1.0, &settings, &control);
    }
    let inserted = begin.elapsed().as_secs_f64() - trained;
    let ratio = stationarity(&problem, &network, &settings, &Control::new());
    println!(
        "{{\"data\": \"{name}\", \"gamma\": {gamma}, \"objective\": {:?}, \"neurons\": {}, \"ratio\": {ratio:.8}, \"seconds\": {trained:.3}, \"insert_seconds\": {inserted:.3}}}",
        network.objective(&problem),
        network.width(),
    );
    Ok(())
}

fn number(text: &str) -> Result<f64> {
    text.parse().map_err(|_| Error::Input(format!("{text}: not a number")))
}

fn problem(
    name: &str,
    gamma: f64,
    standardize: bool,
    bias: bool,
    regression: bool,
) -> Result<TrainingProblem> {
    let mut data = match name.strip_prefix("teacher:") {
        Some(sizes) => {
            let sizes: Vec<usize> = sizes.split(':').filter_map(|size| size.parse().ok()).collect();
            let [samples, features, outputs] = sizes[..] else {
                return Err(Error::Input("teacher:N:D:C".into()));
            };
            teacher(&TeacherSettings { samples, features, outputs, ..Default::default() })?
        }
        None => load(
            name,
            &CsvOptions {
                task: if regression { Task::Regression } else { Task::Auto },
                ..Default::default()
            },
        )?,
    };
    if standardize {
        data = data.standardized();
    }
    if bias {
        data = data.with_bias();
    }
    data.problem(gamma)
}
