//! Notes the revision of the sources, and links the system's OpenBLAS under the feature `lapack`.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_LAPACK").is_some() {
        println!("cargo::rustc-link-lib=openblas");
    }
    if env::var_os("CARGO_FEATURE_CLI").is_some()
        && let Some(revision) = revision()
    {
        let number = env::var("CARGO_PKG_VERSION").unwrap_or_default();
        println!("cargo::rustc-env=RELUCERT_BUILT_FROM={revision}");
        println!("cargo::rustc-env=RELUCERT_LONG_VERSION={number} ({revision})");
    }
}

/// `RELUCERT_REVISION` where it is set (empty for unknown), else what git says of this folder, else what cargo packed.
fn revision() -> Option<String> {
    println!("cargo::rerun-if-env-changed=RELUCERT_REVISION");
    if let Ok(given) = env::var("RELUCERT_REVISION") {
        return Some(given).filter(|given| !given.is_empty());
    }
    // A folder inside another project's repository is not that project's revision.
    if !Path::new(".git").exists() {
        return packed();
    }
    let head = git(&["rev-parse", "--short=12", "HEAD"])?;
    // The log grows with every commit and checkout.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    let sources = ["src", "datasets", "Cargo.toml", "Cargo.lock", "build.rs"];
    sources.iter().for_each(|source| println!("cargo::rerun-if-changed={source}"));
    let changed = git(&[&["status", "--porcelain", "--"], &sources[..]].concat())?;
    Some(if changed.is_empty() { head } else { head + "+" })
}

/// The revision in a package made by `cargo package`.
fn packed() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let after = text.split("\"sha1\"").nth(1)?.split('"').nth(1)?;
    Some(after.chars().take(12).collect())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("--no-optional-locks")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().into())
}
