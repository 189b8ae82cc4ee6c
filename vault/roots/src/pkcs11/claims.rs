//! The claim: a row of data objects with rising sequence numbers, of which the last one counts.

use lethe_crypto::root::{Claim, Incarnation, VaultId};
use lethe_crypto::{Error as CryptoError, Result};

use cryptoki::object::ObjectHandle;

use super::objects::Session;
use crate::Error;
use crate::formats::claim::Entry;

/// Label of claims.
const LABEL: &str = "claim";

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
        let before = held(&self.entries()?);
        let wanted = Claim { vault, incarnation: next };
        let advance = Claim::advance(before.map(|entry| entry.claim), vault, known, next);
        // One that lost may be there from a call that failed.
        let Some(claim) = advance.inspect_err(|_| self.withdraw(&wanted))? else {
            // Made by a call that may have failed before it looked for others. It counts until one is seen.
            let settled = before.map_or(Ok(()), |mine| self.settle(mine));
            return settled.inspect_err(|error| {
                if matches!(error, CryptoError::Fenced) {
                    self.withdraw(&wanted);
                }
            });
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
        self.put(LABEL, &mine.encode())?;
        step!("root-pkcs11-claimed-beside");
        // Whatever it was that failed: what is not known to have won must not stay.
        self.settle(mine).inspect_err(|_| self.withdraw(&claim))
    }

    /// Fails if there is another that is not older: who sees one gives its own up. So of two who see each other, at most one stays.
    fn settle(&self, mine: Entry) -> Result<()> {
        let entries = self.entries()?;
        if entries.iter().any(|(_, entry)| entry.sequence >= mine.sequence && *entry != mine) {
            return Err(CryptoError::Fenced);
        }
        if !entries.iter().any(|(_, entry)| *entry == mine) {
            return Err(Error::ClaimUnseen.during("claiming"));
        }
        // Older ones count for nothing; one that stays goes with the next claim.
        for (handle, _) in entries.iter().filter(|(_, entry)| entry.sequence < mine.sequence) {
            if let Err(error) = self.remove(*handle) {
                tracing::debug!(%error, "an old claim stays in the token");
            }
        }
        Ok(())
    }

    /// Looks for the claim by what it says: the handle under which it was made may not be valid any more.
    fn withdraw(&self, claim: &Claim) {
        let withdrawn = self.entries().and_then(|entries| {
            let mut mine = entries.iter().filter(|(_, entry)| entry.claim == *claim);
            mine.try_for_each(|(handle, _)| self.remove(*handle))
        });
        if let Err(error) = withdrawn {
            tracing::warn!(%error, "a claim that was given up may still be in the token");
        }
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
