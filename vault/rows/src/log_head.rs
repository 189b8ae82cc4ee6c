use lethe_crypto::log::text::Origin;

use crate::Corrupt;

/// A log's size and name, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// Entries in it.
    pub size: u64,
    /// Its name, and that of its key.
    pub origin: Origin,
}

impl LogHead {
    /// `size u64 ‖ origin`, to the end.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.origin.to_string().as_bytes());
        bytes
    }

    /// Reads a head back.
    ///
    /// # Errors
    /// Where it is too short or its origin is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let wrong = || Corrupt::new("log head", hex::encode(bytes));
        let (size, origin) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let origin = std::str::from_utf8(origin).ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        Ok(Self { size: u64::from_be_bytes(*size), origin })
    }
}
