//! Reading, encoding, standardising and generating data.

use approx::assert_abs_diff_eq;
use faer::Mat;
use relucert::data::{
    BUILT_IN, CsvOptions, Dataset, SpiralSettings, Task, TeacherSettings, load, parse_csv, parse_npy,
    parse_npz, parse_svmlight, spiral, teacher, write_csv,
};
use relucert::{Features, TrainingProblem};

fn options(targets: &[&str], task: Task) -> CsvOptions {
    let targets = targets.iter().map(ToString::to_string).collect();
    CsvOptions { targets, task, ..CsvOptions::default() }
}

fn read(text: &str, targets: &[&str], task: Task) -> Dataset {
    parse_csv(text.as_bytes(), "data.csv", &options(targets, task)).expect("readable")
}

fn refusal(text: &str, targets: &[&str], task: Task) -> String {
    parse_csv(text.as_bytes(), "data.csv", &options(targets, task)).expect_err("unreadable").to_string()
}

fn dense(data: &Dataset) -> faer::MatRef<'_, f64> {
    match data.features() {
        Features::Dense(matrix) => matrix.as_ref(),
        _ => panic!("not dense"),
    }
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
    assert_eq!(rows(dense(&data)), [[1., 2.], [3., 4.], [5., 6.], [7., 8.]]);
    assert_eq!(rows(data.targets()), [[0., 0., 1.], [1., 0., 0.], [0., 1., 0.], [1., 0., 0.]]);
}

#[test]
fn whole_numbers_are_classes_in_numeric_order() {
    let data = read("a,y\n1,10\n2,9\n3,-1\n4,9.0\n", &[], Task::Classification);
    assert_eq!(data.target_names(), ["-1", "9", "10"]);
    assert_eq!(rows(data.targets()), [[0., 0., 1.], [0., 1., 0.], [1., 0., 0.], [0., 1., 0.]]);
}

/// Samples whose target takes so many whole numbers in turn, from 7 on.
fn whole(classes: usize, samples: usize) -> String {
    let row = |i: usize| format!("0.{i},{}\n", 7 + i % classes);
    "a,y\n".to_owned() + &(0..samples).map(row).collect::<String>()
}

#[test]
fn whole_numbers_are_classes_only_where_they_are_few_and_common() {
    for (classes, samples) in [(1, 5), (3, 15), (20, 100), (20, 1000)] {
        let data = read(&whole(classes, samples), &[], Task::Auto);
        assert!(data.is_classification());
        assert_eq!(data.target_names().len(), classes);
    }
    for (classes, samples) in [(1, 4), (3, 14), (20, 99), (21, 105), (21, 10_000), (214, 442)] {
        let message = refusal(&whole(classes, samples), &[], Task::Auto);
        for part in ["data.csv", "'y'", "--task", &format!("{classes} different"), &samples.to_string()] {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
        assert!(!message.contains('\n'));
        let regression = read(&whole(classes, samples), &[], Task::Regression);
        assert_eq!((regression.is_classification(), regression.targets().ncols()), (false, 1));
        assert_eq!(read(&whole(classes, samples), &[], Task::Classification).targets().ncols(), classes);
    }
    // Text is a class however rare, and a number with a fraction never is.
    assert!(read("a,y\n1,u\n2,v\n", &[], Task::Auto).is_classification());
    let fraction = whole(3, 30) + "0.5,7.5\n";
    assert!(!read(&fraction, &[], Task::Auto).is_classification());
}

#[test]
fn what_was_understood_is_said() {
    let described = |text: &str, targets: &[&str]| read(text, targets, Task::Auto).description();
    assert_eq!(described("a,y\n1,0.5\n2,1.5\n", &[]), "regression, 1 output: y");
    assert_eq!(described("a,b,c\n1,2,3\n4,5,6\n", &["c", "b"]), "regression, 2 outputs: c, b");
    assert_eq!(described("a,y\n1,u\n2,v\n", &[]), "classification, 2 classes: u, v");
    let many = described(&whole(20, 100), &[]);
    assert!(
        many.starts_with("classification, 20 classes: 7, 8, ") && many.ends_with("(20 in all)"),
        "{many}"
    );
}

#[test]
fn an_index_without_a_name_is_left_out_with_a_note() {
    let index: Vec<String> = (0..12).map(|i| format!("{i},{},{},0.{i}\n", i * i, 12 + i)).collect();
    let (pandas, body) = (",a,,y\n".to_owned(), index.concat());
    let data = read(&(pandas + &body), &[], Task::Auto);
    assert_eq!((data.feature_names(), data.samples()), (&["a".to_owned()][..], 12));
    assert_eq!(data.notes().len(), 2);
    for (note, place) in data.notes().iter().zip(["column 1 ", "column 3 "]) {
        assert!(note.contains(place) && note.contains("left out") && !note.contains('\n'), "{note}");
    }
    // What pandas calls such a column when it has read one and writes it again.
    let again = read(&("Unnamed: 0,a,id,y\n".to_owned() + &body), &[], Task::Auto);
    assert_eq!(again.feature_names(), ["a", "id"], "one that has a name is a feature");
    // At the end it is no target either.
    let trailing = read("a,y,\n3,0.5,1\n4,1.5,2\n7,2.5,3\n", &[], Task::Auto);
    assert_eq!((trailing.feature_names()[0].as_str(), trailing.target_names()[0].as_str()), ("a", "y"));
    // Asked for by name it is what was asked for.
    let asked = read("a,y,\n3,0.5,1\n4,1.5,2\n7,2.5,3\n", &["column_3"], Task::Regression);
    assert_eq!((asked.feature_names().len(), rows(asked.targets())), (2, vec![vec![1.], vec![2.], vec![3.]]));
    // Without a name, and no index: a shuffled one among them. It is kept, and said to be.
    for text in [",y\n0,0.5\n2,1.5\n1,2.5\n", ",y\n0.5,0.5\n1.5,1.5\n", ",y\n3,0.5\n2,1.5\n1,2.5\n"] {
        let kept = read(text, &[], Task::Auto);
        assert_eq!(kept.feature_names(), ["column_1"], "{text}");
        assert!(
            kept.notes().len() == 1 && kept.notes()[0].contains("taken as a feature"),
            "{:?}",
            kept.notes()
        );
    }
    // In a file without a header no column has a name: none is left out, and one that counts is remarked on.
    let bare: String = (1..=12).map(|i| format!("{i},{},0.{i}\n", i * i)).collect();
    let bare = read(&bare, &[], Task::Auto);
    assert_eq!(bare.feature_names(), ["x1", "x2"]);
    assert!(bare.notes().len() == 2 && bare.notes()[1].contains("'x1' only counts"), "{:?}", bare.notes());
}

#[test]
fn columns_are_chosen_by_name() {
    let text = "id,a,b,remark,y,z\n7,1,2,good,0.5,9\n3,3,4,n/a,1.5,8\n";
    let chosen = |drop: &[&str], features: &[&str], targets: &[&str]| {
        let strings = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let options = CsvOptions {
            targets: strings(targets),
            drop: strings(drop),
            features: strings(features),
            task: Task::Regression,
        };
        parse_csv(text.as_bytes(), "data.csv", &options).map_err(|error| error.to_string())
    };
    let data = chosen(&["id", "remark", "z"], &[], &[]).expect("readable");
    assert_eq!(
        (data.feature_names(), data.target_names()),
        (&["a", "b"].map(String::from)[..], &["y".into()][..])
    );
    assert_eq!(rows(dense(&data)), [[1., 2.], [3., 4.]]);
    let data = chosen(&[], &["b", "a"], &["y"]).expect("readable");
    assert_eq!(
        (data.feature_names(), rows(dense(&data))),
        (&["b", "a"].map(String::from)[..], vec![vec![2., 1.], vec![4., 3.]])
    );
    let data = chosen(&[], &["b"], &[]).expect("readable");
    assert_eq!(data.target_names(), ["z"]);
    for (drop, features, targets, parts) in [
        (&["c"][..], &[][..], &[][..], &["'c'", "id, a, b"][..]),
        (&[], &["c"], &[], &["'c'", "id, a, b"]),
        (&["a"], &["a"], &[], &["'a'", "drop"]),
        (&["y"], &[], &["y"], &["'y'", "drop"]),
        (&[], &["a", "y"], &["y"], &["'y'", "target"]),
        (&[], &["a", "z"], &[], &["'z'", "last column"]),
        (&["a", "a"], &[], &[], &["'a'", "twice"]),
        (&["id", "a", "b", "remark", "y"], &[], &[], &["no column is left"]),
        (&[], &["remark"], &["y"], &["'remark'", "not a number"]),
    ] {
        let message = chosen(drop, features, targets).expect_err("refused");
        for part in parts {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }
    let options = CsvOptions { drop: vec!["x1".into()], ..CsvOptions::default() };
    assert!(parse_svmlight(b"0.5 1:2\n1.5 1:3\n", "d.svm", &options).is_err());
    let table = npy("<f8", false, "(2, 3)", &bytes(&[1.0, 2.0, 0.5, 3.0, 4.0, 1.5], f64::to_le_bytes));
    assert_eq!(parse_npy(&table, "d.npy", &options).expect("readable").feature_names(), ["x2"]);
    let array = npy("<f8", false, "(2, 1)", &bytes(&[0.5, 1.5], f64::to_le_bytes));
    let archive = npz(&[("X", array.clone()), ("Y", array)]);
    assert!(parse_npz(&archive, "d.npz", &options).is_err());
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
    assert_eq!(rows(dense(&data)), [[2., 4.], [6., 8.]]);
}

#[test]
fn spaces_quotes_blank_lines_and_a_byte_order_mark_do_no_harm() {
    let data = read("\u{feff}a , b, y\r\n 1,\"2\" , u\r\n\r\n3,4e0,\"v, w\"\r\n", &[], Task::Auto);
    assert_eq!(data.feature_names(), ["a", "b"]);
    assert_eq!(rows(dense(&data)), [[1., 2.], [3., 4.]]);
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
        ("1,2\n3,4\n5\n", &[], Task::Auto, &["data.csv:3:", "first row has 2"]),
        ("ab\n1\n3\n", &[], Task::Auto, &["data.csv:1:", "separated"]),
        ("# note\na,b\n1,2\n# note\nx,4\n", &[], Task::Auto, &["data.csv:5:", "'x'"]),
        ("a,b\n1,2\n\0,4\n", &[], Task::Auto, &["data.csv:3:", "binary"]),
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
fn the_separator_is_found_and_comments_are_no_rows() {
    for text in [
        "a;b;y\n1;2;0.5\n3;4;1.5\n",
        "a\tb\ty\n1\t2\t0.5\n3\t4\t1.5\n",
        "# c,d;e\na,b,y\n1,2,0.5\n#\n3,4,1.5\n",
    ] {
        let data = read(text, &[], Task::Auto);
        assert_eq!(rows(dense(&data)), [[1., 2.], [3., 4.]], "{text}");
        assert_eq!(data.feature_names(), ["a", "b"]);
        assert!(data.notes().is_empty());
    }
    let table = parse_csv(b"a,b\ty\n1\t0.5\n3\t1.5\n", "data.tsv", &CsvOptions::default()).expect("readable");
    assert_eq!(table.feature_names(), ["a,b"]);
    let quoted = read("\"a,b;c;d;e\",y\n1,0.5\n2,1.5\n", &[], Task::Auto);
    assert_eq!(quoted.feature_names(), ["a,b;c;d;e"]);
}

#[test]
fn a_missing_header_is_seen_and_noted() {
    let numbers = read("1,2,0.5\n3,4,1.5\n", &[], Task::Auto);
    assert_eq!(
        (numbers.feature_names(), numbers.target_names()),
        (&["x1", "x2"].map(String::from)[..], &["y".into()][..])
    );
    assert_eq!(rows(dense(&numbers)), [[1., 2.], [3., 4.]]);
    assert_eq!(numbers.notes().len(), 1);
    let first = read("1,2,0.5\n3,4,1.5\n", &["x1"], Task::Regression);
    assert_eq!(rows(first.targets()), [[1.], [3.]]);
    let labels = read("5,3,setosa\n6,2,virginica\n5,2,setosa\n", &[], Task::Auto);
    assert_eq!((labels.samples(), labels.notes().len()), (3, 1));
    // A label that never occurs again, and consecutive numbers, are names.
    for header in ["2019,2020,kind\n6,2,virginica\n5,2,setosa\n", "0,1,2\n6,2,virginica\n5,2,setosa\n"] {
        let named = read(header, &[], Task::Auto);
        assert_eq!((named.samples(), named.notes().len()), (2, 0), "{header}");
    }
}

fn svm(text: &str, task: Task) -> relucert::Result<Dataset> {
    parse_svmlight(text.as_bytes(), "data.svm", &options(&[], task))
}

#[test]
fn svmlight_stays_sparse_and_is_the_same_problem_as_the_dense_one() {
    let text = "# head\n+1 1:0.5 3:-2 # tail\n-1 qid:4 2:1e0\n\n+1\n";
    assert!(svm(text, Task::Auto).expect_err("three labels may be anything").to_string().contains("--task"));
    let data = svm(text, Task::Classification).expect("readable");
    assert!(data.features().is_sparse());
    assert_eq!(data.target_names(), ["-1", "1"]);
    assert_eq!(rows(data.targets()), [[0., 1.], [1., 0.], [0., 1.]]);
    let expected = [[0.5, 0., -2.], [0., 1., 0.], [0., 0., 0.]];
    assert_eq!(rows(data.features().to_dense().expect("small").as_ref().as_ref()), expected);
    let problem = data.with_bias().problem(0.5).expect("legal");
    assert!(problem.stored_features().is_sparse());
    assert_eq!(rows(problem.features()), [[0.5, 0., -2., 1.], [0., 1., 0., 1.], [0., 0., 0., 1.]]);
    assert_eq!(rows(svm(text, Task::Regression).expect("readable").targets()), [[1.], [-1.], [1.]]);
    let zero_based = svm("1.5 0:1 2:3\n2.5 1:1\n", Task::Auto).expect("readable");
    assert_eq!(zero_based.features().ncols(), 3);
}

#[test]
fn sparse_features_are_scaled_but_not_centred() {
    let data = svm("0.5 1:1 2:3 3:5\n1.5 1:-1 3:5\n2.5 3:5\n3.5 3:5\n", Task::Auto).expect("readable");
    let scaled = data.standardized();
    assert!(scaled.features().is_sparse() && scaled.notes().len() == 1);
    let x = scaled.features().to_dense().expect("small").into_owned();
    let deviation = |column: usize, x: &Mat<f64>| {
        let mean = x.col(column).sum() / 4.0;
        ((0..4).map(|row| (x[(row, column)] - mean).powi(2)).sum::<f64>() / 4.0).sqrt()
    };
    assert_abs_diff_eq!(deviation(0, &x), 1.0, epsilon = 1e-14);
    assert_abs_diff_eq!(deviation(1, &x), 1.0, epsilon = 1e-14);
    assert_eq!((x[(2, 0)], x[(1, 1)], x[(0, 2)]), (0.0, 0.0, 1.0));
}

#[test]
fn bad_svmlight_is_refused_with_its_line() {
    let cases: &[(&str, &[&str])] = &[
        ("", &["empty"]),
        ("# only\n", &["empty"]),
        ("1 1:2\n", &["one sample"]),
        ("1 1:2\n2 1\n", &["data.svm:2:", "index:value"]),
        ("1 1:2\n\n2 1:x\n", &["data.svm:3:", "'x'", "not a number"]),
        ("1 1:2\n2 1:nan\n", &["data.svm:2:", "not finite"]),
        ("1 1:2\n2 3:1 2:1\n", &["data.svm:2:", "rise"]),
        ("1 1:2\n2 2:1 2:1\n", &["data.svm:2:", "rise"]),
        ("1 1:2\n2 -1:1\n", &["data.svm:2:", "'-1'"]),
        ("1 1:2\n2 99999999999999999999:1\n", &["data.svm:2:", "index"]),
        ("1 1:2\n1:2\n", &["data.svm:2:", "label"]),
        ("1 1:2\ninf 1:2\n", &["data.svm:2:", "'inf'"]),
    ];
    for (text, parts) in cases {
        let message = svm(text, Task::Auto).expect_err("unreadable").to_string();
        for part in *parts {
            assert!(message.contains(part), "{text:?}: {message:?} lacks {part:?}");
        }
    }
}

#[test]
fn huge_sparse_features_are_legal_until_a_dense_copy_is_needed() {
    let columns = vec![1, 2, 3, 4, 5, 49_999_999];
    let x = sprs::CsMat::new((6, 50_000_000), (0..=6).collect(), columns, vec![1.0; 6]);
    let y = Mat::from_fn(6, 1, |row, _| row as f64);
    let problem = TrainingProblem::new(x, y, 1.0).expect("legal");
    let message = problem.dense_features().expect_err("too large").to_string();
    assert!(message.contains("6 samples") && message.contains("fewer"), "{message}");
    let settings = relucert::CertifySettings::default();
    let refused = relucert::certify(&problem, &settings, &relucert::Control::new(), &mut relucert::Silent);
    assert!(refused.is_err());
}

/// An .npy file of version 1.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).expect("short").to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(format!("{name}.npy"), Default::default()).expect("in memory");
        archive.write_all(bytes).expect("in memory");
    }
    archive.finish().expect("in memory").into_inner()
}

fn bytes<const N: usize, T: Copy>(values: &[T], convert: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&value| convert(value)).collect()
}

#[test]
fn numpy_arrays_of_every_type_and_order_are_read() {
    let labels = npy("<i8", false, "(3,)", &bytes(&[7_i64, 2, 7], i64::to_le_bytes));
    let cases = [
        npy("<f8", false, "(3, 2)", &bytes(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], f64::to_le_bytes)),
        npy("<f8", true, "(3, 2)", &bytes(&[1.0, 3.0, 5.0, 2.0, 4.0, 6.0], f64::to_le_bytes)),
        npy("<f4", false, "(3, 2)", &bytes(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], f32::to_le_bytes)),
        npy("<i4", true, "(3, 2)", &bytes(&[1, 3, 5, 2, 4, 6], i32::to_le_bytes)),
        npy(">i8", false, "(3, 2)", &bytes(&[1, 2, 3, 4, 5, 6], i64::to_be_bytes)),
        npy("|u1", false, "(3, 2)", &[1, 2, 3, 4, 5, 6]),
    ];
    for x in cases {
        let file = npz(&[("X", x), ("Y", labels.clone())]);
        let message =
            parse_npz(&file, "d.npz", &CsvOptions::default()).expect_err("three labels").to_string();
        assert!(message.contains("d.npz") && message.contains("--task"), "{message}");
        let data = parse_npz(&file, "d.npz", &options(&[], Task::Classification)).expect("readable");
        assert_eq!(rows(dense(&data)), [[1., 2.], [3., 4.], [5., 6.]]);
        assert_eq!(data.target_names(), ["2", "7"]);
        let data = parse_npz(&file, "d.npz", &options(&[], Task::Regression)).expect("readable");
        assert_eq!(rows(data.targets()), [[7.], [2.], [7.]]);
    }
    let table = npy("<f8", false, "(2, 3)", &bytes(&[1.0, 2.0, 0.5, 3.0, 4.0, 1.5], f64::to_le_bytes));
    let data = parse_npy(&table, "d.npy", &CsvOptions::default()).expect("readable");
    assert_eq!(
        (rows(dense(&data)), rows(data.targets())),
        (vec![vec![1., 2.], vec![3., 4.]], vec![vec![0.5], vec![1.5]])
    );
    let named = parse_npy(&table, "d.npy", &options(&["y", "x1"], Task::Auto)).expect("readable");
    assert_eq!(rows(named.targets()), [[0.5, 1.], [1.5, 3.]]);
}

#[test]
fn bad_numpy_files_are_refused() {
    let x = npy("<f8", false, "(2, 1)", &bytes(&[1.0, 2.0], f64::to_le_bytes));
    let nan = npy("<f8", false, "(2, 1)", &bytes(&[1.0, f64::NAN], f64::to_le_bytes));
    let whole = npz(&[("X", x.clone()), ("Y", x.clone())]);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "not an .npz"),
        (b"PK rubbish".to_vec(), "not an .npz"),
        (whole[..whole.len() / 2].to_vec(), "not an .npz"),
        (npz(&[("X", x.clone())]), "no readable array Y"),
        (npz(&[("X", nan), ("Y", x.clone())]), "X[1, 0] is not finite"),
        (npz(&[("X", npy("<f8", false, "(2, 1)", &[0; 8])), ("Y", x.clone())]), "X"),
        (npz(&[("X", npy("<f8", false, "(99999999999, 99999999999)", &[0; 8])), ("Y", x.clone())]), "X"),
        (
            npz(&[("X", npy("<f8", false, "(4294967296, 2)", &[0; 8])), ("Y", x.clone())]),
            "more than the file",
        ),
        (npz(&[("X", npy("<c16", false, "(1, 1)", &[0; 16])), ("Y", x.clone())]), "not a real number"),
        (npz(&[("X", npy("<f8", false, "(0, 1)", &[])), ("Y", x.clone())]), "empty"),
        (npz(&[("X", npy("<f8", false, "(1, 2, 1)", &[0; 16])), ("Y", x.clone())]), "dimensions"),
        (npz(&[("X", npy("<f8", false, "(3, 1)", &[0; 24])), ("Y", x.clone())]), "rows"),
        (npz(&[("X", b"rubbish".to_vec()), ("Y", x.clone())]), "X"),
    ];
    for (file, part) in cases {
        let message = parse_npz(&file, "d.npz", &CsvOptions::default()).expect_err("unreadable").to_string();
        assert!(message.starts_with("d.npz") && message.contains(part), "{message:?} lacks {part:?}");
        assert!(!message.contains('\n'), "{message}");
    }
    for file in [&b""[..], b"rubbish", &x[..x.len() - 1]] {
        assert!(parse_npy(file, "d.npy", &CsvOptions::default()).is_err());
    }
    let targets = parse_npz(&whole, "d.npz", &options(&["y"], Task::Auto)).expect_err("contradictory");
    assert!(targets.to_string().contains("name no target"));
}

#[test]
fn the_built_in_sets_are_whole() {
    // Sums of all features as numpy gives them for the bundled copies.
    let expected = [
        ("iris", (150, 4), vec![50.0; 3], 2078.7),
        ("wine", (178, 13), vec![59.0, 71.0, 48.0], 159975.295999),
        ("breast-cancer", (569, 30), vec![357.0, 212.0], 1056474.4596356),
        ("digits", (1797, 64), vec![178., 182., 177., 183., 181., 182., 181., 179., 174., 180.], 561718.0),
    ];
    assert_eq!(BUILT_IN.len(), expected.len());
    for (name, shape, classes, sum) in expected {
        assert!(BUILT_IN.contains(&name));
        let data = load(name, &CsvOptions::default()).expect("built in");
        assert_eq!(dense(&data).shape(), shape, "{name}");
        let counts: Vec<f64> = (0..classes.len()).map(|class| data.targets().col(class).sum()).collect();
        assert_eq!(counts, classes, "{name}");
        assert_abs_diff_eq!(dense(&data).sum(), sum, epsilon = 1e-6);
    }
}

#[test]
fn values_whose_squares_overflow_are_refused() {
    let large = TrainingProblem::new(Mat::<f64>::ones(2, 1), Mat::from_fn(2, 1, |_, _| 1e200), 1.0);
    let message = large.expect_err("overflow").to_string();
    assert!(message.contains("1e200") && message.contains("divide"), "{message}");
    let large = TrainingProblem::new(Mat::from_fn(2, 1, |_, _| 1e200), Mat::<f64>::ones(2, 1), 1.0);
    assert!(large.expect_err("overflow").to_string().contains("features"));
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
        let x = dense(&data);
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
        assert_abs_diff_eq!(dense(&data)[(row, 0)], value / 2.0_f64.sqrt(), epsilon = 1e-12);
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
        assert_abs_diff_eq!(dense(&data).col(column).sum() / 150.0, mean, epsilon = 0.0075);
    }
    // Fisher's own values, where another copy in circulation differs.
    assert_eq!(rows(dense(&data))[34], [4.9, 3.1, 1.5, 0.2]);
    assert_eq!(rows(dense(&data))[37], [4.9, 3.6, 1.4, 0.1]);
}

#[test]
fn a_missing_file_is_refused() {
    let message = |name| load(name, &CsvOptions::default()).expect_err("nothing there").to_string();
    assert!(message("no-such-file.csv").contains("no such file"));
}

#[test]
fn what_is_written_is_read_back_bit_for_bit() {
    let made = teacher(&TeacherSettings { samples: 17, ..Default::default() }).expect("valid");
    let mut file = Vec::new();
    write_csv(&made, &mut file).expect("in memory");
    let read = parse_csv(&file, "teacher", &options(&["y1", "y2", "y3"], Task::Auto)).expect("readable");
    let read = read.with_bias();
    assert_eq!(rows(dense(&read)), rows(dense(&made)));
    assert_eq!(rows(read.targets()), rows(made.targets()));

    let made =
        spiral(&SpiralSettings { classes: 11, samples_per_class: 2, ..Default::default() }).expect("valid");
    let mut file = Vec::new();
    write_csv(&made, &mut file).expect("in memory");
    let read = parse_csv(&file, "spiral", &options(&[], Task::Classification)).expect("readable");
    assert_eq!(rows(dense(&read)), rows(dense(&made)));
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
    assert_eq!(dense(&small).shape(), (30, 5));
    assert_eq!(rows(dense(&small)), rows(dense(&large))[..30]);
    for (a, b) in rows(small.targets()).iter().flatten().zip(rows(large.targets()).iter().flatten()) {
        assert_abs_diff_eq!(a, b, epsilon = 1e-13);
    }
    assert_ne!(rows(dense(&small)), rows(dense(&make(30, 8))));
}

#[test]
fn a_teacher_draws_standard_normal_features_and_the_noise_asked_for() {
    let settings = TeacherSettings { samples: 20_000, features: 2, noise: 0.0, ..Default::default() };
    let clean = teacher(&settings).expect("valid");
    let noisy = teacher(&TeacherSettings { noise: 0.5, ..settings }).expect("valid");
    let mean_square = |matrix: &Mat<f64>| matrix.squared_norm_l2() / (matrix.nrows() * matrix.ncols()) as f64;
    assert_abs_diff_eq!(mean_square(&dense(&clean).subcols(0, 2).to_owned()), 1.0, epsilon = 0.03);
    assert_abs_diff_eq!(dense(&clean).col(0).sum() / 2e4, 0.0, epsilon = 0.03);
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
        let (x, y) = (dense(&data)[(row, 0)], dense(&data)[(row, 1)]);
        assert_abs_diff_eq!(x.hypot(y), (row % 20) as f64 / 19.0, epsilon = 1e-12);
        assert_eq!(data.targets()[(row, row / 20)], 1.0);
    }
    // The arms are quarter turns of one another.
    let (first, second) = (19, 39);
    assert_abs_diff_eq!(dense(&data)[(second, 0)], dense(&data)[(first, 1)], epsilon = 1e-12);
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
    assert_eq!((dense(&random).shape(), random.targets().shape()), ((25, 2), (25, 5)));
    assert!(!random.is_classification());
    let spiral = read("spiral.csv", &[]);
    assert_eq!(
        (dense(&spiral).shape(), spiral.target_names()),
        ((60, 2), &["0", "1", "2"].map(String::from)[..])
    );
    let iris = read("iris_train.csv", &[]);
    assert_eq!((dense(&iris).shape(), iris.targets().ncols()), ((75, 4), 3));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[ab1.,;\"\r\n\\- e\u{feff}é]{0,60}", target in "[ab1]{0,1}", task in 0..3_usize) {
        let task = [Task::Auto, Task::Regression, Task::Classification][task];
        let targets = if target.is_empty() { Vec::new() } else { vec![target.as_str()] };
        if let Ok(data) = parse_csv(text.as_bytes(), "data.csv", &options(&targets, task)) {
            // What is accepted is whole: finite, at least two samples, one-hot rows in a classification.
            assert!(data.samples() >= 2 && data.features().ncols() >= 1);
            assert!(dense(&data).is_all_finite() && data.targets().is_all_finite());
            if data.is_classification() {
                assert!(data.targets().row_iter().all(|row| row.sum() == 1.0));
            }
            assert!(dense(&data.standardized()).is_all_finite());
        }
    }

    #[test]
    fn every_finite_column_is_standardised(column in proptest::collection::vec(proptest::num::f64::NORMAL, 2..20)) {
        let (rows, y) = (column.len(), vec!["y".to_string()]);
        let x = Mat::from_fn(rows, 1, |row, _| column[row]);
        let data = Dataset::regression(x, Mat::ones(rows, 1), vec!["a".into()], y).expect("consistent");
        let z = data.standardized();
        let (mean, square) = (dense(&z).sum() / rows as f64, dense(&z).squared_norm_l2() / rows as f64);
        let constant = column.iter().all(|&value| value == column[0]);
        assert_abs_diff_eq!(mean, 0.0, epsilon = 1e-12);
        assert_abs_diff_eq!(square, if constant { 0.0 } else { 1.0 }, epsilon = 1e-12);
    }
}
