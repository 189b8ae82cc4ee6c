//! The header of a `.npy` file: checked before it is parsed, then by what it describes.

use std::io::{Cursor, Read};

use npyz::{DType, NpyHeader, Order};

use super::MAX_HEADER;
use crate::{Error, NpyFault};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The type of one stored value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// IEEE 754 binary16.
    Float16,
    /// IEEE 754 binary32.
    Float32,
    /// Signed 32 bit.
    Int32,
    /// Signed 64 bit.
    Int64,
}

impl Element {
    /// Bytes of one value.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Float16 => 2,
            Self::Float32 | Self::Int32 => 4,
            Self::Int64 => 8,
        }
    }
}

/// What a header says: elements, their byte order, and the shape.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) element: Element,
    pub(super) big_endian: bool,
    pub(super) shape: Vec<u64>,
}

impl Header {
    /// Bytes of data that follow the header, if they can be counted.
    pub(super) fn data_bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.element.size() as u64, |bytes, &length| bytes.checked_mul(length))
    }
}

/// Reads the header off `reader`, leaving it at the first byte of data.
pub(super) fn read(
    file: &str,
    reader: &mut impl Read,
    accepted: &[Element],
    expected: &'static str,
    dimensions: usize,
) -> Result<Header, Error> {
    let bytes = take(file, reader)?;
    let parsed = NpyHeader::from_reader(Cursor::new(bytes))
        .map_err(|reason| Error::npy(file, NpyFault::MalformedHeader(reason.to_string())))?;
    interpret(&parsed, accepted, expected, dimensions).map_err(|fault| Error::npy(file, fault))
}

/// Magic, version, length and text of the header, or why there is none.
fn take(file: &str, reader: &mut impl Read) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(128);
    let start = extend(file, reader, &mut bytes, 8)?;
    if start.get(..6) != Some(MAGIC) {
        return Err(Error::npy(file, NpyFault::NotNpy));
    }
    let &[.., major, minor] = bytes.as_slice() else {
        return Err(Error::npy(file, NpyFault::NotNpy));
    };
    if bytes.len() < 8 {
        return Err(Error::npy(file, NpyFault::MalformedHeader("it ends early".into())));
    }
    let width = match (major, minor) {
        (1, 0) => 2,
        (2 | 3, 0) => 4,
        (major, minor) => return Err(Error::npy(file, NpyFault::UnsupportedVersion(major, minor))),
    };
    let field = extend(file, reader, &mut bytes, width)?;
    let length = match *field {
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        _ => return Err(Error::npy(file, NpyFault::MalformedHeader("it ends early".into()))),
    };
    if length > MAX_HEADER {
        return Err(Error::npy(file, NpyFault::HeaderTooLong(length)));
    }
    let text = extend(file, reader, &mut bytes, length)?;
    if text.len() as u64 != length {
        return Err(Error::npy(file, NpyFault::MalformedHeader("it ends early".into())));
    }
    screen(text).map_err(|fault| Error::npy(file, fault))?;
    Ok(bytes)
}

/// Appends up to `count` bytes of `reader`, fewer only at its end, and returns what was appended.
fn extend<'a>(file: &str, reader: &mut impl Read, bytes: &'a mut Vec<u8>, count: u64) -> Result<&'a [u8], Error> {
    let before = bytes.len();
    reader.by_ref().take(count).read_to_end(bytes).map_err(|source| Error::io(file, source))?;
    Ok(bytes.get(before..).unwrap_or_default())
}

/// Turns away texts the parser should not see: nesting it would recurse into, and lengths whose
/// product does not fit 64 bits (fewer than 20 digits in all cannot reach 2^64).
fn screen(text: &[u8]) -> Result<(), NpyFault> {
    let brackets = text.iter().filter(|byte| matches!(byte, b'(' | b'[' | b'{')).count();
    if brackets > 4 {
        return Err(NpyFault::MalformedHeader("it nests more than a plain array's".into()));
    }
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits > 19 {
        return Err(NpyFault::MalformedHeader("the shape does not fit 64 bits".into()));
    }
    Ok(())
}

fn interpret(
    parsed: &NpyHeader,
    accepted: &[Element],
    expected: &'static str,
    dimensions: usize,
) -> Result<Header, NpyFault> {
    let wrong = |found: String| NpyFault::WrongElement { found, expected };
    let name = match parsed.dtype() {
        DType::Plain(plain) => plain.to_string(),
        structured @ (DType::Array(..) | DType::Record(_)) => {
            return Err(wrong(structured.descr()));
        }
    };
    let (big_endian, element) = match name.as_str() {
        "<f2" => (false, Element::Float16),
        ">f2" => (true, Element::Float16),
        "<f4" => (false, Element::Float32),
        ">f4" => (true, Element::Float32),
        "<i4" => (false, Element::Int32),
        ">i4" => (true, Element::Int32),
        "<i8" => (false, Element::Int64),
        ">i8" => (true, Element::Int64),
        _ => return Err(wrong(name)),
    };
    if !accepted.contains(&element) {
        return Err(wrong(name));
    }
    let shape = parsed.shape().to_vec();
    if shape.len() != dimensions {
        return Err(NpyFault::WrongShape { found: shape, expected: dimensions });
    }
    // A column, or one row, is contiguous whichever order the file claims.
    if parsed.order() == Order::Fortran && dimensions > 1 && shape.iter().all(|&length| length > 1) {
        return Err(NpyFault::FortranOrder);
    }
    Ok(Header { element, big_endian, shape })
}

/// The header numpy would write for a C-order array, padded to `total` bytes; `rows` may be filled in later.
pub(super) fn compose(descr: &str, shape: &str, total: usize) -> Option<Vec<u8>> {
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let width = total.checked_sub(MAGIC.len() + 4)?;
    if text.len() + 1 > width {
        return None;
    }
    text.extend(std::iter::repeat_n(' ', width - text.len() - 1));
    text.push('\n');
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&u16::try_from(width).ok()?.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    Some(bytes)
}
