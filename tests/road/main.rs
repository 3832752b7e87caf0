//! The road by branch and bound from end to end: through the library, the files and the command line.

#[path = "../common/mod.rs"]
mod common;

mod budgets;
mod checkpoint;
mod command_line;
mod data;
mod files;
mod optimum;
mod tools;
