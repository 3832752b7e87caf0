//! Memory: estimated before a run starts, refused where it does not fit, and no part of the result.

use relucert::data::{TeacherSettings, teacher};
use relucert::training::TrainingSettings;
use relucert::{
    Blocks, CertifySettings, Control, Cuts, Error, Method, Observer, Progress, Silent, TrainingProblem,
    certify, estimated_memory_bytes,
};

fn problem(samples: usize) -> TrainingProblem {
    let settings = TeacherSettings { samples, features: 3, outputs: 2, ..TeacherSettings::default() };
    teacher(&settings).unwrap().problem(0.01 * samples as f64).unwrap()
}

fn settings(blocks: Blocks, memory_limit: Option<u64>) -> CertifySettings {
    let training = TrainingSettings {
        width: 8,
        starts: 1,
        iterations: 50,
        rounds: 0,
        seed: 0,
        ..TrainingSettings::default()
    };
    CertifySettings { blocks, memory_limit, training, tolerance: 1e-2, ..CertifySettings::default() }
}

#[test]
fn a_run_that_does_not_fit_is_refused_with_the_way_to_mend_it() {
    let problem = problem(2000);
    let needed = estimated_memory_bytes(2000, 3, 2, 1, 1);
    let limit = Some(needed / 2);
    let run = |blocks| certify(&problem, &settings(blocks, limit), &Control::new(), &mut Silent);
    let error = run(Blocks::Count(1)).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Input(_)));
    let message = error.to_string();
    let parts = ["2000 samples in 1 block", "MB", "the limit is", "--blocks"];
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    // The number of blocks that the message names is enough, and the least that is.
    let enough: usize = message.rsplit("--blocks ").next().unwrap().trim_end_matches(')').parse().unwrap();
    let fits = |blocks| estimated_memory_bytes(2000, 3, 2, blocks, 1) <= needed / 2;
    assert!(fits(enough) && !fits(enough - 1), "{enough}");
    // Where nothing helps the message says so.
    let tiny = certify(&problem, &settings(Blocks::Auto, Some(1_000_000)), &Control::new(), &mut Silent);
    let message = tiny.map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("raise the limit") && !message.contains("--blocks"), "{message}");
}

#[test]
fn auto_takes_more_blocks_where_memory_is_short() {
    let problem = problem(1200);
    let limit = estimated_memory_bytes(1200, 3, 2, 1, 1) / 2;
    let control = Control::new();
    // The first blocks are not waited for.
    let stopped = control.within(std::time::Duration::ZERO);
    let blocks = |limit| {
        certify(&problem, &settings(Blocks::Auto, limit), &stopped, &mut Silent).unwrap().report.blocks
    };
    assert_eq!(blocks(None), 1);
    assert!(blocks(Some(limit)) > 1);
}

/// Counts the reports: one for each group of blocks that ran side by side.
#[derive(Default)]
struct Groups(Vec<(usize, usize)>);

impl Observer for Groups {
    fn progress(&mut self, progress: &Progress) {
        self.0.extend(progress.blocks);
        assert!(progress.seconds_left.is_some_and(|left| left >= 0.0 && left.is_finite()));
    }
}

#[test]
fn fewer_blocks_at_once_give_the_same_bits() {
    let problem = problem(160);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    // Each thread counts.
    let estimate = |at_once| pool.install(|| estimated_memory_bytes(160, 3, 2, 4, at_once));
    let (one, two) = (estimate(1), estimate(2));
    assert!(one < two);
    let run = |limit| {
        let mut groups = Groups::default();
        let settings = settings(Blocks::Count(4), limit);
        let certified = pool.install(|| certify(&problem, &settings, &Control::new(), &mut groups)).unwrap();
        (certified.report.lower_bound.value().to_bits(), certified.report.dividing_loss, groups.0)
    };
    let (free, tight) = (run(None), run(Some((one + two) / 2)));
    assert_eq!((free.0, free.1), (tight.0, tight.1));
    assert_eq!(free.2, [(4, 4)]);
    assert_eq!(tight.2, [(1, 4), (2, 4), (3, 4), (4, 4)]);
}

#[test]
fn the_estimate_grows_with_everything_it_depends_on() {
    let base = estimated_memory_bytes(1000, 10, 3, 2, 1);
    for larger in [
        [2000, 10, 3, 2, 1],
        [1000, 200, 3, 2, 1],
        [1000, 10, 20, 2, 1],
        [1000, 10, 3, 1, 1],
        [1000, 10, 3, 2, 2],
    ] {
        let [samples, inputs, outputs, blocks, at_once] = larger;
        assert!(estimated_memory_bytes(samples, inputs, outputs, blocks, at_once) > base, "{larger:?}");
    }
}

/// The estimate in the message of a refusal, in bytes.
fn estimate(problem: &TrainingProblem, settings: &CertifySettings) -> f64 {
    let settings = CertifySettings { memory_limit: Some(1_000_000), ..settings.clone() };
    let message =
        certify(problem, &settings, &Control::new(), &mut Silent).map(|_| ()).unwrap_err().to_string();
    let number = message.split("estimated to take ").nth(1).unwrap().split(' ').next().unwrap();
    let unit = if message.contains("MB of memory") { 1e6 } else { 1e9 };
    number.parse::<f64>().unwrap() * unit
}

#[test]
fn cuts_are_counted() {
    let problem = problem(100);
    let settings = settings(Blocks::Count(1), None);
    for method in [Method::Auto, Method::LowRank, Method::InteriorPoint] {
        let with = |cuts| CertifySettings { cuts, method, ..settings.clone() };
        let (without, with_cuts) =
            (estimate(&problem, &with(Cuts::None)), estimate(&problem, &with(Cuts::Auto)));
        assert!(with_cuts > 3.0 * without, "{method:?}: {without} {with_cuts}");
        // The run that fits without cuts is refused with them, and the message names the way out.
        let limit = Some((0.5 * with_cuts) as u64);
        let tight = CertifySettings { memory_limit: limit, ..with(Cuts::Auto) };
        let message =
            certify(&problem, &tight, &Control::new(), &mut Silent).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("--blocks") || message.contains("leave out the cuts"), "{message}");
        let stopped = Control::new().within(std::time::Duration::ZERO);
        let loose = CertifySettings { memory_limit: limit, ..with(Cuts::None) };
        assert!(certify(&problem, &loose, &stopped, &mut Silent).is_ok());
    }
    // Smaller blocks take less, and what is named is enough.
    let divided =
        |blocks| CertifySettings { blocks: Blocks::Count(blocks), cuts: Cuts::Auto, ..settings.clone() };
    assert!(estimate(&problem, &divided(5)) < 0.3 * estimate(&problem, &divided(1)));
}

/// A process of its own, so that its peak is that of the run.
#[test]
#[cfg(feature = "cli")]
fn a_run_with_cuts_takes_no_more_than_the_estimate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wave.csv");
    let rows = (0..30).map(|i| {
        let x = -1.5 + 0.1 * f64::from(i) + 0.01 * f64::from(i * i % 7);
        let z = (1.7 * f64::from(i)).sin();
        format!("{x},{z},{}", (3.0 * x).sin() + (x * z).cos())
    });
    let lines: Vec<String> = std::iter::once("x,z,y".to_owned()).chain(rows).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let problem = relucert::data::load(path.to_str().unwrap(), &relucert::data::CsvOptions::default());
    let problem = problem.unwrap().with_bias().problem(0.1).unwrap();
    for (method, name) in [(Method::LowRank, "low-rank"), (Method::InteriorPoint, "interior-point")] {
        let settings = CertifySettings { cuts: Cuts::Auto, method, ..CertifySettings::default() };
        let estimated = estimate(&problem, &CertifySettings { blocks: Blocks::Count(1), ..settings });
        let mut command = assert_cmd::Command::cargo_bin("relucert").unwrap();
        command
            .arg("certify")
            .arg(&path)
            .args(["--gamma", "0.1", "--bias", "--cuts", "auto", "--blocks", "1"]);
        command.args(["--method", name, "--time-limit", "5s", "--json", "--quiet"]);
        let report: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        let Some(peak) = report["peak_memory_bytes"].as_f64() else { return };
        assert!(report["cuts"].as_f64() > Some(0.0));
        assert!(peak <= estimated, "{name}: {peak} of {estimated}");
        assert!(peak >= 0.1 * estimated, "{name}: {peak} is far below {estimated}");
    }
}
