//! Linear algebra: dense and sparse factorisations, products with sparse matrices, kernels on slices, Lanczos,
//! conjugate gradients.

pub(crate) mod arrow;
pub(crate) mod conjugate;
pub(crate) mod dense;
pub mod lanczos;
pub(crate) mod least_degree;
pub(crate) mod sparse;
pub(crate) mod vector;
pub(crate) mod z_matrix;
