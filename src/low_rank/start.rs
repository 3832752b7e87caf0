//! The first factor: a network lifted, with its columns perturbed so that no symmetry holds the solver.

use super::Factor;
use crate::problem::Network;
use crate::relaxation::Lifting;
use crate::system::stream::{Purpose, generator};
use rand_distr::{Distribution, StandardNormal};

/// Size of the perturbation of s, relative to the mean of |s|.
const NOISE: f64 = 0.05;

/// Columns of the first factor, above the rank of the optimum on nearly everything measured: a factor with columns to
/// spare has no spurious valleys, and it shrinks by itself. At least and at most these.
const FIRST_COLUMNS: [usize; 2] = [14, 64];
/// The rank grows with the outputs: columns for each of them.
const COLUMNS_PER_OUTPUT: usize = 4;
/// It grows with the rank of the features too: columns for the root of that.
const COLUMNS_PER_ROOT: f64 = 5.0;

/// Columns to start with, by the rank of the features and the outputs.
pub(crate) fn first_columns(hidden: usize, outputs: usize) -> usize {
    let for_features = (COLUMNS_PER_ROOT * (hidden as f64).sqrt()).ceil() as usize;
    let [least, most] = FIRST_COLUMNS;
    for_features.max(COLUMNS_PER_OUTPUT.saturating_mul(outputs)).clamp(least, most)
}

/// Lifts a network to `columns` columns: more neurons are compressed to the principal axes, fewer are padded.
///
/// A trained network is a feasible point of the relaxation, so its value starts above the optimum.
pub fn start(lifting: &Lifting, network: &Network, columns: usize, seed: u64) -> Factor {
    let columns = columns.max(1);
    let width = network.width().max(1);
    let (mut factor, output) = lifting.lift_network(network);
    factor.resize(lifting.order() * width, 0.0);
    let mut output = output;
    output.resize(lifting.outputs * width, 0.0);
    let mut factor = Factor::new(factor, &output, width);
    factor.compress(columns);
    while factor.columns < columns {
        factor.push_column(&vec![0.0; factor.rows()]);
    }
    let mut rng = generator(seed, Purpose::Solver, 0);
    let (order, hidden, r) = (factor.order, lifting.hidden_dimension(), factor.columns);
    let tail = &mut factor.values[hidden * r..order * r];
    let mean = tail.iter().map(|v| v.abs()).sum::<f64>() / tail.len().max(1) as f64;
    for value in tail {
        let noise: f64 = StandardNormal.sample(&mut rng);
        *value += NOISE * mean * noise;
    }
    factor
}
