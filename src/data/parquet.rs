//! Parquet, under the feature of that name: flat columns of numbers, text or truth values.

use crate::error::{Error, Result};

/// The table as CSV text, every number as the shortest decimal that is read back as itself.
#[cfg(not(feature = "parquet"))]
pub(super) fn as_text(_: &[u8], name: &str) -> Result<Vec<u8>> {
    Err(Error::Input(format!(
        "{name}: this build does not read Parquet; build it with --features parquet, or write CSV (pandas: DataFrame.to_csv)"
    )))
}

/// The table as CSV text, every number as the shortest decimal that is read back as itself.
#[cfg(feature = "parquet")]
pub(super) fn as_text(bytes: &[u8], name: &str) -> Result<Vec<u8>> {
    use parquet::file::reader::{FileReader, SerializedFileReader};

    let wrong = |error: parquet::errors::ParquetError| {
        Error::Input(format!("{name}: not readable as Parquet ({error}); write it again"))
    };
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).map_err(wrong)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let header: Vec<String> = schema
        .root_schema()
        .get_fields()
        .iter()
        // What pandas calls an index without a name.
        .map(
            |field| {
                if field.name().starts_with("__index_level_") { String::new() } else { field.name().into() }
            },
        )
        .collect();
    let damaged = |error: csv::Error| Error::Input(format!("{name}: {error}"));
    writer.write_record(&header).map_err(damaged)?;
    for row in reader.get_row_iter(None).map_err(wrong)? {
        let row = row.map_err(wrong)?;
        let cells = row.get_column_iter().map(|(column, field)| {
            cell(field).ok_or_else(|| {
                Error::Input(format!(
                    "{name}: column '{column}' is neither numbers nor text; drop it before it is written"
                ))
            })
        });
        writer.write_record(cells.collect::<Result<Vec<String>>>()?).map_err(damaged)?;
    }
    writer.into_inner().map_err(|error| Error::Input(format!("{name}: {error}")))
}

#[cfg(feature = "parquet")]
fn cell(field: &parquet::record::Field) -> Option<String> {
    use parquet::record::Field;

    Some(match field {
        Field::Null => String::new(),
        Field::Bool(value) => u8::from(*value).to_string(),
        Field::Byte(value) => value.to_string(),
        Field::Short(value) => value.to_string(),
        Field::Int(value) => value.to_string(),
        Field::Long(value) => value.to_string(),
        Field::UByte(value) => value.to_string(),
        Field::UShort(value) => value.to_string(),
        Field::UInt(value) => value.to_string(),
        Field::ULong(value) => value.to_string(),
        Field::Float(value) => f64::from(*value).to_string(),
        Field::Double(value) => value.to_string(),
        Field::Str(value) => value.clone(),
        _ => return None,
    })
}
