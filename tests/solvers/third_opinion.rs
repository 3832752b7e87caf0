//! Under the feature `lapack`: an interior-point solver and an eigensolver by others, on problems built from X, Y and γ alone.
use clarabel::algebra::CscMatrix;
use clarabel::solver::SupportedConeT::{NonnegativeConeT, PSDTriangleConeT, ZeroConeT};
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, SolverStatus};
use faer::{Mat, Side};
use relucert::certify_by_interior_point;
use relucert::data::{TeacherSettings, teacher};
use relucert::interior_point::ReferenceSettings;
use relucert::training::TrainingSettings;
use relucert::{Control, TrainingProblem};

/// Λ over (u, s, v), its upper triangle column by column.
struct Lifted {
    order: usize,
}

impl Lifted {
    fn count(&self) -> usize {
        self.order * (self.order + 1) / 2
    }

    fn at(&self, a: usize, b: usize) -> usize {
        let (a, b) = (a.min(b), a.max(b));
        b * (b + 1) / 2 + a
    }
}

/// Rows of a sparse matrix under construction, with their right-hand sides.
#[derive(Default)]
struct Rows {
    row: Vec<usize>,
    column: Vec<usize>,
    value: Vec<f64>,
    right: Vec<f64>,
}

impl Rows {
    fn push(&mut self, entries: &[(usize, f64)], right: f64) {
        for &(column, value) in entries {
            self.row.push(self.right.len());
            self.column.push(column);
            self.value.push(value);
        }
        self.right.push(right);
    }
}

/// The linear form (s_i + sign·x_iᵀu)/2 as entries over (u, s).
fn half(problem: &TrainingProblem, i: usize, sign: f64) -> Vec<(usize, f64)> {
    let d = problem.inputs();
    let mut entries: Vec<(usize, f64)> =
        (0..d).map(|a| (a, 0.5 * sign * problem.features()[(i, a)])).collect();
    entries.push((d + i, 0.5));
    entries
}

/// ⟨p, Λ q⟩ as entries over the triangle of Λ, times a factor.
fn product(lifted: &Lifted, p: &[(usize, f64)], q: &[(usize, f64)], factor: f64) -> Vec<(usize, f64)> {
    let all = p.iter().flat_map(|&(a, x)| q.iter().map(move |&(b, y)| (a, b, x * y)));
    all.map(|(a, b, value)| (lifted.at(a, b), factor * value)).collect()
}

/// Primal and dual value of the relaxation, every pair imposed, from Clarabel.
fn clarabel(problem: &TrainingProblem) -> (f64, f64, SolverStatus) {
    let (n, d, c) = (problem.samples(), problem.inputs(), problem.outputs());
    let lifted = Lifted { order: d + n + c };
    // Variables: the triangle of Λ, then the predictions.
    let variables = lifted.count() + n * c;
    let mut rows = Rows::default();
    for i in 0..n {
        let alpha = half(problem, i, 1.0);
        rows.push(&product(&lifted, &alpha, &half(problem, i, -1.0), 1.0), 0.0);
        for j in 0..c {
            let mut entries = product(&lifted, &alpha, &[(d + n + j, 1.0)], 1.0);
            entries.push((lifted.count() + i * c + j, -1.0));
            rows.push(&entries, 0.0);
        }
    }
    let equalities = rows.right.len();
    for i in 0..n {
        for j in 0..i {
            for (a, b) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
                rows.push(&product(&lifted, &half(problem, i, a), &half(problem, j, b), -1.0), 0.0);
            }
        }
    }
    let inequalities = rows.right.len() - equalities;
    for b in 0..lifted.order {
        for a in 0..=b {
            let factor = if a == b { 1.0 } else { std::f64::consts::SQRT_2 };
            rows.push(&[(lifted.at(a, b), -factor)], 0.0);
        }
    }
    let mut linear = vec![0.0; variables];
    for k in (0..d).chain(d + n..lifted.order) {
        linear[lifted.at(k, k)] = 0.5 * problem.weight_decay();
    }
    for i in 0..n {
        for j in 0..c {
            linear[lifted.count() + i * c + j] = -problem.targets()[(i, j)];
        }
    }
    let predictions: Vec<usize> = (lifted.count()..variables).collect();
    let ones = vec![1.0; predictions.len()];
    let quadratic =
        CscMatrix::new_from_triplets(variables, variables, predictions.clone(), predictions, ones);
    let matrix = CscMatrix::new_from_triplets(rows.right.len(), variables, rows.row, rows.column, rows.value);
    let cones = [ZeroConeT(equalities), NonnegativeConeT(inequalities), PSDTriangleConeT(lifted.order)];
    let settings = DefaultSettingsBuilder::default().verbose(false).build().unwrap();
    let mut solver = DefaultSolver::new(&quadratic, &linear, &matrix, &rows.right, &cones, settings).unwrap();
    solver.solve();
    let constant = problem.zero_objective();
    let found = &solver.solution;
    (found.obj_val + constant, found.obj_val_dual + constant, found.status)
}

fn compare(name: &str, problem: &TrainingProblem, tolerance: f64) {
    let training = TrainingSettings { width: 20, starts: 1, rounds: 0, ..TrainingSettings::default() };
    let settings = ReferenceSettings::default();
    let ours =
        certify_by_interior_point(problem, &settings, &training, &Control::new(), &mut |_| {}).unwrap();
    let value = ours.report.relaxation_value.unwrap();
    let (theirs, dual, status) = clarabel(problem);
    println!("{name}: {value:.9}, Clarabel {theirs:.9} (dual {dual:.9}) {status:?}");
    assert!(matches!(status, SolverStatus::Solved | SolverStatus::AlmostSolved), "{name}: {status:?}");
    for theirs in [theirs, dual] {
        assert!((theirs - value).abs() <= tolerance * value, "{name}: {value} and {theirs}");
    }
    assert!(ours.proof.lower_bound() <= theirs * (1.0 + tolerance), "{name}");
    assert!(dual <= ours.report.upper_bound.value() * (1.0 + tolerance), "{name}");
}

#[test]
fn clarabel_agrees_on_teacher_data() {
    for (n, d, c, gamma) in [
        (8, 2, 1, 0.1),
        (12, 3, 2, 1e-2),
        (12, 3, 2, 1.0),
        (10, 14, 2, 1.0),
        (8, 3, 10, 1.0),
        (15, 2, 1, 1e2),
    ] {
        let settings =
            TeacherSettings { samples: n, features: d, outputs: c, seed: 3, ..TeacherSettings::default() };
        let problem = teacher(&settings).unwrap().problem(gamma).unwrap();
        compare(&format!("{n} × {} → {c}, γ = {gamma}", d + 1), &problem, 1e-5);
    }
}

#[test]
fn clarabel_agrees_on_published_data() {
    for (name, gamma) in [("random_02", 0.1), ("random_03", 0.1)] {
        let Some(problem) = crate::common::published_problem(name, gamma) else { return };
        compare(&format!("{name} {gamma}"), &problem, 1e-4);
    }
}

#[test]
fn lapack_and_faer_find_the_same_eigenvalues() {
    for order in [1, 2, 7, 60, 150] {
        // Decaying entries spread the eigenvalues over many orders of magnitude.
        let entry = |i: usize, j: usize| {
            let (i, j) = (i.min(j) as f64, i.max(j) as f64);
            (1.0 + i * 0.7 + j * 0.3).sin() * (-0.05 * (i + j)).exp()
        };
        let matrix = nalgebra::DMatrix::from_fn(order, order, entry);
        let mut theirs: Vec<f64> =
            nalgebra_lapack::SymmetricEigen::new(matrix).eigenvalues.iter().copied().collect();
        theirs.sort_by(f64::total_cmp);
        let ours = Mat::from_fn(order, order, entry).self_adjoint_eigenvalues(Side::Lower).unwrap();
        let size = theirs.iter().fold(0.0f64, |a, v| a.max(v.abs()));
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() <= 1e-13 * size * order as f64, "order {order}: {a} and {b}");
        }
    }
}
