//! Linear algebra: dense factorisations, products with sparse matrices, kernels on slices, Lanczos.

pub(crate) mod dense;
pub mod lanczos;
pub(crate) mod sparse;
pub(crate) mod vector;
