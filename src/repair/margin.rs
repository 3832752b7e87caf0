//! Room for a proof without a factorisation of the whole slack: a little of every diagonal entry, paid for by τ.

use crate::dual::{Basis, DualPoint, Slack};
use crate::error::Result;
use crate::linalg::dense::{product, symmetric_eigenvalues};
use crate::problem::TrainingProblem;
use faer::Mat;

/// (tW, τ(y − 2η), τN) with η_i = `margin` times the diagonal entry of s_i, for which the slack has at least `margin` of
/// every diagonal entry to spare if it was positive semidefinite before. None if no W is left.
///
/// Time and memory are linear in the samples: q + Σ η_i(s_i² − (x_iᵀu)²) ⪰ Σ η_i s_i² − λ_max(XᵀηX)|u|², and
/// τ[...] + (1 − τ)γ|u|² pays for the last term and for `margin`·γ|u|² besides.
pub(crate) fn with_margin(
    problem: &TrainingProblem,
    dual: &DualPoint,
    margin: f64,
) -> Result<Option<DualPoint>> {
    let (inner, square) = dual.inner_products(problem);
    if !(inner > 0.0 && square > 0.0 && (inner / square).is_finite()) {
        return Ok(None);
    }
    let gamma = problem.weight_decay();
    let basis = Basis::of(problem);
    let slack = Slack::unscaled(problem, dual, &basis)?;
    let eta: Vec<f64> = slack.sample_diagonal().iter().map(|value| margin * value.abs()).collect();
    let weighted = Mat::from_fn(slack.samples(), slack.inputs(), |i, j| eta[i] * slack.g[(i, j)]);
    let gram = product(slack.g.transpose(), weighted.as_ref());
    let price = symmetric_eigenvalues(gram.as_ref()).and_then(|values| values.last().copied());
    let Some(price) = price.filter(|price| price.is_finite()) else { return Ok(None) };
    let tau = 1.0 / (1.0 + price.max(0.0) / gamma + margin);
    let t = tau.sqrt().min(inner / square);
    let point = DualPoint {
        w: Mat::from_fn(dual.w.nrows(), dual.w.ncols(), |i, j| t * dual.w[(i, j)]),
        y: dual.y.iter().zip(&eta).map(|(y, e)| tau * (y - 2.0 * e)).collect(),
        pairs: dual.pairs.clone(),
        n: dual.n.iter().map(|value| tau * value).collect(),
        cuts: dual.cuts.clone(),
    };
    Ok(point.check(problem).is_ok().then_some(point))
}
