//! A network with a convolutional first layer, and its objective.

use super::kernel::Patches;
use super::{ConvolutionShape, ConvolutionalProblem};
use crate::bounds::UpperBound;
use crate::error::{Error, Result};
use crate::linalg::dense::product;
use crate::problem::network::{add_up, mul_up, product_error, squared_norms_up, sum_of_two, sum_upper};
use faer::{Mat, MatRef};

/// Filters U (h × m) and output weights V (c × a·m): neuron j answers block q of positions with column q·m + j of V.
#[derive(Clone, Debug)]
pub struct ConvolutionalNetwork {
    filters: Mat<f64>,
    output: Mat<f64>,
    blocks: usize,
}

impl ConvolutionalNetwork {
    /// Checks that V has `blocks` columns for each filter and that all is finite.
    pub fn new(filters: Mat<f64>, output: Mat<f64>, blocks: usize) -> Result<Self> {
        if filters.ncols().checked_mul(blocks) != Some(output.ncols()) {
            return Err(Error::Shape {
                what: "output weights",
                expected: format!(
                    "{} columns, {blocks} for each filter",
                    filters.ncols().saturating_mul(blocks)
                ),
                actual: format!("{} columns", output.ncols()),
            });
        }
        for (what, array) in [("filters U", &filters), ("output weights V", &output)] {
            for (column, values) in array.col_iter().enumerate() {
                if let Some(row) = values.iter().position(|value| !value.is_finite()) {
                    return Err(Error::NotFinite { what, row, column });
                }
            }
        }
        Ok(Self { filters, output, blocks })
    }

    /// The network without filters, which predicts zero.
    pub fn empty(shape: &ConvolutionShape, outputs: usize) -> Self {
        Self {
            filters: Mat::zeros(shape.weights(), 0),
            output: Mat::zeros(outputs, 0),
            blocks: shape.blocks(),
        }
    }

    /// U, h × m.
    pub fn filters(&self) -> MatRef<'_, f64> {
        self.filters.as_ref()
    }

    /// V, c × a·m.
    pub fn output(&self) -> MatRef<'_, f64> {
        self.output.as_ref()
    }

    /// m.
    pub fn width(&self) -> usize {
        self.filters.ncols()
    }

    /// Whether the network fits a shape and a number of outputs.
    pub fn fits(&self, shape: &ConvolutionShape, outputs: usize) -> bool {
        (self.filters.nrows(), self.output.nrows(), self.blocks) == (shape.weights(), outputs, shape.blocks())
    }

    /// The filters, h rows of m.
    pub(crate) fn rows(&self) -> Vec<f64> {
        (0..self.filters.nrows())
            .flat_map(|k| self.filters.row(k).iter().copied().collect::<Vec<_>>())
            .collect()
    }

    /// Predictions for images (n × HWC), n × c. The network must fit the shape.
    pub fn predict(&self, shape: &ConvolutionShape, images: MatRef<'_, f64>) -> Mat<f64> {
        let pixels: Vec<f64> =
            (0..images.nrows()).flat_map(|i| images.row(i).iter().copied().collect::<Vec<_>>()).collect();
        self.answer(shape, &pixels)
    }

    /// Predictions on the images of a problem, n × c.
    pub fn predict_for(&self, problem: &ConvolutionalProblem) -> Mat<f64> {
        self.answer(problem.shape(), problem.pixels())
    }

    fn answer(&self, shape: &ConvolutionShape, pixels: &[f64]) -> Mat<f64> {
        let (n, size) = (pixels.len() / shape.inputs(), self.output.ncols());
        let mut sums = vec![0.0; n * size];
        Patches::new(shape).sums(pixels, &self.rows(), &mut sums);
        let sums = MatRef::from_row_major_slice(&sums, n, size);
        let mut answer = product(sums, self.output.transpose());
        let pooled = shape.pooled() as f64;
        answer.col_iter_mut().for_each(|column| column.iter_mut().for_each(|z| *z /= pooled));
        answer
    }

    /// The objective on a problem.
    pub fn objective(&self, problem: &ConvolutionalProblem) -> f64 {
        let residual = self.predict_for(problem) - problem.targets();
        let weights = self.filters.squared_norm_l2() + self.output.squared_norm_l2();
        0.5 * residual.squared_norm_l2() + 0.5 * problem.weight_decay() * weights
    }

    /// An upper bound, proved in floating point, on the objective of exactly these weights and data.
    ///
    /// A response x·u is a sum of h products, a block the sum of PQ rectified responses (the rectifier does not expand
    /// errors), a prediction a sum of a·m products, divided by PQ; each sum is covered by the bound of
    /// [`Network::objective_upper`](crate::Network::objective_upper), and all that follows is rounded upwards. Infinite
    /// when something overflows, or where the network does not fit.
    pub fn objective_upper(&self, problem: &ConvolutionalProblem) -> UpperBound {
        let (shape, m) = (problem.shape(), self.width());
        if !self.fits(shape, problem.outputs()) {
            return UpperBound::proved(f64::INFINITY);
        }
        let patches = Patches::new(shape);
        let (pooled, terms) = (shape.pooled(), self.output.ncols());
        let filters = self.rows();
        let sizes: Vec<f64> = filters.iter().map(|u| u.abs()).collect();
        let (mut t, mut size) = (vec![0.0; m], vec![0.0; m]);
        let (mut sums, mut errors) = (vec![0.0; terms], vec![0.0; terms]);
        let mut loss = 0.0;
        for (i, image) in problem.pixels().chunks_exact(shape.inputs()).enumerate() {
            let magnitudes: Vec<f64> = image.iter().map(|x| x.abs()).collect();
            if m > 0 {
                for (q, starts) in patches.starts.chunks_exact(pooled).enumerate() {
                    let (sums, errors) = (&mut sums[q * m..][..m], &mut errors[q * m..][..m]);
                    sums.fill(0.0);
                    errors.fill(0.0);
                    for &start in starts {
                        patches.respond(image, start, &filters, &mut t);
                        patches.respond(&magnitudes, start, &sizes, &mut size);
                        for j in 0..m {
                            // The second term keeps what is not finite.
                            sums[j] += t[j].max(0.0) + 0.0 * t[j];
                            errors[j] += product_error(shape.weights(), size[j]);
                        }
                    }
                    for (sum, error) in sums.iter().zip(errors) {
                        *error = add_up(product_error(pooled, *sum), sum_upper(pooled, *error));
                    }
                }
            }
            for o in 0..problem.outputs() {
                let (mut prediction, mut rounding, mut carried) = (0.0, 0.0, 0.0);
                for (f, (sum, error)) in sums.iter().zip(&errors).enumerate() {
                    let v = self.output[(o, f)];
                    prediction += sum * v;
                    rounding += sum * v.abs();
                    carried += error * v.abs();
                }
                let error = add_up(product_error(terms, rounding), sum_upper(terms, carried));
                let (mean, defect) = if pooled == 1 {
                    (prediction, error)
                } else {
                    // A quotient is right to half a unit, or to the least number there is.
                    let mean: f64 = prediction / pooled as f64;
                    let rounded = add_up(mul_up(mean.abs(), f64::EPSILON), f64::from_bits(1));
                    (mean, add_up((error / pooled as f64).next_up(), rounded))
                };
                let residual = add_up(sum_of_two(mean, -problem.targets()[(i, o)]), defect);
                loss = add_up(loss, mul_up(residual, residual));
            }
        }
        let weights = squared_norms_up([self.filters(), self.output()]);
        let total = mul_up(0.5, add_up(loss, mul_up(problem.weight_decay(), weights)));
        UpperBound::proved(if total.is_nan() { f64::INFINITY } else { total })
    }
}
