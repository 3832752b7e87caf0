//! The command line: its exit status, what it says where, and what it writes.

use assert_cmd::Command;
use std::fs;
use std::path::Path;
use std::process::Output;

fn relucert(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("relucert")
        .expect("built")
        .current_dir(folder)
        .args(arguments)
        .timeout(std::time::Duration::from_secs(120))
        .output()
        .expect("it ran")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Exit status 2, one line on standard error that holds every part, nothing on standard output, no file made.
fn assert_refused(folder: &Path, arguments: &[&str], parts: &[&str]) {
    let before = names(folder);
    let output = relucert(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{arguments:?}: {error}");
    for part in parts {
        assert!(error.contains(part), "{arguments:?}: {error:?} lacks {part:?}");
    }
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert_eq!(names(folder), before, "{arguments:?}");
}

#[test]
fn unusable_data_is_refused_in_one_line_and_nothing_is_written() {
    let folder = folder();
    let cases: &[(&str, &[&str])] = &[
        ("", &["empty"]),
        ("a,b\n", &["no rows"]),
        ("a,b\n1,2\n", &["one sample"]),
        ("a,b\n1,2\n3\n", &["data.csv:3:"]),
        ("a,b\n1,2\nx,4\n", &["data.csv:3:", "'x'"]),
        ("a,b\nNaN,2\n3,4\n", &["data.csv:2:", "not finite"]),
        ("a,b\n1,2\ninf,4\n", &["data.csv:3:", "not finite"]),
        ("a,b\n1,2\n3,nan\n", &["data.csv:3:", "'nan'"]),
        ("a,b\n0,2.5\n0,4.5\n", &["data.csv:", "zero"]),
        ("a,b\n1,2\n3,4\n", &["data.csv", "'b'", "--task"]),
    ];
    for (text, parts) in cases {
        fs::write(folder.path().join("data.csv"), text).expect("writable");
        assert_refused(folder.path(), &["certify", "data.csv", "--gamma", "1", "--save", "out"], parts);
    }
    let regression = ["certify", "data.csv", "--gamma", "1", "--task", "regression", "--save", "out"];
    fs::write(folder.path().join("data.csv"), "a,b\n1,1e200\n2,1e201\n").expect("writable");
    assert_refused(folder.path(), &regression, &["data.csv:", "overflows", "divide"]);
    let rubbish: Vec<u8> = (0..=255).cycle().take(2000).collect();
    for name in ["data.csv", "data.tsv", "data.svm", "data.npy", "data.npz", "data"] {
        fs::write(folder.path().join(name), &rubbish).expect("writable");
        assert_refused(folder.path(), &["certify", name, "--gamma", "1", "--save", "out"], &[name]);
        fs::write(folder.path().join(name), "").expect("writable");
        assert_refused(folder.path(), &["certify", name, "--gamma", "1", "--save", "out"], &[name]);
    }
    fs::write(folder.path().join("data.svm"), "1 1:2\n2 1:3\n").expect("writable");
    let target = ["certify", "data.svm", "--gamma", "1", "--target", "y"];
    assert_refused(folder.path(), &target, &["data.svm", "name no target"]);
    let two =
        ["certify", "iris", "--gamma", "1", "--task", "classification", "--target", "petal_width,species"];
    assert_refused(folder.path(), &two, &["one target column"]);
    fs::write(folder.path().join("data.csv"), "a,b\n3,2.5\n3,4.5\n").expect("writable");
    let constant = ["certify", "data.csv", "--gamma", "1", "--standardize", "--save", "out"];
    assert_refused(folder.path(), &constant, &["data.csv:", "zero", "bias"]);
    assert_refused(
        folder.path(),
        &["certify", "none.csv", "--gamma", "1"],
        &["none.csv", "no such file", "iris"],
    );
    assert_refused(folder.path(), &["certify", ".", "--gamma", "1"], &["directory"]);
    let target = ["certify", "iris", "--gamma", "1", "--target", "colour"];
    assert_refused(folder.path(), &target, &["'colour'", "sepal_length"]);
    let text = ["certify", "iris", "--gamma", "1", "--task", "regression"];
    assert_refused(folder.path(), &text, &["iris:2:", "'setosa'"]);
}

#[test]
fn unusable_arguments_are_refused_in_one_line() {
    let folder = folder();
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &["certify", "--help"]),
        (&["certfy"], &["certfy"]),
        (&["certify"], &["<DATA>", "--gamma"]),
        (&["certify", "iris"], &["--gamma"]),
        (&["certify", "iris", "--gamma", "0"], &["--gamma", "positive"]),
        (&["certify", "iris", "--gamma", "-1"], &["--gamma", "positive"]),
        (&["certify", "iris", "--gamma", "nan"], &["--gamma", "positive"]),
        (&["certify", "iris", "--gamma", "ten"], &["--gamma", "positive"]),
        (&["certify", "iris", "--gamma", "1", "--tolerance", "0"], &["--tolerance"]),
        (&["certify", "iris", "--gamma", "1", "--tolerance", "2"], &["--tolerance"]),
        (&["certify", "iris", "--gamma", "1", "--time-limit", "60x"], &["--time-limit", "units"]),
        (&["certify", "iris", "--gamma", "1", "--memory-limit", "4"], &["--memory-limit", "GB"]),
        (&["certify", "iris", "--gamma", "1", "--memory-limit", "-4GB"], &["--memory-limit", "size"]),
        (&["certify", "iris", "--gamma", "1", "--memory-limit", "2MB"], &["150 samples", "2 MB", "limit"]),
        (&["certify", "iris", "--gamma", "1", "--checkpoint-interval", "3d"], &["--checkpoint-interval"]),
        (&["certify", "iris", "--gamma", "1", "--checkpoint", "no/run.npz"], &["no/run.npz"]),
        (&["certify", "iris", "--gamma", "1", "--time-limit", "-5s"], &["--time-limit"]),
        (&["certify", "iris", "--gamma", "1", "--time-limit", "infs"], &["--time-limit"]),
        (&["certify", "iris", "--gamma", "1", "--threads", "0"], &["--threads"]),
        (&["certify", "iris", "--gamma", "1", "--seed", "-1"], &["-1"]),
        (&["certify", "iris", "--gamma", "1", "--task", "ranking"], &["--task", "regression"]),
        (&["certify", "iris", "--gama", "1"], &["--gama"]),
        (&["certify", "iris", "--gamma", "1", "--blocks", "0"], &["--blocks", "auto"]),
        (&["certify", "iris", "--gamma", "1", "--cuts", "many"], &["--cuts", "auto"]),
        (&["certify", "iris", "--gamma", "1", "--method", "simplex"], &["--method", "interior-point"]),
        (&["compare", "iris", "--gamma", "1", "--methods", "magic"], &["magic", "gated-relu"]),
        (&["synth", "teacher"], &["--samples"]),
        (&["synth", "cube", "--samples", "3"], &["cube"]),
        (&["synth", "spiral", "--samples", "0"], &["--samples"]),
        (&["synth", "teacher", "--samples", "3", "--noise", "nan", "--output", "a.csv"], &["noise"]),
        (&["synth", "teacher", "--samples", "3", "--output", "no/such/a.csv"], &["a.csv"]),
        (&["verify"], &["<DIR>"]),
        (&["verify", "nowhere"], &["nowhere"]),
    ];
    for (arguments, parts) in cases {
        assert_refused(folder.path(), arguments, parts);
    }
}

#[test]
fn a_folder_to_save_into_is_checked_before_the_solve() {
    let folder = folder();
    fs::create_dir(folder.path().join("full")).expect("writable");
    fs::write(folder.path().join("full/mine.txt"), "mine").expect("writable");
    fs::write(folder.path().join("file"), "mine").expect("writable");
    let certify = |save| ["certify", "iris", "--gamma", "5", "--save", save];
    assert_refused(folder.path(), &certify("full"), &["full", "not empty"]);
    assert_refused(folder.path(), &certify("file"), &["file"]);
    assert_refused(folder.path(), &certify("file/below"), &["file/below"]);
    assert_eq!(names(&folder.path().join("full")), ["mine.txt"]);
}

#[test]
fn help_and_version_are_no_errors() {
    let folder = folder();
    for arguments in
        [&["--help"][..], &["--version"], &["certify", "--help"], &["synth", "teacher", "--help"]]
    {
        let output = relucert(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty() && !output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn synthetic_data_is_the_same_in_a_file_and_on_standard_output() {
    let folder = folder();
    for (kind, columns) in [("teacher", "x1,x2,x3,x4,x5,x6,x7,x8,x9,x10,y1,y2,y3"), ("spiral", "x1,x2,label")]
    {
        let arguments = ["synth", kind, "--samples", "6", "--seed", "3"];
        let printed = relucert(folder.path(), &arguments);
        assert_eq!(printed.status.code(), Some(0));
        let output = format!("{kind}.csv");
        let saved = relucert(folder.path(), &[&arguments[..], &["--output", &output]].concat());
        assert_eq!((saved.status.code(), saved.stdout.len(), saved.stderr.len()), (Some(0), 0, 0));
        let text = fs::read(folder.path().join(&output)).expect("written");
        assert_eq!(text, printed.stdout);
        let text = String::from_utf8(text).expect("text");
        assert_eq!(text.lines().next(), Some(columns));
        assert_eq!(text.lines().count(), if kind == "teacher" { 7 } else { 19 });
        let other = relucert(folder.path(), &["synth", kind, "--samples", "6", "--seed", "4"]);
        assert_ne!(other.stdout, printed.stdout, "the seed matters");
    }
    assert_eq!(names(folder.path()), ["spiral.csv", "teacher.csv"], "no temporary file is left");
}

/// The layout that `--json` promises.
const KEYS: [&str; 31] = [
    "schema",
    "samples",
    "features",
    "outputs",
    "gamma",
    "upper_bound",
    "network_width",
    "method",
    "stationarity",
    "relaxation_value",
    "primal_infeasibility",
    "lower_bound",
    "grade",
    "failure_probability",
    "gap",
    "solver_gap",
    "blocks",
    "unsolved_blocks",
    "dividing_loss",
    "rank",
    "pairs",
    "active_pairs",
    "cuts",
    "cells",
    "branch",
    "status",
    "cause",
    "overrun",
    "seconds",
    "peak_memory_bytes",
    "provenance",
];

#[test]
fn the_report_on_standard_output_is_the_saved_one() {
    let folder = folder();
    fs::write(folder.path().join("d.csv"), "a,b,y\n1,2,0.5\n-1,1,1.5\n2,-2,-0.5\n0,1,2.5\n")
        .expect("writable");
    let arguments = [
        "certify",
        "d.csv",
        "--gamma",
        "0.5",
        "--bias",
        "--json",
        "--save",
        "out",
        "--threads",
        "1",
        "--quiet",
    ];
    let output = relucert(folder.path(), &arguments);
    let code = output.status.code();
    assert!(code == Some(0) || code == Some(3), "{code:?} {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "no progress where none is wanted");
    assert_eq!(fs::read(folder.path().join("out/report.json")).expect("saved"), output.stdout);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut keys: Vec<&String> = report.as_object().expect("an object").keys().collect();
    let mut expected = KEYS;
    keys.sort();
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let mut phases: Vec<&String> = report["seconds"].as_object().expect("an object").keys().collect();
    phases.sort();
    assert_eq!(phases, ["certify", "load", "round", "search", "solve"]);
    assert_eq!(
        (&report["samples"], &report["features"], &report["outputs"]),
        (&4.into(), &3.into(), &1.into())
    );
    assert_eq!((&report["schema"], &report["gamma"]), (&1.into(), &0.5.into()));
    assert!(["verified", "probabilistic", "none"].contains(&report["grade"].as_str().expect("text")));
    let (lower, upper) = (report["lower_bound"].as_f64(), report["upper_bound"].as_f64());
    assert!(lower <= upper && upper.is_some(), "{lower:?} {upper:?}");
    let met = ["gap", "solver_gap"].iter().any(|key| report[key].as_f64().is_some_and(|gap| gap <= 1e-3));
    assert_eq!(code, Some(if met && report["grade"] != "none" { 0 } else { 3 }));
}

#[test]
fn the_summary_is_for_people() {
    let output =
        relucert(folder().path(), &["certify", "iris", "--gamma", "5", "--time-limit", "1s", "--quiet"]);
    let text = String::from_utf8_lossy(&output.stdout);
    for part in ["150 samples, 4 features, 3 outputs", "weight decay 5", "objective", "lower bound", "gap"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(output.stderr.is_empty());
}

#[test]
fn a_weight_decay_out_of_all_proportion_is_named_as_the_reason_for_a_weak_bound() {
    let folder = folder();
    fs::write(folder.path().join("d.csv"), "a,b,y\n1,2,0.5\n-1,1,1.5\n2,-2,-0.5\n0,1,2.5\n")
        .expect("writable");
    for gamma in ["1e300", "1e-300"] {
        let output = relucert(
            folder.path(),
            &["certify", "d.csv", "--gamma", gamma, "--method", "relaxation", "--save", gamma],
        );
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{gamma}: {text}");
        assert!(text.contains(&format!("weight decay {gamma}\n")), "{text}");
        assert!(text.contains("why weak") && !text.contains("converged; "), "{text}");
        assert!(text.lines().all(|line| line.len() < 160), "{text}");
    }
}

#[test]
fn iris_is_certified_and_verified_from_its_files_alone() {
    let folder = folder();
    let certify = [
        "certify",
        "iris",
        "--gamma",
        "5",
        "--standardize",
        "--bias",
        "--json",
        "--save",
        "out",
        "--seed",
        "1",
    ];
    let output = relucert(folder.path(), &certify);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["grade"], "verified");
    assert!(report["gap"].as_f64().expect("a number") < 0.02);
    let out = folder.path().join("out");
    // A certificate of W alone has no slack, hence no spectrum.
    let saved = ["certificate.npz", "model.json", "network.npz", "problem.npz", "progress.svg"];
    assert_eq!(names(&out), [&saved[..], &["report.html", "report.json"]].concat());

    let verdict = relucert(folder.path(), &["verify", "out", "--json"]);
    assert_eq!(verdict.status.code(), Some(0), "{}", String::from_utf8_lossy(&verdict.stderr));
    let verdict: serde_json::Value = serde_json::from_slice(&verdict.stdout).expect("JSON");
    let difference =
        verdict["lower_bound"].as_f64().expect("a number") - report["lower_bound"].as_f64().expect("one");
    assert!(difference.abs() < 1e-6);

    // A claim that the files do not prove is found out.
    let mut boast = report.clone();
    boast["lower_bound"] = report["upper_bound"].clone();
    fs::write(out.join("report.json"), boast.to_string()).expect("writable");
    assert_eq!(relucert(folder.path(), &["verify", "out"]).status.code(), Some(1));

    // A certificate of one problem proves nothing about another, and half a file proves nothing at all.
    fs::remove_file(out.join("report.json")).expect("there");
    let bytes = fs::read(out.join("certificate.npz")).expect("there");
    fs::write(out.join("certificate.npz"), &bytes[..bytes.len() / 2]).expect("writable");
    assert_eq!(relucert(folder.path(), &["verify", "out"]).status.code(), Some(2));
}

#[test]
fn a_time_limit_ends_the_run_with_a_bound_that_missed() {
    let folder = folder();
    relucert(folder.path(), &["synth", "teacher", "--samples", "2000", "--output", "t.csv"]);
    let start = std::time::Instant::now();
    let arguments = [
        "certify",
        "t.csv",
        "--target",
        "y1,y2,y3",
        "--gamma",
        "1",
        "--bias",
        "--time-limit",
        "1s",
        "--json",
    ];
    let output = relucert(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(start.elapsed().as_secs() < 60);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["status"], "time_limit");
    let (lower, upper) = (report["lower_bound"].as_f64(), report["upper_bound"].as_f64());
    assert!(lower >= Some(0.0) && lower <= upper && report["grade"] == "verified", "{report}");
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_the_run_with_a_report() {
    let folder = folder();
    relucert(folder.path(), &["synth", "teacher", "--samples", "2000", "--output", "t.csv"]);
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_relucert"))
        .current_dir(folder.path())
        .args(["certify", "t.csv", "--target", "y1,y2,y3", "--gamma", "1", "--bias", "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    std::thread::sleep(std::time::Duration::from_secs(3));
    let interrupt = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.expect("sent").success());
    let output = child.wait_with_output().expect("it ended");
    assert_eq!(output.status.code(), Some(3));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["status"], "cancelled");
}

#[test]
#[cfg(unix)]
fn a_second_interrupt_ends_the_run_at_once_and_leaves_nothing() {
    let folder = folder();
    relucert(folder.path(), &["synth", "teacher", "--samples", "2000", "--output", "t.csv"]);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_relucert"))
        .current_dir(folder.path())
        .args(["certify", "t.csv", "--target", "y1,y2,y3", "--gamma", "1", "--bias", "--save", "out"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    while !folder.path().join("out").exists() && child.try_wait().expect("asked").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    // Held still in between, so that both signals are there before the first is answered.
    for signal in ["-STOP", "-INT", "-TERM", "-CONT"] {
        let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.expect("sent").success());
    }
    let output = child.wait_with_output().expect("it ended");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty());
    assert_eq!(names(folder.path()), ["t.csv"]);
}

/// Legal input that is easily got wrong: the bound lies between zero and the objective, and the files prove it again.
#[test]
fn odd_but_legal_files_get_a_sound_answer() {
    let folder = folder();
    let table = |row: &dyn Fn(i32) -> String| (0..9).map(|i| row(i) + "\n").collect::<String>();
    let wide = (1..=200).map(|column| format!("y{column}")).collect::<Vec<_>>().join(",");
    let cases: Vec<(&str, String, Vec<&str>)> = vec![
        ("constant target", "a,b,y\n".to_owned() + &table(&|i| format!("{i},{},2.5", i % 4 - 1)), vec![]),
        (
            "zero target",
            "a,b,y\n".to_owned() + &table(&|i| format!("{i},{},0", i % 4 - 1)),
            vec!["--task", "regression"],
        ),
        (
            "duplicate rows",
            "a,b,y\n".to_owned() + &table(&|i| format!("{},{},0.{i}", i % 2, i % 2 - 1)),
            vec![],
        ),
        ("duplicate columns", "a,b,y\n".to_owned() + &table(&|i| format!("{i},{i},0.{i}")), vec!["--bias"]),
        ("n < d", "a,b,c,y\n1,2,3,0.5\n4,5,7,1.5\n".to_owned(), vec!["--bias"]),
        (
            "constant feature",
            "a,b,y\n".to_owned() + &table(&|i| format!("{i},7,0.{i}")),
            vec!["--standardize"],
        ),
        ("zero rows", "a,b,y\n".to_owned() + &table(&|i| format!("{},{},1.{i}", i % 2, i % 2)), vec![]),
        ("parallel rows", "a,b,y\n".to_owned() + &table(&|i| format!("{i},{},0.{i}", -2 * i)), vec![]),
        ("one class", "a,b,y\n".to_owned() + &table(&|i| format!("{i},{},k", i % 4)), vec![]),
        (
            "200 outputs",
            format!("a,b,{wide}\n") + &table(&|i| format!("{i},{}", i % 4) + &format!(",0.{i}").repeat(200)),
            vec!["--target", &wide],
        ),
        (
            "large features",
            "a,b,y\n".to_owned() + &table(&|i| format!("{i}e8,{}e8,0.{i}", i % 4 - 1)),
            vec![],
        ),
        (
            "small features",
            "a,b,y\n".to_owned() + &table(&|i| format!("{i}e-8,{}e-8,0.{i}", i % 4 - 1)),
            vec![],
        ),
    ];
    for (case, text, extra) in &cases {
        for gamma in ["1e-6", "1", "1e6"] {
            if gamma != "1" && *case != "duplicate rows" && *case != "large features" {
                continue;
            }
            fs::write(folder.path().join("d.csv"), text).expect("writable");
            let save = format!("{case} {gamma}");
            let mut arguments =
                vec!["certify", "d.csv", "--gamma", gamma, "--json", "--time-limit", "10s", "--save", &save];
            arguments.extend(extra);
            let output = relucert(folder.path(), &arguments);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 3)), "{save}: {error}");
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let figure =
                |key: &str| report[key].as_f64().unwrap_or_else(|| panic!("{save}: {key}: {report}"));
            assert!(
                0.0 <= figure("lower_bound") && figure("lower_bound") <= figure("upper_bound"),
                "{save}: {report}"
            );
            let verdict = relucert(folder.path(), &["verify", &save]);
            let expected = if report["grade"] == "none" { 1 } else { 0 };
            let error = String::from_utf8_lossy(&verdict.stderr);
            assert_eq!(verdict.status.code(), Some(expected), "{save}: {error} {report}");
        }
    }
}

#[test]
fn a_missing_header_is_noted_in_one_line() {
    let folder = folder();
    fs::write(folder.path().join("d.csv"), "1,2,0.5\n3,4,1.5\n-1,2,0.25\n").expect("writable");
    let output =
        relucert(folder.path(), &["certify", "d.csv", "--gamma", "1", "--time-limit", "5s", "--quiet"]);
    let note = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{note}");
    assert!(note.lines().count() == 1 && note.contains("first line holds data"), "{note}");
}

#[test]
fn the_reference_solver_writes_what_certify_writes_and_its_files_prove_its_bound() {
    let folder = folder();
    let data = "a,b,y\n0.3,1,0.8\n-1.2,1,0.1\n0.9,1,1.4\n-0.4,1,0.5\n1.7,1,2.1\n-0.8,1,0.9\n";
    fs::write(folder.path().join("data.csv"), data).expect("writable");
    let arguments = ["data.csv", "--gamma", "0.1", "--task", "regression", "--quiet", "--json", "--save"];
    let [low, reference]: [serde_json::Value; 2] = ["certify", "reference"].map(|command| {
        let method: &[&str] = if command == "certify" { &["--method", "relaxation"] } else { &[] };
        let output = relucert(folder.path(), &[&[command][..], method, &arguments, &[command]].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{command}: {error}");
        assert!(error.is_empty(), "{command} logs although it should be quiet: {error}");
        let verified = relucert(folder.path(), &["verify", command]);
        assert_eq!(verified.status.code(), Some(0), "{command}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    });
    assert_eq!(names(&folder.path().join("certify")), names(&folder.path().join("reference")));
    let value = |report: &serde_json::Value, key: &str| report[key].as_f64().expect("a number");
    let (a, b) = (value(&low, "relaxation_value"), value(&reference, "relaxation_value"));
    assert!((a - b).abs() <= 2e-3 * b, "{a} and {b}");
    assert!(value(&reference, "solver_gap") <= 1e-5);
    assert!(value(&reference, "lower_bound") <= value(&low, "upper_bound"));
    let limited = relucert(
        folder.path(),
        &["reference", "data.csv", "--gamma", "0.1", "--task", "regression", "--time-limit", "1ms"],
    );
    assert!(matches!(limited.status.code(), Some(0 | 3)));
}
