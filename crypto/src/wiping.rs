//! Overwriting what handling secrets leaves on the stack and in registers, without unsafe code. Best effort: the tests that look through
//! a server's memory and registers find what it misses.

use std::hint::black_box;
use std::sync::LazyLock;

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use sha2::{Digest as _, Sha256};

/// Does what derives keys in a frame of its own, and wipes that with all that was called from it: the frames of finished calls still
/// hold key blocks and message schedules that the crates moved by value. What the compiler puts into
/// the caller's frame, that does not reach: round keys, say, on their way into a box. Nor does it reach what `work`
/// returns, which must be on the heap if it is secret.
pub fn after_hashing<T>(work: impl FnOnce() -> T) -> T {
    let wipe = || {
        cover_hash();
        wipe_stack();
    };
    after(wipe, work)
}

/// The same for what opens or seals, and for what compares or copies what was opened.
pub fn after_ciphers<T>(work: impl FnOnce() -> T) -> T {
    let wipe = || {
        cover_cipher();
        cover_hash();
        wipe_stack();
    };
    after(wipe, work)
}

fn after<T>(wipe: impl FnMut(), work: impl FnOnce() -> T) -> T {
    /// Wipes also when the work panics, and whoever catches that goes on.
    struct Wipe<W: FnMut()>(W);
    impl<W: FnMut()> Drop for Wipe<W> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    let _wipe = Wipe(wipe);
    apart(work)
}

#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Bytes. Keys were found 12,264 and 13,800 bytes below the head of a thread that had opened records, its own frames among
/// them, on a processor with VAES, where the cipher works on many blocks at once.
const WIPED_STACK: usize = 24 << 10;

#[inline(never)]
fn wipe_stack() {
    // The black box reads the zeros, so they are really written.
    black_box(&mut [0_u8; WIPED_STACK]);
}

/// Has the cipher work under a key that is no secret. On a processor with VAES it keeps all round keys in vector registers that
/// hardly anything else uses, until the thread opens or seals again; and a copy or comparison of secrets may use the same ones.
/// Passing the result on copies a kilobyte, which overwrites those that only copies use.
#[inline(never)]
fn cover_cipher() {
    // Enough for the path that works on 64 blocks at once, and for the one that takes what is left.
    const LENGTH: usize = 64 * 16 + 16;
    static PUBLIC: LazyLock<Aes256Gcm> = LazyLock::new(|| Aes256Gcm::new(&[0; 32].into()));
    let mut nothing = [0; LENGTH];
    let tag = PUBLIC.encrypt_inout_detached(&Nonce::from([0; 12]), &[], nothing.as_mut_slice().into());
    // The black box reads them, so they are really computed.
    let _ = black_box((tag, nothing));
}

/// Has the hash work on what is no secret. On a processor with SHA instructions it ends with its state, which for a derived key
/// is that key, in vector registers.
#[inline(never)]
fn cover_hash() {
    black_box(Sha256::digest([0; 64]));
}
