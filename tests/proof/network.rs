//! The proved upper bound on the objective against twice the working precision.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::{Network, TrainingProblem};

/// A double-double: the unevaluated sum of two floating-point numbers, about 106 bits.
#[derive(Clone, Copy)]
struct Double(f64, f64);

fn two_sum(a: f64, b: f64) -> Double {
    let s = a + b;
    let t = s - a;
    Double(s, (a - (s - t)) + (b - t))
}

impl Double {
    fn add(self, other: Self) -> Self {
        let s = two_sum(self.0, other.0);
        two_sum(s.0, s.1 + self.1 + other.1)
    }
    fn mul(self, other: Self) -> Self {
        let p = self.0 * other.0;
        let error = self.0.mul_add(other.0, -p) + self.0 * other.1 + self.1 * other.0;
        two_sum(p, error)
    }
    fn of(a: f64) -> Self {
        Self(a, 0.0)
    }
    fn at_most(self, bound: f64) -> bool {
        let difference = self.add(Self::of(-bound));
        difference.0 + difference.1 <= 0.0
    }
}

fn objective(problem: &TrainingProblem, network: &Network) -> Double {
    let (x, y, u, v) = (problem.features(), problem.targets(), network.hidden(), network.output());
    let (mut loss, mut weights) = (Double::of(0.0), Double::of(0.0));
    for i in 0..problem.samples() {
        let activations: Vec<Double> = (0..network.width())
            .map(|k| {
                let z = (0..problem.inputs()).fold(Double::of(0.0), |sum, j| {
                    sum.add(Double::of(x[(i, j)]).mul(Double::of(u[(j, k)])))
                });
                if z.0 + z.1 > 0.0 { z } else { Double::of(0.0) }
            })
            .collect();
        for j in 0..problem.outputs() {
            let residual = (0..network.width())
                .fold(Double::of(-y[(i, j)]), |sum, k| sum.add(activations[k].mul(Double::of(v[(j, k)]))));
            loss = loss.add(residual.mul(residual));
        }
    }
    for array in [u, v] {
        for column in array.col_iter() {
            for &w in column.iter() {
                weights = weights.add(Double::of(w).mul(Double::of(w)));
            }
        }
    }
    Double::of(0.5).mul(loss.add(Double::of(problem.weight_decay()).mul(weights)))
}

#[test]
fn the_upper_bound_is_above_the_exact_objective_and_close() {
    let mut below = 0;
    for seed in 0..200 {
        let mut rng = Pcg64::seed_from_u64(seed);
        let (n, d, c, m) =
            (1 + seed as usize % 23, 1 + seed as usize % 7, 1 + seed as usize % 3, seed as usize % 9);
        let scale = 10f64.powi(seed as i32 % 13 - 6);
        let mut draw = |rows, columns, scale: f64| {
            Mat::<f64>::from_fn(rows, columns, |_, _| scale * rng.sample::<f64, _>(StandardNormal))
        };
        let (x, u, v) = (draw(n, d, scale), draw(d, m, 1.0), draw(c, m, 1.0));
        let network = Network::new(u, v).unwrap();
        // targets next to the prediction, so that the residual is all cancellation, every other time
        let mut y = draw(n, c, scale);
        if seed % 2 == 0 {
            y = network.predict(x.as_ref()) + y * 1e-9;
        }
        let problem = TrainingProblem::new(x, y, 0.1 * scale * scale).unwrap();
        let exact = objective(&problem, &network);
        let upper = network.objective_upper(&problem).value();
        assert!(exact.at_most(upper), "seed {seed}: {upper} is below {}", exact.0);
        assert!(upper <= exact.0 * (1.0 + 1e-9) + 1e-12 * problem.zero_objective(), "seed {seed}: {upper}");
        below += usize::from(!exact.at_most(network.objective(&problem)));
    }
    // the plain sum does fall below the exact value: the test would notice a bound that is only rounded to nearest
    assert!(below > 10, "{below}");
}

#[test]
fn the_upper_bound_survives_underflow_and_overflow() {
    let tiny = Mat::full(2, 1, 1e-170);
    let network = Network::new(Mat::full(1, 1, 1e-160), Mat::full(1, 1, 1.0)).unwrap();
    let problem = TrainingProblem::new(tiny.clone(), tiny, 1e-300).unwrap();
    // (1e-170)² underflows to zero where it is not exactly zero, and ½γ‖V‖² is all that can be told: the bound stays above
    assert!(network.objective_upper(&problem) >= 0.5e-300);
    let huge = Mat::full(2, 1, 1e140);
    let network = Network::new(Mat::full(1, 1, 1e200), Mat::full(1, 1, -1.0)).unwrap();
    let problem = TrainingProblem::new(huge.clone(), huge, 1.0).unwrap();
    assert_eq!(network.objective_upper(&problem), f64::INFINITY);
    let empty = Network::empty(1, 1);
    let problem = TrainingProblem::new(Mat::full(3, 1, 1.0), Mat::full(3, 1, 0.1), 1.0).unwrap();
    let upper = empty.objective_upper(&problem).value();
    assert!((0.015..0.015 * (1.0 + 1e-14)).contains(&upper));
}
