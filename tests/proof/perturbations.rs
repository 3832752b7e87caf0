//! Random perturbations of valid certificates: none is accepted with a bound above the true optimum.
//!
//! `RELUCERT_PERTURBATIONS=10000 cargo test --release --test proof -- --nocapture perturbations::`

use crate::common::gaussian;
use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::certificate::{Certificate, Partition, prove};
use relucert::dual::DualPoint;
use relucert::interior_point::{ReferenceSettings, solve_lifted};
use relucert::relaxation::Lifting;
use relucert::repair::{certify_blocks, certify_dual, dual_point};
use relucert::{Control, TrainingProblem};

/// A dual point close to the optimum and the value of the relaxation from above.
fn solved(problem: &TrainingProblem) -> (DualPoint, f64) {
    let lifting = Lifting::new(problem).unwrap();
    let solution =
        solve_lifted(&lifting, &ReferenceSettings::default(), &Control::new(), &mut |_| ()).unwrap();
    assert!(solution.gap <= 1e-5);
    let residual: Vec<f64> = solution.fit_residual.iter().map(|w| -w).collect();
    let value = solution.value * (1.0 + 2.0 * solution.gap.max(1e-7));
    (dual_point(problem, &lifting, &solution.pairs, &residual), value)
}

struct Case {
    problem: TrainingProblem,
    certificate: Certificate,
    optimum: f64,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (seed, n, d, c, gamma) in
        [(1, 12, 2, 1, 0.3), (2, 20, 3, 2, 1.0), (3, 6, 8, 1, 0.1), (4, 16, 2, 2, 0.05)]
    {
        let problem = TrainingProblem::new(gaussian(seed, n, d), gaussian(seed + 50, n, c), gamma).unwrap();
        let (dual, optimum) = solved(&problem);
        let (certificate, proof) = certify_dual(&problem, &dual).unwrap();
        assert!(proof.lower_bound() > 0.98 * optimum && proof.lower_bound() <= optimum);
        let blocks: Vec<Vec<usize>> = (0..2).map(|k| (k..n).step_by(2).collect()).collect();
        let duals = blocks.iter().map(|b| solved(&problem.subset(b, gamma / 2.0).unwrap()).0).collect();
        let (split, _) = certify_blocks(&problem, &blocks, duals).unwrap();
        let order = d + c;
        let zero = vec![Mat::zeros(order, order); 2];
        // τ of the point and less of W leave room for the head matrices that perturbations put in the place of these.
        let dual = split.dual();
        let inner = DualPoint {
            w: Mat::from_fn(n, c, |i, j| 0.95 * 0.8f64.sqrt() * dual.w[(i, j)]),
            y: dual.y.iter().map(|y| 0.8 * y).collect(),
            pairs: dual.pairs.clone(),
            n: dual.n.iter().map(|value| 0.8 * value).collect(),
            ..DualPoint::zero(n, c)
        };
        let headed =
            Certificate::of_blocks(inner, split.partition().unwrap().clone().with_heads(zero).unwrap());
        for certificate in [certificate, split, headed] {
            cases.push(Case { problem: problem.clone(), certificate, optimum });
        }
    }
    cases
}

/// One to three changes, small or large, most of them towards a larger bound.
fn perturbed(case: &Case, rng: &mut Pcg64) -> Option<Certificate> {
    let mut dual = case.certificate.dual().clone();
    let mut block = case.certificate.partition().map(|partition| partition.block().to_vec());
    let mut heads = case.certificate.partition().and_then(|p| p.heads().map(<[_]>::to_vec));
    let (n, c) = (dual.w.nrows(), dual.w.ncols());
    let targets = case.problem.targets();
    for _ in 0..rng.random_range(1..=3) {
        let size = 10f64.powf(rng.random_range(-13.0..0.5));
        let (i, j) = (rng.random_range(0..n), rng.random_range(0..c));
        match rng.random_range(0..14) {
            0 => dual.w = Mat::from_fn(n, c, |i, j| (1.0 + size) * dual.w[(i, j)]),
            1 => {
                dual.w = Mat::from_fn(n, c, |i, j| dual.w[(i, j)] + size * (targets[(i, j)] - dual.w[(i, j)]))
            }
            2 => dual.w[(i, j)] += size * rng.sample::<f64, _>(StandardNormal),
            3 => dual.w[(i, j)] = targets[(i, j)],
            4 => dual.y[i] *= 1.0 + size * rng.sample::<f64, _>(StandardNormal),
            5 => dual.y.iter_mut().for_each(|y| *y *= 1.0 + size),
            6 if !dual.n.is_empty() => {
                let k = rng.random_range(0..dual.n.len());
                dual.n[k] *= 1.0 + size * rng.sample::<f64, _>(StandardNormal);
            }
            7 => dual.n.iter_mut().for_each(|value| *value *= 1.0 - size),
            8 if !dual.pairs.is_empty() => {
                let k = rng.random_range(0..dual.pairs.len());
                dual.pairs[k] = [rng.random_range(0..2 * n + 1), rng.random_range(0..2 * n)];
            }
            9 => dual.y.swap(i, (i + 1) % n),
            10 => dual.w[(i, j)] = f64::from_bits(dual.w[(i, j)].to_bits() ^ (1 << rng.random_range(0..64))),
            11 if !dual.n.is_empty() => {
                let k = rng.random_range(0..dual.n.len());
                dual.n[k] = f64::from_bits(dual.n[k].to_bits() ^ (1 << rng.random_range(0..64)));
            }
            12 => {
                if let Some(block) = &mut block {
                    block[i] = rng.random_range(0..3);
                }
            }
            _ => {
                if let Some(heads) = &mut heads {
                    let order = heads[0].nrows();
                    let share = case.problem.weight_decay() / 2.0;
                    let (a, b) = (rng.random_range(0..order), rng.random_range(0..order));
                    let change = share * size * rng.sample::<f64, _>(StandardNormal);
                    let other = if rng.random_range(0..4) == 0 { -0.9 * change } else { -change };
                    for (head, change) in heads.iter_mut().zip([change, other]) {
                        head[(a, b)] += change;
                        if a != b && rng.random_range(0..20) > 0 {
                            head[(b, a)] += change;
                        }
                    }
                }
            }
        }
    }
    // A malformed partition is refused before there is a certificate.
    let Some(block) = block else { return Some(Certificate::new(dual)) };
    let mut partition = Partition::new(block).ok()?;
    if let Some(heads) = heads {
        partition = partition.with_heads(heads).ok()?;
    }
    Some(Certificate::of_blocks(dual, partition))
}

#[test]
fn no_perturbation_proves_more_than_the_optimum() {
    let count = std::env::var("RELUCERT_PERTURBATIONS").ok().and_then(|v| v.parse().ok()).unwrap_or(600);
    let cases = cases();
    let (mut accepted, mut raised, mut claims) = (0, 0, 0);
    let mut rng = Pcg64::seed_from_u64(2024);
    for k in 0..count {
        let case = &cases[k % cases.len()];
        let before = prove(&case.problem, &case.certificate).unwrap().lower_bound();
        let Some(certificate) = perturbed(case, &mut rng) else { continue };
        let (inner, square) = certificate.dual().inner_products(&case.problem);
        claims += usize::from(inner - 0.5 * square > case.optimum);
        if let Ok(proof) = prove(&case.problem, &certificate) {
            accepted += 1;
            raised += usize::from(proof.lower_bound() > before);
            assert!(
                proof.lower_bound() <= case.optimum,
                "perturbation {k} proves {} of {}",
                proof.lower_bound(),
                case.optimum
            );
        }
    }
    println!(
        "{count} perturbations: {accepted} accepted, {raised} of them raised the bound, {claims} claimed more than the optimum"
    );
    // Both sides were met: harmless changes are accepted, and many would have claimed too much.
    assert!(accepted > count / 20 && claims > count / 20, "{accepted} {claims}");
}
