//! `lethe` for crash tests: the same command, with failpoints that the variable `FAILPOINTS` arms.
//!
//! It can be told to die at any durable step, and to erase nothing (`epoch-redraws-nothing`), so it is never to be
//! installed. It exists only with the feature `failpoints`; in `lethe` itself there is not a trace of them.

use std::process::ExitCode;

fn main() -> ExitCode {
    let _armed = fail::FailScenario::setup();
    lethe_vault::cli::main()
}
