//! How wide must a network be for descent from random weights to end near the certified optimum?

use crate::data::{BASE, SEEDS, Setting, median, optimum};
use crate::lbfgs::{minimise, random};
use crate::picture::{Panel, draw};
use crate::table::Table;
use crate::{Done, Output};
use rayon::prelude::*;
use relucert::baselines::descent::{DescentSettings, Rule, descend};
use relucert::{Control, Result, TrainingProblem};

const WIDTHS: [usize; 7] = [2, 4, 8, 16, 32, 64, 128];
const STARTS: u64 = 8;
const ITERATIONS: usize = 1_000;
const WITHIN: f64 = 1.01;

/// Objectives from all starts.
fn objectives(problem: &TrainingProblem, width: usize, adam: bool) -> Result<Vec<f64>> {
    (0..STARTS)
        .into_par_iter()
        .map(|seed| {
            let network = if adam {
                let settings =
                    DescentSettings { rule: Rule::Adam, width, epochs: ITERATIONS, batch: 0, seed };
                descend(problem, &settings, &Control::new())?.network
            } else {
                minimise(problem, random(problem, width, seed)?, ITERATIONS)?
            };
            Ok(network.objective(problem))
        })
        .collect()
}

pub fn run(output: &Output) -> Done {
    let settings = [
        ("base", BASE),
        ("n = 200", Setting { samples: 200, ..BASE }),
        ("d = 2", Setting { inputs: 2, ..BASE }),
        ("d = 4", Setting { inputs: 4, ..BASE }),
        ("c = 3", Setting { outputs: 3, ..BASE }),
        ("γ/n = 0.1", Setting { decay: 0.1, ..BASE }),
        ("γ/n = 0.001", Setting { decay: 0.001, ..BASE }),
    ];
    let mut table = Table::new(&[
        "setting",
        "method",
        "width",
        "starts within 1 %",
        "median objective / optimum",
        "width of the certified network",
    ]);
    let mut panels = Vec::new();
    for (method, adam) in [("L-BFGS", false), ("Adam", true)] {
        let mut curves = Vec::new();
        for (name, setting) in settings {
            let problems =
                (0..SEEDS).map(|seed| Setting { seed, ..setting }.problem()).collect::<Result<Vec<_>>>()?;
            let optima = problems.iter().map(optimum).collect::<Result<Vec<_>>>()?;
            let widths: Vec<f64> = optima.iter().map(|found| found.network.width() as f64).collect();
            let mut curve = Vec::new();
            for width in WIDTHS {
                let mut ratios = Vec::new();
                for (problem, best) in problems.iter().zip(&optima) {
                    let goal = best.network.objective(problem);
                    ratios.extend(objectives(problem, width, adam)?.iter().map(|value| value / goal));
                }
                let near = ratios.iter().filter(|ratio| **ratio <= WITHIN).count();
                table.row(&[
                    name.into(),
                    method.into(),
                    width.to_string(),
                    format!("{near} of {}", ratios.len()),
                    format!("{:.4}", median(&ratios)),
                    median(&widths).to_string(),
                ]);
                curve.push((width as f64, near as f64 / ratios.len() as f64));
            }
            curves.push((name.into(), curve));
        }
        panels.push(Panel {
            title: format!("{method} from random weights"),
            x: "width".into(),
            y: "part of the starts within 1 %".into(),
            log: true,
            curves,
        });
    }
    table.print();
    output.write("csv", &table.csv())?;
    output.write("svg", &draw(&panels)?)
}
