//! Where a report comes from: program, command, data, machine.

use super::arguments::CertifyOptions;
use super::version::{NUMBER, REVISION};
use crate::render::provenance::{Data, Provenance};
use relucert::Method;
use relucert::data::Source;
use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn of_run(options: &CertifyOptions, method: Method, source: &Source) -> Provenance {
    Provenance {
        version: NUMBER,
        revision: REVISION,
        command: std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect(),
        method: method.to_string(),
        tolerance: options.tolerance,
        seed: options.seed,
        standardize: options.input.standardize,
        bias: options.input.bias,
        data: of_data(source),
        machine: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        threads: rayon::current_num_threads(),
        date: now(),
    }
}

pub(super) fn of_data(source: &Source) -> Data {
    let hash = Sha256::digest(source.bytes());
    Data {
        name: source.name().into(),
        bytes: source.bytes().len(),
        sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Now, in UTC, as RFC 3339 writes it.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a number of days since 1970 (H. F. Fliegel and T. C. van Flandern, Commun. ACM 11, 1968).
fn date(days: u64) -> (u64, u64, u64) {
    let l = days + 2_440_588 + 68_569;
    let n = 4 * l / 146_097;
    let l = l - (146_097 * n).div_ceil(4);
    let i = 4000 * (l + 1) / 1_461_001;
    let l = l - 1461 * i / 4 + 31;
    let j = 80 * l / 2447;
    let k = j / 11;
    (100 * (n - 49) + i + k, j + 2 - 12 * k, l - 2447 * j / 80)
}
