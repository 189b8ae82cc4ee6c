//! What a root store's medium cannot promise.

use std::collections::BTreeSet;
use std::fmt;

/// A limit of a medium, as a code that log entries and receipts carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MediumStatement {
    /// The roots are on a device that the data, a mirror or backups are on: who images the one has the other.
    NotSeparate,
    /// Flash, or a device that does not say it is none: overwritten blocks may survive in spare cells.
    WearLevelling,
    /// A file system that may write elsewhere than in place, or take snapshots.
    CopyOnWrite,
    /// A replica, or a whole store, was abandoned with roots in it.
    Abandoned,
    /// The store keeps backups or snapshots of its own.
    KeepsBackups,
    /// The device is emulated: its state is a file of somebody else's.
    Virtual,
    /// The store deletes an entry of a database or a file without overwriting it: sealed bytes of a
    /// destroyed root may survive, and what they are sealed under lives on.
    RetainsDeleted,
}

impl MediumStatement {
    /// Every statement.
    pub const ALL: [Self; 7] = [
        Self::NotSeparate,
        Self::WearLevelling,
        Self::CopyOnWrite,
        Self::Abandoned,
        Self::KeepsBackups,
        Self::Virtual,
        Self::RetainsDeleted,
    ];

    /// The code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSeparate => "MEDIUM_NOT_SEPARATE",
            Self::WearLevelling => "WEAR_LEVELLING_POSSIBLE",
            Self::CopyOnWrite => "COPY_ON_WRITE_POSSIBLE",
            Self::Abandoned => "ROOT_REPLICA_ABANDONED",
            Self::KeepsBackups => "ROOT_STORE_KEEPS_BACKUPS",
            Self::Virtual => "ROOT_DEVICE_VIRTUAL",
            Self::RetainsDeleted => "ROOT_STORE_RETAINS_DELETED",
        }
    }
}

impl fmt::Display for MediumStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Everything a medium cannot promise; empty if the store has nothing to admit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Medium(BTreeSet<MediumStatement>);

impl Medium {
    /// The statements, in a fixed order.
    pub fn statements(&self) -> impl Iterator<Item = MediumStatement> + '_ {
        self.0.iter().copied()
    }

    /// Does it say this?
    #[must_use]
    pub fn states(&self, statement: MediumStatement) -> bool {
        self.0.contains(&statement)
    }
}

impl FromIterator<MediumStatement> for Medium {
    fn from_iter<I: IntoIterator<Item = MediumStatement>>(statements: I) -> Self {
        Self(statements.into_iter().collect())
    }
}
