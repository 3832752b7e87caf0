//! Stochastic descents.

use crate::common::{gaussian, problem};
use faer::Mat;
use relucert::baselines::descent::{DescentSettings, Rule, descend, objective_gradient};
use relucert::training::{TrainingSettings, train};
use relucert::{Control, Network};

#[test]
fn gradient_agrees_with_differences() {
    let problem = problem(&gaussian(1, 12, 3), &gaussian(2, 12, 2), 0.7);
    let (u, v) = (gaussian(3, 3, 5), gaussian(4, 2, 5));
    let network = Network::new(u.clone(), v.clone()).unwrap();
    let (value, hidden, output) = objective_gradient(&problem, &network);
    assert!((value - network.objective(&problem)).abs() < 1e-12 * value);
    let step = 1e-6;
    let moved = |matrix: &Mat<f64>, at: (usize, usize), by: f64| {
        let mut matrix = matrix.clone();
        matrix[at] += by;
        matrix
    };
    let objective = |u: Mat<f64>, v: Mat<f64>| Network::new(u, v).unwrap().objective(&problem);
    for j in 0..5 {
        for i in 0..3 {
            let slope = objective(moved(&u, (i, j), step), v.clone())
                - objective(moved(&u, (i, j), -step), v.clone());
            assert!((slope / (2.0 * step) - hidden[(i, j)]).abs() < 1e-6 * (1.0 + hidden[(i, j)].abs()));
        }
        for i in 0..2 {
            let slope = objective(u.clone(), moved(&v, (i, j), step))
                - objective(u.clone(), moved(&v, (i, j), -step));
            assert!((slope / (2.0 * step) - output[(i, j)]).abs() < 1e-6 * (1.0 + output[(i, j)].abs()));
        }
    }
}

#[test]
fn both_rules_reach_the_optimum_of_training_on_a_small_case() {
    // in a plane training is exact
    let problem = problem(&gaussian(5, 20, 2), &gaussian(6, 20, 1), 1.0);
    let best = train(&problem, &TrainingSettings::default(), &Control::new()).objective(&problem);
    assert!(best < 0.9 * problem.zero_objective(), "the optimum must not be the empty network");
    for rule in [Rule::Adam, Rule::Sgd] {
        let settings = DescentSettings { rule, width: 60, epochs: 3000, ..DescentSettings::default() };
        let descended = descend(&problem, &settings, &Control::new()).unwrap();
        let found = descended.network.objective(&problem);
        assert!(found >= best * (1.0 - 1e-9), "{rule:?}: {found} below the optimum {best}");
        assert!(found <= best * 1.02, "{rule:?}: {found} far above the optimum {best}");
        let least = descended.history.iter().copied().fold(f64::INFINITY, f64::min);
        assert!((found - least).abs() < 1e-9 * least, "{rule:?}: not the best pass");
    }
}

#[test]
fn a_seed_is_a_network() {
    let problem = problem(&gaussian(7, 90, 4), &gaussian(8, 90, 2), 2.0);
    let run = |seed| {
        let settings = DescentSettings { width: 10, epochs: 20, seed, ..DescentSettings::default() };
        descend(&problem, &settings, &Control::new()).unwrap().network
    };
    assert_eq!(run(1).hidden(), run(1).hidden());
    assert_ne!(run(1).hidden(), run(2).hidden());
    let none = DescentSettings { width: 0, ..DescentSettings::default() };
    assert!(descend(&problem, &none, &Control::new()).unwrap_err().to_string().contains("width"));
}
