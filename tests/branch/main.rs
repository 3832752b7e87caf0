//! The search that proves |Wᵀ(Xu)₊| ≤ M|u|: what it proves is decided again in exact arithmetic.

#[path = "../exact/dyadic.rs"]
#[allow(dead_code)]
mod dyadic;

mod awkward;
mod kernels;
mod maximum;
mod search;
mod tiny;
