//! Budgets, stopping, threads, sparse features and scales.

use crate::exact::dyadic::Stream;
use faer::Mat;
use relucert::certificate::branch::{NeuronClaim, Search, SearchSettings};
use relucert::{Control, TrainingProblem};
use sprs::{CsMat, TriMat};

fn problem(x: &Mat<f64>, c: usize, gamma: f64) -> TrainingProblem {
    TrainingProblem::new(x.clone(), Mat::zeros(x.nrows(), c), gamma).unwrap()
}

fn case(seed: u64, n: usize, d: usize, c: usize) -> (Mat<f64>, Mat<f64>) {
    let mut stream = Stream(seed);
    (stream.matrix(n, d), stream.matrix(n, c))
}

fn run<'a>(claim: &'a NeuronClaim<'_>, level: f64, cells: u64) -> Search<'a> {
    let settings = SearchSettings { cells, ..SearchSettings::default() };
    claim.search(level, &settings, &Control::new(), &mut |_| {})
}

/// All bits of an outcome.
fn bits(search: &Search<'_>) -> (Option<u64>, Vec<Vec<u64>>, u64, u64, u64, u64) {
    let words = |u: &Vec<f64>| u.iter().map(|u| u.to_bits()).collect();
    (
        search.proved.map(|level| level.value().to_bits()),
        search.violators.iter().map(words).collect(),
        search.largest.to_bits(),
        search.cells,
        search.visits,
        search.share.to_bits(),
    )
}

/// The largest ratio, to a part in a thousand: 1.001 times it is proved.
fn about(claim: &NeuronClaim<'_>) -> f64 {
    let mut level = 1e-3;
    loop {
        let seen = run(claim, level * 1.001, u64::MAX);
        if seen.proved.is_some() {
            return level;
        }
        // None where the edge of the violation was met first, in cells that cannot be split.
        level = if seen.violators.is_empty() { 1.0005 * level } else { seen.largest };
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    for (seed, n, d, c) in [(1, 60, 3, 1), (2, 40, 4, 2), (3, 80, 2, 3), (4, 200, 5, 1)] {
        let (x, w) = case(seed, n, d, c);
        let problem = problem(&x, c, 1.0);
        let claim = NeuronClaim::new(&problem, w).unwrap();
        let level = about(&claim);
        for (factor, cells) in [(1.1, u64::MAX), (0.9, u64::MAX), (1.0, 100), (0.999, 3_000)] {
            let outcome = [1, 2, 8].map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| bits(&run(&claim, factor * level, cells)))
            });
            assert_eq!(outcome[0], outcome[1]);
            assert_eq!(outcome[0], outcome[2]);
            assert_eq!(outcome[0].0.is_some(), factor == 1.1);
        }
    }
}

#[test]
fn a_budget_is_kept_and_proves_nothing_by_running_out() {
    let (x, w) = case(7, 50, 4, 2);
    let problem = problem(&x, 2, 1.0);
    let claim = NeuronClaim::new(&problem, w).unwrap();
    let level = 1.002 * about(&claim);
    let whole = run(&claim, level, u64::MAX);
    assert!(whole.proved.is_some() && (whole.share - 1.0).abs() < 1e-12);
    for cells in [1, 2, 63, 64, 65, whole.cells / 2, whole.cells - 64] {
        let part = run(&claim, level, cells);
        assert!(part.proved.is_none() && part.share < 1.0, "{cells} of {} cells", whole.cells);
        // Shares of a budget are rounded upwards.
        assert!(part.cells < cells + 64, "{} of {cells} cells", part.cells);
    }
    assert_eq!(run(&claim, level, 1).cells, 1);
    let settings = SearchSettings { visits: 1, ..SearchSettings::default() };
    let part = claim.search(level, &settings, &Control::new(), &mut |_| {});
    assert!(part.proved.is_none() && part.cells == 1);
    let settings = SearchSettings { cells: 0, visits: 0 };
    let none = claim.search(level, &settings, &Control::new(), &mut |_| {});
    assert!(none.proved.is_none() && none.cells == 0 && none.share == 0.0);
}

#[test]
fn a_stop_proves_nothing() {
    let (x, w) = case(8, 60, 4, 1);
    let problem = problem(&x, 1, 1.0);
    let claim = NeuronClaim::new(&problem, w).unwrap();
    let level = 1.001 * about(&claim);
    let control = Control::new();
    control.cancel();
    let stopped = claim.search(level, &SearchSettings::default(), &control, &mut |_| {});
    assert!(stopped.proved.is_none() && stopped.cells == 0);
    // In the middle: the first report stops it.
    let control = Control::new();
    let settings = SearchSettings { cells: 40_000, ..SearchSettings::default() };
    let mut reports = 0;
    let stopped = claim.search(0.97 * level, &settings, &control, &mut |_| {
        reports += 1;
        control.cancel();
    });
    assert!(stopped.proved.is_none() && reports == 1);
}

#[test]
fn sparse_features_are_searched_as_dense_ones_are() {
    for c in [1, 3] {
        let (mut x, w) = case(11, 40, 6, c);
        // Two columns are empty, and a third of the rest is.
        for i in 0..40 {
            (x[(i, 1)], x[(i, 4)]) = (0.0, 0.0);
            x[(i, [0, 2, 3, 5][i % 4])] = 0.0;
        }
        let mut entries = TriMat::new((40, 6));
        for (i, k) in (0..40).flat_map(|i| (0..6).map(move |k| (i, k))) {
            // A stored zero is an entry that is not there.
            if x[(i, k)] != 0.0 || (i, k) == (3, 1) {
                entries.add_triplet(i, k, x[(i, k)]);
            }
        }
        let sparse: CsMat<f64> = entries.to_csr();
        let sparse = TrainingProblem::new(sparse, Mat::zeros(40, c), 1.0).unwrap();
        let dense = problem(&x, c, 1.0);
        let claims = [NeuronClaim::new(&sparse, w.clone()).unwrap(), NeuronClaim::new(&dense, w).unwrap()];
        assert_eq!(claims[0].dimension(), 4);
        let level = about(&claims[1]);
        for factor in [0.9, 1.05] {
            let [a, b] = [0, 1].map(|k| bits(&run(&claims[k], factor * level, u64::MAX)));
            assert_eq!(a, b);
        }
    }
}

#[test]
fn a_scale_moved_from_w_to_x_changes_nothing() {
    for (seed, c) in [(21, 1), (22, 2)] {
        let (x, w) = case(seed, 30, 3, c);
        let plain = problem(&x, c, 1.0);
        let claim = NeuronClaim::new(&plain, w.clone()).unwrap();
        let level = about(&claim);
        for power in [-300, -17, 1, 64, 400] {
            let scale = 2f64.powi(power);
            let moved = problem(&Mat::from_fn(30, 3, |i, k| x[(i, k)] * scale), c, 1.0);
            let other = NeuronClaim::new(&moved, Mat::from_fn(30, c, |i, j| w[(i, j)] / scale)).unwrap();
            // Sample by sample as well; the axes are then others, and so are the cells.
            let scale = |i: usize| if i.is_multiple_of(2) { scale } else { 8.0 };
            let mixed = problem(&Mat::from_fn(30, 3, |i, k| x[(i, k)] * scale(i)), c, 1.0);
            let third = NeuronClaim::new(&mixed, Mat::from_fn(30, c, |i, j| w[(i, j)] / scale(i))).unwrap();
            for factor in [0.9, 1.05] {
                let expected = bits(&run(&claim, factor * level, u64::MAX));
                assert_eq!(expected, bits(&run(&other, factor * level, u64::MAX)));
                assert_eq!(expected.0.is_some(), run(&third, factor * level, u64::MAX).proved.is_some());
            }
        }
    }
}
