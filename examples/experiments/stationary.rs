//! Stationary points of descent over the certified optimum, and what a proved dual norm says of them.

use crate::data::{BASE, SEEDS, Setting, largest, median, optimum};
use crate::lbfgs::{minimise, random};
use crate::patterns;
use crate::picture::{Panel, draw};
use crate::table::Table;
use crate::{Done, Output};
use rayon::prelude::*;
use relucert::baselines::descent::{DescentSettings, Rule, descend};
use relucert::baselines::stationary_gap::{StationaryGapSettings, stationary_gap};
use relucert::{Control, Network, Result, TrainingProblem};

const SAMPLES: [usize; 5] = [25, 50, 100, 200, 400];
const WIDTHS: [usize; 2] = [5, 30];
const METHODS: [&str; 3] = ["gradient descent", "Adam", "L-BFGS"];
const STARTS: u64 = 5;
const STEPS: usize = 2_000;

fn network(problem: &TrainingProblem, method: &str, width: usize, seed: u64) -> Result<Network> {
    match method {
        "Adam" => {
            let settings = DescentSettings { rule: Rule::Adam, width, epochs: STEPS, batch: 0, seed };
            Ok(descend(problem, &settings, &Control::new())?.network)
        }
        "L-BFGS" => minimise(problem, random(problem, width, seed)?, STEPS),
        _ => patterns::descend(problem, random(problem, width, seed)?, STEPS, |_, _, _| {}),
    }
}

pub fn run(output: &Output) -> Done {
    let mut table = Table::new(&[
        "width",
        "method",
        "n",
        "√log n",
        "median objective / optimum",
        "largest",
        "median M/γ proved",
        "median proved bound / optimum: Theorem 3.4",
        "the residual by itself",
    ]);
    let gap = StationaryGapSettings { precision: 0.02, ..StationaryGapSettings::default() };
    let mut panels = Vec::new();
    for width in WIDTHS {
        let mut curves: Vec<(String, Vec<(f64, f64)>)> =
            METHODS.iter().map(|name| (format!("{name}, largest"), Vec::new())).collect();
        for (method, curve) in METHODS.into_iter().zip(&mut curves) {
            for samples in SAMPLES {
                let mut found = Vec::new();
                for seed in 0..SEEDS {
                    let problem = Setting { samples, seed, ..BASE }.problem()?;
                    let goal = optimum(&problem)?.network.objective(&problem);
                    let from = (0..STARTS).into_par_iter().map(|start| {
                        let network = network(&problem, method, width, start)?;
                        let proved = stationary_gap(&problem, &network, &gap, &Control::new())?;
                        Ok([
                            network.objective(&problem) / goal,
                            proved.level / problem.weight_decay(),
                            proved.by_theorem.value() / goal,
                            proved.by_residual.value() / goal,
                        ])
                    });
                    found.extend(from.collect::<Result<Vec<[f64; 4]>>>()?);
                }
                let all = |index: usize| found.iter().map(|found| found[index]).collect::<Vec<f64>>();
                let ratios = all(0);
                let root = (samples as f64).ln().sqrt();
                table.row(&[
                    width.to_string(),
                    method.into(),
                    samples.to_string(),
                    format!("{root:.2}"),
                    format!("{:.4}", median(&ratios)),
                    format!("{:.4}", largest(&ratios)),
                    format!("{:.3}", median(&all(1))),
                    format!("{:.3}", median(&all(2))),
                    format!("{:.3}", median(&all(3))),
                ]);
                curve.1.push((samples as f64, largest(&ratios)));
            }
        }
        panels.push(Panel {
            title: format!("{width} neurons from random weights"),
            x: "n".into(),
            y: "objective / certified optimum".into(),
            log: true,
            curves,
        });
    }
    table.print();
    output.write("csv", &table.csv())?;
    output.write("svg", &draw(&panels)?)
}
