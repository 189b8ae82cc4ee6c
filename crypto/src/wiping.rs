//! Overwriting what handling secrets leaves on the stack and in registers, without unsafe code. Best effort: the tests that look through
//! a server's memory and registers find what it misses.
//!
//! One call may contain others. The outermost one wipes, once, what all of them used: opening a thousand rows within one costs one wipe.
//! So what is left lies there until the outermost ends. It must not wait for other threads in between: a thread of a pool that
//! waits does other work meanwhile, whose remains would lie there for as long. Where such work begins there is [`of_a_task`].

use std::cell::Cell;
use std::hint::black_box;
use std::sync::LazyLock;

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use sha2::{Digest as _, Sha256};

/// Does what derives keys in a frame of its own, and wipes that with all that was called from it, unless it is within another that
/// will: the frames of finished calls still
/// hold key blocks and message schedules that the crates moved by value. What the compiler puts into
/// the caller's frame, that does not reach: round keys, say, on their way into a box. Nor does it reach what `work`
/// returns, which must be on the heap if it is secret.
pub fn after_hashing<T>(work: impl FnOnce() -> T) -> T {
    after(false, work)
}

/// The same for what opens or seals, and for what compares or copies what was opened.
pub fn after_ciphers<T>(work: impl FnOnce() -> T) -> T {
    after(true, work)
}

/// As [`after_ciphers`], and the outermost even within others: for what a thread does for somebody else while it waits.
pub fn of_a_task<T>(work: impl FnOnce() -> T) -> T {
    /// Also when the work panics.
    struct Others(Option<Used>);
    impl Drop for Others {
        fn drop(&mut self) {
            USED.set(self.0);
        }
    }
    let _others = Others(USED.take());
    after_ciphers(work)
}

/// What the calls that have not ended yet on this thread have used.
#[derive(Clone, Copy)]
struct Used {
    /// The address in the stack of the deepest of them: what it called used the stack below.
    deepest: usize,
    /// Whether any of them was [`after_ciphers`].
    ciphers: bool,
}

thread_local! {
    static USED: Cell<Option<Used>> = const { Cell::new(None) };
}

fn after<T>(ciphers: bool, work: impl FnOnce() -> T) -> T {
    /// Wipes also when the work panics, and whoever catches that goes on.
    struct Outermost;
    impl Drop for Outermost {
        fn drop(&mut self) {
            if let Some(used) = USED.take() {
                if used.ciphers {
                    cover_cipher();
                }
                cover_hash();
                wipe_stack(used.deepest.saturating_sub(WIPED_STACK));
            }
        }
    }
    let before = USED.get();
    let here = address_of(&before);
    let (deepest, used_ciphers) = before.map_or((here, false), |used| (used.deepest.min(here), used.ciphers));
    USED.set(Some(Used { deepest, ciphers: ciphers || used_ciphers }));
    // Not made where it is not needed: dropping it wipes.
    let _outermost = before.is_none().then(|| Outermost);
    apart(work)
}

#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}

fn address_of<T>(value: &T) -> usize {
    std::ptr::from_ref(value).addr()
}

/// Bytes below a call that hold what it used. Keys were found 12,264 and 13,800 bytes below the head of a thread that had opened records,
/// its own frames among them, on a processor with VAES, where the cipher works on many blocks at once.
const WIPED_STACK: usize = 24 << 10;

/// Overwrites the stack from here down to an address.
#[inline(never)]
fn wipe_stack(end: usize) {
    let mut zeros = [0_u8; 8 << 10];
    // The black box reads the zeros, so they are really written; and again below, so that this frame is not left before.
    black_box(&mut zeros);
    if address_of(&zeros) > end {
        wipe_stack(end);
    }
    black_box(&mut zeros);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Works so many frames of 4 KiB further down.
    #[inline(never)]
    fn deep_down(levels: usize, work: Box<dyn FnOnce() + '_>) {
        let mut frame = [0_u8; 4 << 10];
        black_box(&mut frame);
        if levels == 0 {
            work()
        } else {
            deep_down(levels - 1, work)
        }
        black_box(&mut frame);
    }

    #[test]
    fn the_outermost_of_nested_calls_wipes_once_and_as_deep_as_they_went() {
        assert!(USED.get().is_none());
        after_hashing(|| {
            let outer = USED.get().unwrap();
            assert!(!outer.ciphers);
            deep_down(
                10,
                Box::new(|| {
                    after_ciphers(|| assert!(USED.get().unwrap().deepest + (40 << 10) < outer.deepest));
                    assert!(USED.get().is_some(), "not its to wipe");
                }),
            );
            // It goes for what comes later, too.
            after_hashing(|| assert!(USED.get().unwrap().ciphers));
        });
        assert!(USED.get().is_none());
    }

    #[test]
    fn a_task_wipes_for_itself_and_leaves_to_others_what_is_theirs() {
        after_hashing(|| {
            let outer = USED.get().unwrap();
            of_a_task(|| {
                after_ciphers(|| ());
                assert!(USED.get().unwrap().ciphers);
            });
            let caught = std::panic::catch_unwind(|| of_a_task(|| panic!("as if")));
            let still = USED.get().unwrap();
            assert!(caught.is_err() && !still.ciphers && still.deepest == outer.deepest);
        });
        of_a_task(|| assert!(USED.get().is_some()));
        assert!(USED.get().is_none());
    }

    #[test]
    fn a_panic_wipes_too() {
        let caught = std::panic::catch_unwind(|| after_ciphers(|| after_hashing(|| panic!("as if"))));
        assert!(caught.is_err() && USED.get().is_none());
    }
}
