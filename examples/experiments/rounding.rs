//! From a solution of the relaxation to a network: splitting or polishing, from which relaxation?

use crate::data::{BASE, SEEDS, Setting, mean, optimum};
use crate::picture::{Panel, draw};
use crate::table::Table;
use crate::{Done, Output};
use relucert::rounding::{SplittingSettings, polish, round};
use relucert::training::{TrainingSettings, train};
use relucert::{CertifySettings, Control, Cuts, Silent, certify_with_solution};

const DECAYS: [f64; 3] = [0.03, 0.01, 0.003];

pub fn run(output: &Output) -> Done {
    let relaxations = [
        ("published, to 10 %", 1e-1, Cuts::None),
        ("published, to 0.1 %", 1e-3, Cuts::None),
        ("with cuts, to 0.1 %", 1e-3, Cuts::Auto),
    ];
    let mut table = Table::new(&[
        "γ/n",
        "relaxation",
        "relaxation / optimum",
        "splitting",
        "splitting, then descent",
        "polishing",
        "descent from random weights",
    ]);
    // No neurons are added: what counts is where the descent begins.
    let training = TrainingSettings { rounds: 0, ..TrainingSettings::default() };
    let names = ["splitting", "splitting, then descent", "polishing", "random weights"];
    let mut panels = Vec::new();
    for (relaxation, tolerance, cuts) in relaxations {
        let mut curves: Vec<(String, Vec<(f64, f64)>)> =
            names.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
        for decay in DECAYS {
            let mut ratios = vec![Vec::new(); 5];
            for seed in 0..SEEDS {
                let problem = Setting { seed, decay, samples: 30, ..BASE }.problem()?;
                let control = Control::new();
                let goal = optimum(&problem)?.network.objective(&problem);
                let settings = CertifySettings { tolerance, cuts, ..CertifySettings::default() };
                let (relaxed, solution) = certify_with_solution(&problem, &settings, &control, &mut Silent)?;
                let Some(solution) = solution else { continue };
                let value = relaxed.report.relaxation_value.unwrap_or(relaxed.report.lower_bound.value());
                let split =
                    round(&problem, &solution, &SplittingSettings::default(), &control, &mut |_| {})?.best;
                let then = polish(&problem, split.network.hidden(), &training, &control);
                let polished = polish(&problem, solution.hidden.as_ref(), &training, &control);
                let random = train(&problem, &training, &control);
                let objectives = [
                    value,
                    split.objective,
                    then.objective(&problem),
                    polished.objective(&problem),
                    random.objective(&problem),
                ];
                ratios.iter_mut().zip(objectives).for_each(|(all, value)| all.push(value / goal));
            }
            let means: Vec<f64> = ratios.iter().map(|ratios| mean(ratios)).collect();
            let mut cells = vec![decay.to_string(), relaxation.to_owned()];
            cells.extend(means.iter().map(|mean| format!("{mean:.4}")));
            table.row(&cells);
            for (curve, mean) in curves.iter_mut().zip(&means[1..]) {
                curve.1.push((decay, 100.0 * (mean - 1.0)));
            }
        }
        // Splitting alone is on another scale.
        curves.remove(0);
        panels.push(Panel {
            title: relaxation.into(),
            x: "γ/n".into(),
            y: "above the optimum, %".into(),
            log: true,
            curves,
        });
    }
    table.print();
    output.write("csv", &table.csv())?;
    output.write("svg", &draw(&panels)?)
}
