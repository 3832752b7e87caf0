//! The command line as a whole process: output, exit status, messages, files.

#[path = "../common/mod.rs"]
mod common;

mod checkpoint_kill;
mod command_line;
mod compare_command;
mod convolution;
mod data_command;
mod export;
mod network_file;
mod page;
mod path_command;
mod pictures;
mod predict;
mod progress;
mod schema;
mod shell;
mod verify_command;
