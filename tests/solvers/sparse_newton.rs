//! The sparse factorisation of the Newton system against the assembled matrix.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::TrainingProblem;
use relucert::low_rank::{AugmentedLagrangian, Factor, HessianAssembler, Hinge, SparseNewton, Workspace};
use relucert::relaxation::{Lifting, PairSet};

fn normal(rng: &mut Pcg64) -> f64 {
    rng.sample(StandardNormal)
}

/// A point of a problem with near neighbours in its samples, and the Hessian there.
struct Point {
    lifting: Lifting,
    set: PairSet,
    factor: Factor,
    work: Workspace,
    hinge: Hinge,
    hessian: Mat<f64>,
}

const EQUALITY_PENALTY: f64 = 0.7;

impl Point {
    /// `faint` multipliers are so small that their pairs hardly count.
    fn new(seed: u64, inputs: usize, faint: bool) -> Self {
        let mut rng = Pcg64::seed_from_u64(seed);
        let (n, c, r) = (30, 2, 3);
        let mut x = Mat::from_fn(n, inputs, |_, _| normal(&mut rng));
        for i in (0..n).step_by(3).skip(1) {
            for j in 0..inputs {
                x[(i, j)] = -1.5 * x[(i - 1, j)] + 1e-2 * normal(&mut rng);
            }
        }
        let y = Mat::from_fn(n, c, |_, _| normal(&mut rng));
        let lifting = Lifting::new(&TrainingProblem::new(x, y, 0.3).unwrap()).unwrap();
        assert!(lifting.forest.parent.iter().flatten().count() > 3);
        let mut set = PairSet::new(&lifting, 4);
        set.multipliers.iter_mut().enumerate().for_each(|(e, m)| {
            *m = if faint && e % 3 > 0 { 1e-6 } else { 1.0 + normal(&mut rng).abs() };
        });
        set.equality_multipliers.iter_mut().for_each(|m| *m = 0.1 * normal(&mut rng));
        let hinge = Hinge { penalty: 1.3, smoothing: if faint { 1e-9 } else { 0.1 } };
        let rows = lifting.order() + c;
        let values: Vec<f64> = (0..rows * r).map(|_| normal(&mut rng)).collect();
        let (head, tail) = values.split_at(lifting.order() * r);
        let factor = Factor::new(head.to_vec(), tail, r);
        let (mut work, mut hessian) = (Workspace::default(), Mat::zeros(rows * r, rows * r));
        let lagrangian =
            AugmentedLagrangian { lifting: &lifting, set: &set, equality_penalty: EQUALITY_PENALTY, hinge };
        lagrangian.value(&factor, &mut work);
        HessianAssembler::new(&lifting).assemble(&lagrangian, &factor, &work, &mut hessian);
        let hessian = Mat::from_fn(rows * r, rows * r, |i, j| hessian[(i.max(j), i.min(j))]);
        Self { lifting, set, factor, work, hinge, hessian }
    }

    fn lagrangian(&self) -> AugmentedLagrangian<'_> {
        AugmentedLagrangian {
            lifting: &self.lifting,
            set: &self.set,
            equality_penalty: EQUALITY_PENALTY,
            hinge: self.hinge,
        }
    }

    fn least_eigenvalue(&self) -> f64 {
        self.hessian.self_adjoint_eigenvalues(Side::Lower).unwrap()[0]
    }

    /// The sparse factorisation of H + λI; none where it is refused.
    fn factored(&self, regularization: f64) -> Option<SparseNewton> {
        let live: Vec<usize> = (0..self.set.len()).collect();
        let mut newton = SparseNewton::default();
        let lagrangian = self.lagrangian();
        assert!(newton.plan(&lagrangian, self.factor.columns, &self.work, &live).unwrap() > 0.0);
        newton.factorize(&lagrangian, &self.factor, &self.work, &live, regularization).then_some(newton)
    }

    /// (H + λI)⁻¹x by a dense factorisation.
    fn dense(&self, regularization: f64, x: &Mat<f64>) -> Mat<f64> {
        let order = self.hessian.nrows();
        let shift = |i: usize, j: usize| if i == j { regularization } else { 0.0 };
        let raised = Mat::from_fn(order, order, |i, j| self.hessian[(i, j)] + shift(i, j));
        raised.llt(Side::Lower).unwrap().solve(x)
    }

    fn sparse(&self, newton: &mut SparseNewton, x: &Mat<f64>) -> Mat<f64> {
        let mut out = vec![0.0; x.nrows()];
        newton.apply(&self.lifting.forest, self.lifting.hidden_dimension(), x.col_as_slice(0), &mut out);
        Mat::from_fn(x.nrows(), 1, |i, _| out[i])
    }
}

#[test]
fn it_solves_what_the_assembled_matrix_does() {
    for seed in 0..4 {
        let point = Point::new(seed, 2 + seed as usize % 3, false);
        let above = 1e-3 - point.least_eigenvalue().min(0.0) * 1.01;
        let mut newton = point.factored(above).unwrap();
        let mut rng = Pcg64::seed_from_u64(seed + 100);
        let x = Mat::from_fn(point.hessian.nrows(), 1, |_, _| normal(&mut rng));
        let found = point.sparse(&mut newton, &x);
        // Over s the entries of neighbours at a distance θ are 1/θ² as large as over δ, and so is their rounding.
        let edges = point.lifting.forest.parent.iter().flatten();
        let nearest = edges.map(|(_, theta)| *theta).fold(0.1, f64::min);
        let residual = &point.hessian * &found + above * &found - &x;
        let size = point.hessian.norm_l2() * found.norm_l2();
        let rounding = 1e-15 / nearest.powi(2);
        assert!(rounding < 1e-4, "seed {seed}: a weak test");
        assert!(residual.norm_l2() < rounding * size, "seed {seed}: {} of {size}", residual.norm_l2());
    }
}

#[test]
fn it_refuses_what_is_indefinite() {
    let mut met = 0;
    for seed in 0..6 {
        let point = Point::new(seed, 3, false);
        let least = point.least_eigenvalue();
        if least < 0.0 {
            met += 1;
            assert!(point.factored(-0.99 * least).is_none() && point.factored(-1.01 * least).is_some());
        }
    }
    assert!(met > 0);
}

/// Where faint pairs are left out the diagonal is raised: the inverse is no larger, and nothing positive is refused.
#[test]
fn what_is_left_out_only_makes_the_matrix_larger() {
    for seed in 0..6 {
        let point = Point::new(seed, 3, true);
        let above = 1e-6 - point.least_eigenvalue().min(0.0) * 1.000_1;
        let mut newton = point.factored(above).unwrap();
        let mut rng = Pcg64::seed_from_u64(seed + 200);
        for _ in 0..5 {
            let x = Mat::from_fn(point.hessian.nrows(), 1, |_, _| normal(&mut rng));
            let form = |image: Mat<f64>| (x.transpose() * image)[(0, 0)];
            let (dense, sparse) = (form(point.dense(above, &x)), form(point.sparse(&mut newton, &x)));
            assert!(sparse > 0.0 && sparse <= dense * (1.0 + 1e-6), "seed {seed}: {sparse} of {dense}");
        }
    }
}

#[test]
fn many_dimensions_are_left_to_others() {
    let point = Point::new(1, 6, false);
    let live: Vec<usize> = (0..point.set.len()).collect();
    let plan = SparseNewton::default().plan(&point.lagrangian(), point.factor.columns, &point.work, &live);
    assert!(plan.is_none());
}
