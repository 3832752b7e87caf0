//! The saved files against the published contract alone, in plain numbers: none of the library's dual code.

mod common;

use faer::{Mat, Side};
use npyz::npz::NpzArchive;
use relucert::data::{CsvOptions, load};
use relucert::{CertifySettings, Control, Silent, certify};
use std::path::Path;

/// Shape and row-major values of one array.
fn array<T: npyz::Deserialize>(path: &Path, name: &str) -> (Vec<usize>, Vec<T>) {
    let mut archive = NpzArchive::open(path).unwrap();
    let file = archive.by_name(name).unwrap().unwrap_or_else(|| panic!("{name} is missing"));
    assert_eq!(file.order(), npyz::Order::C);
    let shape = file.shape().iter().map(|size| *size as usize).collect();
    (shape, file.into_vec().unwrap())
}

#[test]
fn the_saved_certificate_proves_the_reported_bound() {
    let options = CsvOptions::default();
    let data = load("iris", &options).unwrap().standardized().with_bias();
    let problem = data.problem(5.0).unwrap();
    let certified = certify(&problem, &CertifySettings::default(), &Control::new(), &mut Silent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    certified.save(&problem, folder.path()).unwrap();

    let file = |name: &str| folder.path().join(name);
    let (x_shape, x) = array::<f64>(&file("problem.npz"), "X");
    let (y_shape, targets) = array::<f64>(&file("problem.npz"), "Y");
    let (gamma_shape, gamma) = array::<f64>(&file("problem.npz"), "gamma");
    let (n, d, c) = (x_shape[0], x_shape[1], y_shape[1]);
    assert_eq!((n, d, c, y_shape[0]), (150, 5, 3, 150));
    assert_eq!((gamma_shape, &gamma[..]), (vec![], &[5.0][..]));
    let gamma = gamma[0];

    let (w_shape, w) = array::<f64>(&file("certificate.npz"), "W");
    let (y_len, y) = array::<f64>(&file("certificate.npz"), "y");
    let (pairs_shape, pairs) = array::<i64>(&file("certificate.npz"), "pairs");
    let (count, values) = array::<f64>(&file("certificate.npz"), "N");
    assert_eq!((w_shape, y_len), (vec![n, c], vec![n]));
    assert_eq!(pairs_shape, [count[0], 2]);
    assert!(count[0] > 0);

    // γ|u|² − (1/γ)|Wᵀα|² − 2Σ y_i α_iβ_i − 2Σ N_k p_a p_b in (u, s), α = (s + Xu)/2 and β = (s − Xu)/2.
    let form = |k: usize| -> Vec<f64> {
        let (i, sign) = if k < n { (k, 0.5) } else { (k - n, -0.5) };
        let mut row = vec![0.0; d + n];
        (0..d).for_each(|j| row[j] = sign * x[i * d + j]);
        row[d + i] = 0.5;
        row
    };
    let mut q = Mat::from_fn(d + n, d + n, |a, b| if a == b && a < d { gamma } else { 0.0 });
    let mut subtract = |a: &[f64], b: &[f64], weight: f64| {
        for i in 0..d + n {
            for j in 0..d + n {
                q[(i, j)] -= weight * (a[i] * b[j] + b[i] * a[j]);
            }
        }
    };
    for k in 0..c {
        let mut moment = vec![0.0; d + n];
        for i in 0..n {
            moment.iter_mut().zip(form(i)).for_each(|(m, f)| *m += w[i * c + k] * f);
        }
        subtract(&moment, &moment, 0.5 / gamma);
    }
    for (i, &y) in y.iter().enumerate() {
        subtract(&form(i), &form(n + i), y);
    }
    let mut seen = std::collections::HashSet::new();
    for (pair, &value) in pairs.chunks_exact(2).zip(&values) {
        let (a, b) = (usize::try_from(pair[0]).unwrap(), usize::try_from(pair[1]).unwrap());
        assert!(value >= 0.0 && a < 2 * n && b < 2 * n && a % n != b % n, "{pair:?} {value}");
        assert!(seen.insert((a.min(b), a.max(b))), "one value per unordered pair: {pair:?}");
        subtract(&form(a), &form(b), value);
    }
    // Unit diagonal: a congruence, so the sign stays, and rounding has one scale.
    let scale: Vec<f64> = (0..d + n).map(|i| q[(i, i)].sqrt()).collect();
    assert!(scale.iter().all(|s| s.is_finite()), "the diagonal is not negative");
    let inverse = |s: f64| if s > 0.0 { 1.0 / s } else { 0.0 };
    let unit = Mat::from_fn(d + n, d + n, |i, j| q[(i, j)] * inverse(scale[i]) * inverse(scale[j]));
    let least = unit.self_adjoint_eigenvalues(Side::Lower).unwrap()[0];
    assert!(least >= -1e-12, "least eigenvalue {least}");

    let bound: f64 = w.iter().zip(&targets).map(|(w, y)| w * y - 0.5 * w * w).sum();
    let report = &certified.report;
    assert!((bound - report.lower_bound).abs() < 1e-9 * bound, "{bound} {}", report.lower_bound);
    assert!(report.lower_bound <= bound * (1.0 + 1e-12), "never more than the files prove");

    let (u_shape, u) = array::<f64>(&file("network.npz"), "U");
    let (v_shape, v) = array::<f64>(&file("network.npz"), "V");
    let m = report.network_width;
    assert_eq!((u_shape, v_shape), (vec![d, m], vec![c, m]));
    let mut objective = 0.5 * gamma * u.iter().chain(&v).map(|w| w * w).sum::<f64>();
    for i in 0..n {
        let hidden: Vec<f64> =
            (0..m).map(|k| (0..d).map(|j| x[i * d + j] * u[j * m + k]).sum::<f64>().max(0.0)).collect();
        for o in 0..c {
            let prediction: f64 = (0..m).map(|k| hidden[k] * v[o * m + k]).sum();
            objective += 0.5 * (prediction - targets[i * c + o]).powi(2);
        }
    }
    assert!((objective - report.upper_bound).abs() < 1e-9 * objective, "{objective} {}", report.upper_bound);
    assert!(bound <= objective);
}
