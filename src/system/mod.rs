//! What the system gives: memory, free and taken, and random numbers by purpose.

pub(crate) mod memory;
pub(crate) mod stream;
