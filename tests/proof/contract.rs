//! The saved files against the published contract alone, in plain numbers: none of the library's dual code.

use faer::{Mat, Side};
use npyz::npz::file_name_from_array_name;
use relucert::data::{CsvOptions, load};
use relucert::{CertifySettings, Control, Cuts, Method, Silent, TrainingProblem, certify};
use std::fs::File;
use std::path::Path;
use zip::ZipArchive;

/// Shape and row-major values of one array.
fn array<T: npyz::Deserialize>(path: &Path, name: &str) -> (Vec<usize>, Vec<T>) {
    let mut archive = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let member =
        archive.by_name(&file_name_from_array_name(name)).unwrap_or_else(|_| panic!("{name} is missing"));
    let file = npyz::NpyFile::new(member).unwrap();
    assert_eq!(file.order(), npyz::Order::C);
    let shape = file.shape().iter().map(|size| *size as usize).collect();
    (shape, file.into_vec().unwrap())
}

#[test]
fn the_saved_certificate_proves_the_reported_bound() {
    let data = load("iris", &CsvOptions::default()).unwrap().standardized().with_bias();
    check(&data.problem(5.0).unwrap(), Cuts::None);
}

#[test]
fn a_saved_certificate_with_cuts_proves_the_reported_bound() {
    let x = Mat::from_fn(12, 2, |i, j| if j == 0 { (i as f64 * 1.7).sin() } else { 1.0 });
    let y = Mat::from_fn(12, 1, |i, _| (i as f64 * 2.3).cos());
    check(&TrainingProblem::new(x, y, 0.02).unwrap(), Cuts::Auto);
}

fn check(problem: &TrainingProblem, cuts: Cuts) {
    let settings = CertifySettings { method: Method::Relaxation, cuts, ..CertifySettings::default() };
    let certified = certify(problem, &settings, &Control::new(), &mut Silent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Folders that are not there yet.
    let saved = folder.path().join("runs/first");
    certified.save(problem, &saved).unwrap();

    let file = |name: &str| saved.join(name);
    let (x_shape, x) = array::<f64>(&file("problem.npz"), "X");
    let (y_shape, targets) = array::<f64>(&file("problem.npz"), "Y");
    let (gamma_shape, gamma) = array::<f64>(&file("problem.npz"), "gamma");
    let (n, d, c) = (x_shape[0], x_shape[1], y_shape[1]);
    assert_eq!((n, d, c, y_shape[0]), (problem.samples(), problem.inputs(), problem.outputs(), n));
    assert_eq!((gamma_shape, &gamma[..]), (vec![], &[problem.weight_decay()][..]));
    let gamma = gamma[0];

    let (w_shape, w) = array::<f64>(&file("certificate.npz"), "W");
    let (y_len, y) = array::<f64>(&file("certificate.npz"), "y");
    let (pairs_shape, pairs) = array::<i64>(&file("certificate.npz"), "pairs");
    let (count, values) = array::<f64>(&file("certificate.npz"), "N");
    assert_eq!((w_shape, y_len), (vec![n, c], vec![n]));
    assert_eq!(pairs_shape, [count[0], 2]);
    assert!(count[0] > 0);

    // γ|u|² − (1/γ)|Wᵀα|² − 2Σ y_i α_iβ_i − 2Σ N_k p_a p_b in (u, s), α = (s + Xu)/2 and β = (s − Xu)/2.
    // Forms: x_k = Σ a_i x_i, and Σ|a_i| s_i − s_k in (u, s).
    let mut cut_rows: Vec<Vec<f64>> = Vec::new();
    if cuts != Cuts::None {
        let (count, target) = array::<i64>(&file("certificate.npz"), "form_target");
        let (_, offsets) = array::<i64>(&file("certificate.npz"), "form_indptr");
        let (_, index) = array::<i64>(&file("certificate.npz"), "form_index");
        let (_, coefficient) = array::<f64>(&file("certificate.npz"), "form_coef");
        assert!(count[0] > 0 && offsets.len() == count[0] + 1);
        for (f, &target) in target.iter().enumerate() {
            let target = usize::try_from(target).unwrap();
            let (mut row, mut rest) = (vec![0.0; d + n], x[target * d..][..d].to_vec());
            row[d + target] = -1.0;
            for t in usize::try_from(offsets[f]).unwrap()..usize::try_from(offsets[f + 1]).unwrap() {
                let i = usize::try_from(index[t]).unwrap();
                row[d + i] += coefficient[t].abs();
                (0..d).for_each(|j| rest[j] -= coefficient[t] * x[i * d + j]);
            }
            assert!(rest.iter().all(|r| r.abs() < 1e-12), "form {f} misses its sample by {rest:?}");
            cut_rows.push(row);
        }
    }
    let form = |k: usize| -> Vec<f64> {
        if k >= 2 * n {
            return cut_rows[k - 2 * n].clone();
        }
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
        let plain = a < 2 * n && b < 2 * n;
        assert!(a.max(b) < 2 * n + cut_rows.len() && a != b, "{pair:?}");
        assert!(value >= 0.0 && !(plain && a % n == b % n), "{pair:?} {value}");
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
    assert!(
        (bound - report.lower_bound.value()).abs() < 1e-9 * bound,
        "{bound} {}",
        report.lower_bound.value()
    );
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
    assert!(
        (objective - report.upper_bound.value()).abs() < 1e-9 * objective,
        "{objective} {}",
        report.upper_bound.value()
    );
    assert!(bound <= objective);
}
