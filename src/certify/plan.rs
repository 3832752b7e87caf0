//! The peak memory of a run, estimated from the sizes alone before anything is spent.
//!
//! The constants were fitted to measured peaks; `docs/scaling.md` has the table.

use crate::certificate::compact::most_inputs;
use crate::certificate::positive::{is_cheaper, seconds as vector_seconds};
use crate::certify::settings::{Blocks, CertifySettings, Method};
use crate::error::{Error, Result};
use crate::linalg::dense::factorisation_time;
use crate::low_rank::{DIRECT_ORDER, FEW_DIMENSIONS, MOST_SPARSE, first_columns};
use crate::problem::{Features, TrainingProblem};
use crate::relaxation::cuts::Cuts;
use crate::system::memory::{available, resident};
use std::time::Duration;

/// Dense matrices of order d + n alive at once in solver, repair and proof of a block.
const MATRICES: f64 = 5.5;
/// Numbers for each sample that take their place where slack, repair and proof are products with the pairs: the pairs in
/// rows, vectors of conjugate gradients and the models of the repair.
const ITERATED: f64 = 1_000.0;
/// Blocks for each sample of a sparse Newton system, where there are few dimensions.
const SPARSE_BLOCKS: f64 = 140.0;
/// Pairs for each sample that are held, about.
const HELD_PAIRS: usize = 20;
/// Numbers for each sample and column of the factor: factor, gradients, search directions, forms and their derivatives.
const VECTORS: f64 = 180.0;
/// Numbers for each sample and pair of columns: the preconditioner's blocks.
const BLOCKS: f64 = 2.0;
/// Numbers for each sample that pairs and their normalised constraints take.
const PAIRS: f64 = 700.0;
/// Numbers for each sample and neuron of the training.
const TRAINING: f64 = 32.0;
/// Numbers for each feature and neuron of the training of sparse features.
const REMEMBERED: f64 = 24.0;
/// Copies of the data: the problem's own, and those of whitening, training and blocks.
const COPIES: f64 = 4.0;
/// Numbers for each entry of the interior-point method's Newton system.
const NEWTON: f64 = 1.0;
/// Numbers for each sample that a solved block keeps for rounds of prices: its factor, pairs, multipliers and dual point.
const KEPT: f64 = 120.0;
/// Matrices of order d + c for each block that the master over the prices keeps in a round.
const MODELS: f64 = 4.0;
/// Columns that the factor comes to have with cuts, about.
const COLUMNS_WITH_CUTS: f64 = 48.0;
/// Dense matrices of the order of the Newton system: with cuts conjugate gradients are slow.
const DENSE: f64 = 2.0;
/// Numbers for each sample and direction or output that a thread keeps in a search: the sample on each level of its blocks,
/// each at most three quarters of the one above.
const SEARCHED: f64 = 8.0;
/// Directions that are searched, at most.
const SEARCHED_INPUTS: usize = 16;
/// The program itself, and what small problems take whatever their size.
const BASE: f64 = 12e6;
/// What each thread takes whatever the size: its stack, its arena of the allocator and scratch of products (measured: 1 to
/// 1.3 MB).
const THREAD: f64 = 2e6;

/// Whether slack, repair and proof of a block of so many samples take no matrix of their order.
fn is_linear(samples: usize, inputs: usize, outputs: usize, cuts: Cuts, rounds: usize) -> bool {
    cuts == Cuts::None && rounds == 0 && is_cheaper(samples, HELD_PAIRS * samples, inputs + outputs)
}

/// [`is_linear`] for the blocks of a problem.
pub(crate) fn takes_no_matrix(problem: &TrainingProblem, settings: &CertifySettings, samples: usize) -> bool {
    let inputs = most_inputs(problem, samples);
    is_linear(samples, inputs, problem.outputs(), settings.cuts, settings.prices.rounds())
}

/// Time that the proof of a block of so many samples takes, about: one factorisation, or the products that take its place.
pub(crate) fn proof_time(problem: &TrainingProblem, settings: &CertifySettings, samples: usize) -> Duration {
    let inputs = most_inputs(problem, samples);
    if takes_no_matrix(problem, settings, samples) {
        let seconds = vector_seconds(samples, HELD_PAIRS * samples, inputs + problem.outputs());
        return Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    }
    factorisation_time(samples + inputs)
}

/// Bytes that are taken whatever the problem.
fn base() -> f64 {
    BASE + THREAD * rayon::current_num_threads() as f64
}

/// Bytes that solving and proving one block takes.
fn block_bytes(samples: f64, inputs: f64, outputs: f64, columns: f64, linear: bool) -> f64 {
    let order = samples + inputs;
    let slack = if linear { ITERATED * samples } else { MATRICES * order * order };
    8.0 * (slack
        + samples * (VECTORS * (columns + outputs) + BLOCKS * columns * columns + PAIRS + 2.0 * inputs)
        + 4.0 * inputs * inputs)
}

/// Bytes of the data and of the training, which are there whatever the blocks.
fn shared_bytes(samples: f64, inputs: f64, outputs: f64, width: f64) -> [f64; 2] {
    [base() + 8.0 * COPIES * samples * (inputs + outputs), 8.0 * TRAINING * samples * width]
}

/// Bytes of sparse data with that many stored entries, and of the training: what grows is the network, a number for each
/// feature and neuron, and the pairs that L-BFGS remembers of it.
fn sparse_bytes(samples: f64, inputs: f64, outputs: f64, entries: f64, width: f64) -> [f64; 2] {
    let data = base() + 8.0 * COPIES * (2.0 * entries + samples * outputs + inputs * width);
    [data, 8.0 * (TRAINING * samples * width + REMEMBERED * inputs * width)]
}

/// ESTIMATE of the peak memory of a run without cuts, in bytes: n samples of d features and c outputs, in a number of
/// blocks of which `at_once` are solved side by side, on the threads of the current pool.
pub fn estimated_memory_bytes(
    samples: usize,
    inputs: usize,
    outputs: usize,
    blocks: usize,
    at_once: usize,
) -> u64 {
    let width = crate::training::TrainingSettings::default().planned_width();
    let (method, cuts) = (Method::Auto, Cuts::None);
    let sizes = Sizes { samples, inputs, outputs, width, method, cuts, rounds: 0, entries: None };
    sizes.total(blocks.max(1), at_once) as u64
}

/// What the memory depends on.
#[derive(Clone, Copy)]
struct Sizes {
    samples: usize,
    inputs: usize,
    outputs: usize,
    width: usize,
    method: Method,
    /// Most rounds of prices.
    rounds: usize,
    cuts: Cuts,
    /// Stored entries of sparse features; none for dense ones.
    entries: Option<usize>,
}

impl Sizes {
    fn new(problem: &TrainingProblem, settings: &CertifySettings) -> Self {
        Self {
            samples: problem.samples(),
            inputs: problem.inputs(),
            outputs: problem.outputs(),
            width: settings.training.planned_width(),
            method: settings.method,
            rounds: settings.prices.rounds(),
            cuts: settings.cuts,
            entries: match problem.stored_features() {
                Features::Dense(_) => None,
                Features::Sparse(matrix) => Some(matrix.nnz()),
            },
        }
    }

    /// Data and training, and what each thread keeps of the samples in a search.
    fn without_relaxation(&self) -> f64 {
        let [data, training] = self.shared();
        let one = SEARCHED * (self.inputs.min(SEARCHED_INPUTS) + self.outputs) as f64;
        let searching = 8.0 * one * self.samples as f64 * rayon::current_num_threads() as f64;
        data + training.max(searching)
    }

    /// Bytes of the data and of the training, which are there whatever the blocks.
    fn shared(&self) -> [f64; 2] {
        let (n, d, c) = (self.samples as f64, self.inputs as f64, self.outputs as f64);
        match self.entries {
            None => shared_bytes(n, d, c, self.width as f64),
            Some(entries) => sparse_bytes(n, d, c, entries as f64, self.width as f64),
        }
    }

    /// Features of a block's dense problem: sparse ones are replaced by a factor of the Gram matrix where there are more
    /// of them than samples.
    fn block_inputs(&self, samples: usize) -> usize {
        if self.entries.is_some() { self.inputs.min(samples) } else { self.inputs }
    }

    fn block(&self, blocks: usize) -> f64 {
        let samples = self.samples.div_ceil(blocks);
        let (n, d, c) = (samples as f64, self.block_inputs(samples) as f64, self.outputs as f64);
        let linear = is_linear(samples, self.block_inputs(samples), self.outputs, self.cuts, self.rounds);
        let square = |matrices: f64, order: f64| 8.0 * matrices * order * order;
        let columns = first_columns(samples.min(self.block_inputs(samples)), self.outputs) as f64;
        if self.cuts == Cuts::None {
            let rows = self.method.newton_rows(samples, self.outputs) as f64;
            let few = self.block_inputs(samples) <= FEW_DIMENSIONS;
            let sparse =
                if few { (SPARSE_BLOCKS * columns * columns * n).min(MOST_SPARSE as f64) } else { 0.0 };
            return block_bytes(n, d, c, columns, linear) + (8.0 * sparse).max(square(NEWTON, rows));
        }
        let columns = columns.max(COLUMNS_WITH_CUTS);
        // One solver after the other, or only one of them.
        let order = columns * (n + d);
        let dense = if order <= DIRECT_ORDER as f64 { square(DENSE, order) } else { 0.0 };
        let rows = self.method.newton_rows_with_cuts(samples, self.outputs) as f64;
        block_bytes(n, d, c, columns, linear) + dense.max(square(NEWTON, rows))
    }

    /// ESTIMATE of the seconds that solving takes on two threads: a fit to measured runs (`docs/scaling.md`), within
    /// a factor of two or three on like data.
    fn seconds(&self, blocks: usize, tolerance: f64) -> f64 {
        let samples = self.samples.div_ceil(blocks);
        let inputs = self.block_inputs(samples) as f64;
        let linear = is_linear(samples, self.block_inputs(samples), self.outputs, self.cuts, self.rounds);
        let (at, power) = if linear { ITERATED_SECONDS } else { DENSE_SECONDS };
        let one = at
            * (samples as f64 / 1e3).powf(power)
            * (inputs / 11.0).powf(0.8)
            * (self.outputs as f64 / 3.0).powf(0.3)
            * (1e-2 / tolerance).powf(0.2);
        one * (blocks as f64 / THREADS).ceil()
    }

    /// Whether all samples together take no matrix of their order, and no more than [`PATIENT`].
    fn may_stay_whole(&self, tolerance: f64) -> bool {
        let inputs = self.block_inputs(self.samples);
        self.samples <= UNDIVIDED
            && is_linear(self.samples, inputs, self.outputs, self.cuts, self.rounds)
            && self.seconds(1, tolerance) <= PATIENT
    }

    /// What is kept of every block between rounds of prices.
    fn prices(&self, blocks: usize) -> f64 {
        let order = (self.inputs + self.outputs) as f64;
        let models = MODELS * self.rounds as f64 * blocks as f64 * order * order;
        if self.rounds == 0 { 0.0 } else { 8.0 * (KEPT * self.samples as f64 + models) }
    }

    /// The training is over when the blocks begin.
    fn total(&self, blocks: usize, at_once: usize) -> f64 {
        let [data, training] = self.shared();
        let solving = self.block(blocks) * at_once.min(blocks) as f64;
        data + training.max(solving + self.prices(blocks))
    }
}

/// Bytes that the process may take.
fn limit(settings: &CertifySettings) -> f64 {
    settings.memory_limit.unwrap_or_else(|| available() + resident()) as f64
}

/// How a problem will be divided, and how many of the blocks run at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) blocks: usize,
    pub(crate) at_once: usize,
}

impl Plan {
    /// The plan of a run that solves no relaxation, whose memory is linear in the samples; or an error that says how much is
    /// missing.
    pub(crate) fn without_relaxation(problem: &TrainingProblem, settings: &CertifySettings) -> Result<Self> {
        let sizes = Sizes::new(problem, settings);
        let limit = limit(settings);
        let needed = sizes.without_relaxation();
        if needed <= limit {
            return Ok(Self { blocks: 1, at_once: 1 });
        }
        let (needed, limit) = (gigabytes(needed), gigabytes(limit));
        Err(Error::Input(format!(
            "{} samples are estimated to take {needed} of memory, and the limit is {limit}; raise the limit, or leave out \
             samples or features",
            sizes.samples
        )))
    }

    /// The plan that fits in memory and, where the number of blocks is free, in the time left; or an error that says how much
    /// memory is missing.
    pub(crate) fn new(
        problem: &TrainingProblem,
        settings: &CertifySettings,
        left: Option<Duration>,
    ) -> Result<Self> {
        let sizes = Sizes::new(problem, settings);
        let limit = limit(settings);
        let wanted = match sizes.entries {
            Some(_) => settings.blocks.count_sparse(sizes.samples, sizes.inputs)?,
            None => settings.blocks.count(sizes.samples)?,
        };
        let fits = |blocks: usize| sizes.total(blocks, 1) <= limit;
        let in_time = |blocks: usize| {
            left.filter(|_| sizes.samples > QUICK).is_none_or(|left| {
                sizes.seconds(blocks, settings.tolerance) <= TIME_PART * left.as_secs_f64()
            })
        };
        let blocks = match settings.blocks {
            // One piece if that takes no matrix; then twice as many again and again: blocks of less than a hundred samples
            // would hardly bound anything.
            Blocks::Auto => {
                let whole = sizes.may_stay_whole(settings.tolerance).then_some(1);
                let more = std::iter::successors(Some(wanted), |blocks| blocks.checked_mul(2));
                let more = more.take_while(|blocks| sizes.samples / blocks >= LEAST || *blocks == wanted);
                let mut more = whole.into_iter().chain(more);
                // Where even the smallest blocks take too long, they bring the most in the time there is.
                let last = more.clone().filter(|blocks| fits(*blocks)).last();
                more.find(|blocks| fits(*blocks) && in_time(*blocks)).or(last).unwrap_or(wanted)
            }
            Blocks::Count(_) => wanted,
        };
        if !fits(blocks) {
            return Err(refusal(&sizes, blocks, limit));
        }
        let most = 2 * rayon::current_num_threads();
        let at_once = (1..=most.min(blocks)).rev().find(|at_once| sizes.total(blocks, *at_once) <= limit);
        Ok(Self { blocks, at_once: at_once.unwrap_or(1) })
    }
}

/// Seconds of a block of a thousand samples, and the power of the samples that they grow like: with dense matrices, and
/// where products with the pairs take their place.
const DENSE_SECONDS: (f64, f64) = (4.0, 1.8);
const ITERATED_SECONDS: (f64, f64) = (1.6, 1.5);
/// Samples that are left in one piece by choice, and the seconds that this may be estimated to take (conventional).
const UNDIVIDED: usize = 100_000;
const PATIENT: f64 = 4.0 * 3600.0;
/// Threads that the time is estimated for: those there are would make the result depend on their number.
const THREADS: f64 = 2.0;
/// Part of the time left that solving may be estimated to take: the estimate is rough, and the rest is for all else.
const TIME_PART: f64 = 0.4;
/// Up to this number of samples a problem is not divided for a deadline (conventional).
const QUICK: usize = 1_250;
/// Samples of the smallest blocks that are made of a problem for want of memory or time.
const LEAST: usize = 100;

fn refusal(sizes: &Sizes, blocks: usize, limit: f64) -> Error {
    let needed = gigabytes(sizes.total(blocks, 1));
    let limit_text = gigabytes(limit);
    let enough = (blocks + 1..=sizes.samples / 2).find(|blocks| sizes.total(*blocks, 1) <= limit);
    let remedy = match enough {
        Some(enough) => format!("divide the samples into {enough} blocks or more (--blocks {enough})"),
        None if sizes.cuts != Cuts::None => {
            "no number of blocks helps: raise the limit, or leave out the cuts".into()
        }
        None => "no number of blocks helps: raise the limit, or leave out samples or features".into(),
    };
    Error::Input(format!(
        "{} samples in {blocks} block{} are estimated to take {needed} of memory, and the limit is {limit_text}; {remedy}",
        sizes.samples,
        if blocks == 1 { "" } else { "s" },
    ))
}

fn gigabytes(bytes: f64) -> String {
    if bytes < 1e9 { format!("{:.0} MB", bytes / 1e6) } else { format!("{:.1} GB", bytes / 1e9) }
}
