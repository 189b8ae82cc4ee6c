//! What stands in an NV index of a TPM. It writes an index whole or not at all, and vouches for what it reads.
#![cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "nobody else writes it"))]

use lethe_crypto::root::{Claim, Incarnation, RootId, VaultId};
use lethe_crypto::secret::RootKey;
use lethe_crypto::{Error, Result};
use zeroize::Zeroizing;

const VERSION: u8 = 1;

/// How many claims are remembered.
pub(crate) const CLAIMS: usize = 4;
/// Bytes of a claim: version ‖ vault 16 ‖ incarnation 16 ‖ times of the last claims, u64 each.
pub(crate) const CLAIM: u16 = 65;
/// Bytes of a root without its key: version ‖ use ‖ root id 16 ‖ seconds since 1970 when it was made, u64.
pub(crate) const HEADER: u16 = 26;
/// Bytes of a root: header ‖ key 32.
pub(crate) const ROOT: u16 = HEADER + 32;
/// Where the use stands in a root.
pub(crate) const USE: u16 = 1;
/// The use of a root that has wrapped its key, or was about to.
pub(crate) const WRAPPED: u8 = 2;

const CREATED: u8 = 1;

/// What the claim's index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) claim: Claim,
    /// When the last claims were made, seconds since 1970, the newest first; 0 where there was none.
    pub(crate) made: [u64; CLAIMS],
}

impl Held {
    /// Another claim after this one.
    pub(crate) fn next(held: Option<Self>, claim: Claim, now: u64) -> Self {
        let mut made = held.map_or([0; CLAIMS], |held| held.made);
        made.rotate_right(1);
        made[0] = now;
        Self { claim, made }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let Claim { vault, incarnation } = &self.claim;
        let made = self.made.map(u64::to_be_bytes).concat();
        [&[VERSION], vault.as_bytes().as_slice(), incarnation.as_bytes(), &made].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let corrupt = |why| Error::Corrupt { what: "claim in the TPM", why: String::from(why) };
        let (version, rest) = bytes.split_first().ok_or_else(|| corrupt("empty"))?;
        let (vault, rest) = rest.split_first_chunk().ok_or_else(|| corrupt("too short"))?;
        let (incarnation, mut rest) = rest.split_first_chunk().ok_or_else(|| corrupt("too short"))?;
        let mut made = [0; CLAIMS];
        for made in &mut made {
            let (time, after) = rest.split_first_chunk().ok_or_else(|| corrupt("too short"))?;
            (*made, rest) = (u64::from_be_bytes(*time), after);
        }
        if !rest.is_empty() {
            return Err(corrupt("of another length"));
        }
        let claim = Claim { vault: VaultId::from_bytes(*vault), incarnation: Incarnation::from_bytes(*incarnation) };
        if *version == VERSION { Ok(Self { claim, made }) } else { Err(corrupt("unknown version")) }
    }
}

/// A root, but for its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: RootId,
    pub(crate) wrapped: bool,
    pub(crate) made: u64,
}

impl Header {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let corrupt = |why| Error::Corrupt { what: "root in the TPM", why: String::from(why) };
        let ([version, used], rest) = bytes.split_first_chunk().ok_or_else(|| corrupt("too short"))?;
        let (id, rest) = rest.split_first_chunk().ok_or_else(|| corrupt("too short"))?;
        let made = rest.try_into().map_err(|_| corrupt("of another length"))?;
        let wrapped = match (*version, *used) {
            (VERSION, CREATED) => false,
            (VERSION, WRAPPED) => true,
            (VERSION, _) => return Err(corrupt("unknown use")),
            _ => return Err(corrupt("unknown version")),
        };
        Ok(Self { id: RootId::from_bytes(*id), wrapped, made: u64::from_be_bytes(made) })
    }

    /// The root with its key, as it is written.
    pub(crate) fn encode(&self, key: &RootKey) -> Zeroizing<Vec<u8>> {
        // Allocated at once: a vector that grows leaves its bytes behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::from(ROOT)));
        bytes.extend_from_slice(&[VERSION, if self.wrapped { WRAPPED } else { CREATED }]);
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&self.made.to_be_bytes());
        bytes.extend_from_slice(key.to_medium());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_and_roots_round_trip_and_nothing_else_is_read_as_one() {
        let claim = Claim { vault: VaultId::from_bytes([1; 16]), incarnation: Incarnation::from_bytes([2; 16]) };
        let held = (1..6).fold(None, |held, now| Some(Held::next(held, claim, now))).unwrap();
        assert_eq!(held.made, [5, 4, 3, 2]);
        let bytes = held.encode();
        assert_eq!(bytes.len(), usize::from(CLAIM));
        assert_eq!(Held::decode(&bytes).unwrap(), held);
        let header = Header { id: RootId::from_bytes([3; 16]), wrapped: true, made: 7 };
        let root = header.encode(&RootKey::from_medium(&[9; 32]).unwrap());
        assert_eq!(root.len(), usize::from(ROOT));
        assert_eq!(Header::decode(&root[..usize::from(HEADER)]).unwrap(), header);
        assert_eq!(root[usize::from(HEADER)..], [9; 32]);
        assert_eq!(root[usize::from(USE)], WRAPPED);

        for length in (0..bytes.len()).chain([bytes.len() + 1]) {
            assert!(Held::decode(&[bytes.as_slice(), &[0]].concat()[..length]).is_err());
        }
        for length in (0..usize::from(HEADER)).chain([usize::from(HEADER) + 1]) {
            assert!(Header::decode(&root[..length]).is_err());
        }
        for position in [0, 1] {
            let mut other = root.clone();
            other[position] = 9;
            assert!(Header::decode(&other[..usize::from(HEADER)]).is_err());
        }
    }
}
