//! Which mirror a mirror is, and how far it has followed its vault's database.

use std::fmt;
use std::str::FromStr;

use crate::Corrupt;

/// Names a mirror for as long as it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MirrorId([u8; 16]);

impl MirrorId {
    /// From the bytes of one.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for MirrorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for MirrorId {
    type Err = Corrupt;

    fn from_str(text: &str) -> Result<Self, Corrupt> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| Corrupt::new("mirror id", text))?;
        Ok(Self(bytes))
    }
}

/// How far a mirror is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Which mirror.
    pub id: MirrorId,
    /// The store's sequence that it has followed, in the run that its history says.
    pub sequence: u64,
    /// Not in the middle of a copy that took more than one batch.
    pub whole: bool,
}

impl Position {
    /// Of a mirror that has nothing, or not all of anything.
    pub const fn in_parts(id: MirrorId) -> Self {
        Self { id, sequence: 0, whole: false }
    }

    /// id 16 ‖ sequence u64 ‖ 1 if whole, else 0.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.id.0.to_vec();
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.push(u8::from(self.whole));
        bytes
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Where the length is wrong, or the last byte neither 0 nor 1.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let wrong = || Corrupt::new("mirror position", hex::encode(bytes));
        let (id, rest) = bytes.split_first_chunk::<16>().ok_or_else(wrong)?;
        let (sequence, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let whole = match rest {
            [0] => false,
            [1] => true,
            _ => return Err(wrong()),
        };
        Ok(Self { id: MirrorId(*id), sequence: u64::from_be_bytes(*sequence), whole })
    }
}
