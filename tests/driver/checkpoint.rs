//! Runs that go on from a checkpoint: what is kept, what is refused, and that nothing in the file is believed.

use relucert::certificate::{Grade, prove};
use relucert::data::{TeacherSettings, teacher};
use relucert::io::load_certificate;
use relucert::report::Status;
use relucert::training::TrainingSettings;
use relucert::{
    Blocks, Certified, CertifySettings, Checkpoint, Control, Cuts, Error, Method, Observer, Progress, Result,
    Silent, TrainingProblem, certify,
};
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zip::write::FileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

fn problem(samples: usize, seed: u64) -> TrainingProblem {
    let settings = TeacherSettings { samples, features: 3, outputs: 2, seed, ..TeacherSettings::default() };
    teacher(&settings).unwrap().problem(0.01 * samples as f64).unwrap()
}

fn settings(blocks: usize, path: Option<&Path>) -> CertifySettings {
    CertifySettings {
        tolerance: 1e-3,
        blocks: Blocks::Count(blocks),
        training: TrainingSettings {
            width: 8,
            starts: 1,
            iterations: 50,
            rounds: 1,
            seed: 0,
            ..TrainingSettings::default()
        },
        method: Method::LowRank,
        checkpoint: path.map(|path| Checkpoint { interval: Duration::ZERO, ..Checkpoint::new(path) }),
        ..CertifySettings::default()
    }
}

/// Stops the run after a number of reports, and counts them.
struct Stopper {
    control: Control,
    reports: usize,
    seen: Vec<Progress>,
    warnings: Vec<String>,
}

impl Observer for Stopper {
    fn progress(&mut self, progress: &Progress) {
        self.seen.push(progress.clone());
        if self.seen.len() == self.reports {
            self.control.cancel();
        }
    }

    fn warning(&mut self, message: &str) {
        self.warnings.push(message.into());
    }
}

fn stopped_after(
    problem: &TrainingProblem,
    settings: &CertifySettings,
    reports: usize,
) -> (Certified, Stopper) {
    let control = Control::new();
    let mut stopper = Stopper { control: control.clone(), reports, seen: Vec::new(), warnings: Vec::new() };
    // One thread, so that the reports of a divided run are few blocks apart.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let certified = pool.install(|| certify(problem, settings, &control, &mut stopper)).unwrap();
    (certified, stopper)
}

fn run(problem: &TrainingProblem, settings: &CertifySettings) -> Result<Certified> {
    certify(problem, settings, &Control::new(), &mut Silent)
}

fn bits(certified: &Certified) -> Vec<u64> {
    let dual = certified.certificate.dual();
    let numbers = dual.y.iter().chain(&dual.n).chain(dual.w.col_iter().flat_map(|column| column.iter()));
    let report = &certified.report;
    let figures =
        [report.lower_bound.value(), report.upper_bound.value(), report.relaxation_value.unwrap_or(0.0)];
    numbers.chain(&figures).map(|value| value.to_bits()).collect()
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("run.npz")
}

/// The arrays of a certificate, in a file of their own in another folder.
fn certificate_in(checkpoint: &Path) -> PathBuf {
    let mut whole = ZipArchive::new(fs::File::open(checkpoint).unwrap()).unwrap();
    let path = checkpoint.with_extension("certificate");
    let mut part = ZipWriter::new(fs::File::create(&path).unwrap());
    for name in ["W", "y", "pairs", "N", "block"] {
        if let Ok(member) = whole.by_name(&format!("{name}.npy")) {
            part.raw_copy_file(member).unwrap();
        }
    }
    part.finish().unwrap();
    path
}

#[test]
fn a_divided_run_goes_on_with_the_same_bits_and_a_finished_one_ends_at_once() {
    let (problem, folder) = (problem(70, 1), tempfile::tempdir().unwrap());
    let path = file(&folder);
    let whole = run(&problem, &settings(5, None)).unwrap();
    let with = settings(5, Some(&path));
    let (stopped, stopper) = stopped_after(&problem, &with, 1);
    assert_eq!((stopped.report.status, stopper.seen.len() > 1), (Status::Cancelled, true));
    let unsolved = stopped.report.unsolved_blocks;
    assert!(unsolved > 0 && unsolved < 5, "{unsolved}");
    assert!(stopped.report.lower_bound > 0.0 && stopped.report.lower_bound < whole.report.lower_bound);
    // What was solved is a certificate like any other.
    let kept = prove(&problem, &load_certificate(&certificate_in(&path)).unwrap()).unwrap();
    assert_eq!(kept.lower_bound(), stopped.report.lower_bound);
    fs::remove_file(path.with_extension("certificate")).unwrap();

    let resumed = run(&problem, &with).unwrap();
    assert!(bits(&resumed) == bits(&whole));
    assert_eq!(resumed.report.dividing_loss, whole.report.dividing_loss);
    assert_eq!(resumed.report.status, whole.report.status);

    let before = fs::read(&path).unwrap();
    let again = run(&problem, &with).unwrap();
    assert!(bits(&again) == bits(&whole) && fs::read(&path).unwrap() == before);
    assert_eq!(again.report.grade, Grade::Verified);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_single_factor_goes_on_from_its_last_level_to_the_same_bound() {
    let (problem, folder) = (problem(40, 2), tempfile::tempdir().unwrap());
    let path = file(&folder);
    // Tight enough for a dozen levels.
    let tight = |path| CertifySettings { tolerance: 1e-5, ..settings(1, path) };
    let whole = run(&problem, &tight(None)).unwrap().report;
    let with = tight(Some(&path));
    let (mut bound, mut steps) = (0.0, 0);
    for reports in [2, 3, 2] {
        let (stopped, stopper) = stopped_after(&problem, &with, reports);
        assert_eq!(stopped.report.status, Status::Cancelled);
        // It went on from where it was: no level is done twice, no bound is lost.
        assert!(
            stopper.seen[0].lower_bound >= bound * (1.0 - 1e-9),
            "{} {bound}",
            stopper.seen[0].lower_bound
        );
        assert!(stopper.seen[0].iteration > steps);
        (bound, steps) = (stopper.seen[reports - 1].lower_bound, stopper.seen[reports - 1].iteration);
        assert!(bound > 0.0 && stopped.report.lower_bound >= bound * (1.0 - 1e-6));
        let kept = prove(&problem, &load_certificate(&certificate_in(&path)).unwrap())
            .map_or(0.0, |proof| proof.lower_bound().value());
        assert!(kept <= whole.relaxation_value.unwrap() * (1.0 + 1e-4));
    }
    let resumed = run(&problem, &with).unwrap();
    assert_eq!(resumed.report.status, Status::Converged);
    let difference = (resumed.report.lower_bound.value() - whole.lower_bound.value()).abs();
    assert!(difference <= 1e-5 * whole.lower_bound.value(), "{difference} of {}", whole.lower_bound.value());
    // The end is kept too, with the network.
    let before = fs::read(&path).unwrap();
    let again = run(&problem, &with).unwrap();
    assert!(bits(&again) == bits(&resumed) && fs::read(&path).unwrap() == before);
    assert_eq!(again.network.hidden(), resumed.network.hidden());
}

#[test]
fn a_run_that_reached_its_deadline_goes_on() {
    let (problem, folder) = (problem(60, 3), tempfile::tempdir().unwrap());
    let with = settings(4, Some(&file(&folder)));
    let whole = run(&problem, &settings(4, None)).unwrap();
    let mut limit = Duration::from_millis(20);
    // Longer and longer, so that it ends however slow the machine is.
    let last = loop {
        let certified = certify(&problem, &with, &Control::new().within(limit), &mut Silent).unwrap();
        assert!(certified.report.lower_bound <= whole.report.relaxation_value.unwrap());
        if certified.report.status != Status::TimeLimit && certified.report.dividing_loss.is_some() {
            break certified;
        }
        limit = limit.mul_f64(1.5);
    };
    assert_eq!(last.report.lower_bound.value().to_bits(), whole.report.lower_bound.value().to_bits());
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let (one, folder) = (problem(40, 4), tempfile::tempdir().unwrap());
    let path = file(&folder);
    let with = settings(2, Some(&path));
    run(&one, &with).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = |problem: &TrainingProblem, settings: &CertifySettings, part: &str| {
        let error = run(problem, settings).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Input(_)), "{error}");
        let message = error.to_string();
        assert!(message.contains(part) && message.contains("run.npz"), "{part}: {message}");
        assert_eq!(message.lines().count(), 1);
    };
    refused(&problem(40, 5), &with, "another features or targets");
    let heavier = TrainingProblem::new(one.features().to_owned(), one.targets().to_owned(), 0.5).unwrap();
    refused(&heavier, &with, "another weight decay");
    refused(&one, &CertifySettings { blocks: Blocks::Count(3), ..with.clone() }, "another number of blocks");
    refused(&one, &CertifySettings { seed: 1, ..with.clone() }, "another settings");
    refused(&one, &CertifySettings { tolerance: 1e-2, ..with.clone() }, "another settings");
    fs::write(&path, "no archive").unwrap();
    assert!(run(&one, &with).is_err());
    relucert::io::save_problem(&path, &one).unwrap();
    refused(&one, &with, "not a checkpoint");
    fs::write(&path, before).unwrap();
    assert!(run(&one, &with).is_ok());
    let nowhere = settings(2, Some(&folder.path().join("no/folder/run.npz")));
    assert!(matches!(run(&one, &nowhere), Err(Error::Io { .. })));
}

type Change<'a> = &'a dyn Fn(&mut Vec<u8>);

/// Changes an array's bytes after its header, and mends the archive's checksums.
fn forge(bytes: &[u8], array: &str, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut found = false;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if entry.name() == format!("{array}.npy") {
            let header = 10 + usize::from(u16::from_le_bytes([content[8], content[9]]));
            let mut data = content.split_off(header);
            change(&mut data);
            content.extend(data);
            found = true;
        }
        let options = FileOptions::default().compression_method(CompressionMethod::Stored);
        writer.start_file(entry.name(), options).unwrap();
        writer.write_all(&content).unwrap();
    }
    assert!(found, "no array {array}");
    writer.finish().unwrap().into_inner()
}

fn numbers(change: impl Fn(usize, f64) -> f64) -> impl Fn(&mut Vec<u8>) {
    move |data| {
        for (index, bytes) in data.chunks_exact_mut(8).enumerate() {
            let value = f64::from_le_bytes(bytes.try_into().unwrap());
            bytes.copy_from_slice(&change(index, value).to_le_bytes());
        }
    }
}

#[test]
fn forged_blocks_are_refused_and_never_make_a_bound() {
    let (problem, folder) = (problem(48, 6), tempfile::tempdir().unwrap());
    let path = file(&folder);
    let with = settings(3, Some(&path));
    let whole = run(&problem, &with).unwrap();
    let honest = fs::read(&path).unwrap();
    let refused = |array: &str, change: &dyn Fn(&mut Vec<u8>), part: &str| {
        fs::write(&path, forge(&honest, array, change)).unwrap();
        let message = run(&problem, &with).map(|found| found.report.lower_bound).unwrap_err().to_string();
        assert!(message.contains(part), "{array}: {message} lacks {part}");
        assert_eq!(message.lines().count(), 1);
    };
    refused("W", &numbers(|_, value| 3.0 * value), "block");
    refused("W", &numbers(|_, _| f64::NAN), "damaged checkpoint");
    refused("y", &numbers(|_, value| -value), "block");
    refused("N", &numbers(|_, value| -1.0 - value), "damaged checkpoint");
    refused("pairs", &|data| data.iter_mut().for_each(|byte| *byte = 0xff), "damaged checkpoint");
    refused("block", &|data| data.reverse(), "damaged checkpoint");
    refused("block", &|data| data.rotate_left(8), "damaged checkpoint");
    refused("U", &numbers(|_, _| f64::INFINITY), "damaged checkpoint");
    refused("blocks", &numbers(|_, value| value + 0.5), "damaged checkpoint");
    refused("blocks", &numbers(|_, _| f64::NAN), "damaged checkpoint");
    refused("loss", &numbers(|_, _| 7.0), "damaged checkpoint");
    refused("seconds", &numbers(|_, _| -1.0), "damaged checkpoint");
    refused("fingerprint", &|data| data[0] ^= 1, "another run");
    // A bound that is only claimed: the value that the report calls the bound is that of the proof.
    let claim = numbers(|index, value| if index % 13 == 8 { 1e6 } else { value });
    fs::write(&path, forge(&honest, "blocks", claim)).unwrap();
    let claimed = run(&problem, &with).unwrap();
    assert_eq!(claimed.report.lower_bound.value().to_bits(), whole.report.lower_bound.value().to_bits());
    // A block marked as not done is solved again, to the same bits.
    let undone = numbers(|index, value| if index < 13 { 0.0 } else { value });
    let forged = forge(&forge(&honest, "blocks", undone), "loss", |data| data.clear());
    fs::write(&path, forged).unwrap();
    assert!(run(&problem, &with).is_err(), "an array shorter than its header says");
}

#[test]
fn a_forged_state_of_the_solver_is_refused_and_never_makes_a_bound() {
    let (problem, folder) = (problem(24, 7), tempfile::tempdir().unwrap());
    let path = file(&folder);
    let with = settings(1, Some(&path));
    let value = run(&problem, &settings(1, None)).unwrap().report.relaxation_value.unwrap();
    stopped_after(&problem, &with, 3);
    let honest = fs::read(&path).unwrap();
    let with_forged = |array: &str, change: &dyn Fn(&mut Vec<u8>)| {
        fs::write(&path, forge(&honest, array, change)).unwrap();
        run(&problem, &with)
    };
    let refused = |array: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let message =
            with_forged(array, change).map(|found| found.report.lower_bound).unwrap_err().to_string();
        assert!(message.contains("damaged checkpoint"), "{array}: {message}");
    };
    refused("factor", &numbers(|_, _| f64::NAN));
    refused("keys", &|data| data.iter_mut().for_each(|byte| *byte = 0xff));
    refused("keys", &|data| data.iter_mut().for_each(|byte| *byte = 0));
    refused("multipliers", &numbers(|_, value| -1.0 - value));
    refused("equality_multipliers", &numbers(|_, _| f64::INFINITY));
    for index in 0..12 {
        refused("numbers", &numbers(move |at, value| if at == index { f64::NAN } else { value }));
    }
    refused("numbers", &numbers(|at, value| if at == 0 { 1e12 } else { value }));
    refused("numbers", &numbers(|at, value| if at == 0 { value + 1.0 } else { value }));
    refused("numbers", &numbers(|at, value| if at == 3 { -value } else { value }));
    refused("levels", &numbers(|_, _| 0.5));
    refused("figures", &numbers(|_, value| -1.0 - value));
    // Numbers that a solver might have had lead to some bound: one that holds.
    let changes: [(&str, Change<'_>); 4] = [
        ("W", &numbers(|_, value| 10.0 * value)),
        ("y", &numbers(|_, _| 1e3)),
        ("factor", &numbers(|index, value| if index % 7 == 0 { 1e3 } else { value })),
        ("multipliers", &numbers(|_, _| 1e4)),
    ];
    for (array, change) in changes {
        let found = with_forged(array, change).unwrap();
        let bound = found.report.lower_bound;
        assert!(bound <= value * (1.0 + 1e-4), "{array}: {bound} above {value}");
        assert!(found.report.grade == Grade::None || prove(&problem, &found.certificate).is_ok());
    }
}

/// Regression on a line with a bias, which is loose without cuts.
fn loose() -> TrainingProblem {
    let (x, y): (Vec<f64>, Vec<f64>) = (0..8)
        .map(|i| {
            let x = -1.4 + 0.37 * f64::from(i) + 0.05 * f64::from(i * i % 5);
            (x, (3.0 * x).sin())
        })
        .unzip();
    let x = faer::Mat::from_fn(8, 2, |i, j| if j == 1 { 1.0 } else { x[i] });
    TrainingProblem::new(x, faer::Mat::from_fn(8, 1, |i, _| y[i]), 0.05).unwrap()
}

#[test]
fn a_run_with_cuts_goes_on_with_them() {
    let (problem, folder) = (loose(), tempfile::tempdir().unwrap());
    let path = file(&folder);
    let plain = |path| CertifySettings { tolerance: 1e-5, ..settings(1, path) };
    let with = |path| CertifySettings { cuts: Cuts::Auto, ..plain(path) };
    let never = usize::MAX;
    let (without, levels) = stopped_after(&problem, &plain(None), never);
    let (whole, all) = stopped_after(&problem, &with(None), never);
    let (loose, tight) = (without.report.lower_bound.value(), whole.report.lower_bound.value());
    assert!(tight > 1.02 * loose && whole.report.cuts > 0, "{tight} {loose}");
    // Into the rounds of cuts, each time from where the last run was stopped.
    let (mut done, mut bound, mut steps) = (0, 0.0, 0);
    for reports in [levels.seen.len() + 2, 2] {
        let (stopped, stopper) = stopped_after(&problem, &with(Some(&path)), reports);
        assert_eq!(stopped.report.status, Status::Cancelled);
        assert!(stopper.seen[0].iteration > steps && stopper.seen[0].lower_bound >= bound * (1.0 - 1e-9));
        let last = &stopper.seen[reports - 1];
        (done, bound, steps) = (done + reports, last.lower_bound, last.iteration);
        assert!(last.pairs > levels.seen.last().unwrap().pairs);
    }
    let honest = fs::read(&path).unwrap();
    let (resumed, stopper) = stopped_after(&problem, &with(Some(&path)), never);
    assert_eq!(resumed.report.status, Status::Converged);
    // Every level was done once: a run that begins its cuts anew would need the first rounds again.
    assert!(stopper.seen[0].iteration > steps && stopper.seen[0].lower_bound >= bound * (1.0 - 1e-9));
    assert!(done + stopper.seen.len() < all.seen.len() + levels.seen.len());
    let difference = (resumed.report.lower_bound.value() - tight).abs();
    assert!(difference <= 1e-3 * tight, "{difference} of {tight}");
    assert!(resumed.report.cuts > 0);
    // Forged cuts are refused.
    let refused = |array: &str, change: Change<'_>| {
        fs::write(&path, forge(&honest, array, change)).unwrap();
        let message = run(&problem, &with(Some(&path))).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("damaged checkpoint"), "{array}: {message}");
    };
    refused("cut_target", &|data| data[0] = 99);
    refused("cut_index", &|data| data[0] = 99);
    refused("cut_index", &|data| data.reverse());
    refused("cut_indptr", &|data| data[8] = 77);
    refused("cut_coef", &numbers(|_, _| f64::NAN));
    refused("cut_coef", &numbers(|index, value| if index == 0 { 1.01 * value } else { value }));
    refused("levels", &numbers(|at, value| if at == 2 { 0.5 } else { value }));
    refused("levels", &numbers(|at, value| if at == 3 { -1.0 } else { value }));
}

#[test]
fn a_damaged_file_is_an_error_wherever_the_damage_is() {
    let (problem, folder) = (problem(24, 8), tempfile::tempdir().unwrap());
    let path = file(&folder);
    let with = settings(2, Some(&path));
    let bound = run(&problem, &with).unwrap().report.lower_bound.value();
    let honest = fs::read(&path).unwrap();
    let mut refused = 0;
    for cut in (0..honest.len()).step_by(honest.len() / 20) {
        fs::write(&path, &honest[..cut]).unwrap();
        assert!(run(&problem, &with).is_err(), "cut at {cut}");
    }
    for place in (0..honest.len()).step_by(honest.len() / 60) {
        let mut damaged = honest.clone();
        damaged[place] ^= 0x55;
        fs::write(&path, &damaged).unwrap();
        match run(&problem, &with) {
            // A date or an attribute of the archive says nothing about the run.
            Ok(found) => assert_eq!(found.report.lower_bound.value().to_bits(), bound.to_bits(), "{place}"),
            Err(error) => {
                assert_eq!(error.to_string().lines().count(), 1, "{place}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 30, "{refused}");
}

#[test]
#[cfg(unix)]
fn a_run_goes_on_when_its_checkpoint_cannot_be_written_any_more_and_says_so() {
    let (problem, folder) = (problem(40, 9), tempfile::tempdir().unwrap());
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let with = settings(2, Some(&inner.join("run.npz")));
    /// Takes the folder away after the first report.
    struct Vandal(PathBuf, Vec<String>);
    impl Observer for Vandal {
        fn progress(&mut self, _: &Progress) {
            let _ = fs::remove_dir_all(&self.0);
        }
        fn warning(&mut self, message: &str) {
            self.1.push(message.into());
        }
    }
    let mut vandal = Vandal(inner, Vec::new());
    let certified = certify(&problem, &with, &Control::new(), &mut vandal).unwrap();
    assert_eq!(bits(&certified), bits(&run(&problem, &settings(2, None)).unwrap()));
    assert!(vandal.1.iter().any(|message| message.contains("could not be written")), "{:?}", vandal.1);
}
