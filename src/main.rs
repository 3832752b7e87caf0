//! The command line of `relucert`.

mod cli;
mod render;

fn main() -> std::process::ExitCode {
    cli::main()
}
