//! The sketch of the slack's lowest eigenpairs against the dense slack.

use faer::{Mat, Side};
use relucert::Control;
use relucert::data::{TeacherSettings, teacher};
use relucert::low_rank::{
    AugmentedLagrangian, HessianAssembler, Hinge, LowRankSolver, SolverSettings, Workspace,
    sketched_eigenpairs, start,
};
use relucert::relaxation::{Lifting, PairSet};
use relucert::training::{TrainingSettings, train};

const SAMPLES: usize = 2_000;
const COUNT: usize = 4;

/// The slack of these constraints at a point, dense, and what the sketch finds of it.
fn both(lifting: &Lifting, set: &PairSet, solver: &LowRankSolver<'_>) -> (Mat<f64>, Vec<(f64, Vec<f64>)>) {
    // Without a penalty the multipliers are those of the set.
    let hinge = Hinge { penalty: 1e-12, smoothing: 0.0 };
    let lagrangian = AugmentedLagrangian { lifting, set, equality_penalty: 0.0, hinge };
    let mut work = Workspace::default();
    lagrangian.value(solver.factor(), &mut work);
    let slack = HessianAssembler::new(lifting).dual_slack(&lagrangian, &work);
    let multipliers = set.updated(&work.equality_weight, &work.next);
    let found = sketched_eigenpairs(lifting, &multipliers, &work.residual, COUNT);
    (slack, found.expect("so many samples of few features are cheaper to sketch"))
}

/// Vectors of length one with their Rayleigh quotients; the first as negative as there is, to a fifth.
fn check(slack: &Mat<f64>, found: &[(f64, Vec<f64>)], what: &str) {
    let values = slack.self_adjoint_eigenvalues(Side::Lower).unwrap();
    let (least, largest) = (values[0], values[values.len() - 1]);
    assert_eq!(found.len(), COUNT);
    for (value, vector) in found {
        let x = Mat::from_fn(vector.len(), 1, |i, _| vector[i]);
        assert!((x.norm_l2() - 1.0).abs() < 1e-9);
        let quotient = (x.transpose() * slack * &x)[(0, 0)];
        assert!((quotient - value).abs() < 1e-9 * largest, "{what}: {quotient} for {value}");
        assert!(*value >= least - 1e-9 * largest, "{what}: {value} below {least}");
    }
    assert!(least < -1e-6 * largest, "{what}: nothing negative to find, {least} of {largest}");
    assert!(found[0].0 <= 0.8 * least, "{what}: {} of {least}", found[0].0);
}

#[test]
fn it_finds_what_is_negative() {
    let data = TeacherSettings { samples: SAMPLES, features: 6, outputs: 1, ..TeacherSettings::default() };
    let problem = teacher(&data).unwrap().problem(0.01 * SAMPLES as f64).unwrap();
    let lifting = Lifting::new(&problem).unwrap();
    let quick =
        TrainingSettings { width: 8, starts: 1, iterations: 50, rounds: 0, ..TrainingSettings::default() };
    let network = train(&problem, &quick, &Control::new());
    let factor = start(&lifting, &network, 12, 0);
    let mut solver = LowRankSolver::new(&lifting, SolverSettings::default(), factor).unwrap();
    for _ in 0..3 {
        solver.advance(&Control::new());
    }
    let set = solver.pairs().clone();
    let (slack, found) = both(&lifting, &set, &solver);
    check(&slack, &found, "early level");
    // One pair so heavy that the sample block is negative on two samples alone: a random start hardly sees that.
    let mut heavy = set;
    let place = heavy.len() / 3;
    heavy.multipliers[place] = 30.0 * heavy.multipliers.iter().copied().fold(0.0, f64::max);
    let (slack, found) = both(&lifting, &heavy, &solver);
    check(&slack, &found, "one heavy pair");
}
