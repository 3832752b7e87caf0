//! Convolutional first layers: training, the road to the bound, and the enumeration of patterns as judge.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use relucert::baselines::arrangements::ArrangementSettings;
use relucert::branch::BranchStatus;
use relucert::convolution::descent::objective_gradient;
use relucert::convolution::{
    ConvolutionSettings, Convolved, certify, enumeration, projected_objective, train,
};
use relucert::{Control, ConvolutionShape, ConvolutionalNetwork, ConvolutionalProblem, Pooling};

fn random(rows: usize, columns: usize, rng: &mut Pcg64) -> Mat<f64> {
    Mat::from_fn(rows, columns, |_, _| rng.random_range(-1.0..1.0))
}

fn problem(shape: ConvolutionShape, n: usize, c: usize, gamma: f64, seed: u64) -> ConvolutionalProblem {
    let mut rng = Pcg64::seed_from_u64(seed);
    let x = random(n, shape.inputs(), &mut rng);
    ConvolutionalProblem::new(shape, x.as_ref(), random(n, c, &mut rng), gamma).unwrap()
}

fn run(problem: &ConvolutionalProblem, tolerance: f64) -> Convolved {
    certify(problem, tolerance, &ConvolutionSettings::default(), &Control::new(), &mut |_| {}).unwrap()
}

/// Predictions by the definition, patch by patch.
fn slow(problem: &ConvolutionalProblem, network: &ConvolutionalNetwork) -> Mat<f64> {
    let shape = problem.shape();
    let ([_, w, ch], [a, b], s, [p, q]) = (shape.image(), shape.filter(), shape.stride(), shape.pool());
    let ([rows, columns], m) = (shape.grid(), network.width());
    let mut z = Mat::zeros(problem.samples(), problem.outputs());
    for i in 0..problem.samples() {
        for row in 0..rows {
            for column in 0..columns {
                let block = row / p * (columns / q) + column / q;
                for j in 0..m {
                    let mut t = 0.0;
                    for weight in 0..shape.weights() {
                        let (pixel, channel) = (weight / ch, weight % ch);
                        let (y, x) = (row * s + pixel / b, column * s + pixel % b);
                        assert!(pixel / b < a);
                        t += network.filters()[(weight, j)]
                            * problem.images()[(i, (y * w + x) * ch + channel)];
                    }
                    for o in 0..problem.outputs() {
                        z[(i, o)] += network.output()[(o, block * m + j)] * f64::max(t, 0.0) / (p * q) as f64;
                    }
                }
            }
        }
    }
    z
}

fn shapes() -> [ConvolutionShape; 4] {
    [
        ConvolutionShape::new([4, 5, 1], [2, 2], 1, Pooling::Average).unwrap(),
        ConvolutionShape::new([5, 4, 2], [2, 1], 1, Pooling::Blocks(2, 2)).unwrap(),
        ConvolutionShape::new([1, 7, 1], [1, 3], 2, Pooling::None).unwrap(),
        ConvolutionShape::new([5, 7, 1], [3, 3], 2, Pooling::Blocks(1, 3)).unwrap(),
    ]
}

#[test]
fn predictions_are_those_of_the_definition_and_the_upper_bound_is_above() {
    for (seed, shape) in shapes().into_iter().enumerate() {
        let problem = problem(shape, 18, 2, 0.3, seed as u64);
        let mut rng = Pcg64::seed_from_u64(7);
        let filters = random(shape.weights(), 5, &mut rng);
        let output = random(2, 5 * shape.blocks(), &mut rng);
        let network = ConvolutionalNetwork::new(filters, output, shape.blocks()).unwrap();
        let (fast, slow) = (network.predict_for(&problem), slow(&problem, &network));
        assert!((&fast - &slow).norm_max() < 1e-13);
        let (upper, value) = (network.objective_upper(&problem).value(), network.objective(&problem));
        assert!(upper >= value && upper <= value * (1.0 + 1e-10), "{upper} {value}");
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for (seed, shape) in shapes().into_iter().enumerate() {
        for n in [4, 40] {
            let problem = problem(shape, n, 2, 0.3, seed as u64);
            let mut rng = Pcg64::seed_from_u64(11);
            let filters = random(shape.weights(), 3, &mut rng);
            let (_, gradient) = projected_objective(&problem, filters.as_ref()).unwrap();
            let output = random(2, 3 * shape.blocks(), &mut rng);
            let network = |u: &Mat<f64>, v: &Mat<f64>| {
                ConvolutionalNetwork::new(u.clone(), v.clone(), shape.blocks()).unwrap()
            };
            let (_, by_filters, by_output) = objective_gradient(&problem, &network(&filters, &output));
            let step = 1e-6;
            for k in 0..shape.weights() {
                let moved = |sign: f64| {
                    let mut moved = filters.clone();
                    moved[(k, 1)] += sign * step;
                    moved
                };
                let [above, below] = [1.0, -1.0].map(moved);
                let projected = |u: &Mat<f64>| projected_objective(&problem, u.as_ref()).unwrap().0;
                let slope = (projected(&above) - projected(&below)) / (2.0 * step);
                assert!((slope - gradient[(k, 1)]).abs() < 1e-5 * (1.0 + slope.abs()));
                let plain = |u: &Mat<f64>| network(u, &output).objective(&problem);
                let slope = (plain(&above) - plain(&below)) / (2.0 * step);
                assert!((slope - by_filters[(k, 1)]).abs() < 1e-5 * (1.0 + slope.abs()));
            }
            let column = output.ncols() - 1;
            let moved = |sign: f64| {
                let mut moved = output.clone();
                moved[(1, column)] += sign * step;
                network(&filters, &moved).objective(&problem)
            };
            let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
            assert!((slope - by_output[(1, column)]).abs() < 1e-5 * (1.0 + slope.abs()));
        }
    }
}

#[test]
fn the_enumeration_agrees_with_the_road() {
    let shapes = [
        ConvolutionShape::new([1, 6, 1], [1, 2], 1, Pooling::Average).unwrap(),
        ConvolutionShape::new([3, 3, 1], [1, 2], 1, Pooling::Blocks(3, 1)).unwrap(),
        ConvolutionShape::new([1, 4, 1], [1, 2], 1, Pooling::None).unwrap(),
        ConvolutionShape::new([1, 5, 1], [1, 3], 2, Pooling::Average).unwrap(),
    ];
    for (seed, shape) in shapes.into_iter().enumerate() {
        for c in [1, 3] {
            let problem = problem(shape, 12, c, 0.05, 30 + seed as u64);
            let exact =
                enumeration::solve(&problem, &ArrangementSettings::default(), &Control::new()).unwrap();
            assert!(exact.converged, "{exact:?}");
            let found = run(&problem, 1e-6);
            let lower = found.lower_bound().value();
            assert!(lower <= exact.upper && found.upper_bound.value() >= exact.lower * (1.0 - 1e-12));
            let gap = (exact.upper - lower).max(found.upper_bound.value() - exact.lower) / exact.upper;
            assert!(gap <= 3e-6, "{seed} {c}: {gap:e}, {:?}", found.status);
        }
    }
}

#[test]
fn a_full_filter_is_a_plain_neuron() {
    let shape = ConvolutionShape::new([1, 3, 1], [1, 3], 1, Pooling::Average).unwrap();
    let problem = problem(shape, 30, 2, 0.3, 3);
    let plain =
        relucert::TrainingProblem::new(problem.images().to_owned(), problem.targets().to_owned(), 0.3)
            .unwrap();
    let settings = relucert::CertifySettings { tolerance: 1e-5, ..Default::default() };
    let other = relucert::certify(&plain, &settings, &Control::new(), &mut relucert::Silent).unwrap();
    let found = run(&problem, 1e-5);
    assert!(found.lower_bound() <= other.network.objective_upper(&plain));
    assert!(other.proof.lower_bound() <= found.upper_bound);
    let difference = found.upper_bound.value() - other.network.objective_upper(&plain).value();
    assert!(difference.abs() <= 2e-5 * found.upper_bound.value());
}

#[test]
fn the_order_of_samples_and_the_number_of_threads_do_not_matter() {
    let shape = ConvolutionShape::new([4, 4, 1], [2, 2], 1, Pooling::Average).unwrap();
    let given = problem(shape, 40, 2, 0.2, 5);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&given, 1e-2))
    };
    let (one, three) = (with(1), with(3));
    assert_eq!(one.status, BranchStatus::Reached);
    assert_eq!(one.lower_bound().value().to_bits(), three.lower_bound().value().to_bits());
    assert_eq!(one.network.filters(), three.network.filters());
    assert_eq!(one.cells, three.cells);
    let turned =
        |m: faer::MatRef<'_, f64>| Mat::from_fn(m.nrows(), m.ncols(), |i, j| m[(m.nrows() - 1 - i, j)]);
    let reversed =
        ConvolutionalProblem::new(shape, turned(given.images()).as_ref(), turned(given.targets()), 0.2)
            .unwrap();
    let found = run(&reversed, 1e-2);
    assert!(found.lower_bound() <= one.upper_bound && one.lower_bound() <= found.upper_bound);
    assert!((found.upper_bound.value() / one.upper_bound.value() - 1.0).abs() < 1e-2);
}

#[test]
fn training_is_never_worse_than_nothing() {
    let shape = ConvolutionShape::new([1, 4, 1], [1, 2], 1, Pooling::Average).unwrap();
    let images = Mat::zeros(5, 4);
    let flat = ConvolutionalProblem::new(shape, images.as_ref(), Mat::full(5, 1, 1.0), 0.1).unwrap();
    let network = train(&flat, 1e-2, &Default::default(), &Control::new()).unwrap();
    assert_eq!((network.width(), network.objective(&flat)), (0, flat.zero_objective()));
    let found = run(&flat, 1e-2);
    assert_eq!(found.status, BranchStatus::Reached);
    let heavy = problem(shape, 20, 1, 1e6, 1);
    assert!(
        train(&heavy, 1e-2, &Default::default(), &Control::new()).unwrap().objective(&heavy)
            <= heavy.zero_objective()
    );
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let refused = |image, filter, stride, pooling| {
        assert!(ConvolutionShape::new(image, filter, stride, pooling).is_err());
    };
    refused([4, 4, 1], [5, 1], 1, Pooling::Average);
    refused([4, 4, 1], [2, 2], 0, Pooling::Average);
    refused([4, 4, 1], [2, 2], 1, Pooling::Blocks(2, 1));
    refused([0, 4, 1], [1, 2], 1, Pooling::None);
    refused([usize::MAX, 2, 1], [1, 1], 1, Pooling::None);
}
