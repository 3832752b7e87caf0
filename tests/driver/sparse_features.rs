//! Sparse features against the same numbers stored densely, from the objective to the saved certificate.

use crate::common::gaussian;
use faer::{Mat, Side};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use relucert::certificate::{Certificate, Grade, prove};
use relucert::dual::{DualPoint, Slack};
use relucert::io::{load_problem, save_certificate, save_problem, verify};
use relucert::repair::certify_dual;
use relucert::training::{TrainingSettings, Whitening, descent, train};
use relucert::{
    Blocks, Certified, CertifySettings, Control, Features, Method, Network, Silent, TrainingProblem, certify,
};
use sprs::{CsMat, TriMat};

/// Rows of so many entries in random columns, the first columns more often than the last.
fn random_rows(seed: u64, samples: usize, features: usize, entries: usize) -> CsMat<f64> {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut rows = TriMat::new((samples, features));
    for i in 0..samples {
        let mut columns: Vec<usize> =
            (0..entries).map(|_| (features as f64 * rng.random::<f64>().powi(2)) as usize).collect();
        columns.sort_unstable();
        columns.dedup();
        for j in columns {
            rows.add_triplet(i, j, 0.5 + rng.random::<f64>());
        }
    }
    rows.to_csr()
}

/// The same problem with sparse features and with dense ones; targets that two of the columns decide, and noise.
fn twins(x: CsMat<f64>, gamma: f64) -> (TrainingProblem, TrainingProblem) {
    let dense = Features::from(x.clone()).to_dense().unwrap().into_owned();
    let noise = gaussian(11, x.rows(), 1);
    let y = Mat::from_fn(x.rows(), 1, |i, _| {
        let row = |j: usize| dense[(i, j)];
        (row(0) + row(1) - row(2)).max(0.0) + 0.1 * noise[(i, 0)]
    });
    let sparse = TrainingProblem::new(x, y.clone(), gamma).unwrap();
    (sparse, TrainingProblem::new(dense, y, gamma).unwrap())
}

fn solve(problem: &TrainingProblem, settings: &CertifySettings) -> Certified {
    certify(problem, settings, &Control::new(), &mut Silent).unwrap()
}

fn quick() -> CertifySettings {
    let training = TrainingSettings {
        width: 8,
        starts: 1,
        iterations: 100,
        rounds: 2,
        seed: 0,
        ..TrainingSettings::default()
    };
    CertifySettings { method: Method::Relaxation, training, ..CertifySettings::default() }
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs())
}

#[test]
fn a_network_has_the_same_objective_on_both() {
    // More rows than are handled at once.
    let (sparse, dense) = twins(random_rows(1, 8500, 40, 4), 0.5);
    let network = Network::new(gaussian(2, 40, 6), gaussian(3, 1, 6)).unwrap();
    let (a, b) = (network.objective(&sparse), network.objective(&dense));
    assert!(close(a, b, 1e-12), "{a} {b}");
    for (problem, objective) in [(&sparse, a), (&dense, b)] {
        let upper = network.objective_upper(problem).value();
        assert!(upper >= objective * (1.0 - 1e-13) && close(upper, objective, 1e-9), "{upper} {objective}");
    }
    // By columns it is the same matrix.
    let Features::Sparse(x) = sparse.stored_features() else { panic!("dense") };
    let by_columns = TrainingProblem::new(x.to_csc(), sparse.targets().to_owned(), 0.5).unwrap();
    assert_eq!(network.objective(&by_columns), a);
    assert_eq!(network.objective_upper(&by_columns), network.objective_upper(&sparse));
}

#[test]
fn wide_and_narrow_problems_have_the_bounds_of_their_dense_twins() {
    // Fewer columns than samples, more of them, and many more, with zero rows and repeated ones.
    for (samples, features, gamma) in [(60, 20, 0.8), (40, 60, 0.8), (30, 400, 0.6)] {
        let mut x = random_rows(samples as u64, samples, features, 5);
        let repeated: Vec<usize> = (0..samples).map(|i| if i % 7 == 3 { i - 3 } else { i }).collect();
        let mut rows = CsMat::empty(sprs::CompressedStorage::CSR, features);
        for i in repeated {
            rows = rows.append_outer_csvec(x.outer_view(i).unwrap());
        }
        x = rows.append_outer_csvec(sprs::CsVec::<f64>::empty(features).view());
        let (sparse, dense) = twins(x, gamma);
        let (ours, theirs) = (solve(&sparse, &quick()), solve(&dense, &quick()));
        let [a, b] = [&ours, &theirs].map(|run| run.report.lower_bound.value());
        assert!(a > 0.0 && close(a, b, 3e-3), "{features}: {a} {b}");
        for (run, problem) in [(&ours, &sparse), (&theirs, &dense)] {
            assert_eq!(run.report.grade, Grade::Verified);
            assert!(run.report.lower_bound <= run.network.objective_upper(problem));
            assert!(run.report.lower_bound <= ours.network.objective_upper(&sparse));
        }
        // The point proved for the sparse problem is feasible for the dense one, where nothing is replaced.
        let slack = Slack::new(&dense, ours.certificate.dual()).unwrap().dense();
        let least = slack.self_adjoint_eigenvalues(Side::Lower).unwrap()[0];
        assert!(least > -1e-11 * slack.norm_max(), "{features}: {least:e}");
    }
}

/// The scale of W at which the proof begins to refuse, from below.
fn boundary(problem: &TrainingProblem, dual: &DualPoint) -> f64 {
    let scaled = |t: f64| DualPoint {
        w: Mat::from_fn(dual.w.nrows(), dual.w.ncols(), |i, j| t * dual.w[(i, j)]),
        ..dual.clone()
    };
    let (mut low, mut high) = (1.0, 2.0);
    for _ in 0..45 {
        let middle = 0.5 * (low + high);
        let proved = prove(problem, &Certificate::new(scaled(middle))).is_ok();
        *if proved { &mut low } else { &mut high } = middle;
    }
    low
}

#[test]
fn the_factor_of_the_gram_matrix_costs_next_to_nothing() {
    let (sparse, dense) = twins(random_rows(5, 50, 300, 6), 1.0);
    let guess = DualPoint { w: sparse.targets().to_owned(), ..DualPoint::zero(50, 1) };
    let (certificate, proof) = certify_dual(&sparse, &guess).unwrap();
    assert!(proof.lower_bound() > 0.0);
    let (ours, theirs) = (boundary(&sparse, certificate.dual()), boundary(&dense, certificate.dual()));
    // A larger Gram matrix can only be proved less.
    assert!(ours <= theirs * (1.0 + 1e-10) && close(ours, theirs, 1e-6), "{ours} {theirs}");
}

#[test]
fn blocks_of_sparse_samples_are_proved_and_verified_from_their_files() {
    let (sparse, dense) = twins(random_rows(6, 60, 200, 6), 0.5);
    let settings = CertifySettings { blocks: Blocks::Count(3), ..quick() };
    let (run, twin) = (solve(&sparse, &settings), solve(&dense, &settings));
    assert!(run.report.lower_bound > 0.0 && run.report.blocks == 3);
    assert!(close(run.report.lower_bound.value(), twin.report.lower_bound.value(), 3e-3));
    let folder = tempfile::tempdir().unwrap();
    run.save(&sparse, folder.path()).unwrap();
    let proof = verify(folder.path()).unwrap();
    assert_eq!(proof.lower_bound(), run.report.lower_bound);
    assert_eq!(proof.grade(), Grade::Verified);
    let loaded = load_problem(&folder.path().join("problem.npz")).unwrap();
    let (Features::Sparse(a), Features::Sparse(b)) = (loaded.stored_features(), sparse.stored_features())
    else {
        panic!("filled")
    };
    assert_eq!(a, b);
    // A certificate that claims more, and a problem that is another.
    let mut dual = run.certificate.dual().clone();
    dual.w = Mat::from_fn(60, 1, |i, _| 1.001 * dual.w[(i, 0)]);
    let partition = run.certificate.partition().unwrap().clone();
    save_certificate(&folder.path().join("certificate.npz"), &Certificate::of_blocks(dual, partition))
        .unwrap();
    assert!(verify(folder.path()).is_err());
    save_certificate(&folder.path().join("certificate.npz"), &run.certificate).unwrap();
    assert!(verify(folder.path()).is_ok());
    let larger = b.map(|value| 1.01 * value);
    let other = TrainingProblem::new(larger, sparse.targets().to_owned(), 0.5).unwrap();
    save_problem(&folder.path().join("problem.npz"), &other).unwrap();
    assert!(verify(folder.path()).is_err());
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (sparse, _) = twins(random_rows(7, 150, 400, 6), 3.0);
    let settings = CertifySettings { blocks: Blocks::Count(3), tolerance: 1e-2, ..quick() };
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let run = pool.install(|| solve(&sparse, &settings));
        let dual = run.certificate.dual();
        let mut bits: Vec<u64> = dual.y.iter().chain(&dual.n).map(|value| value.to_bits()).collect();
        bits.extend(
            run.network.hidden().col_iter().flat_map(|c| c.iter().map(|v| v.to_bits()).collect::<Vec<_>>()),
        );
        bits.extend([run.report.lower_bound.value().to_bits(), run.report.upper_bound.value().to_bits()]);
        assert!(run.report.lower_bound > 0.0);
        bits
    };
    assert!(run(1) == run(3));
}

#[test]
fn training_on_sparse_features_reaches_what_it_reaches_on_dense_ones() {
    // Large enough for the sparse coordinates.
    let (sparse, dense) = twins(random_rows(8, 600, 400, 8), 2.0);
    let settings = TrainingSettings {
        width: 10,
        starts: 1,
        iterations: 150,
        rounds: 3,
        seed: 0,
        ..TrainingSettings::default()
    };
    let [ours, theirs] = [&sparse, &dense].map(|p| train(p, &settings, &Control::new()).objective(p));
    assert!(ours <= 1.02 * theirs, "{ours} {theirs}");
    assert!(ours < 0.9 * sparse.zero_objective(), "{ours}");
    // Columns in units of their own, and one that is in every sample.
    let mut rows = CsMat::empty(sprs::CompressedStorage::CSR, 401);
    let Features::Sparse(x) = sparse.stored_features() else { panic!("dense") };
    for row in x.outer_iterator() {
        let mut scaled = sprs::CsVec::<f64>::empty(401);
        row.iter().for_each(|(j, value)| scaled.append(j, value * 10f64.powi((j % 5) as i32 - 2)));
        scaled.append(400, 30.0);
        rows = rows.append_outer_csvec(scaled.view());
    }
    let uneven = TrainingProblem::new(rows, sparse.targets().to_owned(), 0.3).unwrap();
    let settings = TrainingSettings { iterations: 60, ..settings };
    let after = |whitening| descent(&uneven, whitening, &settings).unwrap().0;
    let [exact, randomised, raw] = [Whitening::Exact, Whitening::Randomised, Whitening::None].map(after);
    assert!(randomised < 1.5 * exact && randomised < 0.7 * raw, "{exact} {randomised} {raw}");
}

#[test]
fn compressed_rows_that_do_not_fit_together_are_refused() {
    let (sparse, _) = twins(random_rows(9, 12, 9, 3), 1.0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("problem.npz");
    save_problem(&path, &sparse).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(relucert::io::parse_problem(&path, &bytes).is_ok());
    // Every number of the arrays in turn, made too large: refused, or a legal problem that differs.
    let mut refused = 0;
    for place in (0..bytes.len()).step_by(5) {
        let mut damaged = bytes.clone();
        damaged[place] = !damaged[place];
        match relucert::io::parse_problem(&path, &damaged) {
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().contains('\n'));
            }
            Ok(problem) => assert!(problem.samples() == 12),
        }
    }
    assert!(refused > bytes.len() / 20, "{refused}");
}
