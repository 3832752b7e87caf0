//! How many neurons does the optimum need?

use crate::data::{BASE, SEEDS, Setting, median, optimum};
use crate::lbfgs::{minimise, random};
use crate::picture::{Panel, draw};
use crate::table::Table;
use crate::{Done, Output};
use rayon::prelude::*;
use relucert::{Result, TrainingProblem};

const STARTS: u64 = 20;
const ITERATIONS: usize = 500;
/// Widths tried, and where a width is enough.
const MOST: usize = 16;
const WITHIN: [f64; 2] = [1.01, 1.001];

/// The least objective of descents from random starts with this many neurons.
fn best_of(problem: &TrainingProblem, width: usize) -> Result<f64> {
    let values: Vec<f64> = (0..STARTS)
        .into_par_iter()
        .map(|seed| Ok(minimise(problem, random(problem, width, seed)?, ITERATIONS)?.objective(problem)))
        .collect::<Result<_>>()?;
    Ok(values.into_iter().fold(f64::INFINITY, f64::min))
}

pub fn run(output: &Output) -> Done {
    let at = |samples, inputs, outputs, decay| Setting { samples, inputs, outputs, decay, ..BASE };
    let groups: [(&str, Vec<Setting>); 4] = [
        ("n", [25, 50, 100, 200].map(|n| at(n, 3, 1, 0.01)).into()),
        ("d", [2, 3, 4].map(|d| at(50, d, 1, 0.01)).into()),
        ("c", [1, 2, 3].map(|c| at(50, 3, c, 0.01)).into()),
        ("γ/n", [0.1, 0.01, 0.001].map(|decay| at(50, 3, 1, decay)).into()),
    ];
    let mut table = Table::new(&[
        "varied",
        "n",
        "d",
        "c",
        "γ/n",
        "width within 1 %",
        "width within 0.1 %",
        "width of the certified network",
    ]);
    let mut panels = Vec::new();
    for (name, settings) in groups {
        let mut curves = Vec::new();
        for setting in settings {
            let (mut enough, mut certified) = ([Vec::new(), Vec::new()], Vec::new());
            let mut ratios = vec![Vec::new(); MOST];
            for seed in 0..SEEDS {
                let problem = Setting { seed, ..setting }.problem()?;
                let found = optimum(&problem)?;
                let goal = found.network.objective(&problem);
                certified.push(found.network.width() as f64);
                let (mut best, mut first) = (f64::INFINITY, [MOST + 1; 2]);
                for width in 1..=MOST {
                    // Fewer neurons are a special case of more.
                    if best > WITHIN[1] * goal {
                        best = best.min(best_of(&problem, width)?);
                    }
                    ratios[width - 1].push(best / goal);
                    for (first, within) in first.iter_mut().zip(WITHIN) {
                        if best <= within * goal {
                            *first = (*first).min(width);
                        }
                    }
                }
                enough.iter_mut().zip(first).for_each(|(all, first)| all.push(first as f64));
            }
            let shown = |value: f64| match value > MOST as f64 {
                true => format!("above {MOST}"),
                false => value.to_string(),
            };
            table.row(&[
                name.into(),
                setting.samples.to_string(),
                setting.inputs.to_string(),
                setting.outputs.to_string(),
                setting.decay.to_string(),
                shown(median(&enough[0])),
                shown(median(&enough[1])),
                median(&certified).to_string(),
            ]);
            let label = match name {
                "n" => setting.samples.to_string(),
                "d" => setting.inputs.to_string(),
                "c" => setting.outputs.to_string(),
                _ => setting.decay.to_string(),
            };
            let curve = ratios.iter().enumerate().map(|(m, ratios)| ((m + 1) as f64, median(ratios)));
            // From where the objective is of the order of the optimum.
            let curve = curve.filter(|point| point.1 < 2.0).collect();
            curves.push((format!("{name} = {label}"), curve));
        }
        panels.push(Panel {
            title: format!("best network of at most m neurons, by {name}"),
            x: "m".into(),
            y: "objective / certified optimum".into(),
            log: false,
            curves,
        });
    }
    table.print();
    output.write("csv", &table.csv())?;
    output.write("svg", &draw(&panels)?)
}
