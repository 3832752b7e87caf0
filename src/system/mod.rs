//! What the system tells: memory, free and taken.

pub(crate) mod memory;
