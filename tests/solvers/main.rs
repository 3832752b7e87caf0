//! The solvers piece by piece: derivatives, spectra, published values, training, and what others compute.

#[path = "../common/mod.rs"]
mod common;

mod agreement;
mod hessian_product;
mod iterative;
mod lanczos;
#[cfg(feature = "lapack")]
mod lapack;
mod prices;
mod reference;
mod scan;
mod sketch;
mod solver;
mod sparse_newton;
#[cfg(feature = "lapack")]
mod third_opinion;
mod training;
