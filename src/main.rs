//! The program: parse, call, exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    civicum_tune::cli::main()
}
