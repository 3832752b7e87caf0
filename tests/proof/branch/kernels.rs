//! The pieces of the search one by one, from their source: envelopes, the test of a cell, the part across v, one subtree.

#[allow(dead_code)]
#[path = "../../../src/certificate/branch/cell.rs"]
mod cell;
#[allow(dead_code)]
#[path = "../../../src/certificate/branch/claim.rs"]
mod claim;
#[allow(dead_code)]
#[path = "../../../src/certificate/branch/envelope.rs"]
mod envelope;
#[allow(dead_code)]
#[path = "../../../src/certificate/branch/kinks.rs"]
mod kinks;
#[allow(dead_code)]
#[path = "../../../src/certificate/branch/moments.rs"]
mod moments;
#[allow(dead_code)]
#[path = "../../../src/certificate/branch/node.rs"]
mod node;
#[allow(dead_code)]
#[path = "../../../src/certificate/branch/outputs.rs"]
mod outputs;
#[allow(dead_code)]
#[path = "../../../src/certificate/branch/samples.rs"]
mod samples;
#[allow(dead_code)]
#[path = "../../../src/certificate/branch/tree.rs"]
mod tree;

mod rounding {
    pub const UNIT: f64 = f64::EPSILON / 2.0;
}

/// What one subtree may cost.
#[derive(Clone, Copy)]
struct Budget {
    visits: u64,
    cells: u64,
}

use crate::exact::dyadic::{Dyadic, Stream};
use cell::{Cell, Lengths, Quadratic, test as is_below};
use claim::Claim;
use envelope::{Child, Move, parabolas};
use kinks::Kinks;
use moments::MOST;
use outputs::AlongPass;
use pulp::{Arch, Simd, WithSimd};
use rounding::UNIT;
use samples::{Block, Stand};
use tree::Workspace;

/// What the proof allows the coefficients of a parabola to err by, in units of u(|t| + r).
const COEFFICIENTS: f64 = 100.0;

struct One {
    t: f64,
    r: f64,
    v: f64,
}

impl WithSimd for One {
    type Output = [[f64; 3]; 2];

    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let [t, r, v] = [self.t, self.r, self.v].map(|value| simd.splat_f64s(value));
        let found = parabolas(simd, t, r, v);
        let first = |value: S::f64s| {
            let value = [value];
            pulp::bytemuck::cast_slice::<_, f64>(&value)[0]
        };
        [found.above.map(first), found.below.map(first)]
    }
}

fn exactly(value: f64, slope: f64, curve: f64, delta: f64) -> Dyadic {
    let [value, slope, curve, delta] = [value, slope, curve, delta].map(Dyadic::new);
    &(&value + &(&slope * &delta)) + &(&curve * &(&delta * &delta))
}

fn size(value: Dyadic) -> Dyadic {
    if value.is_negative() { -&value } else { value }
}

/// The parabolas of (t, r, v) against |t + δ| at many δ of [−range, range], exactly but for an allowance.
fn compare(t: f64, r: f64, v: f64, range: f64, stream: &mut Stream) {
    let [above, below] = Arch::new().dispatch(One { t, r, v });
    let allowance = Dyadic::new(COEFFICIENTS * UNIT * (t.abs() + r));
    let sign = if t < 0.0 { -1.0 } else { 1.0 };
    let mut at = vec![range, -range, 0.0, range.min(t.abs()), -range.min(t.abs())];
    at.extend((0..20).map(|_| range * stream.next()));
    at.extend((0..6).map(|_| -sign * (range - (range - t.abs()).max(0.0) * stream.next().abs())));
    for delta in at {
        let truth = size(&Dyadic::new(t) + &Dyadic::new(delta));
        let [over, under] =
            [above, below].map(|[value, slope, curve]| exactly(value, sign * slope, curve, delta));
        let over = &(&over + &-&truth) + &allowance;
        let under = &(&truth + &-&under) + &allowance;
        assert!(!over.is_negative(), "above: t {t:e}, r {r:e}, v {v:e}, δ {delta:e}");
        assert!(!under.is_negative(), "below: t {t:e}, r {r:e}, v {v:e}, δ {delta:e}");
    }
}

#[test]
fn parabolas_lie_above_and_below() {
    let mut stream = Stream(5);
    for case in 0..4000 {
        let scale = 2f64.powi((stream.next() * if case % 3 == 0 { 180.0 } else { 20.0 }) as i32);
        let r = scale * (1.0 + stream.next().abs());
        let z = match case % 5 {
            0 => stream.next().abs() * 10f64.powf(-15.0 * stream.next().abs()),
            1 => 1.0 - 10f64.powf(-16.0 * stream.next().abs()),
            2 => 1.0 + 10f64.powf(-16.0 * stream.next().abs()),
            3 => 0.0,
            _ => stream.next().abs(),
        };
        // Between r²/16 and r², and what rounding may leave of such a number, below and above.
        let part = match case % 4 {
            0 => 1.0 / 16.0 + 15.0 / 16.0 * stream.next().abs(),
            1 => 1.0 - 10f64.powf(-16.0 * stream.next().abs()),
            2 => 10f64.powf(8.0 * stream.next()),
            _ => -(10f64.powf(8.0 * stream.next())),
        };
        let t = z * r * if stream.next() < 0.0 { -1.0 } else { 1.0 };
        compare(t, r, part * r * r, r, &mut stream);
        // Where the two kinds of the upper one meet, and those of the lower one.
        compare(0.5 * (1.0 - part) * r, r, part * r * r, r, &mut stream);
        compare(part * r, r, part * r * r, r, &mut stream);
    }
}

fn block(x: &[Vec<f64>], w: &[Vec<f64>]) -> Block {
    let (n, d, c) = (x.len(), x[0].len(), w[0].len());
    let mut block = Block::default();
    block.clear(n, d, c);
    block.linear = vec![0.0; c * d];
    (0..d).for_each(|k| x.iter().enumerate().for_each(|(i, x)| block.x_mut(k)[i] = x[k]));
    (0..c).for_each(|j| w.iter().enumerate().for_each(|(i, w)| block.w_mut(j)[i] = w[j]));
    block
}

fn rows(stream: &mut Stream, n: usize, d: usize) -> Vec<Vec<f64>> {
    (0..n).map(|_| (0..d).map(|_| stream.next()).collect()).collect()
}

/// As in `rounding.rs`.
fn inflation(block: &Block, d: usize) -> Vec<f64> {
    let length = |i: usize| (0..d).map(|k| block.x(k)[i].abs()).sum::<f64>();
    (0..block.len()).map(|i| 4.0 * UNIT * (190.0 + d as f64 + 8.0) * length(i)).collect()
}

fn stand(block: &Block, cell: &Cell, d: usize) -> Stand {
    let (mut stand, inflation) = (Stand::default(), inflation(block, d));
    stand.resize(block.len());
    for (i, inflation) in inflation.iter().enumerate() {
        for k in 0..d {
            stand.t[i] += block.x(k)[i] * cell.centre[k];
            let range = block.x(k)[i].abs() * cell.half[k];
            stand.r[i] += range;
            stand.v[i] += range * range;
        }
        stand.r[i] += inflation;
    }
    stand
}

fn face(d: usize, face: usize) -> Cell {
    let (mut centre, mut half) = ([0.0; MOST], [0.0; MOST]);
    half[..d].fill(1.0);
    (centre[face], half[face]) = (1.0, 0.0);
    Cell { centre, half, open: 0b1111, depth: 0 }
}

#[test]
fn ranges_and_parabolas_survive_the_deepest_subtree() {
    let mut stream = Stream(77);
    for d in 2..=4 {
        let x = rows(&mut stream, 24, d);
        let block = block(&x, &vec![vec![1.0]; 24]);
        let mut cell = face(d, d - 1);
        let mut now = stand(&block, &cell, d);
        for _ in 0..46 * (d - 1) {
            let axis = (cell.depth as usize) % (d - 1);
            let half = cell.halves(axis)[stream.below(2)].clone();
            let step = half.centre[axis] - cell.centre[axis];
            cell = half;
            let mut next = Stand::default();
            next.resize(block.len());
            let child = Child { axis, step };
            Arch::new().dispatch(Move { block: &block, child, from: &now, to: &mut next });
            now = next;
            for (i, x) in x.iter().enumerate() {
                let sum = |factor: &[f64], value: &dyn Fn(f64) -> f64| {
                    let terms = x.iter().zip(factor).map(|(x, f)| &Dyadic::new(value(*x)) * &Dyadic::new(*f));
                    terms.fold(Dyadic::zero(), |sum, term| &sum + &term)
                };
                let (t, r) = (sum(&cell.centre[..d], &|x| x), sum(&cell.half[..d], &f64::abs));
                let off = size(&t + &-&Dyadic::new(now.t[i]));
                let rest = &(&Dyadic::new(now.r[i]) + &-&r) + &-&off;
                assert!(!rest.is_negative(), "range {:e} at depth {}", now.r[i], cell.depth);
            }
        }
        for i in 0..24 {
            // A kink inside the cell, whatever the sample was.
            for z in [0.0, 0.02, 0.3, 0.9] {
                compare(z * now.r[i], now.r[i], now.v[i], now.r[i], &mut stream);
            }
        }
    }
}

#[test]
fn a_closed_cell_has_its_quadratic_below() {
    let mut stream = Stream(99);
    let mut closed = 0;
    #[allow(clippy::needless_range_loop)]
    for case in 0..20_000 {
        let d = 1 + stream.below(6);
        let mut cell = face(d, stream.below(d));
        for _ in 0..stream.below(12) {
            let axis = stream.below(d);
            if cell.half[axis] > 0.0 {
                cell = cell.halves(axis)[stream.below(2)].clone();
            }
        }
        let (mut linear, mut square) = ([0.0; MOST], [[0.0; MOST]; MOST]);
        for a in 0..d {
            linear[a] = stream.next();
            for b in 0..=a {
                square[a][b] = stream.next() * 2f64.powi((case % 7) - 3);
                square[b][a] = square[a][b];
            }
        }
        let m = 1.0 + stream.next();
        let value = m * stream.next() - if case % 2 == 0 { 1.0 } else { 0.0 };
        let lengths = Lengths::of(&cell, d);
        let quadratic = Quadratic { value, linear: &linear, square: &square };
        if !is_below(&cell, d, lengths, &quadratic, m).closed {
            continue;
        }
        closed += 1;
        for point in 0..200 {
            let delta: Vec<f64> = (0..d)
                .map(|k| if point < 64 { (point >> k.min(5) & 1) as f64 * 2.0 - 1.0 } else { stream.next() })
                .zip(&cell.half)
                .map(|(z, rho)| z * rho)
                .collect();
            let mut sum = value;
            let mut norm = 0.0;
            for a in 0..d {
                sum += linear[a] * delta[a];
                norm += (cell.centre[a] + delta[a]).powi(2);
                for b in 0..d {
                    sum += square[a][b] * delta[a] * delta[b];
                }
            }
            assert!(sum <= m * norm.sqrt() + 1e-12, "case {case}: {sum} > {}", m * norm.sqrt());
        }
    }
    assert!(closed > 1000, "{closed} closed");
}

#[test]
fn chords_bound_the_part_across_and_the_fall() {
    let mut stream = Stream(1234);
    for case in 0..300 {
        let (n, d, c) = (1 + stream.below(20), 2 + stream.below(3), 2 + stream.below(5));
        let (x, mut w) = (rows(&mut stream, n, d), rows(&mut stream, n, c));
        let mut v: Vec<f64> = (0..c).map(|_| stream.next()).collect();
        let norm = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        v.iter_mut().for_each(|v| *v /= norm);
        if case % 3 == 0 {
            // Nearly along v: what is left across it drowns in the rounding of |w|² and ω².
            w.iter_mut().for_each(|w| w.iter_mut().zip(&v).for_each(|(w, v)| *w = v + 1e-9 * *w));
        }
        let mut cell = face(d, 0);
        for _ in 0..stream.below(8) {
            cell = cell.halves(1 + stream.below(d - 1))[stream.below(2)].clone();
        }
        let block = block(&x, &w);
        let stand = stand(&block, &cell, d);
        let mut columns = vec![vec![0.0; block.len()]; 6];
        let [slope, curve, importance, chord, middle, along] = &mut columns[..] else { unreachable!() };
        let found = Arch::new().dispatch(AlongPass {
            block: &block,
            stand: &stand,
            direction: &v,
            slope,
            curve,
            importance,
            chord,
            middle,
            along,
        });
        for _ in 0..200 {
            let delta: Vec<f64> = (0..d)
                .map(|k| cell.half[k] * if case % 2 == 0 { stream.next() } else { stream.next().signum() })
                .collect();
            let (mut rest, mut fall) = (vec![0.0; c], 0.0);
            let mut mass = 0.0;
            for i in 0..n {
                let t: f64 = (0..d).map(|k| x[i][k] * cell.centre[k]).sum();
                let step: f64 = (0..d).map(|k| x[i][k] * delta[k]).sum();
                let (line, truth) = (t.abs() + chord[i] * step, (t + step).abs());
                rest.iter_mut().zip(&w[i]).for_each(|(sum, w)| *sum += w * (truth - line - middle[i]));
                let omega: f64 = v.iter().zip(&w[i]).map(|(v, w)| v * w).sum();
                fall += omega * (line - truth);
                mass += w[i].iter().map(|w| w * w).sum::<f64>().sqrt() * d as f64;
            }
            let a: f64 = v.iter().zip(&rest).map(|(v, rest)| v * rest).sum();
            let across = v.iter().zip(&rest).map(|(v, rest)| (rest - a * v).powi(2)).sum::<f64>().sqrt();
            assert!(across <= found.spread + 500.0 * UNIT * mass, "across {across:e} > {:e}", found.spread);
            assert!(fall <= found.fall + 500.0 * UNIT * mass, "fall {fall:e} > {:e}", found.fall);
        }
    }
}

/// |G(u) + sPu|/|u|.
fn ratio(x: &[Vec<f64>], w: &[Vec<f64>], sign: f64, u: &[f64]) -> f64 {
    let mut sum = vec![0.0; w[0].len()];
    for (x, w) in x.iter().zip(w) {
        let t: f64 = x.iter().zip(u).map(|(x, u)| x * u).sum();
        sum.iter_mut().zip(w).for_each(|(sum, w)| *sum += w * (t.abs() + sign * t));
    }
    let square = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
    (square(&sum) / square(u)).sqrt()
}

#[test]
fn what_a_subtree_closes_is_closed() {
    let mut stream = Stream(4321);
    let mut workspace = Workspace::default();
    let mut whole = 0;
    for case in 0..1500 {
        let (n, d, c) = (1 + stream.below(30), 2 + stream.below(3), 1 + stream.below(3));
        let (x, w) = (rows(&mut stream, n, d), rows(&mut stream, n, c));
        let block = block(&x, &w);
        let mut products = vec![[0.0; MOST]; c];
        for (x, w) in x.iter().zip(&w) {
            for (product, w) in products.iter_mut().zip(w) {
                product.iter_mut().zip(x).for_each(|(p, x)| *p += w * x);
            }
        }
        let mut root = face(d, stream.below(d));
        for _ in 0..stream.below(10) {
            let axis = stream.below(d);
            if root.half[axis] > 0.0 {
                root = root.halves(axis)[stream.below(2)].clone();
            }
        }
        // The largest ratio on the cell, nearly: the best of many points, and steps from it.
        let mut best = (0.0, root.centre[..d].to_vec(), 1.0);
        for step in 0..600 {
            let reach = if step < 300 { 1.0 } else { 0.5f64.powi((step - 300) / 20) };
            let start = if step < 300 { root.centre[..d].to_vec() } else { best.1.clone() };
            let u: Vec<f64> = (0..d)
                .map(|k| {
                    let (low, high) = (root.centre[k] - root.half[k], root.centre[k] + root.half[k]);
                    (start[k] + 1.2 * reach * root.half[k] * stream.next()).clamp(low, high)
                })
                .collect();
            for sign in [1.0, -1.0] {
                let value = ratio(&x, &w, sign, &u);
                if value > best.0 {
                    best = (value, u.clone(), sign);
                }
            }
        }
        for part in [-1e-3, -1e-6, 1e-3, 0.1] {
            let claim = Claim {
                samples: &block,
                inflation: &inflation(&block, d),
                d,
                c,
                products: &products,
                twice_level: best.0 * (1.0 + part),
                keeps_closed: false,
            };
            root.open = claim.all_modes();
            let budget = Budget { visits: u64::MAX, cells: if case % 4 == 0 { 1 } else { 3000 } };
            let found = workspace.search(&claim, root.clone(), budget, &|| false);
            let closed = found.open.is_empty() && found.violators.is_empty() && found.exhausted.is_empty();
            assert!(!closed || part > 0.0, "case {case}: closed {part:e} below {:e}", best.0);
            whole += usize::from(closed);
            let share: f64 = found.open.iter().map(Cell::share).sum();
            if found.violators.is_empty() && found.exhausted.is_empty() {
                assert!((found.closed + share - root.share()).abs() < 1e-9 * root.share());
            }
        }
    }
    assert!(whole > 1500, "{whole}");
}

/// The part along v grows from the centre in one direction and falls through zero in the other, further than it ever rises.
#[test]
fn a_vector_that_turns_round_is_not_closed() {
    let (x, m) = ([vec![0.0, 1.0], vec![1.0, 0.0]], 1.0);
    for [a, b] in [[1.0, 0.0], [0.6, 0.8], [0.0, -1.0]] {
        let w = [vec![-a, -b], vec![0.1 * a, 0.1 * b]];
        let block = block(&x, &w);
        let mut products = vec![[0.0; MOST]; 2];
        (0..2).for_each(|j| (products[j][0], products[j][1]) = (w[1][j], w[0][j]));
        assert!(ratio(&x, &w, 1.0, &[1.0, 1.0]) > 1.2 * m);
        let inflation = inflation(&block, 2);
        let claim = Claim {
            samples: &block,
            inflation: &inflation,
            d: 2,
            c: 2,
            products: &products,
            twice_level: m,
            keeps_closed: false,
        };
        let mut root = face(2, 0);
        root.open = claim.all_modes();
        let search = |cells| {
            let budget = Budget { visits: u64::MAX, cells };
            Workspace::default().search(&claim, root.clone(), budget, &|| false)
        };
        let (first, whole) = (search(1), search(1000));
        assert!(!first.open.is_empty() && first.violators.is_empty() && first.closed == 0.0);
        assert!(!whole.violators.is_empty());
    }
}

/// Cells about a point at which some samples are on their kinks and the slopes balance: a largest value on kinks.
#[test]
fn a_mode_that_slopes_close_has_its_function_below() {
    let mut stream = Stream(2718);
    let (mut closed, mut more) = (0, 0);
    for case in 0..6000 {
        let (n, d) = (1 + stream.below(12), 2 + stream.below(4));
        let mut cell = face(d, stream.below(d));
        for _ in 0..stream.below(30) {
            let axis = stream.below(d);
            if cell.half[axis] > 0.0 {
                cell = cell.halves(axis)[stream.below(2)].clone();
            }
        }
        let (mut x, mut w) = (rows(&mut stream, n, d), rows(&mut stream, n, 1));
        for (x, w) in x.iter_mut().zip(&mut w) {
            w[0] = if stream.below(3) == 0 { w[0].abs() } else { -w[0].abs() };
            // Through the centre, nearly.
            let t: f64 = (0..d).map(|k| x[k] * cell.centre[k]).sum();
            let norm: f64 = cell.centre[..d].iter().map(|u| u * u).sum();
            let part = if stream.below(4) == 0 { 0.0 } else { 1.0 };
            (0..d).for_each(|k| x[k] -= part * t * cell.centre[k] / norm);
        }
        let block = block(&x, &w);
        let stand = stand(&block, &cell, d);
        let lengths = Lengths::of(&cell, d);
        let mut linear = [0.0; MOST];
        (0..d).for_each(|k| linear[k] = stream.next());
        let at_centre = |x: &Vec<f64>| (0..d).map(|k| x[k] * cell.centre[k]).sum::<f64>().abs();
        let centre: f64 = x.iter().zip(&w).map(|(x, w)| w[0] * at_centre(x)).sum();
        let value = 2.0 * stream.next();
        let m = ((centre + value) / lengths.centre).max(0.0) * (1.0 + 1e-4) + 1e-5;
        let kinks = Kinks {
            cell: &cell,
            d,
            lengths,
            block: &block,
            stand: &stand,
            weights: block.w(0),
            side: 1.0,
            value,
            linear,
            twice_level: m,
        };
        if !kinks.close() {
            continue;
        }
        closed += 1;
        // By the parabolas alone?
        let (mut sums, mut square, mut base) = (linear, [[0.0; MOST]; MOST], value);
        for (i, w) in w.iter().enumerate() {
            let [above, below] = Arch::new().dispatch(One { t: stand.t[i], r: stand.r[i], v: stand.v[i] });
            let [a, b, c] = if w[0] > 0.0 { above } else { below };
            base += w[0] * a;
            for k in 0..d {
                sums[k] += w[0] * b * stand.t[i].signum() * x[i][k];
                (0..d).for_each(|j| square[k][j] += w[0] * c * x[i][k] * x[i][j]);
            }
        }
        let quadratic = Quadratic { value: base, linear: &sums, square: &square };
        more += usize::from(!is_below(&cell, d, lengths, &quadratic, m).closed);
        let mass: f64 = w.iter().map(|w| w[0].abs()).sum::<f64>() * d as f64;
        for point in 0..200 {
            let delta: Vec<f64> = (0..d)
                .map(|k| if point < 32 { (point >> k & 1) as f64 * 2.0 - 1.0 } else { stream.next() })
                .zip(&cell.half)
                .map(|(z, rho)| z * rho)
                .collect();
            let u: Vec<f64> = (0..d).map(|k| cell.centre[k] + delta[k]).collect();
            let mut sum = value + (0..d).map(|k| linear[k] * delta[k]).sum::<f64>();
            for (x, w) in x.iter().zip(&w) {
                sum += w[0] * x.iter().zip(&u).map(|(x, u)| x * u).sum::<f64>().abs();
            }
            let norm = u.iter().map(|u| u * u).sum::<f64>().sqrt();
            assert!(
                sum <= m * norm + 1e4 * UNIT * (mass + m + value.abs()),
                "case {case}: {sum} > {}",
                m * norm
            );
        }
    }
    assert!(closed > 300 && more > 60, "{closed} closed, {more} of them by slopes alone");
}
