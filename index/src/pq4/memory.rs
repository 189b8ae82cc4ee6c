//! Where packed codes lie in memory.

use std::mem::MaybeUninit;

use zeroize::{DefaultIsZeroes, Zeroize, Zeroizing};

/// Bytes of a full buffer: a huge page, and the room that a core's second-level cache has for it.
pub(crate) const PAGE_BYTES: usize = 2 << 20;

/// A SIMD register's worth of codes.
#[derive(Clone, Copy, Default)]
#[repr(C, align(32))]
pub(super) struct Lane(pub(super) [u64; 4]);

// Its default is all zeros: wiping a buffer may write whole lanes.
impl DefaultIsZeroes for Lane {}

const PAGE_LANES: usize = PAGE_BYTES / size_of::<Lane>();

/// As many lanes as a huge page holds, where a huge page may begin.
#[repr(C, align(2097152))]
pub(super) struct Page([Lane; PAGE_LANES]);

/// A zeroed buffer that grows up to [`PAGE_BYTES`] and is wiped wherever it leaves memory behind.
///
/// A scan reads memory about as fast as the machine delivers it, and address translation has a large
/// part in that, the more so in a virtual machine: hence huge pages where they are to be had.
pub(super) enum Buffer {
    Small(Zeroizing<Vec<Lane>>),
    Full(Box<Page>),
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self::Small(Zeroizing::new(Vec::new()))
    }

    /// Makes sure that there are `len` lanes, the new ones zero.
    ///
    /// # Panics
    /// If that is more than [`PAGE_BYTES`].
    pub(super) fn grow(&mut self, len: usize) {
        assert!(len <= PAGE_LANES);
        match self {
            Self::Small(lanes) if len > PAGE_LANES / 2 => {
                let mut page = Page::zeroed();
                page.0[..lanes.len()].copy_from_slice(lanes);
                // The small buffer drops here, wiped.
                *self = Self::Full(page);
            }
            Self::Small(lanes) => grow(lanes, len),
            Self::Full(_) => {}
        }
    }

    pub(super) fn lanes(&self) -> &[Lane] {
        match self {
            Self::Small(lanes) => lanes,
            Self::Full(page) => &page.0,
        }
    }

    pub(super) fn lanes_mut(&mut self) -> &mut [Lane] {
        match self {
            Self::Small(lanes) => lanes,
            Self::Full(page) => &mut page.0,
        }
    }

    /// Heap bytes held.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Small(lanes) => lanes.capacity() * size_of::<Lane>(),
            Self::Full(_) => PAGE_BYTES,
        }
    }
}

impl Page {
    fn zeroed() -> Box<Self> {
        let mut page = Box::<Self>::new_uninit();
        // Before the first write, which is when the kernel picks the size of the pages.
        advise(&mut page);
        // SAFETY: all-zero bytes are a valid `Page`: it is made of integers.
        unsafe {
            page.as_mut_ptr().write_bytes(0, 1);
            page.assume_init()
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// Asks for a huge page, and to be left out of core dumps. Neither is a condition: without the first the
/// scan is slower, and the second is there for processes that do not forbid dumps altogether.
#[cfg(target_os = "linux")]
fn advise(page: &mut Box<MaybeUninit<Page>>) {
    use rustix::mm::{Advice, madvise};
    for advice in [Advice::LinuxHugepage, Advice::LinuxDontDump] {
        // SAFETY: the range is exactly this allocation, whole pages; neither advice changes what it holds.
        let _ = unsafe { madvise(page.as_mut_ptr().cast(), PAGE_BYTES, advice) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise(_: &mut Box<MaybeUninit<Page>>) {}

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
        for len in [1, 100, PAGE_LANES / 2, PAGE_LANES / 2 + 1, PAGE_LANES] {
            buffer.grow(len);
            assert!(buffer.lanes().len() >= len);
            let zero = |lane: &Lane| lane.0 == [0; 4];
            assert!(buffer.lanes()[..written].iter().all(|lane| lane.0 == [7; 4]));
            assert!(buffer.lanes()[written..].iter().all(zero));
            buffer.lanes_mut()[..len].fill(Lane([7; 4]));
            written = len;
        }
        assert_eq!(buffer.bytes(), PAGE_BYTES);
        assert_eq!(buffer.lanes().as_ptr() as usize % PAGE_BYTES, 0);
    }
}
