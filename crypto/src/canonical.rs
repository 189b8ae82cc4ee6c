//! The one encoding of associated data, and a reader for fixed-width binary that never panics.

use crate::error::{Error, Result};

/// Writes fields one after the other, each with its length (u32, big-endian) in front: two different
/// lists of fields never give the same bytes.
pub(crate) struct Canonical(Vec<u8>);

impl Canonical {
    /// Starts with the name of what is encoded.
    pub(crate) fn new(name: &str) -> Self {
        Self(Vec::with_capacity(160)).field(name.as_bytes())
    }

    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        // A field longer than 4 GiB cannot be held by any caller; the saturated length would still
        // differ from every real one.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes fixed-width, big-endian values off the front of bytes that came from a disk.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// `what` names the thing being read in the error.
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, what }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.corrupt("too short"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.corrupt("too short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Bytes not yet taken.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Nothing may follow: bytes behind the end are as wrong as bytes that are missing.
    pub(crate) fn end(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.corrupt("bytes behind the end")) }
    }

    pub(crate) fn corrupt(&self, why: &str) -> Error {
        Error::corrupt(self.what, why)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(fields: &[Vec<u8>]) -> Vec<u8> {
        fields.iter().fold(Canonical::new("t"), |c, f| c.field(f)).finish()
    }

    proptest! {
        #[test]
        fn different_fields_give_different_bytes(
            a in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..5),
            b in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..5),
        ) {
            prop_assert_eq!(encode(&a) == encode(&b), a == b);
        }
    }

    #[test]
    fn reader_refuses_short_and_long_input() {
        let mut reader = Reader::new("thing", &[0, 0, 0, 7]);
        assert_eq!(reader.u32().unwrap(), 7);
        assert!(reader.u8().is_err());
        assert!(Reader::new("thing", &[1]).end().is_err());
    }
}
