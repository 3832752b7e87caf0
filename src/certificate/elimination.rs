//! In which order the samples are eliminated, and what that fills in.

use crate::dual::DualPoint;
use crate::linalg::least_degree::least_degree;

/// No column, no parent.
pub(super) const NONE: u32 = u32::MAX;

/// Multiplications a second of a dense factorisation (order 20,020 in 170 s: `docs/certificate.md`).
pub(super) const DENSE_RATE: f64 = 1e10;
/// Multiplications a second while columns are sparse (conventional).
const SPARSE_RATE: f64 = 5e8;
/// Columns at the end from which they are factored as a dense matrix (conventional).
const LEAST_TAIL: usize = 64;
/// Matrices as large as the rows of the head that are held at the same time.
const SIDES: f64 = 5.0;
/// Entries of a factor that are counted before the fill is given up.
const MOST_ENTRIES: usize = 2_000_000_000;

/// Where a sparse symmetric matrix has entries left of its diagonal, with its elimination tree.
pub(super) struct Pattern {
    start: Vec<usize>,
    column: Vec<u32>,
    parent: Vec<u32>,
}

impl Pattern {
    /// From the places (i, j) of the entries, each in either triangle or both; the order is below 2³² − 1.
    pub(super) fn new(order: usize, entries: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let left = entries.filter(|(i, j)| i != j).map(|(i, j)| (i.max(j), i.min(j)));
        let mut start = vec![0usize; order + 1];
        left.clone().for_each(|(i, _)| start[i + 1] += 1);
        (0..order).for_each(|i| start[i + 1] += start[i]);
        let (mut next, mut column) = (start.clone(), vec![0u32; start[order]]);
        left.for_each(|(i, j)| {
            column[next[i]] = j as u32;
            next[i] += 1;
        });
        // Liu's algorithm: climbs from each entry to the root so far, which gets the row as its parent.
        let (mut parent, mut ancestor) = (vec![NONE; order], vec![NONE; order]);
        for i in 0..order {
            for &j in &column[start[i]..start[i + 1]] {
                let mut k = j;
                while k != NONE && k as usize != i {
                    let above = std::mem::replace(&mut ancestor[k as usize], i as u32);
                    if above == NONE {
                        parent[k as usize] = i as u32;
                    }
                    k = above;
                }
            }
        }
        Self { start, column, parent }
    }

    pub(super) fn order(&self) -> usize {
        self.parent.len()
    }

    /// Visits the columns below `end` in which row i of the Cholesky factor may have an entry left of the diagonal.
    ///
    /// They are the paths in the elimination tree from the entries of the row to i. `marked` has one value per column,
    /// [`NONE`] before the first of the rows, which come in any order but each once.
    pub(super) fn visit_row(&self, i: usize, end: usize, marked: &mut [u32], mut visit: impl FnMut(usize)) {
        let mark = i as u32;
        marked[i] = mark;
        for &first in &self.column[self.start[i]..self.start[i + 1]] {
            let mut k = first;
            // The root's parent is above every end.
            while (k as usize) < end && marked[k as usize] != mark {
                marked[k as usize] = mark;
                visit(k as usize);
                k = self.parent[k as usize];
            }
        }
    }

    /// Entries of each column of the factor below its diagonal; None where they are too many.
    fn column_counts(&self) -> Option<Vec<usize>> {
        let n = self.order();
        let (mut counts, mut marked, mut total) = (vec![0; n], vec![NONE; n], 0usize);
        for i in 0..n {
            self.visit_row(i, n, &mut marked, |k| {
                counts[k] += 1;
                total += 1;
            });
            if total > MOST_ENTRIES {
                return None;
            }
        }
        Some(counts)
    }
}

/// An order of elimination: sparse columns first, then columns in a dense matrix, with the head last of all.
///
/// Nothing rests on it but time and memory.
pub(super) struct Elimination {
    /// The samples in the order of their elimination.
    pub(super) order: Vec<usize>,
    /// How many of them are eliminated in sparse columns.
    pub(super) sparse: usize,
    /// Time that it may take, roughly.
    pub(super) seconds: f64,
    /// Memory that it takes, roughly.
    pub(super) bytes: f64,
}

impl Elimination {
    /// The cheapest one for the pairs of a dual point and a dense head of order `head`, within a memory in bytes.
    pub(super) fn new(dual: &DualPoint, head: usize, memory: f64) -> Option<Self> {
        let n = dual.y.len();
        if n == 0 || n >= NONE as usize {
            return None;
        }
        let edges = dual.edges();
        let order = least_degree(n, edges.clone())?;
        let mut place = vec![0; n];
        order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
        let pairs = edges.iter().map(|edge| (place[edge.0], place[edge.1]));
        let counts = Pattern::new(n, pairs).column_counts()?;
        let (h, mut best) = (head as f64, None::<Self>);
        let (mut work, mut entries) = (0.0, 0.0);
        for sparse in 0..=n {
            if sparse > 0 {
                let count = counts[sparse - 1] as f64;
                work += 0.5 * count * count + h * (count + 1.0);
                entries += count;
            }
            let tail = n - sparse;
            if tail > 0 && tail < LEAST_TAIL {
                continue;
            }
            let dense = tail as f64 + h;
            let seconds =
                work / SPARSE_RATE + (dense.powi(3) / 3.0 + 0.5 * h * h * sparse as f64) / DENSE_RATE;
            let bytes = 12.0 * entries + 8.0 * (dense * dense + SIDES * h * n as f64);
            if bytes <= memory && best.as_ref().is_none_or(|best| seconds < best.seconds) {
                best = Some(Self { order: Vec::new(), sparse, seconds, bytes });
            }
        }
        best.map(|best| Self { order, ..best })
    }
}
