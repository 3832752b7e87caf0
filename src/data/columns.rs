//! Which columns of a table are targets, which are features and which are left out.

use super::options::CsvOptions;
use super::text::listed;
use crate::error::{Error, Result};

/// Columns by their place.
pub(super) struct Columns {
    /// In the order asked for.
    pub(super) targets: Vec<usize>,
    /// In the order asked for, else from left to right.
    pub(super) features: Vec<usize>,
    /// Those that count the rows, and were not asked for by name.
    pub(super) indices: Vec<usize>,
}

impl Columns {
    /// `counting` are the columns that only count the rows. Without a target named it is the last column that is left.
    pub(super) fn choose(
        name: &str,
        header: &[String],
        options: &CsvOptions,
        counting: &[usize],
    ) -> Result<Self> {
        let dropped = found(name, header, &options.drop, "column to drop")?;
        let mut targets = found(name, header, &options.targets, "target")?;
        let wanted = found(name, header, &options.features, "feature")?;
        let indices: Vec<usize> = counting
            .iter()
            .copied()
            .filter(|column| ![&dropped, &targets, &wanted].iter().any(|named| named.contains(column)))
            .collect();
        let left: Vec<usize> = (0..header.len())
            .filter(|column| !dropped.contains(column) && !indices.contains(column))
            .collect();
        let twice = |column: usize, first: &str, second: &str| {
            Error::Input(format!(
                "{name}: column '{}' is named as {first} and as {second}; name it once",
                header[column]
            ))
        };
        if let Some(column) = targets.iter().chain(&wanted).find(|column| dropped.contains(column)) {
            let what = if targets.contains(column) { "a target" } else { "a feature" };
            return Err(twice(*column, what, "one to drop"));
        }
        if let Some(column) = targets.iter().find(|column| wanted.contains(column)) {
            return Err(twice(*column, "a target", "a feature"));
        }
        if targets.is_empty() {
            targets = left.last().copied().into_iter().collect();
            if let Some(column) = targets.iter().find(|column| wanted.contains(column)) {
                return Err(Error::Input(format!(
                    "{name}: the last column '{}' is the target, and named as a feature; name the target too",
                    header[*column]
                )));
            }
        }
        let features = match wanted.is_empty() {
            true => left.into_iter().filter(|column| !targets.contains(column)).collect(),
            false => wanted,
        };
        if features.is_empty() || targets.is_empty() {
            return Err(Error::Input(format!(
                "{name}:1: no column is left for a feature; it needs two columns or more, separated by commas, semicolons, tabs or spaces"
            )));
        }
        Ok(Self { targets, features, indices })
    }
}

impl Columns {
    /// The features of these names, for a table without targets.
    pub(super) fn named(name: &str, header: &[String], wanted: &[String]) -> Result<Vec<usize>> {
        found(name, header, wanted, "feature")
    }
}

/// The columns of these names.
fn found(name: &str, header: &[String], wanted: &[String], what: &str) -> Result<Vec<usize>> {
    let mut columns = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        let mut found = (0..header.len()).filter(|&column| header[column] == *wanted);
        let Some(column) = found.next() else {
            return Err(Error::Input(format!(
                "{name}: no column '{wanted}'; the columns are {}",
                listed(header)
            )));
        };
        if found.next().is_some() {
            return Err(Error::Input(format!(
                "{name}:1: two columns are called '{wanted}'; rename one of them"
            )));
        }
        if columns.contains(&column) {
            return Err(Error::Input(format!("{name}: {what} '{wanted}' is named twice; name it once")));
        }
        columns.push(column);
    }
    Ok(columns)
}
