//! Where planes of signs lie in memory.

use std::alloc::{Layout, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::{NonNull, null_mut};

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use zeroize::{DefaultIsZeroes, Zeroize, Zeroizing};

/// Bytes of a full buffer: a huge page, and the room that a core's second-level cache has for it.
pub(crate) const PAGE_BYTES: usize = 2 << 20;

/// Words of a plane.
pub(super) const LANES: usize = 8;

/// One sign of each of 512 codes: a cache line, and a register of processors that have such long ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Plane(pub(super) [u64; LANES]);

// Its default is all zeros: wiping a buffer may write whole planes.
impl DefaultIsZeroes for Plane {}

const PAGE_PLANES: usize = PAGE_BYTES / size_of::<Plane>();

/// As many planes as a huge page holds, where a huge page may begin, wiped when dropped.
///
/// It is a mapping of its own: among what the allocator hands out, pages at such places leave gaps that other things fill and
/// leave, and a tenth of the memory was such holes.
pub(super) struct Page(NonNull<[Plane; PAGE_PLANES]>);

// SAFETY: it owns its memory, as a `Box` does.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

/// A zeroed buffer that grows up to [`PAGE_BYTES`] and is wiped wherever it leaves memory behind.
///
/// A scan reads memory about as fast as the machine delivers it, and address translation has a large
/// part in that, the more so in a virtual machine: hence huge pages where they are to be had.
pub(super) enum Buffer {
    Small(Zeroizing<Vec<Plane>>),
    Full(Page),
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self::Small(Zeroizing::new(Vec::new()))
    }

    /// Makes sure that there are `len` planes, the new ones zero.
    ///
    /// # Panics
    /// If that is more than [`PAGE_BYTES`].
    pub(super) fn grow(&mut self, len: usize) {
        assert!(len <= PAGE_PLANES);
        match self {
            Self::Small(planes) if len > PAGE_PLANES / 2 => {
                let mut page = Page::zeroed();
                page[..planes.len()].copy_from_slice(planes);
                // The small buffer drops here, wiped.
                *self = Self::Full(page);
            }
            Self::Small(planes) => grow(planes, len),
            Self::Full(_) => {}
        }
    }

    pub(super) fn planes(&self) -> &[Plane] {
        match self {
            Self::Small(planes) => planes,
            Self::Full(page) => page,
        }
    }

    pub(super) fn planes_mut(&mut self) -> &mut [Plane] {
        match self {
            Self::Small(planes) => planes,
            Self::Full(page) => page,
        }
    }

    /// Heap bytes held.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Small(planes) => planes.capacity() * size_of::<Plane>(),
            Self::Full(_) => PAGE_BYTES,
        }
    }
}

impl Page {
    fn zeroed() -> Self {
        let mapped = map().unwrap_or_else(|_| handle_alloc_error(Layout::new::<[Plane; PAGE_PLANES]>()));
        // Neither is a condition: without huge pages the scan is slower, and dumps are forbidden to the process altogether.
        for advice in [Advice::LinuxHugepage, Advice::LinuxDontDump] {
            // SAFETY: the range is this mapping, whole pages; neither advice changes what it holds.
            let _ = unsafe { madvise(mapped.as_ptr().cast(), PAGE_BYTES, advice) };
        }
        Self(mapped)
    }
}

/// Maps zeroed memory where a huge page may begin.
fn map() -> rustix::io::Result<NonNull<[Plane; PAGE_PLANES]>> {
    // Twice as much has such a place in it; what is around it goes back.
    // SAFETY: a new mapping, at a place that the system picks.
    let all =
        unsafe { mmap_anonymous(null_mut(), 2 * PAGE_BYTES, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)? };
    // The last of two places, if there are two: the next mapping then fits below it, and the system takes both for one.
    let before = match all.addr().wrapping_neg() % PAGE_BYTES {
        0 => PAGE_BYTES,
        before => before,
    };
    let parts = [(0, before), (before + PAGE_BYTES, PAGE_BYTES - before)];
    for (offset, len) in parts.into_iter().filter(|(_, len)| *len > 0) {
        // SAFETY: within the mapping, whole pages, and nobody has a reference to it.
        unsafe { munmap(all.byte_add(offset), len)? };
    }
    // SAFETY: within the mapping.
    let page = unsafe { all.byte_add(before) };
    NonNull::new(page.cast()).ok_or(Errno::NOMEM)
}

impl Deref for Page {
    type Target = [Plane];

    fn deref(&self) -> &[Plane] {
        // SAFETY: it is mapped as long as this lives, and zero or written since: integers are valid either way.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for Page {
    fn deref_mut(&mut self) -> &mut [Plane] {
        // SAFETY: as above, and nobody else has it.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.zeroize();
        // SAFETY: the mapping ends with its owner.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), PAGE_BYTES) };
    }
}

/// Makes room for `len` elements in all, the new ones zero, doubling the capacity where it must; the
/// old buffer is wiped before it is freed, which `Vec`'s own growth does not do.
pub(crate) fn grow<T: Copy + Default + Zeroize>(buffer: &mut Zeroizing<Vec<T>>, len: usize) {
    if len > buffer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(len.max(buffer.capacity() * 2)));
        larger.extend_from_slice(buffer);
        // The smaller buffer drops here, wiped.
        *buffer = larger;
    }
    if len > buffer.len() {
        buffer.resize(len, T::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_keeps_what_was_there_and_zeroes_the_rest() {
        let mut bytes = Zeroizing::new(vec![7u8; 3]);
        grow(&mut bytes, 5);
        assert_eq!(*bytes, [7, 7, 7, 0, 0]);
        grow(&mut bytes, 2);
        assert_eq!(*bytes, [7, 7, 7, 0, 0]);

        let mut buffer = Buffer::new();
        assert_eq!(buffer.bytes(), 0);
        let mut written = 0;
        for len in [1, 100, PAGE_PLANES / 2, PAGE_PLANES / 2 + 1, PAGE_PLANES] {
            buffer.grow(len);
            assert!(buffer.planes().len() >= len);
            let zero = |plane: &Plane| plane.0 == [0; LANES];
            assert!(buffer.planes()[..written].iter().all(|plane| plane.0 == [7; LANES]));
            assert!(buffer.planes()[written..].iter().all(zero));
            buffer.planes_mut()[..len].fill(Plane([7; LANES]));
            written = len;
        }
        assert_eq!(buffer.bytes(), PAGE_BYTES);
        assert_eq!(buffer.planes().as_ptr() as usize % PAGE_BYTES, 0);
    }
}
