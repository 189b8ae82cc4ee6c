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
    /// The compare of a compare-and-swap: what a store that holds `held` must write so that `vault` passes
    /// from `current` to `next`, or `None` if it holds that already.
    ///
    /// # Errors
    /// As [`super::RootStore::claim`].
    pub fn advance(
        held: Option<Self>,
        vault: VaultId,
        current: Option<Incarnation>,
        next: Incarnation,
    ) -> Result<Option<Self>> {
        let wanted = Self { vault, incarnation: next };
        match held {
            Some(held) if held == wanted => Ok(None),
            Some(held) if held.vault != vault => Err(Error::ForeignVault),
            Some(held) if Some(held.incarnation) != current => Err(Error::Fenced),
            // A vault that claimed before finds a store that nobody did.
            None if current.is_some() => Err(Error::ForeignVault),
            Some(_) | None => Ok(Some(wanted)),
        }
    }

    /// May who makes this claim change a store that holds `held`?
    ///
    /// # Errors
    /// [`Error::Fenced`], [`Error::ForeignVault`].
    pub fn check(&self, held: Option<&Self>) -> Result<()> {
        match held {
            Some(held) if held == self => Ok(()),
            Some(held) if held.vault == self.vault => Err(Error::Fenced),
            Some(_) | None => Err(Error::ForeignVault),
        }
    }
}
