//! Orders beyond what a test run should wait for: `cargo test --release --test slow -- --ignored --nocapture`.

mod large;
