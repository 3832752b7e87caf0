//! Whole archives: whatever is read as a certificate proves no more than the optimum of a small problem.
#![no_main]

use faer::mat;
use libfuzzer_sys::fuzz_target;
use relucert::TrainingProblem;
use relucert::certificate::prove;
use relucert::io::{parse_certificate, parse_network, parse_problem};
use std::path::Path;
use std::sync::LazyLock;

/// One sample, x = 1, Y = 2, γ = 1, of which the optimum is 3/2.
static PROBLEM: LazyLock<TrainingProblem> =
    LazyLock::new(|| TrainingProblem::new(mat![[1.0]], mat![[2.0]], 1.0).expect("a valid problem"));

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("f.npz");
    if let Ok(certificate) = parse_certificate(path, bytes)
        && let Ok(proof) = prove(&PROBLEM, &certificate)
    {
        assert!(proof.lower_bound() <= 1.5);
    }
    let _ = parse_network(path, bytes);
    let _ = parse_problem(path, bytes);
});
