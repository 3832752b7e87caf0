//! The weight decays of a path, from the least one at which a network is of no use downwards.

use crate::certificate::branch::{NeuronClaim, SearchSettings};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::problem::{Network, TrainingProblem};
use crate::training::{TrainingSettings, stationarity};
use std::str::FromStr;

/// Values of a path, and the last of them as a part of the first, unless asked otherwise (conventional).
const COUNT: usize = 20;
const DEPTH: f64 = 1e-3;
/// Most values (conventional).
const MOST: usize = 1000;
/// The first guess, as a part of ‖X‖‖Y‖, from which the least weight decay is searched.
const GUESS: f64 = 0.1;
/// How far above the largest value found the claim is put to the proof, and dimensions and visits that it may take.
const ABOVE: f64 = 1e-3;
const DIMENSIONS: usize = 8;
const VISITS: u64 = 200_000_000;
/// Times that a proof may find a larger value and start again.
const TRIES: usize = 4;

/// Weight decays that are tried, the largest first.
#[derive(Clone, Debug, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Gammas {
    /// Twenty from the least at which the zero network is optimal to a thousandth of it, in equal ratios.
    #[default]
    Auto,
    /// `count` from one to the other in equal ratios.
    Range {
        /// The first.
        from: f64,
        /// The last.
        to: f64,
        /// How many, at least 2.
        count: usize,
    },
    /// These.
    List(Vec<f64>),
}

impl FromStr for Gammas {
    type Err = Error;

    /// `auto`, `FROM:TO:COUNT`, or numbers with commas between them.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::Parameter {
            name: "gammas",
            value: text.into(),
            range: "auto, FROM:TO:COUNT or positive numbers with commas between them",
        };
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let positive = |text: &str| {
            let value = text.trim().parse::<f64>().ok();
            value.filter(|value| value.is_finite() && *value > 0.0).ok_or_else(wrong)
        };
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [from, to, count] => {
                let count = count.trim().parse().map_err(|_| wrong())?;
                let (from, to) = (positive(from)?, positive(to)?);
                if !(2..=MOST).contains(&count) || from == to {
                    return Err(wrong());
                }
                Ok(Self::Range { from: from.max(to), to: from.min(to), count })
            }
            [list] => Ok(Self::List(list.split(',').map(positive).collect::<Result<_>>()?)),
            _ => Err(wrong()),
        }
    }
}

impl Gammas {
    /// The values, the largest first, each once.
    pub(super) fn values(&self, least_zero: f64) -> Result<Vec<f64>> {
        let mut values = match self {
            Self::Auto => range(least_zero, DEPTH * least_zero, COUNT),
            Self::Range { from, to, count } => range(*from, *to, *count),
            Self::List(list) => list.clone(),
        };
        values.sort_by(|a, b| b.total_cmp(a));
        values.dedup();
        if values.is_empty() || values.len() > MOST || !values.iter().all(|g| g.is_finite() && *g > 0.0) {
            return Err(Error::Parameter {
                name: "gammas",
                value: format!("{} values", values.len()),
                range: "from 1 to 1000 positive numbers",
            });
        }
        Ok(values)
    }
}

fn range(from: f64, to: f64, count: usize) -> Vec<f64> {
    let step = (to / from).ln() / (count.max(2) - 1) as f64;
    let mut values: Vec<f64> = (0..count).map(|k| from * (step * k as f64).exp()).collect();
    if let Some(last) = values.last_mut() {
        *last = to;
    }
    values
}

/// max over u of |Yᵀ(Xu)₊|/|u|: from this weight decay on, the network without neurons is optimal.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LeastZeroDecay {
    /// ESTIMATE from below: the largest value that a search over directions found.
    pub estimate: f64,
    /// A weight decay from which on no network is better than none, proved by branch and bound; none in many dimensions.
    pub proved: Option<f64>,
}

/// Finds the least weight decay at which the zero network is optimal, whatever that of the problem.
///
/// At the zero network the residual is Y, and no neuron pays if |Yᵀ(Xu)₊| ≤ γ|u| for all u: the maximum over directions is
/// the answer. It is found by the search of training, and in up to eight dimensions held against branch and bound. Zero
/// where X or Y is zero.
pub fn least_zero_decay(
    problem: &TrainingProblem,
    training: &TrainingSettings,
    control: &Control,
) -> Result<LeastZeroDecay> {
    let mut estimate =
        GUESS * (problem.stored_features().squared_norm() * problem.targets().squared_norm_l2()).sqrt();
    if estimate == 0.0 {
        return Ok(LeastZeroDecay { estimate: 0.0, proved: Some(0.0) });
    }
    let empty = Network::empty(problem.inputs(), problem.outputs());
    // Twice: the search is scaled by the weight decay.
    for _ in 0..2 {
        let scaled = with_weight_decay(problem, estimate)?;
        let ratio = stationarity(&scaled, &empty, training, control);
        if ratio > 0.0 && ratio.is_finite() {
            estimate *= ratio;
        }
    }
    let scaled = with_weight_decay(problem, estimate)?;
    // More dimensions than a search takes are refused.
    let Ok(claim) = NeuronClaim::new(&scaled, scaled.targets().to_owned()) else {
        return Ok(LeastZeroDecay { estimate, proved: None });
    };
    let mut proved = None;
    let settings = SearchSettings { visits: VISITS, ..SearchSettings::default() };
    for _ in 0..if claim.dimension() <= DIMENSIONS { TRIES } else { 0 } {
        let search = claim.search((1.0 + ABOVE) * estimate, &settings, control, &mut |_| {});
        proved = search.proved.map(|level| level.value());
        if proved.is_some() || search.largest <= estimate {
            break;
        }
        estimate = search.largest;
    }
    Ok(LeastZeroDecay { estimate, proved })
}

fn with_weight_decay(problem: &TrainingProblem, weight_decay: f64) -> Result<TrainingProblem> {
    TrainingProblem::new(problem.stored_features().clone(), problem.targets().to_owned(), weight_decay)
}
