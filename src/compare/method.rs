//! The methods by name.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// A method that [`compare`](super::compare) can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum ComparedMethod {
    /// Variable projection with L-BFGS, neurons added and merged ([`crate::training`]).
    Train,
    /// Branch and bound over one neuron ([`crate::branch`]), its proved bound, and the network it ends with.
    Branch,
    /// The bound of Burer–Monteiro factorisations at the trained network ([`crate::baselines::stationary_gap`]).
    BurerMonteiro,
    /// The semidefinite relaxation, its proved bound, and the better of the trained and the polished network.
    Certify,
    /// Training from the solution of the relaxation ([`crate::rounding::polish`]).
    Polish,
    /// The solution of the relaxation rounded by three-operator splitting ([`crate::rounding::round`]).
    Splitting,
    /// Stochastic gradient descent with momentum ([`crate::baselines::descent`]).
    Sgd,
    /// Adam ([`crate::baselines::descent`]).
    Adam,
    /// A gated ReLU network over sampled patterns ([`crate::baselines::gated`]).
    Gated,
    /// A ReLU network over the same patterns ([`crate::baselines::gated`]).
    GatedRelu,
    /// Training to optimality over every activation pattern ([`crate::baselines::arrangements`]).
    Exact,
    /// Frank–Wolfe over every pattern ([`crate::baselines::frank_wolfe`]).
    FrankWolfe,
    /// The copositive relaxation over every pattern ([`crate::baselines::copositive`]).
    Copositive,
    /// Soft-thresholded singular values ([`crate::baselines::soft_threshold`]).
    SoftThreshold,
    /// Regression with the NNGP kernel ([`crate::baselines::kernels`]).
    Nngp,
    /// Regression with the neural tangent kernel ([`crate::baselines::kernels`]).
    Ntk,
}

impl ComparedMethod {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 16] = [
        Self::Train,
        Self::Branch,
        Self::BurerMonteiro,
        Self::Certify,
        Self::Polish,
        Self::Splitting,
        Self::Sgd,
        Self::Adam,
        Self::Gated,
        Self::GatedRelu,
        Self::Exact,
        Self::FrankWolfe,
        Self::Copositive,
        Self::SoftThreshold,
        Self::Nngp,
        Self::Ntk,
    ];

    /// Those that there are for a convolutional first layer.
    pub const CONVOLUTIONAL: [Self; 5] = [Self::Train, Self::Branch, Self::Sgd, Self::Adam, Self::Exact];

    /// The name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Branch => "branch",
            Self::BurerMonteiro => "burer-monteiro",
            Self::Certify => "certify",
            Self::Polish => "polish",
            Self::Splitting => "splitting",
            Self::Sgd => "sgd",
            Self::Adam => "adam",
            Self::Gated => "gated",
            Self::GatedRelu => "gated-relu",
            Self::Exact => "exact",
            Self::FrankWolfe => "frank-wolfe",
            Self::Copositive => "copositive",
            Self::SoftThreshold => "soft-threshold",
            Self::Nngp => "nngp",
            Self::Ntk => "ntk",
        }
    }

    /// What it is, in a few words.
    pub fn description(self) -> &'static str {
        match self {
            Self::Train => "variable projection, L-BFGS, neurons added and merged",
            Self::Branch => "branch and bound over one neuron, with a proved bound",
            Self::BurerMonteiro => "stationary network, its bound by a proved dual norm",
            Self::Certify => "semidefinite relaxation with a proved bound; the best network",
            Self::Polish => "network trained from the relaxation",
            Self::Splitting => "relaxation rounded by three-operator splitting",
            Self::Sgd => "stochastic gradient descent with momentum",
            Self::Adam => "Adam",
            Self::Gated => "gated ReLU over sampled patterns (convex)",
            Self::GatedRelu => "ReLU over sampled patterns (cone constraints)",
            Self::Exact => "every activation pattern, to optimality",
            Self::FrankWolfe => "Frank-Wolfe over every activation pattern",
            Self::Copositive => "copositive relaxation over every activation pattern",
            Self::SoftThreshold => "soft-thresholded singular values, for whitened samples",
            Self::Nngp => "infinite width, output weights learnt (NNGP kernel)",
            Self::Ntk => "infinite width, gradient flow (tangent kernel)",
        }
    }
}

impl fmt::Display for ComparedMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ComparedMethod {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            Error::Input(format!("no method is called '{name}'; there are {names}"))
        })
    }
}
