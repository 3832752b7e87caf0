//! The Lanczos estimates against known and dense spectra, and where such code usually hangs.

use faer::{Mat, Side};
use relucert::linalg::lanczos::{LanczosSettings, SymmetricOperator, smallest_eigenpairs};

struct Dense(Mat<f64>);

impl SymmetricOperator for Dense {
    fn order(&self) -> usize {
        self.0.nrows()
    }

    fn apply(&self, x: &[f64], out: &mut [f64]) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = x.iter().enumerate().map(|(j, x)| self.0[(i, j)] * x).sum();
        }
    }
}

/// Q diag(spectrum) Qᵀ with Q a product of two Householder reflections.
fn with_spectrum(spectrum: &[f64]) -> Dense {
    let n = spectrum.len();
    let mut matrix = Mat::from_fn(n, n, |i, j| if i == j { spectrum[i] } else { 0.0 });
    for phase in [0.3, 1.7] {
        let v: Vec<f64> = (0..n).map(|i| (phase + 1.3 * i as f64).sin() + 0.1).collect();
        let square: f64 = v.iter().map(|v| v * v).sum();
        let h = Mat::from_fn(n, n, |i, j| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / square);
        matrix = &h * &matrix * &h;
    }
    Dense(Mat::from_fn(n, n, |i, j| 0.5 * (matrix[(i, j)] + matrix[(j, i)])))
}

#[test]
fn agrees_with_the_dense_eigensolver_on_several_spectra() {
    let spectra: [Vec<f64>; 4] = [
        (0..80).map(|k| k as f64 - 3.0).collect(),
        (0..60).map(|k| 10f64.powf(-(k as f64) / 6.0) - 1e-3).collect(),
        (0..50).map(|k| if k < 4 { -1.0 } else { 2.0 }).collect(),
        (0..40).map(|k| if k % 2 == 0 { 1.0 } else { -1.0 }).collect(),
    ];
    for spectrum in spectra {
        let operator = with_spectrum(&spectrum);
        let exact = operator.0.self_adjoint_eigen(Side::Lower).unwrap();
        let settings = LanczosSettings { count: 3, ..Default::default() };
        let found = smallest_eigenpairs(&operator, &settings).unwrap();
        assert!(found.converged);
        let norm = spectrum.iter().fold(0.0f64, |a, b| a.max(b.abs()));
        for k in 0..3 {
            let expected = exact.S().column_vector()[k];
            assert!((found.values[k] - expected).abs() < 1e-9 * norm, "{} {expected}", found.values[k]);
            let v: Vec<f64> = (0..spectrum.len()).map(|i| found.vectors[(i, k)]).collect();
            let mut av = vec![0.0; v.len()];
            operator.apply(&v, &mut av);
            let residual: f64 = av.iter().zip(&v).map(|(a, v)| (a - found.values[k] * v).powi(2)).sum();
            assert!(residual.sqrt() < 1e-8 * norm);
        }
    }
}

#[test]
fn zero_identity_and_order_one_end() {
    for value in [0.0, 1.0, -2.5] {
        for order in [1, 2, 70] {
            let operator = Dense(Mat::from_fn(order, order, |i, j| if i == j { value } else { 0.0 }));
            let found =
                smallest_eigenpairs(&operator, &LanczosSettings { count: 2, ..Default::default() }).unwrap();
            assert_eq!(found.values.len(), order.min(2));
            assert!(found.converged && found.values.iter().all(|v| (v - value).abs() < 1e-12));
        }
    }
}

#[test]
fn an_operator_that_is_not_finite_is_an_error() {
    let operator = Dense(Mat::from_fn(5, 5, |i, j| if i == j && i == 2 { f64::NAN } else { 1.0 }));
    assert!(smallest_eigenpairs(&operator, &LanczosSettings::default()).is_err());
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let operator = with_spectrum(&(0..90).map(|k| (k as f64).sqrt() - 2.0).collect::<Vec<_>>());
    let run = || smallest_eigenpairs(&operator, &LanczosSettings::default()).unwrap().values[0].to_bits();
    assert_eq!(run(), run());
}
