//! One cell of the search, and the tests that close it.

use super::moments::{MOST, Matrix, Vector};

/// Free coordinates up to which every corner of a cell is looked at.
const MOST_CORNERS: usize = 10;

/// Splits below a face after which a cell is given up.
pub(super) const MOST_DEPTH: u8 = 190;
/// Half-widths below which no coordinate is split: centres stay exact.
const LEAST_HALF: f64 = f64::from_bits((1023 - 48) << 52);

/// u = centre + δ, |δ_k| ≤ half_k, on a face of the cube: one coordinate of the centre is 1 and its half-width 0.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub centre: Vector,
    pub half: Vector,
    /// Bit b is set where mode b is still to be settled.
    pub open: u8,
    /// Splits since the face.
    pub depth: u8,
}

impl Cell {
    /// The part of its face that the cell is.
    pub fn share(&self) -> f64 {
        0.5f64.powi(i32::from(self.depth))
    }

    /// The two halves along a feature.
    pub fn halves(&self, axis: usize) -> [Self; 2] {
        [-1.0, 1.0].map(|sign| {
            let mut child = self.clone();
            child.half[axis] *= 0.5;
            child.centre[axis] += sign * child.half[axis];
            child.depth += 1;
            child
        })
    }
}

impl Cell {
    /// The coordinate that contributes most, among those that can be split.
    pub fn widest(&self, score: &Vector, d: usize) -> Option<usize> {
        let free = (0..d).filter(|&k| self.half[k] > LEAST_HALF);
        free.max_by(|&a, &b| score[a].total_cmp(&score[b]).then(b.cmp(&a)))
    }
}

/// Lengths of the vectors of a cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    /// |u₀|.
    pub centre: f64,
    /// Least and greatest |u|.
    pub least: f64,
    pub greatest: f64,
}

impl Lengths {
    pub fn of(cell: &Cell, d: usize) -> Self {
        let (mut centre, mut least, mut greatest) = (0.0, 0.0, 0.0);
        for (u, rho) in cell.centre[..d].iter().zip(&cell.half) {
            let (low, high) = ((u.abs() - rho).max(0.0), u.abs() + rho);
            centre += u * u;
            least += low * low;
            greatest += high * high;
        }
        Self { centre: centre.sqrt(), least: least.sqrt(), greatest: greatest.sqrt() }
    }
}

/// A quadratic above the function on a cell, in u − u₀, before the norm of u is taken off.
pub(super) struct Quadratic<'a> {
    pub value: f64,
    pub linear: &'a Vector,
    pub square: &'a Matrix,
}

/// What the tests left.
pub(super) struct Tested {
    /// The quadratic is at most `twice_level`·|u| on the whole cell.
    pub closed: bool,
    /// How much each coordinate contributes to its not being so.
    pub score: Vector,
}

/// Whether value + linear·δ + δᵀ square δ ≤ m|u₀ + δ| on the cell, m being twice the level.
pub(super) fn test(cell: &Cell, d: usize, lengths: Lengths, quadratic: &Quadratic<'_>, m: f64) -> Tested {
    let scaled = Scaled::new(cell, d, lengths, quadratic, m);
    let rows = scaled.rows();
    let mut score = [0.0; MOST];
    for a in 0..scaled.free {
        score[scaled.axes[a]] = scaled.linear[a].abs() + rows[a].abs();
    }
    Tested { closed: scaled.is_closed(&rows), score }
}

/// A bound on the quadratic less m|u|, on the cube: base + linear·y + yᵀ square y with |y_a| ≤ 1, over the coordinates that
/// are free.
///
/// |u| ≥ u₀·u/|u₀| + |δ⊥|²/(2 u_max), δ⊥ being the part of δ across u₀.
pub(super) struct Scaled {
    pub base: f64,
    pub linear: Vector,
    square: Matrix,
    /// The feature of each free coordinate.
    pub axes: [usize; MOST],
    pub free: usize,
}

impl Scaled {
    pub fn new(cell: &Cell, d: usize, lengths: Lengths, quadratic: &Quadratic<'_>, m: f64) -> Self {
        let (mut linear, mut square) = ([0.0; MOST], [[0.0; MOST]; MOST]);
        let (mut axes, mut free) = ([0; MOST], 0);
        for (k, rho) in cell.half[..d].iter().enumerate() {
            if *rho > 0.0 {
                axes[free] = k;
                free += 1;
            }
        }
        let bend = 0.5 * m / lengths.greatest;
        let direction = cell.centre.map(|u| u / lengths.centre);
        for a in 0..free {
            let (k, rho) = (axes[a], cell.half[axes[a]]);
            linear[a] = (quadratic.linear[k] - m * direction[k]) * rho;
            for b in 0..=a {
                let j = axes[b];
                let along =
                    if a == b { direction[k] * direction[j] - 1.0 } else { direction[k] * direction[j] };
                square[a][b] = (quadratic.square[k][j] + bend * along) * (rho * cell.half[j]);
                square[b][a] = square[a][b];
            }
        }
        Self { base: quadratic.value - m * lengths.centre, linear, square, axes, free }
    }

    /// q_aa + Σ_b|q_ab|: the quadratic part is at most that times y_a², summed.
    pub fn rows(&self) -> Vector {
        let mut rows = [0.0; MOST];
        for (a, row) in rows.iter_mut().enumerate().take(self.free) {
            *row = self.square[a][a];
            for (_, entry) in self.square[a][..self.free].iter().enumerate().filter(|(b, _)| *b != a) {
                *row += entry.abs();
            }
        }
        rows
    }

    /// Whether it is nowhere positive, by rows or by corners.
    pub fn is_closed(&self, rows: &Vector) -> bool {
        let mut above = self.base;
        for (slope, row) in self.linear[..self.free].iter().zip(rows) {
            let slope = slope.abs();
            above +=
                if *row < 0.0 && slope <= -2.0 * row { slope * slope / (-4.0 * row) } else { slope + row };
        }
        let few = self.free <= MOST_CORNERS;
        above <= 0.0 || (few && self.base + corners(&self.linear, &self.square, self.free) <= 0.0)
    }
}

/// Σ max(q_kk, 0) + max over the corners σ ∈ {−1, 1}^free of l·σ + σᵀ offdiag(q)σ: a bound on the quadratic over the cube,
/// because what is left without the diagonal is linear in each coordinate.
///
/// The corners come in the order of a Gray code; σ and −σ share the quadratic part.
fn corners(l: &Vector, q: &Matrix, free: usize) -> f64 {
    let (mut sigma, mut gradient) = ([1.0; MOST], [0.0; MOST]);
    let (mut diagonal, mut square, mut linear) = (0.0, 0.0, 0.0);
    for a in 0..free {
        diagonal += q[a][a].max(0.0);
        linear += l[a];
        for (_, entry) in q[a][..free].iter().enumerate().filter(|(b, _)| *b != a) {
            gradient[a] += 2.0 * entry;
            square += entry;
        }
    }
    let mut best = square + f64::abs(linear);
    for step in 1..1u32 << free.saturating_sub(1) {
        let a = step.trailing_zeros() as usize;
        let (sign, slope) = (sigma[a], gradient[a]);
        square -= 2.0 * sign * slope;
        linear -= 2.0 * sign * l[a];
        sigma[a] = -sign;
        for b in 0..MOST {
            gradient[b] -= 4.0 * sign * q[a][b];
        }
        gradient[a] = slope;
        best = best.max(square + linear.abs());
    }
    diagonal + best
}
