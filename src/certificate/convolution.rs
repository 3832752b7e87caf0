//! The bound of a convolutional problem: a claim about W copied to the patches, proved by branch and bound.
//!
//! If |W̃ᵀ(Xu)₊| ≤ PQ·γ|u| for all u, X being the patches of all samples and W̃ copies of W ([`Lifted`]), then no
//! convolutional network has an objective below ⟨W, Y⟩ − ½‖W‖²: docs/convolution.md. Equal patches are searched as one,
//! their rows of W̃ added up; with k of them the sum errs by at most γ_k Σ|w|, and the error of all of them is taken off the
//! level. Nothing else is rounded between W and W̃, or between images and X; the level PQ·γ is rounded downwards.

use super::branch::{NeuronClaim, ProvedLevel, Search, SearchProgress, SearchSettings};
use super::cholesky::gamma;
use super::{Grade, Proof, ProofSettings, prove};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::problem::convolution::{ConvolutionalProblem, Lifted};
use faer::{Mat, MatRef};

/// A W for a convolutional problem, prepared for searches at several levels.
#[derive(Debug)]
pub struct ConvolutionalClaim<'a> {
    lifted: &'a Lifted<'a>,
    w: Mat<f64>,
    neuron: NeuronClaim<'a>,
    /// At least Σ|w_i||x_ik| over all patches, equal ones one by one.
    reach: f64,
    /// At least what adding up rows of W̃ has changed of |W̃ᵀ(Xu)₊|/|u|.
    error: f64,
}

impl<'a> ConvolutionalClaim<'a> {
    /// For W (n × c). Errors as [`NeuronClaim::new`].
    pub fn new(lifted: &'a Lifted<'a>, w: Mat<f64>) -> Result<Self> {
        let problem = lifted.problem();
        if w.shape() != problem.targets().shape() {
            return Err(Error::Shape {
                what: "certificate W",
                expected: format!("{} × {}", problem.samples(), problem.outputs()),
                actual: format!("{} × {}", w.nrows(), w.ncols()),
            });
        }
        let neuron = NeuronClaim::new(lifted.patches(), lifted.weights(w.as_ref()))?;
        let features = lifted.patches().features();
        let sizes: Vec<f64> =
            (0..features.nrows()).map(|row| features.row(row).iter().map(|x| x.abs()).sum()).collect();
        let norms: Vec<f64> = (0..w.nrows()).map(|i| w.row(i).iter().map(|w| w.abs()).sum()).collect();
        let positions = problem.shape().positions();
        let terms = lifted.place().iter().enumerate();
        let sum: f64 =
            terms.map(|(patch, row)| row.map_or(0.0, |row| norms[patch / positions] * sizes[row])).sum();
        // Sums of nonnegative terms are right to 1 %, but for products that underflow.
        let reach = 1.01 * sum + lifted.place().len() as f64 * 2.0 * f64::MIN_POSITIVE;
        let error = 1.01 * gamma(lifted.most_equal()) * reach;
        Ok(Self { lifted, w, neuron, reach, error })
    }

    /// W, n × c.
    pub fn w(&self) -> MatRef<'_, f64> {
        self.w.as_ref()
    }

    /// The number of directions that are searched.
    pub fn dimension(&self) -> usize {
        self.neuron.dimension()
    }

    /// Searches at a level M of |W̃ᵀ(Xu)₊| ≤ M|u|; the claim itself is M = PQ·γ, the weight decay of the patches.
    pub fn search(
        &self,
        level: f64,
        settings: &SearchSettings,
        control: &Control,
        progress: &mut dyn FnMut(SearchProgress),
    ) -> Search<'_> {
        // Rounded downwards; a level that is not positive proves nothing.
        self.neuron.search((level - self.error).next_down(), settings, control, progress)
    }

    /// The W that is proved, the best multiple of this claim's within the level, and its bound.
    pub fn certify(&self, proved: ProvedLevel<'_>) -> Result<(Mat<f64>, Proof)> {
        // Twice the error: what `verify` takes off for the stored W is less than that much of it.
        let most =
            self.neuron.most_multiple(proved, 2.0 * self.error, self.reach, self.lifted.place().len())?;
        let targets = self.lifted.problem().targets();
        let t = super::branch::multiple_within(targets, self.w.as_ref(), most);
        // The same rounding as that of W̃, whose entries are copies.
        let w = Mat::from_fn(self.w.nrows(), self.w.ncols(), |i, j| t * self.w[(i, j)]);
        let proof = proof(self.lifted.problem(), w.as_ref())?;
        Ok((w, proof))
    }
}

/// The proof of a W whose claim is proved.
fn proof(problem: &ConvolutionalProblem, w: MatRef<'_, f64>) -> Result<Proof> {
    let bound = prove::value_below(problem.targets(), w)
        .ok_or_else(|| Error::Refused("the value of the bound is not finite".into()))?;
    Ok(Proof { lower_bound: bound.max(0.0), grade: Grade::Verified, failure_probability: 0.0, blocks: 1 })
}

/// Proves the bound of a stored W (n × c) anew, from the problem and W alone; grade [`Grade::None`] where the budget or the time
/// of the settings ends the search.
///
/// Errors: settings out of range, a W that does not fit or violates its claim.
pub fn prove_convolution(
    problem: &ConvolutionalProblem,
    w: MatRef<'_, f64>,
    settings: &ProofSettings,
) -> Result<Proof> {
    settings.validate()?;
    let control = settings.time.map_or_else(Control::new, |time| Control::new().within(time));
    let lifted = problem.lifted()?;
    let claim = ConvolutionalClaim::new(&lifted, w.to_owned())?;
    let search = claim.search(lifted.patches().weight_decay(), &settings.search, &control, &mut |_| {});
    if search.proved.is_some() {
        return proof(problem, w);
    }
    match search.violators.first() {
        Some(u) => Err(Error::Refused(format!("W does not satisfy its claim at the filter u = {u:.3?}"))),
        None => Ok(Proof { lower_bound: 0.0, grade: Grade::None, failure_probability: 0.0, blocks: 1 }),
    }
}
