//! The master over the prices: a proximal bundle method on K symmetric matrices that add up to zero.
//!
//! D_k(M), the value of block k at the price M, is concave, and a solution at M′ with value f and moments Λ says that
//! D_k(M) ≤ f + ½⟨M − M′, Λ⟩ for every M. The master maximises the sum of those models less ‖M − centre‖²/2t. Distances are
//! plain: measured by the mean moments, which is invariant, the same rounds win half as much.

use crate::linalg::dense::symmetric_eigenvalues;
use faer::{Mat, MatRef};

/// Part of the weight decay that the first step may move at most.
const FIRST_MOVE: f64 = 0.4;
/// Factor of a step that would leave a block less than it must keep.
const SHORTENED: f64 = 0.7;
/// Least part of its share of the weight decay that a block keeps in every direction.
const KEPT: f64 = 0.05;
/// A step is taken when it brings this part of what the models foresee, and lengthened from this part on.
const TAKEN: f64 = 0.1;
const LENGTHENED: f64 = 0.75;
/// Sweeps over the models, and the part of the foreseen gain that is small enough to end them.
const SWEEPS: usize = 400;
const SETTLED: f64 = 1e-4;

/// What one solve said of a block.
struct Model {
    /// Value at the price zero of the linear model.
    intercept: f64,
    /// ½Λ, order² numbers.
    slope: Vec<f64>,
    weight: f64,
}

/// The state of the master.
pub(super) struct Master {
    order: usize,
    share: f64,
    models: Vec<Vec<Model>>,
    /// The best prices so far, order² numbers for each block, and the bound there.
    centre: Vec<Vec<f64>>,
    bound: f64,
    /// t.
    step: f64,
    foreseen: f64,
}

impl Master {
    /// From the blocks' values and moments at price zero, their bound together, and the share of the weight decay.
    pub(super) fn new(solved: &[(f64, Mat<f64>)], bound: f64, share: f64) -> Option<Self> {
        let order = solved.first()?.1.nrows();
        let mut master = Self {
            order,
            share,
            models: solved.iter().map(|_| Vec::new()).collect(),
            centre: vec![vec![0.0; order * order]; solved.len()],
            bound,
            step: 0.0,
            foreseen: f64::INFINITY,
        };
        let zero = vec![vec![0.0; order * order]; solved.len()];
        master.learn(&zero, solved);
        let moves = master.moves(1.0);
        let widest = moves.iter().map(|m| master.widest(m)).fold(0.0, f64::max);
        master.step = FIRST_MOVE * share / widest;
        (master.step.is_finite() && master.step > 0.0).then_some(master)
    }

    /// What the models foresaw to win by the prices last proposed.
    pub(super) fn foreseen(&self) -> f64 {
        self.foreseen
    }

    /// The next prices to try: symmetric matrices that add up to zero but for rounding.
    pub(super) fn propose(&mut self) -> Vec<Mat<f64>> {
        let (mut moves, mut prices) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            self.settle();
            moves = self.moves(self.step);
            prices = self.at(&moves);
            if prices.iter().all(|price| self.is_allowed(price.as_ref())) {
                break;
            }
            self.step *= SHORTENED;
        }
        let foreseen: f64 = (0..self.models.len())
            .map(|k| {
                let at: Vec<f64> = self.centre[k].iter().zip(&moves[k]).map(|(c, m)| c + m).collect();
                self.models[k].iter().map(|model| model.value(&at)).fold(f64::INFINITY, f64::min)
            })
            .sum();
        self.foreseen = foreseen - self.bound;
        prices
    }

    /// Takes in what the blocks came to at the prices proposed; says whether their bound is the best so far.
    pub(super) fn judge(&mut self, prices: &[Mat<f64>], solved: &[(f64, Mat<f64>)], bound: f64) -> bool {
        let tried: Vec<Vec<f64>> = prices.iter().map(flat).collect();
        self.learn(&tried, solved);
        let won = bound - self.bound;
        if won > LENGTHENED * self.foreseen {
            self.step *= 2.0;
        } else if won < TAKEN * self.foreseen {
            self.step *= 0.5;
        }
        let better = won > 0.0;
        if better {
            self.bound = bound;
            self.centre = tried;
        }
        better
    }

    fn learn(&mut self, at: &[Vec<f64>], solved: &[(f64, Mat<f64>)]) {
        for ((models, at), (value, moments)) in self.models.iter_mut().zip(at).zip(solved) {
            let slope: Vec<f64> = flat(moments).iter().map(|s| 0.5 * s).collect();
            let first = models.is_empty();
            models.push(Model {
                intercept: value - dot(&slope, at),
                slope,
                weight: if first { 1.0 } else { 0.0 },
            });
        }
    }

    /// The slope of each block's model, weighted.
    fn slope(&self, block: usize) -> Vec<f64> {
        let mut slope = vec![0.0; self.order * self.order];
        for model in self.models[block].iter().filter(|model| model.weight > 0.0) {
            slope.iter_mut().zip(&model.slope).for_each(|(s, m)| *s += model.weight * m);
        }
        slope
    }

    /// The way from the centre: t(½Λ_k − mean).
    fn moves(&self, step: f64) -> Vec<Vec<f64>> {
        let mut moves: Vec<Vec<f64>> = (0..self.models.len()).map(|k| self.slope(k)).collect();
        let mean = mean(&moves);
        for each in &mut moves {
            each.iter_mut().zip(&mean).for_each(|(value, mean)| *value = step * (*value - mean));
        }
        moves
    }

    /// The weights of the models for the present step: pairwise steps with exact lengths, block after block.
    fn settle(&mut self) {
        let count = self.models.len();
        let part = 1.0 - 1.0 / count as f64;
        let mut moves = self.moves(self.step);
        for _ in 0..SWEEPS {
            let mut gain = 0.0;
            for k in 0..count {
                let at: Vec<f64> = self.centre[k].iter().zip(&moves[k]).map(|(c, m)| c + m).collect();
                let values: Vec<f64> = self.models[k].iter().map(|model| model.value(&at)).collect();
                let lowest = (0..values.len()).min_by(|&a, &b| values[a].total_cmp(&values[b]));
                let heavy = (0..values.len()).filter(|&j| self.models[k][j].weight > 0.0);
                let highest = heavy.max_by(|&a, &b| values[a].total_cmp(&values[b]));
                let (Some(low), Some(high)) = (lowest, highest) else { continue };
                let difference = values[high] - values[low];
                if low == high || difference <= 0.0 {
                    continue;
                }
                let way: Vec<f64> = {
                    let (low, high) = (&self.models[k][low].slope, &self.models[k][high].slope);
                    low.iter().zip(high).map(|(l, h)| l - h).collect()
                };
                let curvature = self.step * part * dot(&way, &way);
                let length = (difference / curvature.max(f64::MIN_POSITIVE)).min(self.models[k][high].weight);
                self.models[k][low].weight += length;
                self.models[k][high].weight -= length;
                gain += length * difference;
                for (other, moves) in moves.iter_mut().enumerate() {
                    let factor = self.step * length * (f64::from(u8::from(other == k)) - 1.0 / count as f64);
                    moves.iter_mut().zip(&way).for_each(|(m, w)| *m += factor * w);
                }
            }
            let size: f64 = moves.iter().map(|m| dot(m, m)).sum::<f64>() / self.step;
            if gain <= SETTLED * size {
                break;
            }
        }
    }

    /// Prices at so much from the centre, symmetric and adding up to zero.
    fn at(&self, moves: &[Vec<f64>]) -> Vec<Mat<f64>> {
        let mut prices: Vec<Mat<f64>> = self
            .centre
            .iter()
            .zip(moves)
            .map(|(centre, moves)| {
                Mat::from_fn(self.order, self.order, |i, j| {
                    centre[j * self.order + i] + moves[j * self.order + i]
                })
            })
            .collect();
        let count = prices.len() as f64;
        let mean = Mat::from_fn(self.order, self.order, |i, j| {
            prices.iter().map(|price| price[(i, j)] + price[(j, i)]).sum::<f64>() / (2.0 * count)
        });
        for price in &mut prices {
            *price = Mat::from_fn(self.order, self.order, |i, j| {
                let (i, j) = (i.max(j), i.min(j));
                0.5 * (price[(i, j)] + price[(j, i)]) - mean[(i, j)]
            });
        }
        prices
    }

    /// Largest eigenvalue, by magnitude, of a move as a price.
    fn widest(&self, moves: &[f64]) -> f64 {
        let matrix = Mat::from_fn(self.order, self.order, |i, j| moves[j * self.order + i]);
        symmetric_eigenvalues(matrix.as_ref())
            .map_or(f64::INFINITY, |values| values.iter().fold(0.0, |m: f64, v| m.max(v.abs())))
    }

    fn is_allowed(&self, price: MatRef<'_, f64>) -> bool {
        symmetric_eigenvalues(price).is_some_and(|values| values[0] > (KEPT - 1.0) * self.share)
    }
}

impl Model {
    fn value(&self, at: &[f64]) -> f64 {
        self.intercept + dot(&self.slope, at)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn mean(rows: &[Vec<f64>]) -> Vec<f64> {
    let mut mean = vec![0.0; rows.first().map_or(0, Vec::len)];
    for row in rows {
        mean.iter_mut().zip(row).for_each(|(m, r)| *m += r / rows.len() as f64);
    }
    mean
}

fn flat(matrix: &Mat<f64>) -> Vec<f64> {
    matrix.col_iter().flat_map(|column| column.iter().copied().collect::<Vec<_>>()).collect()
}
