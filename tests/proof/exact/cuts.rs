//! Certificates with cuts, decided in exact arithmetic: what is accepted holds with all that the defects cost.

use super::{bound_is_covered, exact_slack, proofs};
use crate::exact::dyadic::{Dyadic, Stream, is_semidefinite};
use faer::Mat;
use relucert::TrainingProblem;
use relucert::certificate::{Certificate, prove};
use relucert::dual::{CutForms, DualPoint};
use relucert::repair::certify_dual;

/// What makes a case awkward.
const KINDS: usize = 6;

/// Samples that are combinations of those before them, and forms for these equalities.
fn combined(stream: &mut Stream, kind: usize) -> (TrainingProblem, DualPoint) {
    let (base, d, c) = (2 + stream.below(2), 1 + stream.below(2), 1 + stream.below(2));
    let n = base + 2;
    let mut x = stream.matrix(n, d);
    let mut cuts = CutForms::new();
    for k in base..n {
        // All samples before, or some.
        let support: Vec<usize> = (0..k).filter(|i| *i == k % base || stream.next() > -0.3).collect();
        let mut row: Vec<(usize, f64)> = support.iter().map(|i| (*i, 1.5 * stream.next())).collect();
        match kind {
            // equalities without any defect
            1 => {
                let first = if k == base { base } else { 0 };
                (0..first).for_each(|i| (0..d).for_each(|j| x[(i, j)] = (8.0 * x[(i, j)]).round()));
                row.iter_mut().for_each(|(_, a)| *a = (2.0 * *a).round() + 0.5);
            }
            // long and short samples
            2 => row.iter_mut().for_each(|(_, a)| *a *= 2f64.powi(20)),
            3 if k == base => (0..base).for_each(|i| (0..d).for_each(|j| x[(i, j)] *= 2f64.powi(-40))),
            // a sample as long as others, from terms that cancel
            4 if k == base && row.len() > 1 => {
                let (a, b) = (row[0].0, row[1].0);
                (0..d).for_each(|j| x[(b, j)] = x[(a, j)] * (1.0 + 1e-6) + 1e-6 * x[(b, j)]);
                (row[0].1, row[1].1) = (1e4, -1e4);
            }
            _ => {}
        }
        for j in 0..d {
            x[(k, j)] = row.iter().map(|(i, a)| a * x[(*i, j)]).sum();
            // a defect near the largest that is let through
            if kind == 5 {
                x[(k, j)] *= 1.0 + 8e-11 * stream.next();
            }
        }
        cuts.push(k, row);
    }
    let gamma = [1.0, 0.1, 1e-3][stream.below(3)];
    let unit = gamma / x.norm_max().powi(2);
    let problem = TrainingProblem::new(x, stream.matrix(n, c), gamma).unwrap();
    let mut dual = DualPoint { w: problem.targets().to_owned(), cuts, ..DualPoint::zero(n, c) };
    dual.y = (0..n).map(|_| unit * (stream.next() - 0.8)).collect();
    for a in 0..2 * n + 2 {
        for b in 0..a {
            if (a >= 2 * n || a % n != b % n) && stream.next() > 0.0 {
                dual.pairs.push([a, b]);
                dual.n.push(0.05 * unit * (stream.next() + 1.0));
            }
        }
    }
    (problem, dual)
}

/// Lower bounds on |x_k − Σ a_i x_i| and Σ|a_i||x_i| of a form, and on |x_k|.
fn measures(problem: &TrainingProblem, cuts: &CutForms, form: usize) -> [Dyadic; 3] {
    let entry = |i: usize, j: usize| Dyadic::new(problem.features()[(i, j)]);
    let norm = |entries: Vec<Dyadic>| {
        entries.iter().fold(Dyadic::zero(), |sum, value| &sum + &(value * value)).root_below()
    };
    let sample = |i: usize| norm((0..problem.inputs()).map(|j| entry(i, j)).collect());
    let target = cuts.targets()[form];
    let defect = (0..problem.inputs())
        .map(|j| {
            cuts.row(form).fold(entry(target, j), |rest, (i, a)| &rest + &(&Dyadic::new(-a) * &entry(i, j)))
        })
        .collect();
    let size =
        cuts.row(form).fold(Dyadic::zero(), |sum, (i, a)| &sum + &(&Dyadic::new(a.abs()) * &sample(i)));
    [norm(defect), size, sample(target)]
}

/// At most ρ, what the defects cost: 2 Σ N max(ε_a B_b, ε_b B_a).
fn payment_below(problem: &TrainingProblem, dual: &DualPoint) -> Dyadic {
    let n = problem.samples();
    let mut total = Dyadic::zero();
    for (pair, value) in dual.pairs.iter().zip(&dual.n).filter(|(pair, _)| pair.iter().any(|k| *k >= 2 * n)) {
        let [a, b] = pair.map(|k| match k.checked_sub(2 * n) {
            Some(form) => measures(problem, &dual.cuts, form),
            None => {
                let mut alone = CutForms::new();
                alone.push(k % n, [(k % n, 1.0)]);
                measures(problem, &alone, 0)
            }
        });
        let (left, right) = (&a[0] * &b[1], &b[0] * &a[1]);
        let worst = if (&left + &-&right).is_negative() { right } else { left };
        total = &total + &(&Dyadic::new(2.0 * value) * &worst);
    }
    total
}

/// Whether q − ρ|u|² is semidefinite, with 4γ times both.
fn holds(problem: &TrainingProblem, dual: &DualPoint, payment: &Dyadic) -> bool {
    let mut q = exact_slack(problem, dual);
    let paid = &Dyadic::new(-4.0 * problem.weight_decay()) * payment;
    for (i, row) in q.iter_mut().enumerate().take(problem.inputs()) {
        row[i] = &row[i] + &paid;
    }
    is_semidefinite(&q)
}

/// Whether some equality misses by clearly more than a certificate may.
fn is_damaged(problem: &TrainingProblem, dual: &DualPoint) -> bool {
    (0..dual.cuts.len()).any(|form| {
        let [defect, size, target] = measures(problem, &dual.cuts, form);
        let allowed = &Dyadic::new(1.001e-10) * &(&size + &target);
        (&allowed + &-&defect).is_negative()
    })
}

/// The same forms, with one coefficient changed.
fn with_coefficient(dual: &DualPoint, form: usize, change: impl Fn(f64) -> f64) -> DualPoint {
    let mut cuts = CutForms::new();
    for f in 0..dual.cuts.len() {
        let row = dual.cuts.row(f).enumerate();
        let row = row.map(|(l, (i, a))| (i, if (f, l) == (form, 0) { change(a) } else { a }));
        cuts.push(dual.cuts.targets()[f], row.collect::<Vec<_>>());
    }
    DualPoint { cuts, ..dual.clone() }
}

/// Towards the boundary of what holds and beyond, and with coefficients damaged by every power of two.
#[test]
fn what_is_accepted_with_cuts_is_semidefinite_exactly() {
    let rounds = std::env::var("RELUCERT_EXACT_ROUNDS").ok().and_then(|v| v.parse().ok()).unwrap_or(10);
    let (mut accepted, mut refused, mut beyond) = ([[0; KINDS]; 2], 0, 0);
    // Points that only the payment keeps out, and damaged coefficients on either side of the limit.
    let (mut unpaid, mut slightly, mut damaged, mut positive) = (0, 0, 0, [0; KINDS]);
    for seed in 0..rounds * KINDS as u64 {
        let kind = seed as usize % KINDS;
        let mut stream = Stream(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 9);
        let (problem, dual) = combined(&mut stream, kind);
        let (certificate, proof) = certify_dual(&problem, &dual).unwrap();
        let sound = certificate.dual().clone();
        assert!(sound.cuts.len() == 2 && sound.pairs.iter().any(|pair| pair[0] >= 2 * problem.samples()));
        positive[kind] += usize::from(proof.lower_bound() > 0.0);
        let mut check = |point: &DualPoint| {
            let payment = payment_below(&problem, point);
            let exact = holds(&problem, point, &payment);
            unpaid += usize::from(!exact && holds(&problem, point, &Dyadic::zero()));
            let wrong = is_damaged(&problem, point);
            let found = proofs(&problem, &Certificate::new(point.clone()));
            for (method, proof) in found.iter().enumerate() {
                let Some(proof) = proof else {
                    refused += 1;
                    beyond += usize::from(!exact);
                    continue;
                };
                accepted[method][kind] += 1;
                assert!(exact && !wrong, "kind {kind}, seed {seed}: accepted {point:?}");
                assert!(bound_is_covered(&problem, point, proof), "kind {kind}, seed {seed}");
            }
            found[0].is_some()
        };
        check(&dual);
        assert!(check(&sound));
        let (rows, columns) = (sound.w.nrows(), sound.w.ncols());
        for k in (1..52).step_by(3) {
            let grow = 1.0 + 2f64.powi(-k);
            check(&DualPoint {
                w: Mat::from_fn(rows, columns, |i, j| grow * sound.w[(i, j)]),
                ..sound.clone()
            });
            let mut point = sound.clone();
            point.n[stream.below(sound.n.len())] *= grow;
            check(&point);
        }
        // Well inside, so that only the damage decides.
        let inner = DualPoint {
            w: Mat::from_fn(rows, columns, |i, j| 0.5 * sound.w[(i, j)]),
            y: sound.y.iter().map(|y| 0.5 * y).collect(),
            n: sound.n.iter().map(|n| 0.5 * n).collect(),
            ..sound.clone()
        };
        for k in (4..52).step_by(4) {
            let point = with_coefficient(&inner, stream.below(2), |a| a * (1.0 + 2f64.powi(-k)));
            let wrong = is_damaged(&problem, &point);
            let through = check(&point);
            slightly += usize::from(through && !wrong);
            damaged += usize::from(wrong);
        }
        assert!(prove(&problem, &Certificate::new(with_coefficient(&inner, 0, |a| -a))).is_err());
    }
    let summary = format!(
        "accepted {accepted:?}, refused {refused}, of these beyond {beyond}, unpaid {unpaid}, damage let through \
         {slightly} and not {damaged}, positive {positive:?}"
    );
    assert!(accepted.iter().flatten().all(|count| *count > 30), "{summary}");
    assert!(positive.iter().all(|count| *count > 0), "{summary}");
    assert!(refused > 100 && beyond > 100 && unpaid > 0, "{summary}");
    assert!(slightly > 50 && damaged > 50, "{summary}");
    eprintln!("{summary}");
}
