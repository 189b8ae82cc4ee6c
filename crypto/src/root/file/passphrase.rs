//! A key of a passphrase: Argon2id (RFC 9106), so that whoever has the file pays for every guess in memory and time.

use std::ops::RangeInclusive;

use argon2::{Algorithm, Argon2, AssociatedData, Block, ParamsBuilder, Version};
use zeroize::Zeroizing;

use crate::canonical::Reader;
use crate::error::{Error, Result};
use crate::kdf::Label;
use crate::random::{Random as _, System};
use crate::secret::{RootCredential, RootPassphrase};

/// What this version asks of every guess: the second choice of RFC 9106, section 4, for hosts that have other things to
/// do with their memory.
const USUAL: (u32, u32, u32) = (1 << 16, 3, 4);

/// What is taken from a file. Less than is written today would be a key that is cheaper to guess, more could take
/// the host's memory, or hours: the file may have been written by anybody.
const MEMORY: RangeInclusive<u32> = 1 << 16..=1 << 19;
const PASSES: RangeInclusive<u32> = 3..=16;
const LANES: RangeInclusive<u32> = 1..=16;

/// How a store's key is derived from its passphrase; public, and in its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretching {
    /// KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
    /// The store's own, drawn when it is made: one passphrase gives two stores two keys.
    salt: [u8; 16],
}

impl Stretching {
    /// Length of the encoding, bytes.
    pub(super) const LENGTH: usize = 28;

    /// For a new store.
    pub(super) fn fresh() -> Result<Self> {
        let (memory, passes, lanes) = USUAL;
        Ok(Self { memory, passes, lanes, salt: System.public()? })
    }

    /// memory u32 ‖ passes u32 ‖ lanes u32 ‖ salt 16.
    pub(super) fn encode_onto(&self, out: &mut Vec<u8>) {
        for number in [self.memory, self.passes, self.lanes] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.salt);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let (memory, passes, lanes) = (reader.u32()?, reader.u32()?, reader.u32()?);
        if !MEMORY.contains(&memory) || !PASSES.contains(&passes) || !LANES.contains(&lanes) {
            return Err(reader.corrupt("cost of the passphrase's key out of range"));
        }
        Ok(Self { memory, passes, lanes, salt: reader.array()? })
    }

    /// The key, which takes a few tenths of a second.
    pub(super) fn key(&self, passphrase: &RootPassphrase) -> Result<RootCredential> {
        let key = RootCredential::fill_with(|key| {
            let label = Label::ROOT_PASSPHRASE.as_str().as_bytes();
            argon2id(passphrase.expose(), &self.salt, &[], label, (self.memory, self.passes, self.lanes), key)
        });
        wipe_deep_stack();
        key
    }
}

/// As what [`crate::wiping::after_hashing`] ends with, for frames with whole blocks of Argon2's memory in them, and the words hashed above those.
#[inline(never)]
fn wipe_deep_stack() {
    // The black box reads the zeros, so they are really written.
    std::hint::black_box(&mut [0u8; 64 << 10]);
}

/// Argon2id, version 1.3; the costs are memory in KiB, passes and lanes. Its memory is wiped, its stack is the caller's to wipe:
/// it must not be a part of the caller's own frame.
#[inline(never)]
fn argon2id(
    password: &[u8],
    salt: &[u8],
    secret: &[u8],
    data: &[u8],
    (memory, passes, lanes): (u32, u32, u32),
    out: &mut [u8],
) -> Result<()> {
    let refused = |_| Error::corrupt("root store header", "Argon2 refuses the cost of the passphrase's key");
    let mut params = ParamsBuilder::new();
    params.m_cost(memory).t_cost(passes).p_cost(lanes).output_len(out.len());
    params.data(AssociatedData::new(data).map_err(refused)?);
    let params = params.build().map_err(refused)?;
    let mut blocks = Zeroizing::new(Vec::<Block>::new());
    blocks.try_reserve_exact(params.block_count()).map_err(|_| Error::Exhausted("memory for a passphrase's key"))?;
    blocks.resize(params.block_count(), Block::default());
    let argon = Argon2::new_with_secret(secret, Algorithm::Argon2id, Version::V0x13, params).map_err(refused)?;
    argon.hash_password_into_with_memory(password, salt, out, blocks.as_mut_slice()).map_err(refused)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passphrase(text: &str) -> RootPassphrase {
        RootPassphrase::from_line(text.as_bytes()).unwrap()
    }

    fn key(stretching: &Stretching, text: &str) -> String {
        hex::encode(stretching.key(&passphrase(text)).unwrap().expose())
    }

    /// RFC 9106, section 5.3.
    #[test]
    fn argon2id_gives_the_published_vector() {
        let mut tag = [0; 32];
        argon2id(&[1; 32], &[2; 16], &[3; 8], &[4; 12], (32, 3, 4), &mut tag).unwrap();
        assert_eq!(hex::encode(tag), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    }

    /// What FORMAT says, computed by OpenSSL's Argon2.
    #[test]
    fn golden_key_of_a_passphrase() {
        let (memory, passes, lanes) = USUAL;
        let salt = std::array::from_fn(|at| at as u8);
        let stretching = Stretching { memory, passes, lanes, salt };
        let golden = "732d8a56f28eb945be6be64cf5749779124d154f3b1362274185074e221c008b";
        assert_eq!(key(&stretching, "korrekt Pferd Batterie Heftklammer"), golden);
        assert_eq!(key(&stretching, "korrekt Pferd Batterie Heftklammer\n"), golden);
    }

    #[test]
    fn every_store_and_every_passphrase_has_a_key_of_its_own() {
        let (one, other) = (Stretching::fresh().unwrap(), Stretching::fresh().unwrap());
        assert_ne!(one.salt, other.salt);
        let keys = [key(&one, "a passphrase"), key(&other, "a passphrase"), key(&one, "a passphrasf")];
        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2]);
        assert_eq!(key(&one, "a passphrase"), keys[0]);
    }

    fn read(bytes: &[u8]) -> Result<Stretching> {
        let mut reader = Reader::new("test", bytes);
        let read = Stretching::read(&mut reader)?;
        reader.end()?;
        Ok(read)
    }

    fn bytes(memory: u32, passes: u32, lanes: u32, salt: [u8; 16]) -> Vec<u8> {
        let mut out = Vec::new();
        Stretching { memory, passes, lanes, salt }.encode_onto(&mut out);
        out
    }

    proptest! {
        #[test]
        fn what_is_read_costs_no_less_than_today_and_no_more_than_a_host_has(
            (memory, passes, lanes) in (any::<u32>(), any::<u32>(), any::<u32>())
                .prop_flat_map(|any| (
                    prop_oneof![Just(any.0), (1u32 << 15)..1 << 20],
                    prop_oneof![Just(any.1), 0u32..20],
                    prop_oneof![Just(any.2), 0u32..20],
                )),
            salt: [u8; 16],
        ) {
            let fits = (65_536..=524_288).contains(&memory) && (3..=16).contains(&passes) && (1..=16).contains(&lanes);
            let written = bytes(memory, passes, lanes, salt);
            match read(&written) {
                Ok(stretching) => {
                    prop_assert!(fits);
                    let mut again = Vec::new();
                    stretching.encode_onto(&mut again);
                    prop_assert_eq!(again, written);
                }
                Err(fault) => {
                    let is_corrupt = matches!(fault, Error::Corrupt { .. });
                    prop_assert!(!fits && is_corrupt);
                }
            }
        }
    }

    #[test]
    fn what_is_written_today_is_read() {
        let mut out = Vec::new();
        let fresh = Stretching::fresh().unwrap();
        fresh.encode_onto(&mut out);
        assert_eq!((out.len(), read(&out).unwrap()), (Stretching::LENGTH, fresh));
    }
}
