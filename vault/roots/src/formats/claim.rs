//! What stands in a data object of a PKCS#11 token: a claim with its sequence number.

use lethe_crypto::root::{Claim, Incarnation, VaultId};
use lethe_crypto::{Error, Result};

/// First byte of a claim.
const VERSION: u8 = 1;

/// version ‖ sequence u64 ‖ vault 16 ‖ incarnation 16.
const LENGTH: usize = 41;

/// One of the claims in a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    pub(crate) claim: Claim,
}

impl Entry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(self.claim.vault.as_bytes());
        bytes.extend_from_slice(self.claim.incarnation.as_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let corrupt = |why| Error::Corrupt { what: "claim in the token", why: String::from(why) };
        let bytes: &[u8; LENGTH] = bytes.try_into().map_err(|_| corrupt("it has not 41 bytes"))?;
        if bytes[0] != VERSION {
            return Err(corrupt("unknown version"));
        }
        let array = |from: usize| {
            let mut array = [0; 16];
            array.copy_from_slice(&bytes[from..from + 16]);
            array
        };
        let mut sequence = [0; 8];
        sequence.copy_from_slice(&bytes[1..9]);
        let claim = Claim { vault: VaultId::from_bytes(array(9)), incarnation: Incarnation::from_bytes(array(25)) };
        Ok(Self { sequence: u64::from_be_bytes(sequence), claim })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_round_trip_and_nothing_else_is_read_as_one() {
        let claim = Claim { vault: VaultId::from_bytes([1; 16]), incarnation: Incarnation::from_bytes([2; 16]) };
        let entry = Entry { sequence: 7, claim };
        let bytes = entry.encode();
        assert_eq!(bytes.len(), LENGTH);
        assert!(Entry::decode(&bytes).unwrap() == entry);
        for length in 0..LENGTH {
            assert!(Entry::decode(&bytes[..length]).is_err());
        }
        assert!(Entry::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
        let mut other = bytes;
        other[0] = 2;
        assert!(Entry::decode(&other).is_err());
    }
}
