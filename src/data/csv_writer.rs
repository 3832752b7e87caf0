//! Writing a data set as CSV.

use super::Dataset;
use std::io::{self, Write};

/// Writes a header and one row a sample, so that `parse_csv` with the same target columns reads the same bits.
///
/// A classification gets one last column `label`. The bias column is left out: it is asked for when reading.
///
/// Sparse features are written in full; too many of them are an error.
pub fn write_csv(dataset: &Dataset, output: impl Write) -> io::Result<()> {
    // A first field that begins like a comment is quoted.
    let mut writer = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(output);
    let features = dataset.features().to_dense().map_err(io::Error::other)?;
    let columns = features.ncols() - usize::from(dataset.has_bias());
    let targets = dataset.targets();
    let label = ["label".to_string()];
    let target_names = if dataset.is_classification() { &label[..] } else { dataset.target_names() };
    writer.write_record(dataset.feature_names()[..columns].iter().chain(target_names))?;
    for row in 0..features.nrows() {
        for column in 0..columns {
            writer.write_field(features[(row, column)].to_string())?;
        }
        if dataset.is_classification() {
            let class = (0..targets.ncols()).find(|&class| targets[(row, class)] == 1.0);
            writer.write_field(class.map_or("", |class| &dataset.target_names()[class]))?;
        } else {
            for column in 0..targets.ncols() {
                writer.write_field(targets[(row, column)].to_string())?;
            }
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.flush()
}
