//! The claim: a row of data objects with rising sequence numbers, of which the last one counts.

use lethe_crypto::root::{Claim, Incarnation, VaultId};
use lethe_crypto::{Error as CryptoError, Result};

use cryptoki::object::ObjectHandle;

use super::objects::{Session, corrupt};
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
        let Some(claim) = Claim::advance(before.map(|entry| entry.claim), vault, known, next)? else {
            // Made by a call that may have failed before it looked for others.
            return before.map_or(Ok(()), |mine| self.settle(mine));
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
        self.settle(mine)
    }

    /// Whoever sees another that is not older gives its own up; so of two who claim at once, at most one stays.
    fn settle(&self, mine: Entry) -> Result<()> {
        // Whatever it is that fails: what is not known to have won must not stay.
        let entries = self.alone(mine).inspect_err(|_| self.withdraw(mine))?;
        // Older ones count for nothing; one that stays goes with the next claim.
        for (handle, _) in entries.iter().filter(|(_, entry)| entry.sequence < mine.sequence) {
            if let Err(error) = self.remove(*handle) {
                tracing::debug!(%error, "an old claim stays in the token");
            }
        }
        Ok(())
    }

    /// All claims, if this one is among them and each other is older.
    fn alone(&self, mine: Entry) -> Result<Vec<(ObjectHandle, Entry)>> {
        let entries = self.entries()?;
        if entries.iter().any(|(_, entry)| entry.sequence >= mine.sequence && *entry != mine) {
            return Err(CryptoError::Fenced);
        }
        if !entries.iter().any(|(_, entry)| *entry == mine) {
            return Err(corrupt("claim in the token", "it is not there after it was made"));
        }
        Ok(entries)
    }

    /// Looks for the claim by what it says: the handle under which it was made may not be valid any more.
    fn withdraw(&self, mine: Entry) {
        let mine = mine.encode();
        let withdrawn = self.data(LABEL).and_then(|claims| {
            let mut same =
                claims.into_iter().filter(|claim| self.value(*claim).ok().flatten().is_some_and(|it| *it == *mine));
            same.try_for_each(|claim| self.remove(claim))
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
