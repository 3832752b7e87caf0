//! Settings out of range are refused before anything is spent, wherever they stand.

use relucert::certificate::ProofSettings;
use relucert::compare::{CompareSettings, ComparedMethod, compare};
use relucert::data::{TeacherSettings, teacher};
use relucert::low_rank::SolverSettings;
use relucert::training::TrainingSettings;
use relucert::{
    Blocks, CertifySettings, Control, Cuts, Division, Error, Network, Prices, Result, Silent, certify,
};
use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::{Duration, Instant};

fn wrong() -> Vec<(&'static str, CertifySettings)> {
    let solver = |solver| CertifySettings { solver, ..CertifySettings::default() };
    let training = |training| CertifySettings { training, ..CertifySettings::default() };
    let proof = |proof| CertifySettings { proof, ..CertifySettings::default() };
    let (s, t, p) = (SolverSettings::default(), TrainingSettings::default(), ProofSettings::default());
    vec![
        ("tolerance", CertifySettings { tolerance: f64::NAN, ..CertifySettings::default() }),
        ("blocks", CertifySettings { blocks: Blocks::Count(0), ..CertifySettings::default() }),
        ("memory_limit", CertifySettings { memory_limit: Some(0), ..CertifySettings::default() }),
        ("penalty_growth", solver(SolverSettings { penalty_growth: 1.0, ..s.clone() })),
        ("newton_limit", solver(SolverSettings { newton_limit: 0, ..s.clone() })),
        ("initial_smoothing", solver(SolverSettings { initial_smoothing: -1.0, ..s })),
        ("starts", training(TrainingSettings { starts: 0, ..t.clone() })),
        ("iterations", training(TrainingSettings { iterations: 0, ..t })),
        ("failure probability", proof(ProofSettings { failure_probability: 0.0, ..p.clone() })),
        ("failure probability", proof(ProofSettings { failure_probability: f64::NAN, ..p.clone() })),
        ("max_steps", proof(ProofSettings { max_steps: 0, ..p })),
    ]
}

#[test]
fn one_wrong_setting_anywhere_costs_nothing() {
    // Training alone takes longer than all refusals together may.
    let settings = TeacherSettings { samples: 4000, features: 30, outputs: 3, ..TeacherSettings::default() };
    let data = teacher(&settings).unwrap();
    let problem = data.problem(10.0).unwrap();
    let network = Network::empty(30, 3);
    let started = Instant::now();
    for (name, settings) in wrong() {
        let is_named = |outcome: Result<()>| match outcome {
            Err(Error::Parameter { name: found, .. }) => found == name,
            _ => false,
        };
        assert!(is_named(settings.validate()), "{name}");
        assert!(is_named(certify(&problem, &settings, &Control::new(), &mut Silent).map(|_| ())), "{name}");
        assert!(is_named(Division::new(&problem, &network, &settings).map(|_| ())), "{name}");
        let all = CompareSettings {
            certify: settings,
            methods: vec![ComparedMethod::Train],
            ..CompareSettings::default()
        };
        let compared = compare(&data, None, 10.0, &all, &Control::new(), &mut |_| ());
        assert!(is_named(compared.map(|_| ())), "{name}");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let both = CertifySettings { prices: Prices::Auto, cuts: Cuts::Auto, ..CertifySettings::default() };
    assert!(matches!(both.validate(), Err(Error::Input(_))));
    assert!(CertifySettings::default().validate().is_ok());
}

/// What is shown reads back as the same value, and whatever else is said is refused by the setting's name.
#[test]
fn settings_read_back_from_what_they_show() {
    fn check<T>(name: &str, values: &[T], shown: &[&str], refused: &[&str])
    where
        T: Copy + Debug + Display + FromStr<Err = Error> + PartialEq,
    {
        for (value, text) in values.iter().zip(shown) {
            assert_eq!(value.to_string(), *text);
            assert_eq!(text.parse::<T>().unwrap(), *value);
        }
        for text in refused {
            let error = text.parse::<T>().unwrap_err();
            assert!(
                matches!(&error, Error::Parameter { name: named, value, .. } if *named == name && value == text)
            );
        }
    }
    let refused = ["", "Auto", "-1", "1.5", " 2", "many"];
    check("blocks", &[Blocks::Auto, Blocks::Count(7)], &["auto", "7"], &refused);
    check("blocks", &[Blocks::Count(1)], &["1"], &["0", "none"]);
    check("prices", &[Prices::None, Prices::Auto, Prices::Rounds(3)], &["none", "auto", "3"], &refused);
    check("cuts", &[Cuts::None, Cuts::Auto, Cuts::Count(40)], &["none", "auto", "40"], &refused);
}
