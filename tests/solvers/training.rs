//! Training: the gradient, the moves that must not raise the objective, published values, determinism.

use crate::common::published;
use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::training::{
    TrainingSettings, curvature, insert, polish, projected_objective, rounded_objective, stationarity, tidy,
    train,
};
use relucert::{Control, Network, TrainingProblem};
use std::time::{Duration, Instant};

fn gaussian(rng: &mut Pcg64, rows: usize, columns: usize) -> Mat<f64> {
    Mat::from_fn(rows, columns, |_, _| rng.sample(StandardNormal))
}

fn random_problem(seed: u64, n: usize, d: usize, c: usize, gamma: f64) -> TrainingProblem {
    let mut rng = Pcg64::seed_from_u64(seed);
    let (x, y) = (gaussian(&mut rng, n, d), gaussian(&mut rng, n, c));
    TrainingProblem::new(x, y, gamma).unwrap()
}

fn bits(network: &Network) -> Vec<u64> {
    let mut all = Vec::new();
    for array in [network.hidden(), network.output()] {
        for column in array.col_iter() {
            all.extend(column.iter().map(|w| w.to_bits()));
        }
    }
    all
}

#[test]
fn no_more_neurons_than_caratheodory_asks_for() {
    let mut rng = Pcg64::seed_from_u64(3);
    for (n, c) in [(6, 1), (5, 2), (4, 3)] {
        let (x, y) = (gaussian(&mut rng, n, 6), gaussian(&mut rng, n, c));
        let problem = TrainingProblem::new(x, y, 1e-3).unwrap();
        let settings = TrainingSettings { width: 60, ..TrainingSettings::default() };
        let network = train(&problem, &settings, &Control::new());
        assert!((1..=n * c + 1).contains(&network.width()), "{n} × {c}: {}", network.width());
    }
}

#[test]
fn gradient_of_the_projected_objective_agrees_with_differences() {
    // more samples than neurons, and fewer: the two ways of eliminating V
    for (n, width) in [(30, 7), (6, 11)] {
        let problem = random_problem(1, n, 4, 3, 0.3);
        let mut rng = Pcg64::seed_from_u64(2);
        let hidden = gaussian(&mut rng, 4, width);
        let (_, gradient) = projected_objective(&problem, hidden.as_ref()).unwrap();
        let h = 1e-6;
        for j in 0..width {
            for i in 0..4 {
                let shifted = |s: f64| {
                    let mut u = hidden.clone();
                    u[(i, j)] += s;
                    projected_objective(&problem, u.as_ref()).unwrap().0
                };
                let difference = (shifted(h) - shifted(-h)) / (2.0 * h);
                let error = (difference - gradient[(i, j)]).abs();
                assert!(error < 1e-6 * (1.0 + difference.abs()), "{difference} {}", gradient[(i, j)]);
            }
        }
    }
}

#[test]
fn gradient_with_rounded_kinks_agrees_with_differences_and_so_does_the_curvature() {
    let problem = random_problem(31, 60, 4, 3, 0.3);
    let mut rng = Pcg64::seed_from_u64(32);
    let (hidden, direction) = (gaussian(&mut rng, 4, 5), gaussian(&mut rng, 4, 5));
    let fraction = 0.4;
    let moved = |step: f64| {
        let at = &hidden + &direction * step;
        rounded_objective(&problem, at.as_ref(), fraction, hidden.as_ref()).unwrap()
    };
    let h = 1e-5;
    let ((up, above), (down, below)) = (moved(h), moved(-h));
    let (_, gradient) = moved(0.0);
    let slope: f64 = (0..5).map(|j| (0..4).map(|i| gradient[(i, j)] * direction[(i, j)]).sum::<f64>()).sum();
    assert!((slope - (up - down) / (2.0 * h)).abs() < 1e-5 * (1.0 + slope.abs()));
    // The kinks are rounded to parabolas: differences across their ends leave errors of the order of h.
    let curved = curvature(&problem, hidden.as_ref(), fraction, direction.as_ref()).unwrap();
    let difference = (above - below) * (0.5 / h);
    let error = (&curved - &difference).norm_l2() / curved.norm_l2();
    assert!(error < 1e-3, "{error}");
    assert!(curved.norm_l2() > 1.0);
}

#[test]
fn projected_objective_is_the_minimum_over_output_weights() {
    let problem = random_problem(3, 20, 3, 2, 0.5);
    let mut rng = Pcg64::seed_from_u64(4);
    let hidden = gaussian(&mut rng, 3, 5);
    let (value, _) = projected_objective(&problem, hidden.as_ref()).unwrap();
    // the minimiser by the normal equations, then any step from it is worse
    let activation = (problem.features() * &hidden).as_ref().to_owned();
    let activation = Mat::from_fn(20, 5, |i, j| activation[(i, j)].max(0.0));
    let mut system = activation.transpose() * &activation;
    for i in 0..5 {
        system[(i, i)] += 0.5;
    }
    let right = activation.transpose() * problem.targets();
    let output = faer::linalg::solvers::Solve::solve(&system.partial_piv_lu(), &right).transpose().to_owned();
    let at_minimum = Network::new(hidden.clone(), output.clone()).unwrap().objective(&problem);
    assert!((value - at_minimum).abs() < 1e-12 * value);
    let moved = &output + gaussian(&mut rng, 2, 5) * 0.01;
    assert!(Network::new(hidden, moved).unwrap().objective(&problem) > value);
}

#[test]
fn tidy_never_raises_the_objective_and_merges_copies() {
    for seed in 0..20 {
        let problem = random_problem(seed, 15, 3, 2, 0.4);
        let mut rng = Pcg64::seed_from_u64(100 + seed);
        let network = Network::new(gaussian(&mut rng, 3, 9), gaussian(&mut rng, 2, 9)).unwrap();
        let before = network.objective(&problem);
        let tidied = tidy(&problem, &network);
        assert!(tidied.objective(&problem) <= before * (1.0 + 1e-12));
        for k in 0..tidied.width() {
            let (u, v) = (tidied.hidden().col(k).norm_l2(), tidied.output().col(k).norm_l2());
            assert!((u - v).abs() <= 1e-9 * u, "neuron {k} is not balanced");
        }
    }
    // a trained network with every neuron split in two of the same direction: the copies go, the value stays
    let problem = random_problem(7, 15, 3, 2, 0.4);
    let trained = train(&problem, &TrainingSettings::default(), &Control::new());
    let width = trained.width();
    let (u, v) = (trained.hidden(), trained.output());
    let half = 0.5f64.sqrt();
    let split = Network::new(
        Mat::from_fn(3, 2 * width, |i, j| half * u[(i, j % width)]),
        Mat::from_fn(2, 2 * width, |i, j| half * v[(i, j % width)]),
    )
    .unwrap();
    let merged = tidy(&problem, &split);
    assert!(merged.width() <= width);
    assert!(merged.objective(&problem) <= split.objective(&problem) * (1.0 + 1e-12));
}

#[test]
fn reordering_the_samples_leaves_the_objective_of_a_plane() {
    // In a plane the search is exact, so the order of the samples may only show in rounding and in when the search
    // gives up; in more dimensions ties and singular vectors' signs may lead to another local minimum.
    let problem = random_problem(11, 20, 2, 2, 0.5);
    let (x, y) = (problem.features(), problem.targets());
    let turn = |i: usize| (7 * i + 3) % 20;
    let turned = TrainingProblem::new(
        Mat::from_fn(20, 2, |i, j| x[(turn(i), j)]),
        Mat::from_fn(20, 2, |i, j| y[(turn(i), j)]),
        0.5,
    )
    .unwrap();
    let settings = TrainingSettings::default();
    let first = train(&problem, &settings, &Control::new()).objective(&problem);
    let second = train(&turned, &settings, &Control::new()).objective(&turned);
    assert!((first - second).abs() < 1e-6 * first, "{first} {second}");
}

#[test]
fn in_a_plane_the_network_is_globally_optimal() {
    // W/ratio is feasible for the dual of the problem over measures of neurons, whose value bounds every network
    for seed in 0..5 {
        let problem = random_problem(20 + seed, 15, 2, 2, 0.3);
        let network = train(&problem, &TrainingSettings::default(), &Control::new());
        let (x, y) = (problem.features(), problem.targets());
        let residual = y - network.predict(x);
        let ratio = (0..100_000)
            .map(|step| {
                let (sin, cos) = (step as f64 * 1e-5 * std::f64::consts::TAU).sin_cos();
                let mut gain = [0.0; 2];
                for i in 0..15 {
                    let a = (x[(i, 0)] * cos + x[(i, 1)] * sin).max(0.0);
                    gain[0] += a * residual[(i, 0)];
                    gain[1] += a * residual[(i, 1)];
                }
                gain[0].hypot(gain[1]) / 0.3
            })
            .fold(1.0, f64::max);
        let inner: f64 = (0..15).map(|i| residual[(i, 0)] * y[(i, 0)] + residual[(i, 1)] * y[(i, 1)]).sum();
        let bound = inner / ratio - 0.5 * residual.squared_norm_l2() / (ratio * ratio);
        let value = network.objective(&problem);
        assert!(bound > value * (1.0 - 1e-4), "seed {seed}: bound {bound}, value {value}, ratio {ratio}");
    }
}

#[test]
fn dependent_features_change_nothing_but_the_coordinates() {
    // (a, b, b) with weights (p, q, q) costs p² + 2q²: the same as (a, √2 b) with (p, √2 q)
    let problem = random_problem(17, 18, 2, 2, 0.4);
    let (x, y) = (problem.features(), problem.targets().to_owned());
    let twice = Mat::from_fn(18, 3, |i, j| x[(i, j.min(1))]);
    let scaled = Mat::from_fn(18, 2, |i, j| x[(i, j)] * if j == 1 { 2f64.sqrt() } else { 1.0 });
    let [first, second] = [twice, scaled].map(|x| {
        let problem = TrainingProblem::new(x, y.clone(), 0.4).unwrap();
        train(&problem, &TrainingSettings::default(), &Control::new()).objective(&problem)
    });
    assert!((first - second).abs() < 1e-6 * first, "{first} {second}");
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let problem = random_problem(5, 30, 5, 2, 0.2);
    let settings = TrainingSettings { width: 12, rounds: 4, ..Default::default() };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train(&problem, &settings, &Control::new()))
    };
    let (one, four) = (with(1), with(4));
    assert!(one.width() > 0);
    assert_eq!(bits(&one), bits(&four));
    let other = TrainingSettings { seed: 1, ..settings.clone() };
    assert_ne!(bits(&one), bits(&train(&problem, &other, &Control::new())));
}

#[test]
fn degenerate_problems_give_networks_too() {
    let settings = TrainingSettings { width: 5, starts: 2, rounds: 5, ..Default::default() };
    let zero = Mat::<f64>::zeros(6, 2);
    let ones = Mat::<f64>::full(6, 2, 1.0);
    for (x, y, trivial) in [(&zero, &ones, true), (&ones, &zero, true), (&ones, &ones, false)] {
        let problem = TrainingProblem::new(x.clone(), y.clone(), 0.1).unwrap();
        let network = train(&problem, &settings, &Control::new());
        assert_eq!(network.width() == 0, trivial);
        assert!(network.objective(&problem) <= problem.zero_objective());
    }
    // rank one, solved by hand: with a = ‖(Xu)₊‖ = √6·√2 for unit u the value of ½(1 − t)²‖Y‖² + γ t‖Y‖/a is least at
    // t = 1 − γ/(a‖Y‖)
    let problem = TrainingProblem::new(ones.clone(), ones.clone(), 0.1).unwrap();
    let (a, y) = (12f64.sqrt(), 12f64.sqrt());
    let t = 1.0 - 0.1 / (a * y);
    let expected = 0.5 * (1.0 - t).powi(2) * y * y + 0.1 * t * y / a;
    let value = train(&problem, &settings, &Control::new()).objective(&problem);
    assert!((value - expected).abs() < 1e-9 * expected, "{value} {expected}");
    // a weight decay so large that nothing pays
    let heavy = TrainingProblem::new(ones.clone(), ones, 1e6).unwrap();
    assert_eq!(train(&heavy, &settings, &Control::new()).objective(&heavy), heavy.zero_objective());
}

#[test]
fn a_cancelled_run_returns_at_once_and_is_no_worse_than_nothing() {
    let problem = random_problem(9, 400, 20, 5, 0.5);
    let control = Control::new();
    control.cancel();
    let begin = Instant::now();
    let network = train(&problem, &TrainingSettings::default(), &control);
    assert!(network.objective(&problem) <= problem.zero_objective());
    let limited = Control::new().within(Duration::from_millis(300));
    let network = train(&problem, &TrainingSettings::default(), &limited);
    assert!(network.objective(&problem) < problem.zero_objective());
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn polishing_starts_from_the_weights_given() {
    let problem = random_problem(13, 40, 6, 2, 1.0);
    let settings = TrainingSettings { starts: 1, rounds: 0, ..Default::default() };
    let good = train(&problem, &TrainingSettings::default(), &Control::new());
    let polished = polish(&problem, good.hidden(), &settings, &Control::new());
    let value = good.objective(&problem);
    assert!(polished.objective(&problem) <= value * (1.0 + 1e-9));
    // a start that does not fit is replaced, not an error
    let odd = polish(&problem, Mat::zeros(3, 2).as_ref(), &settings, &Control::new());
    assert!(odd.objective(&problem) < problem.zero_objective());
}

#[test]
fn published_data_reach_the_best_known_networks() {
    let table = [
        ("random_00", 8.90535, 1.03282),
        ("random_01", 7.68241, 0.90915),
        ("random_02", 8.02771, 0.89068),
        ("random_03", 8.35523, 0.90358),
        ("random_04", 7.61696, 0.83480),
        ("spiral", 16.59336, 15.15903),
        ("iris_train", 2.53544, 0.78769),
    ];
    for (name, first, second) in table {
        let Some((x, y)) = published(name) else { continue };
        for (gamma, known) in [(0.1, first), (0.01, second)] {
            let problem = TrainingProblem::new(x.clone(), y.clone(), gamma).unwrap();
            let network = train(&problem, &TrainingSettings::default(), &Control::new());
            let value = network.objective_upper(&problem);
            assert!(value <= 1.001 * known, "{name}, {gamma}: {value} against {known}");
            // the relaxation is never far below, so a value below half of the network is a wrong objective
            assert!(value >= 0.5 * known, "{name}, {gamma}: {value} against {known}");
        }
    }
}

/// max |Wᵀ(Xu)₊|/γ|u| in three dimensions by a grid of the sphere and a compass search from its best points, and where.
fn largest_ratio(problem: &TrainingProblem, network: &Network, steps: usize) -> (f64, [f64; 3]) {
    let (x, y) = (problem.features(), problem.targets());
    let residual = y - network.predict(x);
    let ratio = |a: f64, b: f64| {
        let u = [a.sin() * b.cos(), a.sin() * b.sin(), a.cos()];
        let mut gain = vec![0.0; problem.outputs()];
        for i in 0..problem.samples() {
            let t: f64 = (0..3).map(|j| x[(i, j)] * u[j]).sum::<f64>().max(0.0);
            gain.iter_mut().enumerate().for_each(|(k, gain)| *gain += t * residual[(i, k)]);
        }
        (gain.iter().map(|g| g * g).sum::<f64>().sqrt() / problem.weight_decay(), u)
    };
    let size = std::f64::consts::PI / steps as f64;
    let mut grid: Vec<(f64, f64, f64)> = (0..=steps)
        .flat_map(|a| (0..2 * steps).map(move |b| (size * a as f64, size * b as f64)))
        .map(|(a, b)| (ratio(a, b).0, a, b))
        .collect();
    grid.sort_by(|p, q| q.0.total_cmp(&p.0));
    let mut best = (0.0, [0.0; 3]);
    for &(mut value, mut a, mut b) in &grid[..200] {
        let mut step = size;
        while step > 1e-9 {
            let around = [(step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step), (step, step), (-step, -step)];
            let found = around.iter().map(|(p, q)| (ratio(a + p, b + q).0, a + p, b + q));
            match found.max_by(|p, q| p.0.total_cmp(&q.0)).filter(|found| found.0 > value) {
                Some(found) => (value, a, b) = found,
                None => step *= 0.5,
            }
        }
        if value > best.0 {
            best = ratio(a, b);
        }
    }
    best
}

#[test]
fn inserting_what_violates_ends_at_a_global_optimum() {
    let problem = random_problem(41, 40, 3, 2, 0.5);
    let (settings, control) = (TrainingSettings::default(), Control::new());
    // From nothing at all, with a search that has nothing to do with the library's.
    let mut network = Network::empty(3, 2);
    let mut value = network.objective(&problem);
    for round in 0..40 {
        let (ratio, u) = largest_ratio(&problem, &network, 200);
        if ratio < 1.0 + 1e-6 {
            break;
        }
        let better =
            insert(&problem, &network, Mat::from_fn(3, 1, |i, _| u[i]).as_ref(), 1.0, &settings, &control);
        let found = better.objective(&problem);
        assert!(found <= value, "round {round}: {found} after {value}");
        (network, value) = (better, found);
    }
    let (ratio, _) = largest_ratio(&problem, &network, 200);
    assert!(ratio < 1.0 + 1e-5, "{ratio}");
    // The residual is nearly dual feasible, so its value bounds every network from below.
    let residual = problem.targets() - network.predict(problem.features());
    let inner: f64 =
        (0..2).map(|k| (0..40).map(|i| residual[(i, k)] * problem.targets()[(i, k)]).sum::<f64>()).sum();
    let bound = inner - 0.5 * residual.squared_norm_l2();
    assert!((bound - value).abs() < 1e-5 * value, "{bound} {value}");
    // Stationary to high accuracy: the neurons of the network have the ratio one, kinks or not.
    let known = stationarity(&problem, &network, &settings, &control);
    assert!((known - 1.0).abs() < 1e-6, "{known}");
}

#[test]
fn inserting_is_never_worse_and_takes_any_directions() {
    let problem = random_problem(43, 50, 5, 1, 1.0);
    let (settings, control) = (TrainingSettings::default(), Control::new());
    let mut rng = Pcg64::seed_from_u64(44);
    let rough = Network::new(gaussian(&mut rng, 5, 6), gaussian(&mut rng, 1, 6)).unwrap();
    let odd = Mat::from_fn(5, 3, |i, j| {
        if j == 0 {
            f64::NAN
        } else if j == 1 {
            0.0
        } else {
            1e-200 * i as f64
        }
    });
    let none = Mat::zeros(5, 0);
    for directions in
        [odd.as_ref(), none.as_ref(), Mat::zeros(2, 1).as_ref(), gaussian(&mut rng, 5, 4).as_ref()]
    {
        let better = insert(&problem, &rough, directions, 1.0, &settings, &control);
        assert!(better.objective(&problem) < rough.objective(&problem));
    }
    let trained = train(&problem, &settings, &control);
    let again = insert(&problem, &trained, gaussian(&mut rng, 5, 4).as_ref(), 1.0, &settings, &control);
    assert!(again.objective(&problem) <= trained.objective(&problem));
    let stopped = Control::new();
    stopped.cancel();
    let same = insert(&problem, &trained, gaussian(&mut rng, 5, 4).as_ref(), 1.0, &settings, &stopped);
    assert!(same.objective(&problem) <= trained.objective(&problem));
}

#[test]
fn stationarity_is_what_a_grid_finds() {
    let problem = random_problem(51, 30, 3, 2, 0.4);
    let settings = TrainingSettings { rounds: 0, width: 3, iterations: 5, ..TrainingSettings::default() };
    let network = train(&problem, &settings, &Control::new());
    let (grid, _) = largest_ratio(&problem, &network, 200);
    let found = stationarity(&problem, &network, &settings, &Control::new());
    assert!(found >= grid * (1.0 - 1e-9), "{found} {grid}");
    assert!(found <= grid * 1.01, "{found} {grid}");
    assert_eq!(stationarity(&problem, &Network::empty(4, 2), &settings, &Control::new()), 0.0);
}

#[test]
fn many_samples_give_the_same_bits_on_any_number_of_threads() {
    let problem = random_problem(61, 4000, 4, 2, 40.0);
    let settings = TrainingSettings { rounds: 3, ..TrainingSettings::default() };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let network = train(&problem, &settings, &Control::new());
            let directions = Mat::from_fn(4, 2, |i, j| (i as f64 - j as f64).sin());
            insert(&problem, &network, directions.as_ref(), 1.0, &settings, &Control::new())
        })
    };
    let (one, two, eight) = (bits(&with(1)), bits(&with(2)), bits(&with(8)));
    assert!(!one.is_empty());
    assert!(one == two && two == eight);
}

#[test]
fn a_deadline_is_kept_on_many_samples() {
    let problem = random_problem(71, 100_000, 10, 3, 100.0);
    let begin = Instant::now();
    let control = Control::new().within(Duration::from_millis(1500));
    let network = train(&problem, &TrainingSettings::default(), &control);
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    assert!(network.objective(&problem) <= problem.zero_objective());
}
