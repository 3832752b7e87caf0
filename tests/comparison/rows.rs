//! The rows of a comparison.

use crate::common::gaussian;
use faer::{Mat, mat};
use relucert::baselines::descent::DescentSettings;
use relucert::certificate::Grade;
use relucert::compare::{
    CompareSettings, ComparedMethod, Outcome, Score, compare, published_accuracy, score,
};
use relucert::data::{CsvOptions, Dataset, load};
use relucert::{CertifySettings, Control};
use std::time::Duration;

fn settings(methods: &[ComparedMethod]) -> CompareSettings {
    CompareSettings {
        methods: methods.to_vec(),
        descent: DescentSettings { width: 40, epochs: 300, ..DescentSettings::default() },
        ..CompareSettings::default()
    }
}

fn proves(method: ComparedMethod) -> bool {
    matches!(method, ComparedMethod::Branch | ComparedMethod::BurerMonteiro | ComparedMethod::Certify)
}

#[test]
fn every_method_has_a_row_and_only_proofs_are_bounds() {
    let iris = load("iris", &CsvOptions::default()).unwrap();
    let (training, test) = iris.split(0.3, 1).unwrap();
    let test = test.standardized_like(&training).unwrap().with_bias();
    let training = training.standardized().with_bias();
    let mut told = Vec::new();
    let found =
        compare(&training, Some(&test), 5.0, &settings(&ComparedMethod::ALL), &Control::new(), &mut |row| {
            told.push(row.method);
        })
        .unwrap();
    assert_eq!(told, ComparedMethod::ALL);
    assert_eq!((found.samples, found.test_samples, found.score), (105, 45, Score::Accuracy));
    let bound = found.lower_bound().expect("certify proves one");
    assert!(bound > 0.9 * found.objective().unwrap().value());
    for row in &found.rows {
        assert!(row.published_protocol_accuracy.is_none(), "{}: only when asked for", row.method);
        match &row.bound {
            Some(bound) => {
                assert!(proves(row.method), "{}", row.method);
                assert_ne!(bound.grade, Grade::None);
            }
            None => assert!(!proves(row.method), "{}", row.method),
        }
        if let Some(objective) = row.objective {
            assert!(bound <= objective, "{}: {objective} below the proved bound {bound}", row.method);
        }
        if row.status == Outcome::NotApplicable {
            continue;
        }
        for (value, least) in [(row.train_score, 0.7), (row.test_score, 0.5)] {
            let value = value.unwrap_or_else(|| panic!("{}: {:?}", row.method, row.note));
            assert!((least..=1.0).contains(&value), "{}: {value}", row.method);
        }
    }
    let ran = |method| found.rows.iter().any(|row| row.method == method && row.status == Outcome::Done);
    for method in [
        ComparedMethod::Train,
        ComparedMethod::Certify,
        ComparedMethod::Polish,
        ComparedMethod::Splitting,
        ComparedMethod::Adam,
        ComparedMethod::Ntk,
    ] {
        assert!(ran(method), "{method}");
    }
}

#[test]
fn the_published_protocol_has_figures_of_its_own() {
    let iris = load("iris", &CsvOptions::default()).unwrap().standardized().with_bias();
    let (training, test) = iris.split(0.5, 2).unwrap();
    let methods = [ComparedMethod::Splitting, ComparedMethod::Nngp];
    let run = |published_protocol| {
        let settings = CompareSettings { published_protocol, ..settings(&methods) };
        compare(&training, Some(&test), 5.0, &settings, &Control::new(), &mut |_| {}).unwrap()
    };
    let (honest, published) = (run(false), run(true));
    for (a, b) in honest.rows.iter().zip(&published.rows) {
        assert_eq!(a.test_score, b.test_score, "looking at the labels must not change what is honest");
        assert!(a.published_protocol_accuracy.is_none() && b.published_protocol_accuracy.is_some());
    }
    // the best of all iterates is no worse than the one chosen on the training data
    let splitting = &published.rows[0];
    assert!(splitting.published_protocol_accuracy.unwrap() > 0.5);
}

#[test]
fn a_method_that_does_not_apply_says_so_and_the_others_run() {
    let (x, noise) = (gaussian(1, 5_001, 2), gaussian(2, 5_001, 1));
    let y = Mat::from_fn(5_001, 1, |i, _| x[(i, 0)].max(0.0) + 0.1 * noise[(i, 0)]);
    let data = Dataset::regression(x, y, vec!["a".into(), "b".into()], vec!["y".into()]).unwrap();
    let settings = CompareSettings {
        descent: DescentSettings { width: 5, epochs: 5, ..DescentSettings::default() },
        certify: CertifySettings { memory_limit: Some(1), ..CertifySettings::default() },
        ..settings(&[
            ComparedMethod::Nngp,
            ComparedMethod::Certify,
            ComparedMethod::Sgd,
            ComparedMethod::Gated,
            ComparedMethod::Sgd,
        ])
    };
    let found = compare(&data, None, 50.0, &settings, &Control::new(), &mut |_| {}).unwrap();
    let [nngp, certify, sgd, gated] = &found.rows[..] else { panic!("one row a method") };
    for (row, part) in [(nngp, "5001 samples"), (certify, "memory")] {
        assert_eq!(row.status, Outcome::NotApplicable);
        assert!(row.note.as_deref().unwrap().contains(part), "{:?}", row.note);
        assert!(row.objective.is_none() && row.bound.is_none() && row.train_score.is_none());
    }
    for row in [sgd, gated] {
        assert_eq!(row.status, Outcome::Done, "{:?}", row.note);
        // the noise is a tenth, the signal's deviation about 0.6
        assert!(row.train_score.unwrap() < 0.2, "{}: {:?}", row.method, row.train_score);
        assert!(row.test_score.is_none());
    }
}

#[test]
fn what_is_not_begun_is_stopped_and_what_is_done_is_kept() {
    let iris = load("iris", &CsvOptions::default()).unwrap().standardized();
    let control = Control::new();
    let settings = settings(&[ComparedMethod::Nngp, ComparedMethod::Adam, ComparedMethod::Certify]);
    let found = compare(&iris, None, 5.0, &settings, &control, &mut |row| {
        if row.method == ComparedMethod::Nngp {
            control.cancel();
        }
    })
    .unwrap();
    assert_eq!(found.rows[0].status, Outcome::Done);
    assert!(found.rows[0].train_score.unwrap() > 0.9);
    for row in &found.rows[1..] {
        assert_eq!(row.status, Outcome::Stopped);
        assert!(row.objective.is_none() && row.note.is_some());
    }
    let none = Control::new().within(Duration::ZERO);
    let found = compare(&iris, None, 5.0, &settings, &none, &mut |_| {}).unwrap();
    assert!(found.rows.iter().all(|row| row.status == Outcome::Stopped));
}

#[test]
fn scores_by_hand() {
    let targets = mat![[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
    let prediction = mat![[0.9, 0.2], [0.4, 0.6], [0.3, 0.3], [0.55, 0.4]];
    let accuracy = score(Score::Accuracy, prediction.as_ref(), targets.as_ref(), &[0.5, 0.5]);
    // a tie goes to the first class; the last sample is wrong
    assert_eq!(accuracy, Some(0.75));
    // above 0.4, not above 0.45: samples 0 and 1 right, 2 has nothing above, 3 the wrong one
    assert_eq!(published_accuracy(prediction.as_ref(), targets.as_ref()), 0.5);
    let error = score(Score::RelativeSquaredError, prediction.as_ref(), targets.as_ref(), &[0.5, 0.5]);
    let by_hand = (0.01 + 0.04 + 0.16 + 0.16 + 0.49 + 0.09 + 0.3025 + 0.36) / 2.0;
    assert!((error.unwrap() - by_hand).abs() < 1e-12);
    let constant = Mat::<f64>::zeros(3, 1);
    assert_eq!(score(Score::RelativeSquaredError, constant.as_ref(), constant.as_ref(), &[0.0]), None);
}

#[test]
fn methods_have_names() {
    for method in ComparedMethod::ALL {
        assert_eq!(method.as_str().parse::<ComparedMethod>().unwrap(), method);
    }
    assert!("sdg".parse::<ComparedMethod>().unwrap_err().to_string().contains("gated-relu"));
}
