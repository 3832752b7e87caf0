//! Training problems from the arrays of other libraries: every stride, and the errors of shapes.

use relucert::faer::{Mat, mat};
use relucert::{Error, TrainingProblem};

fn expected() -> (Mat<f64>, Mat<f64>) {
    (mat![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], mat![[0.5], [-0.5]])
}

fn check(problem: &TrainingProblem) {
    let (x, y) = expected();
    assert_eq!(problem.features(), x.as_ref());
    assert_eq!(problem.targets(), y.as_ref());
    assert_eq!(problem.weight_decay(), 0.25);
}

#[test]
fn rows_one_after_the_other() {
    let (x, y) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.5, -0.5]);
    check(&TrainingProblem::from_row_major(2, &x, &y, 0.25).unwrap());
    for (samples, x, y) in [(4, &x[..], &y[..]), (0, &x, &y), (0, &[], &[]), (2, &x, &[]), (2, &x[..3], &y)] {
        let error = TrainingProblem::from_row_major(samples, x, y, 0.25).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
    let not_finite = [1.0, 2.0, f64::NAN, 4.0, 5.0, 6.0];
    let error = TrainingProblem::from_row_major(2, &not_finite, &y, 0.25).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { row: 0, column: 2, .. }), "{error}");
}

#[cfg(feature = "ndarray")]
#[test]
fn arrays_of_ndarray_with_any_strides() {
    use relucert::ndarray::{Array2, ArrayView2, Axis, ShapeBuilder, Slice};
    let from = |x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>| TrainingProblem::from_ndarray(x, y, 0.25);
    let c_order = Array2::from_shape_vec((2, 3), vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let fortran = Array2::from_shape_vec((2, 3).f(), vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]).unwrap();
    let y = Array2::from_shape_vec((2, 1), vec![0.5, -0.5]).unwrap();
    check(&from(c_order.view(), y.view()).unwrap());
    check(&from(fortran.view(), y.view()).unwrap());
    // Every second row and column, backwards, of a larger one.
    let mut wide = Array2::from_elem((4, 6), f64::NAN);
    let backwards = Slice::new(0, None, -2);
    wide.slice_axis_mut(Axis(0), backwards).slice_axis_mut(Axis(1), backwards).assign(&c_order);
    let rows = wide.slice_axis(Axis(0), backwards);
    check(&from(rows.slice_axis(Axis(1), backwards), y.view()).unwrap());
    // A transposed view.
    let transposed = c_order.t().to_owned();
    check(&from(transposed.t(), y.view()).unwrap());
    let error = from(c_order.view(), c_order.t()).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Shape { what: "targets", .. }), "{error}");
}

#[cfg(feature = "nalgebra")]
#[test]
fn matrices_and_views_of_nalgebra() {
    use relucert::nalgebra::{DMatrix, Matrix2x3, Vector2};
    let y = Vector2::new(0.5, -0.5);
    let fixed = Matrix2x3::new(1.0, 2.0, 3.0, 4.0, 5.0, 6.0);
    check(&TrainingProblem::from_nalgebra(&fixed, &y, 0.25).unwrap());
    let wide = DMatrix::from_fn(5, 7, |i, j| match (i % 2, j % 3) {
        (1, 0) => fixed.get((i / 2, j / 3)).copied().unwrap_or(f64::NAN),
        _ => f64::NAN,
    });
    let view = wide.view_with_steps((1, 0), (2, 3), (1, 2));
    check(&TrainingProblem::from_nalgebra(&view, &y, 0.25).unwrap());
    let error = TrainingProblem::from_nalgebra(&fixed, &fixed.transpose(), 0.25).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Shape { what: "targets", .. }), "{error}");
}
