//! A path of weight decays with cross-validation, and what it costs beside training every network from nothing.
//!
//! `cargo run --release --example path -- DATA [COUNT] [FOLDS] [--from-nothing]`: features are standardised and get a bias. One
//! line a weight decay: γ/n, objective, neurons, error; with `--from-nothing` also the objective of a network trained from random
//! starts, and at the end the processor time of both (on Linux; else zero).

use relucert::data::{CsvOptions, load};
use relucert::path::{Gammas, PathSettings, Preparing, trace};
use relucert::training::{TrainingSettings, train};
use relucert::{Control, Error, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let compares = arguments.iter().any(|argument| argument == "--from-nothing");
    let plain: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let name = plain.first().ok_or_else(|| Error::Input("DATA [COUNT] [FOLDS] [--from-nothing]".into()))?;
    let number =
        |k: usize, default: usize| plain.get(k).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (count, folds) = (number(1, 20), number(2, 5));

    let dataset = load(name, &CsvOptions::default())?;
    let preparing = Preparing { standardize: true, bias: true };
    let whole = dataset.clone().standardized().with_bias();
    let control = Control::new();
    let top = relucert::path::least_zero_decay(&whole.problem(1.0)?, &TrainingSettings::default(), &control)?;
    println!("least weight decay without neurons: {:.6} by estimate, {:?} proved", top.estimate, top.proved);
    let settings = PathSettings {
        gammas: Gammas::Range { from: top.estimate, to: 1e-3 * top.estimate, count },
        folds,
        preparing,
        bounds: 0,
        ..PathSettings::default()
    };
    let begin = cpu();
    let path = trace(&dataset, &settings, &control, &mut |_| {})?;
    let seconds = cpu() - begin;
    let mut nothing = 0.0;
    for point in &path.points {
        let (mean, error) = point.cross_validated().unwrap_or((f64::NAN, f64::NAN));
        let mut line = format!(
            "gamma/n {:.6}  objective {:.6}  neurons {:3}  error {mean:.4} ± {error:.4}",
            point.gamma / path.samples as f64,
            point.upper_bound,
            point.network.width()
        );
        if compares {
            let problem = whole.problem(point.gamma)?;
            let begin = cpu();
            let network = train(&problem, &TrainingSettings::default(), &control);
            let spent = cpu() - begin;
            nothing += spent;
            let ratio = point.upper_bound.value() / network.objective(&problem);
            line += &format!(
                "  from nothing {:.6} in {spent:.2} s, ratio {ratio:.6}",
                network.objective(&problem)
            );
        }
        println!("{line}");
    }
    println!(
        "least error at point {:?}, within one standard error {:?}",
        path.least_error(),
        path.one_standard_error()
    );
    println!("path: {seconds:.2} CPU seconds for {count} weight decays and {folds} folds");
    if compares {
        let all = nothing * (folds + 1) as f64;
        println!(
            "from nothing: {nothing:.2} CPU seconds for {count} networks, so {all:.2} for {} (by proportion)",
            count * (folds + 1)
        );
    }
    Ok(())
}

/// Processor time of this process so far, in seconds: a hundredth is what Linux counts in.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    let ticks: f64 =
        after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}
