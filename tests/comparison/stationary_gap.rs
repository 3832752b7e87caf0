//! The bound of stationary points, against the optimum and the dual norm over all activation patterns.

use crate::common::{gaussian, problem};
use relucert::baselines::arrangements::{self, Arrangement, ArrangementSettings};
use relucert::baselines::stationary_gap::{StationaryGapSettings, stationary_gap};
use relucert::certificate::branch::SearchSettings;
use relucert::training::{TrainingSettings, train};
use relucert::{Control, Network, TrainingProblem};

fn cases() -> impl Iterator<Item = TrainingProblem> {
    [(1, 15, 2, 2, 0.5), (2, 12, 3, 1, 0.5), (3, 10, 1, 3, 0.2), (4, 14, 2, 1, 0.05)]
        .into_iter()
        .map(|(seed, n, d, c, gamma)| problem(&gaussian(seed, n, d), &gaussian(10 + seed, n, c), gamma))
}

fn optimum(problem: &TrainingProblem) -> f64 {
    let settings = ArrangementSettings { tolerance: 1e-9, ..Default::default() };
    arrangements::solve(problem, &settings, &Control::new()).unwrap().upper
}

fn dual_norm(problem: &TrainingProblem, network: &Network) -> f64 {
    let residual = problem.targets() - network.predict(problem.features());
    Arrangement::new(problem, 100_000).unwrap().dual_norm(residual.as_ref()).unwrap()
}

#[test]
fn a_trained_network_is_proved_nearly_optimal_and_the_residual_proves_no_less() {
    for problem in cases() {
        let network = train(&problem, &TrainingSettings::default(), &Control::new());
        let found = stationary_gap(&problem, &network, &Default::default(), &Control::new()).unwrap();
        let optimum = optimum(&problem);
        assert!(found.converged);
        assert!(found.by_theorem <= found.by_residual);
        assert!(found.by_residual <= optimum * (1.0 + 1e-8), "{} above {optimum}", found.by_residual);
        assert!(found.by_theorem >= optimum * (1.0 - 3e-3), "{} far below {optimum}", found.by_theorem);
    }
}

#[test]
fn the_dual_norm_is_that_of_all_patterns_and_the_bounds_differ_as_derived() {
    for problem in cases() {
        // Stationary: every weight is zero. W = Y, f = ½‖Y‖².
        let network = Network::empty(problem.inputs(), problem.outputs());
        let found = stationary_gap(&problem, &network, &Default::default(), &Control::new()).unwrap();
        let (gamma, exact) = (problem.weight_decay(), dual_norm(&problem, &network));
        assert!(found.level >= exact * (1.0 - 1e-12), "{} below {exact}", found.level);
        assert!(found.level <= exact + 2e-3 * gamma, "{} far above {exact}", found.level);
        let (f, share) = (network.objective(&problem), gamma / found.level);
        assert!((found.by_theorem.value() - f * share).abs() <= 1e-12 * f);
        assert!(found.by_theorem <= f * share);
        // By how much the residual's own bound is better: ½t(1 − t)‖W‖², and here ‖W‖² = 2f.
        let more = share * (1.0 - share) * f;
        let difference = found.by_residual.value() - found.by_theorem.value();
        assert!((difference - more).abs() <= 1e-9 * f, "{difference} for {more}");
        assert!(found.by_residual <= optimum(&problem) * (1.0 + 1e-8));
    }
}

#[test]
fn a_network_that_is_not_stationary_proves_nothing_wrong() {
    for (seed, problem) in cases().enumerate() {
        let trained = train(&problem, &TrainingSettings::default(), &Control::new());
        let optimum = optimum(&problem);
        // The first has almost the optimal residual at a far larger weight decay, so that fγ/M is above the optimum.
        let unbalanced = Network::new(4.0 * trained.hidden(), 0.25 * trained.output()).unwrap();
        assert!(unbalanced.objective(&problem) > 1.05 * optimum, "or the test shows little");
        let random = gaussian(30 + seed as u64, problem.inputs(), 5);
        let random = Network::new(random, gaussian(40 + seed as u64, problem.outputs(), 5)).unwrap();
        for network in [unbalanced, random] {
            let found = stationary_gap(&problem, &network, &Default::default(), &Control::new()).unwrap();
            assert!(found.by_theorem <= optimum * (1.0 + 1e-8), "{} above {optimum}", found.by_theorem);
            assert!(found.by_theorem <= found.by_residual);
        }
    }
}

#[test]
fn what_cannot_be_proved_is_said() {
    let problem = cases().next().unwrap();
    let network = Network::empty(problem.inputs(), problem.outputs());
    let none = StationaryGapSettings {
        search: SearchSettings { cells: 0, ..Default::default() },
        ..Default::default()
    };
    let error = stationary_gap(&problem, &network, &none, &Control::new()).unwrap_err();
    assert!(error.to_string().contains("no level"), "{error}");
    let wrong = StationaryGapSettings { precision: 0.0, ..Default::default() };
    let error = stationary_gap(&problem, &network, &wrong, &Control::new()).unwrap_err();
    assert!(error.to_string().contains("precision"), "{error}");
    // Twenty dimensions, and a search reaches sixteen.
    let large = TrainingProblem::new(gaussian(1, 30, 20), gaussian(2, 30, 1), 1.0).unwrap();
    let empty = Network::empty(20, 1);
    assert!(stationary_gap(&large, &empty, &Default::default(), &Control::new()).is_err());
}
