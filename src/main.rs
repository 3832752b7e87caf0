//! The command line of `relucert`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
