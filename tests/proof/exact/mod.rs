//! What is accepted, checked again in exact arithmetic: every stored number is a dyadic rational.

mod cuts;
pub(crate) mod dyadic;
mod positive;
#[cfg(feature = "serde")]
mod printed;

use dyadic::{Dyadic, Stream, exact_objective, is_semidefinite};
use faer::Mat;
use num_bigint::BigInt;
use relucert::certificate::{Certificate, Grade, Proof, ProofSettings, prove, prove_with};
use relucert::dual::DualPoint;
use relucert::repair::{certify_blocks, certify_dual};
use relucert::{Network, TrainingProblem};

/// Ways to prove: [`proofs`].
const WAYS: usize = 3;

/// The dense factorisation, the sparse one, and the positive vector.
fn proofs(problem: &TrainingProblem, certificate: &Certificate) -> [Option<Proof>; WAYS] {
    let none = ProofSettings { dense_limit: Some(0), positive: false, ..ProofSettings::default() };
    let sparse = prove_with(problem, certificate, &none).ok();
    // Where that cannot tell Lanczos is asked, with too few steps to answer.
    let vector = ProofSettings { positive: true, sparse: false, max_steps: 1, ..none };
    let vector = prove_with(problem, certificate, &vector).ok();
    let vector = vector.filter(|proof| proof.grade() == Grade::Verified);
    let all = [prove(problem, certificate).ok(), sparse, vector];
    assert!(all.iter().flatten().all(|proof| proof.grade() == Grade::Verified));
    all
}

/// 4γ·q in the original (u, s): 2α_i = (x_i, e_i), 2β_i = (−x_i, e_i), 2ℓ = (0, 2Σ|a_i|e_i − 2e_k).
fn exact_slack(problem: &TrainingProblem, dual: &DualPoint) -> Vec<Vec<Dyadic>> {
    let (n, d) = (problem.samples(), problem.inputs());
    let order = d + n;
    let gamma = Dyadic::new(problem.weight_decay());
    let form = |k: usize| -> Vec<Dyadic> {
        let Some(cut) = k.checked_sub(2 * n) else {
            let (i, sign) = if k < n { (k, 1.0) } else { (k - n, -1.0) };
            let u = (0..d).map(|j| Dyadic::new(sign * problem.features()[(i, j)]));
            return u.chain((0..n).map(|j| Dyadic::new(f64::from(u8::from(i == j))))).collect();
        };
        let mut form = vec![Dyadic::zero(); order];
        dual.cuts.row(cut).for_each(|(i, a)| form[d + i] = Dyadic::new(2.0 * a.abs()));
        form[d + dual.cuts.targets()[cut]] = Dyadic::new(-2.0);
        form
    };
    let mut q = vec![vec![Dyadic::zero(); order]; order];
    let mut subtract = |a: &[Dyadic], b: &[Dyadic], factor: &Dyadic| {
        for i in (0..order).filter(|&i| a[i].mantissa != BigInt::ZERO) {
            for j in (0..order).filter(|&j| b[j].mantissa != BigInt::ZERO) {
                let term = &(&a[i] * &b[j]) * factor;
                q[i][j] = &q[i][j] + &-&term;
                q[j][i] = &q[j][i] + &-&term;
            }
        }
    };
    let half = Dyadic::new(0.5);
    for k in 0..problem.outputs() {
        let mut sum = vec![Dyadic::zero(); order];
        for i in 0..n {
            let w = Dyadic::new(dual.w[(i, k)]);
            sum = sum.iter().zip(form(i)).map(|(s, a)| s + &(&w * &a)).collect();
        }
        subtract(&sum, &sum, &half);
    }
    for i in 0..n {
        subtract(&form(i), &form(n + i), &(&gamma * &Dyadic::new(dual.y[i])));
    }
    for (pair, value) in dual.pairs.iter().zip(&dual.n) {
        subtract(&form(pair[0]), &form(pair[1]), &(&gamma * &Dyadic::new(*value)));
    }
    for (i, row) in q.iter_mut().enumerate().take(d) {
        row[i] = &row[i] + &(&Dyadic::new(4.0) * &(&gamma * &gamma));
    }
    q
}

/// Whether the bound of a proof is at most ⟨W, Y⟩ − ½‖W‖².
fn bound_is_covered(problem: &TrainingProblem, point: &DualPoint, proof: &Proof) -> bool {
    let mut value = Dyadic::zero();
    for i in 0..problem.samples() {
        for k in 0..problem.outputs() {
            let (w, y) = (Dyadic::new(point.w[(i, k)]), Dyadic::new(problem.targets()[(i, k)]));
            value = &value + &(&w * &(&y + &-&(&w * &Dyadic::new(0.5))));
        }
    }
    proof.lower_bound().value() == 0.0
        || !(&value + &-&Dyadic::new(proof.lower_bound().value())).is_negative()
}

/// What makes a case awkward.
const AWKWARD: usize = 10;
/// The same once more with sparse features, more of them than samples: the proof sees a factor of their Gram matrix.
const KINDS: usize = 2 * AWKWARD;

fn awkward(stream: &mut Stream, kind: usize) -> (TrainingProblem, DualPoint) {
    let (kind, sparse) = (kind % AWKWARD, kind >= AWKWARD);
    let (n, d) = match kind {
        1 => (1, 1 + stream.below(3)),
        2 => (2, 5),
        _ if sparse => {
            let n = 2 + stream.below(3);
            (n, n + 1 + stream.below(2))
        }
        _ => (2 + stream.below(4), 1 + stream.below(3)),
    };
    let c = 1 + stream.below(2);
    let mut x = stream.matrix(n, d);
    let mut y = stream.matrix(n, c);
    let mut gamma = [1.0, 0.1, 1e-3][stream.below(3)];
    let power = |e: i32| 2f64.powi(e);
    for i in 0..n {
        for j in 0..d {
            match kind {
                // nearly dependent columns with terms far above what is left of them
                3 if j > 0 => x[(i, j)] = x[(i, 0)] + x[(i, j)] * 1e-13,
                // tiny, denormal and large features
                4 => x[(i, j)] *= power(-40),
                5 => x[(i, j)] *= power([-300, 0][(i + j) % 2]),
                6 => x[(i, j)] *= power(45),
                // one row against the others
                7 => x[(i, j)] *= power([-20, 0, 20][i % 3]),
                // nearly parallel samples
                8 if i > 0 => x[(i, j)] = x[(0, j)] * (1.0 + 0.5 * i as f64) + x[(i, j)] * 1e-9,
                9 if i > 0 => x[(i, j)] = if i % 2 == 1 { x[(0, j)] } else { -x[(0, j)] },
                _ => {}
            }
        }
    }
    if kind == 5 {
        y = Mat::from_fn(n, c, |i, k| y[(i, k)] * power([0, -30, 30][i % 3]));
    }
    if kind == 6 {
        gamma *= power(60);
    }
    let unit = gamma / x.norm_max().powi(2).max(1e-300);
    let problem = if sparse {
        let mut entries = sprs::TriMat::new((n, d));
        for (i, j) in (0..n).flat_map(|i| (0..d).map(move |j| (i, j))).filter(|(i, j)| (i + 2 * j) % 3 > 0) {
            entries.add_triplet(i, j, x[(i, j)]);
        }
        TrainingProblem::new(entries.to_csr::<usize>(), y, gamma).unwrap()
    } else {
        TrainingProblem::new(x, y, gamma).unwrap()
    };
    let mut dual = DualPoint { w: problem.targets().to_owned(), ..DualPoint::zero(n, c) };
    dual.y = (0..n).map(|_| (unit * (stream.next() - 0.8)).clamp(-1e20, 1e20)).collect();
    for a in 0..2 * n {
        for b in 0..a {
            if a % n != b % n && stream.next() > 0.2 {
                dual.pairs.push([a, b]);
                dual.n.push((0.05 * unit * (stream.next() + 1.0)).clamp(0.0, 1e20));
            }
        }
    }
    if kind >= 8 {
        // T(s_i − s_0)² as huge y and N that cancel on almost the whole space
        let tie = unit.min(1e10) * 10f64.powi(3 * stream.below(4) as i32);
        dual.pairs.clear();
        dual.n.clear();
        for i in 1..n {
            let ratio = if kind == 8 { 1.0 + 0.5 * i as f64 } else { 1.0 };
            dual.y[i] -= tie;
            dual.y[0] -= tie * ratio * ratio;
            let flipped = kind == 9 && i % 2 == 0;
            for (a, b) in if flipped { [(i, 0), (n + i, n)] } else { [(i, n), (n + i, 0)] } {
                dual.pairs.push([a, b]);
                dual.n.push(tie * ratio);
            }
        }
    }
    (problem, dual)
}

/// The proof walks towards the boundary of the feasible set; nothing it accepts may lie beyond.
#[test]
fn what_is_accepted_is_semidefinite_exactly() {
    let (mut accepted, mut refused, mut beyond, mut positive) = ([[0; KINDS]; WAYS], 0, 0, [0; KINDS]);
    let rounds = std::env::var("RELUCERT_EXACT_ROUNDS").ok().and_then(|v| v.parse().ok()).unwrap_or(12);
    for seed in 0..rounds * KINDS as u64 {
        let kind = seed as usize % KINDS;
        if kind >= AWKWARD && seed as usize / KINDS % 2 == 1 {
            continue;
        }
        let mut stream = Stream(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
        let (problem, dual) = awkward(&mut stream, kind);
        let (certificate, proof) = certify_dual(&problem, &dual).unwrap();
        let sound = certificate.dual().clone();
        let mut check = |point: DualPoint| {
            let exact = is_semidefinite(&exact_slack(&problem, &point));
            for (method, proof) in proofs(&problem, &Certificate::new(point.clone())).iter().enumerate() {
                let Some(proof) = proof else {
                    refused += 1;
                    beyond += usize::from(!exact);
                    continue;
                };
                accepted[method][kind] += 1;
                assert!(exact, "kind {kind}, seed {seed}: accepted beyond the boundary: {point:?}");
                assert!(bound_is_covered(&problem, &point, proof), "kind {kind}, seed {seed}");
            }
        };
        positive[kind] += usize::from(proof.lower_bound() > 0.0);
        check(dual.clone());
        check(sound.clone());
        for k in (1..52).step_by(3) {
            let grow = 1.0 + 2f64.powi(-k);
            let (rows, columns) = (sound.w.nrows(), sound.w.ncols());
            check(DualPoint {
                w: Mat::from_fn(rows, columns, |i, j| grow * sound.w[(i, j)]),
                ..sound.clone()
            });
            let mut point = sound.clone();
            point.y[stream.below(rows)] *= 2.0 - grow;
            check(point);
            let mut point = sound.clone();
            if !point.n.is_empty() {
                point.n[stream.below(sound.n.len())] *= grow;
                check(point);
            }
        }
    }
    // Both sides of the boundary were met, in every kind, and with bounds that say something.
    assert!(accepted[..2].iter().flatten().all(|count| *count > 30), "{accepted:?}");
    // The positive vector leaves some of the awkward ones, and ties of 10⁶ and more, to the factorisations.
    assert!(accepted[2].iter().all(|count| *count > 0), "{accepted:?}");
    assert!(accepted[2].iter().sum::<i32>() > 2_000, "{accepted:?}");
    assert!(positive.iter().all(|count| *count > 0), "{positive:?}");
    assert!(refused > 100 && beyond > 100, "{refused} {beyond}");
    eprintln!("accepted {accepted:?}, refused {refused}, of these beyond {beyond}, positive {positive:?}");
}

#[test]
fn the_upper_bound_is_above_the_exact_objective() {
    let mut stream = Stream(5);
    for round in 0..200 {
        let kind = round % KINDS;
        let (problem, _) = awkward(&mut stream, kind);
        let (d, c, m) = (problem.inputs(), problem.outputs(), 1 + stream.below(4));
        let size = 2f64.powi([0, -30, 30, -600][stream.below(4)]);
        let u = stream.matrix(d, m);
        let v = stream.matrix(c, m);
        let network = Network::new(u, Mat::from_fn(c, m, |i, j| size * v[(i, j)])).unwrap();
        let exact = exact_objective(&problem, &network);
        let upper = network.objective_upper(&problem).value();
        assert!(upper.is_finite());
        assert!(!(&Dyadic::new(upper) + &-&exact).is_negative(), "round {round}");
        // and not far above, where no product is much larger than the targets
        if kind == 7 || size > 1.0 {
            continue;
        }
        let room = &(&Dyadic::new(1.0 + 1e-12) * &exact) + &-&Dyadic::new(upper);
        assert!(!room.is_negative(), "round {round}: {upper:e}");
    }
}

/// More rows than the factorisation takes at a time, up to the boundary and beyond.
#[test]
fn several_panels_are_semidefinite_exactly() {
    let mut stream = Stream(77);
    let (n, d) = (54, 2);
    let problem = TrainingProblem::new(stream.matrix(n, d), stream.matrix(n, 1), 2.0).unwrap();
    let guess = DualPoint { w: problem.targets().to_owned(), ..DualPoint::zero(n, 1) };
    let (certificate, proof) = certify_dual(&problem, &guess).unwrap();
    assert!(proof.lower_bound() > 0.0);
    let sound = certificate.dual();
    let (mut accepted, mut beyond) = (0, 0);
    for k in [52, 48, 46, 44, 43, 42, 41, 40, 4] {
        let grow = 1.0 + 2f64.powi(-k);
        let point = DualPoint { w: Mat::from_fn(n, 1, |i, j| grow * sound.w[(i, j)]), ..sound.clone() };
        let exact = is_semidefinite(&exact_slack(&problem, &point));
        let proved = prove(&problem, &Certificate::new(point)).is_ok();
        assert!(exact || !proved, "2^-{k}");
        accepted += usize::from(proved);
        beyond += usize::from(!exact);
    }
    assert!(accepted > 1 && beyond > 1, "{accepted} {beyond}");
}

/// A chain that hangs from a dense core: sparse columns first, a dense matrix for the rest.
#[test]
fn sparse_columns_and_a_dense_rest_are_semidefinite_exactly() {
    let mut stream = Stream(78);
    let (n, d) = (76, 1);
    let problem = TrainingProblem::new(stream.matrix(n, d), stream.matrix(n, 1), 2.0).unwrap();
    let mut guess = DualPoint { w: problem.targets().to_owned(), ..DualPoint::zero(n, 1) };
    for i in 1..n {
        for j in (0..i).filter(|j| i < 66 || i - j == 1) {
            guess.pairs.push([i, if (i + j) % 2 == 0 { j } else { n + j }]);
            guess.n.push(1e-4 * (stream.next() + 1.0));
        }
    }
    let (certificate, proof) = certify_dual(&problem, &guess).unwrap();
    assert!(proof.lower_bound() > 0.0);
    let sound = certificate.dual();
    let (mut accepted, mut beyond) = ([0; WAYS], 0);
    for k in [50, 44, 38, 32, 20, 4] {
        let grow = 1.0 + 2f64.powi(-k);
        let point = DualPoint { w: Mat::from_fn(n, 1, |i, j| grow * sound.w[(i, j)]), ..sound.clone() };
        let exact = is_semidefinite(&exact_slack(&problem, &point));
        for (method, proof) in proofs(&problem, &Certificate::new(point)).iter().enumerate() {
            assert!(exact || proof.is_none(), "2^-{k}");
            accepted[method] += usize::from(proof.is_some());
        }
        beyond += usize::from(!exact);
    }
    assert!(accepted.iter().all(|count| *count > 0) && beyond > 1, "{accepted:?} {beyond}");
}

/// 2F of a block in the original (u, v, s): 2(u, v)ᵀH(u, v) − 4αᵀWv − 4Σ y αβ − 4Σ N p p.
fn exact_lifted(block: &TrainingProblem, dual: &DualPoint, head: &Mat<f64>) -> Vec<Vec<Dyadic>> {
    let (n, d, c) = (block.samples(), block.inputs(), block.outputs());
    let order = d + c + n;
    let form = |k: usize| -> Vec<Dyadic> {
        let (i, sign) = if k < n { (k, 1.0) } else { (k - n, -1.0) };
        let u = (0..d + c).map(|j| if j < d { sign * block.features()[(i, j)] } else { 0.0 });
        u.chain((0..n).map(|j| f64::from(u8::from(i == j)))).map(Dyadic::new).collect()
    };
    let mut q = vec![vec![Dyadic::zero(); order]; order];
    for i in 0..d + c {
        for j in 0..d + c {
            let diagonal = if i == j { block.weight_decay() } else { 0.0 };
            let entry = &Dyadic::new(diagonal) + &Dyadic::new(head[(i, j)]);
            q[i][j] = &Dyadic::new(2.0) * &entry;
        }
    }
    let mut subtract = |a: &[Dyadic], b: &[Dyadic], factor: f64| {
        for i in 0..order {
            for j in 0..order {
                let term = &(&a[i] * &b[j]) * &Dyadic::new(factor);
                q[i][j] = &q[i][j] + &-&term;
                q[j][i] = &q[j][i] + &-&term;
            }
        }
    };
    for i in 0..n {
        for k in 0..c {
            let unit: Vec<Dyadic> =
                (0..order).map(|j| Dyadic::new(f64::from(u8::from(j == d + k)))).collect();
            subtract(&form(i), &unit, dual.w[(i, k)]);
        }
        // α_iβ_i is a quarter of the product of the doubled forms.
        subtract(&form(i), &form(n + i), 0.5 * dual.y[i]);
    }
    for (pair, value) in dual.pairs.iter().zip(&dual.n) {
        subtract(&form(pair[0]), &form(pair[1]), 0.5 * value);
    }
    q
}

/// Blocks with and without head matrices, towards the boundary and beyond: what is accepted holds exactly.
#[test]
fn what_blocks_prove_is_semidefinite_exactly() {
    let (mut accepted, mut headed, mut refused, mut beyond) = (0, 0, 0, 0);
    for seed in 0..24u64 {
        let mut stream = Stream(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 5);
        let (n, d, c) = (6, 1 + stream.below(2), 1);
        let problem = TrainingProblem::new(stream.matrix(n, d), stream.matrix(n, c), 0.7).unwrap();
        let blocks = vec![vec![0, 2, 5], vec![1, 3, 4]];
        let guess = |samples: &[usize]| DualPoint {
            w: Mat::from_fn(3, c, |i, k| problem.targets()[(samples[i], k)]),
            pairs: vec![[0, 1], [2, 4]],
            n: vec![1e-3, 1e-3],
            ..DualPoint::zero(3, c)
        };
        let share = 0.35;
        let duals = blocks.iter().map(|b| guess(b)).collect();
        let (certificate, proof) = certify_blocks(&problem, &blocks, duals).unwrap();
        assert!(proof.lower_bound() > 0.0);
        let dual = certificate.dual();
        let plain = certificate.partition().unwrap();
        let draw = stream.matrix(d + c, d + c);
        let size = 0.05 * share;
        let head = Mat::from_fn(d + c, d + c, |i, j| size * (draw[(i, j)] + draw[(j, i)]));
        let heads = vec![head.clone(), Mat::from_fn(d + c, d + c, |i, j| -head[(i, j)])];
        let headed_partition = plain.clone().with_heads(heads).unwrap();
        for k in (1..52).step_by(2) {
            for partition in [plain, &headed_partition] {
                // Downwards far enough that the head matrices leave room, and upwards beyond the boundary.
                let grow = if k % 4 == 1 { 1.0 + 2f64.powi(-k) } else { 1.0 - 0.5 / f64::from(k) };
                let point = DualPoint { w: Mat::from_fn(n, c, |i, j| grow * dual.w[(i, j)]), ..dual.clone() };
                let exact = (0..2).all(|b| {
                    let samples = &blocks[b];
                    let block = problem.subset(samples, share).unwrap();
                    let local =
                        |form: usize| samples.iter().position(|i| *i == form % n).map(|i| i + 3 * (form / n));
                    let mut part = DualPoint {
                        w: Mat::from_fn(3, c, |i, j| point.w[(samples[i], j)]),
                        y: samples.iter().map(|i| point.y[*i]).collect(),
                        ..DualPoint::zero(3, c)
                    };
                    for (pair, value) in point.pairs.iter().zip(&point.n) {
                        if let (Some(a), Some(b)) = (local(pair[0]), local(pair[1])) {
                            part.pairs.push([a, b]);
                            part.n.push(*value);
                        }
                    }
                    let zero = Mat::zeros(d + c, d + c);
                    let head = partition.heads().map_or(&zero, |heads| &heads[b]);
                    is_semidefinite(&exact_lifted(&block, &part, head))
                });
                let whole = is_semidefinite(&exact_slack(&problem, &point));
                let certificate = Certificate::of_blocks(point, partition.clone());
                for proof in proofs(&problem, &certificate) {
                    if proof.is_some() {
                        assert!(exact && whole, "seed {seed}, 2^-{k}");
                        accepted += 1;
                        headed += usize::from(partition.heads().is_some());
                    } else {
                        refused += 1;
                        beyond += usize::from(!exact);
                    }
                }
            }
        }
    }
    assert!(headed > 50 && accepted > headed + 50 && beyond > 100, "{accepted} {headed} {refused} {beyond}");
    eprintln!(
        "accepted {accepted}, with head matrices {headed}, refused {refused}, of these beyond {beyond}"
    );
}
