//! Whitening, unit directions, merged samples and the scales that make the problem of order one.

use crate::error::{Error, Result};
use crate::linalg::dense::{ThinSvd, product};
use crate::problem::TrainingProblem;
use faer::{Mat, MatRef};

/// Singular values below this fraction of the largest count as zero.
const RANK_TOLERANCE: f64 = 1e-11;
/// Directions closer than this are one direction: the difference is of the order of the SVD's rounding.
const PARALLEL_TOLERANCE: f64 = 1e-11;

/// Where a sample's forms are found: x = ± length × direction of its group.
#[derive(Clone, Copy, Debug)]
pub struct SampleLink {
    /// Index of the direction, or none for a zero sample.
    pub group: Option<usize>,
    /// Whether the sample points against its direction, which swaps α and β.
    pub flipped: bool,
    /// Length of the whitened sample.
    pub length: f64,
}

impl SampleLink {
    /// Index of the form that is this sample's activation α, among α_0…α_{G−1}, β_0…β_{G−1}.
    pub fn form(&self, groups: usize) -> Option<usize> {
        self.group.map(|g| if self.flipped { g + groups } else { g })
    }
}

/// The whitened, merged and scaled samples.
#[derive(Debug)]
pub struct Geometry {
    /// Numerical rank of X.
    pub rank: usize,
    /// One link a sample.
    pub samples: Vec<SampleLink>,
    /// Unit directions, row-major, `rank` values each.
    directions: Vec<f64>,
    /// u = basis · diag(stretch) · u′ · hidden_scale, with orthonormal columns (d × rank).
    basis: Mat<f64>,
    /// √n / σ for each kept singular value σ.
    stretch: Vec<f64>,
    /// Scale of u and s.
    pub hidden_scale: f64,
    /// Scale of v.
    pub output_scale: f64,
    /// Scale of the targets, ‖Y‖.
    pub target_scale: f64,
}

impl Geometry {
    /// Whitens X by its thin SVD and merges parallel samples.
    pub fn new(problem: &TrainingProblem) -> Result<Self> {
        Self::merging(problem, PARALLEL_TOLERANCE)
    }

    /// Whitens X by its thin SVD and merges samples whose directions, after whitening, are no further apart than `reach`.
    pub(crate) fn merging(problem: &TrainingProblem, reach: f64) -> Result<Self> {
        let x = problem.features();
        let n = x.nrows();
        let largest = x.norm_max();
        let target_scale = problem.targets().norm_l2();
        // Dividing by the largest entry first keeps the squares inside the SVD from overflowing.
        let safe = if largest > 0.0 { largest } else { 1.0 };
        let scaled = Mat::from_fn(n, x.ncols(), |i, j| x[(i, j)] / safe);
        let svd =
            ThinSvd::new(scaled.as_ref()).ok_or(Error::Numerical("the singular value decomposition of X"))?;
        let sigma = &svd.singular;
        let rank = sigma.iter().take_while(|&&s| s > RANK_TOLERANCE * sigma[0]).count();
        let root = (n as f64).sqrt();
        let whitened = Mat::from_fn(n, rank, |i, a| svd.u[(i, a)] * root);
        let basis = svd.v.subcols(0, rank).to_owned();
        let stretch: Vec<f64> = sigma[..rank].iter().map(|s| root / (s * safe)).collect();

        let (samples, directions) = merge(whitened.as_ref(), reach.max(PARALLEL_TOLERANCE));
        let mean_square: f64 = stretch.iter().map(|s| s.powi(-2)).sum::<f64>() / rank.max(1) as f64;
        let target_scale = if target_scale > 0.0 { target_scale } else { 1.0 };
        // The product of the scales makes w_f p_f Vᵀ of order one; their ratio balances ΓU against gV.
        let product = target_scale / ((n * rank.max(1)) as f64).sqrt();
        let ratio = if mean_square > 0.0 { mean_square.sqrt() } else { 1.0 };
        let hidden_scale = (product * ratio).sqrt();
        Ok(Self {
            rank,
            samples,
            directions,
            basis,
            stretch,
            hidden_scale,
            output_scale: product / hidden_scale,
            target_scale,
        })
    }

    /// Number of distinct directions.
    pub fn groups(&self) -> usize {
        self.directions.len().checked_div(self.rank).unwrap_or(0)
    }

    /// Unit direction of a group, `rank` values.
    pub fn direction(&self, group: usize) -> &[f64] {
        &self.directions[group * self.rank..][..self.rank]
    }

    /// The unit directions one after another.
    pub(super) fn directions(&self) -> &[f64] {
        &self.directions
    }

    /// Reverses a group's direction, which swaps its forms.
    pub(super) fn flip(&mut self, group: usize) {
        self.directions[group * self.rank..][..self.rank].iter_mut().for_each(|v| *v = -*v);
        for link in self.samples.iter_mut().filter(|link| link.group == Some(group)) {
            link.flipped = !link.flipped;
        }
    }

    /// Weight of a sample's activation in the scaled loss.
    pub fn fit_scale(&self, link: &SampleLink) -> f64 {
        link.length * self.hidden_scale * self.output_scale / self.target_scale
    }

    /// Diagonal of Γ for weight decay γ.
    pub fn hidden_decay(&self, weight_decay: f64) -> Vec<f64> {
        let factor = weight_decay * (self.hidden_scale / self.target_scale).powi(2);
        self.stretch.iter().map(|s| factor * s * s).collect()
    }

    /// Orthonormal columns that span what the samples see of u, d × rank.
    pub(crate) fn basis(&self) -> MatRef<'_, f64> {
        self.basis.as_ref()
    }

    /// One unit of coordinate a of the solver's u along column a of the basis.
    pub(crate) fn hidden_unit(&self, a: usize) -> f64 {
        self.stretch[a] * self.hidden_scale
    }

    /// A vector of feature space (d values) in whitened coordinates, as samples are: `rank` values.
    pub(crate) fn whiten_features(&self, x: &[f64]) -> Vec<f64> {
        let column = MatRef::from_column_major_slice(x, x.len(), 1);
        let whitened = product(self.basis.transpose(), column);
        self.stretch.iter().enumerate().map(|(a, stretch)| stretch * whitened[(a, 0)]).collect()
    }

    /// Hidden weights (d × m) in whitened, scaled coordinates (rank × m).
    pub fn whiten_hidden(&self, hidden: MatRef<'_, f64>) -> Mat<f64> {
        let mut whitened = product(self.basis.transpose(), hidden);
        for (a, stretch) in self.stretch.iter().enumerate() {
            let factor = 1.0 / (stretch * self.hidden_scale);
            whitened.row_mut(a).iter_mut().for_each(|v| *v *= factor);
        }
        whitened
    }

    /// Hidden weights (d × m) from whitened, scaled ones (rank × m).
    pub fn unwhiten_hidden(&self, whitened: MatRef<'_, f64>) -> Mat<f64> {
        let stretched =
            Mat::from_fn(self.rank, whitened.ncols(), |a, j| whitened[(a, j)] * self.hidden_unit(a));
        product(self.basis.as_ref(), stretched.as_ref())
    }
}

/// Links every sample to a direction; samples parallel or antiparallel to within `reach` share that of the first of them.
fn merge(whitened: MatRef<'_, f64>, reach: f64) -> (Vec<SampleLink>, Vec<f64>) {
    let (n, rank) = (whitened.nrows(), whitened.ncols());
    let lengths: Vec<f64> = (0..n).map(|i| whitened.row(i).norm_l2()).collect();
    let longest = lengths.iter().copied().fold(0.0, f64::max);
    let unit: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            let row = whitened.row(i);
            // Oriented so that antiparallel samples come out equal: the largest entry is positive.
            let lead = row.iter().copied().fold(0.0, |a: f64, b: f64| if b.abs() > a.abs() { b } else { a });
            let factor = if lengths[i] > 0.0 { lead.signum() / lengths[i] } else { 0.0 };
            row.iter().map(|v| v * factor).collect()
        })
        .collect();
    // Sorted by one generic projection, parallel directions are neighbours.
    let projection: Vec<f64> = unit
        .iter()
        .map(|u| u.iter().enumerate().map(|(a, v)| v * (1.0 + 0.618_033_988_75 * a as f64).sin()).sum())
        .collect();
    let mut order: Vec<usize> = (0..n).filter(|&i| lengths[i] > 1e-14 * longest).collect();
    order.sort_by(|&i, &j| projection[i].total_cmp(&projection[j]).then(i.cmp(&j)));
    let mut representative: Vec<Option<usize>> = vec![None; n];
    let window = 2.0 * reach * (rank as f64).sqrt();
    for (position, &i) in order.iter().enumerate() {
        let near =
            order[..position].iter().rev().take_while(|&&j| projection[i] - projection[j] <= window).find(
                |&&j| {
                    representative[j] == Some(j)
                        && distance(&unit[i], &unit[j]).min(sum_length(&unit[i], &unit[j])) <= reach
                },
            );
        representative[i] = Some(near.copied().unwrap_or(i));
    }
    let mut group_of = vec![usize::MAX; n];
    let mut directions = Vec::new();
    let mut groups = 0;
    for i in 0..n {
        if representative[i] == Some(i) {
            group_of[i] = groups;
            groups += 1;
            directions.extend_from_slice(&unit[i]);
        }
    }
    let links = (0..n)
        .map(|i| {
            let group = representative[i].map(|j| group_of[j]);
            let flipped = group.is_some_and(|g| {
                let direction = &directions[g * rank..][..rank];
                direction.iter().zip(whitened.row(i).iter()).map(|(a, b)| a * b).sum::<f64>() < 0.0
            });
            SampleLink { group, flipped, length: lengths[i] }
        })
        .collect();
    (links, directions)
}

/// Euclidean distance.
pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}

/// Length of a + b, the distance of a from −b.
pub(super) fn sum_length(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x + y) * (x + y)).sum::<f64>().sqrt()
}
