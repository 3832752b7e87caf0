//! A dual point in the original coordinates of the problem.

use super::cuts::CutForms;
use super::defect::check_defects;
use super::form::Forms;
use crate::error::{Error, Result};
use crate::problem::TrainingProblem;
use faer::Mat;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Most products of terms in the pairs of cuts: each takes 32 bytes while the slack is formed.
const MOST_PRODUCTS: usize = 1 << 26;

/// (W, y, N) of the dual, in original coordinates; nothing is claimed about it.
///
/// It is dual feasible if, with p = (α, β, ℓ), α = (s + Xu)/2 and β = (s − Xu)/2,
/// γ|u|² − (1/γ)|Wᵀα|² − 2Σ_i y_i α_iβ_i − 2Σ_k N_k p_{k0} p_{k1} ≥ 0 for all (u, s),
/// and then ⟨W, Y⟩ − ½‖W‖² is a lower bound on the objective of every network.
#[derive(Clone, Debug)]
pub struct DualPoint {
    /// W, n × c: multiplier of the predictions; the residual at the optimum.
    pub w: Mat<f64>,
    /// y, n: multipliers of α_iβ_i = 0, of either sign.
    pub y: Vec<f64>,
    /// Pairs of forms, indices into (α_0 … α_{n−1}, β_0 … β_{n−1}, ℓ_0 …); each unordered pair at most once.
    pub pairs: Vec<[usize; 2]>,
    /// N ≥ 0, one value for each unordered pair.
    pub n: Vec<f64>,
    /// The cuts ℓ: further forms that are nonnegative on every neuron. Empty for the published relaxation.
    pub cuts: CutForms,
}

impl DualPoint {
    /// The dual point W = 0, y = 0, N = 0, feasible for every problem with bound 0.
    pub fn zero(samples: usize, outputs: usize) -> Self {
        Self {
            w: Mat::zeros(samples, outputs),
            y: vec![0.0; samples],
            pairs: Vec::new(),
            n: Vec::new(),
            cuts: CutForms::new(),
        }
    }

    /// The forms that `pairs` indexes.
    pub fn forms(&self) -> Forms {
        Forms::relu(self.y.len()).with_cuts(&self.cuts)
    }

    /// Checks shapes, finiteness, N ≥ 0, the pairs and the cuts against a problem.
    pub fn check(&self, problem: &TrainingProblem) -> Result<()> {
        let (n, c) = (problem.samples(), problem.outputs());
        let shape =
            |what: &'static str, expected: String, actual: String| Error::Shape { what, expected, actual };
        if self.w.nrows() != n || self.w.ncols() != c {
            let actual = format!("{} × {}", self.w.nrows(), self.w.ncols());
            return Err(shape("certificate W", format!("{n} × {c}"), actual));
        }
        if self.y.len() != n {
            return Err(shape("certificate y", format!("{n} values"), format!("{} values", self.y.len())));
        }
        if self.pairs.len() != self.n.len() {
            let expected = format!("{} values, one for each pair", self.pairs.len());
            return Err(shape("certificate N", expected, format!("{} values", self.n.len())));
        }
        for column in 0..c {
            for row in 0..n {
                if !self.w[(row, column)].is_finite() {
                    return Err(Error::NotFinite { what: "certificate W", row, column });
                }
            }
        }
        if let Some(row) = self.y.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite { what: "certificate y", row, column: 0 });
        }
        if let Some(row) = self.n.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite { what: "certificate N", row, column: 0 });
        }
        if let Some(k) = self.n.iter().position(|v| *v < 0.0) {
            return Err(Error::Refused(format!("multiplier {k} is {}, it must not be negative", self.n[k])));
        }
        if !self.cuts.is_empty() {
            self.cuts.check(n)?;
            check_defects(problem, &self.cuts)?;
        }
        self.check_pairs(n)
    }

    fn check_pairs(&self, n: usize) -> Result<()> {
        let forms = 2 * n + self.cuts.len();
        self.check_products(n)?;
        let mut seen = HashSet::with_capacity(self.pairs.len());
        for (k, &[a, b]) in self.pairs.iter().enumerate() {
            let refuse = |why: &str| Err(Error::Refused(format!("pair {k} = ({a}, {b}) {why}")));
            if a >= forms || b >= forms {
                return refuse(&format!("is out of range, there are {forms} forms"));
            }
            if a == b {
                return refuse("is a form with itself");
            }
            if a < 2 * n && b < 2 * n && a % n == b % n {
                return refuse("joins α and β of one sample, whose multiplier is y");
            }
            if !seen.insert((a.min(b), a.max(b))) {
                return refuse("appears twice");
            }
        }
        Ok(())
    }

    /// Refuses cuts so long that the products of their terms would fill the memory: a file may claim any number.
    fn check_products(&self, n: usize) -> Result<()> {
        let terms: Vec<usize> = (0..self.cuts.len()).map(|cut| self.cuts.row(cut).count() + 1).collect();
        let length =
            |form: usize| form.checked_sub(2 * n).map_or(2, |cut| terms.get(cut).copied().unwrap_or(0));
        let long = self.pairs.iter().filter(|pair| pair.iter().any(|form| *form >= 2 * n));
        let products =
            long.fold(0usize, |sum, &[a, b]| sum.saturating_add(length(a).saturating_mul(length(b))));
        if products <= MOST_PRODUCTS {
            return Ok(());
        }
        Err(Error::Refused(format!("the cuts make {products} products of terms, more than {MOST_PRODUCTS}")))
    }

    /// This point without pairs whose multiplier is zero, which are in no sum, and without cuts that no other pair uses.
    pub(crate) fn without_idle_pairs(&self) -> Cow<'_, Self> {
        if self.n.iter().all(|multiplier| *multiplier != 0.0) {
            return Cow::Borrowed(self);
        }
        let all: Vec<usize> = (0..self.y.len()).collect();
        let pairs = self.pairs.iter().copied().zip(self.n.iter().copied());
        Cow::Owned(self.restricted(&all, &all, pairs.filter(|(_, multiplier)| *multiplier != 0.0)))
    }

    /// The numbers of some of the samples, in the order given, and of the pairs given, which touch no others; cuts that
    /// none of these pairs uses are left out. `place` says where a sample is found among `samples`.
    pub(crate) fn restricted(
        &self,
        samples: &[usize],
        place: &[usize],
        pairs: impl Iterator<Item = ([usize; 2], f64)>,
    ) -> Self {
        let (n, size) = (self.y.len(), samples.len());
        let mut part = Self {
            w: Mat::from_fn(size, self.w.ncols(), |i, j| self.w[(samples[i], j)]),
            y: samples.iter().map(|&i| self.y[i]).collect(),
            ..Self::zero(0, 0)
        };
        let mut cuts = HashMap::new();
        for (pair, multiplier) in pairs {
            part.pairs.push(pair.map(|form| match form.checked_sub(2 * n) {
                None => place[form % n] + size * (form / n),
                Some(cut) => {
                    2 * size
                        + *cuts.entry(cut).or_insert_with(|| {
                            let row = self.cuts.row(cut).map(|(i, coefficient)| (place[i], coefficient));
                            part.cuts.push(place[self.cuts.targets()[cut]], row)
                        })
                }
            }));
            part.n.push(multiplier);
        }
        part
    }

    /// The samples that each pair joins in the form, as (one of the first form, one of the second).
    pub(crate) fn edges(&self) -> Vec<(usize, usize)> {
        let (n, forms) = (self.y.len(), self.forms());
        let samples = |form: usize| {
            let mut samples: Vec<usize> = forms.row(form).map(|(index, _)| index % n).collect();
            samples.dedup();
            samples
        };
        let join = |pair: &[usize; 2]| {
            let [a, b] = pair.map(samples);
            a.into_iter().flat_map(move |i| b.clone().into_iter().map(move |j| (i, j)))
        };
        self.pairs.iter().flat_map(join).collect()
    }

    /// ⟨W, Y⟩ and ‖W‖², in floating point.
    pub fn inner_products(&self, problem: &TrainingProblem) -> (f64, f64) {
        let targets = problem.targets();
        let mut inner = 0.0;
        for j in 0..self.w.ncols() {
            for i in 0..self.w.nrows() {
                inner += self.w[(i, j)] * targets[(i, j)];
            }
        }
        (inner, self.w.squared_norm_l2())
    }
}
