//! The tables of arXiv 2410.22311 on its own data: how tight the relaxation is, and what accuracies come out.
//!
//! `cargo bench --bench reproduction -- [FOLDER] [optimum] [random] [spiral] [iris] [mnist]`: the studies named, or all where FOLDER
//! alone is given; without FOLDER it is that of `RELUCERT_TEST_DATA`. `docs/reproduction.md` has the results and where they
//! differ from the published ones. All of it takes up to three quarters of an hour, so plain `cargo bench` only says how
//! to ask for it.

use relucert::compare::{CompareSettings, ComparedMethod, Comparison, Row, compare};
use relucert::data::{CsvOptions, Dataset, Task, load};
use relucert::{CertifySettings, Control, Method, Result, Silent, certify};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For one data set and weight decay.
const LIMIT: Duration = Duration::from_secs(180);
const GAMMAS: [f64; 2] = [0.1, 0.01];

fn main() -> Result<()> {
    // `cargo bench` passes options of its own.
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if words.is_empty() {
        println!(
            "reproduction: skipped; name a folder with the published data or a study (benches/README.md)"
        );
        return Ok(());
    }
    let names = ["optimum", "random", "spiral", "iris", "mnist"];
    let given = words.iter().position(|word| !names.contains(&word.as_str())).map(|at| words.remove(at));
    let folder =
        given.map(PathBuf::from).or_else(|| std::env::var_os("RELUCERT_TEST_DATA").map(PathBuf::from));
    let Some(folder) = folder.filter(|folder| folder.join("random_00.csv").exists()) else {
        println!(
            "reproduction: skipped, no folder with random_00.csv was named, here or in RELUCERT_TEST_DATA"
        );
        return Ok(());
    };
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    if wanted("optimum") {
        optimum(&folder)?;
    }
    if wanted("random") {
        let files: Vec<String> = (0..5).map(|k| format!("random_{k:02}")).collect();
        tightness(&folder, &files)?;
    }
    if wanted("spiral") {
        tightness(&folder, &["spiral".into()])?;
    }
    if wanted("iris") {
        accuracy(&folder, "iris", &GAMMAS, false)?;
        accuracy(&folder, "iris", &[5.0], true)?;
    }
    if wanted("mnist") {
        accuracy(&folder, "mnist_pca", &[10.0], true)?;
    }
    Ok(())
}

fn read(folder: &Path, file: &str) -> Result<Dataset> {
    let path = folder.join(format!("{file}.csv"));
    let targets =
        if file.starts_with("random") { (1..=5).map(|k| format!("y{k}")).collect() } else { Vec::new() };
    load(&path.to_string_lossy(), &CsvOptions { targets, task: Task::Auto, ..CsvOptions::default() })
}

/// Optima that branch and bound certifies, and the published relaxation's bound beside them.
fn optimum(folder: &Path) -> Result<()> {
    println!(
        "| data | γ | certified optimum, from | to | gap % | neurons | relaxation's bound | of the optimum |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let random = (0..5).map(|k| format!("random_{k:02}"));
    let files: Vec<String> = random.chain(["spiral", "iris_train"].map(String::from)).collect();
    for gamma in GAMMAS {
        for file in &files {
            let problem = read(folder, file)?.problem(gamma)?;
            let by = |method, tolerance| {
                let settings = CertifySettings { method, tolerance, ..CertifySettings::default() };
                certify(&problem, &settings, &Control::new().within(LIMIT), &mut Silent)
            };
            let (best, relaxed) = (by(Method::Branch, 1e-4)?.report, by(Method::Relaxation, 1e-3)?.report);
            println!(
                "| {file} | {gamma} | {:.5} | {:.5} | {:.4} | {} | {:.5} | {:.3} |",
                best.lower_bound,
                best.upper_bound,
                100.0 * best.gap.value(),
                best.network_width,
                relaxed.lower_bound,
                relaxed.lower_bound.value() / best.upper_bound.value()
            );
        }
    }
    Ok(())
}

/// Bounds and objectives over γ, raw features and no bias as published.
fn tightness(folder: &Path, files: &[String]) -> Result<()> {
    let methods: Vec<ComparedMethod> = ComparedMethod::ALL
        .into_iter()
        .filter(|method| !matches!(method, ComparedMethod::Nngp | ComparedMethod::Ntk))
        .collect();
    for file in files {
        let data = read(folder, file)?;
        for gamma in GAMMAS {
            let settings = CompareSettings { methods: methods.clone(), ..CompareSettings::default() };
            let control = Control::new().within(LIMIT);
            let found = compare(&data, None, gamma, &settings, &control, &mut |_| {})?;
            print(file, &found);
            if let (Some(bound), Some(best)) = (found.lower_bound(), found.objective()) {
                println!("\nproved bound / best network: {:.4}\n", bound.value() / best.value());
            }
        }
    }
    Ok(())
}

/// Accuracies, honest and by the published protocol.
fn accuracy(folder: &Path, file: &str, gammas: &[f64], prepared: bool) -> Result<()> {
    let (mut training, test) =
        (read(folder, &format!("{file}_train"))?, read(folder, &format!("{file}_test"))?);
    let mut test = test.aligned_with(&training)?;
    if prepared {
        test = test.standardized_like(&training)?.with_bias();
        training = training.standardized().with_bias();
    }
    for &gamma in gammas {
        let settings = CompareSettings { published_protocol: true, ..CompareSettings::default() };
        let control = Control::new().within(LIMIT);
        let found = compare(&training, Some(&test), gamma, &settings, &control, &mut |_| {})?;
        print(&format!("{file}{}", if prepared { ", standardised, with bias" } else { "" }), &found);
        println!();
    }
    Ok(())
}

fn print(name: &str, found: &Comparison) {
    println!("### {name}, weight decay {}\n", found.gamma);
    println!(
        "| method | proved bound | estimate | objective | width | train | test | published protocol | seconds | status |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for row in &found.rows {
        println!("{}", line(row));
    }
}

fn line(row: &Row) -> String {
    let bound = row.bound.map(|bound| format!("{:.5}", bound.lower_bound));
    let objective = row.objective.map(|objective| format!("{objective:.5}"));
    let figure = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.5}"));
    let score = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.3}"));
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {:.1} | {} |",
        row.method,
        bound.unwrap_or_default(),
        figure(row.estimate.as_ref().map(|estimate| estimate.value)),
        objective.unwrap_or_default(),
        row.width.map_or(String::new(), |width| width.to_string()),
        score(row.train_score),
        score(row.test_score),
        score(row.published_protocol_accuracy),
        row.seconds,
        row.status.as_str()
    )
}
