//! The `lethe` command; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lethe_vault::cli::main()
}
