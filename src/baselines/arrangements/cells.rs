//! The cells of the arrangement of hyperplanes x_iᵀu = 0, and of its restrictions to their intersections.
//!
//! Every cell of a space of three or more dimensions has a facet, the facet is a cell of the arrangement restricted to its
//! hyperplane, and the two cells beside it differ in the sides of that hyperplane alone. So the cells are all those found
//! beside a facet; in a plane they are the arcs between sorted angles. No point inside a cell is ever needed.

use super::pattern::Pattern;
use crate::error::{Error, Result};
use crate::linalg::dense::product;
use faer::{Mat, MatRef};
use std::collections::HashMap;

/// A sample lies on an intersection of hyperplanes if its projection there is this small a part of it.
///
/// Hyperplanes at smaller angles count as one. A cell so lost is no wider than that (in some direction), and the activation
/// at its points differs by as much from that at a neighbouring cell's: by rounding.
const DEGENERATE: f64 = 1e-11;

/// One cell of a flat.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub pattern: Pattern,
    /// A sample of each hyperplane that bounds it.
    pub facets: Vec<usize>,
}

/// An intersection of hyperplanes (the first of all: the whole space) of dimension k, with its cells.
#[derive(Clone, Debug)]
pub(super) struct Flat {
    /// Orthonormal columns, r × k.
    pub basis: Mat<f64>,
    /// The samples in that basis, n × k.
    pub rows: Mat<f64>,
    pub cells: Vec<Cell>,
    /// In dimension one and two, the ray (k values) at which each cell begins.
    pub rays: Vec<Vec<f64>>,
}

/// Samples whose hyperplanes meet a flat in one and the same hyperplane of it.
struct Class {
    /// The longest of them.
    leader: usize,
    /// Each with whether it points the leader's way.
    members: Vec<(usize, bool)>,
}

/// All flats of dimension one (only if the rank is one), two and more; the whole space is the last.
pub(super) fn flats(rows: MatRef<'_, f64>, limit: usize) -> Result<Vec<Flat>> {
    let (n, r) = rows.shape();
    let lengths: Vec<f64> = (0..n).map(|i| rows.row(i).norm_l2()).collect();
    let mut builder = Builder { rows, lengths, flats: Vec::new(), index: HashMap::new() };
    let whole = Mat::identity(r, r);
    let hyperplanes = builder.classes(rows, &builder.vanishing(rows)).len();
    let most = most_cells(hyperplanes, r);
    if most > limit as f64 {
        return Err(Error::Input(format!(
            "{hyperplanes} hyperplanes in {r} dimensions may have {most:.2e} cells of all dimensions, more than the limit of \
             {limit}; take fewer samples or features, or raise max_cells (--max-cells)"
        )));
    }
    builder.flat(whole);
    Ok(builder.flats)
}

/// Cells of all dimensions above one that m central hyperplanes in general position have in r dimensions, and no m have more.
///
/// In r dimensions there are 2 Σ_{k<r} C(m−1, k) full cells (Cover, 1965), and C(m, j) flats of dimension r − j that
/// m − j hyperplanes cut.
pub(super) fn most_cells(m: usize, r: usize) -> f64 {
    (0..r.saturating_sub(1).max(1)).map(|j| choose(m, j) * most_patterns(m.saturating_sub(j), r - j)).sum()
}

/// 2 Σ_{k<r} C(m−1, k): most patterns of m hyperplanes in r dimensions.
fn most_patterns(m: usize, r: usize) -> f64 {
    if m == 0 { 1.0 } else { 2.0 * (0..r).map(|k| choose(m - 1, k)).sum::<f64>() }
}

fn choose(n: usize, k: usize) -> f64 {
    if k > n { 0.0 } else { (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product() }
}

struct Builder<'a> {
    rows: MatRef<'a, f64>,
    lengths: Vec<f64>,
    flats: Vec<Flat>,
    /// Flats by the samples that vanish there.
    index: HashMap<Pattern, usize>,
}

impl Builder<'_> {
    /// The place of the flat with this basis, found or made.
    fn flat(&mut self, basis: Mat<f64>) -> usize {
        let rows = product(self.rows, basis.as_ref());
        let zero = self.vanishing(rows.as_ref());
        if let Some(&found) = self.index.get(&zero) {
            return found;
        }
        let classes = self.classes(rows.as_ref(), &zero);
        let (cells, rays) = match basis.ncols() {
            _ if classes.is_empty() => (vec![Cell { pattern: self.blank(), facets: Vec::new() }], vec![]),
            1 => self.line(rows.as_ref(), &classes),
            2 => self.plane(rows.as_ref(), &classes),
            _ => (self.beside_facets(&basis, rows.as_ref(), &classes), vec![]),
        };
        self.flats.push(Flat { basis, rows, cells, rays });
        self.index.insert(zero, self.flats.len() - 1);
        self.flats.len() - 1
    }

    fn vanishing(&self, rows: MatRef<'_, f64>) -> Pattern {
        Pattern::new(rows.nrows(), |i| rows.row(i).norm_l2() <= DEGENERATE * self.lengths[i])
    }

    /// Samples that vanish everywhere count as active.
    fn blank(&self) -> Pattern {
        Pattern::new(self.rows.nrows(), |_| true)
    }

    fn classes(&self, rows: MatRef<'_, f64>, zero: &Pattern) -> Vec<Class> {
        let n = rows.nrows();
        let relative = |i: usize| rows.row(i).norm_l2() / self.lengths[i];
        let mut order: Vec<(f64, usize)> =
            (0..n).filter(|&i| !zero.is_active(i)).map(|i| (relative(i), i)).collect();
        // the longest first: its direction is the most certain
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut classes: Vec<Class> = Vec::new();
        for (_, i) in order {
            let row = rows.row(i);
            let home = classes.iter_mut().find_map(|class| {
                let leader = rows.row(class.leader);
                let along = row * leader.transpose() / leader.squared_norm_l2();
                let across =
                    (0..rows.ncols()).map(|j| (row[j] - along * leader[j]).powi(2)).sum::<f64>().sqrt();
                (across <= DEGENERATE * self.lengths[i]).then_some((class, along > 0.0))
            });
            match home {
                Some((class, same)) => class.members.push((i, same)),
                None => classes.push(Class { leader: i, members: vec![(i, true)] }),
            }
        }
        classes.sort_by_key(|class| class.leader);
        classes
    }

    fn line(&self, rows: MatRef<'_, f64>, classes: &[Class]) -> (Vec<Cell>, Vec<Vec<f64>>) {
        let facets = vec![classes[0].leader];
        let side = |sign: f64| {
            let mut pattern = self.blank();
            for &(i, _) in classes.iter().flat_map(|class| &class.members) {
                pattern.set(i, sign * rows[(i, 0)] >= 0.0);
            }
            Cell { pattern, facets: facets.clone() }
        };
        (vec![side(1.0), side(-1.0)], vec![vec![1.0], vec![-1.0]])
    }

    /// The arcs of a plane, each with the ray at which it begins.
    fn plane(&self, rows: MatRef<'_, f64>, classes: &[Class]) -> (Vec<Cell>, Vec<Vec<f64>>) {
        // (angle in [0, π), its ray, class)
        let mut turns: Vec<(f64, [f64; 2], usize)> = (0..classes.len())
            .map(|k| {
                let leader = rows.row(classes[k].leader);
                let length = leader.norm_l2();
                let (a, b) = (leader[0] / length, leader[1] / length);
                let ray = if a > 0.0 || (a == 0.0 && b < 0.0) { [-b, a] } else { [b, -a] };
                (ray[1].atan2(ray[0]), ray, k)
            })
            .collect();
        turns.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
        let m = turns.len();
        // the widest arc tells the sides best
        let end = |t: usize| if t + 1 < m { turns[t + 1].0 } else { turns[0].0 + std::f64::consts::PI };
        let widest = (0..m).max_by(|&a, &b| (end(a) - turns[a].0).total_cmp(&(end(b) - turns[b].0)));
        let widest = widest.unwrap_or(0);
        let (sin, cos) = (0.5 * (turns[widest].0 + end(widest))).sin_cos();
        let mut pattern = self.blank();
        for &(i, _) in classes.iter().flat_map(|class| &class.members) {
            pattern.set(i, rows[(i, 0)] * cos + rows[(i, 1)] * sin >= 0.0);
        }
        let (mut cells, mut rays) = (Vec::with_capacity(2 * m), Vec::with_capacity(2 * m));
        for step in widest..widest + 2 * m {
            let (_, ray, class) = turns[step % m];
            let half = if (step / m).is_multiple_of(2) { 1.0 } else { -1.0 };
            let next = turns[(step + 1) % m].2;
            let mut facets = vec![classes[class].leader, classes[next].leader];
            facets.dedup();
            cells.push(Cell { pattern: pattern.clone(), facets });
            rays.push(vec![half * ray[0], half * ray[1]]);
            for &(i, _) in &classes[next].members {
                pattern.set(i, !pattern.is_active(i));
            }
        }
        (cells, rays)
    }

    fn beside_facets(&mut self, basis: &Mat<f64>, rows: MatRef<'_, f64>, classes: &[Class]) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Vec::new();
        let mut place: HashMap<Pattern, usize> = HashMap::new();
        for class in classes {
            let facet = self.flat(product(basis.as_ref(), complement(rows, class.leader).as_ref()));
            for cell in &self.flats[facet].cells {
                for side in [true, false] {
                    let mut pattern = cell.pattern.clone();
                    for &(i, same) in &class.members {
                        pattern.set(i, side == same);
                    }
                    if let Some(&known) = place.get(&pattern) {
                        cells[known].facets.push(class.leader);
                    } else {
                        place.insert(pattern.clone(), cells.len());
                        cells.push(Cell { pattern, facets: vec![class.leader] });
                    }
                }
            }
        }
        cells
    }
}

/// An orthonormal basis (k × (k−1)) of what is orthogonal to one row: a Householder reflection without its first column.
fn complement(rows: MatRef<'_, f64>, row: usize) -> Mat<f64> {
    let k = rows.ncols();
    let length = rows.row(row).norm_l2();
    let mut w: Vec<f64> = (0..k).map(|j| rows[(row, j)] / length).collect();
    w[0] += if w[0] < 0.0 { -1.0 } else { 1.0 };
    let squared: f64 = w.iter().map(|w| w * w).sum();
    Mat::from_fn(k, k - 1, |i, j| f64::from(u8::from(i == j + 1)) - 2.0 * w[i] * w[j + 1] / squared)
}
