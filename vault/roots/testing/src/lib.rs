//! What tests of root stores run on: a SoftHSM token, an OpenBao server, a software TPM, each of one's own, gone with
//! the value. They show the protocol, not a medium.
//!
//! Nothing of a root store is linked in: these are programs, their folders and their ports.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a fixture fails by panicking: its caller is always a test"
)]

mod bao;
mod ports;
mod proxy;
mod softhsm;
mod swtpm;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

pub use bao::{Bao, ROOT_TOKEN};
pub use proxy::Proxy;
pub use softhsm::{LABEL, PIN, SoftHsm, module};
pub use swtpm::{SECRET, Swtpm, free_ports};

/// May tests of root stores be left out where their servers are not installed?
#[must_use]
pub fn skipped() -> bool {
    std::env::var("LETHE_SKIP_ROOT_STORES").is_ok_and(|value| value == "1")
}

/// Where a program is, or a test that fails and says how to get it.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let home = std::env::var("HOME").unwrap_or_default();
    let cache = std::env::var("XDG_CACHE_HOME").unwrap_or_else(|_| format!("{home}/.cache"));
    let path = std::env::var("PATH").unwrap_or_default();
    // Debian has daemons where a user's PATH does not look.
    let places = [format!("{cache}/lethe/openbao/bin"), "/usr/sbin".to_owned()].map(PathBuf::from);
    let places = std::env::split_paths(&path).chain(places);
    let mut found = places.map(|place| place.join(name)).filter(|path| path.is_file());
    found.next().unwrap_or_else(|| {
        panic!("{name} is not installed: run .ci/setup, or set LETHE_SKIP_ROOT_STORES=1 to leave these tests out")
    })
}

/// Sends a signal to a program.
fn signal(child: Option<&Child>, signal: Signal) {
    let pid = i32::try_from(child.expect("it runs").id()).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), signal).unwrap();
}

/// Writes a file that only its owner may read.
pub fn secret(path: &Path, content: impl AsRef<[u8]>) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
