//! What a reader of data is told.

use super::Task;

/// How to read a data file.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct CsvOptions {
    /// Names of the target columns; empty means the last column that is not left out.
    pub targets: Vec<String>,
    /// What the target means.
    pub task: Task,
    /// Names of columns to leave out, whatever they hold.
    pub drop: Vec<String>,
    /// Names of the features; empty means every column that is neither a target nor left out.
    pub features: Vec<String>,
}

impl CsvOptions {
    /// Whether features are chosen by name.
    pub(super) fn chooses_features(&self) -> bool {
        !self.drop.is_empty() || !self.features.is_empty()
    }
}
