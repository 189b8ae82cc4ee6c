//! The claim: a row of data objects with rising sequence numbers, of which the last one counts.

use lethe_crypto::root::{Claim, Incarnation, VaultId};
use lethe_crypto::{Error as CryptoError, Result};

use cryptoki::object::ObjectHandle;

use super::objects::{Session, corrupt};
use crate::Error;

/// First byte of a claim.
const VERSION: u8 = 1;

/// version ‖ sequence u64 ‖ vault 16 ‖ incarnation 16.
const LENGTH: usize = 41;

/// Label of claims.
const LABEL: &str = "claim";

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    sequence: u64,
    claim: Claim,
}

impl Entry {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(self.claim.vault.as_bytes());
        bytes.extend_from_slice(self.claim.incarnation.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let bytes: &[u8; LENGTH] =
            bytes.try_into().map_err(|_| corrupt("claim in the token", "it has not 41 bytes"))?;
        if bytes[0] != VERSION {
            return Err(corrupt("claim in the token", "unknown version"));
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

impl Session {
    /// The claim that counts.
    pub(super) fn claimed(&self) -> Result<Option<Claim>> {
        Ok(held(&self.entries()?).map(|entry| entry.claim))
    }

    /// Fails unless `claim` is the one that counts.
    pub(super) fn expect(&self, claim: &Claim) -> Result<()> {
        claim.check(self.claimed()?.as_ref())
    }

    pub(super) fn claim(&self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()> {
        let entries = self.entries()?;
        let before = held(&entries);
        let Some(claim) = Claim::advance(before.map(|entry| entry.claim), vault, known, next)? else {
            return Ok(());
        };
        if before.is_none() {
            let roots = self.keys(None)?.len();
            if roots > 0 {
                return Err(Error::UnclaimedRoots(roots).during("claiming"));
            }
        }
        let sequence = before.map_or(Some(0), |entry| entry.sequence.checked_add(1));
        let sequence = sequence.ok_or(CryptoError::Exhausted("claims of a root store"))?;
        let mine = Entry { sequence, claim };
        let object = self.put(LABEL, &mine.encode())?;
        step!("root-pkcs11-claimed-beside");
        self.settle(object, mine).inspect_err(|_| {
            // Whatever it was that failed: what is not known to have won must not stay.
            if let Err(error) = self.remove(object) {
                tracing::warn!(%error, "a claim that was given up may still be in the token");
            }
        })
    }

    /// Whoever sees another that is not older gives its own up; so of two who claim at once, at most one stays.
    fn settle(&self, object: ObjectHandle, mine: Entry) -> Result<()> {
        let entries = self.entries()?;
        let mut rivals = entries.iter().filter(|(handle, entry)| *handle != object && entry.sequence >= mine.sequence);
        if rivals.any(|(_, entry)| *entry != mine) {
            return Err(CryptoError::Fenced);
        }
        // Older ones count for nothing; one that stays goes with the next claim.
        for (handle, _) in entries.iter().filter(|(_, entry)| entry.sequence < mine.sequence) {
            if let Err(error) = self.remove(*handle) {
                tracing::debug!(%error, "an old claim stays in the token");
            }
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<(ObjectHandle, Entry)>> {
        let mut entries = Vec::new();
        for handle in self.data(LABEL)? {
            // One that was given up, or outdated, between finding and reading it counts for nothing.
            if let Some(value) = self.value(handle)? {
                entries.push((handle, Entry::decode(&value)?));
            }
        }
        Ok(entries)
    }
}

/// The one with the highest sequence number. Two have the same only if a writer died before it could
/// withdraw: then any rule will do, as long as it is the same for everybody.
fn held(entries: &[(ObjectHandle, Entry)]) -> Option<Entry> {
    let order = |entry: &Entry| (entry.sequence, std::cmp::Reverse(entry.claim.incarnation));
    entries.iter().map(|(_, entry)| *entry).max_by_key(order)
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
