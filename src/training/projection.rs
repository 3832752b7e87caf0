//! The objective with the output weights eliminated (variable projection).

use super::coordinates::Coordinates;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::matmul::{matmul, triangular};
use faer::{Accum, Mat, MatMut, MatRef, Par, Spec};

/// φ(U) = min_V ½‖AVᵀ − Y‖² + (γ/2)(‖U‖² + ‖V‖²) with A = (XU)₊, and what its evaluation leaves behind.
///
/// V = YᵀA(AᵀA + γI)⁻¹ or, when there are more neurons than samples, the residual W = γ(AAᵀ + γI)⁻¹Y and
/// V = WᵀA/γ. The value is ½⟨Y, W⟩ + (γ/2)‖U‖², the gradient with respect to A is −WV.
pub(super) struct Projection<'a> {
    coordinates: &'a Coordinates,
    width: usize,
    smoothing: Vec<f64>,
    preactivation: Mat<f64>,
    activation: Mat<f64>,
    slope: Mat<f64>,
    system: Mat<f64>,
    residual: Mat<f64>,
    output: Mat<f64>,
    buffer: MemBuffer,
    evaluations: usize,
}

impl<'a> Projection<'a> {
    pub fn new(coordinates: &'a Coordinates, width: usize) -> Self {
        let (n, c) = (coordinates.samples(), coordinates.targets.ncols());
        let order = n.min(width);
        Self {
            coordinates,
            width,
            smoothing: vec![0.0; width],
            preactivation: Mat::zeros(n, width),
            activation: Mat::zeros(n, width),
            slope: Mat::zeros(n, width),
            system: Mat::zeros(order, order),
            residual: Mat::zeros(n, c),
            output: Mat::zeros(width, c),
            buffer: MemBuffer::new(llt::factor::cholesky_in_place_scratch::<f64>(
                order,
                Par::Seq,
                Spec::default(),
            )),
            evaluations: 0,
        }
    }

    /// Multiplications of one evaluation with its gradient, roughly.
    pub fn cost(&self) -> f64 {
        let (n, c) = (self.coordinates.samples(), self.residual.ncols());
        let order = self.system.nrows();
        (n * self.width) as f64 * (0.5 * order as f64 + 2.0 * (self.coordinates.cost() + c as f64) + 4.0)
    }

    /// Evaluations so far.
    pub fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// W = Y − AVᵀ of the last evaluation, n × c.
    pub fn residual(&self) -> MatRef<'_, f64> {
        self.residual.as_ref()
    }

    /// Vᵀ of the last evaluation, m × c.
    pub fn output(&self) -> MatRef<'_, f64> {
        self.output.as_ref()
    }

    /// Rounds off the kink of each neuron over [0, ε] (z²/2ε there, z − ε/2 beyond), where ε is this fraction of the root mean
    /// square of its preactivations at U; zero for the true ReLU.
    pub fn smooth(&mut self, fraction: f64, hidden: &[f64]) {
        let at = self.coordinates;
        let u = MatRef::from_column_major_slice(hidden, at.rank(), self.width);
        let z = at.preactivation(u);
        let samples = at.samples() as f64;
        for (e, z) in self.smoothing.iter_mut().zip(z.col_iter()) {
            *e = fraction * (z.squared_norm_l2() / samples).sqrt();
        }
    }

    /// φ at U (k × m by column); infinite where it cannot be computed.
    pub fn value(&mut self, hidden: &[f64]) -> f64 {
        self.evaluations += 1;
        let at = self.coordinates;
        let u = MatRef::from_column_major_slice(hidden, at.rank(), self.width);
        at.preactivation_into(u, &mut self.preactivation);
        for (j, &e) in self.smoothing.iter().enumerate() {
            let (a, z) = (self.activation.col_as_slice_mut(j), self.preactivation.col_as_slice(j));
            if e > 0.0 {
                let inverse = 0.5 / e;
                for (a, &z) in a.iter_mut().zip(z) {
                    let inside = z.max(0.0).min(e);
                    *a = inside * inside * inverse + (z - e).max(0.0);
                }
            } else {
                a.iter_mut().zip(z).for_each(|(a, z)| *a = z.max(0.0));
            }
        }
        if !self.eliminate() {
            return f64::INFINITY;
        }
        let mut fit = 0.0;
        for (y, w) in at.targets.col_iter().zip(self.residual.col_iter()) {
            fit += y.iter().zip(w.iter()).map(|(y, w)| y * w).sum::<f64>();
        }
        let weights = at.weights(hidden);
        let value = 0.5 * fit + 0.5 * at.weight_decay * weights;
        if value.is_finite() { value } else { f64::INFINITY }
    }

    /// φ and its gradient at U, both k × m by column.
    pub fn value_and_gradient(&mut self, hidden: &[f64], gradient: &mut [f64]) -> f64 {
        let value = self.value(hidden);
        let at = self.coordinates;
        matmul(
            self.slope.as_mut(),
            Accum::Replace,
            self.residual.as_ref(),
            self.output.transpose(),
            -1.0,
            Par::Seq,
        );
        for (j, &e) in self.smoothing.iter().enumerate() {
            let (slope, z) = (self.slope.col_as_slice_mut(j), self.preactivation.col_as_slice(j));
            if e > 0.0 {
                let inverse = 1.0 / e;
                slope.iter_mut().zip(z).for_each(|(s, &z)| *s *= (z * inverse).clamp(0.0, 1.0));
            } else {
                slope.iter_mut().zip(z).for_each(|(s, &z)| *s = if z > 0.0 { *s } else { 0.0 });
            }
        }
        let target = MatMut::from_column_major_slice_mut(gradient, at.rank(), self.width);
        at.gradient_into(self.slope.as_ref(), target);
        at.add_weights(at.weight_decay, hidden, gradient);
        value
    }

    /// Solves for V and W; false if the factorisation fails.
    fn eliminate(&mut self) -> bool {
        let gamma = self.coordinates.weight_decay;
        let (a, y) = (self.activation.as_ref(), self.coordinates.targets.as_ref());
        let primal = self.width <= a.nrows();
        let (left, right) = if primal { (a.transpose(), a) } else { (a, a.transpose()) };
        triangular::matmul(
            self.system.as_mut(),
            triangular::BlockStructure::TriangularLower,
            Accum::Replace,
            left,
            triangular::BlockStructure::Rectangular,
            right,
            triangular::BlockStructure::Rectangular,
            1.0,
            Par::Seq,
        );
        for i in 0..self.system.nrows() {
            self.system[(i, i)] += gamma;
        }
        let stack = MemStack::new(&mut self.buffer);
        let factor = llt::factor::cholesky_in_place(
            self.system.as_mut(),
            Default::default(),
            Par::Seq,
            stack,
            Spec::default(),
        );
        if factor.is_err() {
            return false;
        }
        if primal {
            matmul(self.output.as_mut(), Accum::Replace, a.transpose(), y, 1.0, Par::Seq);
            llt::solve::solve_in_place(self.system.as_ref(), self.output.as_mut(), Par::Seq, stack);
            self.residual.copy_from(y);
            matmul(self.residual.as_mut(), Accum::Add, a, self.output.as_ref(), -1.0, Par::Seq);
        } else {
            for (w, y) in self.residual.col_iter_mut().zip(y.col_iter()) {
                w.iter_mut().zip(y.iter()).for_each(|(w, y)| *w = gamma * y);
            }
            llt::solve::solve_in_place(self.system.as_ref(), self.residual.as_mut(), Par::Seq, stack);
            let w = self.residual.as_ref();
            matmul(self.output.as_mut(), Accum::Replace, a.transpose(), w, 1.0 / gamma, Par::Seq);
        }
        true
    }
}
