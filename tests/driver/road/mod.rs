//! The road by branch and bound from end to end: through the library, the files and the command line.

mod budgets;
mod checkpoint;
mod command_line;
mod data;
mod files;
mod optimum;
mod tools;
