//! Blocks solved one by one, saved, loaded and gathered: the same bits as in one run, and nothing in the files believed.
use relucert::certificate::{Grade, prove};
use relucert::data::{TeacherSettings, teacher};
use relucert::training::{TrainingSettings, train};
use relucert::{
    BlockOutcome, BlockTask, Blocks, CertifySettings, Control, Division, Error, Network, Silent,
    TrainingProblem, certify_network,
};
use std::fs;
use std::path::PathBuf;

fn setting() -> (TrainingProblem, Network, CertifySettings) {
    let data = TeacherSettings { samples: 60, features: 3, outputs: 2, ..TeacherSettings::default() };
    let problem = teacher(&data).unwrap().problem(0.6).unwrap();
    let training = TrainingSettings {
        width: 8,
        starts: 1,
        iterations: 50,
        rounds: 1,
        seed: 0,
        ..TrainingSettings::default()
    };
    let network = train(&problem, &training, &Control::new());
    (problem, network, CertifySettings { blocks: Blocks::Count(3), ..CertifySettings::default() })
}

/// Every block through files, as on machines that share nothing else.
fn through_files(division: &Division<'_>) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let folders = (0..division.blocks()).map(|block| {
        let place = folder.path().join(block.to_string());
        fs::create_dir(&place).unwrap();
        division.task(block).unwrap().save(&place).unwrap();
        let task = BlockTask::load(&place).unwrap();
        assert_eq!((task.block(), task.blocks()), (block, division.blocks()));
        assert_eq!(task.problem().samples(), division.samples(block).len());
        task.solve(&Control::new()).unwrap().save(&place).unwrap();
        place
    });
    let folders = folders.collect();
    (folder, folders)
}

fn load(folders: &[PathBuf]) -> Vec<BlockOutcome> {
    folders.iter().map(|place| BlockOutcome::load(place).unwrap()).collect()
}

#[test]
fn tasks_through_files_give_the_bits_of_one_run() {
    let (problem, network, settings) = setting();
    let whole = certify_network(&problem, &network, &settings, &Control::new(), &mut Silent).unwrap();
    let division = Division::new(&problem, &network, &settings).unwrap();
    let (_folder, folders) = through_files(&division);
    let gathered = division.gather(load(&folders), &Control::new()).unwrap();
    let (one, other) = (&whole.report, &gathered.report);
    assert_eq!(one.lower_bound.value().to_bits(), other.lower_bound.value().to_bits());
    assert_eq!((one.dividing_loss, one.relaxation_value), (other.dividing_loss, other.relaxation_value));
    assert_eq!((one.status, one.pairs, one.rank), (other.status, other.pairs, other.rank));
    assert_eq!(whole.certificate.dual().n, gathered.certificate.dual().n);
    assert_eq!(prove(&problem, &gathered.certificate).unwrap().lower_bound(), other.lower_bound);

    // A machine that never answered: its block counts nothing.
    let missing = division.gather(load(&folders[1..]), &Control::new()).unwrap().report;
    assert_eq!((missing.unsolved_blocks, missing.dividing_loss, missing.grade), (1, None, Grade::Verified));
    assert!(missing.lower_bound > 0.0 && missing.lower_bound < other.lower_bound);
}

#[test]
fn forged_and_foreign_outcomes_are_refused() {
    let (problem, network, settings) = setting();
    let division = Division::new(&problem, &network, &settings).unwrap();
    let (_folder, folders) = through_files(&division);
    let honest = division.gather(load(&folders), &Control::new()).unwrap().report.lower_bound.value();
    let gather =
        |outcomes| division.gather(outcomes, &Control::new()).map(|found| found.report.lower_bound.value());
    let refused = |outcomes: Vec<BlockOutcome>, part: &str| {
        let message = gather(outcomes).unwrap_err().to_string();
        assert!(message.contains(part), "{message} lacks {part}");
    };
    let mut twice = load(&folders);
    twice.push(twice[0].clone());
    refused(twice, "two outcomes");

    // A certificate in another block's place.
    let (first, second) = (folders[0].join("certificate.npz"), folders[1].join("certificate.npz"));
    let kept = fs::read(&first).unwrap();
    fs::copy(&second, &first).unwrap();
    refused(load(&folders), "block 0");
    fs::write(&first, kept).unwrap();

    // A claim is not a bound, whatever it says; and it must be a number.
    let json = folders[0].join("outcome.json");
    let text = fs::read_to_string(&json).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["figures"]["lower_bound"] = 1e9.into();
    fs::write(&json, value.to_string()).unwrap();
    assert_eq!(gather(load(&folders)).unwrap().to_bits(), honest.to_bits());
    value["figures"]["lower_bound"] = (-1.0).into();
    fs::write(&json, value.to_string()).unwrap();
    refused(load(&folders), "figures");
    for wrong in ["", "{}", "[]", "nonsense", &text.replace("\"block\": 0", "\"block\": 7")] {
        fs::write(&json, wrong).unwrap();
        let error = BlockOutcome::load(&folders[0]).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Input(_)) && error.to_string().contains("outcome.json"), "{error}");
    }
    fs::write(&json, text).unwrap();

    // Another division: other blocks, another seed.
    let other = CertifySettings { blocks: Blocks::Count(2), ..settings.clone() };
    let other = Division::new(&problem, &network, &other).unwrap();
    assert!(matches!(other.gather(load(&folders), &Control::new()), Err(Error::Refused(_))));
    let other = Division::new(&problem, &network, &CertifySettings { seed: 1, ..settings }).unwrap();
    assert!(matches!(other.gather(load(&folders), &Control::new()), Err(Error::Refused(_))));
    assert!(matches!(division.task(3), Err(Error::Parameter { name: "block", .. })));
}

#[test]
fn a_task_with_settings_out_of_range_is_refused() {
    let (problem, network, settings) = setting();
    let folder = tempfile::tempdir().unwrap();
    Division::new(&problem, &network, &settings).unwrap().task(0).unwrap().save(folder.path()).unwrap();
    let json = folder.path().join("task.json");
    let text = fs::read_to_string(&json).unwrap();
    for (section, key, wrong) in [("", "tolerance", 2.0), ("solver", "rank_limit", 0.0), ("", "schema", 9.0)]
    {
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        match (section, key) {
            ("", "schema") => value[key] = 9.into(),
            ("", _) => value["settings"][key] = wrong.into(),
            _ => value["settings"][section][key] = 0.into(),
        }
        fs::write(&json, value.to_string()).unwrap();
        assert!(BlockTask::load(folder.path()).is_err(), "{key}");
    }
    fs::write(&json, text).unwrap();
    let other = Network::empty(5, 2);
    relucert::io::save_network(&folder.path().join("network.npz"), &other).unwrap();
    assert!(matches!(BlockTask::load(folder.path()), Err(Error::Shape { .. })));
}

#[test]
fn a_block_under_way_when_the_time_is_over_keeps_its_bound() {
    let (problem, network, settings) = setting();
    let settings = CertifySettings { tolerance: 1e-5, ..settings };
    let division = Division::new(&problem, &network, &settings).unwrap();
    let task = division.task(0).unwrap();
    let begun = std::time::Instant::now();
    let whole = *task.solve(&Control::new()).unwrap().figures();
    let mut limit = begun.elapsed();
    // Shorter and shorter, until the limit strikes while the block is under way.
    let cut = loop {
        limit /= 2;
        let outcome = task.solve(&Control::new().within(limit)).unwrap();
        let figures = *outcome.figures();
        if figures.solver.status == relucert::report::Status::TimeLimit && figures.begun {
            break outcome;
        }
        assert!(figures.begun, "the limit strikes before the block begins and never after");
    };
    let figures = cut.figures();
    assert!(figures.lower_bound > 0.0 && figures.lower_bound <= whole.lower_bound, "{figures:?}");
    // It counts in the bound of the whole.
    let alone = figures.lower_bound.value();
    let gathered = division.gather(vec![cut], &Control::new()).unwrap().report;
    assert!((gathered.lower_bound.value() - alone).abs() <= 1e-9 * alone, "{gathered:?} {alone}");
    assert_eq!(gathered.unsolved_blocks, 2);
}
