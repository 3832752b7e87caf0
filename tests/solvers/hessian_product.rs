//! The matrix-free Hessian product against differences of gradients and against the assembled matrix.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::low_rank::{
    AugmentedLagrangian, Factor, HessianAssembler, Hinge, ProductScratch, Workspace, hessian_product,
};
use relucert::relaxation::{Lifting, PairSet};
use relucert::{Error, TrainingProblem};

fn normal(rng: &mut Pcg64) -> f64 {
    rng.sample(StandardNormal)
}

#[test]
fn product_equals_difference_of_gradients_and_assembled_matrix() -> Result<(), Error> {
    for seed in 0..6 {
        let mut rng = Pcg64::seed_from_u64(seed);
        let (n, d, c, r) = (9, 3, 2, 4);
        let mut x = Mat::from_fn(n, d, |_, _| normal(&mut rng));
        for j in 0..d {
            // A nearly parallel pair, a flipped parallel pair and a zero row.
            x[(1, j)] = 1.5 * x[(0, j)] + 1e-2 * normal(&mut rng);
            x[(3, j)] = -2.0 * x[(2, j)];
            x[(4, j)] = 0.0;
        }
        let y = Mat::from_fn(n, c, |_, _| normal(&mut rng));
        let problem = TrainingProblem::new(x, y, 0.3)?;
        let lifting = Lifting::new(&problem)?;
        let mut set = PairSet::new(&lifting, 3);
        set.multipliers.iter_mut().for_each(|m| *m = normal(&mut rng).abs());
        set.equality_multipliers.iter_mut().for_each(|m| *m = normal(&mut rng));
        let lagrangian = AugmentedLagrangian {
            lifting: &lifting,
            set: &set,
            equality_penalty: 0.7,
            hinge: Hinge { penalty: 1.3, smoothing: 0.1 },
        };
        let rows = lifting.order() + c;
        let values: Vec<f64> = (0..rows * r).map(|_| normal(&mut rng)).collect();
        let (head, tail) = values.split_at(lifting.order() * r);
        let factor = Factor::new(head.to_vec(), tail, r);
        let direction: Vec<f64> = (0..rows * r).map(|_| normal(&mut rng)).collect();

        let mut work = Workspace::default();
        lagrangian.value(&factor, &mut work);
        let mut product = vec![0.0; rows * r];
        let mut scratch = ProductScratch::default();
        hessian_product(&lagrangian, &factor, &work, &direction, &mut scratch, &mut product);
        let mut matrix = Mat::zeros(rows * r, rows * r);
        HessianAssembler::new(&lifting).assemble(&lagrangian, &factor, &work, &mut matrix);

        let step = 1e-5;
        let gradient = |sign: f64| {
            let mut moved = factor.clone();
            for (v, s) in moved.values.iter_mut().zip(&direction) {
                *v += sign * step * s;
            }
            let (mut work, mut gradient) = (Workspace::default(), Vec::new());
            lagrangian.value(&moved, &mut work);
            lagrangian.gradient(&moved, &mut work, &mut gradient);
            gradient
        };
        let (plus, minus) = (gradient(1.0), gradient(-1.0));
        let size = product.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        for i in 0..rows * r {
            let difference = (plus[i] - minus[i]) / (2.0 * step);
            assert!((product[i] - difference).abs() < 1e-6 * size, "seed {seed}, entry {i}");
            let assembled: f64 = (0..rows * r).map(|j| matrix[(i.max(j), i.min(j))] * direction[j]).sum();
            assert!((product[i] - assembled).abs() < 1e-10 * size, "seed {seed}, entry {i}: assembled");
        }
    }
    Ok(())
}
