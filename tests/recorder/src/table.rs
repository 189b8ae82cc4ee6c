//! Which descriptors are files of the folder.

use std::sync::atomic::{AtomicU32, Ordering};

use libc::c_int;

/// Descriptors that are known; a program that opens more is not written down in whole, and ends.
const DESCRIPTORS: usize = 1 << 16;

/// By descriptor: the number that its file got when it was opened; 0 for what is not of the folder.
static FILES: [AtomicU32; DESCRIPTORS] = [const { AtomicU32::new(0) }; DESCRIPTORS];
static NEXT: AtomicU32 = AtomicU32::new(1);

/// The number for a file that is opened.
pub(crate) fn next() -> u32 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The file of a descriptor, if it is of the folder.
pub(crate) fn file(descriptor: c_int) -> Option<u32> {
    let place = FILES.get(usize::try_from(descriptor).ok()?)?;
    Some(place.load(Ordering::Acquire)).filter(|file| *file != 0)
}

/// A descriptor is this file's from now on, or none's.
pub(crate) fn set(descriptor: c_int, file: Option<u32>) {
    let place = usize::try_from(descriptor).ok().and_then(|descriptor| FILES.get(descriptor));
    match (place, file) {
        (Some(place), file) => place.store(file.unwrap_or(0), Ordering::Release),
        (None, None) => {}
        // SAFETY: it has no preconditions.
        (None, Some(_)) => unsafe { libc::abort() },
    }
}
