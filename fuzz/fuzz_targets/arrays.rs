//! What lies behind the checksums: the numbers of a certificate for two samples in two blocks, as they come.
#![no_main]

use faer::{Mat, mat};
use libfuzzer_sys::fuzz_target;
use relucert::{CutForms, DualPoint, TrainingProblem};
use relucert::certificate::{Certificate, Partition, prove};
use std::sync::LazyLock;

/// Two copies of one sample, x = 1, Y = 2, γ = 1: with the prediction z of both, z for the weights and (z − 2)² for the
/// loss, the optimum is 7/4 at z = 3/2.
static PROBLEM: LazyLock<TrainingProblem> = LazyLock::new(|| {
    TrainingProblem::new(mat![[1.0], [1.0]], mat![[2.0], [2.0]], 1.0).expect("a valid problem")
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let mut numbers = rest.chunks_exact(8).map(|chunk| f64::from_le_bytes(chunk.try_into().expect("8 bytes")));
    let mut next = || numbers.next().unwrap_or(0.0);
    let w = Mat::from_fn(2, 1, |_, _| next());
    let y = vec![next(), next()];
    let pairs: Vec<[usize; 2]> = (0..usize::from(choice >> 4)).map(|k| [k % 5, (k / 2 + 1) % 5]).collect();
    let n = pairs.iter().map(|_| next()).collect();
    let mut cuts = CutForms::new();
    if choice & 8 != 0 {
        cuts.push(usize::from(choice & 1), [(1 - usize::from(choice & 1), next())]);
    }
    let dual = DualPoint { w, y, pairs, n, cuts };
    let partition = Partition::new(vec![0, usize::from(choice & 1)]);
    let certificate = match (choice & 6, partition) {
        (0, _) => Certificate::new(dual),
        (2, Ok(partition)) => Certificate::of_blocks(dual, partition),
        (_, Ok(partition)) => {
            let heads = (0..partition.count()).map(|_| Mat::from_fn(2, 2, |_, _| next())).collect();
            match partition.with_heads(heads) {
                Ok(partition) => Certificate::of_blocks(dual, partition),
                Err(_) => return,
            }
        }
        _ => return,
    };
    if let Ok(proof) = prove(&PROBLEM, &certificate) {
        assert!(proof.lower_bound() <= 1.75, "{certificate:?}");
    }
});
