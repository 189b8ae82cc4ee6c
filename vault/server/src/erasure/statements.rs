//! What receipts say that nobody can promise: of every root store that ever held a root of this vault, and of every run.
//!
//! Most keys of people are derived from pages that were written once, or never: whoever opened an old root has the keys of
//! those who are enrolled today. So what one store let out no better store takes back, and no later run what another let
//! reach the disk. Only a redraw of every slot could.

use std::collections::BTreeSet;

use lethe_crypto::root::Medium;

use crate::error::Result;
use crate::memory;
use crate::records::{decode, encode};
use crate::store::{Key, Store};

/// Codes, in alphabetical order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statements(BTreeSet<String>);

impl Statements {
    /// Those that were ever made.
    ///
    /// # Errors
    /// `Corrupt`, `Database`.
    pub(crate) fn read(store: &Store) -> Result<Self> {
        let row = store.get(&Key::Statements)?;
        let codes = row.map(|row| decode("statements of receipts", &row)).transpose()?;
        Ok(Self(codes.unwrap_or_default()))
    }

    /// The same, and those of this run on this medium.
    ///
    /// # Errors
    /// `Corrupt`, `Database`.
    pub fn of_this_run(store: &Store, medium: &Medium) -> Result<Self> {
        let mut statements = Self::read(store)?;
        statements.add(medium);
        statements.0.extend(memory::statements().iter().map(ToString::to_string));
        Ok(statements)
    }

    /// Adds what a medium says.
    pub(crate) fn add(&mut self, medium: &Medium) {
        self.0.extend(medium.statements().map(|statement| statement.as_str().to_owned()));
    }

    /// The codes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The row's bytes.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        Ok(encode("statements of receipts", &self.0)?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change here is a change of the format.
    #[test]
    fn the_row_is_fixed() {
        let codes = ["MEMORY_NOT_LOCKED", "MEDIUM_NOT_SEPARATE"];
        let statements = Statements(codes.map(str::to_owned).into());
        let row = br#"["MEDIUM_NOT_SEPARATE","MEMORY_NOT_LOCKED"]"#;
        assert_eq!(statements.encode().unwrap(), row);
        assert_eq!(Statements(decode("statements", row).unwrap()), statements);
    }
}
