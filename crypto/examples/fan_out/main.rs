//! What the fan-out of the key tree costs: `make fan-out` builds this program once for each fan-out, and has the first of
//! them measure all, in turns.
//!
//! Bytes and pages are counted and the same in every run; times are ratios of neighbouring runs to the fan-out of 64. The
//! tree, its rewriting, the epoch writer and the file root store are the product's; the journal is in memory.

mod disk;
mod driver;
mod vault;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use lethe_crypto::BoxError;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let done: Result<(), BoxError> = match arguments.next().as_deref().and_then(|mode| mode.to_str()) {
        Some("worker") => worker::serve(),
        Some("measure") => driver::measure(&arguments.map(PathBuf::from).collect::<Vec<_>>()),
        Some(_) | None => Err("usage: fan_out measure PROGRAM…, each built with another LETHE_FAN_OUT".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fan_out: {error}");
            ExitCode::FAILURE
        }
    }
}
