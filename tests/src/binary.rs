use std::path::PathBuf;

/// Names another binary to test.
const VARIABLE: &str = "LETHE_BIN";

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

/// `target/release/lethe`, as seen from `target/release/deps/<test>`.
fn beside() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let built = test.parent().and_then(std::path::Path::parent);
    built.expect("a test lies below the target folder").join("lethe")
}
