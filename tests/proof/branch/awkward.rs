//! Problems that are made to break a proof: cancelling weights, all magnitudes, parallel, dependent and missing samples.

use super::maximum::{candidates, holds};
use super::tiny::check;
use crate::exact::dyadic::Stream;
use faer::Mat;
use relucert::certificate::branch::{NeuronClaim, SearchSettings};
use relucert::certificate::{Grade, ProofSettings, prove_with};
use relucert::{Control, Error, TrainingProblem};

const KINDS: usize = 12;

/// One awkward problem, and how close to its maximum a proof must come.
fn awkward(kind: usize, stream: &mut Stream) -> (Mat<f64>, Mat<f64>, Option<f64>) {
    let (n, d, c) = (2 + stream.below(5), 1 + stream.below(3), 1 + stream.below(3));
    let (mut x, mut w) = (stream.matrix(n, d), stream.matrix(n, c));
    let mut tight = Some(1e-9);
    match kind {
        // Weights that cancel: the last sample is nearly a copy of the first, with the opposite weight.
        0 => {
            let off = 10f64.powf(-16.0 * stream.next().abs());
            (0..d).for_each(|k| x[(n - 1, k)] = x[(0, k)] * (1.0 + off * stream.next()));
            (0..c).for_each(|j| w[(n - 1, j)] = -w[(0, j)]);
        }
        // 10^±150, sample by sample.
        1 => {
            for i in 0..n {
                let power = [150, -150, 0][stream.below(3)];
                (0..d).for_each(|k| x[(i, k)] *= 10f64.powi(power));
                (0..c).for_each(|j| w[(i, j)] *= 10f64.powi(-power + [0, -8][stream.below(2)]));
            }
        }
        // Duplicates.
        2 => {
            (0..d).for_each(|k| x[(n - 1, k)] = x[(0, k)]);
        }
        // Rows of zeros in either.
        3 => {
            (0..d).for_each(|k| x[(0, k)] = 0.0);
            (0..c).for_each(|j| w[(n - 1, j)] = if n > 2 { 0.0 } else { w[(n - 1, j)] });
        }
        // Subnormal entries beside ordinary ones.
        4 => {
            x[(0, 0)] = f64::from_bits(1 + stream.below(1 << 40) as u64);
            w[(n - 1, 0)] = -f64::from_bits(1 + stream.below(1 << 40) as u64);
        }
        // Everything subnormal in W.
        5 => {
            w = Mat::from_fn(n, c, |i, j| w[(i, j)] * 1e-310);
            tight = None;
        }
        // Parallel and nearly parallel samples, and opposite ones.
        6 => {
            let off = [0.0, 1e-15, 1e-12, 1e-8, 1e-4][stream.below(5)];
            for i in 1..n {
                let scale = stream.next();
                (0..d).for_each(|k| x[(i, k)] = scale * x[(0, k)] + off * x[(i, k)]);
            }
            tight = Some(1e-9).filter(|_| off != 1e-12 && off != 1e-15);
        }
        // Rank deficient: the last feature is a combination of the others.
        7 => {
            (0..n).for_each(|i| {
                x[(i, d - 1)] =
                    if d > 1 { (0..d - 1).map(|k| (k + 1) as f64 * x[(i, k)]).sum() } else { x[(i, 0)] }
            });
        }
        // Samples on the axes, and on the diagonals.
        8 => {
            let axis = stream.below(2) == 0;
            x = Mat::from_fn(n, d, |i, k| {
                let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
                if axis { if i % d == k { sign } else { 0.0 } } else { [sign, 1.0, -1.0][(i + k) % 3] }
            });
        }
        // Small integers: ties everywhere.
        9 => {
            x = Mat::from_fn(n, d, |_, _| (3.0 * stream.next()).round());
            w = Mat::from_fn(n, c, |_, _| (3.0 * stream.next()).round());
        }
        // Features of very different sizes.
        10 => {
            (0..n).for_each(|i| (0..d).for_each(|k| x[(i, k)] *= 10f64.powi(-5 * k as i32)));
            tight = None;
        }
        // W of rank one: nothing across.
        _ => {
            (1..n).for_each(|i| {
                let scale = stream.next();
                (0..c).for_each(|j| w[(i, j)] = scale * w[(0, j)]);
            });
        }
    }
    (x, w, tight)
}

#[test]
fn awkward_problems() {
    let mut stream = Stream(31337);
    for round in 0..20 * KINDS {
        let (x, w, tight) = awkward(round % KINDS, &mut stream);
        if candidates(&x, &w).first().is_none_or(|best| best.0 == 0.0) {
            continue;
        }
        check(&x, &w, tight, &format!("kind {}, round {}", round % KINDS, round / KINDS));
    }
}

#[test]
fn nothing_at_all_is_proved_at_once() {
    for (x, w) in [
        (Mat::full(3, 2, 1.0), Mat::zeros(3, 2)),
        (Mat::zeros(3, 2), Mat::full(3, 2, 1.0)),
        (Mat::full(1, 1, -2.0), Mat::zeros(1, 1)),
    ] {
        let problem = TrainingProblem::new(x, Mat::full(w.nrows(), w.ncols(), 1.0), 0.5).unwrap();
        let claim = NeuronClaim::new(&problem, w).unwrap();
        let search =
            |level| claim.search(level, &SearchSettings::default(), &Control::new(), &mut |_| {}).proved;
        for level in [0.0, 1e-300, 1.0] {
            let (certificate, proof) = claim.certify(search(level).unwrap()).unwrap();
            assert!(certificate.is_by_branch() && proof.lower_bound() >= 0.0);
        }
        for level in [-1e-300, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(search(level).is_none(), "{level}");
        }
    }
}

#[test]
fn levels_that_are_no_levels_prove_nothing() {
    let mut stream = Stream(3);
    let (x, w) = (stream.matrix(6, 2), stream.matrix(6, 2));
    let problem = TrainingProblem::new(x, Mat::zeros(6, 2), 1.0).unwrap();
    let claim = NeuronClaim::new(&problem, w).unwrap();
    for level in [0.0, -1.0, f64::MIN_POSITIVE, f64::NAN, f64::INFINITY] {
        assert!(
            claim.search(level, &SearchSettings::default(), &Control::new(), &mut |_| {}).proved.is_none()
        );
    }
    for level in [1e6, 1e300] {
        assert!(
            claim.search(level, &SearchSettings::default(), &Control::new(), &mut |_| {}).proved.is_some()
        );
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let x = Mat::full(3, 2, 1.0);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut broken = x.clone();
        broken[(1, 1)] = bad;
        let refused = TrainingProblem::new(broken, Mat::zeros(3, 1), 1.0);
        assert!(matches!(refused, Err(Error::NotFinite { row: 1, column: 1, .. })));
        let problem = TrainingProblem::new(x.clone(), Mat::zeros(3, 1), 1.0).unwrap();
        let mut w = Mat::full(3, 1, 1.0);
        w[(2, 0)] = bad;
        assert!(matches!(NeuronClaim::new(&problem, w), Err(Error::NotFinite { row: 2, column: 0, .. })));
    }
    let problem = TrainingProblem::new(x, Mat::zeros(3, 1), 1.0).unwrap();
    for (rows, columns) in [(2, 1), (3, 2), (1, 3)] {
        assert!(matches!(NeuronClaim::new(&problem, Mat::zeros(rows, columns)), Err(Error::Shape { .. })));
    }
}

/// The stored W of a certificate satisfies its claim at γ exactly, at every maximum; and is proved anew from its numbers.
#[test]
fn certificates_satisfy_their_claims() {
    let mut stream = Stream(2718);
    let mut made = 0;
    for round in 0..20 * KINDS {
        let (x, w, _) = awkward(round % KINDS, &mut stream);
        let best = candidates(&x, &w);
        let Some(&(largest, _)) = best.first().filter(|best| best.0 > 0.0) else { continue };
        let gamma = largest * [1.0, 0.3, 7.0, 1e-5][stream.below(4)];
        // Targets with which the multiple of W wants to be large.
        let y = Mat::from_fn(x.nrows(), w.ncols(), |i, j| w[(i, j)].signum() * largest.min(1e100));
        let Ok(problem) = TrainingProblem::new(x.clone(), y, gamma) else { continue };
        let claim = NeuronClaim::new(&problem, w).unwrap();
        let settings = SearchSettings { cells: 100_000, ..SearchSettings::default() };
        let search = claim.search(largest * (1.0 + 1e-7), &settings, &Control::new(), &mut |_| {});
        let Some(level) = search.proved else { continue };
        let Ok((certificate, _)) = claim.certify(level) else { continue };
        made += 1;
        let scaled = certificate.dual().w.clone();
        for (_, u) in &best {
            assert!(holds(&x, &scaled, gamma, u), "round {round}: {u:?}");
        }
        let settings = ProofSettings { search: settings.clone(), ..ProofSettings::default() };
        let proof = prove_with(&problem, &certificate, &settings).unwrap();
        assert_eq!(proof.grade(), Grade::Verified);
        // A little more than holds is refused.
        if scaled.norm_max() > 1e-290 {
            let largest = candidates(&x, &scaled)[0].0;
            let more = gamma / largest * (1.0 + 1e-6);
            let forged = Mat::from_fn(scaled.nrows(), scaled.ncols(), |i, j| scaled[(i, j)] * more);
            let forged = relucert::certificate::Certificate::of_claim(forged);
            let proof = prove_with(&problem, &forged, &settings);
            assert!(proof.is_err() || proof.is_ok_and(|proof| proof.grade() == Grade::None), "round {round}");
        }
    }
    assert!(made > 100, "{made}");
}
