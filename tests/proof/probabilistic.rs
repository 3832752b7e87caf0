//! The probabilistic grade: its law on known spectra, and what it accepts and refuses.

use crate::common::gaussian;
use faer::Mat;
use relucert::TrainingProblem;
use relucert::certificate::{
    BoundedOperator, Certificate, Grade, ProofSettings, prove, prove_with, semidefinite_except,
};
use relucert::dual::DualPoint;
use relucert::repair::{certify_dual, certify_dual_with};
use std::f64::consts::PI;

/// H diag(spectrum) H with a Householder reflection H, so that no coordinate is special.
struct Spectrum {
    values: Vec<f64>,
    mirror: Vec<f64>,
    square: f64,
}

impl Spectrum {
    fn new(values: Vec<f64>) -> Self {
        let mirror: Vec<f64> = (0..values.len()).map(|i| (1.0 + i as f64).sin() + 0.2).collect();
        let square = mirror.iter().map(|v| v * v).sum();
        Self { values, mirror, square }
    }

    fn reflect(&self, x: &mut [f64]) {
        let inner: f64 = self.mirror.iter().zip(x.iter()).map(|(v, x)| v * x).sum();
        let factor = 2.0 * inner / self.square;
        x.iter_mut().zip(&self.mirror).for_each(|(x, v)| *x -= factor * v);
    }
}

impl BoundedOperator for Spectrum {
    fn order(&self) -> usize {
        self.values.len()
    }

    fn apply(&self, x: &[f64], out: &mut [f64]) {
        out.copy_from_slice(x);
        self.reflect(out);
        out.iter_mut().zip(&self.values).for_each(|(x, value)| *x *= value);
        self.reflect(out);
    }

    fn above(&self) -> f64 {
        self.values.iter().copied().fold(0.0, f64::max) + 1e-12
    }

    fn error(&self) -> f64 {
        1e-14 * self.above() * (self.order() as f64).sqrt()
    }
}

/// Ritz values that `steps` steps need for an overlap t, with B = 1: cosh((2k − 1) asinh √(⅞θ/(1 − θ))) = 1/t.
fn needed(steps: usize, overlap: f64) -> f64 {
    let ratio = ((1.0 / overlap).acosh() / (2 * steps - 1) as f64).sinh().powi(2) / 0.875;
    ratio / (1.0 + ratio)
}

/// A negative eigenvalue hidden behind the spectrum that is hardest for Lanczos: the extrema of the polynomial of the
/// law. It may be missed as often as the failure probability says, and no more.
#[test]
fn it_fails_as_rarely_as_it_says() {
    for (steps, order, probability) in [(20, 60, 0.4), (20, 200, 0.1), (40, 120, 0.2)] {
        let overlap = probability / (2.0 * order as f64 / PI).sqrt();
        let theta = 1.1 * needed(steps, overlap);
        let extreme = |j: usize| (j as f64 * PI / (2 * steps - 1) as f64).cos().powi(2);
        // The extreme nearest to the hidden eigenvalue carries the most, and the others share the rest.
        let spectrum = (0..order)
            .map(|i| if i == 0 { -1e-6 } else { 1.0 - (1.0 - theta) * (1.0 - extreme(i % steps)) })
            .collect();
        let operator = Spectrum::new(spectrum);
        let rounds = 1000;
        let missed = (0..rounds)
            .filter(|&seed| semidefinite_except(&operator, probability, seed, steps).is_ok())
            .count();
        let expected = probability * rounds as f64;
        println!("{steps} steps, order {order}: missed {missed}, allowed {expected}");
        assert!(missed as f64 <= expected + 3.0 * expected.sqrt(), "{missed} > {expected}");
        // The law is nearly attained here: were it wrong by a factor, the line above would know.
        assert!(missed as f64 >= 0.2 * expected, "{missed} of {expected}: the spectrum is not hard");
    }
}

#[test]
fn what_is_well_inside_is_accepted_and_what_is_outside_is_not() {
    let spread = |least: f64| {
        Spectrum::new((0..400).map(|i| if i == 0 { least } else { 0.3 + 0.7 * i as f64 / 400.0 }).collect())
    };
    for seed in 0..20 {
        assert!(semidefinite_except(&spread(0.02), 1e-9, seed, 300).is_ok());
        assert!(semidefinite_except(&spread(-1e-3), 1e-9, seed, 300).is_err());
        assert!(semidefinite_except(&spread(-1e-12), 1e-9, seed, 300).is_err());
    }
    // A multiple of the identity ends the Krylov space after one step.
    assert!(semidefinite_except(&Spectrum::new(vec![0.5; 50]), 1e-9, 1, 100).is_ok());
    assert!(semidefinite_except(&Spectrum::new(vec![-0.5; 50]), 1e-9, 1, 100).is_err());
    // Too few steps say so instead of guessing.
    let message = semidefinite_except(&spread(0.02), 1e-9, 0, 20).unwrap_err().to_string();
    assert!(message.contains("20 steps"), "{message}");
}

#[test]
fn a_certificate_gets_the_strongest_grade_that_fits() {
    let (x, noise) = (gaussian(3, 150, 4), gaussian(4, 150, 2));
    let y = Mat::from_fn(150, 2, |i, j| x[(i, j)].max(0.0) + 0.3 * noise[(i, j)]);
    let problem = TrainingProblem::new(x, y, 30.0).unwrap();
    let guess = DualPoint { w: problem.targets().to_owned(), ..DualPoint::zero(150, 2) };
    let (certificate, verified) = certify_dual(&problem, &guess).unwrap();
    assert_eq!((verified.grade(), verified.failure_probability()), (Grade::Verified, 0.0));
    // Without room for a dense factorisation: without pairs there is hardly any fill in a sparse one.
    let small = ProofSettings { dense_limit: Some(100), failure_probability: 1e-6, ..Default::default() };
    let sparse = prove_with(&problem, &certificate, &small).unwrap();
    assert_eq!((sparse.grade(), sparse.lower_bound()), (Grade::Verified, verified.lower_bound()));
    // And without either.
    let small = ProofSettings { sparse: false, positive: false, ..small };
    let (inwards, proof) = certify_dual_with(&problem, certificate.dual(), &small).unwrap();
    assert_eq!((proof.grade(), proof.failure_probability()), (Grade::Probabilistic, 1e-6));
    assert!(
        proof.lower_bound().value() > 0.8 * verified.lower_bound().value(),
        "{}",
        proof.lower_bound().value()
    );
    assert!(proof.lower_bound() <= verified.lower_bound());
    // What it accepts a factorisation proves, and the boundary point leaves no room for chance.
    let again = prove(&problem, &inwards).unwrap();
    assert_eq!((again.grade(), again.lower_bound()), (Grade::Verified, proof.lower_bound()));
    assert!(prove_with(&problem, &certificate, &small).is_err());
    let w = &inwards.dual().w;
    let larger = DualPoint { w: Mat::from_fn(150, 2, |i, j| 1.3 * w[(i, j)]), ..inwards.dual().clone() };
    assert!(prove_with(&problem, &Certificate::new(larger), &small).is_err());
    // The time that is left decides only above the order that a factorisation takes no time for.
    let hurried = ProofSettings { time: Some(std::time::Duration::ZERO), ..Default::default() };
    assert_eq!(prove_with(&problem, &inwards, &hurried).unwrap().grade(), Grade::Verified);
    for wrong in [0.0, -1.0, 0.9, f64::NAN] {
        let settings = ProofSettings { failure_probability: wrong, ..Default::default() };
        assert!(prove_with(&problem, &inwards, &settings).is_err());
    }
    // The same bits for any number of threads.
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (certificate, _) =
            pool.install(|| certify_dual_with(&problem, certificate.dual(), &small).unwrap());
        certificate.dual().y.clone()
    };
    assert_eq!(run(1), run(2));
}
