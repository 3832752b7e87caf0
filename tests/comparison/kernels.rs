//! Kernels of infinite width.

use crate::common::gaussian;
use approx::assert_relative_eq;
use faer::{Mat, MatRef};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::baselines::kernels::{Kernel, KernelRegression, LIMIT, Ridge};
use std::f64::consts::PI;

#[test]
fn kernels_are_those_of_wide_networks() {
    let (d, width) = (3, 400_000);
    let x = gaussian(1, 4, d);
    let mut rng = Pcg64::seed_from_u64(2);
    let (mut nngp, mut ntk) = (Mat::<f64>::zeros(4, 4), Mat::<f64>::zeros(4, 4));
    for _ in 0..width {
        let u: Vec<f64> = (0..d).map(|_| rng.sample::<f64, _>(StandardNormal)).collect();
        let v: f64 = rng.sample(StandardNormal);
        let z: Vec<f64> =
            (0..4).map(|i| (0..d).map(|a| x[(i, a)] * u[a]).sum::<f64>() / (d as f64).sqrt()).collect();
        for i in 0..4 {
            for j in 0..4 {
                let inner: f64 = (0..d).map(|a| x[(i, a)] * x[(j, a)]).sum::<f64>() / d as f64;
                let both = if z[i] > 0.0 && z[j] > 0.0 { 1.0 } else { 0.0 };
                // products of the gradients with respect to v, and to u
                nngp[(i, j)] += z[i].max(0.0) * z[j].max(0.0) / width as f64;
                ntk[(i, j)] += (z[i].max(0.0) * z[j].max(0.0) + v * v * both * inner) / width as f64;
            }
        }
    }
    for (kernel, sampled) in [(Kernel::Nngp, &nngp), (Kernel::Ntk, &ntk)] {
        let exact = kernel.matrix(x.as_ref(), x.as_ref());
        for i in 0..4 {
            for j in 0..4 {
                let scale = (exact[(i, i)] * exact[(j, j)]).sqrt();
                let error = (exact[(i, j)] - sampled[(i, j)]).abs() / scale;
                assert!(error < 0.01, "{kernel:?} {i} {j}: {} {}", exact[(i, j)], sampled[(i, j)]);
            }
        }
    }
}

#[test]
fn kernels_of_special_pairs() {
    let x = faer::mat![[2.0, 0.0], [0.0, 3.0], [-2.0, 0.0], [0.0, 0.0]];
    let k = Kernel::Nngp.matrix(x.as_ref(), x.as_ref());
    // E(z)₊² = |x|²/(2d); opposite samples are never active together; orthogonal ones |x||x′|/(2πd)
    assert_relative_eq!(k[(0, 0)], 4.0 / 4.0, max_relative = 1e-14);
    assert_relative_eq!(k[(0, 1)], 6.0 / (4.0 * PI), max_relative = 1e-14);
    assert!(k[(0, 2)].abs() < 1e-15 && k[(0, 3)] == 0.0 && k[(3, 3)] == 0.0);
    let t = Kernel::Ntk.matrix(x.as_ref(), x.as_ref());
    assert_relative_eq!(t[(0, 0)], 2.0 * k[(0, 0)], max_relative = 1e-14);
}

/// Gaussian elimination with pivots, a column at a time.
fn eliminate(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap();
        a.swap(k, pivot);
        b.swap(k, pivot);
        let row = a[k].clone();
        for i in k + 1..n {
            let factor = a[i][k] / row[k];
            a[i].iter_mut().zip(&row).for_each(|(a, r)| *a -= factor * r);
            b[i] -= factor * b[k];
        }
    }
    for k in (0..n).rev() {
        b[k] = (b[k] - (k + 1..n).map(|j| a[k][j] * b[j]).sum::<f64>()) / a[k][k];
    }
    b
}

/// Predictions of the regression on the samples listed, at the rows of `at`.
fn direct(
    kernel: Kernel,
    x: MatRef<'_, f64>,
    y: MatRef<'_, f64>,
    list: &[usize],
    ridge: f64,
    at: MatRef<'_, f64>,
) -> Mat<f64> {
    let k = kernel.matrix(x, x);
    let left = kernel.matrix(at, x);
    let mut prediction = Mat::zeros(at.nrows(), y.ncols());
    for c in 0..y.ncols() {
        let system: Vec<Vec<f64>> = list
            .iter()
            .map(|&i| list.iter().map(|&j| k[(i, j)] + if i == j { ridge } else { 0.0 }).collect())
            .collect();
        let solution = eliminate(system, list.iter().map(|&i| y[(i, c)]).collect());
        for p in 0..at.nrows() {
            prediction[(p, c)] = list.iter().zip(&solution).map(|(&i, a)| left[(p, i)] * a).sum();
        }
    }
    prediction
}

#[test]
fn regression_agrees_with_elimination() {
    let (x, y, at) = (gaussian(3, 30, 4), gaussian(4, 30, 2), gaussian(5, 700, 4));
    let all: Vec<usize> = (0..30).collect();
    for kernel in [Kernel::Nngp, Kernel::Ntk] {
        let found = KernelRegression::fit(kernel, x.as_ref(), y.as_ref(), Ridge::Absolute(0.3)).unwrap();
        let expected = direct(kernel, x.as_ref(), y.as_ref(), &all, 0.3, at.as_ref());
        assert!((found.predict(at.as_ref()) - expected).norm_max() < 1e-9);
        let k = kernel.matrix(x.as_ref(), x.as_ref());
        let mean = (0..30).map(|i| k[(i, i)]).sum::<f64>() / 30.0;
        let relative = KernelRegression::fit(kernel, x.as_ref(), y.as_ref(), Ridge::Relative(0.5)).unwrap();
        assert_relative_eq!(relative.ridge(), 0.5 * mean, max_relative = 1e-14);
    }
}

#[test]
fn the_ridge_is_the_best_with_each_sample_left_out() {
    let n = 14;
    let (x, noise) = (gaussian(6, n, 2), gaussian(7, n, 1));
    let y = Mat::from_fn(n, 1, |i, _| x[(i, 0)].max(0.0) + 0.3 * noise[(i, 0)]);
    let kernel = Kernel::Ntk;
    let k = kernel.matrix(x.as_ref(), x.as_ref());
    let mean = (0..n).map(|i| k[(i, i)]).sum::<f64>() / n as f64;
    let error = |ridge: f64| -> f64 {
        (0..n)
            .map(|out| {
                let rest: Vec<usize> = (0..n).filter(|&i| i != out).collect();
                let at = x.as_ref().subrows(out, 1);
                let prediction = direct(kernel, x.as_ref(), y.as_ref(), &rest, ridge, at);
                (prediction[(0, 0)] - y[(out, 0)]).powi(2)
            })
            .sum()
    };
    let chosen = KernelRegression::fit(kernel, x.as_ref(), y.as_ref(), Ridge::LeaveOneOut).unwrap();
    let least = error(chosen.ridge());
    for step in 0..21 {
        let ridge = 1e-8 * 10f64.powf(0.5 * f64::from(step)) * mean;
        assert!(least <= error(ridge) * (1.0 + 1e-6), "{} {ridge}", chosen.ridge());
    }
    let (low, high) = (1.01e-8 * mean, 99.0 * mean);
    assert!(chosen.ridge() > low && chosen.ridge() < high, "an end of the grid proves little");
}

#[test]
fn too_many_samples_are_refused() {
    let x = Mat::<f64>::zeros(LIMIT + 1, 1);
    let error = KernelRegression::fit(Kernel::Nngp, x.as_ref(), x.as_ref(), Ridge::Absolute(1.0));
    assert!(error.unwrap_err().to_string().contains("5001 samples"));
    let negative = KernelRegression::fit(
        Kernel::Nngp,
        x.as_ref().subrows(0, 2),
        x.as_ref().subrows(0, 2),
        Ridge::Absolute(-1.0),
    );
    assert!(negative.unwrap_err().to_string().contains("ridge"));
}
