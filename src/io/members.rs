//! The arrays of the files of a saved run. Any other array in one of them is refused: who reads it may mean something by it.

/// Of `problem.npz`.
pub(crate) const PROBLEM: &[&str] = &["X", "X_shape", "X_indptr", "X_indices", "X_data", "Y", "gamma"];

/// Of the `problem.npz` of a convolutional problem.
pub(crate) const CONVOLUTION: &[&str] = &["X", "Y", "gamma", "image", "filter", "stride", "pool"];

/// Of `network.npz`.
pub(crate) const NETWORK: &[&str] = &["U", "V"];

/// Of `certificate.npz`.
pub(crate) const CERTIFICATE: &[&str] = &[
    "W",
    "branch",
    "y",
    "pairs",
    "N",
    "block",
    "head",
    "form_target",
    "form_indptr",
    "form_index",
    "form_coef",
];
