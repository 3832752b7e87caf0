//! Which whitening the coordinates of a training come from.

/// How sparse features are brought near the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Whitening {
    /// By the singular value decomposition of a dense copy.
    Exact,
    /// Each column divided by its norm.
    Columns,
    /// The same, and then a randomised low-rank correction for the directions that stand out.
    Randomised,
    /// Not at all.
    None,
}
