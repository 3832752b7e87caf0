//! The proof of a convolutional bound: what is stored decides, and a W that claims too much is refused.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use relucert::certificate::{Grade, ProofSettings, prove_convolution};
use relucert::convolution::{ConvolutionSettings, certify};
use relucert::{
    Control, ConvolutionShape, ConvolutionalProblem, Pooling, Saved, convolution_report, save_convolution,
};

fn problem(shape: ConvolutionShape, n: usize, c: usize, seed: u64) -> ConvolutionalProblem {
    let mut rng = Pcg64::seed_from_u64(seed);
    // Few different pixels, so that patches are equal.
    let x = Mat::from_fn(n, shape.inputs(), |_, _| f64::from(rng.random_range(-1i32..=1)) * 0.7);
    let y = Mat::from_fn(n, c, |_, _| rng.random_range(-1.0..1.0));
    ConvolutionalProblem::new(shape, x.as_ref(), y, 0.1).unwrap()
}

/// The largest |Wᵀ pooled(u)|/|u| at random filters, by the definition.
fn largest(problem: &ConvolutionalProblem, w: &Mat<f64>, seed: u64) -> f64 {
    let shape = problem.shape();
    let mut rng = Pcg64::seed_from_u64(seed);
    let (h, blocks) = (shape.weights(), shape.blocks());
    let mut largest: f64 = 0.0;
    for _ in 0..3_000 {
        let u = Mat::from_fn(h, 1, |_, _| rng.random_range(-1.0..1.0));
        let mut square = 0.0;
        for block in 0..blocks {
            let output = Mat::from_fn(1, blocks, |_, q| f64::from(u8::from(q == block)));
            let neuron = relucert::ConvolutionalNetwork::new(u.clone(), output, blocks).unwrap();
            let response = neuron.predict(shape, problem.images());
            square += (w.transpose() * &response).squared_norm_l2();
        }
        largest = largest.max(square.sqrt() / u.norm_l2());
    }
    largest
}

#[test]
fn a_certificate_is_proved_again_and_a_hostile_one_is_refused() {
    let shapes = [
        ConvolutionShape::new([3, 4, 1], [2, 2], 1, Pooling::Average).unwrap(),
        ConvolutionShape::new([1, 6, 1], [1, 3], 1, Pooling::Blocks(1, 2)).unwrap(),
        ConvolutionShape::new([1, 4, 1], [1, 2], 1, Pooling::None).unwrap(),
    ];
    for (seed, shape) in shapes.into_iter().enumerate() {
        let problem = problem(shape, 25, 2, seed as u64);
        let found =
            certify(&problem, 1e-2, &ConvolutionSettings::default(), &Control::new(), &mut |_| {}).unwrap();
        let (w, proof) = found.bound.as_ref().unwrap();
        let settings = ProofSettings::default();
        let again = prove_convolution(&problem, w.as_ref(), &settings).unwrap();
        assert_eq!(again.grade(), Grade::Verified);
        assert_eq!(again.lower_bound().value().to_bits(), proof.lower_bound().value().to_bits());
        assert!(proof.lower_bound() <= found.upper_bound && proof.lower_bound() > 0.0);
        assert!(largest(&problem, w, 1) <= problem.weight_decay());
        // A W that a random filter shows to claim too much.
        let scale = 1.001 * problem.weight_decay() / largest(&problem, w, 2);
        let hostile = Mat::from_fn(w.nrows(), w.ncols(), |i, j| scale * w[(i, j)]);
        assert!(prove_convolution(&problem, hostile.as_ref(), &settings).is_err());
        assert!(prove_convolution(&problem, Mat::zeros(3, 2).as_ref(), &settings).is_err());
        let not_finite = Mat::full(25, 2, f64::NAN);
        assert!(prove_convolution(&problem, not_finite.as_ref(), &settings).is_err());
        let none = prove_convolution(&problem, Mat::zeros(25, 2).as_ref(), &settings).unwrap();
        assert_eq!(none.lower_bound().value(), 0.0);
    }
}

#[test]
fn a_saved_run_is_judged_from_its_files() {
    let shape = ConvolutionShape::new([3, 4, 1], [2, 2], 1, Pooling::Blocks(2, 1)).unwrap();
    let problem = problem(shape, 25, 2, 9);
    let found =
        certify(&problem, 1e-2, &ConvolutionSettings::default(), &Control::new(), &mut |_| {}).unwrap();
    let folder = std::env::temp_dir().join(format!("relucert-convolution-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    save_convolution(&problem, &found, &folder).unwrap();
    let report = convolution_report(&problem, &found, 1.0, &Control::new());
    std::fs::write(folder.join("report.json"), serde_json::to_string(&report).unwrap()).unwrap();
    let verdict = Saved::load(&folder).unwrap().judge(&ProofSettings::default()).unwrap();
    assert!(verdict.proved, "{:?}", verdict.objection);
    assert_eq!(verdict.network_width, Some(found.network.width()));
    assert_eq!(verdict.features, 12);
    // A report that claims more.
    let more = serde_json::to_string(&report).unwrap().replace(
        &format!("\"lower_bound\":{}", serde_json::to_string(&report.lower_bound).unwrap()),
        &format!("\"lower_bound\":{}", found.upper_bound.value() * 1.01),
    );
    std::fs::write(folder.join("report.json"), more).unwrap();
    assert!(!Saved::load(&folder).unwrap().judge(&ProofSettings::default()).unwrap().proved);
    // A problem of another shape is another problem.
    let other = ConvolutionShape::new([4, 3, 1], [2, 2], 1, Pooling::Average).unwrap();
    let moved =
        ConvolutionalProblem::new(other, problem.images(), problem.targets().to_owned(), 0.1).unwrap();
    relucert::io::save_convolutional_problem(&folder.join("problem.npz"), &moved).unwrap();
    let judged = Saved::load(&folder).and_then(|saved| saved.judge(&ProofSettings::default()));
    assert!(judged.is_err() || !judged.unwrap().proved);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// What a file could ask for: patches that are far larger together than the image.
#[test]
fn patches_that_would_fill_the_memory_are_refused() {
    for (side, filter) in [(1024, 512), (256, 128)] {
        let shape = ConvolutionShape::new([side, side, 1], [filter, filter], 1, Pooling::Average).unwrap();
        let images = Mat::from_fn(1, side * side, |_, k| k as f64);
        let targets = Mat::from_fn(1, 1, |_, _| 1.0);
        let problem = ConvolutionalProblem::new(shape, images.as_ref(), targets, 1.0).unwrap();
        let message = problem.lifted().map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("smaller filters"), "{message}");
    }
}
