//! How much do activation patterns change during gradient descent?

use crate::data::{BASE, Setting};
use crate::lbfgs::random;
use crate::picture::{Panel, draw};
use crate::table::Table;
use crate::{Done, Output};
use relucert::baselines::descent::objective_gradient;
use relucert::data::{CsvOptions, load};
use relucert::{Network, Result, TrainingProblem};

const WIDTHS: [usize; 5] = [10, 30, 100, 300, 1_000];
const SHOWN: [usize; 8] = [1, 3, 10, 30, 100, 300, 1_000, 2_000];
/// Steps that a rate has to lower the objective in, each.
const TRIAL: usize = 20;
const IMAGES: usize = 100;

fn step(problem: &TrainingProblem, network: &Network, rate: f64) -> Result<(f64, Network)> {
    let (value, by_hidden, by_output) = objective_gradient(problem, network);
    Ok((value, Network::new(network.hidden() - rate * by_hidden, network.output() - rate * by_output)?))
}

/// The largest power of a half with which twenty steps of descent all go down.
pub fn rate(problem: &TrainingProblem, start: &Network) -> Result<f64> {
    let mut rate = 1.0;
    'rates: loop {
        let (mut network, mut before) = (start.clone(), f64::INFINITY);
        for _ in 0..TRIAL {
            let Ok((value, next)) = step(problem, &network, rate) else {
                rate *= 0.5;
                continue 'rates;
            };
            if value > before || value.is_nan() {
                rate *= 0.5;
                continue 'rates;
            }
            (network, before) = (next, value);
        }
        return Ok(rate);
    }
}

/// Gradient descent with one rate, shown after some of the steps.
pub fn descend(
    problem: &TrainingProblem,
    start: Network,
    steps: usize,
    mut show: impl FnMut(usize, f64, &Network),
) -> Result<Network> {
    let rate = rate(problem, &start)?;
    let mut network = start;
    for index in 0..steps {
        let (value, next) = step(problem, &network, rate)?;
        show(index, value, &network);
        network = next;
    }
    show(steps, network.objective(problem), &network);
    Ok(network)
}

/// For each neuron, on which samples it is active.
fn patterns(problem: &TrainingProblem, network: &Network) -> Vec<Vec<bool>> {
    let active = problem.features() * network.hidden();
    active.col_iter().map(|column| column.iter().map(|z| *z >= 0.0).collect()).collect()
}

pub fn run(output: &Output) -> Done {
    let gaussian = Setting { samples: 100, inputs: 10, ..BASE }.problem()?;
    let digits = load("digits", &CsvOptions::default())?;
    let first: Vec<usize> = (0..IMAGES).collect();
    let digits = digits.select(&first).ok_or("too few digits")?.standardized().with_bias();
    let digits = digits.problem(0.01 * IMAGES as f64)?;
    let mut table = Table::new(&[
        "data",
        "width",
        "steps",
        "objective / first",
        "signs changed %",
        "patterns changed %",
        "distinct patterns",
    ]);
    let mut panels = Vec::new();
    for (data, problem) in [("random", &gaussian), ("digits", &digits)] {
        let mut signs = Vec::new();
        let mut whole = Vec::new();
        for width in WIDTHS {
            let start = random(problem, width, 1)?;
            let before = patterns(problem, &start);
            let at_first = start.objective(problem);
            let (mut by_sign, mut by_pattern) = (Vec::new(), Vec::new());
            let most = SHOWN[SHOWN.len() - 1];
            descend(problem, start, most, |steps, value, network| {
                if !SHOWN.contains(&steps) {
                    return;
                }
                let now = patterns(problem, network);
                let changed =
                    |(a, b): (&Vec<bool>, &Vec<bool>)| a.iter().zip(b).filter(|(a, b)| a != b).count();
                let counts: Vec<usize> = before.iter().zip(&now).map(changed).collect();
                let share = 100.0 * counts.iter().sum::<usize>() as f64 / (width * problem.samples()) as f64;
                let moved = 100.0 * counts.iter().filter(|count| **count > 0).count() as f64 / width as f64;
                by_sign.push((steps as f64, share));
                by_pattern.push((steps as f64, moved));
                let mut distinct = now;
                distinct.sort();
                distinct.dedup();
                if [10, 100, 2_000].contains(&steps) {
                    table.row(&[
                        data.into(),
                        width.to_string(),
                        steps.to_string(),
                        format!("{:.4}", value / at_first),
                        format!("{share:.2}"),
                        format!("{moved:.1}"),
                        distinct.len().to_string(),
                    ]);
                }
            })?;
            signs.push((format!("m = {width}"), by_sign));
            whole.push((format!("m = {width}"), by_pattern));
        }
        for (curves, what) in [(signs, "signs changed, %"), (whole, "neurons whose pattern changed, %")] {
            panels.push(Panel {
                title: format!("{data}: gradient descent"),
                x: "steps".into(),
                y: what.into(),
                log: true,
                curves,
            });
        }
    }
    table.print();
    output.write("csv", &table.csv())?;
    output.write("svg", &draw(&panels)?)
}
