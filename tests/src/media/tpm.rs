//! The file that a software TPM's memory is.

use std::time::{SystemTime, UNIX_EPOCH};

use lethe_roots_testing::Swtpm;

use super::{Root, Wrapping};

/// Bytes of a root: version ‖ use ‖ root id 16 ‖ seconds since 1970, u64 ‖ key 32.
const LENGTH: usize = 58;
/// How old a root of a test may be, in seconds: what else in the memory begins like one was not made just now.
const AGE: u64 = 86_400;

/// Everything in the memory that is a root, whether an index has it or what is left of one. `docs/FORMAT.md` says what is in an
/// index; where libtpms keeps it is nobody's promise, so all of it is looked through.
pub(super) fn roots(tpm: &Swtpm) -> Vec<Root> {
    // It is written anew and renamed with every change, so it is always there.
    let memory = std::fs::read(tpm.memory()).expect("a TPM that has started has a memory");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let root = |bytes: &[u8]| {
        let made = u64::from_be_bytes(bytes[18..26].try_into().expect("eight bytes"));
        let is_root = bytes[0] == 1 && (1..=2).contains(&bytes[1]) && made.abs_diff(now) < AGE;
        let id = bytes[2..18].try_into().expect("sixteen bytes");
        let key: [u8; 32] = bytes[26..].try_into().expect("thirty-two bytes");
        // One that was overwritten is none.
        (is_root && key != [0; 32]).then_some(Root { id, key, wrapping: Wrapping::Derived(*b"lethe/v1/tpm2-nv") })
    };
    memory.windows(LENGTH).filter_map(root).collect()
}
