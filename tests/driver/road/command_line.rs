//! Reports, exit statuses and words.

use super::tools::{noisy, relucert, report, run, settings, text};
use relucert::report::Road;
use relucert::training::TrainingSettings;
use relucert::{Blocks, CertifySettings, Control, Cuts, Method, Prices, Silent, certify};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

const IRIS: [&str; 7] = ["certify", "iris", "--gamma", "4.5", "--standardize", "--method", "branch"];

#[test]
fn a_report_says_which_road_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let found = report(folder.path(), &[&IRIS[..], &["--tolerance", "5e-3"]].concat(), &[0]);
    assert_eq!((&found["method"], &found["status"]), (&"branch".into(), &"converged".into()));
    for key in ["relaxation_value", "solver_gap", "primal_infeasibility", "dividing_loss", "cause", "overrun"]
    {
        assert_eq!(found[key], Value::Null, "{key}");
    }
    assert!(found["gap"].as_f64().unwrap() <= 5e-3);
    assert_eq!(
        (&found["grade"], &found["rank"], &found["pairs"]),
        (&"verified".into(), &0.into(), &0.into())
    );
    let branch = &found["branch"];
    assert!(found["cells"].as_u64().unwrap() > 0 && branch["cells"] == found["cells"]);
    assert_eq!((&branch["dimension"], &branch["status"]), (&4.into(), &"reached".into()));
    assert_eq!(branch["forecast"], Value::Null);
    assert!(branch["epsilon"].as_f64().unwrap() > 0.0 && branch["visits"].as_u64().unwrap() > 0);
    assert!(found["seconds"]["search"].as_f64().unwrap() > 0.0);

    let words = relucert(folder.path(), &[&IRIS[..], &["--tolerance", "5e-3", "--quiet"]].concat());
    let said = text(&words.stdout);
    assert_eq!(words.status.code(), Some(0), "{said}");
    assert!(said.contains("globally optimal to 0.") && !said.contains("relaxation"), "{said}");
    assert!(said.contains("tolerance 5e-3 reached"), "{said}");
}

#[test]
fn wine_in_fourteen_dimensions_ends_in_time_with_its_best_bound() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["certify", "wine", "--gamma", "1.78", "--standardize", "--bias", "--method", "branch"];
    let more = ["--tolerance", "1e-4", "--time-limit", "3s", "--save", "out"];
    let begun = Instant::now();
    let found = report(folder.path(), &[&arguments[..], &more].concat(), &[3]);
    // The process as well, on a machine that does other things too.
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(found["overrun"], Value::Null, "{found}");
    assert_eq!((&found["status"], &found["branch"]["status"]), (&"time_limit".into(), &"stopped".into()));
    assert_eq!((&found["branch"]["dimension"], &found["relaxation_value"]), (&14.into(), &Value::Null));
    assert!(found["lower_bound"].as_f64().unwrap() > 0.0 && found["grade"] == "verified");
    let verified = relucert(folder.path(), &["verify", "out"]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
}

#[test]
fn more_dimensions_than_it_reaches_are_said_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["certify", "breast-cancer", "--gamma", "10", "--standardize", "--method", "branch"];
    let output = relucert(folder.path(), &[&arguments[..], &["--quiet", "--save", "out"]].concat());
    let error = text(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{error}");
    assert!(
        error.lines().count() == 1 && error.contains("16") && error.contains("--method relaxation"),
        "{error}"
    );
    // Nothing is left where nothing was found.
    assert!(!folder.path().join("out").exists());
}

/// Quick where the relaxation is solved.
fn auto(tolerance: f64, visits: u64) -> CertifySettings {
    let training = TrainingSettings { width: 20, starts: 2, ..TrainingSettings::default() };
    CertifySettings { method: Method::Auto, training, ..settings(tolerance, visits) }
}

#[test]
fn beyond_reach_the_better_bound_of_both_roads_is_reported() {
    let mut roads = Vec::new();
    for (n, d, c, part, visits) in
        [(60, 4, 1, 0.001, 1_000_000), (80, 4, 2, 0.003, 1_000_000), (50, 20, 1, 0.01, 2_000_000)]
    {
        let problem = noisy(n, d, c, part);
        // Branch and bound is not let near the tolerance.
        let settings = auto(1e-3, visits);
        let both = certify(&problem, &settings, &Control::new(), &mut Silent).unwrap();
        let relaxation = CertifySettings { method: Method::Relaxation, ..settings.clone() };
        let relaxation = certify(&problem, &relaxation, &Control::new(), &mut Silent).unwrap();
        let (both, relaxation) = (both.report, relaxation.report);
        let about = format!("{n} × {d}: {both:?}\n{relaxation:?}");
        assert!(relaxation.branch.is_none() && relaxation.cells.is_none(), "{about}");
        assert!(both.branch.is_some() && both.relaxation_value.is_some(), "{about}");
        // Two solves from different networks agree to the tolerance only.
        assert!(both.lower_bound.value() >= relaxation.lower_bound.value() * (1.0 - 1e-3), "{about}");
        assert!(both.upper_bound.value() <= relaxation.upper_bound.value() * (1.0 + 1e-3), "{about}");
        assert!(both.lower_bound <= relaxation.upper_bound && relaxation.lower_bound <= both.upper_bound);
        if d < 16 {
            let branch = run(&problem, &CertifySettings { method: Method::Branch, ..settings }).report;
            assert!(both.lower_bound >= branch.lower_bound, "{about}\n{branch:?}");
        }
        roads.push(both.method);
    }
    assert!(roads.contains(&Road::Branch) && roads.iter().any(|road| *road != Road::Branch), "{roads:?}");
}

#[test]
fn settings_of_the_relaxation_ask_for_it() {
    let problem = noisy(60, 2, 1, 0.03);
    let auto = auto(1e-2, u64::MAX);
    let solved = |settings: CertifySettings| {
        certify(&problem, &settings, &Control::new(), &mut Silent).unwrap().report
    };
    let plain = solved(auto.clone());
    assert!(plain.method == Road::Branch && plain.relaxation_value.is_none() && plain.gap <= 1e-2);
    for settings in [
        CertifySettings { blocks: Blocks::Count(1), ..auto.clone() },
        CertifySettings { blocks: Blocks::Count(2), ..auto.clone() },
        CertifySettings { blocks: Blocks::Count(2), prices: Prices::Rounds(1), ..auto.clone() },
        CertifySettings { cuts: Cuts::Auto, ..auto.clone() },
        CertifySettings { method: Method::Relaxation, ..auto.clone() },
        CertifySettings { method: Method::LowRank, ..auto.clone() },
        CertifySettings { method: Method::InteriorPoint, ..auto },
    ] {
        let report = solved(settings);
        assert!(report.method != Road::Branch && report.relaxation_value.is_some(), "{report:?}");
        assert!(report.branch.is_none() && report.cells.is_none(), "{report:?}");
        assert!(report.lower_bound <= plain.upper_bound);
    }
}

#[test]
fn many_samples_are_no_matter_of_memory() {
    // The relaxation in one piece would take gigabytes.
    let folder = tempfile::tempdir().unwrap();
    let synth = ["synth", "teacher", "--samples", "20000", "--features", "2", "--outputs", "1"];
    assert!(relucert(folder.path(), &[&synth[..], &["--output", "d.csv"]].concat()).status.success());
    let arguments = ["certify", "d.csv", "--gamma", "600", "--tolerance", "1e-2", "--method", "branch"];
    for more in [&[][..], &["--memory-limit", "500MB"], &["--blocks", "1", "--memory-limit", "500MB"]] {
        let found = report(folder.path(), &[&arguments[..], more].concat(), &[0]);
        assert_eq!((&found["method"], &found["blocks"]), (&"branch".into(), &1.into()));
        assert!(found["peak_memory_bytes"].as_u64().is_none_or(|bytes| bytes < 500_000_000));
    }
    let compared =
        ["compare", "d.csv", "--gamma", "600", "--tolerance", "1e-2", "--methods", "branch", "--json"];
    let output = relucert(folder.path(), &compared);
    let table: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let row = &table["rows"][0];
    assert_eq!(output.status.code(), Some(0), "{table}");
    assert!(row["bound"]["lower_bound"].as_f64().is_some_and(|bound| bound > 0.0), "{table}");
}

#[test]
fn the_row_of_a_comparison_agrees_with_the_exact_optimum() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = String::from("a,b,y\n");
    for i in 0..25 {
        let (a, b) = ((1.7 * i as f64).sin(), (2.3 * i as f64).cos());
        rows += &format!("{a},{b},{}\n", a.abs() - 0.5 * b + (11.0 * i as f64).sin());
    }
    fs::write(folder.path().join("d.csv"), rows).unwrap();
    let arguments = ["compare", "d.csv", "--gamma", "0.2", "--task", "regression", "--tolerance", "1e-4"];
    let output =
        relucert(folder.path(), &[&arguments[..], &["--methods", "branch,exact", "--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let table: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = |name: &str| {
        let rows = table["rows"].as_array().unwrap();
        rows.iter()
            .find(|row| row["method"] == name)
            .unwrap_or_else(|| panic!("no {name} in {table}"))
            .clone()
    };
    let (branch, exact) = (row("branch"), row("exact"));
    assert_eq!(branch["bound"]["grade"], "verified");
    let (bound, objective) =
        (branch["bound"]["lower_bound"].as_f64().unwrap(), branch["objective"].as_f64().unwrap());
    let optimum = exact["objective"].as_f64().unwrap();
    assert!(bound <= optimum && bound >= optimum * (1.0 - 1.1e-4), "{bound} {optimum}");
    assert!(
        objective >= optimum * (1.0 - 1e-6) && objective <= optimum * (1.0 + 1.1e-4),
        "{objective} {optimum}"
    );
}

#[test]
fn a_finished_run_is_read_back_in_the_same_words() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--tolerance", "5e-3", "--quiet", "--checkpoint", "run.npz"];
    let said = || {
        let output = relucert(folder.path(), &[&IRIS[..], &more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        said.lines().filter(|line| !line.starts_with("seconds")).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(said(), said());
}
