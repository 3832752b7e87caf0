//! Which sublinear forms to take in: representations x_k = Σ b_i x_i of directions by others.
//!
//! On every neuron Σ|b_i| s_i − s_k ≥ 0, and the product with any other nonnegative form has a nonnegative moment. The
//! published relaxation lacks these constraints. For a direction k and a form g the representation whose product is
//! violated most is a small linear programme, min Σ|b_i|⟨s_i, g⟩ over Σ b_i x_i = x_k.

mod simplex;

use crate::error::{Error, Result};
use crate::linalg::dense::product;
use crate::relaxation::{Cut, Lifting};
use crate::system::stream::{Purpose, generator};
use faer::MatRef;
use rand::RngExt;
use rayon::prelude::*;
use simplex::Simplex;
use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// What a separation step may ask and take.
#[derive(Clone, Copy, Debug)]
pub struct SeparationSettings {
    /// Forms g asked for each direction: half of them nearest to it or its opposite, the others random.
    pub forms: usize,
    /// Cuts kept for each direction.
    pub per_direction: usize,
    /// Cuts kept in all, the worst.
    pub limit: usize,
    /// Least violation of a normalised product, relative to the mean of ‖s‖².
    pub tolerance: f64,
    /// Seed of the random choices.
    pub seed: u64,
}

impl Default for SeparationSettings {
    fn default() -> Self {
        Self { forms: 64, per_direction: 1, limit: usize::MAX, tolerance: 1e-5, seed: 0 }
    }
}

/// Cuts for each direction that [`Cuts::Auto`] allows.
const PER_DIRECTION: usize = 6;

/// How many sublinear forms beyond the published relaxation may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Cuts {
    /// None: the published relaxation.
    #[default]
    None,
    /// Six for each direction.
    Auto,
    /// At most as many as given, in each block.
    Count(usize),
}

impl Cuts {
    pub(crate) fn limit(self, lifting: &Lifting) -> usize {
        match self {
            Self::None => 0,
            Self::Auto => PER_DIRECTION * lifting.groups(),
            Self::Count(count) => count,
        }
    }
}

/// `none`, `auto`, or the largest number of cuts.
impl Display for Cuts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Auto => f.pad("auto"),
            Self::Count(count) => Display::fmt(count, f),
        }
    }
}

impl FromStr for Cuts {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "auto" => Ok(Self::Auto),
            _ => text.parse().map(Self::Count).map_err(|_| Error::Parameter {
                name: "cuts",
                value: text.into(),
                range: "none, auto or a number",
            }),
        }
    }
}

/// The directions, row-major.
fn directions(lifting: &Lifting) -> Vec<f64> {
    (0..lifting.groups()).flat_map(|g| lifting.geometry.direction(g).iter().copied()).collect()
}

/// Directions by their angle to direction k, up to sign, nearest first.
fn by_angle(directions: &[f64], dimension: usize, k: usize) -> Vec<usize> {
    let own = &directions[k * dimension..][..dimension];
    let cosine: Vec<f64> =
        directions.chunks_exact(dimension).map(|x| x.iter().zip(own).map(|(a, b)| a * b).sum()).collect();
    let mut order: Vec<usize> = (0..cosine.len()).collect();
    order.sort_by(|&i, &j| cosine[j].abs().total_cmp(&cosine[i].abs()).then(i.cmp(&j)));
    order
}

/// One representation for each direction, by costs of their own: `cost(k, i)` is asked for every direction i.
fn by_cost(lifting: &Lifting, cost: impl Fn(usize, usize) -> f64 + Sync) -> Vec<Cut> {
    let (groups, d) = (lifting.groups(), lifting.hidden_dimension());
    let all = directions(lifting);
    let cut = |k: usize| {
        let order = by_angle(&all, d, k);
        let mut simplex = Simplex::new(&all, d, k, order.iter().copied())?;
        simplex.minimize(&(0..groups).map(|i| cost(k, i)).collect::<Vec<f64>>());
        Some(Cut { target: k, support: simplex.representation()? })
    };
    (0..groups).into_par_iter().filter_map(cut).collect()
}

/// For each direction the representation by its nearest neighbours: Σ|b_i|·(distance of x_i from ± x_k) is least.
pub fn nearest(lifting: &Lifting) -> Vec<Cut> {
    by_cost(lifting, |k, i| {
        let (x, y) = (lifting.geometry.direction(k), lifting.geometry.direction(i));
        let square = |sign: f64| x.iter().zip(y).map(|(x, y)| (x + sign * y).powi(2)).sum::<f64>();
        square(1.0).min(square(-1.0)).sqrt()
    })
}

/// `rounds` representations of each direction, each cheapest for costs drawn uniformly from [0, 1).
pub fn random(lifting: &Lifting, rounds: usize, seed: u64) -> Vec<Cut> {
    let groups = lifting.groups();
    let mut rng = generator(seed, Purpose::Cuts, 0);
    let mut cuts = Vec::new();
    for _ in 0..rounds {
        let costs: Vec<f64> = (0..groups * groups).map(|_| rng.random()).collect();
        cuts.extend(by_cost(lifting, |k, i| costs[k * groups + i]));
    }
    cuts
}

/// What makes two representations of a direction the same: the signs of their coefficients.
fn signs(cut: &Cut) -> (usize, Vec<(usize, bool)>) {
    (cut.target, cut.support.iter().map(|(i, b)| (*i, *b > 0.0)).collect())
}

/// The cuts that the moments violate most, but for those held; `rows` holds the base forms at a factor (2G × columns, row-major).
///
/// The forms of the cuts held are asked like α and β, as many as the settings say again: those that belong to near
/// directions. Costs about a hundred products of all directions with a vector for each form asked and feature.
pub fn separate(
    lifting: &Lifting,
    rows: &[f64],
    columns: usize,
    held: &[Cut],
    settings: &SeparationSettings,
) -> Vec<Cut> {
    let (groups, d) = (lifting.groups(), lifting.hidden_dimension());
    let all = directions(lifting);
    let (alpha, beta) = rows[..2 * groups * columns].split_at(groups * columns);
    let s: Vec<f64> = alpha.iter().zip(beta).map(|(a, b)| a + b).collect();
    let mean_square = s.iter().map(|v| v * v).sum::<f64>() / groups.max(1) as f64;
    let tolerance = settings.tolerance * mean_square;
    let rows = with_held(lifting, &rows[..2 * groups * columns], &s, columns, held);
    let find = |k: usize| {
        let order = by_angle(&all, d, k);
        let Some(mut simplex) = Simplex::new(&all, d, k, order.iter().copied()) else { return Vec::new() };
        let mut found: Vec<(f64, Cut)> = Vec::new();
        let mut forms = chosen(groups, k, &order, settings);
        let near = &order[..groups.min(settings.forms / 4)];
        let close = held.iter().enumerate().filter(|(_, cut)| near.contains(&cut.target));
        forms.extend(close.map(|(f, _)| 2 * groups + f).take(settings.forms));
        // Costs of all forms at once: a column each.
        let chosen_rows: Vec<f64> =
            forms.iter().flat_map(|g| rows[g * columns..][..columns].iter().copied()).collect();
        let costs = product(
            MatRef::from_row_major_slice(&s, groups, columns),
            MatRef::from_row_major_slice(&chosen_rows, forms.len(), columns).transpose(),
        );
        for column in 0..forms.len() {
            // Moments that should not be negative may be a little, at a point that is not quite feasible.
            let cost: Vec<f64> = costs.col(column).iter().map(|c| c.max(0.0)).collect();
            let least = simplex.minimize(&cost);
            if cost[k] - least <= tolerance * 1e-3 {
                continue;
            }
            let Some(support) = simplex.representation() else { continue };
            let cut = Cut { target: k, support };
            let violation = (cost[k] - least) / cut.scale(lifting);
            if violation > tolerance {
                found.push((violation, cut));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut seen: BTreeSet<_> = held.iter().filter(|cut| cut.target == k).map(signs).collect();
        found.retain(|(_, cut)| seen.insert(signs(cut)));
        found.truncate(settings.per_direction);
        found
    };
    let mut found: Vec<(f64, Cut)> = (0..groups).into_par_iter().flat_map_iter(find).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.target.cmp(&b.1.target)));
    found.truncate(settings.limit);
    found.into_iter().map(|(_, cut)| cut).collect()
}

/// The base forms at a factor, then those of the cuts held; `s` holds α + β.
fn with_held(lifting: &Lifting, base: &[f64], s: &[f64], columns: usize, held: &[Cut]) -> Vec<f64> {
    let mut rows = base.to_vec();
    for cut in held {
        let scale = cut.scale(lifting);
        let terms = cut.support.iter().map(|(i, b)| (*i, b.abs())).chain([(cut.target, -1.0)]);
        let first = rows.len();
        rows.resize(first + columns, 0.0);
        for (g, weight) in terms {
            let own = &mut rows[first..];
            own.iter_mut().zip(&s[g * columns..]).for_each(|(r, s)| *r += weight / scale * s);
        }
    }
    rows
}

/// What a round adds to the cuts held: in the plane the nearest neighbours of every direction first, which imply all
/// others there, and what the moments violate in all other cases.
pub(crate) fn propose(
    lifting: &Lifting,
    rows: &[f64],
    columns: usize,
    held: &[Cut],
    setting: Cuts,
    seed: u64,
) -> Vec<Cut> {
    let room = setting.limit(lifting).saturating_sub(held.len());
    if room == 0 {
        return Vec::new();
    }
    if held.is_empty() && lifting.hidden_dimension() == 2 && room >= lifting.groups() {
        return nearest(lifting);
    }
    let settings = SeparationSettings { limit: room, seed, ..SeparationSettings::default() };
    separate(lifting, rows, columns, held, &settings)
}

/// The base forms asked for direction k, ascending.
fn chosen(groups: usize, k: usize, order: &[usize], settings: &SeparationSettings) -> Vec<usize> {
    let forms = 2 * groups;
    if forms <= settings.forms {
        return (0..forms).collect();
    }
    let mut rng = generator(settings.seed, Purpose::Cuts, k as u64);
    let mut chosen: BTreeSet<usize> =
        order.iter().take(settings.forms / 4).flat_map(|&i| [i, i + groups]).collect();
    while chosen.len() < settings.forms {
        chosen.insert(rng.random_range(0..forms));
    }
    chosen.into_iter().collect()
}
