//! Files as people have them: compressed, with decimal commas, between spaces, or in a format that is not read.

use flate2::Compression;
use flate2::write::GzEncoder;
use relucert::data::{CsvOptions, Dataset, Source, load, parse_csv};
use std::io::Write;
use std::path::Path;

const PLAIN: &str = "a,b,y\n0.5,1,2.25\n-1.5,2,0.125\n3,4,-1e-3\n";

fn read(text: &str, name: &str) -> Dataset {
    parse_csv(text.as_bytes(), name, &CsvOptions::default()).unwrap()
}

fn assert_same(a: &Dataset, b: &Dataset) {
    assert_eq!(a.feature_names(), b.feature_names());
    assert_eq!(a.targets(), b.targets());
    assert_eq!(*a.features().to_dense().unwrap(), *b.features().to_dense().unwrap());
}

fn refusal(text: &str, name: &str) -> String {
    parse_csv(text.as_bytes(), name, &CsvOptions::default()).unwrap_err().to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn decimal_commas_are_read_where_commas_do_not_separate() {
    let plain = read(PLAIN, "t.csv");
    assert_same(&read("a;b;y\n0,5;1;2,25\n-1,5;2;0,125\n3;4;-1e-3\n", "t.csv"), &plain);
    assert_same(&read("a\tb\ty\n0,5\t1\t2,25\n-1,5\t2\t0,125\n3\t4\t-1e-3\n", "t.tsv"), &plain);
    // Without a header too.
    let bare = read("0,5;1;2,25\n-1,5;2;0,125\n3;4;-1e-3\n", "t.csv");
    assert_eq!(bare.feature_names(), ["x1", "x2"]);
    assert_eq!(bare.targets(), plain.targets());
    let mixed = refusal("a;b;y\n0,5;1;2,25\n-1.5;2;0,125\n", "t.csv");
    assert!(mixed.starts_with("t.csv:3:") && mixed.contains("commas"), "{mixed}");
    let thousands = refusal("a;b;y\n1.234,5;1;2\n", "t.csv");
    assert!(thousands.contains("1.234,5") && thousands.contains("not a number"), "{thousands}");
    // Where commas separate, a comma is never part of a number.
    assert!(refusal("a,b,y\n0,5,1,2\n", "t.csv").contains("4 fields"));
}

#[test]
fn spaces_separate_where_nothing_else_does() {
    let plain = read(PLAIN, "t.csv");
    assert_same(&read("a b y\n0.5 1 2.25\n-1.5 2 0.125\n3 4 -1e-3\n", "t.txt"), &plain);
    assert_same(&read("  a    b   y  \n 0.5   1   2.25\n-1.5   2  0.125 \n  3    4  -1e-3", "t.dat"), &plain);
    // Names with spaces stay whole in other files.
    assert_eq!(read("sepal length,b,y\n1,2,3.5\n2,3,4.5\n", "t.csv").feature_names(), ["sepal length", "b"]);
    let ragged = refusal("a b y\n1  2 3.5\n\n1 2\n", "t.txt");
    assert!(ragged.starts_with("t.txt:4:"), "{ragged}");
}

#[test]
fn gzip_and_zstd_are_told_by_their_first_bytes_whatever_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let plain = read(PLAIN, "t.csv");
    let zstd =
        ruzstd::encoding::compress_to_vec(PLAIN.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let two_members = [gzip(&PLAIN.as_bytes()[..20]), gzip(&PLAIN.as_bytes()[20..])].concat();
    let files: [(&str, Vec<u8>); 5] = [
        ("t.csv.gz", gzip(PLAIN.as_bytes())),
        ("t.csv", gzip(PLAIN.as_bytes())),
        ("two.csv.gz", two_members),
        ("t.csv.zst", zstd.clone()),
        (
            "two.csv.zst",
            [
                ruzstd::encoding::compress_to_vec(
                    &PLAIN.as_bytes()[..20],
                    ruzstd::encoding::CompressionLevel::Fastest,
                ),
                ruzstd::encoding::compress_to_vec(
                    &PLAIN.as_bytes()[20..],
                    ruzstd::encoding::CompressionLevel::Fastest,
                ),
            ]
            .concat(),
        ),
    ];
    for (name, bytes) in &files {
        let path = written(folder.path(), name, bytes);
        assert_same(&load(&path, &CsvOptions::default()).unwrap(), &plain);
        // What is hashed is the file.
        assert_eq!(Source::read(&path).unwrap().bytes(), bytes.as_slice());
    }
    // The ending before tells the format.
    let sparse = written(folder.path(), "s.svm.gz", &gzip(b"0.5 1:2 3:1\n1.5 2:1\n"));
    assert!(load(&sparse, &CsvOptions::default()).unwrap().features().is_sparse());
    for cut in [10, 30] {
        for bytes in [&gzip(PLAIN.as_bytes())[..cut], &zstd[..cut]] {
            let path = written(folder.path(), "cut.csv.gz", bytes);
            let error = load(&path, &CsvOptions::default()).unwrap_err().to_string();
            assert!(error.contains("cut.csv.gz") && error.lines().count() == 1, "{error}");
        }
    }
    let mut damaged = gzip(PLAIN.as_bytes());
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    let path = written(folder.path(), "damaged.csv.gz", &damaged);
    assert!(load(&path, &CsvOptions::default()).is_err(), "the checksum");
}

#[test]
fn formats_that_are_not_read_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let json = "[{\"a\": 1, \"y\": 2}]";
    for (name, bytes, part) in [
        ("t.json", json, "JSON"),
        ("t.jsonl", "{\"a\": 1}\n", "JSON"),
        ("t.csv", json, "JSON"),
        ("t.xlsx", "PK\u{3}\u{4}", "spreadsheet"),
        ("t.csv.bz2", "BZh91AY", "bzip2"),
    ] {
        let error = Source::read(&written(folder.path(), name, bytes.as_bytes())).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(name) && error.lines().count() == 1, "{error}");
    }
    if cfg!(not(feature = "parquet")) {
        let path = written(folder.path(), "t.parquet", b"PAR1");
        let error = load(&path, &CsvOptions::default()).unwrap_err().to_string();
        assert!(error.contains("--features parquet"), "{error}");
    }
}

#[test]
fn other_data_are_prepared_as_the_training_set_was() {
    let training = read("a,b,y\n0.5,1,2.25\n-1.5,2,0.125\n3,5,-1e-3\n", "t.csv").standardized().with_bias();
    let preparation = training.preparation();
    assert_eq!((preparation.inputs(), preparation.outputs()), (3, 1));
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "n.csv", b"y,b,c,a\n7.5,5,x,3\n8.5,1,x,0.5\n");
    let other = Source::read(&path).unwrap().parse_like(&preparation).unwrap();
    let (known, found) = (training.features().to_dense().unwrap(), other.features().to_dense().unwrap());
    for (row, same) in [(0, 2), (1, 0)] {
        assert!((0..3).all(|j| found[(row, j)] == known[(same, j)]), "{row}");
    }
    assert_eq!(other.targets()[(0, 0)], 7.5);
    // And as lines, but for rounding.
    for (j, (factor, shift)) in preparation.lines().into_iter().enumerate() {
        let value = [3.0, 5.0][j];
        assert!((factor * value + shift - known[(2, j)]).abs() < 1e-14);
    }
    let again = read("a,b\n3,5.5\n4,5.5\n", "u.csv");
    assert!(preparation.apply(again).is_err(), "one feature too few");
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_tables_are_read_with_their_names() {
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use std::sync::Arc;

    let schema =
        "message table { required double a; required int64 __index_level_0__; required binary kind (UTF8); }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let properties = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let values: Vec<f64> = (0..12).map(|i| 0.1 * f64::from(i)).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&values, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&(0..12).collect::<Vec<_>>(), None, None).unwrap();
    column.close().unwrap();
    let kinds: Vec<ByteArray> = (0..12).map(|i| ByteArray::from(["x", "y, z"][i % 2])).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&kinds, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let data = load(&path.display().to_string(), &CsvOptions::default()).unwrap();
    assert_eq!(
        (data.feature_names(), data.target_names()),
        (&["a".to_string()][..], &["x".to_string(), "y, z".into()][..])
    );
    assert!((0..12).all(|i| data.features().to_dense().unwrap()[(i, 0)] == values[i]));
}
