//! faer's symmetric eigendecomposition against LAPACK's.
use faer::{Mat, Side};
use nalgebra::DMatrix;
use nalgebra_lapack::SymmetricEigen;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
// Links the library, and with it LAPACK.
use relucert as _;

fn random(order: usize, rng: &mut Pcg64) -> Mat<f64> {
    Mat::from_fn(order, order, |_, _| rng.sample(StandardNormal))
}

/// QᵀDQ with a random orthogonal Q.
fn with_spectrum(values: &[f64], rng: &mut Pcg64) -> Mat<f64> {
    let q = random(values.len(), rng).qr().compute_thin_Q();
    let scaled = Mat::from_fn(q.nrows(), q.ncols(), |i, j| q[(i, j)] * values[j]);
    let product = &scaled * q.transpose();
    Mat::from_fn(q.nrows(), q.ncols(), |i, j| 0.5 * (product[(i, j)] + product[(j, i)]))
}

/// Ascending eigenvalues of both agree to a few roundings of the norm, and faer's vectors satisfy LAPACK's values.
fn compare(matrix: &Mat<f64>) {
    let order = matrix.nrows();
    let ours = matrix.self_adjoint_eigen(Side::Lower).expect("faer converges");
    let copy = DMatrix::from_fn(order, order, |i, j| matrix[(i, j)]);
    let theirs = SymmetricEigen::new(copy);
    let mut expected: Vec<f64> = theirs.eigenvalues.iter().copied().collect();
    expected.sort_by(f64::total_cmp);
    let norm = expected.iter().fold(f64::MIN_POSITIVE, |a, b| a.max(b.abs()));
    let tolerance = 8.0 * order as f64 * f64::EPSILON * norm;
    let values = ours.S().column_vector();
    for k in 0..order {
        assert!((values[k] - expected[k]).abs() <= tolerance, "{} {}", values[k], expected[k]);
    }
    let product = matrix * ours.U();
    for k in 0..order {
        let residual: f64 =
            (0..order).map(|i| (product[(i, k)] - expected[k] * ours.U()[(i, k)]).powi(2)).sum();
        assert!(residual.sqrt() <= tolerance, "{residual}");
    }
    let gram = ours.U().transpose() * ours.U() - Mat::<f64>::identity(order, order);
    assert!(gram.norm_max() <= 8.0 * order as f64 * f64::EPSILON);
}

#[test]
fn random_spectra_agree() {
    let mut rng = Pcg64::seed_from_u64(1);
    for order in [1, 2, 5, 33, 100] {
        let a = random(order, &mut rng);
        compare(&Mat::from_fn(order, order, |i, j| a[(i, j)] + a[(j, i)]));
    }
}

#[test]
fn clustered_spectra_agree() {
    let mut rng = Pcg64::seed_from_u64(2);
    let order = 60;
    let spectra: [&dyn Fn(usize) -> f64; 4] = [
        // one cluster within roundings, two far clusters, many decades, rank one
        &|k| 1.0 + 1e-15 * k as f64,
        &|k| if k < 30 { 1e-9 } else { 1e3 + 1e-10 * k as f64 },
        &|k| 10f64.powi(-(k as i32) / 4),
        &|k| f64::from(u8::from(k == 0)),
    ];
    for spectrum in spectra {
        let values: Vec<f64> = (0..order).map(spectrum).collect();
        compare(&with_spectrum(&values, &mut rng));
    }
    compare(&Mat::zeros(order, order));
}
