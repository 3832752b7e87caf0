//! Files that are damaged or forged: each is refused with one line, or proves no more than it did.

use crate::common::gaussian;
use faer::Mat;
use npyz::WriterBuilder;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use relucert::TrainingProblem;
use relucert::certificate::{Certificate, prove};
use relucert::data::{CsvOptions, Task, parse_npy, parse_npz};
use relucert::dual::{CutForms, DualPoint};
use relucert::io::{parse_certificate, parse_network, parse_problem, save_certificate, save_problem, verify};
use relucert::repair::certify_blocks;
use std::io::{Cursor, Write};
use std::path::Path;
use zip::write::FileOptions;
use zip::{CompressionMethod, ZipWriter};

struct Saved {
    problem: TrainingProblem,
    certificate: Certificate,
    bound: f64,
    problem_file: Vec<u8>,
    certificate_file: Vec<u8>,
}

fn saved() -> Saved {
    let problem = TrainingProblem::new(gaussian(1, 10, 2), gaussian(2, 10, 1), 0.8).unwrap();
    let blocks = [vec![0, 2, 4, 6, 8], vec![1, 3, 5, 7, 9]];
    // x_0 = a x_1 + b x_2 among the samples of each block.
    let cut = |samples: &Vec<usize>| {
        let x = |i: usize, j: usize| problem.features()[(samples[i], j)];
        let determinant = |a: usize, b: usize| x(a, 0) * x(b, 1) - x(a, 1) * x(b, 0);
        let whole = determinant(1, 2);
        let mut cuts = CutForms::new();
        cuts.push(0, [(1, determinant(0, 2) / whole), (2, determinant(1, 0) / whole)]);
        cuts
    };
    let guess = |samples: &Vec<usize>| DualPoint {
        w: Mat::from_fn(5, 1, |i, _| problem.targets()[(samples[i], 0)]),
        pairs: vec![[0, 1], [2, 8], [3, 10]],
        n: vec![0.001, 0.001, 0.0005],
        cuts: cut(samples),
        ..DualPoint::zero(5, 1)
    };
    let duals = blocks.iter().map(guess).collect();
    let (certificate, proof) = certify_blocks(&problem, &blocks, duals).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (p, c) = (folder.path().join("problem.npz"), folder.path().join("certificate.npz"));
    save_problem(&p, &problem).unwrap();
    save_certificate(&c, &certificate).unwrap();
    let bound = proof.lower_bound().value();
    assert!(bound > 0.0);
    Saved {
        problem_file: std::fs::read(p).unwrap(),
        certificate_file: std::fs::read(c).unwrap(),
        problem,
        certificate,
        bound,
    }
}

/// Everything that reads a file from outside is given these bytes; gives the bound if they are a certificate.
fn read_all(saved: &Saved, bytes: &[u8]) -> Option<f64> {
    let path = Path::new("f.npz");
    let one_line = |message: String| assert!(!message.contains('\n'), "{message}");
    if let Err(error) = parse_problem(path, bytes) {
        one_line(error.to_string());
    }
    let _ = parse_network(path, bytes).map_err(|error| one_line(error.to_string()));
    let _ = parse_npz(bytes, "f.npz", &CsvOptions::default()).map_err(|error| one_line(error.to_string()));
    let _ = parse_npy(bytes, "f.npy", &CsvOptions::default()).map_err(|error| one_line(error.to_string()));
    match parse_certificate(path, bytes).and_then(|certificate| prove(&saved.problem, &certificate)) {
        Ok(proof) => Some(proof.lower_bound().value()),
        Err(error) => {
            one_line(error.to_string());
            None
        }
    }
}

/// Every archive cut short, and mutations by seed: `RELUCERT_MUTATIONS` sets how many.
#[test]
fn mutated_archives_do_no_harm() {
    let saved = saved();
    let count: u32 = std::env::var("RELUCERT_MUTATIONS").ok().and_then(|v| v.parse().ok()).unwrap_or(3000);
    for file in [&saved.certificate_file, &saved.problem_file] {
        for cut in 0..file.len() {
            assert!(read_all(&saved, &file[..cut]).is_none());
        }
    }
    let mut rng = Pcg64::seed_from_u64(7);
    let interesting: [&[u8]; 8] = [
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        b"\x80",
        b"(((((((((((((((((((((((((",
        b"99999999999999999999",
        b"PK\x01\x02",
        b"-1",
        b"\x7f\xf8\0\0\0\0\0\0",
    ];
    for _ in 0..count {
        let mut bytes = if rng.random_range(0..2) == 0 {
            saved.certificate_file.clone()
        } else {
            saved.problem_file.clone()
        };
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..bytes.len());
            match rng.random_range(0..5) {
                0 => bytes[at] ^= 1 << rng.random_range(0..8),
                1 => bytes[at] = rng.random(),
                2 => {
                    let word = interesting[rng.random_range(0..interesting.len())];
                    let end = (at + word.len()).min(bytes.len());
                    bytes[at..end].copy_from_slice(&word[..end - at]);
                }
                3 => {
                    let end = (at + rng.random_range(1..64)).min(bytes.len());
                    bytes.drain(at..end);
                }
                _ => {
                    let from = rng.random_range(0..bytes.len());
                    let piece = bytes[from..(from + 16).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        if let Some(bound) = read_all(&saved, &bytes) {
            assert!(bound <= saved.bound * (1.0 + 1e-9), "{bound}");
        }
    }
}

type Member = (&'static str, Vec<u8>);

/// The bytes of one array as numpy would write it.
fn npy<T: npyz::AutoSerialize + Copy>(shape: &[u64], values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A header of one's own before some data.
fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn archive(members: &[Member], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(format!("{name}.npy"), FileOptions::default().compression_method(method)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn integers(values: &[usize]) -> Vec<i64> {
    values.iter().map(|value| *value as i64).collect()
}

fn members(saved: &Saved) -> Vec<Member> {
    let dual = saved.certificate.dual();
    let w: Vec<f64> = (0..10).map(|i| dual.w[(i, 0)]).collect();
    let pairs: Vec<i64> = dual.pairs.iter().flatten().map(|k| *k as i64).collect();
    let block: Vec<i64> = saved.certificate.partition().unwrap().block().iter().map(|k| *k as i64).collect();
    vec![
        ("W", npy(&[10, 1], &w)),
        ("y", npy(&[10], &dual.y)),
        ("pairs", npy(&[dual.pairs.len() as u64, 2], &pairs)),
        ("N", npy(&[dual.n.len() as u64], &dual.n)),
        ("block", npy(&[10], &block)),
        ("form_target", npy(&[2], &integers(dual.cuts.targets()))),
        ("form_indptr", npy(&[3], &integers(&dual.cuts.offsets().collect::<Vec<_>>()))),
        ("form_index", npy(&[4], &integers(dual.cuts.indices()))),
        ("form_coef", npy(&[4], dual.cuts.coefficients())),
    ]
}

/// The members with one of them replaced.
fn with(saved: &Saved, name: &'static str, bytes: Vec<u8>) -> Vec<u8> {
    let mut members = members(saved);
    members.retain(|member| member.0 != name);
    members.push((name, bytes));
    archive(&members, CompressionMethod::Stored)
}

#[test]
fn forged_arrays_are_refused() {
    let saved = saved();
    let dual = saved.certificate.dual();
    let whole = archive(&members(&saved), CompressionMethod::Stored);
    assert_eq!(read_all(&saved, &whole), Some(saved.bound), "the files of the test are those of the library");
    let deflated = archive(&members(&saved), CompressionMethod::Deflated);
    assert_eq!(read_all(&saved, &deflated), Some(saved.bound));

    let w: Vec<f64> = (0..10).map(|i| dual.w[(i, 0)]).collect();
    let grown: Vec<f64> = w.iter().map(|w| 1.0001 * w).collect();
    let mut nan = w.clone();
    nan[3] = f64::NAN;
    let floats = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let header = |text: &str| {
        raw(&format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {text}, }}\n"), &floats(&w))
    };
    let pairs = |first: [i64; 2]| -> Vec<i64> {
        first.into_iter().chain(dual.pairs[1..].iter().flatten().map(|k| *k as i64)).collect()
    };
    let coefficients = |factor: f64| {
        let mut coefficients = dual.cuts.coefficients().to_vec();
        coefficients[0] *= factor;
        coefficients
    };
    let nested = "(".repeat(9000);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a larger W", with(&saved, "W", npy(&[10, 1], &grown))),
        ("NaN in W", with(&saved, "W", npy(&[10, 1], &nan))),
        ("W of another shape", with(&saved, "W", npy(&[5, 2], &w))),
        ("W of one dimension", with(&saved, "W", npy(&[10], &w))),
        ("W of integers", with(&saved, "W", npy(&[10, 1], &[1i64; 10]))),
        ("W of single precision", with(&saved, "W", npy(&[10, 1], &[0.1f32; 10]))),
        ("too short a y", with(&saved, "y", npy(&[9], &dual.y[..9]))),
        ("negative N", with(&saved, "N", npy(&[6], &[-1e-3, 0.0, 0.0, 0.0, 0.0, 0.0]))),
        ("infinite N", with(&saved, "N", npy(&[6], &[f64::INFINITY, 0.0, 0.0, 0.0, 0.0, 0.0]))),
        ("an index out of range", with(&saved, "pairs", npy(&[6, 2], &pairs([0i64, 22])))),
        ("a negative index", with(&saved, "pairs", npy(&[6, 2], &pairs([0i64, -1])))),
        ("alpha with its beta", with(&saved, "pairs", npy(&[6, 2], &pairs([0i64, 10])))),
        ("a form with itself", with(&saved, "pairs", npy(&[6, 2], &pairs([0i64, 0])))),
        ("a pair across blocks", with(&saved, "pairs", npy(&[6, 2], &pairs([0i64, 1])))),
        ("pairs of three", with(&saved, "pairs", npy(&[4, 3], &[0i64; 12]))),
        ("a cut with a form of another block", with(&saved, "pairs", npy(&[6, 2], &pairs([1i64, 20])))),
        ("a damaged coefficient", with(&saved, "form_coef", npy(&[4], &coefficients(1.0 + 1e-8)))),
        ("a coefficient of another sign", with(&saved, "form_coef", npy(&[4], &coefficients(-1.0)))),
        ("a coefficient that is not a number", with(&saved, "form_coef", npy(&[4], &coefficients(f64::NAN)))),
        ("too few coefficients", with(&saved, "form_coef", npy(&[3], &dual.cuts.coefficients()[..3]))),
        ("coefficients of two dimensions", with(&saved, "form_coef", npy(&[2, 2], dual.cuts.coefficients()))),
        ("a cut of another sample", with(&saved, "form_target", npy(&[2], &[4i64, 1]))),
        ("a cut of no sample", with(&saved, "form_target", npy(&[2], &[-1i64, 1]))),
        ("a cut beyond the samples", with(&saved, "form_target", npy(&[2], &[10i64, 1]))),
        ("one cut too few", with(&saved, "form_target", npy(&[1], &[0i64]))),
        ("rows that go back", with(&saved, "form_indptr", npy(&[3], &[0i64, 5, 4]))),
        ("rows that begin late", with(&saved, "form_indptr", npy(&[3], &[1i64, 2, 4]))),
        ("a sample twice in a row", with(&saved, "form_index", npy(&[4], &[2i64, 2, 3, 5]))),
        ("a sample out of range", with(&saved, "form_index", npy(&[4], &[2i64, 10, 3, 5]))),
        ("forms without their offsets", {
            let mut members = members(&saved);
            members.retain(|member| member.0 != "form_indptr");
            archive(&members, CompressionMethod::Stored)
        }),
        ("too many blocks", with(&saved, "block", npy(&[10], &[i64::MAX; 10]))),
        ("a negative block", with(&saved, "block", npy(&[10], &[-1i64; 10]))),
        ("too short a block", with(&saved, "block", npy(&[2], &[0i64, 1]))),
        ("a head for no blocks", with(&saved, "head", npy(&[3, 3, 3], &[0.0; 27]))),
        ("a head of another order", with(&saved, "head", npy(&[2, 2, 2], &[0.0; 8]))),
        ("an endless empty head", with(&saved, "head", header("(2, 0, 18446744073709551615)"))),
        ("heads that add up to more than zero", {
            let heads: Vec<f64> = (0..18).map(|k| f64::from(u8::from(k % 9 % 4 == 0)) * 1e-3).collect();
            with(&saved, "head", npy(&[2, 3, 3], &heads))
        }),
        ("heads that are not symmetric", {
            let heads: Vec<f64> = (0..18).map(|k| f64::from(u8::from(k % 9 == 1)) * 1e-9).collect();
            with(&saved, "head", npy(&[2, 3, 3], &heads))
        }),
        ("a shape that overflows", with(&saved, "W", header("(4294967296, 4294967296)"))),
        ("a shape beyond the file", with(&saved, "W", header("(1000000000, 1)"))),
        ("an empty array of endless columns", with(&saved, "W", header("(0, 9223372036854775807)"))),
        ("a number that no 64 bits hold", with(&saved, "W", header("(99999999999999999999999, 1)"))),
        ("a hexadecimal shape", with(&saved, "W", header("(0xffffffffffffffff, 2)"))),
        ("a negative shape", with(&saved, "W", header("(-10, -1)"))),
        ("brackets without end", with(&saved, "W", header(&nested))),
        (
            "pickled objects",
            with(&saved, "W", raw("{'descr': '|O', 'fortran_order': False, 'shape': (10, 1), }\n", b"x")),
        ),
        ("no header", with(&saved, "W", b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec())),
        ("data after the last entry", with(&saved, "W", [npy(&[10, 1], &w), vec![0; 8]].concat())),
        ("a missing array", {
            let mut members = members(&saved);
            members.retain(|member| member.0 != "N");
            archive(&members, CompressionMethod::Stored)
        }),
        ("nothing at all", Vec::new()),
        ("no archive", vec![0x41; 1000]),
    ];
    for (what, bytes) in cases {
        let outcome = parse_certificate(Path::new("certificate.npz"), &bytes)
            .and_then(|certificate| prove(&saved.problem, &certificate));
        let message = outcome.map(|proof| proof.lower_bound()).expect_err(what).to_string();
        assert!(!message.contains('\n') && message.len() < 400, "{what}: {message}");
        assert!(read_all(&saved, &bytes).is_none());
    }
}

/// A file of some hundred kilobytes that unpacks to far more than it claims, or claims far more than it has.
#[test]
fn memory_is_bounded_by_what_the_file_can_hold() {
    let saved = saved();
    let zeros = raw("{'descr': '<f8', 'fortran_order': False, 'shape': (10, 1), }\n", &vec![0; 64 << 20]);
    let mut members = members(&saved);
    members.retain(|member| member.0 != "W");
    members.push(("W", zeros));
    let bomb = archive(&members, CompressionMethod::Deflated);
    assert!(bomb.len() < 200_000);
    let before = relucert::peak_memory_bytes();
    assert!(read_all(&saved, &bomb).is_none());
    // The unpacked data is never held: what it claims and what the shape needs do not agree.
    if let (Some(before), Some(after)) = (before, relucert::peak_memory_bytes()) {
        assert!(after - before < 80 << 20, "{} bytes", after - before);
    }
}

#[test]
fn a_certificate_for_other_data_proves_nothing_there() {
    let saved = saved();
    let folder = tempfile::tempdir().unwrap();
    save_certificate(&folder.path().join("certificate.npz"), &saved.certificate).unwrap();
    let file = folder.path().join("problem.npz");
    let x = Mat::from_fn(10, 2, |i, j| 3.0 * saved.problem.features()[(i, j)]);
    let other = TrainingProblem::new(x, saved.problem.targets().to_owned(), 0.8).unwrap();
    save_problem(&file, &other).unwrap();
    let message = verify(folder.path()).unwrap_err().to_string();
    assert!(message.starts_with("certificate refused") && !message.contains('\n'), "{message}");
    let fewer = TrainingProblem::new(gaussian(1, 9, 2), gaussian(2, 9, 1), 0.8).unwrap();
    save_problem(&file, &fewer).unwrap();
    assert!(verify(folder.path()).unwrap_err().to_string().contains("10 × 1"));
}

/// Members as they are named, with a comment, and with bytes before and after.
fn odd_archive(members: &[(&str, &[u8])], comment: &str) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.set_comment(comment);
    for (name, bytes) in members {
        writer
            .start_file(*name, FileOptions::default().compression_method(CompressionMethod::Stored))
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Another name of as many letters, in the first place that it occurs or in all.
fn renamed(bytes: &[u8], from: &str, to: &str, everywhere: bool) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from.as_bytes()) {
        at += found;
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        if !everywhere {
            break;
        }
    }
    bytes
}

/// What numpy would read as another problem than this crate, or would not read.
#[test]
fn an_archive_with_two_readings_is_refused() {
    let (x, other) = (npy(&[2, 1], &[1.0, 2.0]), npy(&[2, 1], &[1.0, -2.0]));
    let (y, gamma) = (npy(&[2, 1], &[0.5, 0.25]), npy(&[], &[1.0]));
    let honest = [("X.npy", &x[..]), ("Y.npy", &y[..]), ("gamma.npy", &gamma[..])];
    let with = |more: (&'static str, &[u8])| odd_archive(&[&honest[..], &[more]].concat(), "");
    let whole = odd_archive(&honest, "");
    let path = Path::new("f.npz");
    assert!(parse_problem(path, &whole).is_ok());
    assert!(parse_npz(&whole, "f.npz", &CsvOptions::default()).is_ok());
    let twice = renamed(&with(("Z.npy", &other)), "Z.npy", "X.npy", true);
    let hidden = {
        // One member more in the list than the end of the archive counts.
        let mut bytes = with(("Z.npy", &other));
        let end = bytes.len() - 22;
        (bytes[end + 8], bytes[end + 10]) = (3, 3);
        bytes
    };
    let appended = [&whole[..], &odd_archive(&[("X.npy", &other[..])], "")].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a raw member beside the array", with(("X", &other))),
        ("an array twice", twice),
        ("a text", with(("README.txt", b"x"))),
        ("a member that ends otherwise", with(("X.NPY", &other))),
        ("a name that ends early", renamed(&with(("X.npyZ.npy", &other)), "X.npyZ.npy", "X.npy\0.npy", true)),
        ("no ASCII", with(("Ẍ.npy", &other))),
        ("a member that the list does not count", hidden),
        ("another name at its place", renamed(&whole, "X.npy", "Z.npy", false)),
        ("a comment", odd_archive(&honest, "a comment")),
        ("something before", [b"#!/bin/sh\n", &whole[..]].concat()),
        ("something after", [&whole[..], b"\n"].concat()),
        ("an archive before", appended),
    ];
    for (what, bytes) in cases {
        let one = parse_problem(path, &bytes).map(|_| ()).expect_err(what).to_string();
        let two = parse_npz(&bytes, "f.npz", &CsvOptions::default()).map(|_| ()).expect_err(what).to_string();
        for message in [one, two] {
            assert!(message.starts_with("f.npz: ") && !message.contains('\n'), "{what}: {message}");
            assert!(message.len() < 200 && message.is_ascii(), "{what}: {message}");
        }
    }
    // Arrays that nobody asked for mean something else in a saved run; in a table of data they are left out, and it says so.
    let more = with(("bias.npy", &other));
    let message = parse_problem(path, &more).map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("bias does not belong in it"), "{message}");
    let notes = parse_npz(&more, "f.npz", &CsvOptions::default()).unwrap().notes().to_vec();
    assert!(notes.iter().any(|note| note.contains("gamma, bias")), "{notes:?}");
    let network = |more: &[(&'static str, &[u8])]| {
        let members: [(&str, &[u8]); 2] = [("U.npy", &x), ("V.npy", &y)];
        parse_network(path, &odd_archive(&[&members[..], more].concat(), ""))
    };
    assert!(network(&[]).is_ok() && network(&[("b.npy", &x)]).is_err());
    let saved = saved();
    let mut members = members(&saved);
    members.push(("note", x.clone()));
    let message = parse_certificate(path, &archive(&members, CompressionMethod::Stored)).unwrap_err();
    assert!(message.to_string().contains("note does not belong"), "{message}");
}

/// Headers that numpy reads, and those that it refuses or that no program writes.
#[test]
fn a_header_says_what_numpy_would_read() {
    let data: Vec<u8> = (1..=6).flat_map(|k| f64::from(k).to_le_bytes()).collect();
    let numbers = CsvOptions { task: Task::Regression, ..CsvOptions::default() };
    let read = |header: &str| parse_npy(&raw(header, &data), "f.npy", &numbers);
    let shaped = |shape: &str| format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
    for fine in [
        shaped("(3, 2)"),
        shaped("(3,2)"),
        shaped("(3, 2,)"),
        "{\"shape\":(3,2),\"fortran_order\":True,\"descr\":\"<f8\"}".into(),
        "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3)}          \n".into(),
    ] {
        assert!(read(&fine).is_ok(), "{fine}");
    }
    for bad in [
        shaped("(06, 1)"),
        shaped("(3, 02)"),
        shaped("[6, 1]"),
        shaped("(6)"),
        shaped("6"),
        shaped("(3 2)"),
        shaped("(3,, 2)"),
        shaped("(, 6)"),
        shaped("(3, 2"),
        shaped("(3, 2]"),
        shaped("((3, 2))"),
        shaped("(3, 2.0)"),
        shaped("(3, 2L)"),
        shaped("(0x3, 2)"),
        shaped("(1_0, 2)"),
        shaped("(-3, -2)"),
        shaped("(+3, 2)"),
        shaped("('3', 2)"),
        shaped("(3, 2), 'shape': (2, 3)"),
        shaped("(3, 2), 'more': 1"),
        shaped(&format!("({}6, 1)", "1, ".repeat(40))),
        "{'descr': '<m8[s]', 'fortran_order': False, 'shape': (3, 2)}".into(),
        "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (3, 2)}".into(),
        "{'descr': '<f16', 'fortran_order': False, 'shape': (3, 1)}".into(),
        "{'descr': '|f8', 'fortran_order': False, 'shape': (3, 2)}".into(),
        "{'descr': 'f8', 'fortran_order': False, 'shape': (3, 2)}".into(),
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3, 2)}".into(),
        "{'descr': '<f8', 'fortran_order': 0, 'shape': (3, 2)}".into(),
        "{'descr': '<f8', 'fortran_order': 'False', 'shape': (3, 2)}".into(),
        "{'descr': '<f8', 'shape': (3, 2)}".into(),
        "{'descr': '<f8', 'fortran_order': False}".into(),
        "{'descr': '<f8' 'fortran_order': False, 'shape': (3, 2)}".into(),
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2)} or 1".into(),
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2)".into(),
        "{'descr': '<\\x668', 'fortran_order': False, 'shape': (3, 2)}".into(),
        "('<f8', False, (3, 2))".into(),
        String::new(),
    ] {
        let message = read(&bad).map(|_| ()).expect_err(&bad).to_string();
        assert!(message.starts_with("f.npy: ") && !message.contains('\n'), "{bad}: {message}");
        assert!(
            message.contains("header") || message.contains("real number") || message.contains("dimensions")
        );
    }
    let mut odd = raw(&shaped("(3, 2)"), &data);
    odd[7] = 1;
    assert!(parse_npy(&odd, "f.npy", &numbers).is_err());
    // The parts of a saved run are read by the same rules.
    let saved = saved();
    for (name, values) in [("y", "(010,)"), ("y", "[10,]"), ("y", "(10)")] {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {values}, }}\n");
        let floats: Vec<u8> = saved.certificate.dual().y.iter().flat_map(|v| v.to_le_bytes()).collect();
        let message = parse_certificate(Path::new("c.npz"), &with(&saved, name, raw(&header, &floats)));
        assert!(message.unwrap_err().to_string().contains("header"), "{values}");
    }
}

/// The same by the command line: one line, status 2, nothing else happens.
#[cfg(feature = "cli")]
#[test]
fn the_commands_refuse_what_numpy_reads_otherwise() {
    let (x, y) = (npy(&[4, 1], &[1.0, 2.0, 3.0, -4.0]), npy(&[4, 1], &[0.5, 0.25, 1.5, 2.25]));
    let (gamma, other) = (npy(&[], &[1.0]), npy(&[4, 1], &[1.0, -2.0, 3.0, -4.0]));
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.npz");
    let saved = saved();
    std::fs::write(folder.path().join("certificate.npz"), &saved.certificate_file).unwrap();
    let run = |arguments: &[&std::ffi::OsStr]| {
        let output = assert_cmd::Command::cargo_bin("relucert").unwrap().args(arguments).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        message
    };
    let float = |shape: &str, kind: &str, data: &[u8]| {
        raw(&format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n"), data)
    };
    let cases = [
        ("X", other.clone(), "is not an array"),
        ("Z.npy", float("(04, 1)", "<f8", &[0; 32]), "header"),
        ("Z.npy", float("[4, 1]", "<f8", &[0; 32]), "header"),
        ("Z.npy", float("(4, 1)", "<m8[s]", &[0; 32]), "not a real number"),
    ];
    for (name, member, part) in cases {
        // In place of X, or beside it.
        let plain = [("X.npy", &x[..]), ("Y.npy", &y[..]), ("gamma.npy", &gamma[..])];
        let archive = match name {
            "X" => odd_archive(&[&plain[..], &[(name, &member[..])]].concat(), ""),
            _ => odd_archive(&[("X.npy", &member[..]), plain[1], plain[2]], ""),
        };
        std::fs::write(&data, &archive).unwrap();
        std::fs::write(folder.path().join("problem.npz"), &archive).unwrap();
        let certified = run(&["certify".as_ref(), data.as_ref(), "--gamma".as_ref(), "1".as_ref()]);
        assert!(certified.contains("data.npz") && certified.contains(part), "{certified}");
        let verified = run(&["verify".as_ref(), folder.path().as_ref()]);
        assert!(verified.contains("problem.npz") && verified.contains(part), "{verified}");
    }
}
