//! The matrix inequality of one pattern, and its part of a Newton step.

use crate::baselines::arrangements::{Arrangement, Pattern};
use crate::linalg::dense::Cholesky;
use crate::linalg::vector::dot;
use faer::{Mat, MatRef};

/// S = [γI − Σ ν_k G_k, M; Mᵀ, γI] ≻ 0 with ν > 0 and M = Σ b_i w_iᵀ over the active samples.
pub(super) struct Block {
    /// The active samples, and their rows b_i in the row space (r values each).
    active: Vec<usize>,
    rows: Vec<f64>,
    /// r.
    rank: usize,
    /// G_k = (g_f g_f'ᵀ + g_f' g_fᵀ)/2 of unit normals of the sides, two by two, r² values each.
    products: Vec<Vec<f64>>,
    /// The multipliers and their step.
    nu: Vec<f64>,
    step: Vec<f64>,
    local: Local,
}

/// What elimination leaves for the way back: ν' = base − slope·m' for the step m' of M (r·c values).
struct Local {
    outputs: usize,
    hessian: Mat<f64>,
    gradient: Vec<f64>,
    base: Mat<f64>,
    slope: Mat<f64>,
    local_gradient: Vec<f64>,
}

impl Local {
    fn none() -> Self {
        let (gradient, local_gradient) = (Vec::new(), Vec::new());
        Self {
            outputs: 0,
            hessian: Mat::new(),
            gradient,
            base: Mat::new(),
            slope: Mat::new(),
            local_gradient,
        }
    }
}

impl Block {
    pub fn all(arrangement: &Arrangement, gamma: f64) -> Vec<Self> {
        let rows = arrangement.space.rows.as_ref();
        let rank = rows.ncols();
        let normal = |sample: usize, sign: f64| -> Vec<f64> {
            let length = rows.row(sample).norm_l2();
            (0..rank).map(|a| sign * rows[(sample, a)] / length).collect()
        };
        let block = |(pattern, facets): (&Pattern, &[usize])| {
            let normals: Vec<Vec<f64>> =
                facets.iter().map(|&f| normal(f, if pattern.is_active(f) { 1.0 } else { -1.0 })).collect();
            let mut products = Vec::new();
            for (k, g) in normals.iter().enumerate() {
                for h in &normals[..=k] {
                    let entry = |at: usize| 0.5 * (g[at % rank] * h[at / rank] + h[at % rank] * g[at / rank]);
                    products.push((0..rank * rank).map(entry).collect());
                }
            }
            let active: Vec<usize> = pattern.active().collect();
            // no product has a norm above one: half of the slack is left
            let nu = vec![0.5 * gamma / products.len().max(1) as f64; products.len()];
            let rows = active.iter().flat_map(|&i| (0..rank).map(move |a| rows[(i, a)])).collect();
            Block { active, rows, rank, step: vec![0.0; nu.len()], nu, products, local: Local::none() }
        };
        arrangement.cells_with_facets().map(block).collect()
    }

    /// The parameter of the barrier: the order of S and the multipliers.
    pub fn weight(&self, outputs: usize) -> f64 {
        (self.rank + outputs + self.nu.len()) as f64
    }

    /// S at W and ν + share·step.
    fn slack(&self, w: MatRef<'_, f64>, gamma: f64, share: f64) -> Mat<f64> {
        let (r, c) = (self.rank, w.ncols());
        let mut s = Mat::zeros(r + c, r + c);
        (0..r + c).for_each(|i| s[(i, i)] = gamma);
        for (product, (nu, step)) in self.products.iter().zip(self.nu.iter().zip(&self.step)) {
            let nu = nu + share * step;
            for b in 0..r {
                for a in 0..r {
                    s[(a, b)] -= nu * product[b * r + a];
                }
            }
        }
        for (&i, row) in self.active.iter().zip(self.rows.chunks_exact(r.max(1))) {
            for j in 0..c {
                for a in 0..r {
                    let value = row[a] * w[(i, j)];
                    s[(a, r + j)] += value;
                    s[(r + j, a)] += value;
                }
            }
        }
        s
    }

    /// log det S + Σ log ν at W and ν + share·step; −∞ where that is not feasible.
    pub fn barrier(&self, w: MatRef<'_, f64>, gamma: f64, share: f64) -> f64 {
        let mut value = 0.0;
        for (nu, step) in self.nu.iter().zip(&self.step) {
            let nu = nu + share * step;
            if nu <= 0.0 {
                return f64::NEG_INFINITY;
            }
            value += nu.ln();
        }
        let s = self.slack(w, gamma, share);
        let mut factor = Cholesky::default();
        if !factor.factorize(&s, 0.0) {
            return f64::NEG_INFINITY;
        }
        let lower = factor.lower();
        value + 2.0 * (0..s.nrows()).map(|i| lower[(i, i)].ln()).sum::<f64>()
    }

    /// Derivatives of the barrier in M, ν eliminated. With P = S⁻¹, the second derivative along dS, dS' is −tr(P dS P dS').
    pub fn linearise(&mut self, w: MatRef<'_, f64>, gamma: f64) -> Option<()> {
        self.step.fill(0.0);
        let (r, c, count) = (self.rank, w.ncols(), self.nu.len());
        let s = self.slack(w, gamma, 0.0);
        let mut factor = Cholesky::default();
        factor.factorize(&s, 0.0).then_some(())?;
        let p = factor.solution(Mat::<f64>::identity(r + c, r + c).as_ref());
        // M by column: entry (a, j) at j·r + a
        let size = r * c;
        let mut hessian = Mat::from_fn(size, size, |k, l| {
            let (a, j, b, i) = (k % r, k / r, l % r, l / r);
            2.0 * (p[(a, r + i)] * p[(b, r + j)] + p[(a, b)] * p[(r + j, r + i)])
        });
        let mut gradient: Vec<f64> = (0..size).map(|k| 2.0 * p[(k % r, r + k / r)]).collect();
        // P₁₁G_k, and P₁₁G_kP₁₂
        let turned: Vec<Mat<f64>> = self
            .products
            .iter()
            .map(|g| Mat::from_fn(r, r, |a, b| (0..r).map(|e| p[(a, e)] * g[b * r + e]).sum::<f64>()))
            .collect();
        let cross = Mat::from_fn(size, count, |k, l| {
            -2.0 * (0..r).map(|e| turned[l][(k % r, e)] * p[(e, r + k / r)]).sum::<f64>()
        });
        let inner = Mat::from_fn(count, count, |k, l| {
            let mut trace = 0.0;
            for a in 0..r {
                trace += (0..r).map(|b| turned[k][(a, b)] * turned[l][(b, a)]).sum::<f64>();
            }
            trace + if k == l { self.nu[k].powi(-2) } else { 0.0 }
        });
        let local_gradient: Vec<f64> =
            (0..count).map(|k| 1.0 / self.nu[k] - (0..r).map(|a| turned[k][(a, a)]).sum::<f64>()).collect();
        factor.factorize(&inner, 0.0).then_some(())?;
        let base = factor.solution(MatRef::from_column_major_slice(&local_gradient, count, 1));
        let slope = factor.solution(cross.transpose());
        for (k, gradient) in gradient.iter_mut().enumerate() {
            *gradient -= (0..count).map(|l| cross[(k, l)] * base[(l, 0)]).sum::<f64>();
            for i in 0..size {
                hessian[(i, k)] -= (0..count).map(|l| cross[(i, l)] * slope[(l, k)]).sum::<f64>();
            }
        }
        self.local = Local { outputs: c, hessian, gradient, base, slope, local_gradient };
        Some(())
    }

    /// Adds μ times the derivatives in W: M is linear in the rows of W of the active samples.
    pub fn assemble(&self, mu: f64, system: &mut Mat<f64>, gradient: &mut Mat<f64>) {
        let (r, c, local) = (self.rank, self.local.outputs, &self.local);
        let n = gradient.nrows() / c;
        let rows: Vec<&[f64]> = self.rows.chunks_exact(r.max(1)).collect();
        for j in 0..c {
            for (&i, row) in self.active.iter().zip(&rows) {
                gradient[(j * n + i, 0)] += mu * dot(row, &local.gradient[j * r..(j + 1) * r]);
            }
            for l in 0..c {
                for (&other, there) in self.active.iter().zip(&rows) {
                    let half: Vec<f64> = (0..r)
                        .map(|a| {
                            mu * (0..r).map(|b| local.hessian[(j * r + a, l * r + b)] * there[b]).sum::<f64>()
                        })
                        .collect();
                    for (&i, row) in self.active.iter().zip(&rows) {
                        system[(j * n + i, l * n + other)] += dot(row, &half);
                    }
                }
            }
        }
    }

    /// The step of ν that goes with a step of W; returns its part of the Newton decrement, before the factor μ.
    pub fn recover(&mut self, direction: MatRef<'_, f64>) -> f64 {
        let (r, c) = (self.rank, direction.ncols());
        let mut m = vec![0.0; r * c];
        for (&i, row) in self.active.iter().zip(self.rows.chunks_exact(r.max(1))) {
            for j in 0..c {
                (0..r).for_each(|a| m[j * r + a] += row[a] * direction[(i, j)]);
            }
        }
        let mut decrement = 0.0;
        for k in 0..self.nu.len() {
            let turn: f64 = (0..r * c).map(|l| self.local.slope[(k, l)] * m[l]).sum();
            self.step[k] = self.local.base[(k, 0)] - turn;
            // gradientᵀ H⁻¹ gradient = (reduced part) + g_νᵀH_νν⁻¹g_ν
            decrement += self.local.local_gradient[k] * self.local.base[(k, 0)];
        }
        decrement
    }

    pub fn advance(&mut self, share: f64) {
        self.nu.iter_mut().zip(&self.step).for_each(|(nu, step)| *nu += share * step);
    }
}
