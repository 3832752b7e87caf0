//! A report as text, as a table and as pictures.

pub(crate) mod page;
pub(crate) mod path_table;
pub(crate) mod pictures;
pub(crate) mod provenance;
pub(crate) mod summary;
pub(crate) mod table;
