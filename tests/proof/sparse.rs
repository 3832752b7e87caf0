//! The proof by a sparse factorisation against the dense one, and against eigenvalues.

use crate::common::gaussian;
use faer::{Mat, Side};
use relucert::certificate::{Certificate, Grade, Partition, ProofSettings, prove_with};
use relucert::dual::{DualPoint, Slack};
use relucert::repair::certify_dual_with;
use relucert::{Result, TrainingProblem};

/// No room for a dense factorisation.
fn sparse() -> ProofSettings {
    ProofSettings { dense_limit: Some(0), positive: false, ..Default::default() }
}

fn dense() -> ProofSettings {
    ProofSettings { sparse: false, ..Default::default() }
}

/// A problem with pairs i, j for which `joined(i, j)`, of forms that vary, and y that makes it feasible for small W.
fn case(n: usize, joined: impl Fn(usize, usize) -> bool) -> (TrainingProblem, DualPoint) {
    let (d, c) = (5, 2);
    let problem = TrainingProblem::new(gaussian(7, n, d), gaussian(8, n, c), n as f64 / 10.0).unwrap();
    let eta = problem.weight_decay() / (4.0 * n as f64);
    let mut dual = DualPoint { w: problem.targets().to_owned(), y: vec![-eta; n], ..DualPoint::zero(n, c) };
    let random = gaussian(9, n, n);
    for i in 0..n {
        let count = (0..n).filter(|&j| i != j && joined(i.max(j), i.min(j))).count();
        for j in (0..i).filter(|&j| joined(i, j)) {
            let (a, b) =
                (i + n * usize::from(random[(i, j)] > 0.0), j + n * usize::from(random[(j, i)] > 0.0));
            dual.pairs.push([a, b]);
            dual.n.push(0.4 * eta / count.max(8) as f64);
        }
    }
    (problem, dual)
}

fn scaled(dual: &DualPoint, t: f64) -> DualPoint {
    DualPoint { w: Mat::from_fn(dual.w.nrows(), dual.w.ncols(), |i, k| t * dual.w[(i, k)]), ..dual.clone() }
}

fn least_eigenvalue(problem: &TrainingProblem, dual: &DualPoint) -> f64 {
    Slack::new(problem, dual).unwrap().dense().self_adjoint_eigenvalues(Side::Lower).unwrap()[0]
}

fn accepts(problem: &TrainingProblem, dual: &DualPoint, settings: &ProofSettings) -> Option<f64> {
    let proof = prove_with(problem, &Certificate::new(dual.clone()), settings).ok()?;
    assert_eq!(proof.grade(), Grade::Verified);
    Some(proof.lower_bound().value())
}

type Joined = Box<dyn Fn(usize, usize) -> bool>;

/// Chains, rings with chords, a mesh, a dense core with chains hanging from it, everything with everything.
fn patterns() -> Vec<(&'static str, usize, Joined)> {
    vec![
        ("no pairs", 60, Box::new(|_, _| false)),
        ("chain", 160, Box::new(|i, j| i == j + 1)),
        ("ring", 160, Box::new(|i, j| i - j == 1 || i - j == 7 || i - j == 159)),
        ("mesh", 169, Box::new(|i, j| i - j == 13 || (i - j == 1 && i % 13 > 0))),
        ("core", 400, Box::new(|i, j| (i < 100 && (i + j) % 3 > 0) || i - j == 50)),
        ("all", 90, Box::new(|_, _| true)),
        ("star", 120, Box::new(|_, j| j == 0)),
    ]
}

#[test]
fn both_sides_of_the_boundary_are_told_apart_as_by_the_dense_proof() {
    for (name, n, joined) in patterns() {
        let (problem, dual) = case(n, joined);
        let (mut low, mut high) = (0.0, 1.0);
        assert!(least_eigenvalue(&problem, &scaled(&dual, 0.0)) > 0.0, "{name}");
        assert!(least_eigenvalue(&problem, &scaled(&dual, high)) < 0.0, "{name}");
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            let inside = least_eigenvalue(&problem, &scaled(&dual, middle)) > 0.0;
            *if inside { &mut low } else { &mut high } = middle;
        }
        let (inside, beyond) = (scaled(&dual, low * (1.0 - 1e-7)), scaled(&dual, low * (1.0 + 1e-7)));
        let bound = accepts(&problem, &inside, &sparse());
        assert!(bound.is_some_and(|bound| bound > 0.0), "{name}");
        assert_eq!(bound, accepts(&problem, &inside, &dense()), "{name}");
        assert_eq!(accepts(&problem, &beyond, &sparse()), None, "{name}: barely indefinite");
        assert_eq!(accepts(&problem, &beyond, &dense()), None, "{name}: barely indefinite");
    }
}

#[test]
fn one_multiplier_too_large_anywhere_is_refused() {
    for (name, n, joined) in patterns() {
        let (problem, dual) = case(n, joined);
        let sound = scaled(&dual, 0.02);
        assert!(accepts(&problem, &sound, &sparse()).is_some(), "{name}");
        for k in (0..sound.n.len()).step_by(sound.n.len() / 20 + 1) {
            let mut wrong = sound.clone();
            wrong.n[k] *= 1e4;
            assert!(least_eigenvalue(&problem, &wrong) < 0.0, "{name}");
            assert_eq!(accepts(&problem, &wrong, &sparse()), None, "{name}, pair {k}");
        }
        for i in (0..n).step_by(n / 20) {
            let mut wrong = sound.clone();
            wrong.y[i] *= -1e-3;
            assert_eq!(accepts(&problem, &wrong, &sparse()), None, "{name}, sample {i}");
        }
    }
}

#[test]
fn a_point_is_moved_inwards_no_further_than_the_factorisation_asks() -> Result<()> {
    let (problem, dual) = case(300, |i, j| i == j + 1);
    let near = scaled(&dual, 0.02);
    let (_, proof) = certify_dual_with(&problem, &near, &sparse())?;
    let (inner, square) = near.inner_products(&problem);
    assert_eq!(proof.grade(), Grade::Verified);
    assert!(proof.lower_bound() > (1.0 - 1e-6) * (inner - 0.5 * square));
    // Neither factorisation: chance, which needs more room.
    let settings = ProofSettings { sparse: false, ..sparse() };
    let (_, chance) = certify_dual_with(&problem, &near, &settings)?;
    assert_eq!(chance.grade(), Grade::Probabilistic);
    Ok(())
}

#[test]
fn blocks_with_head_matrices_need_no_dense_factorisation() {
    let (problem, dual) = case(120, |i, j| i == j + 2);
    let partition =
        Partition::from_blocks(&[(0..60).map(|i| 2 * i).collect(), (0..60).map(|i| 2 * i + 1).collect()]);
    let order = problem.inputs() + problem.outputs();
    let head = Mat::from_fn(order, order, |i, j| 1e-3 * (i + j) as f64 * problem.weight_decay());
    let heads = vec![head.clone(), -&head];
    let partition = partition.unwrap().with_heads(heads).unwrap();
    let prove = |t: f64, settings: &ProofSettings| {
        let mut point = scaled(&dual, t);
        point.y.iter_mut().chain(&mut point.n).for_each(|value| *value *= 0.2);
        prove_with(&problem, &Certificate::of_blocks(point, partition.clone()), settings)
    };
    let (one, two) = (prove(0.005, &sparse()).unwrap(), prove(0.005, &dense()).unwrap());
    assert_eq!((one.grade(), one.lower_bound()), (Grade::Verified, two.lower_bound()));
    assert!(one.lower_bound() > 0.0);
    assert!(prove(0.5, &sparse()).is_err());
    let none = ProofSettings { sparse: false, ..sparse() };
    assert_eq!(prove(0.005, &none).unwrap().grade(), Grade::None);
}
