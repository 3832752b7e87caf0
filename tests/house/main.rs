//! The house itself: which room may import from which.

mod architecture;
