//! Who may change a root store, and how that passes from one incarnation to the next.

use super::{Incarnation, VaultId};
use crate::error::{Error, Result};

/// Who speaks to a root store: what every change is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The vault.
    pub vault: VaultId,
    /// Its current incarnation.
    pub incarnation: Incarnation,
}

impl Claim {
    /// The compare of a compare-and-swap: what a store that holds `held` must write so that `vault` passes from any
    /// incarnation that is `known` for its own to `next`, or `None` if it holds that already.
    ///
    /// # Errors
    /// As [`super::RootStore::admits`].
    pub fn advance(
        held: Option<Self>,
        vault: VaultId,
        known: &[Incarnation],
        next: Incarnation,
    ) -> Result<Option<Self>> {
        let wanted = Self { vault, incarnation: next };
        match held {
            Some(held) if held == wanted => Ok(None),
            // As a move passes a disguised one on.
            Some(held) if held.vault == vault && known.contains(&held.incarnation) => Ok(Some(wanted)),
            held => Self::admit(held, vault, known).map(|()| Some(wanted)),
        }
    }

    /// May a vault that knows these incarnations for its own claim a store that holds `held`?
    ///
    /// # Errors
    /// As [`super::RootStore::admits`].
    pub fn admit(held: Option<Self>, vault: VaultId, known: &[Incarnation]) -> Result<()> {
        match held {
            Some(held) if held.vault != vault => Err(Error::ForeignVault),
            // Also if it is known: that says who claimed it, not that nothing is left where the vault comes from.
            Some(held) if held.incarnation.is_disguised() => Err(Error::UnderWay),
            Some(held) if known.contains(&held.incarnation) => Ok(()),
            Some(_) => Err(Error::Fenced),
            // A vault that claimed before finds a store that nobody did.
            None if !known.is_empty() => Err(Error::Unclaimed),
            None => Ok(()),
        }
    }

    /// Of an incarnation that no vault has.
    pub(super) const fn disguised(self) -> Self {
        Self { incarnation: self.incarnation.disguised(), ..self }
    }

    /// May who makes this claim change a store that holds `held`?
    ///
    /// # Errors
    /// [`Error::Fenced`], [`Error::ForeignVault`], [`Error::Unclaimed`].
    pub fn check(&self, held: Option<&Self>) -> Result<()> {
        match held {
            Some(held) if held == self => Ok(()),
            Some(held) if held.vault == self.vault => Err(Error::Fenced),
            Some(_) => Err(Error::ForeignVault),
            None => Err(Error::Unclaimed),
        }
    }
}
