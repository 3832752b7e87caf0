//! The lifting and the augmented Lagrangian: derivatives, and what every number means in plain terms.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::data::{TeacherSettings, teacher};
use relucert::low_rank::{
    AugmentedLagrangian, Factor, HessianAssembler, Hinge, LowRankSolver, SolverSettings, Workspace, start,
};
use relucert::relaxation::{Lifting, PairKey, PairSet};
use relucert::training::{TrainingSettings, train};
use relucert::{Control, Network, TrainingProblem};

fn gaussian(rng: &mut Pcg64, rows: usize, columns: usize) -> Mat<f64> {
    Mat::from_fn(rows, columns, |_, _| rng.sample(StandardNormal))
}

/// Samples in general position, a zero row, parallel, antiparallel and nearly parallel rows, by a seed.
fn awkward(seed: u64) -> TrainingProblem {
    let mut rng = Pcg64::seed_from_u64(seed);
    let (d, c) = (2 + (seed % 3) as usize, 1 + (seed % 2) as usize);
    let mut x = gaussian(&mut rng, 11, d);
    let nudge = gaussian(&mut rng, 3, d);
    for j in 0..d {
        x[(3, j)] = 0.0;
        x[(4, j)] = 2.5 * x[(0, j)];
        x[(5, j)] = -0.5 * x[(1, j)];
        x[(6, j)] = x[(2, j)] + 0.05 * nudge[(0, j)];
        x[(7, j)] = -1.5 * (x[(2, j)] + 0.002 * nudge[(1, j)]);
        x[(8, j)] = x[(0, j)] + 1e-4 * nudge[(2, j)];
    }
    let y = gaussian(&mut rng, 11, c);
    TrainingProblem::new(x, y, 0.3).expect("a problem")
}

/// Every pair of base forms that the relaxation constrains.
fn all_pairs(groups: usize) -> Vec<PairKey> {
    let forms = 2 * groups as u32;
    (0..forms)
        .flat_map(|i| (i + 1..forms).map(move |j| (i, j)))
        .filter(|(i, j)| j - i != groups as u32)
        .collect()
}

/// Multipliers of both signs for equalities, some zero and some large for pairs.
fn random_set(lifting: &Lifting, rng: &mut Pcg64) -> PairSet {
    let mut set = PairSet::new(lifting, 3);
    set.add(lifting, &all_pairs(lifting.groups()));
    for value in &mut set.equality_multipliers {
        *value = rng.sample(StandardNormal);
    }
    for value in &mut set.multipliers {
        let draw: f64 = rng.sample(StandardNormal);
        *value = draw.max(0.0);
    }
    set
}

fn random_factor(lifting: &Lifting, columns: usize, rng: &mut Pcg64) -> Factor {
    let mut draw = |count: usize| -> Vec<f64> { (0..count).map(|_| rng.sample(StandardNormal)).collect() };
    let r = draw(lifting.order() * columns);
    let v = draw(lifting.outputs * columns);
    Factor::new(r, &v, columns)
}

fn moved(factor: &Factor, direction: &[f64], step: f64) -> Factor {
    let mut moved = factor.clone();
    moved.values.iter_mut().zip(direction).for_each(|(x, d)| *x += step * d);
    moved
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// Calls with a Lagrangian and a factor for every awkward problem, without and with smoothing.
fn for_each_lagrangian(mut check: impl FnMut(&AugmentedLagrangian<'_>, &Factor, &mut Pcg64)) {
    for seed in 0..6 {
        let problem = awkward(seed);
        let lifting = Lifting::new(&problem).expect("lifted");
        let mut rng = Pcg64::seed_from_u64(100 + seed);
        let set = random_set(&lifting, &mut rng);
        let factor = random_factor(&lifting, 3, &mut rng);
        for smoothing in [0.0, 0.4] {
            let lagrangian = AugmentedLagrangian {
                lifting: &lifting,
                set: &set,
                equality_penalty: 0.7,
                hinge: Hinge { penalty: 1.3, smoothing },
            };
            check(&lagrangian, &factor, &mut rng);
        }
    }
}

fn gradient(lagrangian: &AugmentedLagrangian<'_>, factor: &Factor) -> Vec<f64> {
    let (mut work, mut gradient) = (Workspace::default(), Vec::new());
    lagrangian.value(factor, &mut work);
    lagrangian.gradient(factor, &mut work, &mut gradient);
    gradient
}

#[test]
fn the_gradient_agrees_with_differences_of_the_value() {
    for_each_lagrangian(|lagrangian, factor, rng| {
        let gradient = gradient(lagrangian, factor);
        let mut work = Workspace::default();
        for _ in 0..5 {
            let direction: Vec<f64> = (0..gradient.len()).map(|_| rng.sample(StandardNormal)).collect();
            let step = 1e-5 / norm(&direction);
            let mut value = |step: f64| lagrangian.value(&moved(factor, &direction, step), &mut work);
            let difference = (value(step) - value(-step)) / (2.0 * step);
            let expected = dot(&gradient, &direction);
            let scale = norm(&gradient) * norm(&direction);
            assert!((difference - expected).abs() < 1e-6 * scale, "{difference} {expected} {scale}");
        }
    });
}

#[test]
fn the_hessian_agrees_with_differences_of_the_gradient() {
    for_each_lagrangian(|lagrangian, factor, rng| {
        let count = factor.values.len();
        let mut work = Workspace::default();
        lagrangian.value(factor, &mut work);
        let mut hessian = Mat::zeros(count, count);
        HessianAssembler::new(lagrangian.lifting).assemble(lagrangian, factor, &work, &mut hessian);
        for _ in 0..5 {
            let direction: Vec<f64> = (0..count).map(|_| rng.sample(StandardNormal)).collect();
            let product: Vec<f64> = (0..count)
                .map(|i| (0..count).map(|j| hessian[(i.max(j), i.min(j))] * direction[j]).sum())
                .collect();
            let step = 1e-6 / norm(&direction);
            let (ahead, behind) = (moved(factor, &direction, step), moved(factor, &direction, -step));
            let (ahead, behind) = (gradient(lagrangian, &ahead), gradient(lagrangian, &behind));
            let error: Vec<f64> =
                (0..count).map(|i| (ahead[i] - behind[i]) / (2.0 * step) - product[i]).collect();
            assert!(norm(&error) < 1e-5 * norm(&product), "{} {}", norm(&error), norm(&product));
        }
    });
}

#[test]
fn the_smoothed_hinge_tends_to_the_plain_one_and_its_parts_agree() {
    for (kappa, multiplier) in [(0.7, 0.2), (-0.4, 0.0), (-0.2, 1.5), (0.0, 0.3), (3.0, 0.1)] {
        let plain = Hinge { penalty: 2.0, smoothing: 0.0 }.at(kappa, multiplier);
        let close = Hinge { penalty: 2.0, smoothing: 1e-12 }.at(kappa, multiplier);
        assert!((plain.0 - close.0).abs() < 1e-9 && (plain.1 - close.1).abs() < 1e-5, "{plain:?} {close:?}");
        let hinge = Hinge { penalty: 2.0, smoothing: 0.3 };
        let (_, next, curvature) = hinge.at(kappa, multiplier);
        let h = 1e-5;
        let (ahead, behind) = (hinge.at(kappa + h, multiplier), hinge.at(kappa - h, multiplier));
        assert!(((ahead.0 - behind.0) / (2.0 * h) + next).abs() < 1e-8);
        assert!(((ahead.1 - behind.1) / (2.0 * h) + curvature).abs() < 1e-8);
        assert!(next > 0.0 && curvature > 0.0 && curvature < 2.0);
    }
}

fn random_network(problem: &TrainingProblem, width: usize, rng: &mut Pcg64) -> Network {
    let hidden = gaussian(rng, problem.inputs(), width);
    let output = gaussian(rng, problem.outputs(), width);
    Network::new(hidden, output).expect("a network")
}

/// ‖u‖ = ‖v‖ for every neuron, which leaves the predictions.
fn balanced(network: &Network) -> Network {
    let (mut u, mut v) = (network.hidden().to_owned(), network.output().to_owned());
    for k in 0..u.ncols() {
        let factor = (v.col(k).norm_l2() / u.col(k).norm_l2()).sqrt();
        u.col_mut(k).iter_mut().for_each(|w| *w *= factor);
        v.col_mut(k).iter_mut().for_each(|w| *w /= factor);
    }
    Network::new(u, v).expect("a network")
}

#[test]
fn a_lifted_network_has_its_own_objective_and_meets_every_constraint() {
    for seed in 0..6 {
        let problem = awkward(seed);
        let lifting = Lifting::new(&problem).expect("lifted");
        let mut rng = Pcg64::seed_from_u64(200 + seed);
        let network = balanced(&random_network(&problem, 4, &mut rng));
        let (r, v) = lifting.lift_network(&network);
        let factor = Factor::new(r, &v, 4);
        let mut set = PairSet::new(&lifting, 3);
        set.add(&lifting, &all_pairs(lifting.groups()));
        let hinge = Hinge { penalty: 1.0, smoothing: 0.0 };
        let lagrangian = AugmentedLagrangian { lifting: &lifting, set: &set, equality_penalty: 1.0, hinge };
        let mut work = Workspace::default();
        lagrangian.value(&factor, &mut work);
        let (lifted, direct) = (lifting.unscale(work.objective), network.objective(&problem));
        assert!((lifted - direct).abs() < 1e-10 * direct, "{lifted} {direct}");
        let size = work.p.iter().map(|p| p * p).sum::<f64>() / lifting.groups() as f64;
        // The difference forms divide by angles down to 1e-4, and so magnify the rounding of a network's s.
        for eta in &work.equality {
            assert!(eta.abs() < 1e-9 * size, "{eta} {size}");
        }
        for kappa in &work.product {
            assert!(*kappa > -1e-9 * size, "{kappa} {size}");
        }
    }
}

#[test]
fn the_base_forms_of_a_lifted_network_are_its_positive_and_negative_parts() {
    for seed in 0..6 {
        let problem = awkward(seed);
        let lifting = Lifting::new(&problem).expect("lifted");
        let mut rng = Pcg64::seed_from_u64(300 + seed);
        let network = balanced(&random_network(&problem, 5, &mut rng));
        let (r, _) = lifting.lift_network(&network);
        let groups = lifting.groups();
        let mut p = vec![0.0; 2 * groups * 5];
        lifting.base.evaluate(&r, 5, &mut p);
        let z = problem.features() * network.hidden();
        let geometry = &lifting.geometry;
        let mut merged = 0;
        for (i, link) in geometry.samples.iter().enumerate() {
            let Some(form) = link.form(groups) else {
                merged += 1;
                assert_eq!(problem.features().row(i).norm_max(), 0.0, "only zero samples have no direction");
                continue;
            };
            let complement = (form + groups) % (2 * groups);
            // The lifting may rescale a neuron between u and v: one factor for all samples of a neuron.
            for k in 0..5 {
                let scale = link.length * geometry.hidden_scale;
                let (alpha, beta) = (scale * p[form * 5 + k], scale * p[complement * 5 + k]);
                let expected = z[(i, k)];
                let tolerance =
                    1e-9 * problem.features().row(i).norm_l2() * network.hidden().col(k).norm_l2();
                assert!((alpha - expected.max(0.0)).abs() < tolerance, "{alpha} {expected}");
                assert!((beta - (-expected).max(0.0)).abs() < tolerance, "{beta} {expected}");
            }
        }
        assert_eq!(merged, 1);
        assert_eq!(groups, 8, "the zero row is gone, a parallel and an antiparallel row share a direction");
    }
}

#[test]
fn normalised_multipliers_stand_for_plain_ones() {
    for seed in 0..6 {
        let problem = awkward(seed);
        let lifting = Lifting::new(&problem).expect("lifted");
        let mut rng = Pcg64::seed_from_u64(400 + seed);
        let set = random_set(&lifting, &mut rng);
        let columns = 4;
        let factor = random_factor(&lifting, columns, &mut rng);
        let mut work = Workspace::default();
        let hinge = Hinge { penalty: 1.0, smoothing: 0.0 };
        AugmentedLagrangian { lifting: &lifting, set: &set, equality_penalty: 0.0, hinge }
            .value(&factor, &mut work);
        let normalised =
            dot(&set.equality_multipliers, &work.equality) + dot(&set.multipliers, &work.product);

        let (y, plain) = set.plain_multipliers(&lifting);
        let groups = lifting.groups();
        let row = |form: usize| &work.p[form * columns..][..columns];
        let terms: Vec<f64> = (0..groups)
            .map(|g| y[g] * dot(row(g), row(g + groups)))
            .chain(set.keys.iter().zip(&plain).map(|(&(i, j), n)| n * dot(row(i as usize), row(j as usize))))
            .collect();
        let direct: f64 = terms.iter().sum();
        let size: f64 = terms.iter().map(|t| t.abs()).sum();
        assert!(plain.iter().all(|n| *n >= 0.0));
        assert!((direct - normalised).abs() < 1e-10 * size, "{direct} {normalised} {size}");
        assert!(direct.abs() > 1e-6 * size, "the identity must have something to say");
    }
}

#[test]
fn a_factor_with_too_few_columns_leaves_saddles_that_cost_the_bound() {
    for seed in [1, 2] {
        let settings =
            TeacherSettings { samples: 60, features: 10, outputs: 1, seed, ..TeacherSettings::default() };
        let problem = teacher(&settings).and_then(|data| data.problem(0.6)).expect("legal");
        let lifting = Lifting::new(&problem).expect("finite");
        let training = TrainingSettings { starts: 1, rounds: 2, seed, ..TrainingSettings::default() };
        let network = train(&problem, &training, &Control::new());
        let few = start(&lifting, &network, 3, seed);
        let settings = SolverSettings { examined_error: 5e-3, ..SolverSettings::default() };
        let mut solver = LowRankSolver::new(&lifting, settings, few).expect("legal");
        let settled = (0..40).any(|_| {
            let level = solver.advance(&Control::new());
            let square: f64 = solver.factor().r().iter().map(|value| value * value).sum();
            let cost = level.slack_eigenvalue.map_or(f64::INFINITY, |value| -value * square);
            level.objective_error + cost <= 5e-3 * level.objective
        });
        assert!(settled, "seed {seed}");
    }
}
