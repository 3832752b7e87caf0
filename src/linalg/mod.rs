//! Linear algebra: dense factorisations, products with sparse matrices, kernels on slices, Lanczos,
//! conjugate gradients.

pub(crate) mod conjugate;
pub(crate) mod dense;
pub mod lanczos;
pub(crate) mod sparse;
pub(crate) mod vector;
pub(crate) mod z_matrix;
