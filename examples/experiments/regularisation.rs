//! Error on new data against weight decay and width.

use crate::data::{SEEDS, mean, optimum};
use crate::lbfgs::{minimise, random};
use crate::picture::{Panel, draw};
use crate::table::Table;
use crate::{Done, Output};
use relucert::Network;
use relucert::data::{Dataset, TeacherSettings, teacher};

const TRAINING: usize = 100;
const TEST: usize = 1_000;
const NOISE: f64 = 0.3;
const DECAYS: [f64; 6] = [0.1, 0.03, 0.01, 0.003, 0.001, 0.0003];
const WIDTHS: [usize; 5] = [2, 5, 10, 30, 100];

/// Mean squared error over the variance of the noise: 1 is the best there is.
fn error(network: &Network, data: &Dataset) -> Result<f64, Box<dyn std::error::Error>> {
    let x = data.features().to_dense()?.into_owned();
    let residual = network.predict(x.as_ref()) - data.targets();
    Ok(residual.squared_norm_l2() / data.samples() as f64 / (NOISE * NOISE))
}

pub fn run(output: &Output) -> Done {
    let mut table =
        Table::new(&["γ/n", "width", "objective / optimum", "training error / noise", "test error / noise"]);
    let mut curves: Vec<(String, Vec<(f64, f64)>)> =
        WIDTHS.iter().map(|width| (format!("m = {width}"), Vec::new())).collect();
    curves.push(("certified optimum".into(), Vec::new()));
    for decay in DECAYS {
        let mut found = vec![[Vec::new(), Vec::new(), Vec::new()]; WIDTHS.len() + 1];
        let mut widths = Vec::new();
        for seed in 0..SEEDS {
            let settings = TeacherSettings {
                samples: TRAINING + TEST,
                features: 3,
                outputs: 1,
                noise: NOISE,
                seed,
                ..TeacherSettings::default()
            };
            let all = teacher(&settings)?;
            let part = |from: usize, to: usize| all.select(&(from..to).collect::<Vec<_>>());
            let training = part(0, TRAINING).ok_or("too few samples")?;
            let test = part(TRAINING, TRAINING + TEST).ok_or("too few samples")?;
            let problem = training.problem(decay * TRAINING as f64)?;
            let best = optimum(&problem)?.network;
            let goal = best.objective(&problem);
            widths.push(best.width() as f64);
            let mut networks = Vec::new();
            for width in WIDTHS {
                networks.push(minimise(&problem, random(&problem, width, seed)?, 1_000)?);
            }
            networks.push(best);
            for (network, found) in networks.iter().zip(&mut found) {
                found[0].push(network.objective(&problem) / goal);
                found[1].push(error(network, &training)?);
                found[2].push(error(network, &test)?);
            }
        }
        for (index, found) in found.iter().enumerate() {
            let width = WIDTHS
                .get(index)
                .map_or_else(|| format!("optimum ({:.0})", mean(&widths)), |width| width.to_string());
            table.row(&[
                decay.to_string(),
                width,
                format!("{:.3}", mean(&found[0])),
                format!("{:.3}", mean(&found[1])),
                format!("{:.3}", mean(&found[2])),
            ]);
            curves[index].1.push((decay, mean(&found[2])));
        }
    }
    table.print();
    output.write("csv", &table.csv())?;
    let panel = Panel {
        title: "error on new data".into(),
        x: "γ/n".into(),
        y: "test error / noise".into(),
        log: true,
        curves,
    };
    output.write("svg", &draw(&[panel])?)
}
