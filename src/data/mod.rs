//! Data sets: reading, encoding, standardising and generating them.

mod catalogue;
mod csv_reader;
mod csv_writer;
mod dataset;
mod encoding;
mod synthetic;

pub use catalogue::{BUILT_IN, load};
pub use csv_reader::{CsvOptions, parse_csv, read_csv};
pub use csv_writer::write_csv;
pub use dataset::{Dataset, Task};
pub use synthetic::{SpiralSettings, TeacherSettings, spiral, teacher};
