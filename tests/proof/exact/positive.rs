//! The positive vector at the boundary of its own making, against exact arithmetic.

use super::dyadic::{Stream, is_semidefinite};
use super::{exact_slack, proofs};
use faer::Mat;
use relucert::TrainingProblem;
use relucert::certificate::Certificate;
use relucert::dual::DualPoint;

/// A ring of samples, each joined with the next by so many pairs, such that the sample block alone is at the boundary
/// where `part` is one.
fn ring(stream: &mut Stream, n: usize, joined: usize, part: f64) -> (TrainingProblem, DualPoint) {
    let (d, c) = (1 + stream.below(3), 1 + stream.below(2));
    let problem = TrainingProblem::new(stream.matrix(n, d), stream.matrix(n, c), 2f64.powi(80)).unwrap();
    let mut dual = DualPoint::zero(n, c);
    // Rows of the sample block times z are zero: y_i z_i/2 = Σ N z_j/4, up to rounding.
    let z: Vec<f64> = (0..n).map(|_| 2f64.powf(3.0 * stream.next())).collect();
    let mut rows = vec![0.0; n];
    for i in 0..n {
        let j = (i + 1) % n;
        for (a, b) in [(i, j + n), (i, j), (i + n, j), (i + n, j + n)].into_iter().take(joined) {
            let multiplier = 0.1 * (1.5 + stream.next());
            dual.pairs.push([a, b]);
            dual.n.push(multiplier);
            rows[i] += 0.25 * multiplier * z[j];
            rows[j] += 0.25 * multiplier * z[i];
        }
    }
    dual.y = (0..n).map(|i| -2.0 * rows[i] / (z[i] * part)).collect();
    let w = stream.matrix(n, c);
    let size = 1e-3 * (1.0 - part).max(1e-13).sqrt();
    dual.w = Mat::from_fn(n, c, |i, k| size * w[(i, k)]);
    (problem, dual)
}

#[test]
fn a_sample_block_at_the_boundary_is_judged_exactly() {
    let (mut accepted, mut inside, mut beyond) = (0, 0, 0);
    let rounds = std::env::var("RELUCERT_EXACT_ROUNDS").ok().and_then(|v| v.parse().ok()).unwrap_or(10);
    for seed in 0..rounds {
        for joined in 1..=4 {
            for exponent in [8, 16, 24, 30, 36, 40, 44, 47, 49, 50, 51, 52, 53] {
                let mut stream = Stream(seed * 64 + exponent + 1);
                let n = 3 + stream.below(5);
                let step = 2f64.powi(-(exponent as i32));
                for part in [1.0 - step, 1.0 + step] {
                    let (problem, dual) = ring(&mut stream, n, joined, part);
                    let exact = is_semidefinite(&exact_slack(&problem, &dual));
                    let [.., vector] = proofs(&problem, &Certificate::new(dual.clone()));
                    assert!(exact || vector.is_none(), "seed {seed}, 2^-{exponent}, {part}: {dual:?}");
                    accepted += usize::from(vector.is_some());
                    inside += usize::from(exact);
                    beyond += usize::from(!exact);
                }
            }
        }
    }
    eprintln!("accepted {accepted} of {inside} inside, {beyond} beyond");
    assert!(3 * accepted > inside && beyond > 100, "{accepted} {inside} {beyond}");
}
