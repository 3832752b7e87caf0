//! The scan in single precision against one in double precision that looks at every pair.

use faer::Mat;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::TrainingProblem;
use relucert::relaxation::{Lifting, PairKey, scan_violations};
use std::collections::BTreeSet;

fn lifting(rng: &mut Pcg64, samples: usize, inputs: usize) -> Lifting {
    let mut x = Mat::from_fn(samples, inputs, |_, _| rng.sample::<f64, _>(StandardNormal));
    // Near neighbours and near opposites, whose products are taken as differences.
    for i in (1..samples).step_by(5) {
        for j in 0..inputs {
            x[(i, j)] = -x[(i - 1, j)] * 2.0 + 1e-3 * rng.sample::<f64, _>(StandardNormal);
        }
    }
    let y = Mat::from_fn(samples, 1, |_, _| rng.sample::<f64, _>(StandardNormal));
    Lifting::new(&TrainingProblem::new(x, y, 1.0).unwrap()).unwrap()
}

/// Every pair with its normalised product, by the definition.
fn all_products(lifting: &Lifting, rows: &[f64], columns: usize) -> Vec<(PairKey, f64)> {
    let groups = lifting.groups();
    let row = |i: usize| &rows[i * columns..][..columns];
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut all = Vec::new();
    for i in 0..2 * groups {
        for j in i + 1..2 * groups {
            if j == i + groups {
                continue;
            }
            let sign = if (i < groups) == (j < groups) { 1.0 } else { -1.0 };
            let directions = [i, j].map(|form| lifting.geometry.direction(form % groups));
            let square = 2.0 + 2.0 * sign * inner(directions[0], directions[1]);
            let product = inner(row(i), row(j));
            let value = if square < 0.25 {
                let own = inner(row(i % groups), row(i % groups + groups));
                (product - own) / square.max(1e-12).sqrt()
            } else {
                product
            };
            all.push(((i as u32, j as u32), value));
        }
    }
    all
}

fn rows(rng: &mut Pcg64, lifting: &Lifting, columns: usize, scale: f64) -> Vec<f64> {
    (0..2 * lifting.groups() * columns).map(|_| scale * rng.sample::<f64, _>(StandardNormal)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// The tolerance lies between two products that single precision cannot tell apart.
    #[test]
    fn near_ties_are_decided_in_double_precision(seed in 0u64..1 << 40, columns in 1usize..20, exponent in -12i32..6) {
        let mut rng = Pcg64::seed_from_u64(seed);
        let samples = rng.random_range(20..90);
        let lifting = lifting(&mut rng, samples, 4);
        let rows = rows(&mut rng, &lifting, columns, 10f64.powi(exponent));
        let mut all = all_products(&lifting, &rows, columns);
        all.retain(|(_, value)| *value < 0.0);
        all.sort_by(|a, b| a.1.total_cmp(&b.1));
        let place = rng.random_range(0..all.len());
        for off in [-1e-10, 1e-10] {
            let tolerance = -all[place].1 * (1.0 + off);
            let expected: BTreeSet<PairKey> =
                all.iter().filter(|(_, value)| *value < -tolerance).map(|(key, _)| *key).collect();
            let found: BTreeSet<PairKey> = scan_violations(&lifting, &rows, columns, tolerance, usize::MAX / 32)
                .iter()
                .map(|violation| violation.key)
                .collect();
            prop_assert!(expected.contains(&all[place].0) == (off < 0.0));
            prop_assert_eq!(&found, &expected);
        }
    }
}

/// More forms than a block and a tile hold, and only the worst of each kept.
#[test]
fn the_worst_of_each_form_are_kept() {
    let mut rng = Pcg64::seed_from_u64(5);
    let (columns, per_form) = (6, 3);
    let lifting = lifting(&mut rng, 1100, 5);
    let rows = rows(&mut rng, &lifting, columns, 1.0);
    let tolerance = 0.5;
    let mut worst: Vec<Vec<(f64, PairKey)>> = vec![Vec::new(); 2 * lifting.groups()];
    for (key, value) in all_products(&lifting, &rows, columns) {
        if value < -tolerance {
            worst[key.0 as usize].push((value, key));
        }
    }
    let mut expected = BTreeSet::new();
    for list in &mut worst {
        list.sort_by(|a, b| a.0.total_cmp(&b.0));
        expected.extend(list.iter().take(per_form).map(|(_, key)| *key));
    }
    let found = scan_violations(&lifting, &rows, columns, tolerance, per_form);
    assert!(found.iter().all(|violation| violation.value < -tolerance));
    let found: BTreeSet<PairKey> = found.iter().map(|violation| violation.key).collect();
    assert!(expected.len() > 3000);
    assert_eq!(found, expected);
}
