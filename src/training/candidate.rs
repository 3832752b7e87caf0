//! A neuron that a search proposes.

/// A direction with ‖u‖ = 1 and its ratio ‖Wᵀ(Xu)₊‖ / γ.
pub(super) struct Candidate {
    pub direction: Vec<f64>,
    pub ratio: f64,
}
