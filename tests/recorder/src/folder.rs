//! Which names are of the folder.

use std::ffi::CStr;
use std::sync::OnceLock;

use libc::{AT_FDCWD, c_char, c_int};

/// Bytes of a name, at most, with its end.
const LONGEST: usize = libc::PATH_MAX as usize * 2;

/// The folder, as the environment names it.
static FOLDER: OnceLock<&'static [u8]> = OnceLock::new();

/// Sets the folder, once.
pub(crate) fn set(folder: &'static CStr) {
    let _ = FOLDER.set(folder.to_bytes());
}

/// An absolute name.
pub(crate) struct Name {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Name {
    /// The name that `path` is, below the folder that `at` is. Links are not followed, nor are `..`: nobody here has any.
    ///
    /// # Safety
    /// `path` must be null or a C string.
    pub(crate) unsafe fn of(at: c_int, path: *const c_char) -> Self {
        let mut name = Self { bytes: [0; LONGEST], length: 0 };
        if path.is_null() {
            return name;
        }
        // SAFETY: the caller's.
        let path = unsafe { CStr::from_ptr(path) }.to_bytes();
        if path.first() != Some(&b'/') {
            name.length = name.folder(at);
            name.push(b"/");
        }
        name.push(path);
        name
    }

    /// Where a descriptor leads to, into the buffer; its length.
    fn folder(&mut self, at: c_int) -> usize {
        let mut link = [0_u8; 32];
        let own: &[u8] = b"/proc/self/cwd\0";
        if at == AT_FDCWD {
            link[..own.len()].copy_from_slice(own);
        } else {
            link[..14].copy_from_slice(b"/proc/self/fd/");
            let mut digits = [0_u8; 10];
            let (mut rest, mut count) = (at.unsigned_abs(), 0);
            loop {
                digits[count] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                (rest, count) = (rest / 10, count + 1);
                if rest == 0 {
                    break;
                }
            }
            for (place, digit) in link[14..].iter_mut().zip(digits[..count].iter().rev()) {
                *place = *digit;
            }
        }
        // SAFETY: the link's name ends with a zero; as many bytes as the buffer has are written at most.
        let length = unsafe {
            libc::readlink(link.as_ptr().cast::<c_char>(), self.bytes.as_mut_ptr().cast::<c_char>(), LONGEST / 2)
        };
        usize::try_from(length).unwrap_or(0)
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(bytes);
            self.length = end;
        }
    }

    /// The name.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Is it in the folder, or the folder itself?
    pub(crate) fn is_watched(&self) -> bool {
        let Some(folder) = FOLDER.get() else { return false };
        let below = self.as_bytes().strip_prefix(*folder);
        below.is_some_and(|below| below.is_empty() || below[0] == b'/')
    }
}
