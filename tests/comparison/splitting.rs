//! Rounding by three-operator splitting.

use crate::common::{gaussian, problem};
use faer::Mat;
use relucert::rounding::{LiftedFactor, SplittingSettings, project_activations, round};
use relucert::training::{TrainingSettings, train};
use relucert::{CertifySettings, Control, Silent, TrainingProblem, certify_with_solution};

fn random_factor(problem: &TrainingProblem, columns: usize) -> LiftedFactor {
    LiftedFactor {
        alpha: gaussian(1, problem.samples(), columns),
        beta: gaussian(2, problem.samples(), columns),
        hidden: gaussian(3, problem.inputs(), columns),
        output: gaussian(4, problem.outputs(), columns),
    }
}

#[test]
fn activations_are_projected_to_the_nearest() {
    let mut z = gaussian(5, 9, 6);
    let given = z.clone();
    project_activations(&mut z, 4);
    for j in 0..6 {
        for i in 0..4 {
            let (a, b) = (given[(i, j)], given[(4 + i, j)]);
            let (p, q) = (z[(i, j)], z[(4 + i, j)]);
            assert!(p >= 0.0 && q >= 0.0 && p * q == 0.0);
            let best = [(a.max(0.0), 0.0), (0.0, b.max(0.0))]
                .map(|(s, t)| (a - s).powi(2) + (b - t).powi(2))
                .into_iter()
                .fold(f64::INFINITY, f64::min);
            assert!(((a - p).powi(2) + (b - q).powi(2) - best).abs() < 1e-14);
        }
        assert_eq!(z[(8, j)], given[(8, j)]);
    }
}

/// The same iteration with Λ and the projection onto the null space as matrices of order 2n + d + c.
#[test]
fn low_rank_iterates_are_those_of_the_dense_method() {
    let problem = problem(&gaussian(6, 7, 3), &gaussian(7, 7, 2), 0.3);
    let factor = random_factor(&problem, 4);
    let settings = SplittingSettings { iterations: 6, columns: 0, ..SplittingSettings::default() };
    let mut seen = Vec::new();
    round(&problem, &factor, &settings, &Control::new(), &mut |iterate| seen.push(iterate.clone())).unwrap();
    assert_eq!(seen.len(), 6);

    let (n, d, c) = (7, 3, 2);
    let p = 2 * n + d + c;
    let mut z = Mat::from_fn(p, 4, |i, j| match i {
        _ if i < n => factor.alpha[(i, j)],
        _ if i < 2 * n => factor.beta[(i - n, j)],
        _ if i < 2 * n + d => factor.hidden[(i - 2 * n, j)],
        _ => factor.output[(i - 2 * n - d, j)],
    });
    let lambda = &z * z.transpose();
    let m = Mat::from_fn(n, p, |i, j| match j {
        _ if j < n => -f64::from(u8::from(i == j)),
        _ if j < 2 * n => f64::from(u8::from(i == j - n)),
        _ if j < 2 * n + d => problem.features()[(i, j - 2 * n)],
        _ => 0.0,
    });
    let inverse = {
        use faer::prelude::Solve;
        (&m * m.transpose()).partial_piv_lu().solve(Mat::<f64>::identity(n, n))
    };
    let projector = Mat::<f64>::identity(p, p) - m.transpose() * inverse * &m;
    let step = 1.0 / lambda.norm_l2();
    for iterate in &seen {
        let w = &projector * &z;
        let gap = &w * w.transpose() - &lambda;
        let network =
            relucert::Network::new(w.subrows(2 * n, d).to_owned(), w.subrows(2 * n + d, c).to_owned())
                .unwrap();
        let expected = network.objective(&problem);
        assert!((iterate.objective - expected).abs() < 1e-9 * expected, "{}", iterate.iteration);
        let distance = 0.5 * gap.squared_norm_l2();
        assert!((iterate.distance - distance).abs() < 1e-9 * distance.max(1.0));
        let mut v = Mat::from_fn(p, 4, |i, j| {
            2.0 * w[(i, j)] - z[(i, j)] - 2.0 * step * (0..p).map(|k| gap[(i, k)] * w[(k, j)]).sum::<f64>()
        });
        project_activations(&mut v, n);
        z = &z - &w + &v;
    }
}

#[test]
fn a_network_is_its_own_rounding() {
    let problem = problem(&gaussian(8, 25, 3), &gaussian(9, 25, 2), 1.0);
    let network = train(&problem, &TrainingSettings::default(), &Control::new());
    let lifted = LiftedFactor::from_network(&problem, &network);
    let settings = SplittingSettings { columns: 0, iterations: 50, ..SplittingSettings::default() };
    let rounded = round(&problem, &lifted, &settings, &Control::new(), &mut |_| {}).unwrap();
    let objective = network.objective(&problem);
    assert!((rounded.last.objective - objective).abs() < 1e-8 * objective);
    assert!(rounded.last.infeasibility < 1e-8 && rounded.last.iteration < 3);
}

#[test]
fn the_solution_of_the_relaxation_is_lifted_and_rounded() {
    let x = gaussian(10, 30, 2);
    let y = Mat::from_fn(30, 2, |i, k| (3.0 * x[(i, k)]).max(0.0) - x[(i, 1)]);
    // one zero sample, and two on one line
    let x = Mat::from_fn(30, 2, |i, j| match i {
        4 => 0.0,
        7 => -2.0 * x[(6, j)],
        _ => x[(i, j)],
    });
    let problem = problem(&x, &y, 0.2);
    let settings = CertifySettings::default();
    let (certified, solution) =
        certify_with_solution(&problem, &settings, &Control::new(), &mut Silent).unwrap();
    let solution = solution.expect("one block, run to its end");
    // Xu = α − β and αᵢ ⟂ βᵢ, and the value is the one reported
    let defect = &solution.alpha - &solution.beta - problem.features() * &solution.hidden;
    assert!(defect.norm_max() < 1e-6 * solution.alpha.norm_max(), "{}", defect.norm_max());
    for i in 0..30 {
        let inner: f64 =
            (0..solution.columns()).map(|j| solution.alpha[(i, j)] * solution.beta[(i, j)]).sum();
        assert!(inner.abs() < 1e-3 * solution.alpha.squared_norm_l2() / 30.0, "{i}: {inner}");
    }
    let residual = &solution.alpha * solution.output.transpose() - problem.targets();
    let value = 0.5 * residual.squared_norm_l2()
        + 0.1 * (solution.hidden.squared_norm_l2() + solution.output.squared_norm_l2());
    let reported = certified.report.relaxation_value.unwrap();
    assert!((value - reported).abs() < 1e-2 * reported, "{value} {reported}");
    let rounded =
        round(&problem, &solution, &SplittingSettings::default(), &Control::new(), &mut |_| {}).unwrap();
    assert!(rounded.best.objective >= certified.report.lower_bound.value());
    assert!(rounded.best.objective <= rounded.last.objective);
    assert!(rounded.best.objective < problem.zero_objective());
}

#[test]
fn a_solution_of_another_problem_is_refused() {
    let problem = problem(&gaussian(11, 7, 3), &gaussian(12, 7, 2), 0.3);
    let mut factor = random_factor(&problem, 4);
    factor.beta = gaussian(1, 6, 4);
    let error = round(&problem, &factor, &SplittingSettings::default(), &Control::new(), &mut |_| {});
    assert!(error.unwrap_err().to_string().contains("solution of the relaxation"));
}
