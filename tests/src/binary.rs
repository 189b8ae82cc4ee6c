use std::path::PathBuf;

/// Names another binary to test.
const VARIABLE: &str = "LETHE_BIN";
/// Names another binary with failpoints.
const FAILPOINTS_VARIABLE: &str = "LETHE_FAILPOINT_BIN";

/// Where the `lethe` binary is: where `LETHE_BIN` says, or next to the folder of the test executable.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn lethe() -> PathBuf {
    let path = std::env::var_os(VARIABLE).map_or_else(beside, PathBuf::from);
    assert!(
        path.is_file(),
        "there is no lethe at {}; build it first: cargo build --release --bin lethe (or name one with {VARIABLE})",
        path.display()
    );
    path
}

/// Where the `lethe-failpoints` binary is: where `LETHE_FAILPOINT_BIN` says, or beside `lethe`.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn lethe_failpoints() -> PathBuf {
    let beside = || lethe().with_file_name("lethe-failpoints");
    let path = std::env::var_os(FAILPOINTS_VARIABLE).map_or_else(beside, PathBuf::from);
    assert!(
        path.is_file(),
        "there is no lethe-failpoints at {}; build it first: cargo build --release --workspace --features \
         lethe-vault/failpoints --bin lethe-failpoints (or name one with {FAILPOINTS_VARIABLE})",
        path.display()
    );
    path
}

/// Where the recorder of what servers write is: beside `lethe`.
///
/// # Panics
/// When there is none.
pub(crate) fn recorder() -> PathBuf {
    let path = lethe().with_file_name("liblethe_recorder.so");
    assert!(
        path.is_file(),
        "there is no recorder at {}; build it first: cargo build --release --workspace --lib",
        path.display()
    );
    path
}

/// `target/release/lethe`, as seen from `target/release/deps/<test>`.
fn beside() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let built = test.parent().and_then(std::path::Path::parent);
    built.expect("a test lies below the target folder").join("lethe")
}
