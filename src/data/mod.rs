//! Data sets: reading, encoding, standardising and generating them.
//!
//! ```
//! use relucert::data::{CsvOptions, load};
//!
//! let iris = load("iris", &CsvOptions::default())?.standardized().with_bias();
//! assert_eq!(iris.target_names(), ["setosa", "versicolor", "virginica"]);
//! let problem = iris.problem(5.0)?;
//! assert_eq!((problem.samples(), problem.inputs(), problem.outputs()), (150, 5, 3));
//! # Ok::<(), relucert::Error>(())
//! ```

mod catalogue;
mod columns;
mod compression;
mod csv_reader;
mod csv_writer;
mod dataset;
mod encoding;
mod npy;
mod options;
mod parquet;
mod preparation;
mod scaling;
mod source;
mod split;
mod svmlight;
mod synthetic;
mod text;

pub use catalogue::BUILT_IN;
pub use csv_reader::{parse_csv, read_csv};
pub use csv_writer::write_csv;
pub use dataset::{Dataset, Task};
pub use npy::{parse_npy, parse_npz};
pub use options::CsvOptions;
pub use preparation::Preparation;
pub use source::{Source, load, load_like};
pub use svmlight::parse_svmlight;
pub use synthetic::{SpiralSettings, TeacherSettings, spiral, teacher};
