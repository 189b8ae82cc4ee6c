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
