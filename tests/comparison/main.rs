//! Methods from the literature, each against a value computed another way, and their comparison.

#[path = "../common/mod.rs"]
mod common;

mod arrangements;
mod baselines_exact;
mod descent;
mod gated;
mod kernels;
mod rows;
mod sets;
mod splitting;
mod stationary_gap;
