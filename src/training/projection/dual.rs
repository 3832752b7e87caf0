//! The residual from (AAᵀ + γI)W = γY, for more neurons than samples.

use super::rectifier::{Rectifier, preactivation_rows};
use super::{Results, inner};
use crate::control::Control;
use crate::linalg::dense::{Cholesky, degree};
use crate::training::coordinates::Coordinates;
use faer::linalg::matmul::{matmul, triangular};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Neurons that are handled at once.
const NEURONS: usize = 64;
/// Multiplications from which the product AAᵀ is shared between two threads.
const PARALLEL: f64 = 4e6;

pub(super) struct Dual {
    preactivation: Vec<f64>,
    activation: Vec<f64>,
    system: Mat<f64>,
    factor: Cholesky,
}

impl Dual {
    pub fn new(at: &Coordinates, width: usize) -> Self {
        let n = at.samples();
        Self {
            preactivation: vec![0.0; n * width],
            activation: vec![0.0; n * width],
            system: Mat::zeros(n, n),
            factor: Cholesky::default(),
        }
    }

    /// False where it fails or is told to stop.
    pub fn evaluate(
        &mut self,
        at: &Coordinates,
        hidden: &[f64],
        rectifier: &Rectifier,
        control: &Control,
        results: &mut Results,
        gradient: Option<&mut [f64]>,
    ) -> bool {
        let (n, k) = (at.samples(), at.rank());
        let width = hidden.len() / k;
        let known = at
            .whitened()
            .is_none()
            .then(|| at.preactivation(MatRef::from_column_major_slice(hidden, k, width)));
        self.preactivation
            .par_chunks_mut(n * NEURONS)
            .zip(self.activation.par_chunks_mut(n * NEURONS))
            .enumerate()
            .for_each(|(group, (t, a))| {
                let (first, count) = (group * NEURONS, t.len() / n);
                let z = MatRef::from_column_major_slice(&hidden[first * k..][..count * k], k, count);
                let known = known.as_ref().map(|known| known.subcols(first, count));
                preactivation_rows(at, z, known, 0, t);
                rectifier.activate(first, n, t, a);
            });
        let a = MatRef::from_column_major_slice(&self.activation, n, width);
        let work = 0.5 * (n * n) as f64 * width as f64;
        triangular::matmul(
            self.system.as_mut(),
            triangular::BlockStructure::TriangularLower,
            Accum::Replace,
            a,
            triangular::BlockStructure::Rectangular,
            a.transpose(),
            triangular::BlockStructure::Rectangular,
            1.0,
            if work < PARALLEL { Par::Seq } else { Par::rayon(2) },
        );
        if control.should_stop() || !self.factor.factorize(&self.system, at.weight_decay) {
            return false;
        }
        let gamma = at.weight_decay;
        for (w, y) in results.residual.col_iter_mut().zip(at.targets.col_iter()) {
            w.iter_mut().zip(y.iter()).for_each(|(w, y)| *w = gamma * y);
        }
        self.factor.solve(results.residual.as_mut());
        results.fit = inner(at.targets.as_ref(), results.residual.as_ref());
        let w = results.residual.as_ref();
        matmul(results.output.as_mut(), Accum::Replace, a.transpose(), w, 1.0 / gamma, degree(n));
        if let Some(gradient) = gradient {
            self.slopes(at, rectifier, results, gradient);
        }
        !control.should_stop()
    }

    /// The gradient without the weight decay; overwrites the activations.
    fn slopes(&mut self, at: &Coordinates, rectifier: &Rectifier, results: &Results, gradient: &mut [f64]) {
        let (n, k) = (at.samples(), at.rank());
        let width = gradient.len() / k;
        let (w, output) = (results.residual.as_ref(), results.output.as_ref());
        self.activation
            .par_chunks_mut(n * NEURONS)
            .zip(self.preactivation.par_chunks(n * NEURONS))
            .zip(gradient.par_chunks_mut(k * NEURONS))
            .enumerate()
            .for_each(|(group, ((s, t), gradient))| {
                let (first, count) = (group * NEURONS, t.len() / n);
                let v = output.subrows(first, count).transpose();
                let slopes = MatMut::from_column_major_slice_mut(s, n, count);
                matmul(slopes, Accum::Replace, w, v, -1.0, Par::Seq);
                rectifier.slope(first, n, t, s);
                if at.whitened().is_some() {
                    let slopes = MatRef::from_column_major_slice(s, n, count);
                    at.gradient_into(slopes, MatMut::from_column_major_slice_mut(gradient, k, count));
                }
            });
        if at.whitened().is_none() {
            let slopes = MatRef::from_column_major_slice(&self.activation, n, width);
            at.gradient_into(slopes, MatMut::from_column_major_slice_mut(gradient, k, width));
        }
    }
}
