//! What must be believed: certificates, and everything that must not pass for one.

#[path = "../common/mod.rs"]
mod common;

mod blocks;
mod branch;
mod certificate;
mod contract;
#[cfg(feature = "serde")]
mod convolution;
mod cuts;
mod exact;
mod forgery;
mod hostile;
mod network;
mod perturbations;
mod positive;
mod probabilistic;
mod sparse;
