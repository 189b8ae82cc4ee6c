//! The trace: a header of 24 bytes (kind u32 ‖ file u32 ‖ at u64 ‖ length of the payload u64), little-endian, and a payload, record by record.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::{c_int, c_void, iovec};

/// What happened. `tests/src/disk/trace.rs` reads these numbers.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Kind {
    /// A program began: numbers of files begin anew.
    Began = 1,
    /// `file` is what was opened under the name in the payload; `at` has [`CREATED`] and [`TRUNCATED`].
    Opened = 2,
    /// The payload was written to `file`, at byte `at`.
    Wrote = 3,
    /// A sync of `file` began; `at` is its number.
    SyncBegan = 4,
    /// It ended well.
    SyncEnded = 5,
    /// `file` has `at` bytes now.
    Resized = 6,
    /// Names, as in the payload: the old one, a zero byte, the new one.
    Renamed = 7,
    /// The name in the payload is gone.
    Unlinked = 8,
    /// A folder was made.
    MadeFolder = 9,
    /// A folder is gone.
    RemovedFolder = 10,
    /// Names, as with [`Kind::Renamed`]: the new one beside the old one.
    Linked = 11,
    /// The payload was written to standard error.
    Said = 12,
    /// `file` was mapped to be written, or changed in a way that is not written down: the trace is not all.
    Unseen = 13,
}

/// There was no such file before.
pub(crate) const CREATED: u64 = 1;
/// There was, and its content is gone.
pub(crate) const TRUNCATED: u64 = 2;

/// Descriptor of the trace; below 0 while nothing is written down.
static TRACE: AtomicI32 = AtomicI32::new(-1);
/// Whoever has it does something and writes it down.
static TURN: Mutex<()> = Mutex::new(());

/// Is anything written down?
pub(crate) fn is_on() -> bool {
    TRACE.load(Ordering::Relaxed) >= 0
}

/// From here on everything is written down.
pub(crate) fn begin(trace: c_int) {
    TRACE.store(trace, Ordering::Relaxed);
    record(Kind::Began, 0, 0, &[]);
}

/// Until it is dropped nobody else does anything that is written down.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Appends a record. A trace with a gap would be worse than none, so the process ends if that fails.
pub(crate) fn record(kind: Kind, file: u32, at: u64, payload: &[&[u8]]) {
    debug_assert!(payload.len() <= PARTS);
    let length: usize = payload.iter().map(|part| part.len()).sum();
    let mut header = [0_u8; HEADER];
    header[..4].copy_from_slice(&(kind as u32).to_le_bytes());
    header[4..8].copy_from_slice(&file.to_le_bytes());
    header[8..16].copy_from_slice(&at.to_le_bytes());
    header[16..24].copy_from_slice(&(length as u64).to_le_bytes());
    let part = |bytes: &[u8]| iovec { iov_base: bytes.as_ptr().cast::<c_void>().cast_mut(), iov_len: bytes.len() };
    let mut parts = [part(&[]); PARTS + 1];
    parts[0] = part(&header);
    for (place, bytes) in parts[1..].iter_mut().zip(payload) {
        *place = part(bytes);
    }
    // SAFETY: every part points to bytes that live until the call returns; it only reads them.
    let written =
        unsafe { libc::syscall(libc::SYS_writev, TRACE.load(Ordering::Relaxed), parts.as_ptr(), parts.len()) };
    if usize::try_from(written).ok() != Some(HEADER + length) {
        // SAFETY: it has no preconditions.
        unsafe { libc::abort() }
    }
}

const HEADER: usize = 24;
/// Parts that a payload may have.
const PARTS: usize = 3;
