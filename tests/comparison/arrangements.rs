//! Activation patterns against known counts and sampling; the optimum over them against published bounds, training and
//! values worked out by hand.

use crate::common::{gaussian, problem, published_problem};
use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::baselines::arrangements::{
    Arrangement, ArrangementSettings, ArrangementSolution, Pattern, solve,
};
use relucert::training::{TrainingSettings, train};
use relucert::{Control, TrainingProblem};
use std::collections::HashSet;
use std::time::Duration;

const LIMIT: usize = 500_000;

fn unlabelled(x: &Mat<f64>) -> TrainingProblem {
    problem(x, &Mat::full(x.nrows(), 1, 1.0), 1.0)
}

fn patterns(x: &Mat<f64>) -> HashSet<Vec<bool>> {
    let arrangement = Arrangement::new(&unlabelled(x), LIMIT).unwrap();
    let bits = |p: &Pattern| (0..x.nrows()).map(|i| p.is_active(i)).collect();
    let all: HashSet<Vec<bool>> = arrangement.patterns().map(bits).collect();
    assert_eq!(all.len(), arrangement.patterns().len(), "a pattern is listed twice");
    all
}

/// Patterns seen at random directions.
fn sampled(x: &Mat<f64>, samples: usize) -> HashSet<Vec<bool>> {
    let mut rng = Pcg64::seed_from_u64(1);
    let mut seen = HashSet::new();
    for _ in 0..samples {
        let u: Vec<f64> = (0..x.ncols()).map(|_| rng.sample(StandardNormal)).collect();
        let inner = |i: usize| (0..x.ncols()).map(|j| x[(i, j)] * u[j]).sum::<f64>();
        seen.insert((0..x.nrows()).map(|i| inner(i) >= 0.0).collect());
    }
    seen
}

fn rows(rows: &[&[f64]]) -> Mat<f64> {
    Mat::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

#[test]
fn general_position_has_the_known_number_of_patterns() {
    let choose = |n: usize, k: usize| (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product::<f64>();
    for (n, rank) in [(3, 1), (17, 2), (60, 2), (3, 3), (13, 3), (70, 3), (9, 4), (16, 4), (8, 5), (6, 6)] {
        // the rank is below the number of features
        let x = gaussian(n as u64, n, rank) * gaussian(90 + n as u64, rank, rank + 2);
        let expected = 2.0 * (0..rank).filter(|&k| k < n).map(|k| choose(n - 1, k)).sum::<f64>();
        assert_eq!(patterns(&x).len(), expected.round() as usize, "n = {n}, rank {rank}");
    }
}

#[test]
fn reflection_arrangements_have_as_many_patterns_as_their_groups_have_elements() {
    // A_k: x_i = x_j, (k+1)! regions; B_k: also x_i = −x_j and x_i = 0, 2^k k! regions. Many hyperplanes meet in a point.
    for (k, a, b) in [(2, 6, 8), (3, 24, 48), (4, 120, 384)] {
        let unit = |i: usize, s: f64, j: usize, t: f64, d: usize| {
            let mut row = vec![0.0; d];
            row[i] += s;
            row[j] += t;
            row
        };
        let mut braid = Vec::new();
        let mut signed = Vec::new();
        for i in 0..=k {
            for j in 0..i {
                braid.push(unit(i, 1.0, j, -1.0, k + 1));
                if i < k {
                    signed.push(unit(i, 1.0, j, -1.0, k));
                    signed.push(unit(i, 0.7, j, 0.7, k));
                }
            }
            if i < k {
                signed.push(unit(i, 3.0, i, 0.0, k));
            }
        }
        for (list, expected) in [(braid, a), (signed, b)] {
            let x = Mat::from_fn(list.len(), list[0].len(), |i, j| list[i][j]);
            let listed = patterns(&x);
            assert_eq!(listed.len(), expected);
            assert_eq!(listed, sampled(&x, 40_000));
        }
    }
}

#[test]
fn copies_opposites_and_zero_rows_add_no_pattern() {
    for (n, d) in [(5, 1), (6, 2), (6, 3), (5, 4)] {
        let x = gaussian(7, n, d);
        let more = Mat::from_fn(2 * n + 1, d, |i, j| match i {
            _ if i < n => x[(i, j)],
            _ if i < 2 * n => x[(i - n, j)] * if i % 2 == 0 { 3.7 } else { -0.01 },
            _ => 0.0,
        });
        let listed = patterns(&more);
        assert_eq!(listed.len(), patterns(&x).len());
        assert!(sampled(&more, 2000).is_subset(&listed));
        assert!(listed.iter().all(|p| p[2 * n]));
    }
}

#[test]
fn what_random_directions_meet_is_listed() {
    // grids: many parallel samples, many hyperplanes through one line
    let grid = Mat::from_fn(27, 3, |i, j| (i / 3usize.pow(j as u32) % 3) as f64 - 1.0);
    let pencil =
        rows(&[&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[1.0, 1.0, 0.0], &[1.0, -1.0, 0.0], &[0.3, 0.2, 1.0]]);
    assert_eq!(patterns(&pencil).len(), 16);
    for x in [grid, pencil, gaussian(3, 14, 3), gaussian(4, 9, 4)] {
        let (listed, seen) = (patterns(&x), sampled(&x, 30_000));
        assert!(seen.is_subset(&listed));
        assert!(seen.len() as f64 > 0.8 * listed.len() as f64, "{} {}", seen.len(), listed.len());
    }
}

#[test]
fn too_many_patterns_are_refused() {
    let x = gaussian(5, 100, 8);
    let error = Arrangement::new(&unlabelled(&x), LIMIT).unwrap_err().to_string();
    assert!(error.contains("100 hyperplanes in 8 dimensions"), "{error}");
    let settings = ArrangementSettings { max_cells: 10, ..Default::default() };
    assert!(solve(&unlabelled(&gaussian(5, 10, 2)), &settings, &Control::new()).is_err());
}

#[test]
fn the_dual_norm_is_the_largest_value_over_all_directions() {
    for (seed, n, d, c) in
        [(1, 12, 2, 1), (2, 9, 2, 3), (3, 12, 3, 2), (4, 7, 3, 1), (5, 6, 4, 2), (6, 5, 1, 2)]
    {
        let x = gaussian(seed, n, d);
        let w = gaussian(100 + seed, n, c);
        let exact = Arrangement::new(&unlabelled(&x), LIMIT).unwrap().dual_norm(w.as_ref()).unwrap();
        let value = |u: &[f64]| {
            let mut gain = vec![0.0; c];
            for i in 0..n {
                let a: f64 = (0..d).map(|j| x[(i, j)] * u[j]).sum::<f64>().max(0.0);
                gain.iter_mut().enumerate().for_each(|(k, g)| *g += a * w[(i, k)]);
            }
            let length = u.iter().map(|u| u * u).sum::<f64>().sqrt();
            gain.iter().map(|g| g * g).sum::<f64>().sqrt() / length
        };
        let mut rng = Pcg64::seed_from_u64(seed);
        let (mut best, mut at) = (0.0, vec![1.0; d]);
        for round in 0..200_000 {
            // anywhere at first, then ever closer to the best
            let width = if round < 100_000 { f64::INFINITY } else { 0.9f64.powi((round - 100_000) / 1000) };
            let u: Vec<f64> = (0..d)
                .map(|j| {
                    let z: f64 = rng.sample(StandardNormal);
                    if width.is_infinite() { z } else { at[j] + width * z }
                })
                .collect();
            let found = value(&u);
            assert!(found <= exact * (1.0 + 1e-12), "{seed}: {found} above {exact}");
            if found > best {
                let length = u.iter().map(|u| u * u).sum::<f64>().sqrt();
                (best, at) = (found, u.iter().map(|u| u / length).collect());
            }
        }
        assert!(best >= exact * (1.0 - 1e-3), "{seed}: {best} far below {exact}");
    }
}

fn optimum(problem: &TrainingProblem) -> ArrangementSolution {
    let found = solve(problem, &ArrangementSettings::default(), &Control::new()).unwrap();
    assert!(found.converged, "{} {} after {} rounds", found.lower, found.upper, found.rounds);
    assert!(found.lower <= found.upper && found.upper - found.lower <= 1e-6 * found.upper);
    // the upper value is that of a network
    assert!(found.upper <= found.network.objective_upper(problem).value());
    assert!(found.network.objective_upper(problem) <= found.upper * (1.0 + 1e-10));
    found
}

#[test]
fn the_optimum_of_published_data_lies_between_relaxation_and_network() {
    // relaxation and best network of the project's tables, and the optimum found here
    let table = [
        ("random_00", 0.1, 8.1014247, 8.90535, 8.9020578),
        ("random_01", 0.1, 6.9150030, 7.68241, 7.6779982),
        ("random_02", 0.1, 7.5978683, 8.02771, 8.0258046),
        ("random_03", 0.1, 8.0455211, 8.35523, 8.3523618),
        ("random_04", 0.1, 6.9514519, 7.61696, 7.6160494),
        ("spiral", 0.1, 16.243526, 16.59336, 16.592977),
        ("random_00", 0.01, 0.84821447, 1.03282, 1.0305816),
        ("random_01", 0.01, 0.73278160, 0.90915, 0.9072454),
        ("random_02", 0.01, 0.79088429, 0.89068, 0.8903562),
        ("random_03", 0.01, 0.82476577, 0.90358, 0.9028238),
        ("random_04", 0.01, 0.71222468, 0.83480, 0.8338153),
        ("spiral", 0.01, 11.85226, 15.15903, 15.1550982),
    ];
    for (name, gamma, relaxation, network, recorded) in table {
        let Some(problem) = published_problem(name, gamma) else { continue };
        let found = optimum(&problem);
        assert!(found.upper >= relaxation * (1.0 - 1e-6), "{name}, {gamma}: {}", found.upper);
        assert!(found.lower <= network * (1.0 + 1e-5), "{name}, {gamma}: {}", found.lower);
        assert!(
            (found.upper - recorded).abs() <= 2e-6 * recorded,
            "{name}, {gamma}: {} {recorded}",
            found.upper
        );
    }
}

#[test]
fn no_training_run_finds_less_and_the_best_finds_as_much() {
    for (seed, n, d, c) in [(1, 10, 3, 1), (2, 10, 3, 2), (3, 8, 4, 1), (4, 12, 2, 3)] {
        let problem = problem(&gaussian(seed, n, d), &gaussian(50 + seed, n, c), 0.5);
        let found = optimum(&problem);
        let mut best = f64::INFINITY;
        for seed in 0..8 {
            let settings = TrainingSettings { seed, width: 20, starts: 1, ..Default::default() };
            let value = train(&problem, &settings, &Control::new()).objective(&problem);
            assert!(value >= found.lower * (1.0 - 1e-12), "{value} below {}", found.lower);
            best = best.min(value);
        }
        assert!(best <= found.upper * (1.0 + 1e-4), "{best} against {}", found.upper);
    }
}

#[test]
fn a_solid_of_sixty_samples_is_solved() {
    let problem = problem(&gaussian(11, 60, 3), &gaussian(12, 60, 2), 1.0);
    let found = optimum(&problem);
    assert_eq!(found.patterns, 2 * (1 + 59 + 59 * 58 / 2));
}

#[test]
fn small_cases_agree_with_values_by_hand() {
    // one direction: a = ‖(Xu)₊‖, and ½(1 − t)²‖Y‖² + γt‖Y‖/a is least at t = 1 − γ/(a‖Y‖)
    let ones = Mat::<f64>::full(6, 2, 1.0);
    let (a, y) = (12f64.sqrt(), 12f64.sqrt());
    let t = 1.0 - 0.1 / (a * y);
    let expected = 0.5 * (1.0 - t).powi(2) * y * y + 0.1 * t * y / a;
    let value = optimum(&problem(&ones, &ones, 0.1)).upper;
    assert!((value - expected).abs() < 2e-7 * expected, "{value} {expected}");
    // orthogonal samples of one output: neurons a ≥ 0 of either sign, so the positive and the negative part of y shrink
    // each by itself: ½min(‖y±‖, γ)² + γ(‖y±‖ − γ)₊
    let y = Mat::from_fn(3, 1, |i, _| [3.0, -1.0, 4.0][i]);
    let value = optimum(&problem(&Mat::identity(3, 3), &y, 0.5)).upper;
    let part = |norm: f64| 0.125 + 0.5 * (norm - 0.5);
    assert!((value - part(5.0) - part(1.0)).abs() < 2e-7 * value, "{value}");
    // nothing to learn, nothing to learn from, and a weight decay nothing pays for
    let zero = Mat::<f64>::zeros(6, 2);
    for (x, y, gamma) in [(&zero, &ones, 0.1), (&ones, &zero, 0.1), (&ones, &ones, 1e6)] {
        let problem = problem(x, y, gamma);
        let found = optimum(&problem);
        assert_eq!(found.network.width(), 0);
        assert_eq!(found.upper, problem.zero_objective());
    }
}

#[test]
fn a_rotation_and_copies_of_samples_leave_the_optimum() {
    let (x, y) = (gaussian(21, 9, 3), gaussian(22, 9, 2));
    let first = optimum(&problem(&x, &y, 0.3));
    let turn = faer::linalg::solvers::Qr::new(gaussian(23, 5, 5).as_ref()).compute_Q();
    let turned = x.as_ref() * turn.as_ref().subrows(0, 3);
    let second = optimum(&problem(&turned, &y, 0.3));
    assert!((first.upper - second.upper).abs() < 1e-6 * first.upper);
    // two samples in place of one, each √½ as long, with targets √½ as large: ½Σ‖·‖² is the same
    let half = 0.5f64.sqrt();
    let twice = |m: &Mat<f64>| Mat::from_fn(18, m.ncols(), |i, j| half * m[(i / 2, j)]);
    let third = optimum(&problem(&twice(&x), &twice(&y), 0.3));
    assert!((first.upper - third.upper).abs() < 1e-6 * first.upper);
    assert_eq!(first.patterns, third.patterns);
}

#[test]
fn samples_moved_by_less_than_rounding_or_a_little_more_leave_the_optimum() {
    // a grid: parallel samples, and many hyperplanes through one line, that part at first barely
    let grid = Mat::from_fn(26, 3, |i, j| ((i + i / 13) / 3usize.pow(j as u32) % 3) as f64 - 1.0);
    let y = gaussian(41, 26, 2);
    let value = optimum(&problem(&grid, &y, 0.5)).upper;
    let noise = gaussian(42, 26, 3);
    for size in [1e-16, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8] {
        let moved = Mat::from_fn(26, 3, |i, j| grid[(i, j)] + size * noise[(i, j)]);
        let found = optimum(&problem(&moved, &y, 0.5)).upper;
        assert!((found - value).abs() <= (3e-7 + 100.0 * size) * value, "{size:e}: {found} {value}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let problem = problem(&gaussian(51, 60, 3), &gaussian(52, 60, 2), 0.5);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| optimum(&problem));
        (found.lower.to_bits(), found.upper.to_bits(), found.rounds)
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn a_run_that_is_stopped_still_has_both_bounds() {
    let problem = problem(&gaussian(31, 40, 3), &gaussian(32, 40, 2), 0.1);
    let found =
        solve(&problem, &ArrangementSettings::default(), &Control::new().within(Duration::ZERO)).unwrap();
    assert!(!found.converged);
    assert!(found.lower >= 0.0 && found.lower < found.upper && found.upper <= problem.zero_objective());
    let settings = ArrangementSettings { tolerance: 0.0, ..Default::default() };
    assert!(solve(&problem, &settings, &Control::new()).is_err());
}
