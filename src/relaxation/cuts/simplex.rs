//! Cheapest representations of one direction by others: min Σ c_i|b_i| subject to Σ b_i x_i = x_k.
//!
//! A linear programme of as many equalities as features. Every basis of directions is feasible once each one's sign is
//! chosen, so there is no first phase; pricing is one product with all directions.

use crate::linalg::vector::dot;

/// Pivots smaller than this make no basis.
const PIVOT: f64 = 1e-9;
/// Violation of a dual constraint, relative to the largest cost, that is rounding.
const ROUNDING: f64 = 1e-10;
/// Iterations for each feature before the basis at hand is taken as it is: any basis is a representation.
const ITERATIONS: usize = 30;

/// The simplex method for one target, kept between objectives: an old basis is a good start.
pub(super) struct Simplex<'a> {
    /// All directions, row-major, `dimension` values each.
    directions: &'a [f64],
    dimension: usize,
    target: usize,
    basis: Vec<usize>,
    /// Row l of the inverse of the matrix with the basis as its columns.
    inverse: Vec<f64>,
    /// x_k in the basis: the coefficients b.
    values: Vec<f64>,
    prices: Vec<f64>,
    column: Vec<f64>,
}

impl<'a> Simplex<'a> {
    /// Starts from a basis of the directions with the largest remaining part, those that come first in `order` preferred
    /// where they are large enough. None if the others do not span the space.
    pub(super) fn new(
        directions: &'a [f64],
        dimension: usize,
        target: usize,
        order: impl Iterator<Item = usize> + Clone,
    ) -> Option<Self> {
        let mut simplex = Self {
            directions,
            dimension,
            target,
            basis: Vec::with_capacity(dimension),
            inverse: Vec::new(),
            values: Vec::new(),
            prices: Vec::new(),
            column: vec![0.0; dimension],
        };
        // Gram–Schmidt, twice, with a threshold that is lowered until a basis is found.
        let mut orthonormal: Vec<Vec<f64>> = Vec::new();
        for threshold in [0.3, 1e-2, 1e-4, 1e-7] {
            for i in order.clone().filter(|&i| i != target) {
                if orthonormal.len() == dimension {
                    break;
                }
                let mut rest = simplex.direction(i).to_vec();
                for _ in 0..2 {
                    for q in &orthonormal {
                        let c = dot(q, &rest);
                        rest.iter_mut().zip(q).for_each(|(r, q)| *r -= c * q);
                    }
                }
                let length = dot(&rest, &rest).sqrt();
                if length > threshold {
                    rest.iter_mut().for_each(|r| *r /= length);
                    orthonormal.push(rest);
                    simplex.basis.push(i);
                }
            }
        }
        (simplex.basis.len() == dimension && simplex.refresh()).then_some(simplex)
    }

    fn direction(&self, i: usize) -> &'a [f64] {
        &self.directions[i * self.dimension..][..self.dimension]
    }

    /// Inverts the basis anew, by Gauss–Jordan with pivots.
    fn refresh(&mut self) -> bool {
        let d = self.dimension;
        let mut matrix = vec![0.0; d * 2 * d];
        for (l, &i) in self.basis.iter().enumerate() {
            for (a, x) in self.direction(i).iter().enumerate() {
                matrix[a * 2 * d + l] = *x;
            }
            matrix[l * 2 * d + d + l] = 1.0;
        }
        for k in 0..d {
            let Some(pivot) = (k..d)
                .max_by(|&a, &b| matrix[a * 2 * d + k].abs().total_cmp(&matrix[b * 2 * d + k].abs()))
                .filter(|&row| matrix[row * 2 * d + k].abs() > 1e-300)
            else {
                return false;
            };
            (0..2 * d).for_each(|j| matrix.swap(k * 2 * d + j, pivot * 2 * d + j));
            let inverse = 1.0 / matrix[k * 2 * d + k];
            (0..2 * d).for_each(|j| matrix[k * 2 * d + j] *= inverse);
            for row in (0..d).filter(|&row| row != k) {
                let factor = matrix[row * 2 * d + k];
                if factor != 0.0 {
                    (0..2 * d).for_each(|j| matrix[row * 2 * d + j] -= factor * matrix[k * 2 * d + j]);
                }
            }
        }
        self.inverse = (0..d).flat_map(|l| matrix[l * 2 * d + d..][..d].to_vec()).collect();
        let target = self.direction(self.target);
        self.values = self.inverse.chunks_exact(d).map(|row| dot(row, target)).collect();
        self.inverse.iter().all(|v| v.is_finite())
    }

    /// Minimises for the costs, one nonnegative number a direction; gives the cost of the representation.
    pub(super) fn minimize(&mut self, cost: &[f64]) -> f64 {
        let d = self.dimension;
        let largest = cost.iter().copied().fold(0.0, f64::max);
        let tolerance = ROUNDING * largest;
        for iteration in 0..ITERATIONS * d {
            if iteration % 32 == 31 && !self.refresh() {
                break;
            }
            // The dual: xᵀprice = ± cost on the basis, with the sign of the coefficient.
            self.prices.clear();
            self.prices.resize(d, 0.0);
            for ((row, &b), &i) in self.inverse.chunks_exact(d).zip(&self.values).zip(&self.basis) {
                let weight = if b < 0.0 { -cost[i] } else { cost[i] };
                self.prices.iter_mut().zip(row).for_each(|(p, r)| *p += weight * r);
            }
            let mut entering = (tolerance, usize::MAX, 0.0);
            for (i, (x, &c)) in self.directions.chunks_exact(d).zip(cost).enumerate() {
                let product = dot(x, &self.prices);
                let excess = product.abs() - c;
                if excess > entering.0 && i != self.target && !self.basis.contains(&i) {
                    entering = (excess, i, product.signum());
                }
            }
            let (_, i, sign) = entering;
            if i == usize::MAX {
                break;
            }
            let x = self.direction(i);
            for (column, row) in self.column.iter_mut().zip(self.inverse.chunks_exact(d)) {
                *column = sign * dot(row, x);
            }
            // The first coefficient that reaches zero leaves.
            let mut leaving = (f64::INFINITY, usize::MAX);
            for (l, (&column, &b)) in self.column.iter().zip(&self.values).enumerate() {
                let along = if b < 0.0 { -column } else { column };
                if along > PIVOT {
                    let ratio = b.abs() / along;
                    if ratio < leaving.0 {
                        leaving = (ratio, l);
                    }
                }
            }
            let l = leaving.1;
            if l == usize::MAX {
                break;
            }
            self.pivot(l, i, sign);
        }
        self.values.iter().zip(&self.basis).map(|(b, &i)| b.abs() * cost[i]).sum()
    }

    /// Puts direction i, whose coordinates times `sign` are in `column`, in the place l of the basis.
    fn pivot(&mut self, l: usize, i: usize, sign: f64) {
        let d = self.dimension;
        let inverse = sign / self.column[l];
        let row: Vec<f64> = self.inverse[l * d..][..d].iter().map(|r| r * inverse).collect();
        let value = self.values[l] * inverse;
        for k in (0..d).filter(|&k| k != l) {
            let factor = sign * self.column[k];
            self.inverse[k * d..][..d].iter_mut().zip(&row).for_each(|(a, r)| *a -= factor * r);
            self.values[k] -= factor * value;
        }
        self.inverse[l * d..][..d].copy_from_slice(&row);
        self.values[l] = value;
        self.basis[l] = i;
    }

    /// (i, b_i) of the representation, those that are not zero, ascending; none if the basis is singular.
    pub(super) fn representation(&mut self) -> Option<Vec<(usize, f64)>> {
        if !self.refresh() {
            return None;
        }
        let d = self.dimension;
        // One step of refinement.
        let mut rest = self.direction(self.target).to_vec();
        for (&i, &b) in self.basis.iter().zip(&self.values) {
            rest.iter_mut().zip(self.direction(i)).for_each(|(r, x)| *r -= b * x);
        }
        for (row, value) in self.inverse.chunks_exact(d).zip(&mut self.values) {
            *value += dot(row, &rest);
        }
        let mut terms: Vec<(usize, f64)> = self
            .basis
            .iter()
            .copied()
            .zip(self.values.iter().copied())
            .filter(|(_, b)| b.abs() > 1e-13)
            .collect();
        terms.sort_unstable_by_key(|term| term.0);
        Some(terms)
    }
}
