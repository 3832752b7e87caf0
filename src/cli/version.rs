//! Which program this is.

/// Of the package.
pub(super) const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// Of the sources it was built from, where that is known; `+` after it where they had been changed.
pub(super) const REVISION: Option<&str> = option_env!("RELUCERT_BUILT_FROM");

/// What `--version` says.
pub(super) const VERSION: &str = match option_env!("RELUCERT_LONG_VERSION") {
    Some(version) => version,
    None => NUMBER,
};
