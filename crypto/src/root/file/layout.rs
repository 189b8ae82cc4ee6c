//! The bytes of a root store's file: blocks of 4096, two headers, then slots.
//!
//! What a block says fits into its first 512 bytes, the unit that even old disks write whole; a
//! checksum tells a torn block all the same.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::passphrase::Stretching;
use crate::canonical::Reader;
use crate::error::{Error, Result};
use crate::root::{Claim, Incarnation, RootId, VaultId};
use crate::secret::RootKey;

/// Bytes of a block.
pub(super) const BLOCK: usize = 4096;
/// Copies of the header: a new one is written over the older.
pub(super) const HEADERS: usize = 2;
/// Roots there is room for: the current, the one before, and orphans of crashes in a row.
pub(super) const SLOTS: usize = 16;
/// Bytes of the file.
pub(super) const FILE: usize = BLOCK * (HEADERS + SLOTS);

const HEADER_MAGIC: [u8; 8] = *b"LETHE-RS";
const SLOT_MAGIC: [u8; 8] = *b"LETHE-RT";
const VERSION: u8 = 1;
/// Of a header that tells how a passphrase's key is derived. All others are of version 1.
const PASSPHRASE_VERSION: u8 = 2;
const CLAIMED: u8 = 1;
const CREDENTIAL: u8 = 2;
const ABANDONED: u8 = 4;

/// One block, wiped when dropped: it may hold a root. On the heap, so that it is passed on without being copied.
pub(super) type Block = Zeroizing<Vec<u8>>;

/// A block of zeros.
pub(super) fn zeros() -> Block {
    Zeroizing::new(vec![0; BLOCK])
}

/// What is true of a whole root store; every replica has a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Names the set of replicas.
    pub(super) store: [u8; 16],
    /// Counts header writes.
    pub(super) sequence: u64,
    pub(super) claim: Option<Claim>,
    /// How many replicas there are.
    pub(super) replicas: u8,
    /// What roots are additionally sealed under.
    pub(super) seal: Option<Seal>,
    /// Was a replica ever given up with roots in it?
    pub(super) abandoned: bool,
}

/// A credential that roots are additionally sealed under, or a passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// Recognises the credential, or the passphrase's key.
    pub(super) check: [u8; 32],
    /// How that key is derived of a passphrase, if it is.
    pub(super) stretching: Option<Stretching>,
}

/// Bytes before a header's checksum, by its version.
const fn length(version: u8) -> usize {
    if version == PASSPHRASE_VERSION { 104 + Stretching::LENGTH } else { 104 }
}

impl Header {
    /// magic 8 ‖ version ‖ flags ‖ replicas ‖ zero 5 ‖ store 16 ‖ vault 16 ‖ incarnation 16 ‖ sequence u64 ‖
    /// credential check 32 ‖ of version 2 how the passphrase's key is derived 28 ‖ SHA-256 of all that.
    pub(super) fn encode(&self) -> Block {
        let flag = |set, flag| if set { flag } else { 0 };
        let mut bytes = Vec::with_capacity(BLOCK);
        bytes.extend_from_slice(&HEADER_MAGIC);
        let stretching = self.seal.as_ref().and_then(|seal| seal.stretching.as_ref());
        bytes.push(if stretching.is_some() { PASSPHRASE_VERSION } else { VERSION });
        bytes.push(
            flag(self.claim.is_some(), CLAIMED)
                | flag(self.seal.is_some(), CREDENTIAL)
                | flag(self.abandoned, ABANDONED),
        );
        bytes.push(self.replicas);
        bytes.extend_from_slice(&[0; 5]);
        bytes.extend_from_slice(&self.store);
        bytes.extend_from_slice(self.claim.as_ref().map_or(&[0; 16], |claim| claim.vault.as_bytes()));
        bytes.extend_from_slice(self.claim.as_ref().map_or(&[0; 16], |claim| claim.incarnation.as_bytes()));
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(self.seal.as_ref().map_or(&[0; 32], |seal| &seal.check));
        if let Some(stretching) = stretching {
            stretching.encode_onto(&mut bytes);
        }
        block(&bytes)
    }

    /// `None` if this copy was torn or never written.
    pub(super) fn decode(block: &[u8]) -> Result<Option<Self>> {
        let length = length(block.get(HEADER_MAGIC.len()).copied().unwrap_or_default());
        let Some(bytes) = checked(block, &HEADER_MAGIC, length) else { return Ok(None) };
        let mut reader = Reader::new("root store header", bytes);
        reader.take(8)?;
        let version = reader.u8()?;
        if ![VERSION, PASSPHRASE_VERSION].contains(&version) {
            return Err(reader.corrupt("unknown version"));
        }
        let (flags, replicas) = (reader.u8()?, reader.u8()?);
        let reserved: [u8; 5] = reader.array()?;
        let store = reader.array()?;
        let claim = Claim {
            vault: VaultId::from_bytes(reader.array()?),
            incarnation: Incarnation::from_bytes(reader.array()?),
        };
        let (sequence, check) = (reader.u64()?, reader.array()?);
        let passphrase = version == PASSPHRASE_VERSION;
        let stretching = passphrase.then(|| Stretching::read(&mut reader)).transpose()?;
        let unclaimed = Claim { vault: VaultId::from_bytes([0; 16]), incarnation: Incarnation::from_bytes([0; 16]) };
        // What a flag says is absent must be zeros, and so must what no flag is known for: a header has one spelling.
        if flags & !(CLAIMED | CREDENTIAL | ABANDONED) != 0
            || reserved != [0; 5]
            || (flags & CLAIMED == 0 && claim != unclaimed)
            || (flags & CREDENTIAL == 0 && (passphrase || check != [0; 32]))
        {
            return Err(reader.corrupt("unknown flags, or bytes that must be zero"));
        }
        reader.end()?;
        Ok(Some(Self {
            store,
            sequence,
            claim: (flags & CLAIMED != 0).then_some(claim),
            replicas,
            seal: (flags & CREDENTIAL != 0).then_some(Seal { check, stretching }),
            abandoned: flags & ABANDONED != 0,
        }))
    }

    /// Which of the copies this version is written over.
    pub(super) fn offset(&self) -> u64 {
        (self.sequence % HEADERS as u64) * BLOCK as u64
    }
}

/// Has the root wrapped its key?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    Created = 1,
    Wrapped = 2,
}

/// A root as a replica has it.
pub(super) struct Root {
    pub(super) id: RootId,
    pub(super) used: Use,
    pub(super) key: RootKey,
}

/// What a replica has in a slot.
pub(super) enum Slot {
    /// Nothing but zeros.
    Free,
    Root(Root),
    /// A write was torn, or the medium fails. It may hold remains of a root.
    Damaged,
}

impl Slot {
    pub(super) fn root(&self) -> Option<&Root> {
        match self {
            Self::Root(root) => Some(root),
            Self::Free | Self::Damaged => None,
        }
    }
}

impl Root {
    /// magic 8 ‖ version ‖ use ‖ zero 6 ‖ root id 16 ‖ key 32 ‖ SHA-256 of all that.
    pub(super) fn encode(&self) -> Block {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BLOCK));
        bytes.extend_from_slice(&SLOT_MAGIC);
        bytes.push(VERSION);
        bytes.push(self.used as u8);
        bytes.extend_from_slice(&[0; 6]);
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(self.key.expose());
        block(&bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("root store slot", bytes);
        reader.take(8)?;
        if reader.u8()? != VERSION {
            return Err(reader.corrupt("unknown version"));
        }
        let used = match reader.u8()? {
            1 => Use::Created,
            2 => Use::Wrapped,
            _ => return Err(reader.corrupt("unknown use")),
        };
        if reader.array()? != [0; 6] {
            return Err(reader.corrupt("bytes that must be zero"));
        }
        let id = RootId::from_bytes(reader.array()?);
        let stored = reader.take(RootKey::LENGTH)?;
        let key = RootKey::fill_with(|key| {
            key.copy_from_slice(stored);
            Ok::<_, Error>(())
        })?;
        reader.end()?;
        Ok(Self { id, used, key })
    }
}

/// Reads a slot. Only a version that is not known is an error; all else is a state of the medium.
pub(super) fn slot(block: &[u8]) -> Result<Slot> {
    if block.iter().all(|byte| *byte == 0) {
        return Ok(Slot::Free);
    }
    match checked(block, &SLOT_MAGIC, 64) {
        Some(bytes) => Root::decode(bytes).map(Slot::Root),
        None => Ok(Slot::Damaged),
    }
}

/// Byte offset of a slot.
pub(super) fn offset(slot: usize) -> u64 {
    ((HEADERS + slot) * BLOCK) as u64
}

/// A block of these bytes, their checksum, and zeros.
fn block(bytes: &[u8]) -> Block {
    let mut block = zeros();
    let (content, rest) = block.split_at_mut(bytes.len());
    content.copy_from_slice(bytes);
    rest[..32].copy_from_slice(&Sha256::digest(bytes));
    block
}

/// The first `length` bytes of a block, if its magic and checksum are right.
fn checked<'a>(block: &'a [u8], magic: &[u8; 8], length: usize) -> Option<&'a [u8]> {
    let (bytes, rest) = block.split_at_checked(length)?;
    let sum = rest.get(..32)?;
    (bytes.starts_with(magic) && sum == Sha256::digest(bytes).as_slice()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            store: [1; 16],
            sequence: 7,
            claim: Some(Claim { vault: VaultId::from_bytes([2; 16]), incarnation: Incarnation::from_bytes([3; 16]) }),
            replicas: 2,
            seal: Some(Seal { check: [4; 32], stretching: None }),
            abandoned: true,
        }
    }

    fn header_with_passphrase() -> Header {
        Header { seal: Some(Seal { check: [4; 32], stretching: Some(Stretching::fresh().unwrap()) }), ..header() }
    }

    fn root() -> Root {
        let key = RootKey::fill_with(|key| {
            key.fill(9);
            Ok::<_, Error>(())
        });
        Root { id: RootId::from_bytes([8; 16]), used: Use::Wrapped, key: key.unwrap() }
    }

    #[test]
    fn headers_round_trip() {
        let plain = Header { claim: None, seal: None, abandoned: false, ..header() };
        for header in [header(), plain, header_with_passphrase()] {
            assert_eq!(Header::decode(header.encode().as_slice()).unwrap(), Some(header));
        }
    }

    #[test]
    fn slots_round_trip() {
        let Slot::Root(read) = slot(root().encode().as_slice()).unwrap() else { panic!("no root") };
        assert_eq!((read.id, read.used, read.key.expose()), (root().id, Use::Wrapped, root().key.expose()));
        assert!(matches!(slot(&[0; BLOCK]).unwrap(), Slot::Free));
    }

    /// Fixed bytes of a slot, written from `docs/FORMAT.md`: a change here is a change of the format.
    #[test]
    fn a_slot_is_fixed() {
        let fixed = [
            (Use::Created, "0101", "a181dd7bff70fc15a494de060eee06023cef4eeeb9606802e4d3508de568a461"),
            (Use::Wrapped, "0102", "a30daf69842dd0039f1850413ef76da31920287e16807fbc5d711fd38c3c4780"),
        ];
        for (used, version_and_use, sum) in fixed {
            let magic = hex::encode("LETHE-RT");
            let (id, key) = ("08".repeat(16), "09".repeat(32));
            let expected = format!("{magic}{version_and_use}000000000000{id}{key}{sum}{}", "00".repeat(BLOCK - 96));
            let root = Root { used, ..root() };
            assert_eq!(hex::encode(root.encode().as_slice()), expected);
            let Slot::Root(read) = slot(&hex::decode(expected).unwrap()).unwrap() else { panic!("no root") };
            assert_eq!((read.id, read.used, read.key.expose()), (root.id, used, root.key.expose()));
        }
    }

    /// With a right checksum, whatever could be spelt otherwise is refused.
    #[test]
    fn flags_that_are_not_known_and_bytes_that_must_be_zero_are_refused() {
        let again = |changed: &Block, length: usize| block(&changed[..length]);
        let plain = Header { claim: None, seal: None, abandoned: false, ..header() }.encode();
        for position in (9..10).chain(11..16).chain(32..64).chain(72..104) {
            let mut changed = plain.clone();
            changed[position] |= 0x80;
            assert!(Header::decode(again(&changed, 104).as_slice()).is_err(), "header byte {position}");
        }
        // A passphrase without what recognises its key, and one whose key is not told how to derive.
        let mut changed = header_with_passphrase().encode();
        changed[9] &= !CREDENTIAL;
        assert!(Header::decode(again(&changed, 132).as_slice()).is_err());
        changed[9] |= CREDENTIAL;
        assert!(Header::decode(again(&changed, 132).as_slice()).is_ok());
        assert_eq!(Header::decode(again(&changed, 104).as_slice()).unwrap(), None);
        changed[104..108].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(Header::decode(again(&changed, 132).as_slice()).is_err(), "4 TiB");
        for position in 10..16 {
            let mut changed = root().encode();
            changed[position] = 1;
            assert!(slot(again(&changed, 64).as_slice()).is_err(), "slot byte {position}");
        }
    }

    #[test]
    fn any_changed_byte_that_counts_is_noticed() {
        let root = root().encode();
        for (header, length) in [(header().encode(), 136), (header_with_passphrase().encode(), 164)] {
            for position in 0..length {
                let mut changed = header.clone();
                changed[position] ^= 0x40;
                assert_eq!(Header::decode(changed.as_slice()).unwrap(), None, "header byte {position}");
            }
        }
        for position in 0..96 {
            let mut changed = root.clone();
            changed[position] ^= 0x40;
            assert!(matches!(slot(changed.as_slice()).unwrap(), Slot::Damaged), "slot byte {position}");
        }
    }
}
