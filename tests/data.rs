//! Reading, encoding, standardising and generating data.

use approx::assert_abs_diff_eq;
use faer::Mat;
use relucert::data::{
    CsvOptions, Dataset, SpiralSettings, Task, TeacherSettings, load, parse_csv, spiral, teacher, write_csv,
};

fn options(targets: &[&str], task: Task) -> CsvOptions {
    CsvOptions { targets: targets.iter().map(ToString::to_string).collect(), task }
}

fn read(text: &str, targets: &[&str], task: Task) -> Dataset {
    parse_csv(text.as_bytes(), "data.csv", &options(targets, task)).expect("readable")
}

fn refusal(text: &str, targets: &[&str], task: Task) -> String {
    parse_csv(text.as_bytes(), "data.csv", &options(targets, task)).expect_err("unreadable").to_string()
}

fn rows(matrix: faer::MatRef<'_, f64>) -> Vec<Vec<f64>> {
    matrix.row_iter().map(|row| row.iter().copied().collect()).collect()
}

#[test]
fn the_last_column_is_the_target_and_text_is_encoded_in_sorted_order() {
    let data = read("a,b,kind\n1,2,pear\n3,4,apple\n5,6,fig\n7,8,apple\n", &[], Task::Auto);
    assert!(data.is_classification());
    assert_eq!(data.feature_names(), ["a", "b"]);
    assert_eq!(data.target_names(), ["apple", "fig", "pear"]);
    assert_eq!(rows(data.features()), [[1., 2.], [3., 4.], [5., 6.], [7., 8.]]);
    assert_eq!(rows(data.targets()), [[0., 0., 1.], [1., 0., 0.], [0., 1., 0.], [1., 0., 0.]]);
}

#[test]
fn whole_numbers_are_classes_in_numeric_order() {
    let data = read("a,y\n1,10\n2,9\n3,-1\n4,9.0\n", &[], Task::Auto);
    assert_eq!(data.target_names(), ["-1", "9", "10"]);
    assert_eq!(rows(data.targets()), [[0., 0., 1.], [0., 1., 0.], [1., 0., 0.], [0., 1., 0.]]);
}

#[test]
fn the_task_overrides_what_the_target_looks_like() {
    let whole = read("a,y\n1,10\n2,9\n", &[], Task::Regression);
    assert!(!whole.is_classification());
    assert_eq!(rows(whole.targets()), [[10.], [9.]]);
    let real = "a,y\n1,0.5\n2,-2.5\n3,0.5\n";
    assert_eq!(rows(read(real, &[], Task::Auto).targets()), [[0.5], [-2.5], [0.5]]);
    let classes = read(real, &[], Task::Classification);
    assert_eq!(classes.target_names(), ["-2.5", "0.5"]);
    assert_eq!(rows(classes.targets()), [[0., 1.], [1., 0.], [0., 1.]]);
    let mixed = read("a,y\n1,3\n2,3a\n", &[], Task::Classification);
    assert_eq!(mixed.target_names(), ["3", "3a"]);
}

#[test]
fn targets_are_found_by_name_wherever_they_stand() {
    let data = read("y2,a,y1,b\n1,2,3,4\n5,6,7,8\n", &["y1", "y2"], Task::Auto);
    assert!(!data.is_classification());
    assert_eq!(data.target_names(), ["y1", "y2"]);
    assert_eq!(rows(data.targets()), [[3., 1.], [7., 5.]]);
    assert_eq!(rows(data.features()), [[2., 4.], [6., 8.]]);
}

#[test]
fn spaces_quotes_blank_lines_and_a_byte_order_mark_do_no_harm() {
    let data = read("\u{feff}a , b, y\r\n 1,\"2\" , u\r\n\r\n3,4e0,\"v, w\"\r\n", &[], Task::Auto);
    assert_eq!(data.feature_names(), ["a", "b"]);
    assert_eq!(rows(data.features()), [[1., 2.], [3., 4.]]);
    assert_eq!(data.target_names(), ["u", "v, w"]);
    let numbered = read("0,1,2\n5,6,0.5\n7,8,0.25\n", &[], Task::Auto);
    assert_eq!(numbered.samples(), 2);
}

#[test]
fn refusals_name_the_line_and_the_column() {
    let cases: &[(&str, &[&str], Task, &[&str])] = &[
        ("", &[], Task::Auto, &["data.csv", "empty"]),
        ("\n\n", &[], Task::Auto, &["empty"]),
        ("a,b\n", &[], Task::Auto, &["no rows"]),
        ("a,b\n1,2\n", &[], Task::Auto, &["one sample"]),
        ("1,2\n3,4\n5,6\n", &[], Task::Auto, &["data.csv:1:", "header"]),
        ("a;b\n1;2\n3;4\n", &[], Task::Auto, &["data.csv:1:", "comma"]),
        ("a,b\n1,2\n3,4\n", &["c"], Task::Auto, &["'c'", "a, b"]),
        ("a,b,b\n1,2,3\n3,4,5\n", &["b"], Task::Auto, &["'b'", "two columns"]),
        ("a,b\n1,2\n3,4\n", &["b", "b"], Task::Auto, &["'b'", "twice"]),
        ("a,b\n1,2\n3,4\n", &["a", "b"], Task::Auto, &["feature"]),
        ("a,b,c\n1,2,3\n3,4,5\n", &["b", "c"], Task::Classification, &["one target column"]),
        ("a,b\n1,2\n3\n", &[], Task::Auto, &["data.csv:3:", "1 fields", "has 2"]),
        ("a,b\n1,2\n3,4,5\n", &[], Task::Auto, &["data.csv:3:", "3 fields"]),
        ("a,b\n1,2\nx,4\n", &[], Task::Auto, &["data.csv:3:", "'a'", "'x'", "not a number"]),
        ("a,b\n1,2\n,4\n", &[], Task::Auto, &["data.csv:3:", "'a'", "empty"]),
        ("a,b\nNaN,2\n3,4\n", &[], Task::Auto, &["data.csv:2:", "'a'", "not finite"]),
        ("a,b\n1,2\n-inf,4\n", &[], Task::Auto, &["data.csv:3:", "'a'", "not finite"]),
        ("a,b\n1,2\n1e999,4\n", &[], Task::Auto, &["data.csv:3:", "not finite"]),
        ("a,b\n1,2\n3,nan\n", &[], Task::Auto, &["data.csv:3:", "'b'", "'nan'"]),
        ("a,b\n1,2.5\n3,inf\n", &[], Task::Regression, &["data.csv:3:", "'b'", "not finite"]),
        ("a,b\n1,u\n3,\n", &[], Task::Auto, &["data.csv:3:", "'b'", "empty"]),
        ("a,b\n1,u\n3,4\n", &[], Task::Regression, &["data.csv:2:", "'b'", "'u'"]),
        ("a,b\n1,2\n3,NA\n5,6\n", &[], Task::Auto, &["data.csv:3:", "'b'", "'NA'"]),
        ("a,b,c\n1,2,3\n3,4,inf\n", &["b", "c"], Task::Auto, &["data.csv:3:", "'c'", "not finite"]),
    ];
    for (text, targets, task, parts) in cases {
        let message = refusal(text, targets, *task);
        assert!(!message.contains('\n'), "{text:?}: {message}");
        for part in *parts {
            assert!(message.contains(part), "{text:?}: {message:?} lacks {part:?}");
        }
    }
}

#[test]
fn lines_are_counted_over_blank_ones() {
    let message = refusal("a,b\n1,2\n\n\nx,4\n", &[], Task::Auto);
    assert!(message.contains("data.csv:5:"), "{message}");
    let message = refusal("a,b\r\n1,2\r\n\r\nx,4\r\n", &[], Task::Auto);
    assert!(message.contains("data.csv:4:"), "{message}");
    let message = refusal("\u{feff}a,b\n1,2\nx,4\n", &[], Task::Auto);
    assert!(message.contains("data.csv:3:"), "{message}");
    let message = refusal("a,\"b\nc\"\n1,2\nx,4", &[], Task::Auto);
    assert!(message.contains("data.csv:4:"), "{message}");
    let message = refusal("a,b\r1,2\rx,4\r", &[], Task::Auto);
    assert!(message.contains("data.csv:3:"), "{message}");
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let error = parse_csv(&b"a,b\n1,2\n\xff,3\n"[..], "data.csv", &CsvOptions::default()).expect_err("bytes");
    assert!(error.to_string().contains("UTF-8"), "{error}");
}

#[test]
fn standardising_uses_the_population_deviation_and_spares_the_bias() {
    let text = "a,b,c,y\n1,0.1,1e200,0.5\n2,0.1,-1e200,1.5\n3,0.1,1e200,2.5\n6,0.1,-1e200,3.5\n";
    let plain = read(text, &[], Task::Auto);
    // mean 3, population variance 14/4
    let a = [-2.0, -1.0, 0.0, 3.0].map(|value: f64| value / 3.5_f64.sqrt());
    for data in [plain.clone().standardized().with_bias(), plain.clone().with_bias().standardized()] {
        assert_eq!(data.feature_names(), ["a", "b", "c", "bias"]);
        let x = data.features();
        for row in 0..4 {
            assert_abs_diff_eq!(x[(row, 0)], a[row], epsilon = 1e-15);
            assert_eq!(x[(row, 1)], 0.0, "a constant feature becomes zero");
            assert_abs_diff_eq!(x[(row, 2)], [1.0, -1.0][row % 2], epsilon = 1e-15);
            assert_eq!(x[(row, 3)], 1.0);
        }
        assert_eq!(rows(data.targets()), [[0.5], [1.5], [2.5], [3.5]]);
    }
    assert_eq!(plain.with_bias().with_bias().features().ncols(), 4);
}

#[test]
fn a_column_as_narrow_as_rounding_is_centred_and_scaled() {
    let narrow = format!("a,y\n{},0.5\n{},1.5\n{},2.5\n", 1.0, 1.0 + f64::EPSILON, 1.0);
    let data = read(&narrow, &[], Task::Auto).standardized();
    for (row, value) in [-1.0, 2.0, -1.0].into_iter().enumerate() {
        assert_abs_diff_eq!(data.features()[(row, 0)], value / 2.0_f64.sqrt(), epsilon = 1e-12);
    }
}

#[test]
fn a_problem_needs_samples_and_a_feature_that_is_not_zero() {
    let zero = read("a,b,y\n0,0,1.5\n0,-0,2.5\n", &[], Task::Auto);
    assert!(zero.problem(1.0).expect_err("all zero").to_string().contains("zero"));
    let constant = read("a,y\n3,1.5\n3,2.5\n", &[], Task::Auto);
    assert!(constant.problem(1.0).is_ok());
    assert!(constant.clone().standardized().problem(1.0).is_err());
    assert!(constant.standardized().with_bias().problem(1.0).is_ok());
    let single = Dataset::regression(Mat::ones(1, 1), Mat::ones(1, 1), vec!["a".into()], vec!["y".into()]);
    assert!(single.expect("consistent").problem(1.0).is_err());
}

#[test]
fn names_and_rows_must_fit_the_arrays() {
    let names = |count: usize| vec![String::new(); count];
    assert!(Dataset::regression(Mat::ones(3, 2), Mat::ones(3, 1), names(1), names(1)).is_err());
    assert!(Dataset::regression(Mat::ones(3, 2), Mat::ones(3, 1), names(2), names(2)).is_err());
    assert!(Dataset::regression(Mat::ones(3, 2), Mat::ones(2, 1), names(2), names(1)).is_err());
    assert!(Dataset::classification(Mat::ones(2, 1), &[0, 2], names(1), names(2)).is_err());
}

#[test]
fn iris_is_built_in() {
    let data = load("iris", &CsvOptions::default()).expect("built in");
    assert_eq!(data.target_names(), ["setosa", "versicolor", "virginica"]);
    assert_eq!((data.samples(), data.features().ncols()), (150, 4));
    for class in 0..3 {
        assert_eq!(data.targets().col(class).sum(), 50.0);
    }
    // Column means as published with the data (UCI, iris.names).
    for (column, mean) in [5.84, 3.05, 3.76, 1.20].into_iter().enumerate() {
        assert_abs_diff_eq!(data.features().col(column).sum() / 150.0, mean, epsilon = 0.0075);
    }
    // Fisher's own values, where another copy in circulation differs.
    assert_eq!(rows(data.features())[34], [4.9, 3.1, 1.5, 0.2]);
    assert_eq!(rows(data.features())[37], [4.9, 3.6, 1.4, 0.1]);
}

#[test]
fn a_missing_file_and_an_unread_format_are_refused() {
    let message = |name| load(name, &CsvOptions::default()).expect_err("nothing there").to_string();
    assert!(message("no-such-file.csv").contains("no such file"));
    assert!(message("data.svm").contains("svmlight"));
}

#[test]
fn what_is_written_is_read_back_bit_for_bit() {
    let made = teacher(&TeacherSettings { samples: 17, ..Default::default() }).expect("valid");
    let mut file = Vec::new();
    write_csv(&made, &mut file).expect("in memory");
    let read = parse_csv(&file, "teacher", &options(&["y1", "y2", "y3"], Task::Auto)).expect("readable");
    let read = read.with_bias();
    assert_eq!(rows(read.features()), rows(made.features()));
    assert_eq!(rows(read.targets()), rows(made.targets()));

    let made =
        spiral(&SpiralSettings { classes: 11, samples_per_class: 2, ..Default::default() }).expect("valid");
    let mut file = Vec::new();
    write_csv(&made, &mut file).expect("in memory");
    let read = parse_csv(&file, "spiral", &CsvOptions::default()).expect("readable");
    assert_eq!(rows(read.features()), rows(made.features()));
    assert_eq!(rows(read.targets()), rows(made.targets()));
    assert_eq!(read.target_names(), made.target_names());
}

#[test]
fn a_teacher_is_reproducible_and_its_samples_do_not_depend_on_their_number() {
    let make = |samples, seed| {
        teacher(&TeacherSettings { samples, seed, features: 4, ..Default::default() }).expect("valid")
    };
    let (small, large) = (make(30, 7), make(50, 7));
    assert!(small.has_bias());
    assert_eq!(small.features().shape(), (30, 5));
    assert_eq!(rows(small.features()), rows(large.features())[..30]);
    for (a, b) in rows(small.targets()).iter().flatten().zip(rows(large.targets()).iter().flatten()) {
        assert_abs_diff_eq!(a, b, epsilon = 1e-13);
    }
    assert_ne!(rows(small.features()), rows(make(30, 8).features()));
}

#[test]
fn a_teacher_draws_standard_normal_features_and_the_noise_asked_for() {
    let settings = TeacherSettings { samples: 20_000, features: 2, noise: 0.0, ..Default::default() };
    let clean = teacher(&settings).expect("valid");
    let noisy = teacher(&TeacherSettings { noise: 0.5, ..settings }).expect("valid");
    let mean_square = |matrix: &Mat<f64>| matrix.squared_norm_l2() / (matrix.nrows() * matrix.ncols()) as f64;
    assert_abs_diff_eq!(mean_square(&clean.features().subcols(0, 2).to_owned()), 1.0, epsilon = 0.03);
    assert_abs_diff_eq!(clean.features().col(0).sum() / 2e4, 0.0, epsilon = 0.03);
    assert_abs_diff_eq!(mean_square(&(noisy.targets() - clean.targets())), 0.25, epsilon = 0.01);
    // Positively homogeneous without noise: the teacher has no bias of its own.
    assert!(mean_square(&clean.targets().to_owned()) > 0.1);
}

#[test]
fn a_spiral_has_one_arm_a_class() {
    let settings = SpiralSettings { samples_per_class: 20, classes: 4, noise: 0.0, seed: 0 };
    let data = spiral(&settings).expect("valid");
    assert_eq!((data.samples(), data.targets().ncols()), (80, 4));
    for row in 0..80 {
        let (x, y) = (data.features()[(row, 0)], data.features()[(row, 1)]);
        assert_abs_diff_eq!(x.hypot(y), (row % 20) as f64 / 19.0, epsilon = 1e-12);
        assert_eq!(data.targets()[(row, row / 20)], 1.0);
    }
    // The arms are quarter turns of one another.
    let (first, second) = (19, 39);
    assert_abs_diff_eq!(data.features()[(second, 0)], data.features()[(first, 1)], epsilon = 1e-12);
}

#[test]
fn generators_refuse_empty_sets_and_bad_noise() {
    assert!(teacher(&TeacherSettings { samples: 0, ..Default::default() }).is_err());
    assert!(teacher(&TeacherSettings { noise: f64::NAN, ..Default::default() }).is_err());
    assert!(spiral(&SpiralSettings { classes: 0, ..Default::default() }).is_err());
    assert!(spiral(&SpiralSettings { noise: -1.0, ..Default::default() }).is_err());
}

#[test]
fn the_published_files_read_as_they_are_described() {
    let folder = std::env::var_os("RELUCERT_TEST_DATA").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        std::path::PathBuf::from,
    );
    if !folder.join("spiral.csv").exists() {
        eprintln!("skipped: no published data in {}", folder.display());
        return;
    }
    let read = |file: &str, targets: &[&str]| {
        let path = folder.join(file).display().to_string();
        load(&path, &options(targets, Task::Auto)).expect("readable")
    };
    let random = read("random_00.csv", &["y1", "y2", "y3", "y4", "y5"]);
    assert_eq!((random.features().shape(), random.targets().shape()), ((25, 2), (25, 5)));
    assert!(!random.is_classification());
    let spiral = read("spiral.csv", &[]);
    assert_eq!(
        (spiral.features().shape(), spiral.target_names()),
        ((60, 2), &["0", "1", "2"].map(String::from)[..])
    );
    let iris = read("iris_train.csv", &[]);
    assert_eq!((iris.features().shape(), iris.targets().ncols()), ((75, 4), 3));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[ab1.,;\"\r\n\\- e\u{feff}é]{0,60}", target in "[ab1]{0,1}", task in 0..3_usize) {
        let task = [Task::Auto, Task::Regression, Task::Classification][task];
        let targets = if target.is_empty() { Vec::new() } else { vec![target.as_str()] };
        if let Ok(data) = parse_csv(text.as_bytes(), "data.csv", &options(&targets, task)) {
            // What is accepted is whole: finite, at least two samples, one-hot rows in a classification.
            assert!(data.samples() >= 2 && data.features().ncols() >= 1);
            assert!(data.features().is_all_finite() && data.targets().is_all_finite());
            if data.is_classification() {
                assert!(data.targets().row_iter().all(|row| row.sum() == 1.0));
            }
            assert!(data.standardized().features().is_all_finite());
        }
    }

    #[test]
    fn every_finite_column_is_standardised(column in proptest::collection::vec(proptest::num::f64::NORMAL, 2..20)) {
        let (rows, y) = (column.len(), vec!["y".to_string()]);
        let x = Mat::from_fn(rows, 1, |row, _| column[row]);
        let data = Dataset::regression(x, Mat::ones(rows, 1), vec!["a".into()], y).expect("consistent");
        let z = data.standardized();
        let (mean, square) = (z.features().sum() / rows as f64, z.features().squared_norm_l2() / rows as f64);
        let constant = column.iter().all(|&value| value == column[0]);
        assert_abs_diff_eq!(mean, 0.0, epsilon = 1e-12);
        assert_abs_diff_eq!(square, if constant { 0.0 } else { 1.0 }, epsilon = 1e-12);
    }
}
