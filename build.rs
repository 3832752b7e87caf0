//! Links the system's OpenBLAS, and only under the feature `lapack`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_LAPACK").is_some() {
        println!("cargo::rustc-link-lib=openblas");
    }
}
