//! The command line as a whole process: output, exit status, messages, files.

#[path = "../common/mod.rs"]
mod common;

mod checkpoint_kill;
mod command_line;
mod compare_command;
mod data_command;
mod network_file;
mod pictures;
mod verify_command;
