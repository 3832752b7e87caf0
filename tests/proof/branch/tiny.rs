//! Tiny problems whose maximum is known from all arrangements.

use super::maximum::{candidates, holds, ratio};
use crate::exact::dyadic::Stream;
use faer::Mat;
use relucert::certificate::branch::{NeuronClaim, SearchSettings};
use relucert::{Control, TrainingProblem};

/// What is asked of one problem: nothing false is proved, and where `tight` is given, the truth is proved as close to the
/// maximum as that (relative to it, and a hundredth of it relative to Σ|w_i||x_i|₁), and violators are found as close.
pub fn check(x: &Mat<f64>, w: &Mat<f64>, tight: Option<f64>, name: &str) {
    let targets = Mat::zeros(x.nrows(), w.ncols());
    let best = candidates(x, w);
    let largest = best[0].0;
    let problem = TrainingProblem::new(x.clone(), targets, largest).unwrap();
    let claim = NeuronClaim::new(&problem, w.clone()).unwrap();
    let norm = |matrix: &Mat<f64>, i: usize| matrix.row(i).iter().map(|v| v.abs()).sum::<f64>();
    let mass: f64 = (0..x.nrows()).map(|i| norm(x, i) * norm(w, i)).sum();
    let room = tight.map(|tight| tight * (1.0 + 0.01 * mass / largest)).filter(|&room| room < 0.1);
    let parts = [-1e-9, -1e-12, -1e-15, 0.0, 1e-15, 1e-12].into_iter().map(|part| (part, false));
    for (part, is_tight) in parts.chain(room.into_iter().flat_map(|room| [(-room, true), (room, true)])) {
        let m = largest * (1.0 + part);
        let cells = if is_tight || x.ncols() < 4 { 300_000 } else { 20_000 };
        let settings = SearchSettings { cells, ..SearchSettings::default() };
        let search = claim.search(m, &settings, &Control::new(), &mut |_| {});
        if let Some(level) = search.proved {
            assert_eq!(level.value(), m);
            for (_, u) in &best {
                assert!(holds(x, w, m, u), "{name}: {m:e} was proved, but fails at {u:?}");
            }
        }
        if is_tight && part > 0.0 {
            assert!(search.proved.is_some(), "{name}: 1 + {part:e} was not proved in {} cells", search.cells);
        }
        if is_tight && part < 0.0 {
            let u = search.violators.first().unwrap_or_else(|| {
                panic!("{name}: no violator, {} cells, {:e} left", search.cells, 1.0 - search.share)
            });
            assert!(ratio(x, w, u) > m * (1.0 + 0.1 * part), "{name}: {u:?} does not violate");
        }
    }
}

fn plain(seed: u64, n: usize, d: usize, c: usize, tight: f64) {
    let mut stream = Stream(seed * 7919 + 13);
    let (x, w) = (stream.matrix(n, d), stream.matrix(n, c));
    check(&x, &w, Some(tight), &format!("seed {seed}, {n} × {d}, {c} outputs"));
}

#[test]
fn what_is_proved_holds_at_every_maximum() {
    for seed in 0..1000 {
        let (d, c) = (1 + seed as usize % 3, 1 + seed as usize / 3 % 3);
        plain(seed, 1 + seed as usize / 9 % if d < 3 { 8 } else { 7 }, d, c, 1e-9);
    }
}

#[test]
fn four_and_five_dimensions() {
    for seed in 0..24 {
        let (n, d) = (2 + seed as usize / 4 % 5, 4 + seed as usize % 2);
        plain(10_000 + seed, n, d, 1 + seed as usize / 2 % 2, if d == 4 { 1e-4 } else { 1e-3 });
    }
}
