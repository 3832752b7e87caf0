//! Settings and reports as JSON: what is left out has its default, what is written is read back.

use faer::mat;
use relucert::data::{CsvOptions, SpiralSettings, Task, TeacherSettings};
use relucert::interior_point::ReferenceSettings;
use relucert::linalg::lanczos::LanczosSettings;
use relucert::repair::RepairSettings;
use relucert::{CertifySettings, Control, Observer, Progress, Report, TrainingProblem, certify};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The same JSON after a round trip, and the default from an empty object.
fn assert_settings<T: Serialize + DeserializeOwned + Default>(changed: &str) {
    let text = |settings: &T| serde_json::to_string(settings).expect("writable");
    let empty: T = serde_json::from_str("{}").expect("all fields have defaults");
    assert_eq!(text(&empty), text(&T::default()));
    let read: T = serde_json::from_str(changed).expect("readable");
    assert_ne!(text(&read), text(&T::default()), "{changed} changes something");
    let again: T = serde_json::from_str(&text(&read)).expect("readable");
    assert_eq!(text(&again), text(&read));
}

#[test]
fn settings_round_trip() {
    assert_settings::<CertifySettings>(r#"{"tolerance": 0.01, "training": {"starts": 5}}"#);
    assert_settings::<ReferenceSettings>(r#"{"max_pairs": 7}"#);
    assert_settings::<RepairSettings>(r#"{"grace": 0}"#);
    assert_settings::<LanczosSettings>(r#"{"count": 3}"#);
    assert_settings::<TeacherSettings>(r#"{"samples": 9}"#);
    assert_settings::<SpiralSettings>(r#"{"classes": 9}"#);
    assert_settings::<CsvOptions>(r#"{"targets": ["y"], "task": "regression"}"#);
    let options: CsvOptions = serde_json::from_str(r#"{"task": "classification"}"#).expect("readable");
    assert_eq!(options.task, Task::Classification);
}

struct Last(Option<Progress>);

impl Observer for Last {
    fn progress(&mut self, progress: &Progress) {
        self.0 = Some(progress.clone());
    }
}

#[test]
fn a_report_and_its_progress_round_trip() {
    let (x, y) = (mat![[-1.0, 1.0], [0.0, 1.0], [2.0, 1.0]], mat![[1.0], [0.0], [2.0]]);
    let problem = TrainingProblem::new(x, y, 0.1).expect("legal");
    let mut last = Last(None);
    let found = certify(&problem, &CertifySettings::default(), &Control::new(), &mut last).expect("solved");
    let text = serde_json::to_string(&found.report).expect("writable");
    let again: Report = serde_json::from_str(&text).expect("readable");
    assert_eq!(again, found.report);
    let progress = last.0.expect("a level was solved");
    let text = serde_json::to_string(&progress).expect("writable");
    let again: Progress = serde_json::from_str(&text).expect("readable");
    assert_eq!((again.value, again.pairs), (progress.value, progress.pairs));
}
