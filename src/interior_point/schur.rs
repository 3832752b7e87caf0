//! The Schur complement of the Newton system.

use super::operator::{Operator, TILE, Term};
use faer::{Mat, MatRef};
use pulp::Arch;
use rayon::prelude::*;

/// Columns of one task; fixes the order of work whatever the number of threads.
const BLOCK: usize = 128;

/// The lower triangle of M_kl = ⟨A_k, sym(Λ A_l S⁻¹)⟩ into `out` (m × m, column-major).
///
/// Every entry is a sum of products of four entries of FΛFᵀ and FS⁻¹Fᵀ, so the cost is O(m²); the two Gram
/// matrices are formed a block of rows at a time and never stored. `primal` and `dual` are ΛFᵀ and S⁻¹Fᵀ.
pub(super) fn assemble(
    operator: &Operator<'_>,
    primal: MatRef<'_, f64>,
    dual: MatRef<'_, f64>,
    out: &mut [f64],
) {
    let m = operator.rows();
    out.par_chunks_mut(m * BLOCK).enumerate().for_each(|(block, columns)| {
        let first = block * BLOCK;
        let last = first + columns.len() / m;
        let own = &operator.terms[operator.first_term[first]..operator.first_term[last]];
        let grams = Grams::new(operator, own, primal, dual);
        let mut quads = vec![[0.0; 4]; operator.forms()];
        for (k, column) in columns.chunks_exact_mut(m).enumerate().map(|(k, c)| (k + first, c)) {
            column[k..].fill(0.0);
            let own = operator.first_term[k]..operator.first_term[k + 1];
            for left in &operator.terms[own] {
                grams.interleave(left.a, left.b, &mut quads);
                for right in &operator.terms[operator.first_term[k]..] {
                    let (x, y) = (&quads[right.a], &quads[right.b]);
                    let sum = x[0] * y[3] + y[0] * x[3] + x[1] * y[2] + y[1] * x[2];
                    column[right.row] += 0.25 * left.coefficient * right.coefficient * sum;
                }
            }
        }
    });
}

/// Rows of FΛFᵀ and FS⁻¹Fᵀ that one block of columns needs, one row after the other.
struct Grams {
    /// The forms whose rows are here, ascending.
    rows: Vec<usize>,
    forms: usize,
    primal: Vec<f64>,
    dual: Vec<f64>,
}

impl Grams {
    fn new(operator: &Operator<'_>, terms: &[Term], primal: MatRef<'_, f64>, dual: MatRef<'_, f64>) -> Self {
        let forms = operator.forms();
        let mut rows: Vec<usize> = terms.iter().flat_map(|term| [term.a, term.b]).collect();
        rows.sort_unstable();
        rows.dedup();
        let mut x = vec![[0.0; TILE]; operator.order()];
        let mut s = vec![[0.0; TILE]; operator.forms()];
        let mut gram = |source: MatRef<'_, f64>| {
            let mut out = vec![0.0; rows.len() * forms];
            for (tile, out) in rows.chunks(TILE).zip(out.chunks_mut(TILE * forms)) {
                for (lane, &row) in tile.iter().enumerate() {
                    x.iter_mut().zip(source.col(row).iter()).for_each(|(x, value)| x[lane] = *value);
                }
                // The widest vectors the machine has; sums keep their order, so that the result is the same on all.
                Arch::new().dispatch(|| {
                    operator.evaluate(&x, &mut s, |form, values| {
                        for (lane, value) in values.iter().enumerate().take(tile.len()) {
                            out[lane * forms + form] = *value;
                        }
                    });
                });
            }
            out
        };
        let (primal, dual) = (gram(primal), gram(dual));
        Self { rows, forms, primal, dual }
    }

    fn row(&self, form: usize) -> (&[f64], &[f64]) {
        // Every form of the block's terms is there.
        let start = self.rows.partition_point(|row| *row < form) * self.forms;
        (&self.primal[start..][..self.forms], &self.dual[start..][..self.forms])
    }

    /// (Λ_a, Λ_b, S⁻¹_a, S⁻¹_b) at every form, side by side.
    fn interleave(&self, a: usize, b: usize, out: &mut [[f64; 4]]) {
        let ((pa, da), (pb, db)) = (self.row(a), self.row(b));
        for (f, quad) in out.iter_mut().enumerate() {
            *quad = [pa[f], pb[f], da[f], db[f]];
        }
    }
}

/// The Cholesky factor of M scaled to unit diagonal.
pub(super) struct Schur {
    storage: Vec<f64>,
    scale: Vec<f64>,
}

impl Schur {
    /// Storage for nothing yet.
    pub fn new() -> Self {
        Self { storage: Vec::new(), scale: Vec::new() }
    }

    /// Assembles M, adds `diagonal` and factors it; false if it is not positive definite even after a
    /// relative shift of the order of rounding.
    pub fn factor(
        &mut self,
        operator: &Operator<'_>,
        primal: MatRef<'_, f64>,
        dual: MatRef<'_, f64>,
        diagonal: &[f64],
        par: faer::Par,
    ) -> bool {
        let m = operator.rows();
        let mut shift = 0.0_f64;
        while shift < 1e-6 {
            self.storage.resize(m * m, 0.0);
            assemble(operator, primal, dual, &mut self.storage);
            self.scale.clear();
            self.scale.extend((0..m).map(|k| {
                let entry = self.storage[k * m + k] + diagonal[k];
                if entry > 0.0 { entry.sqrt().recip() } else { 1.0 }
            }));
            let scale = &self.scale;
            self.storage.par_chunks_mut(m).enumerate().for_each(|(k, column)| {
                column[k] += diagonal[k];
                for (entry, s) in column[k..].iter_mut().zip(&scale[k..]) {
                    *entry *= s * scale[k];
                }
                column[k] += shift;
            });
            let matrix = faer::MatMut::from_column_major_slice_mut(&mut self.storage, m, m);
            if super::dense::factor_in_place(matrix, par) {
                return true;
            }
            shift = (shift * 10.0).max(1e-16);
        }
        false
    }

    /// M⁻¹ b.
    pub fn solve(&self, b: &[f64], par: faer::Par) -> Vec<f64> {
        let m = b.len();
        let l = MatRef::from_column_major_slice(&self.storage, m, m);
        let mut x = Mat::from_fn(m, 1, |k, _| b[k] * self.scale[k]);
        super::dense::solve_factored(l, x.as_mut(), par);
        (0..m).map(|k| x[(k, 0)] * self.scale[k]).collect()
    }
}
