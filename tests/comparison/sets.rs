//! Training and test sets.

use relucert::Features;
use relucert::data::{CsvOptions, Dataset, load, parse_csv};

fn read(text: &str) -> Dataset {
    parse_csv(text.as_bytes(), "data", &CsvOptions::default()).unwrap()
}

fn column(data: &Dataset, j: usize) -> Vec<f64> {
    match data.features() {
        Features::Dense(features) => features.col(j).iter().copied().collect(),
        _ => panic!("not dense"),
    }
}

#[test]
fn a_split_keeps_every_sample_once() {
    let iris = load("iris", &CsvOptions::default()).unwrap();
    let (training, test) = iris.split(0.2, 5).unwrap();
    assert_eq!((training.samples(), test.samples()), (120, 30));
    assert_eq!(test.target_names(), iris.target_names());
    let mut both: Vec<String> = [&training, &test]
        .iter()
        .flat_map(|data| {
            let (a, b) = (column(data, 0), column(data, 3));
            (0..data.samples()).map(move |i| format!("{:?}", (a[i], b[i], data.targets().row(i).to_owned())))
        })
        .collect();
    let (a, b) = (column(&iris, 0), column(&iris, 3));
    let mut all: Vec<String> =
        (0..150).map(|i| format!("{:?}", (a[i], b[i], iris.targets().row(i).to_owned()))).collect();
    both.sort();
    all.sort();
    assert_eq!(both, all);
    assert_eq!(column(&iris.split(0.2, 5).unwrap().1, 0), column(&test, 0));
    assert_ne!(column(&iris.split(0.2, 6).unwrap().1, 0), column(&test, 0));
    for share in [0.0, 1.0, f64::NAN] {
        assert!(iris.split(share, 0).is_err());
    }
    assert!(read("a,y\n1,0.5\n2,0.7\n").split(0.5, 0).is_err());
}

#[test]
fn a_test_set_is_scaled_as_its_training_set_was() {
    let training = read("a,b,y\n1,5,0.5\n3,5,0.1\n5,5,0.9\n");
    let test = read("a,b,y\n3,6,0.3\n7,5,0.2\n").standardized_like(&training).unwrap().with_bias();
    // mean 3 and variance 8/3; a column that is constant in training says nothing
    let deviation = (8.0_f64 / 3.0).sqrt();
    let expected = [0.0, 4.0 / deviation];
    for (found, expected) in column(&test, 0).iter().zip(expected) {
        assert!((found - expected).abs() < 1e-14);
    }
    assert_eq!(column(&test, 1), [0.0, 0.0]);
    assert_eq!(column(&test, 2), [1.0, 1.0]);
    assert_eq!(
        column(&training.clone().standardized_like(&training).unwrap(), 0),
        column(&training.clone().standardized(), 0)
    );
    assert!(read("a,y\n3,0.3\n4,0.2\n").standardized_like(&training).is_err());
}

#[test]
fn classes_are_matched_by_name() {
    let training = read("a,y\n1,red\n2,green\n3,blue\n");
    assert_eq!(training.target_names(), ["blue", "green", "red"]);
    let test = read("a,y\n4,red\n5,blue\n6,red\n").aligned_with(&training).unwrap();
    assert_eq!(test.target_names(), training.target_names());
    let classes: Vec<[f64; 3]> = (0..3).map(|i| [0, 1, 2].map(|j| test.targets()[(i, j)])).collect();
    assert_eq!(classes, [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
    let refused = |text: &str, part: &str| {
        let error = read(text).aligned_with(&training).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused("a,y\n4,red\n5,pink\n", "'pink'");
    refused("a,y\n4,0.5\n5,0.7\n", "target");
    refused("a,b,y\n4,1,red\n5,2,blue\n", "features");
}
