//! Awkward data: low rank, copies, zeros, other scales, sparse features.

use super::tools::{run, settings};
use crate::common::{gaussian, problem};
use faer::Mat;
use relucert::report::Status;
use relucert::{Certified, TrainingProblem};
use sprs::TriMat;

const TOLERANCE: f64 = 1e-4;

fn proved(problem: &TrainingProblem) -> Certified {
    let certified = run(problem, &settings(TOLERANCE, u64::MAX));
    assert_eq!(certified.report.status, Status::Converged, "{:?}", certified.report);
    certified
}

/// Whether two problems that have the same optimum but for a factor have gaps that overlap.
fn assert_same_optimum(a: &Certified, b: &Certified, factor: f64) {
    let (a, b) = (&a.report, &b.report);
    // Exact but for the rounding of what was multiplied.
    let part = 1.0 + 1e-12;
    assert!(a.lower_bound.value() * factor <= b.upper_bound.value() * part, "{a:?} {b:?}");
    assert!(b.lower_bound.value() <= factor * a.upper_bound.value() * part, "{a:?} {b:?}");
}

/// The numbers that are not zero.
fn sparse(x: &Mat<f64>, gamma: f64, y: &Mat<f64>) -> TrainingProblem {
    let mut triplets = TriMat::new((x.nrows(), x.ncols()));
    for i in 0..x.nrows() {
        for j in 0..x.ncols() {
            if x[(i, j)] != 0.0 {
                triplets.add_triplet(i, j, x[(i, j)]);
            }
        }
    }
    TrainingProblem::new(triplets.to_csr::<usize>(), y.clone(), gamma).unwrap()
}

#[test]
fn sparse_features_of_low_rank() {
    for c in [1, 2] {
        // Three columns that matter among five hundred, and their sum in a fourth.
        let (z, y) = (gaussian(1, 40, 3), gaussian(2, 40, c));
        let x = Mat::from_fn(40, 500, |i, j| match j {
            7 => z[(i, 0)],
            123 => z[(i, 1)],
            400 => z[(i, 2)],
            450 => z[(i, 0)] + z[(i, 1)] + z[(i, 2)],
            _ => 0.0,
        });
        // Networks of sparse features are trained less closely.
        let wide = run(&sparse(&x, 0.2, &y), &settings(1e-3, u64::MAX));
        assert_eq!(wide.report.status, Status::Converged, "{:?}", wide.report);
        let dense = proved(&problem(&x, &y, 0.2));
        assert_eq!(wide.report.branch.unwrap().dimension, 3);
        assert_eq!(dense.report.branch.unwrap().dimension, 3);
        assert_same_optimum(&wide, &dense, 1.0);
    }
}

#[test]
fn copies_and_zero_rows() {
    for (seed, n, d, c) in [(1, 20, 2, 1), (2, 25, 3, 2), (3, 15, 4, 3)] {
        let (x, y) = (gaussian(seed, n, d), gaussian(50 + seed, n, c));
        let plain = proved(&problem(&x, &y, 0.3));
        // Two samples, each half as much in every square, in place of one; and samples that are zero.
        let half = 0.5f64.sqrt();
        let copies = |m: &Mat<f64>| {
            Mat::from_fn(2 * n + 3, m.ncols(), |i, j| if i < 2 * n { half * m[(i / 2, j)] } else { 0.0 })
        };
        assert_same_optimum(&plain, &proved(&problem(&copies(&x), &copies(&y), 0.3)), 1.0);
        // A copy in the features, with another scale: √2 as long along each.
        let twice = Mat::from_fn(n, 2 * d, |i, j| half * x[(i, j % d)]);
        let twice = proved(&problem(&twice, &y, 0.3));
        assert_eq!(twice.report.branch.unwrap().dimension, d);
        assert_same_optimum(&plain, &twice, 1.0);
        // All samples the same.
        proved(&problem(&Mat::from_fn(n, d, |_, j| x[(0, j)]), &y, 0.3));
        // Along a line, on both sides of zero, in features that depend on each other.
        let line = proved(&problem(&Mat::from_fn(n, d, |i, j| y[(i, 0)] * x[(0, j)]), &y, 0.3));
        assert_eq!(line.report.branch.unwrap().dimension, 1);
    }
}

#[test]
fn scaled_data_have_the_same_optimum() {
    for (seed, n, d, c) in [(1, 30, 2, 1), (2, 30, 3, 2), (3, 20, 4, 1)] {
        let (x, y) = (gaussian(70 + seed, n, d), gaussian(80 + seed, n, c));
        let plain = proved(&problem(&x, &y, 0.4));
        for power in [20, -20, 200, -200] {
            let scale = 2f64.powi(power);
            // U/s does what U does: X to sX and γ to sγ leave the optimum; so do Y to sY and γ to sγ, but for s².
            let wide = Mat::from_fn(n, d, |i, j| scale * x[(i, j)]);
            assert_same_optimum(&plain, &proved(&problem(&wide, &y, 0.4 * scale)), 1.0);
            let tall = Mat::from_fn(n, c, |i, j| scale * y[(i, j)]);
            assert_same_optimum(&plain, &proved(&problem(&x, &tall, 0.4 * scale)), scale * scale);
        }
    }
}

#[test]
fn features_of_very_different_scales() {
    for power in [-6, -12, -30] {
        let (x, y) = (gaussian(90, 30, 3), gaussian(91, 30, 1));
        let x = Mat::from_fn(30, 3, |i, j| if j == 2 { x[(i, j)] * 10f64.powi(power) } else { x[(i, j)] });
        let with = proved(&problem(&x, &y, 0.3));
        let without = proved(&problem(&x.subcols(0, 2).to_owned(), &y, 0.3));
        // A column of 10⁻⁶ buys next to nothing, and never raises the optimum.
        assert!(with.report.lower_bound <= without.report.upper_bound);
    }
}
