//! The search that proves |Wᵀ(Xu)₊| ≤ M|u|: what it proves is decided again in exact arithmetic.

mod awkward;
mod kernels;
mod maximum;
mod search;
mod tiny;
