//! How far below the certified optimum is the relaxation?

use crate::data::{BASE, SEEDS, Setting, largest, least, mean, optimum};
use crate::picture::{Panel, draw};
use crate::table::Table;
use crate::{Done, Output};
use relucert::{CertifySettings, Control, Method, Silent, certify};

type Change = fn(&mut Setting, f64);

const STUDIES: [(&str, &[f64], Change); 5] = [
    ("n", &[25.0, 50.0, 100.0, 200.0], |setting, value| setting.samples = value as usize),
    ("d", &[2.0, 3.0, 4.0], |setting, value| setting.inputs = value as usize),
    ("c", &[1.0, 2.0, 3.0], |setting, value| setting.outputs = value as usize),
    ("γ/n", &[0.1, 0.03, 0.01, 0.003, 0.001], |setting, value| setting.decay = value),
    ("noise", &[0.0, 0.1, 0.3, 1.0], |setting, value| setting.noise = value),
];

pub fn run(output: &Output) -> Done {
    let mut table = Table::new(&[
        "varied",
        "value",
        "relaxation / optimum",
        "least",
        "largest",
        "proved bound / optimum",
        "certified gap of the optimum %",
    ]);
    let mut panels = Vec::new();
    for (name, values, change) in STUDIES {
        let mut curves = [Vec::new(), Vec::new()];
        for &value in values {
            let (mut ratios, mut proved, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
            for seed in 0..SEEDS {
                let mut setting = Setting { seed, ..BASE };
                change(&mut setting, value);
                let problem = setting.problem()?;
                let best = optimum(&problem)?.report;
                let settings = CertifySettings { method: Method::Relaxation, ..CertifySettings::default() };
                let relaxed = certify(&problem, &settings, &Control::new(), &mut Silent)?.report;
                let above = best.upper_bound.value();
                ratios.push(relaxed.relaxation_value.unwrap_or(relaxed.lower_bound.value()) / above);
                proved.push(relaxed.lower_bound.value() / above);
                gaps.push(100.0 * best.gap.value());
            }
            table.row(&[
                name.into(),
                value.to_string(),
                format!("{:.4}", mean(&ratios)),
                format!("{:.4}", least(&ratios)),
                format!("{:.4}", largest(&ratios)),
                format!("{:.4}", mean(&proved)),
                format!("{:.3}", largest(&gaps)),
            ]);
            curves[0].push((value, mean(&ratios)));
            curves[1].push((value, least(&ratios)));
        }
        let [means, lows] = curves;
        panels.push(Panel {
            title: format!("against {name}"),
            x: name.into(),
            y: "relaxation / optimum".into(),
            log: matches!(name, "n" | "γ/n"),
            curves: vec![("mean of three".into(), means), ("least of three".into(), lows)],
        });
    }
    table.print();
    output.write("csv", &table.csv())?;
    output.write("svg", &draw(&panels)?)
}
