//! The readers of data sets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relucert::data::{CsvOptions, parse_csv, parse_npy, parse_npz, parse_svmlight};

fuzz_target!(|bytes: &[u8]| {
    let options = CsvOptions::default();
    let _ = parse_csv(bytes, "f.csv", &options);
    let _ = parse_svmlight(bytes, "f.svm", &options);
    let _ = parse_npy(bytes, "f.npy", &options);
    let _ = parse_npz(bytes, "f.npz", &options);
});
