//! Sublinear forms: what they prove, that a damaged one is refused, and that their defects are paid for.

use crate::common::{gaussian, published_problem};
use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::baselines::arrangements::{self, ArrangementSettings};
use relucert::certificate::{Certificate, ProofSettings, prove, prove_with};
use relucert::dual::{CutForms, DualPoint, Slack};
use relucert::interior_point::{ReferenceSettings, solve_lifted};
use relucert::io::{load_certificate, save_certificate};
use relucert::relaxation::Lifting;
use relucert::repair::{certify_dual, dual_point};
use relucert::{
    Blocks, Certified, CertifySettings, Control, Cuts, Error, Method, Silent, TrainingProblem, certify,
};

fn run(problem: &TrainingProblem, cuts: Cuts) -> Certified {
    let settings = CertifySettings { method: Method::Relaxation, cuts, ..CertifySettings::default() };
    certify(problem, &settings, &Control::new(), &mut Silent).unwrap()
}

/// Regression in the plane with a bias: loose without cuts, nearly tight with them.
fn plane() -> TrainingProblem {
    let features = gaussian(5, 16, 2);
    let x = Mat::from_fn(16, 2, |i, j| if j == 1 { 1.0 } else { features[(i, 0)] });
    let y = Mat::from_fn(16, 1, |i, _| (3.0 * x[(i, 0)]).sin());
    TrainingProblem::new(x, y, 0.02).unwrap()
}

/// A dual point close to the optimum with cuts, and the relaxation's value with and without them.
fn solved(problem: &TrainingProblem) -> (DualPoint, f64, f64) {
    let lifting = Lifting::new(problem).unwrap();
    let solve = |cuts| {
        let settings = ReferenceSettings { cuts, ..ReferenceSettings::default() };
        let solution = solve_lifted(&lifting, &settings, &Control::new(), &mut |_| ()).unwrap();
        assert!(solution.gap <= 1e-5, "{:?} {}", solution.status, solution.gap);
        solution
    };
    let (plain, tight) = (solve(Cuts::None), solve(Cuts::Auto));
    let residual: Vec<f64> = tight.fit_residual.iter().map(|w| -w).collect();
    (dual_point(problem, &lifting, &tight.pairs, &residual), tight.value, plain.value)
}

#[test]
fn cuts_prove_more_in_the_plane_and_never_more_than_a_network_has() {
    let problem = plane();
    let (without, with) = (run(&problem, Cuts::None), run(&problem, Cuts::Auto));
    let (loose, tight) = (without.report.lower_bound, with.report.lower_bound);
    let upper = with.report.upper_bound.value().min(without.report.upper_bound.value());
    assert!(without.report.cuts == 0 && with.report.cuts > 0);
    assert!(loose < 0.97 * upper, "a test of cuts needs a loose relaxation: {loose} of {upper}");
    assert!(tight > 0.985 * upper && tight <= upper, "{tight} of {upper}");
    // The report speaks of what the certificate carries.
    assert_eq!(with.report.cuts, with.certificate.dual().cuts.len());
}

/// The optimum over all networks, by enumerating activation patterns: no bound may pass it, and no cut may lower one.
#[test]
fn bounds_lie_between_those_without_cuts_and_the_exact_optimum() {
    for (seed, rank) in [(1, 2), (2, 2), (3, 3), (4, 3)] {
        let x = gaussian(seed, 12, rank);
        let noise = gaussian(seed + 100, 12, 2);
        let y = Mat::from_fn(12, 2, |i, j| (2.0 * x[(i, j)]).sin() + 0.2 * noise[(i, j)]);
        for gamma in [0.02, 0.3] {
            let problem = TrainingProblem::new(x.clone(), y.clone(), gamma).unwrap();
            let exact =
                arrangements::solve(&problem, &ArrangementSettings::default(), &Control::new()).unwrap();
            assert!(exact.converged && exact.upper - exact.lower < 1e-5 * exact.upper);
            let plain = run(&problem, Cuts::None).report.lower_bound;
            let tight = run(&problem, Cuts::Auto).report.lower_bound;
            assert!(tight >= plain, "{tight} with cuts, {plain} without");
            assert!(tight <= exact.upper, "{tight} above the optimum {}", exact.upper);
            if rank == 2 {
                assert!(tight >= 0.98 * exact.upper, "{tight} of {}", exact.upper);
            }
        }
    }
}

#[test]
fn published_sets_are_certified_almost_tightly() {
    for (name, gamma) in [("random_00", 0.01), ("random_01", 0.1)] {
        let Some(problem) = published_problem(name, gamma) else { return };
        let report = run(&problem, Cuts::Auto).report;
        let ratio = report.lower_bound.value() / report.upper_bound.value();
        assert!((0.985..=1.0).contains(&ratio), "{name} at {gamma}: {ratio}");
    }
}

#[test]
fn the_two_solvers_agree_with_cuts() {
    let problem = plane();
    let (_, tight, plain) = solved(&problem);
    assert!(tight > 1.01 * plain);
    let report = run(&problem, Cuts::Auto).report;
    assert!(
        (report.lower_bound.value() - tight).abs() < 5e-3 * tight,
        "{} {tight}",
        report.lower_bound.value()
    );
}

#[test]
fn the_low_rank_solver_takes_cuts_too() {
    let features = gaussian(9, 8, 1);
    let x = Mat::from_fn(8, 2, |i, j| if j == 1 { 1.0 } else { features[(i, 0)] });
    let y = Mat::from_fn(8, 1, |i, _| (3.0 * x[(i, 0)]).sin());
    let problem = TrainingProblem::new(x, y, 0.05).unwrap();
    let run = |method, cuts| {
        let settings = CertifySettings { method, cuts, ..CertifySettings::default() };
        certify(&problem, &settings, &Control::new(), &mut Silent).unwrap().report
    };
    let without = run(Method::LowRank, Cuts::None);
    let with = run(Method::LowRank, Cuts::Auto);
    let other = run(Method::InteriorPoint, Cuts::Auto);
    assert!(
        with.lower_bound.value() > 1.01 * without.lower_bound.value(),
        "{} {}",
        with.lower_bound.value(),
        without.lower_bound.value()
    );
    assert!((with.lower_bound.value() - other.lower_bound.value()).abs() < 5e-3 * other.lower_bound.value());
    assert!(with.cuts > 0 && with.lower_bound <= with.upper_bound);
}

#[test]
fn a_limit_is_kept_and_none_is_the_published_relaxation() {
    let problem = plane();
    let few = run(&problem, Cuts::Count(3));
    let none = run(&problem, Cuts::Count(0));
    assert!(few.report.cuts <= 3 && none.report.cuts == 0);
    assert!(few.report.lower_bound >= none.report.lower_bound);
    assert_eq!(none.report.lower_bound, run(&problem, Cuts::None).report.lower_bound);
}

#[test]
fn blocks_carry_their_own_cuts() {
    let features = gaussian(6, 40, 1);
    let x = Mat::from_fn(40, 2, |i, j| if j == 1 { 1.0 } else { features[(i, 0)] });
    let y = Mat::from_fn(40, 1, |i, _| (2.0 * x[(i, 0)]).cos());
    let problem = TrainingProblem::new(x, y, 0.1).unwrap();
    let divided = |cuts| {
        let settings = CertifySettings { cuts, blocks: Blocks::Count(2), ..CertifySettings::default() };
        certify(&problem, &settings, &Control::new(), &mut Silent).unwrap()
    };
    let (without, with) = (divided(Cuts::None), divided(Cuts::Auto));
    assert!(with.report.lower_bound.value() > 1.01 * without.report.lower_bound.value());
    assert!(with.report.cuts > 0 && with.report.lower_bound <= with.report.upper_bound);
    // The stacked certificate says the same, block by block and in one piece.
    let again = prove(&problem, &with.certificate).unwrap();
    assert_eq!(again.lower_bound(), with.proof.lower_bound());
    prove(&problem, &Certificate::new(with.certificate.dual().clone())).unwrap();
}

#[test]
fn a_saved_certificate_with_cuts_comes_back() {
    let certified = run(&plane(), Cuts::Auto);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("certificate.npz");
    save_certificate(&path, &certified.certificate).unwrap();
    let loaded = load_certificate(&path).unwrap();
    assert_eq!(loaded.dual().cuts, certified.certificate.dual().cuts);
    assert_eq!(prove(&plane(), &loaded).unwrap().lower_bound(), certified.proof.lower_bound());
}

/// The factorisations and Lanczos, all with the same forms.
#[test]
fn every_prover_takes_cuts() {
    let problem = plane();
    let (dual, value, plain) = solved(&problem);
    let (certificate, proof) = certify_dual(&problem, &dual).unwrap();
    assert!(proof.lower_bound() > 0.99 * value && proof.lower_bound() > 1.01 * plain);
    let of = |settings: ProofSettings| prove_with(&problem, &certificate, &settings).unwrap();
    let sparse = of(ProofSettings { dense_limit: Some(0), ..ProofSettings::default() });
    assert_eq!(sparse.lower_bound(), proof.lower_bound());
    // Inside the feasible set, where Lanczos has room.
    let inner = DualPoint {
        w: Mat::from_fn(16, 1, |i, j| 0.9 * certificate.dual().w[(i, j)]),
        y: certificate.dual().y.iter().map(|y| 0.9 * y - 1e-2).collect(),
        n: certificate.dual().n.iter().map(|n| 0.9 * n).collect(),
        ..certificate.dual().clone()
    };
    let (inner, _) = certify_dual(&problem, &inner).unwrap();
    let settings =
        ProofSettings { dense_limit: Some(0), sparse: false, positive: false, ..ProofSettings::default() };
    if let Ok(random) = prove_with(&problem, &inner, &settings) {
        assert!(random.failure_probability() > 0.0);
    }
}

/// The target of a form, and its samples with their coefficients.
type Row = (usize, Vec<(usize, f64)>);

fn refusal(problem: &TrainingProblem, dual: DualPoint) -> String {
    match prove(problem, &Certificate::new(dual)) {
        Err(error @ (Error::Refused(_) | Error::Shape { .. })) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn malformed_forms_are_refused() {
    let problem = plane();
    let sound = run(&problem, Cuts::Auto).certificate.into_dual();
    let n = problem.samples();
    let rows: Vec<Row> =
        (0..sound.cuts.len()).map(|f| (sound.cuts.targets()[f], sound.cuts.row(f).collect())).collect();
    let with = |change: &dyn Fn(&mut Row)| {
        let mut cuts = CutForms::new();
        for (f, row) in rows.iter().enumerate() {
            let mut row = row.clone();
            if f == 0 {
                change(&mut row);
            }
            cuts.push(row.0, row.1);
        }
        DualPoint { cuts, ..sound.clone() }
    };
    prove(&problem, &Certificate::new(with(&|_| ()))).unwrap();
    assert!(refusal(&problem, with(&|row| row.1[0].1 *= 1.0 + 1e-6)).contains("does not give back"));
    assert!(refusal(&problem, with(&|row| row.1[0].1 = -row.1[0].1)).contains("does not give back"));
    assert!(refusal(&problem, with(&|row| row.1[0].1 = f64::NAN)).contains("not finite"));
    assert!(refusal(&problem, with(&|row| row.1[0].0 = n)).contains("out of range"));
    assert!(refusal(&problem, with(&|row| row.0 = n + 7)).contains("out of range"));
    assert!(refusal(&problem, with(&|row| row.1[0].0 = row.0)).contains("twice"));
    assert!(refusal(&problem, with(&|row| row.1.clear())).contains("no coefficients"));
    let mut beyond = sound.clone();
    beyond.pairs.push([0, 2 * n + sound.cuts.len()]);
    beyond.n.push(0.0);
    assert!(refusal(&problem, beyond).contains("out of range"));
    // Long rows in many pairs would fill the memory.
    let (target, row) = &rows[0];
    let mut long = DualPoint::zero(n, 1);
    let zeros = (0..n).filter(|i| i != target && row.iter().all(|term| term.0 != *i)).map(|i| (i, 0.0));
    let terms: Vec<(usize, f64)> = row.iter().copied().chain(zeros).collect();
    for f in 0..800 {
        long.cuts.push(*target, terms.iter().copied());
        long.pairs.extend((0..f).map(|g| [2 * n + f, 2 * n + g]));
    }
    long.n = vec![1.0; long.pairs.len()];
    assert!(refusal(&problem, long).contains("products"));
    assert!(CutForms::from_rows(vec![0], &[0, 2], vec![1], vec![1.0]).is_err());
    assert!(CutForms::from_rows(vec![0], &[1, 1], vec![1], vec![1.0]).is_err());
    assert!(CutForms::from_rows(vec![0, 1], &[0, 1], vec![1], vec![1.0]).is_err());
}

/// Forms with defects up to what is let through: whatever is accepted stays below the optimum of the published
/// problem's networks. `RELUCERT_PERTURBATIONS` sets how many.
#[test]
fn no_perturbed_form_proves_more_than_a_network_has() {
    let count = std::env::var("RELUCERT_PERTURBATIONS").ok().and_then(|v| v.parse().ok()).unwrap_or(400);
    let problem = plane();
    let certified = run(&problem, Cuts::Auto);
    let (sound, upper) = (certified.certificate.dual(), certified.network.objective_upper(&problem).value());
    let (n, f) = (problem.samples(), sound.cuts.len());
    let mut rng = Pcg64::seed_from_u64(11);
    let (mut accepted, mut refused, mut claims) = (0, 0, 0);
    for _ in 0..count {
        let mut dual = sound.clone();
        let size = 10f64.powf(rng.random_range(-16.0..0.5));
        let chosen = rng.random_range(0..f);
        let mut cuts = CutForms::new();
        let kind = rng.random_range(0..8);
        for form in 0..f {
            let mut target = sound.cuts.targets()[form];
            let mut row: Vec<(usize, f64)> = sound.cuts.row(form).collect();
            if form == chosen {
                let term = rng.random_range(0..row.len());
                match kind {
                    0 => row[term].1 *= 1.0 + size * rng.sample::<f64, _>(StandardNormal),
                    1 => row.iter_mut().for_each(|term| term.1 *= 1.0 - size),
                    2 => row[term].0 = rng.random_range(0..n),
                    3 => target = rng.random_range(0..n),
                    4 => row[term].1 = f64::from_bits(row[term].1.to_bits() ^ (1 << rng.random_range(0..64))),
                    _ => {}
                }
            }
            cuts.push(target, row);
        }
        dual.cuts = cuts;
        match kind {
            5 => dual.w = Mat::from_fn(n, 1, |i, j| (1.0 + size) * dual.w[(i, j)]),
            6 => {
                let k = rng.random_range(0..dual.n.len());
                dual.n[k] *= 1.0 + size;
            }
            7 => {
                let k = rng.random_range(0..dual.pairs.len());
                dual.pairs[k] = [rng.random_range(0..2 * n + f), rng.random_range(0..2 * n + f)];
            }
            _ => {}
        }
        let (inner, square) = dual.inner_products(&problem);
        claims += usize::from(inner - 0.5 * square > upper);
        match prove(&problem, &Certificate::new(dual)) {
            Ok(proof) => {
                accepted += 1;
                assert!(proof.lower_bound() <= upper, "{} of {upper}", proof.lower_bound());
            }
            Err(_) => refused += 1,
        }
    }
    assert!(accepted > count / 20 && refused > count / 4 && claims > 0, "{accepted} {refused} {claims}");
}

/// One sample twice as long as another: x_1 = 2 x_0 + δ with a δ that the bound must pay for.
#[test]
fn a_defect_is_paid_for() {
    let defect = 1e-11;
    let x = Mat::from_fn(2, 2, |i, j| [[1.0, 0.0], [2.0, defect]][i][j]);
    let y = Mat::from_fn(2, 1, |i, _| 1.0 + i as f64);
    let problem = TrainingProblem::new(x, y, 1.0).unwrap();
    let mut cuts = CutForms::new();
    cuts.push(1, [(0, 2.0)]);
    let dual = DualPoint { pairs: vec![[0, 4]], n: vec![1e10], cuts, ..DualPoint::zero(2, 1) };
    let slack = Slack::new(&problem, &dual).unwrap();
    let (matrix, scale) = (slack.dense(), slack.scale());
    // The pair has no product of u with u: γ = 1 is left there, less 2 N |δ||x_0| = 0.2.
    for j in 0..2 {
        let ridge = matrix[(j, j)] / (scale[j] * scale[j]);
        assert!((0.79..=0.8).contains(&ridge), "{ridge}");
    }
}
