//! Which run of which copy of a vault has claimed a root store.

use std::fmt;

use super::identifier;

identifier! {
    /// Names one run of one copy of a vault: drawn at every start, so that of two copies only the one
    /// that claimed the root store last can change anything (rule 5).
    ///
    /// The first bit of the first byte is 0 in every incarnation that a vault has. A store that a vault is on its way to is
    /// claimed for the same incarnation *disguised*: with that bit set. Nobody has that one, so the store fences out who
    /// opens it alone; and whoever reads it knows why.
    Incarnation, bare
}

/// The bit that tells a disguised incarnation.
const DISGUISE: u8 = 0x80;

impl Incarnation {
    /// Is this what a store is claimed for that a vault is on its way to?
    #[must_use]
    pub const fn is_disguised(&self) -> bool {
        self.0[0] & DISGUISE != 0
    }

    /// The same, so that no vault has it.
    #[must_use]
    pub(crate) const fn disguised(mut self) -> Self {
        self.0[0] |= DISGUISE;
        self
    }

    /// The vault's own.
    #[must_use]
    pub(super) const fn bare(mut self) -> Self {
        self.0[0] &= !DISGUISE;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_vault_has_a_disguised_one() {
        for _ in 0..64 {
            let own = Incarnation::random().unwrap();
            let disguised = own.disguised();
            assert!(!own.is_disguised() && disguised.is_disguised());
            assert_eq!((own.bare(), disguised.bare(), disguised.disguised()), (own, own, disguised));
        }
    }
}
